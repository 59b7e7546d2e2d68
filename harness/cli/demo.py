"""driftdrill demo: four drills on a real model, one report."""

import tempfile
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from harness.errors import UsageError

if TYPE_CHECKING:
    from reports.verdict import Verdict

DRILLS = ("delays_in_seconds", "wrong_join", "harmless_shift", "delays_in_seconds_on_the_wall")


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("driftdrill-report"), help="Folder of the report.")
@click.option("--prometheus", default="auto", help="auto, container, binary, or the URL of one that runs.")
@click.option("--only", type=click.Choice(DRILLS), multiple=True, help="Some of the drills; may be repeated.")
def command(out: Path, prometheus: str, only: tuple[str, ...]) -> int:
    """Serve the demo model, drive four drills against it, and write one report.

    Three are played in virtual time, an hour each in seconds; one runs on the wall clock against a real Prometheus,
    with rules of its own whose windows are written in seconds.
    """
    from harness.cli.drill import drill
    from harness.cli.options import write_outputs
    from harness.rig import Settings
    from harness.scenario import built_in, load
    from stack.model_service import serve

    # A new folder each time: a report never overwrites the recordings of another.
    folder = _folder(out)
    verdicts: list[Verdict] = []
    with serve() as service:
        click.echo(f"model: late flights out of New York, AUC {service.auc:.3f} on September, at {service.url}")
        for name in only or DRILLS:
            scenario = load(built_in() / f"{name}.py")
            click.echo(f"\ndrill: {scenario.name} ({scenario.clock} clock)")
            recording = str(folder / f"{name}.drill")
            settings = Settings(target=service.url, out=recording, prometheus=prometheus)
            _, verdict = drill(scenario, settings)
            assert verdict is not None
            verdicts.append(replace(verdict, recording=Path(recording).name))
            _say(verdict)
    page = folder / "report.html"
    write_outputs(verdicts, {"html_file": page, "junit_file": folder / "junit.xml"})
    click.echo(f"\nOpen {page.resolve().as_uri()}")
    return max(v.exit_code for v in verdicts)


def _say(verdict: "Verdict") -> None:
    """The headline; the whole verdict is in the report."""
    from reports import text

    click.echo("\n".join(text.render(verdict).splitlines()[:7]))


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="demo-", dir=out))
    except OSError as e:
        raise UsageError(
            f"the report cannot be written: {e.strerror}", where=str(out), hint="choose another --out"
        ) from e

"""driftdrill demo: drills on a real model, one report."""

import os
import secrets
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftdrill.harness.cli.options import options
from driftdrill.harness.errors import UsageError

if TYPE_CHECKING:
    from driftdrill.harness.scenario.scenario import Scenario
    from driftdrill.reports.data.verdict import Verdict
    from driftdrill.stack.model_service import Service

DRILLS = ("delays_in_seconds", "wrong_join", "harmless_shift", "delays_in_seconds_on_the_wall")
TOKEN = "DRIFTDRILL_ADMIN_TOKEN"


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("driftdrill-report"), help="Folder of the report.")
@options("prometheus")
@click.option("--only", multiple=True, help="A built-in scenario, or a file of them; may be repeated; default: four.")
def command(out: Path, prometheus: str | None, only: tuple[str, ...]) -> int:
    """Serve the demo model, drive drills against it, and write one report.

    Of the four that it drives unless others are named, three are played in virtual time, an hour each in seconds; one
    runs on the wall clock against a real Prometheus, with rules of its own whose windows are written in seconds.
    """
    from contextlib import ExitStack

    from driftdrill.harness.cli.drill import drill
    from driftdrill.harness.cli.progress import columns, write_outputs
    from driftdrill.harness.setup.settings import settings_of
    from driftdrill.reports import text
    from driftdrill.reports.data.verdict import worst
    from driftdrill.stack.model_service import serve_replicas

    scenarios = _chosen(only or DRILLS)
    # A new folder each time: a report never overwrites the recordings of another.
    folder = _folder(out)
    os.environ.setdefault(TOKEN, secrets.token_urlsafe(24))
    verdicts: list[Verdict] = []
    with ExitStack() as stack:
        replicas = 1 + max((f.replica or 0 for s in scenarios.values() for f in s.faults), default=0)
        services = stack.enter_context(serve_replicas(replicas, admin=_misconfigures(scenarios.values())))
        first = services[0]
        click.echo(f"model: late flights out of New York, AUC {first.auc:.3f} on September, at {first.url}")
        config = target_file(folder, services)
        for name, scenario in scenarios.items():
            click.echo(f"\ndrill: {scenario.name} ({scenario.clock} clock)")
            recording = str(folder / f"{name}.drill")
            settings = settings_of(target="demo", config=str(config), out=recording, prometheus=prometheus)
            _, verdict = drill(scenario, settings)
            assert verdict is not None
            verdicts.append(replace(verdict, recording=Path(recording).name))
            _print(verdict, whole=bool(only))
    click.echo("\n" + text.render_meanings(verdicts, width=columns()))
    page = folder / "report.html"
    write_outputs(verdicts, {"html_file": page, "junit_file": folder / "junit.xml"})
    click.echo(f"\nOpen {page.resolve().as_uri()}")
    return worst(v.exit_code for v in verdicts)


def _chosen(names: Sequence[str]) -> "dict[str, Scenario]":
    """The built-in scenarios of these names, by what their recording is called: a file's name means all in it.

    Raises :class:`UsageError` with the nearest for another name.
    """
    from driftdrill.harness.errors import nearest
    from driftdrill.harness.scenario.scenario import built_in, load_all

    known: dict[str, dict[str, Scenario]] = {}
    for file in sorted(p for p in built_in().glob("*.py") if not p.name.startswith("_")):
        several = load_all(file)
        known[file.stem] = {}
        for number, scenario in enumerate(several, 1):
            call = f"{file.stem}-{number}" if len(several) > 1 else file.stem
            known[file.stem][call] = scenario
            known.setdefault(scenario.name, {call: scenario})
    chosen: dict[str, Scenario] = {}
    for name in names:
        if name not in known:
            raise UsageError(f"no built-in scenario is named {name!r}", hint=nearest(name, known))
        chosen |= known[name]
    return chosen


def _misconfigures(scenarios: "Iterable[Scenario]") -> bool:
    """Whether some fault is a switch of the model's admin interface."""

    return any(s.faults_of("switch") for s in scenarios)


def target_file(folder: Path, services: "Sequence[Service]") -> Path:
    """A driftdrill.toml that names the model: what a user would write. The token stays in the environment."""
    urls = [service.url for service in services]
    file = folder / "driftdrill.toml"
    file.write_text(
        f"[targets.demo]\nurl = {urls[0]!r}\nreplicas = {urls[1:]!r}\n"
        f'admin = {{ env = "{TOKEN}" }}\nprocess = {{ listens = true }}\n',
        encoding="utf-8",
    )
    return file


def _print(verdict: "Verdict", *, whole: bool) -> None:
    """The verdict, or its headline alone where the report has the rest."""
    from driftdrill.harness.cli.progress import columns
    from driftdrill.reports import text

    render = text.render if whole else text.render_headline
    click.echo(render(verdict, width=columns()), nl=False)


def _folder(out: Path) -> Path:
    try:
        out.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix="demo-", dir=out))
    except OSError as e:
        raise UsageError(
            f"the report cannot be written: {e.strerror}", where=str(out), hint="choose another --out"
        ) from e

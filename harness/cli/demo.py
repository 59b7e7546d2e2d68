"""driftdrill demo: drills on a real model, one report."""

import os
import secrets
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
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

    Starting = list[Callable[[], Service]]

DRILLS = ("delays_in_seconds", "wrong_join", "harmless_shift", "delays_in_seconds_on_the_wall")
TOKEN = "DRIFTDRILL_ADMIN_TOKEN"


@click.command("demo")
@click.option("--out", type=click.Path(path_type=Path), default=Path("driftdrill-report"), help="Folder of the report.")
@options("prometheus")
@click.option("--only", multiple=True, help="A built-in scenario, or a file of them; may be repeated; default: four.")
def command(out: Path, prometheus: str | None, only: tuple[str, ...]) -> int:
    """Serve the demo model, anew for each drill, and write one report.

    Of the four that it drives unless others are named, three are played in virtual time, an hour each in seconds; one
    runs on the wall clock against a real Prometheus, with rules of its own whose windows are written in seconds.
    """
    from driftdrill.harness.cli.progress import columns, write_outputs
    from driftdrill.reports import text
    from driftdrill.reports.data.verdict import worst

    scenarios = _chosen(only or DRILLS)
    # A new folder each time: a report never overwrites the recordings of another.
    folder = _folder(out)
    os.environ.setdefault(TOKEN, secrets.token_urlsafe(24))
    verdicts = []
    for name, verdict in _drilled(scenarios, folder, prometheus):
        verdicts.append(replace(verdict, recording=f"{name}.drill"))
        _print(verdict, whole=bool(only))
    click.echo("\n" + text.render_meanings(verdicts, width=columns()))
    page = folder / "report.html"
    write_outputs(verdicts, {"html_file": page, "junit_file": folder / "junit.xml"})
    click.echo(f"\nOpen {page.resolve().as_uri()}")
    return worst(v.exit_code for v in verdicts)


def _drilled(
    scenarios: "Mapping[str, Scenario]", folder: Path, prometheus: str | None
) -> "Iterator[tuple[str, Verdict]]":
    """Each drill's verdict, on a model of its own: what one leaves behind (a sum that is NaN for good) spoils no other.

    The next model starts while a drill goes on, unless that one is on the wall clock and might be late for it.
    """
    from driftdrill.harness.cli.drill import drill
    from driftdrill.harness.setup.settings import settings_of

    following: list[Scenario | None] = [*list(scenarios.values())[1:], None]
    held = ExitStack()
    coming: Starting | None = None
    for (name, scenario), after in zip(scenarios.items(), following, strict=True):
        with held:
            services = [ready() for ready in coming or _starting(held, scenario)]
            if name == next(iter(scenarios)):
                told = f"AUC {services[0].auc:.3f} on September, at {services[0].url}"
                click.echo(f"model: late flights out of New York, {told}; each drill has its own")
            click.echo(f"\ndrill: {scenario.name} ({scenario.clock} clock)")
            config, recording = target_file(folder, services), folder / f"{name}.drill"
            settings = settings_of(target="demo", config=str(config), out=str(recording), prometheus=prometheus)
            with ExitStack() as next_held:
                coming = None
                if after is not None and scenario.clock == "virtual":
                    coming = _starting(next_held, after)
                _, verdict = drill(scenario, settings)
                assert verdict is not None
                yield name, verdict
                later = next_held.pop_all()
        held = later


def _starting(held: ExitStack, scenario: "Scenario") -> "Starting":
    """The models of a drill, one for each replica that its faults name, as they start."""
    from driftdrill.stack.model_service import starting

    replicas = 1 + max((f.replica or 0 for f in scenario.faults), default=0)
    admin = bool(scenario.faults_of("switch"))
    return [held.enter_context(starting(admin=admin)) for _ in range(replicas)]


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

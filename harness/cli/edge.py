"""driftdrill edge: send every edge case once, or search for the smallest payload that breaks a property."""

import sys
from collections.abc import Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftdrill.harness.cli.options import options
from driftdrill.harness.errors import ConfigError, Interrupted, TargetError, UsageError, nearest

if TYPE_CHECKING:
    from driftdrill.harness.edge.example import Example
    from driftdrill.harness.edge.probe import Bounds, Prober
    from driftdrill.reports.data.edges import EdgeReport, EdgeSearch

PROPERTIES = ("no-5xx", "no-hang", "no-nan")
"""The names in search.py, which is not loaded for --help."""


@click.command("edge")
@options("target", "config", "allow_hosts")
@click.option("--rows", type=click.Path(path_type=Path), help="CSV or scenario file; its first whole row is valid.")
@click.option("--truth", help="A column of --rows that is not sent.")
@click.option("--column", multiple=True, help="Columns that cases go into; default: the first of each kind.")
@click.option("--timeout", type=click.FloatRange(0.05, 600), default=5.0, help="Seconds for one answer.")
@click.option("--grace", type=click.FloatRange(0, 600), default=5.0, help="Seconds to come back after a crash.")
@click.option("--seconds", type=click.FloatRange(1, 3600), default=120.0, help="Seconds in all.")
@click.option("--most", type=click.IntRange(1, 100_000), default=500, help="Requests in all.")
@click.option("--largest", type=click.IntRange(100, 1_000_000_000), default=6_000_000, help="Bytes of one body.")
@click.option("--accept", multiple=True, help="Code of a finding that is known; `*` and `?` match. May be repeated.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write the table as JSON.")
@click.option("--search", is_flag=True, help="Search for the smallest payload that breaks --property (hypothesis).")
@click.option("--property", "name", type=click.Choice(PROPERTIES), help="What --search breaks; default: no-5xx.")
@click.option("--examples", type=click.IntRange(1, 100_000), default=300, help="Payloads that --search tries.")
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Of --search: the same seed, the same payloads.")
def command(**given: Any) -> int:
    """Send each edge case once, bounded, and say what the service makes of it.

    Exit codes: 0 no finding, 1 findings, 2 usage, rig, or not all cases could be sent. docs/edge.md lists the codes.
    """
    from driftdrill.harness.edge.cases import CASES, refuse_unknown_columns, valid
    from driftdrill.harness.edge.example import example
    from driftdrill.harness.edge.probe import Bounds, Prober
    from driftdrill.harness.edge.traces import Traces, pages_of
    from driftdrill.harness.setup.allow import refuse_foreign_hosts
    from driftdrill.harness.setup.settings import pick_target, settings_of
    from driftdrill.harness.traffic.http.client import Client
    from driftdrill.harness.traffic.protocols.detect import asking, settled

    if (given["search"] and given["accept"]) or (given["name"] and not given["search"]):
        raise UsageError("--accept goes with the table of cases, --property with --search")
    for pattern in given["accept"]:
        _refuse_unknown(pattern, [case.code for case in CASES])
    settings = settings_of(**{name: given[name] for name in ("target", "config", "allow_hosts")})
    target = pick_target(settings)
    refuse_foreign_hosts(target, settings.allow_hosts)
    target, protocol = settled(target)
    rows = example(target, protocol, asking(target.connection), settings.file, given["rows"], given["truth"])
    base = valid(rows.rows, protocol)
    refuse_unknown_columns(base, given["column"])
    client = Client(replace(target.connection, timeout=given["timeout"]), protocol.path, protocol.content_type)
    prober = Prober(client, protocol, target, base, given["grace"], traces=Traces(pages_of(target)))
    try:
        prober.settle()
        send = _search if given["search"] else _table
        return send(prober, rows, Bounds(given["seconds"], given["most"], given["largest"]), given)
    except TargetError as e:
        if "answered" not in e.cause:
            raise
        raise TargetError(e.cause, hint=f"{e.hint}; the row is of {rows.source}, --rows FILE gives another") from e
    finally:
        client.close()


def _table(prober: "Prober", rows: "Example", bounds: "Bounds", given: Mapping[str, Any]) -> int:
    from driftdrill.harness.edge.cases import prepared
    from driftdrill.harness.edge.probe import CaseProgress, probe
    from driftdrill.reports.data.edges import EdgeReport
    from driftdrill.reports.edges_text import render

    progress, interrupted = CaseProgress(), False
    try:
        probe(prober, prepared(prober.base, given["column"]), bounds, progress, _tell)
    except KeyboardInterrupt:
        progress.why, interrupted = "not all cases were sent: interrupted", True
    varies = f"the valid row's own prediction varies by {prober.spread:.3g}: smaller differences are not reported"
    report = EdgeReport(
        target=prober.client.url,
        source=rows.source,
        prediction=prober.expected,
        cases=tuple(progress.cases),
        findings=tuple(
            replace(f, accepted=any(fnmatchcase(f.code, pattern) for pattern in given["accept"]))
            for f in progress.findings
        ),
        why=progress.why,
        notes=(varies,) if prober.spread else (),
    )
    return _end(render(report), report, given["json_file"], interrupted=interrupted)


def _search(prober: "Prober", rows: "Example", bounds: "Bounds", given: Mapping[str, Any]) -> int:
    from driftdrill.harness.edge.search import PROPERTIES, Search, search, told
    from driftdrill.reports.edges_text import render_search

    name, interrupted = given["name"] or "no-5xx", False
    made = Search(prober, PROPERTIES[name][1], bounds)
    try:
        search(made, rows.rows, examples=given["examples"], seed=given["seed"])
    except KeyboardInterrupt:
        made.why, interrupted = "interrupted", True
    report = told(made, name, given["seed"], Path())
    return _end(render_search(report), report, given["json_file"], interrupted=interrupted)


def _end(text: str, report: "EdgeReport | EdgeSearch", file: Path | None, *, interrupted: bool) -> int:
    """Print the report and write it where it is asked for; the exit code. Raises :class:`Interrupted`."""
    click.echo(text, nl=False)
    if file is not None:
        try:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(report.to_json())
        except OSError as e:
            raise ConfigError(f"cannot be written: {e.strerror}", where=str(file)) from e
        click.echo(f"written: {file}")
    if interrupted:
        raise Interrupted("interrupted", hint="what was found so far is above")
    return report.exit_code


def _refuse_unknown(pattern: str, cases: list[str]) -> None:
    """Raise :class:`UsageError` with the nearest codes for a pattern of codes that no finding can have."""
    from driftdrill.harness.edge.probe import WORDS

    codes = [f"{case}.{word}" for case in cases for word in WORDS]
    if not any(fnmatchcase(code, pattern) for code in codes):
        raise UsageError(f"--accept: no finding has the code {pattern!r}", hint=nearest(pattern, codes))


def _tell(done: int, of: int) -> None:
    if sys.stderr.isatty():
        print(f"{done} of {of} cases", end="\r", file=sys.stderr, flush=True)

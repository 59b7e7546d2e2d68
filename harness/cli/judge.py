"""driftdrill judge: judge recordings again, against their own rules or others. No load, no network, no model."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftdrill.harness.cli.options import options, outputs, several

if TYPE_CHECKING:
    from driftdrill.reports.data.verdict import Verdict


@click.command("judge")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@several("rules", "Rule file or glob; default: the rules of the drill itself.")
@click.option("--phases", type=click.IntRange(1, 100), default=1, help="At how many offsets of scrapes to judge.")
@click.option("--history", type=click.Path(path_type=Path), help="A recording without faults: the drill's past.")
@click.option("--at", multiple=True, help="Judge as if it began then: 2026-03-29T02:30+01:00; may be repeated.")
@options("fail_on")
@click.option(
    "--accept", type=click.Path(path_type=Path), help="Findings that the team accepts, with reason and expiry."
)
@several("engine", "promtool, a version such as 3.5.3 or 2.42, or a path; several are compared.")
@outputs
def command(recordings: tuple[Path, ...], rules: tuple[str, ...], **given: Any) -> int:
    """Judge RECORDINGS (NAME.drill folders) and print each verdict; the exit code is the worst one's.

    With several --engine, the first one's verdict counts, and each alert that another engine answers otherwise is
    one more finding. So is, with several --at, each alert that reads the clock and answers otherwise at another moment.
    """
    from driftdrill.harness.cli.progress import finish, write_outputs
    from driftdrill.harness.judge import judge
    from driftdrill.harness.judge.engine.parallel import in_parallel
    from driftdrill.harness.judge.findings.accept import accept, load_accepted
    from driftdrill.harness.judge.findings.engines import compared
    from driftdrill.reports.data.verdict import worst
    from driftdrill.stack.prometheus.promtool import find_engine

    engines = [find_engine(engine) for engine in given["engine"] or [None]]
    how = {name: given[name] for name in ("phases", "history", "at", "fail_on")}
    known = load_accepted(given["accept"]) if given["accept"] else ()

    def verdict(recording: Path) -> "Verdict":
        first, *others = [judge(recording, rules or None, promtool=engine, **how) for engine in engines]
        return accept(compared(first, others), known)

    verdicts = in_parallel(verdict, recordings)
    codes = [finish(verdict) for verdict in verdicts]
    write_outputs(verdicts, given)
    return worst(codes)

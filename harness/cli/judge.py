"""driftdrill judge: judge recordings again, against their own rules or others. No load, no network, no model."""

from pathlib import Path
from typing import Any

import click

from harness.cli.options import outputs, write_outputs


@click.command("judge")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--rules", multiple=True, help="Rule file or glob; default: the rules of the drill itself.")
@click.option("--promtool", help="Path of the promtool that evaluates the rules.")
@click.option("--phases", type=click.IntRange(1, 100), default=1, help="Shifts between scrape and evaluation to judge.")
@click.option("--history", type=click.Path(path_type=Path), help="A clean recording to put before.")
@click.option("--fail-on", type=click.Choice(["silent_failure"]), multiple=True, help="Also fail on this.")
@outputs
def command(recordings: tuple[Path, ...], rules: tuple[str, ...], promtool: str | None, **given: Any) -> int:
    """Judge RECORDINGS (NAME.drill folders) and print each verdict; the exit code is the worst one's."""
    from harness.judge import judge
    from harness.show import finish
    from stack.promtool import find_promtool

    engine = find_promtool(binary=promtool)
    how = {name: given[name] for name in ("phases", "history", "fail_on")}
    verdicts = [judge(r, rules or None, promtool=engine, **how) for r in recordings]
    codes = [finish(verdict) for verdict in verdicts]
    write_outputs(verdicts, given)
    return max(codes)

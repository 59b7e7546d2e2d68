"""driftdrill mutate: which mutants of the rules do recorded drills kill? No load, no network, no model."""

import sys
from pathlib import Path

import click

from driftdrill.harness.cli.options import options


@click.command("mutate")
@click.argument("recordings", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--rules", multiple=True, required=True, help="Rule file or glob; may be repeated.")
@click.option("--only", multiple=True, help="A rule; an alert brings the recording rules that feed it.")
@click.option("--operator", "operators", multiple=True, help="Only this mistake, such as for.drop; may be repeated.")
@click.option("--fail-under", type=click.FloatRange(0, 1), default=0.0, help="Fail if a smaller share is killed.")
@click.option("--history", type=click.Path(path_type=Path), help="A recording without faults: their past.")
@click.option("--json", "json_file", type=click.Path(path_type=Path), help="Write all mutants as JSON.")
@options("engine")
def command(
    recordings: tuple[Path, ...],
    rules: tuple[str, ...],
    only: tuple[str, ...],
    operators: tuple[str, ...],
    fail_under: float,
    history: Path | None,
    json_file: Path | None,
    engine: str | None,
) -> int:
    """Change the rules, one mistake at a time, and see which changes the drills in RECORDINGS notice.

    Each recording must hold under the rules as they are, else its verdict is printed and nothing is mutated. What
    survives is listed with the drill that would kill it. docs/mutation.md says what killed means.
    """
    from driftdrill.harness.cli.progress import finish, write
    from driftdrill.harness.judge.drill import Drill
    from driftdrill.harness.judge.judge import verdict, with_alerts
    from driftdrill.harness.judge.mutants.mutate import as_they_are, mutate
    from driftdrill.harness.recording.reader import open_recording
    from driftdrill.reports import mutation_text
    from driftdrill.reports.data.verdict import worst
    from driftdrill.stack.prometheus.promtool import find_engine
    from driftdrill.stack.rules.files import load_rule_files

    known = with_alerts(load_rule_files(rules))
    promtool = find_engine(engine)
    past = None if history is None else open_recording(history)
    clean = as_they_are([Drill(open_recording(path), past) for path in recordings], known, promtool)
    if failed := [v for v in map(verdict, clean) if v.exit_code]:
        codes = [finish(v) for v in failed]
        print(
            f"driftdrill: {len(failed)} of {len(clean)} recordings do not hold under the rules as they are\n"
            "  mutants are tried on drills that hold: correct the rules or the scenario, or leave these out",
            file=sys.stderr,
        )
        return worst(codes)
    found = mutate(clean, promtool, only=only, operators=operators)
    click.echo(mutation_text.render(found, colour=sys.stdout.isatty()), nl=False)
    if json_file is not None:
        write(json_file, found.to_json())
    return 1 if found.share < fail_under else 0

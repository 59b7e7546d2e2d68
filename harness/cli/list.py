"""driftdrill list: what can be drilled."""

from pathlib import Path

import click


@click.command("list")
@click.argument("what", type=click.Choice(["scenarios"]), default="scenarios")
@click.option("--folder", type=click.Path(path_type=Path), help="Default: the built-in scenarios.")
def command(what: str, folder: Path | None) -> int:
    """List the scenarios of a folder, with what they do and what they expect."""
    from harness.errors import DriftdrillError, UsageError
    from harness.expect import span_text
    from harness.scenario import built_in, load_all

    where = folder or built_in()
    if not where.is_dir():
        raise UsageError("no such folder", where=str(where))
    for file in sorted(where.glob("*.py")):
        if file.name.startswith("_"):
            continue
        try:
            found = load_all(file)
        except DriftdrillError as e:
            click.echo(f"{file.stem}\n  cannot be loaded: {e}\n")
            continue
        for scenario in found:
            click.echo(f"{file.stem}: {scenario.name}")
            click.echo(f"  {scenario.story}")
            faults = ", ".join(f.name for f in scenario.faults) or "none"
            click.echo(f"  {span_text(scenario.duration)} on the {scenario.clock} clock; faults: {faults}\n")
    return 0

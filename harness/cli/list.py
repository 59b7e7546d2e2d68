"""driftdrill list: what can be drilled."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from driftdrill.durations import format_duration

if TYPE_CHECKING:
    from driftdrill.stack.faults.kind import Kind


@click.command("list")
@click.argument("what", type=click.Choice(["scenarios", "faults"]), default="scenarios")
@click.argument("id", required=False)
@click.option("--folder", type=click.Path(path_type=Path), help="Of scenarios; default: the built-in ones.")
def command(what: str, id: str | None, folder: Path | None) -> int:
    """List the scenarios of a folder, or every fault of the catalogue; with ID (or how one begins) what each does."""
    from driftdrill.harness.errors import UsageError

    if what == "faults":
        return _faults(id)
    if id is not None:
        raise UsageError(f"scenarios are listed by folder, not by {id!r}", hint="driftdrill list --folder FOLDER")
    return _scenarios(folder)


def _scenarios(folder: Path | None) -> int:
    from driftdrill.harness.errors import DriftdrillError, UsageError
    from driftdrill.harness.scenario.scenario import built_in, load_all

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
            click.echo(f"  {format_duration(scenario.duration)} on the {scenario.clock} clock; faults: {faults}\n")
    return 0


def _faults(wanted: str | None) -> int:
    """Id, where it acts, where it is seen first, and what an author writes; with ``wanted`` what each does, too."""
    from driftdrill.harness.errors import UsageError, nearest
    from driftdrill.harness.seams.catalogue import MISSING, WAYS, ids, kinds

    found = [k for k in kinds() if wanted is None or k.id.startswith(wanted)]
    others = {i: f"by {way}" for i, way in WAYS.items()} | {i: f"not here: {why}" for i, why in MISSING.items()}
    others = {i: text for i, text in others.items() if wanted is None or i.startswith(wanted)}
    if not found and not others:
        raise UsageError(f"no fault has the id {wanted!r}", hint=nearest(str(wanted), [*ids(), *MISSING]))
    if wanted is None:
        _columns([("id", "acts on", "seen from", "what is written"), *map(_row, found)])
    else:
        for k in found:
            click.echo(f"{k.id}  {_written(k.name, k.parameters)}")
            click.echo(f"  {k.description}")
            click.echo(f"  acts on: {k.acts}; seen from: {k.visible_from}")
            click.echo(f"  from {k.home} import {k.name}\n" if k.home else f"  --operator {k.name}\n")
    for id_, text in others.items():
        click.echo(f"{id_}: {text}")
    return 0


def _row(kind: "Kind") -> tuple[str, ...]:
    return kind.id, kind.acts, kind.visible_from, _written(kind.name, kind.parameters)


def _columns(rows: "Sequence[tuple[str, ...]]") -> None:
    """Columns as wide as they must be."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    for row in rows:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _written(name: str, parameters: tuple[str, ...]) -> str:
    return f"{name}({', '.join(parameters)})" if parameters or name[0].isupper() else name

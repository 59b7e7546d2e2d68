"""driftdrill report: draw verdicts, from their JSON or from recordings."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from driftdrill.harness.cli.options import outputs
from driftdrill.harness.errors import UsageError

if TYPE_CHECKING:
    from driftdrill.reports.data.verdict import Verdict


@click.command("report")
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
@outputs
def command(files: tuple[Path, ...], **given: Any) -> int:
    """Draw FILES (verdict.json or NAME.drill): text in the terminal, and whatever else is asked for."""
    from driftdrill.harness.cli.progress import finish, write_outputs

    verdicts = [_read(file) for file in files]
    for verdict in verdicts:
        finish(verdict)
    write_outputs(verdicts, given)
    return 0


def _read(file: Path) -> "Verdict":
    from driftdrill.reports.data.verdict import UnknownSchema, from_json

    if file.is_dir():
        from driftdrill.harness.judge import judge

        return judge(file)
    try:
        return from_json(file.read_bytes())
    except OSError as e:
        raise UsageError(f"cannot be read: {e.strerror}", where=str(file)) from e
    except UnknownSchema as e:
        raise UsageError(str(e), where=str(file), hint=e.hint) from e

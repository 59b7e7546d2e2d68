"""How this package runs a module of its own in another process, and how that one says what went wrong."""

import sys
from pathlib import Path

import msgspec

from driftdrill.stack.errors import StackError

_BOOTSTRAP = "import runpy, sys; sys.path.insert(0, sys.argv.pop(1)); runpy.run_module({!r}, run_name='__main__')"


class Failed(msgspec.Struct, frozen=True):
    """The last line that a child prints to its standard output when it gives up."""

    error: str
    hint: str | None = None


def command(module: str, *arguments: str) -> list[str]:
    """The command that runs ``module`` from the folder that this package was loaded from.

    A plain ``-m`` would look in the working folder first. The path is not resolved: in a checkout this room is
    a link within ``driftdrill/``, and beside what it leads to there is no such package.
    """
    root = str(Path(__file__).absolute().parents[3])
    return [sys.executable, "-P", "-c", _BOOTSTRAP.format(module), root, *arguments]


def give_up(error: StackError) -> int:
    """Print :class:`Failed`; the exit code."""
    print(msgspec.json.encode(Failed(str(error), error.hint)).decode(), flush=True)
    return 2

"""What a fault of processes acts on: a process of this machine, or a container of its engine."""

import msgspec

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.listeners import heads, holders


class LocalProcess(msgspec.Struct, frozen=True, tag="process"):
    """A process of this machine; a fault acts on its descendants too.

    ``restart`` is the command that starts it again after a crash; by default the command, folder, environment and
    outputs that the process has. An empty one says that a supervisor restarts it. ``owned``: the drill started it,
    so what a crash loop started again ends with the drill. ``also`` are further processes that serve with it and are
    held alike; who listens on ``port`` of ``host`` later than they is held from then on.
    """

    pid: int
    restart: tuple[str, ...] | None = None
    owned: bool = False
    also: tuple[int, ...] = ()
    port: int = 0
    host: str = ""

    def __post_init__(self) -> None:
        for pid in (self.pid, *self.also):
            if isinstance(pid, bool) or not isinstance(pid, int) or pid <= 1:
                raise StackError(f"a process is named by a process id above 1, not {pid!r}")

    def __str__(self) -> str:
        return f"process {self.pid}"


class Container(msgspec.Struct, frozen=True, tag="container"):
    """A container, by name or id, of the engine that ``DOCKER_HOST`` or the usual socket leads to."""

    name: str

    def __str__(self) -> str:
        return f"container {self.name}"


AnyTarget = LocalProcess | Container


def listening(port: int, restart: tuple[str, ...] | None = None, host: str = "") -> LocalProcess:
    """All processes of this machine that listen on TCP ``port``, at ``host`` where it is given, and whoever leads them.

    Raises :class:`StackError` where none is seen.
    """
    first, *others = heads(holders(port, host))
    return LocalProcess(first, restart, also=tuple(others), port=port, host=host)

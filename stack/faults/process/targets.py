"""What a fault of processes acts on: a process of this machine, or a container of its engine."""

import msgspec
import psutil

from driftdrill.stack.errors import StackError


class LocalProcess(msgspec.Struct, frozen=True, tag="process"):
    """A process of this machine; a fault acts on its descendants too.

    ``restart`` is the command that starts it again after a crash; by default the command, folder, environment and
    outputs that the process has. An empty one says that a supervisor restarts it. ``owned``: the drill started it,
    so what a crash loop started again ends with the drill.
    """

    pid: int
    restart: tuple[str, ...] | None = None
    owned: bool = False

    def __post_init__(self) -> None:
        if isinstance(self.pid, bool) or not isinstance(self.pid, int) or self.pid <= 1:
            raise StackError(f"a process is named by a process id above 1, not {self.pid!r}")

    def __str__(self) -> str:
        return f"process {self.pid}"


class Container(msgspec.Struct, frozen=True, tag="container"):
    """A container, by name or id, of the engine that ``DOCKER_HOST`` or the usual socket leads to."""

    name: str

    def __str__(self) -> str:
        return f"container {self.name}"


AnyTarget = LocalProcess | Container


def listening(port: int, restart: tuple[str, ...] | None = None) -> LocalProcess:
    """The process of this machine that listens on TCP ``port``. Raises :class:`StackError` where none is seen."""
    try:
        pids = {
            c.pid
            for c in psutil.net_connections("tcp")
            if c.status == psutil.CONN_LISTEN and c.laddr and c.laddr.port == port and c.pid
        }
    except psutil.AccessDenied as e:
        raise StackError(f"this user may not see who listens on port {port}", hint="name the process id") from e
    if not pids:
        raise StackError(
            f"no process that this user can see listens on port {port}",
            hint="it may belong to another user or run in a container: name the process id or the container",
        )
    return LocalProcess(_oldest(pids), restart)


def _oldest(pids: set[int]) -> int:
    """The parent of a group of workers that share a socket."""
    started = {}
    for pid in pids:
        try:
            started[pid] = psutil.Process(pid).create_time()
        except psutil.NoSuchProcess:
            continue
    return min(started or pids, key=lambda pid: (started.get(pid, 0.0), pid))

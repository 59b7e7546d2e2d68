"""The processes that a fault acts on, found anew whenever it is asked: workers come and go."""

import os
from contextlib import suppress

import psutil

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.listeners import heads, holders, ours
from driftdrill.stack.faults.process.targets import LocalProcess
from driftdrill.stack.faults.process.undo import Identity, family


def identify(pid: int) -> Identity:
    """The process as it is now. Raises :class:`StackError` where it must not or cannot be drilled."""
    try:
        process = psutil.Process(pid)
        if process.status() == psutil.STATUS_ZOMBIE:
            raise StackError(f"process {pid} has ended and only waits for its parent", hint="name a running process")
    except psutil.NoSuchProcess:
        raise StackError(f"there is no process {pid}", hint="it may have been restarted: listening(port)") from None
    if pid in ours():
        raise StackError(f"process {pid} is the drill itself or its parent", hint="name the process of the model")
    if os.geteuid() not in (0, process.uids().real):
        raise StackError(
            f"process {pid} belongs to {process.username()}", hint="run the drill as that user, or as root"
        )
    return Identity(pid, process.create_time())


class Members:
    """The processes that a fault acts on: those named, their descendants, and who listens with them later.

    Raises :class:`StackError` where one must not or cannot be drilled.
    """

    def __init__(self, target: LocalProcess) -> None:
        self._target = target
        self.first, *others = map(identify, (target.pid, *target.also))
        self.also = tuple(others)

    @property
    def roots(self) -> tuple[Identity, ...]:
        """Those that were named, or came later."""
        return (self.first, *self.also)

    def family(self) -> list[psutil.Process]:
        """All that run, parents before their children."""
        return family(self.roots)

    def pids(self) -> list[int]:
        """Their process ids, the first that was named foremost."""
        return [process.pid for process in self.family() if alive(process)]

    def grown(self) -> bool:
        """Whether others listen with them by now; they are members from now on."""
        if not self._target.port:
            return False
        new = holders(self._target.port, self._target.host) - {process.pid for process in self.family()}
        self.also += tuple(identify(pid) for pid in heads(new))
        return bool(new)

    def ended(self) -> str | None:
        """What is wrong where one of those that were named has ended."""
        gone = [str(root.pid) for root in self.roots if root.find() is None]
        return f"expected process {gone[0]} to run; seen: it has ended" if gone else None

    def stop(self) -> list[psutil.Process]:
        """SIGSTOP to all, also to those that are born meanwhile; the processes. Who is stopped bears none."""
        stopped: dict[int, psutil.Process] = {}
        while new := [process for process in self.family() if process.pid not in stopped]:
            for process in new:
                stopped[process.pid] = process
                with suppress(psutil.NoSuchProcess):
                    process.suspend()
        return list(stopped.values())


def alive(process: psutil.Process) -> bool:
    """Whether it runs, or stands still."""
    try:
        return bool(process.is_running() and process.status() != psutil.STATUS_ZOMBIE)
    except psutil.NoSuchProcess:
        return False

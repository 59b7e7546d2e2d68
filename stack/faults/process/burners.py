"""Burners: processes of ours that use up what the model's machine has."""

import math
import mmap
import os
import signal
import struct
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress

import psutil

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.faults import CpuBurner, IoBurner, MemoryBurner
from driftdrill.stack.faults.process.undo import Nothing

SLICE = 0.1
"""Seconds of one turn of burning and resting."""
RESERVE = 256 << 20
"""Bytes that a memory burner leaves to everybody else."""
PIECE = 16 << 20


class _Workers:
    """Forked processes that work for a share of the time, until their parent ends, however that ends."""

    def __init__(self, place: str, count: int, step: Callable[[], None]) -> None:
        self.place, self.undo = place, Nothing()
        self._count, self._step = count, step
        self._duty = mmap.mmap(-1, 8)
        self._pids: list[int] = []
        self._strength = 0.0

    def pids(self) -> list[int]:
        """No process of the target."""
        return []

    def work(self) -> float:
        """Nothing is due."""
        return math.inf

    def set(self, strength: float) -> None:
        """The share of the time."""
        self._strength = strength
        self._duty[:] = struct.pack("d", strength)
        while len(self._pids) < self._count and strength:
            self._pids.append(self._fork())

    def _fork(self) -> int:
        parent = os.getpid()
        pid = os.fork()
        if pid:
            return pid
        try:
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            while os.getppid() == parent:
                duty = struct.unpack("d", self._duty[:])[0]
                start = time.monotonic()
                while time.monotonic() - start < SLICE * duty:
                    self._step()
                time.sleep(max(0.0, start + SLICE - time.monotonic()))
        finally:
            os._exit(0)

    def check(self) -> str | None:
        """They live."""
        if not self._strength:
            return None
        dead = [pid for pid in self._pids if os.waitpid(pid, os.WNOHANG)[0]]
        self._pids = [pid for pid in self._pids if pid not in dead]
        alive = len(self._pids)
        return None if alive == self._count else f"expected {self._count} burning processes; seen: {alive}"

    def end(self) -> None:
        """Kill them."""
        for pid in self._pids:
            with suppress(ProcessLookupError, ChildProcessError):
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)
        self._pids.clear()


class Cpu(_Workers):
    """Counting."""

    def __init__(self, fault: CpuBurner) -> None:
        def count() -> None:
            for _ in range(10_000):
                pass

        super().__init__("the CPU burners of this machine", fault.workers or os.cpu_count() or 1, count)


class Io(_Workers):
    """Writing and syncing."""

    def __init__(self, fault: IoBurner) -> None:
        folder = fault.folder or tempfile.gettempdir()
        try:
            self._file = tempfile.TemporaryFile(dir=folder, buffering=0)  # noqa: SIM115  it lives as long as the burner
        except OSError as e:
            raise StackError(f"IoBurner: folder {folder} cannot be written to: {e.strerror}") from e
        block = os.urandom(1 << 20)

        def write() -> None:
            if self._file.tell() >= 64 << 20:
                self._file.seek(0)
            self._file.write(block)
            os.fsync(self._file.fileno())

        super().__init__(f"the disk burner of {folder}", 1, write)


class Memory:
    """Memory that is touched, so that it is really taken."""

    def __init__(self, fault: MemoryBurner) -> None:
        self._bytes, self._pieces = fault.bytes, list[bytearray]()
        self.place, self.undo = "the memory burner of this machine", Nothing()
        self._wanted = 0

    def pids(self) -> list[int]:
        """No process of the target."""
        return []

    def set(self, strength: float) -> None:
        """Take or give back. Raises :class:`StackError` where too little is free."""
        wanted = round(self._bytes * strength)
        missing = wanted - sum(map(len, self._pieces))
        free = psutil.virtual_memory().available - RESERVE
        if missing > free:
            raise StackError(
                f"MemoryBurner: {missing >> 20} MiB more are asked for, and {max(0, free) >> 20} MiB may be taken",
                hint=f"ask for fewer bytes; {RESERVE >> 20} MiB stay free for the rest of the machine",
            )
        self._wanted = wanted
        while missing > 0:
            piece = bytearray(b"\1") * min(PIECE, missing)
            self._pieces.append(piece)
            missing -= len(piece)
        while missing < 0 and self._pieces:
            missing += len(self._pieces.pop())
        if missing > 0:
            self._pieces.append(bytearray(b"\1") * missing)

    def work(self) -> float:
        """Nothing is due."""
        return math.inf

    def check(self) -> str | None:
        """The kernel's word."""
        seen = psutil.Process().memory_info().rss
        return None if seen >= self._wanted else f"expected {self._wanted} bytes taken; seen: {seen}"

    def end(self) -> None:
        """Give it back."""
        self._pieces.clear()

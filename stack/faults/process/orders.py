"""What parent and guardian say to each other."""

from typing import Literal

import msgspec

from driftdrill.stack.faults.process.faults import (
    CpuBurner,
    CpuLimit,
    CrashLoop,
    DescriptorLimit,
    Hang,
    IoBurner,
    MemoryBurner,
    MemoryLimit,
)
from driftdrill.stack.faults.process.hooks import Hook
from driftdrill.stack.faults.process.targets import AnyTarget

AnyFault = Hang | CpuLimit | MemoryLimit | DescriptorLimit | CrashLoop | CpuBurner | MemoryBurner | IoBurner | Hook


class GuardianSettings(msgspec.Struct, frozen=True):
    """What is held, and where; the answer is the place."""

    fault: AnyFault
    target: AnyTarget | None


class GuardianOrder(msgspec.Struct, frozen=True):
    """``set`` a strength, ``check``, or ``release``. The answer is a :class:`GuardianReport`."""

    do: Literal["set", "check", "release"]
    strength: float = 0.0


class GuardianReport(msgspec.Struct, frozen=True):
    """``wrong``: what was expected and what was seen, if the fault is not in force as set.

    ``pids`` are the processes that it acts on, the first that was named foremost.
    """

    wrong: str | None = None
    pids: list[int] = []

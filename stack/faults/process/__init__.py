"""Faults of processes, containers, this machine, and hooks of your own; each is held by a guardian that undoes it.

with hold(Hang(), LocalProcess(pid)) as held:
    held.set(1)
    assert held.verify() is None
"""

from driftdrill.stack.faults.process.faults import (
    PROCESS_FAULTS,
    CpuBurner,
    CpuLimit,
    CrashLoop,
    DescriptorLimit,
    Hang,
    IoBurner,
    MemoryBurner,
    MemoryLimit,
    ProcessFault,
)
from driftdrill.stack.faults.process.hold import Held, hold
from driftdrill.stack.faults.process.hooks import Hook, hook
from driftdrill.stack.faults.process.journal import Leftover, leftovers
from driftdrill.stack.faults.process.steps import Call, Command, Operate
from driftdrill.stack.faults.process.targets import Container, LocalProcess, listening

__all__ = [
    "PROCESS_FAULTS",
    "Call",
    "Command",
    "Container",
    "CpuBurner",
    "CpuLimit",
    "CrashLoop",
    "DescriptorLimit",
    "Hang",
    "Held",
    "Hook",
    "IoBurner",
    "Leftover",
    "LocalProcess",
    "MemoryBurner",
    "MemoryLimit",
    "Operate",
    "ProcessFault",
    "hold",
    "hook",
    "leftovers",
    "listening",
]

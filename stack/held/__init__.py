"""Faults of processes, containers and this machine, each held by a guardian that undoes it whatever ends the drill.

with Hang().hold(LocalProcess(pid)) as held:
    held.set(1)
    assert held.verify() is None
"""

from stack.held.faults import (
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
from stack.held.hold import Held
from stack.held.journal import Leftover, leftovers
from stack.held.targets import Container, LocalProcess, listening

__all__ = [
    "PROCESS_FAULTS",
    "Container",
    "CpuBurner",
    "CpuLimit",
    "CrashLoop",
    "DescriptorLimit",
    "Hang",
    "Held",
    "IoBurner",
    "Leftover",
    "LocalProcess",
    "MemoryBurner",
    "MemoryLimit",
    "ProcessFault",
    "leftovers",
    "listening",
]

"""Which effect carries out which fault where; what cannot be done is refused with the reason."""

from collections.abc import Callable
from typing import Any, Protocol

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process import burners, containers, local
from driftdrill.stack.faults.process.faults import (
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
from driftdrill.stack.faults.process.hooks import Applied, Hook
from driftdrill.stack.faults.process.targets import AnyTarget, Container, LocalProcess
from driftdrill.stack.faults.process.undo import AnyUndo


class Effect(Protocol):
    """One fault in one place, in the guardian. Every method may raise :class:`StackError`."""

    place: str
    """What no other fault may hold at the same time."""

    @property
    def undo(self) -> AnyUndo:
        """How it is undone, from before the first :meth:`set` on."""
        ...

    def set(self, strength: float) -> None:
        """Put it in force."""

    def work(self) -> float:
        """Do what is due; seconds until something is due again."""
        ...

    def check(self) -> str | None:
        """None if it is in force as set, else what was expected and what was seen."""

    def end(self) -> None:
        """Undo."""

    def pids(self) -> list[int]:
        """The processes that it acts on now; none where it acts on a container, or this machine."""
        ...


_ON_PROCESS: dict[type, Callable[[Any, LocalProcess], Effect]] = {
    Hang: local.Stopped,
    CpuLimit: local.Stopped,
    CrashLoop: local.CrashingProcess,
    MemoryLimit: local.Limited,
    DescriptorLimit: local.Limited,
}
_ON_CONTAINER: dict[type, Callable[[Any, Container], Effect]] = {
    Hang: containers.Paused,
    CrashLoop: containers.CrashingContainer,
    CpuLimit: containers.Updated,
    MemoryLimit: containers.Updated,
}
_ANYWHERE: dict[type, Callable[[Any], Effect]] = {
    CpuBurner: burners.Cpu,
    MemoryBurner: burners.Memory,
    IoBurner: burners.Io,
    Hook: Applied,
}


def effect(fault: ProcessFault, target: AnyTarget | None) -> Effect:
    """The effect of ``fault`` in ``target``. Raises :class:`StackError` where there is none."""
    kind = type(fault)
    if kind in _ANYWHERE:
        return _ANYWHERE[kind](fault)
    if isinstance(target, LocalProcess):
        return _ON_PROCESS[kind](fault, target)
    if isinstance(target, Container) and kind in _ON_CONTAINER:
        return _ON_CONTAINER[kind](fault, target)
    raise StackError(
        f"{fault!r} is not possible in {target}: the engine cannot change this limit of a running container",
        hint="start it with docker run --ulimit nofile=N, or name the process instead",
    )

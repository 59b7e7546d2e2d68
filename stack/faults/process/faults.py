"""Faults of processes and of this machine: frozen values; how strength scales each is in its docstring.

Each is held in a ``LocalProcess`` (with its descendants) or a ``Container``; a burner in this machine,
whatever the target. ``ttl`` is seconds
after which the fault is undone if nothing was heard of the drill.
"""

from typing import ClassVar

import msgspec

from driftdrill.stack.faults.kind import within

MIB = 1 << 20


class ProcessFault(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True, tag_field="type"):
    """What all faults of processes share."""

    id: ClassVar[str] = ""
    seam: ClassVar[str] = "process"
    visible_from: ClassVar[str] = "scrape"
    each: ClassVar[bool] = True
    """Whether it acts on a process of the target's; the others act wherever they are held."""
    real_time: ClassVar[bool] = True

    ttl: float = 3600.0

    def __post_init__(self) -> None:
        within(self, "ttl", 0.1, unit="seconds")

    @property
    def takes(self) -> float:
        """Seconds that putting it in force may take."""
        return 0.0

    @property
    def type(self) -> str:
        """The name of this type."""
        return str(self.__struct_config__.tag)


class Hang(ProcessFault, frozen=True, repr_omit_defaults=True, tag="hang"):
    """Stop the process (SIGSTOP; a container is paused): connections are accepted by the kernel, nothing answers.

    Strength s stops it for the share s of every ``period`` seconds; 1 stops it for good.
    """

    id: ClassVar[str] = "sys.hang"
    period: float = 1.0

    def __post_init__(self) -> None:
        ProcessFault.__post_init__(self)
        within(self, "period", 0.01, unit="seconds")


class CpuLimit(ProcessFault, frozen=True, repr_omit_defaults=True, tag="cpu_limit"):
    """Let the process run for ``share`` of the time only.

    A process is stopped and continued ten times a second; a container gets a CPU quota. Strength s lets it run for
    the share 1 - s (1 - share).
    """

    id: ClassVar[str] = "sys.cpu"
    visible_from: ClassVar[str] = "server"
    share: float

    def __post_init__(self) -> None:
        ProcessFault.__post_init__(self)
        within(self, "share", 0.01, 1)

    def running(self, strength: float) -> float:
        """The share of the time that it runs at ``strength``."""
        return 1 - strength * (1 - self.share)


class MemoryLimit(ProcessFault, frozen=True, repr_omit_defaults=True, tag="memory_limit"):
    """Limit memory to what is in use when the fault begins and ``headroom`` bytes more.

    For a process the limit is on its address space (RLIMIT_AS), so allocations fail; for a container on its memory,
    so the kernel kills in it. Strength s gives headroom / s.
    """

    id: ClassVar[str] = "sys.memory"
    visible_from: ClassVar[str] = "server"
    headroom: int = 32 * MIB

    def __post_init__(self) -> None:
        ProcessFault.__post_init__(self)
        within(self, "headroom", 0, unit="bytes")


class DescriptorLimit(ProcessFault, frozen=True, repr_omit_defaults=True, tag="descriptor_limit"):
    """Limit open files (RLIMIT_NOFILE) to those open when the fault begins and ``spare`` more.

    Then accept() and open() fail with EMFILE. Strength s gives spare / s. Not for containers: the engine cannot
    change this limit of a running one.
    """

    id: ClassVar[str] = "sys.descriptors"
    visible_from: ClassVar[str] = "client"
    spare: int = 0

    def __post_init__(self) -> None:
        ProcessFault.__post_init__(self)
        within(self, "spare", 0, unit="descriptors")


class CrashLoop(ProcessFault, frozen=True, repr_omit_defaults=True, tag="crash_loop"):
    """Kill the process (SIGKILL) and start it again ``down`` seconds later, every ``period`` seconds.

    Strength s makes the period period / s; the first kill comes at once.
    """

    id: ClassVar[str] = "sys.crash_loop"
    period: float = 30.0
    down: float = 1.0

    def __post_init__(self) -> None:
        ProcessFault.__post_init__(self)
        within(self, "down", 0, unit="seconds")
        within(self, "period", max(0.1, self.down), unit="seconds, and not below down")


class CpuBurner(ProcessFault, frozen=True, repr_omit_defaults=True, tag="cpu_burner"):
    """Burn this machine's CPU in ``workers`` processes (0: one a CPU), each for the share s of the time."""

    id: ClassVar[str] = "sys.cpu"
    visible_from: ClassVar[str] = "server"
    each: ClassVar[bool] = False
    workers: int = 0

    def __post_init__(self) -> None:
        ProcessFault.__post_init__(self)
        within(self, "workers", 0, 1024, unit="processes")


class MemoryBurner(ProcessFault, frozen=True, repr_omit_defaults=True, tag="memory_burner"):
    """Fill ``bytes`` of this machine's memory; strength s fills bytes times s. Refused where less than that is free."""

    id: ClassVar[str] = "sys.memory"
    visible_from: ClassVar[str] = "server"
    each: ClassVar[bool] = False
    bytes: int

    def __post_init__(self) -> None:
        ProcessFault.__post_init__(self)
        within(self, "bytes", 1, unit="bytes")


class IoBurner(ProcessFault, frozen=True, repr_omit_defaults=True, tag="io_burner"):
    """Write and sync a file of 64 MiB without a name in ``folder`` (the temporary one) for the share s of the time."""

    id: ClassVar[str] = "sys.io"
    visible_from: ClassVar[str] = "server"
    each: ClassVar[bool] = False
    folder: str = ""


PROCESS_FAULTS: tuple[type[ProcessFault], ...] = (
    Hang,
    CrashLoop,
    CpuLimit,
    MemoryLimit,
    DescriptorLimit,
    CpuBurner,
    MemoryBurner,
    IoBurner,
)

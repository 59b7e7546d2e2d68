"""Faults of containers: paused, crashing, with less CPU or memory."""

import math
import time
from typing import Any

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process import engine
from driftdrill.stack.faults.process.crashes import Crashes
from driftdrill.stack.faults.process.faults import CpuLimit, CrashLoop, Hang, MemoryLimit
from driftdrill.stack.faults.process.targets import Container
from driftdrill.stack.faults.process.undo import Start, Unpause, Update

PERIOD = 100_000
"""Microseconds of a CPU quota's period, the kernel's default."""


def _running(target: Container) -> Any:
    """The container, running. Raises :class:`StackError`."""
    with engine.engine_errors(f"docker ps: is the engine of {target} reachable?"):
        held = engine.container(target.name)
    if held is None:
        raise StackError(f"there is no {target}", hint="docker ps lists the names")
    if held.status != "running":
        raise StackError(f"{target} is {held.status}, not running", hint=f"docker start {target.name}")
    return held


class _InContainer:
    """What effects on a container share."""

    def __init__(self, target: Container, what: str) -> None:
        self._name = target.name
        held = _running(target)
        self._id = str(held.id)
        self.place = f"the {what} of container {self._id[:12]}"

    def pids(self) -> list[int]:
        """No process of ours."""
        return []

    def work(self) -> float:
        """Nothing is due."""
        return math.inf

    def _status(self) -> str:
        with engine.engine_errors(f"docker ps -a --filter id={self._id[:12]}"):
            held = engine.container(self._id)
        return "removed" if held is None else str(held.status)


class Paused(_InContainer):
    """Paused, for a share of each period."""

    def __init__(self, fault: Hang, target: Container) -> None:
        super().__init__(target, "state")
        self._fault, self._strength, self._paused, self._next = fault, 0.0, False, math.inf
        self.undo = Unpause(self._id)

    def set(self, strength: float) -> None:
        """Pause or unpause at once."""
        self._strength = strength
        self._pause(strength > 0)
        self._next = time.monotonic() + self._turn()

    def _turn(self) -> float:
        if self._strength in (0, 1):
            return math.inf
        return self._fault.period * (self._strength if self._paused else 1 - self._strength)

    def work(self) -> float:
        """Alternate."""
        if time.monotonic() >= self._next:
            self._pause(not self._paused)
            self._next = time.monotonic() + self._turn()
        return max(0.0, self._next - time.monotonic())

    def _pause(self, paused: bool) -> None:
        if paused != self._paused:
            with engine.engine_errors(f"docker {'pause' if paused else 'unpause'} {self._name}"):
                held = engine.container(self._id)
                if held is None:
                    raise StackError(f"container {self._name} was removed")
                (held.pause if paused else held.unpause)()
            self._paused = paused

    def check(self) -> str | None:
        """The engine's word."""
        expected, seen = "paused" if self._paused else "running", self._status()
        return None if seen == expected else f"expected container {self._name} {expected}; seen: {seen}"

    def end(self) -> None:
        """Unpause."""
        self.undo.undo()


class CrashingContainer(_InContainer):
    """Killed and started again and again; a restart policy that is faster is welcome."""

    def __init__(self, fault: CrashLoop, target: Container) -> None:
        super().__init__(target, "state")
        self.undo = Start(self._id)
        self._crashes = Crashes(fault, self._kill, self.undo.undo)

    def set(self, strength: float) -> None:
        """The first crash comes at once."""
        self._crashes.set(strength)

    def work(self) -> float:
        """Kill or start when it is time."""
        return self._crashes.work()

    def _kill(self) -> None:
        with engine.engine_errors(f"docker kill {self._name}"):
            held = engine.container(self._id)
            if held is None:
                raise StackError(f"container {self._name} was removed")
            held.kill()
        self._crashes.count += 1

    def check(self) -> str | None:
        """It crashed, and runs unless it is down just now."""
        if self._crashes.strength and not self._crashes.count:
            return "expected a crash; seen: none"
        status = self._status()
        if not self._crashes.down and status not in ("running", "restarting"):
            return f"expected container {self._name} started again; seen: {status}"
        return None

    def end(self) -> None:
        """Start it."""
        self._crashes.stop()
        if self._crashes.count:
            self.undo.undo()


class Updated(_InContainer):
    """With less CPU or memory than it had."""

    def __init__(self, fault: CpuLimit | MemoryLimit, target: Container) -> None:
        super().__init__(target, "cpu" if isinstance(fault, CpuLimit) else "memory")
        self._fault = fault
        with engine.engine_errors(f"docker inspect {self._name}"):
            held = engine.container(self._id)
            config = held.attrs["HostConfig"]
            (self._cpus, memory), self._used = engine.machine(), engine.memory_used(held)
        # The engine takes 0 for "leave it" and -1 for no limit, but cannot take a limit of memory away again: all of
        # the machine's memory stands for none.
        if isinstance(fault, MemoryLimit):
            swap = config["MemorySwap"]
            before = {"Memory": config["Memory"] or memory, "MemorySwap": swap if swap > 0 else memory}
        elif config.get("NanoCpus"):  # --cpus: the engine refuses a quota beside it
            before = {"NanoCpus": config["NanoCpus"]}
        else:
            before = {"CpuPeriod": config["CpuPeriod"] or PERIOD, "CpuQuota": config["CpuQuota"] or -1}
        self._before: dict[str, int] = before
        self.undo = Update(self._id, before)
        self._set_to = before

    def set(self, strength: float) -> None:
        """Update."""
        self._set_to = self._resources(strength) if strength else self._before
        with engine.engine_errors(f"docker update {self._name}"):
            engine.update(self._id, self._set_to)

    def _resources(self, strength: float) -> dict[str, int]:
        before = self._before
        if isinstance(self._fault, MemoryLimit):
            limit = self._used + round(self._fault.headroom / strength)
            limit = min(limit, before["Memory"])
            return {"Memory": limit, "MemorySwap": limit}
        share = self._fault.running(strength)
        if "NanoCpus" in before:
            return {"NanoCpus": max(10_000_000, round(before["NanoCpus"] * share))}
        whole = before["CpuQuota"] if before["CpuQuota"] > 0 else before["CpuPeriod"] * self._cpus
        return {"CpuPeriod": before["CpuPeriod"], "CpuQuota": max(1000, round(whole * share))}

    def check(self) -> str | None:
        """The engine's word."""
        with engine.engine_errors(f"docker inspect {self._name}"):
            held = engine.container(self._id)
            seen = {} if held is None else {k: held.attrs["HostConfig"][k] for k in self._set_to}
        return None if seen == self._set_to else f"expected {self._set_to} of {self._name}; seen: {seen}"

    def end(self) -> None:
        """As it was."""
        self.undo.undo()

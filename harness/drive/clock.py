"""Scenario time: the wall clock sleeps, the virtual clock is a gate that drive opens from event to event."""

import time

import gevent
from gevent.event import Event


class WallClock:
    """Scenario second 0 is the moment of :meth:`start`; ``started_at`` is its Unix time."""

    name = "wall"

    def __init__(self) -> None:
        self.started_at = 0.0
        self._zero = 0.0

    def start(self, at: float | None = None) -> None:
        """Scenario time begins now, or began at Unix time ``at``."""
        now = time.time()
        self.started_at = now if at is None else at
        self._zero = time.monotonic() - (now - self.started_at)

    def now(self) -> float:
        """Scenario seconds."""
        return time.monotonic() - self._zero

    def wait_until(self, at: float) -> None:
        """Sleep until scenario second ``at``; other greenlets run meanwhile."""
        while (left := at + self._zero - time.monotonic()) > 0:
            gevent.sleep(left)

    def late(self, at: float) -> float:
        """Seconds since scenario second ``at``; 0 before it."""
        late = time.monotonic() - self._zero - at
        return late if late > 0 else 0.0


class VirtualClock:
    """Time moves only when drive opens the gate. What waits for a time before the gate runs at once."""

    name = "virtual"

    def __init__(self) -> None:
        self.started_at = time.time()
        self.gate = 0.0
        self._opened = Event()

    def start(self) -> None:
        """Virtual time already stands at 0."""
        self.started_at = time.time()

    def now(self) -> float:
        """The gate, scenario seconds."""
        return self.gate

    def wait_until(self, at: float) -> None:
        """Wait until the gate has passed ``at``."""
        while at >= self.gate:
            self._opened.wait()

    def late(self, at: float) -> float:
        """Nothing is late in virtual time: it waits for what was asked."""
        return 0.0

    def open(self, until: float) -> None:
        """Let everything before ``until`` happen; the gate never moves back."""
        self.gate = max(self.gate, until)
        self._opened.set()
        self._opened.clear()

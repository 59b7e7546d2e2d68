"""The player: requests of a schedule, sent open-loop when the clock says so, each recorded.

It runs on gevent greenlets inside Locust. ``connections`` bounds what is outstanding; a slot whose time has
come while all are busy waits: the target held it back, and that is recorded as lateness.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import gevent
import numpy as np
import numpy.typing as npt
from gevent.event import Event

from harness.traffic.client import Client, Reply
from harness.traffic.payload import BLOCK_ROWS, Payload
from harness.traffic.protocols import Predictions, Undecodable
from harness.traffic.wire import RequestFailed

LATE = 1.0
"""Seconds after which a send that the generator itself began too late counts as missed."""
BUSY = 0.9
"""Share of one processor above which lateness is put down to the generator, not the target."""


class Clock(Protocol):
    """Scenario time, real or not."""

    def wait_until(self, at: float) -> None:
        """Return once scenario time has reached ``at`` seconds."""

    def now(self) -> float:
        """Scenario seconds."""

    def late(self, at: float) -> float:
        """Real seconds by which ``at`` has passed; 0 on a virtual clock."""


Reported = Callable[[str, float, int, Exception | None], None]
"""(name, seconds, bytes, failure): how one request is told to Locust's statistics."""


@dataclass
class Records:
    """Requests that ended, in columns of equal length, in order of their end."""

    slot: list[int] = field(default_factory=list)
    intended: list[float] = field(default_factory=list)
    """Scenario seconds at which it should have been sent."""
    late: list[float] = field(default_factory=list)
    """Seconds after ``intended`` at which it was sent."""
    took: list[float] = field(default_factory=list)
    """Seconds from sending to the whole response."""
    status: list[int] = field(default_factory=list)
    """HTTP status; 0 without a response."""
    size: list[int] = field(default_factory=list)
    """Bytes of the response's body."""
    failure: list[str] = field(default_factory=list)
    """Empty, or the kind of failure: status, undecodable, timeout, refused, reset ..."""
    prediction: list[float] = field(default_factory=list)
    """One a row; NaN where there is none."""
    truth: list[float] = field(default_factory=list)
    """One a row; empty where the scenario has none."""
    strength: dict[str, list[float]] = field(default_factory=dict)
    changed: dict[str, list[bool]] = field(default_factory=dict)
    missed: int = 0
    """Slots that the generator began more than ``LATE`` seconds too late."""

    def __len__(self) -> int:
        return len(self.slot)


class Player:
    """Plays ``slots`` (indices into the payload's schedule, ascending) against the clients in turn."""

    def __init__(
        self,
        payload: Payload,
        clients: Sequence[Client],
        clock: Clock,
        *,
        slots: npt.NDArray[np.int64],
        report: Reported,
        connections: int = 64,
    ) -> None:
        self.payload, self.clients, self.clock, self.report = payload, list(clients), clock, report
        self.slots, self.connections = slots, connections
        self.times = payload.times[slots]
        self.records = Records()
        self.sent = self.ended = 0
        self._next = 0
        self._changed = Event()
        self._greenlets: list[gevent.Greenlet] = []
        self._busy = _Busy()
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin to play; returns at once."""
        workers = min(self.connections, len(self.slots))
        self._greenlets = [gevent.spawn(self._work) for _ in range(workers)]

    def stop(self) -> None:
        """End at once; what is in flight is dropped. Idempotent."""
        gevent.killall(self._greenlets, block=True, timeout=5)
        for client in self.clients:
            client.close()

    def wait_ended(self, upto: float, timeout: float) -> bool:
        """Wait until every slot before scenario time ``upto`` has ended; False after ``timeout`` real seconds.

        Raises what made a worker fail, if one did.
        """
        due = int(np.searchsorted(self.times, upto, side="left"))
        deadline = time.monotonic() + timeout
        while self.ended < due and self.failure is None:
            self._changed.clear()
            if not self._changed.wait(max(0.0, deadline - time.monotonic())):
                break
        if self.failure is not None:
            raise self.failure
        return self.ended >= due

    def take(self) -> Records:
        """The requests that ended since the last call."""
        taken, self.records = self.records, Records()
        return taken

    def _work(self) -> None:
        try:
            while self._next < len(self.slots):
                position = self._next
                self._next += 1
                claimed = self.clock.now()
                self.clock.wait_until(float(self.times[position]))
                self._play(position, claimed)
        except gevent.GreenletExit:
            raise
        except BaseException as e:
            self.failure = e
            self._changed.set()

    def _play(self, position: int, claimed: float) -> None:
        slot, intended = int(self.slots[position]), float(self.times[position])
        block = self.payload.block(slot // BLOCK_ROWS)
        at = slot - block.first
        late = self.clock.late(intended)
        if late > LATE and (claimed <= intended or self._busy()):
            self.records.missed += 1
        client = self.clients[slot % len(self.clients)]
        begun = time.perf_counter()
        self.sent += 1
        reply, predictions, failure = self._ask(client, block.bodies[at])
        took = time.perf_counter() - begun
        size = len(reply.body) if reply is not None else 0
        self.report("predict", took, size, failure)
        out, rows = self.records, self.payload.rows_per_request
        out.slot.append(slot)
        out.intended.append(intended)
        out.late.append(late)
        out.took.append(took)
        out.status.append(reply.status if reply is not None else 0)
        out.size.append(size)
        out.failure.append(kind_of(failure))
        out.prediction.extend([float("nan")] * rows if predictions is None else predictions.tolist())
        if block.truth is not None:
            out.truth.extend(block.truth[at * rows : (at + 1) * rows].tolist())
        for name, strength in block.strength.items():
            out.strength.setdefault(name, []).append(float(strength[at]))
            out.changed.setdefault(name, []).append(bool(block.changed[name][at]))
        self.ended += 1
        self._changed.set()

    def _ask(self, client: Client, body: bytes) -> tuple[Reply | None, Predictions | None, Exception | None]:
        try:
            reply = client.post(body)
        except RequestFailed as e:
            return None, None, e
        if not 200 <= reply.status < 300:
            return reply, None, StatusFailed(reply)
        try:
            return reply, self.payload.protocol.decode(reply.body, self.payload.rows_per_request), None
        except Undecodable as e:
            return reply, None, e


class StatusFailed(Exception):
    """A response outside 2xx."""

    def __init__(self, reply: Reply) -> None:
        to = f" to {reply.location[:80]} (redirects are not followed)" if reply.location else ""
        super().__init__(f"HTTP {reply.status}{to}")


def kind_of(failure: Exception | None) -> str:
    """One word for a failure; empty for none."""
    if failure is None:
        return ""
    if isinstance(failure, RequestFailed):
        return failure.kind
    return "status" if isinstance(failure, StatusFailed) else "undecodable"


class _Busy:
    """Whether this process used nearly a whole processor lately; looked at about once a second."""

    def __init__(self) -> None:
        self.wall, self.cpu, self.value = time.monotonic(), time.process_time(), False

    def __call__(self) -> bool:
        wall, cpu = time.monotonic(), time.process_time()
        if wall - self.wall >= LATE:
            self.value = (cpu - self.cpu) / (wall - self.wall) > BUSY
            self.wall, self.cpu = wall, cpu
        return self.value

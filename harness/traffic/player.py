"""The player: requests of a schedule, sent open-loop when the clock says so, each recorded.

It runs on gevent greenlets inside Locust. A slot whose time has come while all connections are busy waits: the
target held it back, and that is recorded as lateness, so that latency counts from the intended start.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import gevent
import numpy as np
import numpy.typing as npt
from gevent.event import Event

from harness.traffic.blocks import BLOCK_ROWS, Block, Blocks
from harness.traffic.client import Client, Reply
from harness.traffic.protocols import Predictions, Request, Undecodable
from harness.traffic.wire import RequestFailed

LATE = 1.0
"""Seconds after which a send that the generator itself began too late counts as missed."""
BUSY = 0.9
"""Share of the time above which a generator that is not idle is itself why it is late, not the target."""
UNSENT = ("dropped", "unfinished")
"""Failures that are no answer: never sent because the target held it back for too long; cut off by the drill's end."""


class Clock(Protocol):
    """Scenario time, real or not."""

    def wait_until(self, at: float) -> None:
        """Return once scenario time has reached ``at`` seconds."""

    def now(self) -> float:
        """Scenario seconds."""
        ...

    def late(self, at: float) -> float:
        """Real seconds by which ``at`` has passed; 0 on a virtual clock."""
        ...


Reported = Callable[[str, float, int, Exception | None], None]
"""(name, seconds, bytes, failure): how one request is told to Locust's statistics; seconds from the intended start."""


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
    measured: dict[str, list[float]] = field(default_factory=dict)
    """What the protocol reads from responses besides predictions (tokens, seconds to the first); NaN where nothing."""
    missed: int = 0
    """Slots that the generator began more than ``LATE`` seconds too late."""

    def __len__(self) -> int:
        return len(self.slot)

    def extend(self, more: Mapping[str, Any]) -> None:
        """Add the records of another process, field by field; columns that only one of them has are padded."""
        before, added = len(self.slot), len(more["slot"])
        for name in ("slot", "intended", "late", "took", "status", "size", "failure", "prediction", "truth"):
            getattr(self, name).extend(more[name])
        for kind, empty in (("strength", 0.0), ("changed", False), ("measured", float("nan"))):
            columns = getattr(self, kind)
            for name in {**columns, **more[kind]}:
                column = columns.setdefault(name, [])
                column += [empty] * (before - len(column))
                found = more[kind].get(name, [])
                column += [*found, *[empty] * (added - len(found))]
        self.missed += more["missed"]

    def measure(self, found: Mapping[str, float]) -> None:
        """Add what was measured of the last request."""
        for name in {**self.measured, **found}:
            column = self.measured.setdefault(name, [])
            column += [float("nan")] * (len(self.slot) - 1 - len(column))
            column.append(found.get(name, float("nan")))


class Player:
    """Plays ``slots`` (indices into the payload's schedule, ascending) against the clients in turn.

    At most ``connections`` requests are in flight. One that has waited longer than ``patience`` seconds for its turn
    is dropped, as its caller would have given up: so what is outstanding is bounded by connections + rate x patience.
    """

    def __init__(
        self,
        blocks: Blocks,
        clients: Sequence[Client],
        clock: Clock,
        *,
        slots: npt.NDArray[np.int64],
        report: Reported,
        connections: int = 64,
        patience: float = 30.0,
    ) -> None:
        self.blocks, self.clients, self.clock, self.report = blocks, list(clients), clock, report
        self.slots, self.connections, self.patience = slots, connections, patience
        self.times = blocks.times[slots]
        self.records = Records()
        self.sent = self.ended = 0
        self._next = self._due = 0
        self._changed = Event()
        self._greenlets: list[gevent.Greenlet] = []
        self._busy = _Busy()
        self.failure: BaseException | None = None

    def start(self) -> None:
        """Begin to play; returns at once."""
        workers = min(self.connections, len(self.slots))
        self._greenlets = [gevent.spawn(self._work) for _ in range(workers)]

    def stop(self) -> None:
        """End at once. What is in flight is recorded as unfinished, what was due and waited as dropped. Idempotent."""
        greenlets, self._greenlets = self._greenlets, []
        gevent.killall(greenlets, block=True, timeout=5)
        if greenlets and self.failure is None:
            due = int(np.searchsorted(self.times, self.clock.now(), side="left"))
            busy = self._busy()
            for position in range(self._next, due):
                if (late := self.clock.late(float(self.times[position]))) > 0:
                    self.records.missed += busy
                    self._drop(position, self._block(position), late)
            self._next = max(self._next, due)
        for client in self.clients:
            client.close()

    def wait_ended(self, upto: float, timeout: float) -> bool:
        """Wait until every slot before scenario time ``upto`` has ended; False after ``timeout`` real seconds.

        Raises what made a worker fail, if one did.
        """
        due = self._due = int(np.searchsorted(self.times, upto, side="left"))
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

    def lost(self) -> list[str]:
        """Nothing: this process plays by itself."""
        return []

    def _block(self, position: int) -> Block:
        return self.blocks.block(int(self.slots[position]) // BLOCK_ROWS)

    def _work(self) -> None:
        try:
            while self._next < len(self.slots):
                position = self._next
                self._next += 1
                # Bodies are made while waiting, so that making them delays as few sends as can be.
                block = self._block(position)
                claimed = self.clock.now()
                self.clock.wait_until(float(self.times[position]))
                self._play(position, block, claimed)
        except gevent.GreenletExit:
            raise
        except BaseException as e:
            self.failure = e
            self._changed.set()

    def _play(self, position: int, block: Block, claimed: float) -> None:
        intended = float(self.times[position])
        late = self.clock.late(intended)
        if late > LATE and (claimed <= intended or self._busy()):
            self.records.missed += 1
        if late > self.patience:
            self._drop(position, block, late)
            return
        slot = int(self.slots[position])
        client = self.clients[slot % len(self.clients)]
        begun = time.perf_counter()
        self.sent += 1
        try:
            reply, took, predictions, failure = self._ask(client, block.bodies[slot - block.first])
        except gevent.GreenletExit:
            self._record(position, block, late, time.perf_counter() - begun, None, None, "unfinished")
            raise
        self.report("predict", late + took, len(reply.body) if reply is not None else 0, failure)
        self._record(position, block, late, took, reply, predictions, kind_of(failure))
        self._measure(reply if failure is None else None)

    def _measure(self, reply: Reply | None) -> None:
        if self.blocks.protocol.measure is None:
            return
        found = {} if reply is None else self.blocks.protocol.measure(reply.body, reply.pieces)
        self.records.measure(found)
        for name, value in found.items():
            if "time" in name:
                self.report(name.replace("_", " "), value, 0, None)

    def _drop(self, position: int, block: Block, late: float) -> None:
        self.report("dropped", late, 0, Dropped(late))
        self._record(position, block, late, 0.0, None, None, "dropped")

    def _record(
        self,
        position: int,
        block: Block,
        late: float,
        took: float,
        reply: Reply | None,
        predictions: Predictions | None,
        failure: str,
    ) -> None:
        slot, out, rows = int(self.slots[position]), self.records, self.blocks.rows_per_request
        at = slot - block.first
        out.slot.append(slot)
        out.intended.append(float(self.times[position]))
        out.late.append(late)
        out.took.append(took)
        out.status.append(reply.status if reply is not None else 0)
        out.size.append(len(reply.body) if reply is not None else 0)
        out.failure.append(failure)
        out.prediction.extend([float("nan")] * rows if predictions is None else predictions.tolist())
        if block.truth is not None:
            out.truth.extend(block.truth[at * rows : (at + 1) * rows].tolist())
        for name, strength in block.strength.items():
            out.strength.setdefault(name, []).append(float(strength[at]))
            out.changed.setdefault(name, []).append(bool(block.changed[name][at]))
        self.ended += 1
        if self.ended >= self._due:
            self._changed.set()

    def _ask(
        self, client: Client, body: bytes | Request
    ) -> tuple[Reply | None, float, Predictions | None, Exception | None]:
        """The response, the seconds until it was whole, its predictions, and what was wrong."""
        begun = time.perf_counter()
        try:
            reply = client.post(body)
        except RequestFailed as e:
            return None, time.perf_counter() - begun, None, e
        took = time.perf_counter() - begun
        if not 200 <= reply.status < 300:
            return reply, took, None, StatusFailed(reply)
        try:
            return reply, took, self.blocks.protocol.decode(reply.body, self.blocks.rows_per_request), None
        except Undecodable as e:
            return reply, took, None, e


class Dropped(Exception):
    """A request that was never sent: its caller would have given up before a connection came free."""

    def __init__(self, late: float) -> None:
        super().__init__(f"no connection came free in {late:.0f} s")


class StatusFailed(Exception):
    """A response outside 2xx."""

    def __init__(self, reply: Reply) -> None:
        to = f" to {reply.location[:80]}" if reply.location else ""
        super().__init__(f"HTTP {reply.status}{to}")


def kind_of(failure: Exception | None) -> str:
    """One word for a failure; empty for none."""
    if failure is None:
        return ""
    if isinstance(failure, RequestFailed):
        return failure.kind
    return "status" if isinstance(failure, StatusFailed) else "undecodable"


class _Busy:
    """Whether this process was never idle lately; looked at about once a second."""

    def __init__(self) -> None:
        self.wall, self.used, self.value = time.monotonic(), _used(), False

    def __call__(self) -> bool:
        wall, used = time.monotonic(), _used()
        if wall - self.wall >= LATE:
            self.value = (used - self.used) / (wall - self.wall) > BUSY
            self.wall, self.used = wall, used
        return self.value


def _used() -> float:
    """Seconds that this thread ran, or waited for a processor that others had (Linux; elsewhere those are unknown)."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as f:
            ran, waited, _ = f.read().split()
    except (OSError, ValueError):
        return time.process_time()
    return (int(ran) + int(waited)) / 1e9

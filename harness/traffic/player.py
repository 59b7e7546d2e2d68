"""The player: requests of a schedule, sent open-loop when the clock says so, each recorded.

It runs on gevent greenlets inside Locust. A slot whose time has come while all connections are busy waits: the
target held it back, and that is recorded as lateness, so that latency counts from the intended start.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import monotonic, process_time
from typing import Protocol

import gevent
import numpy as np
import numpy.typing as npt
from gevent.event import Event

from driftdrill.durations import rounded_duration
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Block, Blocks
from driftdrill.harness.traffic.http.client import INLINE, After, Client
from driftdrill.harness.traffic.http.response import Reply, RequestFailed
from driftdrill.harness.traffic.protocols import Predictions, Undecodable
from driftdrill.harness.traffic.records import Records

BUSY, LOOK = 0.9, 1.0
"""Share of the time above which a generator that is not idle is itself why it is late, not the target; and the seconds
of real time over which that is looked at."""
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
"""(name, seconds, bytes, failure): what Locust's statistics take of one request; seconds from the intended start."""


class Player:
    """Plays ``slots`` (indices into the payload's schedule, ascending) against the clients in turn.

    At most ``connections`` requests are in flight. One that has waited longer than ``patience`` seconds for its turn
    is dropped, as its caller would have given up: so what is outstanding is bounded by connections + rate x patience.
    One that the generator itself began more than ``late_after`` seconds late counts as missed.
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
        late_after: float = 1.0,
    ) -> None:
        self.blocks, self.clients, self.clock, self.report = blocks, list(clients), clock, report
        self.slots, self.connections, self.patience, self.late_after = slots, connections, patience, late_after
        self.times = blocks.times[slots]
        self.records = Records()
        self.sent = self.ended = 0
        self._next = self._due = 0
        self._changed = Event()
        self._greenlets: list[gevent.Greenlet] = []
        self._busy = _Busy()
        self.failure: BaseException | None = None
        self._decode: Callable[[bytes, int], Predictions] = blocks.protocol.decode
        if blocks.labels:
            self._decode = lambda body, rows: blocks.protocol.decode(body, rows, True)
        self._reads = blocks.protocol.measure

    def start(self) -> None:
        """Begin to play; returns at once."""
        self._slot, self._time = self.slots.item, self.times.item
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
                turn = _Turn()
                turn.slot, turn.intended = self._slot(position), self._time(position)
                turn.late = self.clock.late(turn.intended)
                if turn.late > 0:
                    self.records.missed += busy
                    turn.block = self.blocks.block(turn.slot // BLOCK_ROWS)
                    self._drop(turn)
            self._next = max(self._next, due)
        for client in self.clients:
            client.close()

    def wait_ended(self, upto: float, timeout: float) -> bool:
        """Wait until every slot before scenario time ``upto`` has ended; False after ``timeout`` real seconds.

        Raises what made a worker fail, if one did.
        """
        due = self._due = int(np.searchsorted(self.times, upto, side="left"))
        deadline = monotonic() + timeout
        while self.ended < due and self.failure is None:
            self._changed.clear()
            if not self._changed.wait(max(0.0, deadline - monotonic())):
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

    @property
    def resent(self) -> int:
        """Requests that went out a second time; see :attr:`Client.may_resend`."""
        return sum(client.resent for client in self.clients)

    def resend_while(self, allowed: Callable[[], bool]) -> None:
        """Let requests go out a second time while ``allowed()``."""
        for client in self.clients:
            client.may_resend = allowed

    def _work(self) -> None:
        turn = _Turn()
        after = partial(self._go_on, turn)
        try:
            while self._next < len(self.slots):
                position = self._next
                self._next += 1
                turn.slot, turn.intended = self._slot(position), self._time(position)
                # Bodies are made while waiting, so that making them delays as few sends as can be.
                turn.block = self.blocks.block(turn.slot // BLOCK_ROWS)
                claimed = self.clock.now()
                self.clock.wait_until(turn.intended)
                self._play(turn, claimed, after)
        except gevent.GreenletExit:
            raise
        except BaseException as e:
            self.failure = e
            self._changed.set()

    def _play(self, turn: "_Turn", claimed: float, after: After) -> None:
        late = turn.late = self.clock.late(turn.intended)
        if late > self.late_after and (claimed <= turn.intended or self._busy()):
            self.records.missed += 1
        if late > self.patience:
            self._drop(turn)
            return
        turn.client = self.clients[turn.slot % len(self.clients)]
        self.sent += 1
        turn.begun = monotonic()
        try:
            reply = turn.client.post(turn.block.bodies[turn.slot - turn.block.first], after)
        except RequestFailed as e:
            took = monotonic() - turn.begun
            self.report("predict", turn.late + took, 0, e)
            self._unanswered(turn, took, e.kind)
        except gevent.GreenletExit:
            self._unanswered(turn, monotonic() - turn.begun, "unfinished")
            raise
        else:
            self._answered(turn, reply, monotonic() - turn.begun)

    def _go_on(self, turn: "_Turn", reply: Reply) -> bytes | None:
        """In the hub: record the reply and answer the next body, if one is due already and nothing has to wait."""
        position = self._next
        if position >= len(self.slots):
            return None
        slot, intended = self._slot(position), self._time(position)
        late = self.clock.late(intended)
        block = self.blocks.ready(slot // BLOCK_ROWS)
        if not 0 < late <= self.patience or block is None or self.clients[slot % len(self.clients)] is not turn.client:
            return None
        body = block.bodies[slot - block.first]
        if not isinstance(body, bytes) or len(body) > INLINE:
            return None
        now = monotonic()
        try:
            self._answered(turn, reply, now - turn.begun)
        except Exception:  # a defect, which the greenlet comes upon again
            return None
        self._next += 1
        if late > self.late_after and self._busy():
            self.records.missed += 1
        self.sent += 1
        turn.slot, turn.intended, turn.block, turn.late, turn.begun = slot, intended, block, late, now
        return body

    def _answered(self, turn: "_Turn", reply: Reply, took: float) -> None:
        status, body, block = reply.status, reply.body, turn.block
        predictions: Predictions | None = None
        failure: Exception | None = None
        kind = ""
        if 200 <= status < 300:
            try:
                predictions = self._decode(body, block.rows)
            except Undecodable as e:
                failure, kind = e, "undecodable"
        else:
            failure, kind = StatusFailed(reply), "status"
        self.report("predict", turn.late + took, len(body), failure)
        self.records.add(block, turn.slot, turn.intended, turn.late, took, status, len(body), kind, predictions)
        if self._reads is not None:
            self._measured({} if failure is not None else self._reads(body, reply.pieces))
        self._ended()

    def _unanswered(self, turn: "_Turn", took: float, kind: str) -> None:
        self.records.add(turn.block, turn.slot, turn.intended, turn.late, took, 0, 0, kind, None)
        if self._reads is not None:
            self._measured({})
        self._ended()

    def _measured(self, found: Mapping[str, float]) -> None:
        self.records.measure(found)
        for name, value in found.items():
            if "time" in name:
                self.report(name.replace("_", " "), value, 0, None)

    def _ended(self) -> None:
        self.ended += 1
        if self.ended >= self._due:
            self._changed.set()

    def _drop(self, turn: "_Turn") -> None:
        self.report("dropped", turn.late, 0, Dropped(turn.late))
        self._unanswered(turn, 0.0, "dropped")


class _Turn:
    """One place in flight, and the request that has it."""

    __slots__ = ("begun", "block", "client", "intended", "late", "slot")

    slot: int
    intended: float
    late: float
    begun: float
    block: Block
    client: Client


class Dropped(Exception):
    """A request that was never sent: its caller would have given up before a connection came free."""

    def __init__(self, late: float) -> None:
        super().__init__(f"no connection came free in {rounded_duration(late)}")


class StatusFailed(Exception):
    """A response outside 2xx."""

    def __init__(self, reply: Reply) -> None:
        to = f" to {reply.location[:80]}" if reply.location else ""
        super().__init__(f"HTTP {reply.status}{to}")


class _Busy:
    """Whether this process was never idle lately; looked at about once a second."""

    def __init__(self) -> None:
        self.wall, self.used, self.value = monotonic(), _used(), False

    def __call__(self) -> bool:
        wall = monotonic()
        if wall - self.wall >= LOOK:
            used = _used()
            self.value = (used - self.used) / (wall - self.wall) > BUSY
            self.wall, self.used = wall, used
        return self.value


def _used() -> float:
    """Seconds that this thread ran, or waited for a processor that others had (Linux; elsewhere those are unknown)."""
    try:
        with open("/proc/thread-self/schedstat", encoding="ascii") as f:
            ran, waited, _ = f.read().split()
    except (OSError, ValueError):
        return process_time()
    return (int(ran) + int(waited)) / 1e9

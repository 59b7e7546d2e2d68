"""One direction of one proxied connection: what is pushed in comes out at the other end, through the toxics.

Without a toxic on it a stream writes at once. With one, a task takes the queue from the front and asks the toxics
anew whenever it wakes, so that a change or a removal acts on what is already on its way.
"""

import asyncio
import random
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Protocol, TypeVar

from driftdrill.stack.faults.network.ledger import Count, draw
from driftdrill.stack.faults.network.toxics import (
    Bandwidth,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    TcpToxic,
    Timeout,
)

HIGH = 1 << 20
"""Bytes in a queue above which its source is not read."""

K = TypeVar("K")

Toxics = Mapping[str, tuple[TcpToxic, Count]]
"""What is in force: name -> toxic and its count."""


class ProxiedConnection(Protocol):
    """What a stream asks of the connection that it is one direction of."""

    number: int

    def close(self) -> None:
        """Close both ends after what is written has gone out."""

    def reset(self) -> None:
        """Reset both ends."""


class Sink(Protocol):
    """Where a stream ends."""

    def write(self, data: bytes) -> None:
        """Send ``data``."""

    def finish(self) -> None:
        """Nothing follows."""


@dataclass(slots=True)
class Item:
    """Bytes, or the end of the stream (None), or a pause of so many seconds before what follows (no bytes)."""

    data: bytes | None
    arrival: float
    pause: float = 0.0
    jitter: float = 0.0


@dataclass(slots=True)
class Hit:
    """A toxic that acts on this stream."""

    toxic: TcpToxic
    count: Count
    sent: int = 0
    touched: bool = False

    def touch(self) -> None:
        """Count this connection, once."""
        if not self.touched:
            self.touched, self.count.touched = True, self.count.touched + 1


class Stream:
    """See the module; ``throttle(True)`` is called where the source must not be read for now."""

    def __init__(
        self, connection: ProxiedConnection, direction: str, sink: Sink, throttle: Callable[[bool], None], seed: int
    ) -> None:
        self._connection, self._direction, self._sink, self._throttle = connection, direction, sink, throttle
        self._loop, self._seed = asyncio.get_running_loop(), seed
        self._random = random.Random(f"{seed}/{connection.number}/{direction}")
        self._hits: dict[str, Hit] = {}
        self._queue: deque[Item] = deque()
        self._size, self.bytes = 0, 0
        self._free_at = 0.0  # when the bandwidth has sent what it was given
        self._pump: asyncio.Task[None] | None = None
        self._waiter: asyncio.Future[None] | None = None
        self._timers: list[asyncio.TimerHandle] = []
        self._ready = self._blocked = self._throttled = self._dead = False

    def ready(self) -> None:
        """The sink can be written to from now on."""
        self._ready = True
        self._start()

    def block(self, blocked: bool) -> None:
        """The sink's buffer is full, or is not any longer."""
        self._blocked = blocked
        self._balance()

    def push(self, data: bytes) -> None:
        """Pass ``data`` on."""
        if self._dead:
            return
        if not self._hits and not self._queue and self._ready:
            self._write(data)
        elif not self._swallowed():
            self._add(Item(data, self._loop.time(), jitter=self._random.uniform(-1, 1)))

    def pause(self, seconds: float) -> None:
        """Hold back what is pushed after this."""
        self._add(Item(b"", self._loop.time(), pause=seconds))

    def end(self) -> None:
        """Nothing follows."""
        if not self._dead:
            self._add(Item(None, self._loop.time()))

    def kill(self) -> None:
        """Drop everything: the connection is over."""
        self._dead = True
        self._queue.clear()
        for timer in self._timers:
            timer.cancel()
        if self._pump is not None:
            self._pump.cancel()

    def refresh(self, toxics: Toxics) -> None:
        """Take these toxics in place of those before; the draw for a name stays the same while it changes."""
        before, self._hits = self._hits, {}
        for key, (toxic, count) in toxics.items():
            if toxic.stream != self._direction or draw(self._seed, key, self._connection.number) >= toxic.toxicity:
                continue
            hit = before.pop(key, None) or Hit(toxic, count)
            if isinstance(toxic, Timeout) and hit.toxic is toxic:
                self._arm(hit, toxic)
            hit.toxic = toxic
            self._hits[key] = hit
        if any(
            isinstance(gone.toxic, Timeout) or (isinstance(gone.toxic, ResetPeer) and gone.touched)
            for gone in before.values()
        ):
            self._connection.close()  # data was dropped: what follows on this connection would make no sense
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _of(self, kind: type[K]) -> list[tuple[Hit, K]]:
        return [(hit, hit.toxic) for hit in self._hits.values() if isinstance(hit.toxic, kind)]

    def _arm(self, hit: Hit, toxic: Timeout) -> None:
        for item in self._queue:
            item.data = item.data and b""
        self._size = 0
        if toxic.timeout:
            self._timers.append(self._loop.call_later(toxic.timeout / 1000, self._expire, hit, self._connection.close))

    def _expire(self, hit: Hit, then: Callable[[], None]) -> None:
        if any(hit is h for h in self._hits.values()):
            hit.touch()
            then()

    def _swallowed(self) -> bool:
        """Whether a toxic takes all data away."""
        for hit, _ in self._of(Timeout):
            hit.touch()
            return True
        for hit, toxic in self._of(ResetPeer):
            if not hit.touched:
                later = self._loop.call_later(toxic.timeout / 1000, self._expire, hit, self._connection.reset)
                self._timers.append(later)
            hit.touch()
            return True
        return False

    def _add(self, item: Item) -> None:
        self._queue.append(item)
        self._size += len(item.data or b"")
        self._balance()
        self._start()

    def _start(self) -> None:
        if self._ready and self._queue and not self._dead and self._pump is None:
            self._pump = self._loop.create_task(self._run())

    def _balance(self) -> None:
        throttled = self._blocked or self._size > HIGH
        if throttled != self._throttled:
            self._throttled = throttled
            self._throttle(throttled)

    def _write(self, data: bytes) -> None:
        self.bytes += len(data)
        self._sink.write(data)

    async def _run(self) -> None:
        while self._queue and not self._dead:
            item = self._queue[0]
            await self._until(lambda item=item: self._release(item))  # type: ignore[misc]
            if item.data is None:
                self._sink.finish()
            else:
                await self._send(item.data)
            if self._queue:
                self._queue.popleft()
                self._size -= len(item.data or b"")
                self._balance()
        self._pump = None

    async def _until(self, moment: Callable[[], float]) -> None:
        """Sleep until a moment that is asked for again whenever the toxics change."""
        while (left := moment() - self._loop.time()) > 0:
            self._waiter = waiter = self._loop.create_future()
            timer = self._loop.call_later(left, lambda w=waiter: w.done() or w.set_result(None))  # type: ignore[misc]
            try:
                await waiter
            finally:
                timer.cancel()

    def _release(self, item: Item) -> float:
        """When an item may go on."""
        delay = item.pause
        if item.data:
            for hit, latency in self._of(Latency):
                delay += max(0.0, latency.latency + item.jitter * latency.jitter) / 1000
                hit.touch()
        elif item.data is None:
            for hit, slow in self._of(SlowClose):
                delay += slow.delay / 1000
                hit.touch()
        return item.arrival + delay

    async def _send(self, data: bytes) -> None:
        """Write ``data`` in the pieces, at the pace, and up to the limit that the toxics give."""
        while data and not self._dead:
            size = self._piece(len(data))
            piece, data = data[:size], data[size:]
            start = max(self._free_at, self._loop.time())
            await self._until(lambda start=start, size=size: start + self._seconds(size))  # type: ignore[misc]
            self._free_at = start + self._seconds(size)
            if self._exceeds(piece):
                return
            self._write(piece)
            gap = self._loop.time()
            if data:
                await self._until(lambda gap=gap: gap + sum(s.delay for _, s in self._of(Slicer)) / 1e6)  # type: ignore[misc]

    def _piece(self, left: int) -> int:
        """Bytes of the next piece of ``left``."""
        for hit, slicer in self._of(Slicer):
            hit.touch()
            left = min(left, slicer.average_size + self._random.randint(-slicer.size_variation, slicer.size_variation))
        for _, bandwidth in self._of(Bandwidth):
            left = min(left, max(1, int(bandwidth.rate * 100)))  # a tenth of a second's share
        return left

    def _seconds(self, size: int) -> float:
        """How long ``size`` bytes take."""
        seconds = 0.0
        for hit, bandwidth in self._of(Bandwidth):
            hit.touch()
            seconds = max(seconds, size / (bandwidth.rate * 1000))
        return seconds

    def _exceeds(self, piece: bytes) -> bool:
        """Whether ``piece`` goes beyond a limit; what is below it is written, and the connection closed."""
        for hit, limit in self._of(LimitData):
            left = limit.bytes - hit.sent
            hit.sent += len(piece)
            if len(piece) > left:
                hit.touch()
                self._write(piece[: max(0, left)])
                self._connection.close()
                return True
        return False

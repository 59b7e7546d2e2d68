"""Several processes play one schedule: the master leads and records, each worker plays slots[i::N].

Whatever the number of workers, together they send the single-process schedule, since bodies depend on the seed and the
slot alone. Four messages go to a worker (prepare, go, stop) and from it (ready, records). Scenario second 0 is the
master's; workers on other machines need clocks that agree, as their lateness is told against it. A worker that dies is
noticed by Locust's heartbeat: its share is missing from the recording, and that is told.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import fields
from typing import Any

import gevent
from gevent.event import Event

from driftdrill.harness.drive.clock import WallClock
from driftdrill.harness.errors import DriftdrillError, RigError
from driftdrill.harness.traffic.locust_user import Hosted
from driftdrill.harness.traffic.player import Player
from driftdrill.harness.traffic.records import Records
from driftdrill.stack.errors import StackError

EVERY = 0.5
"""Real seconds between a worker's records."""
READY_SECONDS = 120.0
"""Longest wait for the workers to load the scenario's rows."""
STOP_SECONDS = 10.0
"""Longest wait, in seconds, for the last records of workers that were asked to stop."""

PREPARE, GO, STOP, READY, RECORDS = (f"driftdrill_{k}" for k in ("prepare", "go", "stop", "ready", "records"))


class Workers:
    """A master's workers, in the place of its own player. Raises :class:`RigError` where they cannot play."""

    def __init__(self, hosted: Hosted, clock: WallClock, order: Mapping[str, Any]) -> None:
        self._hosted, self._clock = hosted, clock
        self.records = Records()
        self.sent = self.ended = self.resent = 0
        self.failure: BaseException | None = None
        self._ids = hosted.workers
        self._counts: dict[str, tuple[int, int]] = {}
        self._ready: set[str] = set()
        self._done: set[str] = set()
        self._lost: set[str] = set()
        self._heard = Event()
        if not self._ids:
            raise RigError("no worker is connected", hint="--processes N, or locust --worker on other machines")
        hosted.listen(READY, self._on_ready)
        hosted.listen(RECORDS, self._on_records)
        for i, worker in enumerate(self._ids):
            hosted.send(PREPARE, {**order, "index": i, "workers": len(self._ids)}, worker)
        self._await(self._ready, READY_SECONDS, "did not load the scenario")

    def start(self) -> None:
        """Scenario second 0 is the clock's."""
        for worker in self._ids:
            self._hosted.send(GO, {"zero": self._clock.started_at}, worker)

    def stop(self) -> None:
        """Stop the workers and take in their last records."""
        ids, self._ids = self._ids, ()
        for worker in ids:
            self._hosted.send(STOP, {}, worker)
        deadline = time.monotonic() + STOP_SECONDS
        while set(ids) - self._done - self._gone(ids) and time.monotonic() < deadline:
            self._heard.clear()
            self._heard.wait(0.2)

    def take(self) -> Records:
        """The requests that ended since the last call, of all workers."""
        taken, self.records = self.records, Records()
        return taken

    def wait_ended(self, upto: float, timeout: float) -> bool:
        """Only a virtual clock waits, and that runs in one process."""
        raise RigError("the virtual clock runs in one process", hint="leave --processes and --worker out")

    def lost(self) -> list[str]:
        """A sentence for each worker that died since the last call."""
        new = self._gone(self._ids) - self._done - self._lost
        self._lost |= new
        return [f"worker {self._ids.index(w)} of {len(self._ids)} is gone; its share is missing" for w in sorted(new)]

    def _gone(self, ids: tuple[str, ...]) -> set[str]:
        return set(ids) - set(self._hosted.workers)

    def _await(self, heard: set[str], seconds: float, what: str) -> None:
        deadline = time.monotonic() + seconds
        while not set(self._ids) <= heard:
            self._heard.clear()
            if self.failure is not None:
                raise self.failure
            missing = sorted(set(self._ids) - heard)
            if time.monotonic() > deadline or self._gone(tuple(missing)):
                raise RigError(f"{len(missing)} of {len(self._ids)} workers {what}", hint="see the workers' output")
            self._heard.wait(0.2)

    def _on_ready(self, worker: str, data: Mapping[str, Any]) -> None:
        if data.get("failed"):
            self.failure = RigError(f"a worker cannot play: {data['failed']}")
        self._ready.add(worker)
        self._heard.set()

    def _on_records(self, worker: str, data: Mapping[str, Any]) -> None:
        self.records.extend(data["records"])
        self._counts[worker] = (data["sent"], data["ended"])
        self.sent, self.ended = (sum(c[i] for c in self._counts.values()) for i in (0, 1))
        if data.get("failed"):
            self.failure = RigError(f"a worker failed: {data['failed']}")
        if data["done"]:
            self._done.add(worker)
        self._heard.set()


def serve(hosted: Hosted, make: Callable[[Hosted, Mapping[str, Any], WallClock], Player]) -> None:
    """Make a worker listen to its master. ``make`` builds the player of an order."""
    part: list[_Part] = []

    def prepare(_: str, order: Mapping[str, Any]) -> None:
        stop("", {})
        clock, failed = WallClock(), ""
        try:
            part[:] = [_Part(hosted, make(hosted, order, clock), clock)]
        except (DriftdrillError, StackError) as e:
            failed = str(e)
        except Exception as e:  # the master must hear of it, or it waits
            failed = f"{type(e).__name__}: {e}"
        hosted.send(READY, {"failed": failed})

    def go(_: str, data: Mapping[str, Any]) -> None:
        for p in part:
            p.go(float(data["zero"]))

    def stop(_: str, data: Mapping[str, Any]) -> None:
        for p in part:
            p.stopped = True

    hosted.listen(PREPARE, prepare)
    hosted.listen(GO, go)
    hosted.listen(STOP, stop)


class _Part:
    """A worker's part of a drill."""

    def __init__(self, hosted: Hosted, player: Player, clock: WallClock) -> None:
        self.hosted, self.player, self.clock = hosted, player, clock
        self.stopped = False

    def go(self, zero: float) -> None:
        self.clock.start(zero)
        self.player.start()
        gevent.spawn(self._report)

    def _report(self) -> None:
        """Send what ended, twice a second, until all has ended or the master says stop."""
        failed, ended = "", False
        while not (ended or self.stopped or failed):
            try:
                ended = self.player.wait_ended(float("inf"), timeout=EVERY)
            except Exception as e:  # a defect in a fault or a protocol; the master must hear of it
                failed = f"{type(e).__name__}: {e}"
            self._send(failed, done=False)
        self.player.stop()
        self.hosted.report_all()
        self._send(failed, done=True)

    def _send(self, failed: str, *, done: bool) -> None:
        player = self.player
        taken = player.take()
        records = {f.name: getattr(taken, f.name) for f in fields(taken)}
        data = {"records": records, "sent": player.sent, "ended": player.ended, "failed": failed, "done": done}
        self.hosted.send(RECORDS, data)

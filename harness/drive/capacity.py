"""How much a target can take: a closed loop, and the search for the highest rate that holds a latency objective.

probe = prober(target, rows)
found = highest_rate(probe, Objective(seconds=0.05), low=10, high=2000)
"""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import gevent
import numpy as np
import numpy.typing as npt

from driftdrill.harness.drive.clock import WallClock
from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seeds import generator
from driftdrill.harness.setup.allow import refuse_foreign_hosts
from driftdrill.harness.setup.target import Target
from driftdrill.harness.traffic.blocks import Blocks
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.latency import percentiles
from driftdrill.harness.traffic.player import Clock, Player
from driftdrill.harness.traffic.protocols.detect import settled
from driftdrill.harness.traffic.records import Records
from driftdrill.harness.traffic.schedule import arrivals


class ClosedLoop:
    """A clock for users that wait for their answer and then think: the player's connections are the users.

    What such a loop cannot see is the point of the open one: it sends less when the target slows down.
    """

    def __init__(self, think: float, until: float) -> None:
        self.think, self.until = think, until
        self._zero = time.monotonic()

    def now(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self._zero

    def wait_until(self, at: float) -> None:
        """Think; past the end, for ever (until the player is stopped)."""
        gevent.sleep(self.think if self.now() < self.until else 3600.0)

    def late(self, at: float) -> float:
        """Nobody asked for a moment."""
        return 0.0


@dataclass(frozen=True)
class RateProbe:
    """One measurement. ``latency`` is seconds from the intended start, float64 (n,), in order of it; inf: unanswered.

    ``missed`` counts what the generator itself began too late.
    """

    rate: float
    latency: npt.NDArray[np.float64]
    missed: int = 0


@dataclass(frozen=True)
class Objective:
    """``quantile`` percent of all requests are answered within ``seconds``; what fails is not answered."""

    seconds: float
    quantile: float = 99.0

    def held(self, probe: RateProbe) -> bool:
        """Whether a probe holds it, and holds it steadily: in either half of its time by itself.

        A queue that grows may hold the objective on average and not in its second half; that rate is no capacity.
        """
        half = len(probe.latency) // 2
        halves = (probe.latency[:half], probe.latency[half:])
        return half > 0 and all(percentiles(h, (self.quantile,))[self.quantile] <= self.seconds for h in halves)


def highest_rate(
    measure: Callable[[float], RateProbe], objective: Objective, *, low: float, high: float, within: float = 0.05
) -> float:
    """The highest rate, requests/s, that holds the objective, by bisection to ``within`` of it; 0 if ``low`` does not.

    A rate counts only if two probes in a row hold it, since one may have been lucky. Raises :class:`ScenarioError`
    when the generator itself cannot send a rate: the answer would be its own capacity.
    """
    if not 0 < low < high or within <= 0:
        raise ScenarioError(f"highest_rate: needs 0 < low < high and within > 0, not {low!r}, {high!r}, {within!r}")

    def holds(rate: float) -> bool:
        for _ in range(2):
            probe = measure(rate)
            if probe.missed > 0.01 * len(probe.latency):
                raise ScenarioError(
                    f"the generator itself cannot send {rate:g} requests/s",
                    hint="lower high, or give it a processor of its own",
                )
            if not objective.held(probe):
                return False
        return True

    if not holds(low):
        return 0.0
    if holds(high):
        return high
    while high / low > 1 + within:
        middle = (low * high) ** 0.5
        low, high = (middle, high) if holds(middle) else (low, middle)
    return low


def prober(
    target: Target, rows: Callable[[], Batch], *, seconds: float = 10.0, allowed: tuple[str, ...] = ()
) -> Callable[[float], RateProbe]:
    """A function that plays ``rows`` at a steady rate for ``seconds`` against ``target``, open loop."""
    refuse_foreign_hosts(target, allowed)

    def measure(rate: float) -> RateProbe:
        clock = WallClock()
        clock.start()
        times = arrivals(constant(rate), seconds, generator(round(rate * 1000), "schedule"))
        records = _played(target, rows, clock, times, connections=512, ends=seconds)
        order = np.argsort(records.slot)
        failed = np.array([bool(f) for f in records.failure])[order]
        latency = (np.array(records.late) + np.array(records.took))[order]
        return RateProbe(rate, np.where(failed, np.inf, latency), records.missed)

    return measure


def closed_loop(target: Target, rows: Callable[[], Batch], *, users: int, think: float, seconds: float) -> Records:
    """What ``users`` who each wait for an answer and think for ``think`` seconds get done in ``seconds``."""
    if users < 1 or think < 0 or seconds <= 0:
        raise ScenarioError(f"closed_loop: users {users!r}, think {think!r} and seconds {seconds!r} cannot be")
    # Nobody intends a moment; more than a generator can send in any one probe.
    most = np.full(2_000_000, np.inf)
    return _played(target, rows, ClosedLoop(think, seconds), most, connections=users, ends=seconds)


def _played(
    target: Target,
    rows: Callable[[], Batch],
    clock: Clock,
    times: npt.NDArray[np.float64],
    *,
    connections: int,
    ends: float,
) -> Records:
    target, spoken = settled(target)
    clients = [Client(c, spoken.path, spoken.content_type) for c in target.all]
    blocks = Blocks(_scenario(rows, ends), spoken, times)
    ignored: Any = lambda *_: None  # noqa: E731
    player = Player(blocks, clients, clock, slots=np.arange(len(times)), report=ignored, connections=connections)
    player.start()
    try:
        patience = max(c.timeout for c in target.all)
        while clock.now() < ends:
            player.wait_ended(ends, timeout=max(0.0, ends - clock.now()))
            gevent.sleep(min(0.05, max(0.0, ends - clock.now())))
        if not isinstance(clock, ClosedLoop):
            player.wait_ended(ends, timeout=patience)
    finally:
        player.stop()
    return player.take()


def _scenario(rows: Callable[[], Batch], seconds: float) -> Scenario:
    return Scenario(
        name="capacity",
        story="A steady rate.",
        rows=rows,
        rate=constant(1),
        warm_up=0,
        baseline=seconds / 2,
        fault=seconds / 2,
        recovery=0,
        faults=[],
        expect=[],
    )

"""The search for the highest rate that holds an objective, and the closed loop, on real sockets."""

import math
import time

import numpy as np
import pytest

from driftdrill.harness.drive.capacity import Objective, RateProbe, closed_loop, highest_rate, prober
from driftdrill.harness.errors import ScenarioError, TargetError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import Target
from driftdrill.stack.connection import Connection
from tests.harness.traffic.sockets import Peer, always, listening

ONE = Objective(seconds=0.1)


def rows() -> Batch:
    return {"x": np.arange(10.0)}


def queue(capacity: float, seen: list[float] | None = None) -> "object":
    """A probe of an ideal server: above its capacity the queue, and so the latency, grows with time."""

    def measure(rate: float) -> RateProbe:
        if seen is not None:
            seen.append(rate)
        times = np.arange(0, 20, 1 / rate)
        return RateProbe(rate, 0.01 + times * max(0.0, rate / capacity - 1))

    return measure


def test_the_highest_rate_is_found_to_the_width_asked_for() -> None:
    seen: list[float] = []
    found = highest_rate(queue(437.0, seen), ONE, low=10, high=5000, within=0.02)  # type: ignore[arg-type]
    assert 437 * 0.97 < found < 437 * 1.03
    assert len(seen) < 30


def test_a_rate_counts_only_if_it_holds_twice() -> None:
    lucky = iter([True, False] * 50)

    def measure(rate: float) -> RateProbe:
        good = rate < 100 or next(lucky)
        return RateProbe(rate, np.full(100, 0.01 if good else 1.0))

    assert highest_rate(measure, ONE, low=50, high=400, within=0.01) < 101


def test_a_growing_queue_is_no_steady_state() -> None:
    held_on_average = np.concatenate([np.full(990, 0.01), np.full(8, 0.2)])
    assert not ONE.held(RateProbe(1, held_on_average))
    assert ONE.held(RateProbe(1, np.full(1000, 0.01)))
    assert not ONE.held(RateProbe(1, np.concatenate([np.full(50, 0.01), np.full(50, math.inf)])))


def test_the_ends_of_the_range_are_answers_too() -> None:
    assert highest_rate(queue(5), ONE, low=10, high=20) == 0.0  # type: ignore[arg-type]
    assert highest_rate(queue(50), ONE, low=10, high=20) == 20  # type: ignore[arg-type]


def test_the_generators_own_limit_is_not_taken_for_the_targets() -> None:
    with pytest.raises(ScenarioError, match="the generator itself cannot send 10"):
        highest_rate(lambda rate: RateProbe(rate, np.full(100, 0.01), missed=5), ONE, low=10, high=20)


def test_a_range_that_is_none_is_refused() -> None:
    for low, high in ((0, 1), (2, 1), (math.nan, 1)):
        with pytest.raises(ScenarioError, match="0 < low < high"):
            highest_rate(queue(5), ONE, low=low, high=high)  # type: ignore[arg-type]


def slow(peer: Peer) -> None:
    while peer.request() is not None:
        time.sleep(0.02)
        peer.reply(b'{"prediction": 1}')


def test_a_real_probe_measures_from_the_intended_start() -> None:
    with listening(slow) as server:
        probe = prober(Target("t", Connection(server.url)), rows, seconds=1.0)(40)
    assert 15 < len(probe.latency) < 80
    assert 0.02 <= float(np.median(probe.latency)) < 1.0
    with listening(always(b"no", 500)) as failing:
        assert np.isinf(prober(Target("t", Connection(failing.url)), rows, seconds=0.5)(20).latency).all()


def test_a_closed_loop_has_as_many_requests_in_flight_as_users() -> None:
    busy: list[Peer] = []
    at_once: list[int] = []

    def counting(peer: Peer) -> None:
        while peer.request() is not None:
            busy.append(peer)
            at_once.append(len(busy))
            time.sleep(0.02)
            busy.remove(peer)
            peer.reply(b'{"prediction": 1}')

    with listening(counting) as server:
        records = closed_loop(Target("t", Connection(server.url)), rows, users=3, think=0.03, seconds=1.0)
    answered = records.failure.count("")
    assert server.connections == 3
    assert max(at_once) == 3
    assert 3 <= answered <= 3 * 20 + 3
    assert records.failure.count("dropped") == 0


def test_a_host_beyond_this_machine_is_not_probed() -> None:
    with pytest.raises(TargetError, match="is not this machine"):
        prober(Target("t", Connection("http://192.0.2.1:1")), rows)

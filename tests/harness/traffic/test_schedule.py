"""Arrival times: their law, their seed, their knots, and how workers share them."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import constant, piecewise, pulse, ramp, sine, step
from driftdrill.harness.seeds import generator
from driftdrill.harness.traffic.schedule import arrivals


def test_poisson_arrivals_have_exponential_gaps() -> None:
    times = arrivals(constant(50), 400, generator(1, "schedule"))
    gaps = np.diff(times)
    assert stats.kstest(gaps, "expon", args=(0, 1 / 50)).pvalue > 0.001
    assert abs(len(times) - 20_000) < 5 * np.sqrt(20_000)


def test_poisson_counts_in_short_bins_vary_as_much_as_their_mean() -> None:
    times = arrivals(constant(500), 200, generator(2, "schedule"))
    counts = np.bincount((times / 0.01).astype(int), minlength=20_000)
    assert 0.95 < counts.var() / counts.mean() < 1.05


@pytest.mark.parametrize(
    "rate",
    [constant(40), ramp(over=100, start=0, to=80), sine(mean=40, amplitude=39, period=25), step(at=50, start=5, to=75)],
    ids=lambda c: c.name,
)
def test_arrivals_follow_the_curve(rate: "object") -> None:
    """Under the cumulated rate the arrivals of a Poisson process are uniform (time change theorem)."""
    times = arrivals(rate, 100, generator(3, "schedule"))  # type: ignore[arg-type]
    grid = np.linspace(0, 100, 100_001)
    cumulated = np.concatenate([[0], np.cumsum((rate(grid[1:]) + rate(grid[:-1])) / 2)])  # type: ignore[operator]
    uniform = np.interp(times, grid, cumulated / cumulated[-1])
    assert stats.kstest(uniform, "uniform").pvalue > 0.001


def test_even_arrivals_are_evenly_spaced_and_exact_in_number() -> None:
    times = arrivals(constant(4), 10, generator(0, "schedule"), "even")
    assert len(times) == 40
    np.testing.assert_allclose(times, np.arange(0.125, 10, 0.25), atol=1e-9)


def test_a_pulse_sends_nothing_outside_itself() -> None:
    times = arrivals(pulse(at=3, width=2, height=100), 10, generator(0, "schedule"))
    assert times.min() >= 3
    assert times.max() < 5


def test_arrivals_ascend_within_the_drill() -> None:
    times = arrivals(piecewise([(0, 0), (5, 200), (5, 1), (9, 1)]), 20, generator(0, "schedule"))
    assert (np.diff(times) >= 0).all()
    assert times[0] >= 0
    assert times[-1] < 20


def test_the_same_seed_gives_the_same_times_and_another_seed_others() -> None:
    one, same, other = (arrivals(constant(20), 50, generator(seed, "schedule")) for seed in (7, 7, 8))
    assert one.tobytes() == same.tobytes()
    assert one[:5].tolist() != other[:5].tolist()


def test_generators_depend_on_seed_purpose_name_and_block_and_on_nothing_else() -> None:
    base = generator(1, "faults", "scale", 3).random(4)
    assert (generator(1, "faults", "scale", 3).random(4) == base).all()
    for other in (generator(2, "faults", "scale", 3), generator(1, "rows", "scale", 3)):
        assert (other.random(4) != base).all()
    for other in (generator(1, "faults", "scal", 3), generator(1, "faults", "scale", 4)):
        assert (other.random(4) != base).all()


@given(n=st.integers(0, 1000), workers=st.integers(1, 9))
@settings(max_examples=40, deadline=None)
def test_the_workers_slots_are_together_the_whole_schedule_each_once(n: int, workers: int) -> None:
    slots = np.arange(n)
    together = np.concatenate([slots[i::workers] for i in range(workers)])
    assert sorted(together.tolist()) == slots.tolist()


@pytest.mark.parametrize(
    ("rate", "says"),
    [
        (constant(0), "sends nothing"),
        (constant(-1), "0 or more"),
        (sine(mean=1, amplitude=2, period=10), "0 or more"),
        (constant(1e9), "the most is"),
    ],
)
def test_a_rate_that_cannot_be_sent_is_refused_by_name(rate: "object", says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        arrivals(rate, 100, generator(0, "schedule"))  # type: ignore[arg-type]


def test_a_rate_of_nan_is_refused_where_it_is_written() -> None:
    with pytest.raises(ScenarioError, match="finite"):
        constant(float("nan"))


def test_a_million_arrivals_take_no_noticeable_time() -> None:
    """The benchmark asks for 0.2 s on a quiet machine; here only the order of magnitude is held."""
    begun = time.process_time()
    assert len(arrivals(constant(1000), 1000, generator(0, "schedule"))) > 990_000
    assert time.process_time() - begun < 1.0

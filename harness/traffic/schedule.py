"""Schedules: arrival times of a rate Curve, computed ahead, seeded. No clock inside."""

from typing import Literal

import numpy as np
import numpy.typing as npt

from driftdrill.durations import format_duration
from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import Curve
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seeds import generator

Kind = Literal["poisson", "even"]
MOST_ARRIVALS = 200_000_000


def schedule(scenario: Scenario) -> npt.NDArray[np.float64]:
    """The scenario's arrival times, its faults of traffic among them, seconds, ascending, float64 (n,).

    Raises :class:`ScenarioError`.
    """
    how = scenario.arrivals
    if how.kind == "trace":
        times = np.asarray(how.times, dtype=np.float64)
        times = times[times < scenario.duration]
    else:
        times = arrivals(scenario.rate, scenario.duration, generator(scenario.seed, "schedule"), how.kind)
    for fault in scenario.faults_of("load"):
        times = _moved(times, fault, scenario)
    return times


def _moved(times: npt.NDArray[np.float64], fault: Fault, scenario: Scenario) -> npt.NDArray[np.float64]:
    """``times`` thinned out, or with further arrivals among them: what is planned without the fault stays planned."""
    rng, more = generator(scenario.seed, "faults", fault.name), float(fault.how.times) - 1
    if more < 0:
        kept: npt.NDArray[np.bool_] = rng.random(len(times)) >= -more * scenario.strength(fault, times)
        return times[kept]
    extra = arrivals(scenario.rate.times(more), scenario.duration, rng)
    extra = extra[rng.random(len(extra)) < scenario.strength(fault, extra)]
    return np.sort(np.concatenate([times, extra]))


def arrivals(rate: Curve, until: float, rng: np.random.Generator, kind: Kind = "poisson") -> npt.NDArray[np.float64]:
    """Arrival times in [0, until), seconds, ascending, float64 (n,).

    ``poisson``: an inhomogeneous Poisson process of intensity ``rate`` by inversion of its cumulated rate
    (Cinlar 1975, "Introduction to Stochastic Processes", 4.7). ``even``: one arrival each time that the
    cumulated rate passes k + 1/2. The cumulated rate is exact at a curve's knots and linear between points
    at most 0.1 s apart.

    Raises :class:`ScenarioError` for a negative or unbounded rate, or if nothing would be sent.
    """
    knots = np.array([p[0] for p in rate.points if 0 < p[0] < until and rate.period == 0])
    grid = np.linspace(0.0, until, max(2, min(2_000_001, int(until * 10) + 1)))
    grid = np.unique(np.concatenate([grid, knots, np.nextafter(knots, -np.inf)]))
    values = rate(grid)
    if not np.isfinite(values).all() or (values < 0).any():
        raise ScenarioError(f"rate {rate.name} must be finite and 0 or more at every time of the drill")
    cumulated = np.concatenate([[0.0], np.cumsum(np.diff(grid) * (values[1:] + values[:-1]) / 2)])
    total = float(cumulated[-1])
    if total > MOST_ARRIVALS:
        raise ScenarioError(f"rate {rate.name} asks for {total:.3g} requests; the most is {MOST_ARRIVALS:.3g}")
    if kind == "even":
        at = np.arange(0.5, total, 1.0)
    else:
        n = int(rng.poisson(total))
        # n uniform order statistics from n + 1 exponential gaps: no sort of a million numbers.
        gaps = np.cumsum(rng.standard_exponential(n + 1))
        at = gaps[:-1] / gaps[-1] * total
    if len(at) == 0:
        raise ScenarioError(f"rate {rate.name} sends nothing in {format_duration(until)}")
    times: npt.NDArray[np.float64] = np.interp(at, cumulated, grid)
    return times

"""A counter that appeared in the fault with its events already counted: increase() sees only what came later."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import and_through, one_series
from driftdrill.harness.judge.why.readings import OF_CHANGE, Reading, points, readings, series_of, target
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.verdict import Reason

_RISING = (">", ">=", "!=", "")


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    threshold = rule.analysed.threshold
    if seen.fault is None or (threshold.comparison if threshold else "") not in _RISING:
        return None
    for reading in readings(rule, seen.rules):
        if reading.function in OF_CHANGE and not reading.divisor:
            reason = _of_reading(reading, seen)
            if reason is not None:
                return reason
    return None


@dataclass(frozen=True)
class Birth:
    """A series that appeared in the fault."""

    labels: Mapping[str, str]
    at: float
    value: float
    grew: float
    """By how much it grew after, while the rule could see it."""


def _of_reading(reading: Reading, seen: Seen) -> Reason | None:
    there = series_of(reading, seen)
    lost = [b for s in there if (b := _birth(s, reading, seen)) is not None and b.value > 0 and b.value >= b.grew]
    if not lost or (reading.aggregated and sum(b.value for b in lost) < sum(_growth(points(s)[1]) for s in there)):
        return None
    first = max(lost, key=lambda b: b.value)
    later = "never changed" if first.grew == 0 else f"grew by only {first.grew:g} after"
    says = f"{one_series(first.labels)} first appeared at {rounded_duration(first.at)}, in the fault, at "
    says += f"{first.value:g}, and {later}: {reading.function}() does not see the first {first.value:g}"
    hint = "initialise the counter's labels at start, or add `or (x unless x offset 5m)` for a series that is new"
    return Reason("counter_born", and_through(says, reading.through), hint)


def _birth(series: Samples, reading: Reading, seen: Seen) -> Birth | None:
    """How a series appeared in the fault, on a page that was scraped before; None if it did not.

    One that was gone for longer than the range is as new to the rule.
    """
    assert seen.fault is not None
    times, values = points(series)
    gaps = np.diff(times, prepend=-np.inf)
    new = np.flatnonzero(
        (gaps > (reading.range or 0.0) + seen.scrape) & (times >= seen.fault[0]) & (times <= seen.fault[1])
    )
    if not len(new):
        return None
    first, at = int(new[0]), float(times[new[0]])
    earlier = [points(s)[0] for s in seen.samples if target(s) == target(series)]
    if not any(((t < at) & (t >= at - 2.5 * seen.scrape)).any() for t in earlier):
        return None
    after = values[first:][times[first:] <= seen.fault[1] + (reading.range or 0.0)]
    return Birth(series.labels, at, float(values[first]), _growth(after))


def _growth(values: npt.NDArray[np.float64]) -> float:
    """By how much a counter grew, resets taken as Prometheus takes them."""
    steps = np.diff(values)
    return float(np.where(steps >= 0, steps, values[1:]).sum())

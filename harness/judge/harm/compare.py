"""Two phases under one measure: HARMFUL, HARMLESS, or why the rows cannot tell."""

from dataclasses import dataclass, replace

import numpy as np

from driftdrill.harness.judge.harm import intervals
from driftdrill.harness.judge.harm.intervals import BLOCKS, TAIL, Interval
from driftdrill.harness.judge.harm.measures import SHARES, Estimate, Standard, estimate, row_losses
from driftdrill.harness.judge.harm.rows import Bools, Rows
from driftdrill.harness.scenario.measure import Measure
from driftdrill.reports.data.verdict import HarmWord

LEAST_OF_A_CLASS = 5
"""Requests of a phase that must have each class, where classes matter."""
SKEWED = 0.5
"""Skewness of a difference of means above which its upper end is not to be trusted."""
EPISODES = 5
"""Fewer outages than this say little of how often they come."""


@dataclass(frozen=True)
class Smallest:
    """The smallest harm that matters: in the measure's unit, or ``relative`` to the baseline's loss."""

    value: float
    relative: bool = False

    def of(self, before: float) -> float:
        """In the measure's unit."""
        return self.value * before if self.relative else self.value


@dataclass(frozen=True)
class Comparison:
    """What became of a measure. ``cost`` is the interval of the change, positive for the worse."""

    word: HarmWord
    before: float | None = None
    during: float | None = None
    cost: Interval | None = None
    smallest: float | None = None
    ratio: Interval | None = None
    note: str = ""


def compare(baseline: Rows, during: Rows, by: Standard, smallest: Smallest, tail: float = TAIL) -> Comparison:
    """The fault phase against the baseline; each end of the interval leaves out ``tail``."""
    if not len(baseline) or not len(during):
        return Comparison("UNKNOWN", note="no rows to compare")
    one, two = estimate(baseline, by), estimate(during, by)
    found = Comparison("INCONCLUSIVE", _known(one.value), _known(two.value), smallest=smallest.of(one.value))
    if why := too_few(one, two, by.measure):
        return replace(found, note=why)
    if why := unreachable(by.measure, smallest, one.value):
        return replace(found, word="UNKNOWN", note=why, smallest=None)
    cost = cost_of(by.measure, one, two, tail)
    found = replace(found, cost=cost, ratio=intervals.ratio(one, two, tail) if smallest.relative else None)
    above, below = margins(by.measure, one, two, smallest, tail)
    if above > 0:
        return _harmful(found, one, two)
    if below >= 0:
        return replace(found, note=_dependent(one, two))
    return _harmless(found, one, two, by.measure, outages(baseline, by) + outages(during, by))


def cost_of(measure: Measure, one: Estimate, two: Estimate, tail: float = TAIL) -> Interval:
    """The interval of the change for the worse."""
    of = (
        intervals.of_shares
        if measure.name in SHARES
        else intervals.of_areas
        if measure.name == "auc"
        else intervals.of_means
    )
    low, high = of(one, two, tail)
    return (low, high) if measure.score else (-high, -low)


def margins(measure: Measure, one: Estimate, two: Estimate, smallest: Smallest, tail: float) -> Interval:
    """How far the ends of the change's interval lie above the smallest harm. A relative one is compared as
    during - (1 + r) before with 0 (Fieller), so that the baseline's own uncertainty counts."""
    if smallest.relative:
        k = 1 + smallest.value
        low, high = intervals.of_means(replace(one, value=k * one.value, influence=k * one.influence), two, tail)
        return -high, -low
    low, high = cost_of(measure, one, two, tail)
    return low - smallest.value, high - smallest.value


def unreachable(measure: Measure, smallest: Smallest, before: float) -> str:
    """Why a fault could do no harm of this size however bad it is; empty if it could."""
    if smallest.relative and before <= 0:
        return (
            f"the baseline's {measure.called()} is {before:g}: no share of it is a harm; give smallest_harm in its unit"
        )
    room = before if measure.score else 1 - before
    if measure.bounded and room <= smallest.value:
        return (
            f"smallest_harm of {smallest.value:g} cannot be reached: {measure.called()} is {before:.3f} in the baseline"
            f"{'' if measure.score else ', and 1 at worst'}"
        )
    return ""


def too_few(one: Estimate, two: Estimate, measure: Measure) -> str:
    """Why there is no interval; empty where there is one."""
    fewest = min(one.requests, two.requests)
    if fewest < BLOCKS:
        return f"a phase has {fewest} requests with known truth; at least {BLOCKS} are needed for an interval"
    rarest = min((e.rarest for e in (one, two) if e.rarest is not None), default=LEAST_OF_A_CLASS)
    if rarest < LEAST_OF_A_CLASS:
        return (
            f"a class occurs in {rarest} requests of a phase; {measure.called()} needs each in at least "
            f"{LEAST_OF_A_CLASS}"
        )
    return ""


DEPENDENT = "requests depend on each other for longer than an eighth of the phase: lengthen it"


def _harmful(found: Comparison, one: Estimate, two: Estimate) -> Comparison:
    if intervals.outlasts_blocks(one):
        return replace(found, note=f"in the baseline, {DEPENDENT}")
    # The baseline shows how the model varies by itself. What comes and goes in the fault phase alone, the fault does.
    uneven = intervals.outlasts_blocks(two)
    note = "it came and went in long spells: that it did harm is sure, how much is not" if uneven else ""
    return replace(found, word="HARMFUL", note=note)


def _harmless(found: Comparison, one: Estimate, two: Estimate, measure: Measure, seen: int) -> Comparison:
    if why := _dependent(one, two):
        return replace(found, note=why)
    if measure.name not in SHARES and measure.name != "auc" and abs(intervals.skewness(one, two)) > SKEWED:
        return replace(found, note="a few requests make up most of the loss: too few to say that it is harmless")
    assert found.smallest is not None
    fewest = min(one.requests, two.requests)
    notes = []
    if not measure.bounded:
        notes.append(f"large errors in fewer than 3 of {fewest:,} requests are not excluded")
    elif one.rows > one.requests and 3 / fewest > found.smallest:
        notes.append(f"whole requests that fail more rarely than 3 in {fewest:,} are not excluded")
    if 0 < seen < EPISODES:
        notes.append(
            f"{seen} outage{'s were' if seen > 1 else ' was'} seen: how often they come is not known from so few"
        )
    return replace(found, word="HARMLESS", note="; ".join(notes))


def _dependent(one: Estimate, two: Estimate) -> str:
    where = [name for name, e in (("baseline", one), ("fault phase", two)) if intervals.outlasts_blocks(e)]
    return f"in the {' and the '.join(where)}, {DEPENDENT}" if where else ""


def outages(rows: Rows, by: Standard) -> int:
    """Spells of requests of which no row was answered, or, where answers are right or wrong, none rightly."""
    bad: Bools = np.isnan(rows.prediction)
    if by.measure.name in SHARES:
        bad = np.asarray(row_losses(rows, by) == 0)
    return spells(np.asarray((bad | ~rows.known).all(axis=1)))


def spells(bad: Bools) -> int:
    """Runs in bool (m,) that are longer than chance would make in 99 of 100 phases, were each as bad by itself."""
    share = float(bad.mean()) if len(bad) else 0.0
    if not 0 < share < 1:
        return int(share == 1)
    longest = max(2.0, np.log(0.01 / len(bad)) / np.log(share))
    edges = np.flatnonzero(np.diff(np.concatenate([[0], bad.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2] >= longest).sum())


def _known(value: float) -> float | None:
    return value if np.isfinite(value) else None

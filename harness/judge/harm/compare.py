"""Two phases under one measure: HARMFUL, HARMLESS, or why the rows cannot tell."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np

from driftdrill.harness.judge.harm import intervals
from driftdrill.harness.judge.harm.intervals import BLOCKS, TAIL, Interval
from driftdrill.harness.judge.harm.measures import SHARES, Estimate, Standard, constant_estimate, estimate, row_losses
from driftdrill.harness.judge.harm.rows import Bools, Rows
from driftdrill.harness.scenario.measure import Measure
from driftdrill.reports.data.verdict import Compared

LEAST_OF_A_CLASS = 5
"""Requests of a phase that must have each class, where classes matter."""
SKEWED = 0.5
"""Skewness of a difference of means above which its upper end is not to be trusted."""
ALL_WORTH = 0.9
"""The share of what a model does better than a constant from which on a fault took all of it."""
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


def compare(baseline: Rows, during: Rows, by: Standard, smallest: Smallest, tail: float = TAIL) -> Compared:
    """The fault phase against the baseline; each end of the interval leaves out ``tail``."""
    if not len(baseline) or not len(during):
        return uncompared(baseline, during, "no rows to compare")
    one, two = estimate(baseline, by), estimate(during, by)
    found = replace(
        uncompared(baseline, during, ""),
        word="INCONCLUSIVE",
        before=_known(one.value),
        during=_known(two.value),
        smallest=_known(smallest.of(one.value)),
    )
    if why := too_few(one, two, by.measure):
        return replace(found, note=why)
    if why := unreachable(by.measure, smallest, one.value):
        return replace(found, word="UNKNOWN", note=why, smallest=None)
    drop = cost_of(by.measure, one, two, tail)
    above, below = margins(by.measure, one, two, smallest, tail)
    if not np.isfinite([*drop, above, below]).all():
        return replace(found, note="numbers of this size have no interval: give truth and predictions in another unit")
    found = replace(found, drop=drop, ratio=intervals.ratio(one, two, tail) if smallest.relative else None)
    # What the measure did in the baseline by itself may go on in the fault phase, whose middle lies so far ahead.
    moved = intervals.trend(one, (one.requests + two.requests) / 2) * (-1 if by.measure.score else 1)
    if (above > 0 and above - moved <= 0) or (below < 0 and below - moved >= 0):
        return replace(found, note=f"{by.measure.called()} {_went(moved)} in the baseline already: {TREND}")
    if above > 0:
        return _harmful(found, one, two)
    if below >= 0:
        return replace(found, note=_dependent(one, two))
    if why := _never_harmless(baseline, during, one, two, by):
        return replace(found, note=why)
    return replace(found, word="HARMLESS", note="; ".join(_caveats(found, baseline, during, by)))


def beside_constant(found: Compared, baseline: Rows, by: Standard) -> Compared:
    """What HARMLESS of all rows is worth: were one constant answered to every row, would that be HARMLESS too?

    INCONCLUSIVE where the model does worse than the constant by itself, for what a fault takes from it need not show,
    and where the fault took all that the model does better.
    """
    if found.word != "HARMLESS" or found.smallest is None:
        return found
    model = estimate(baseline, by)
    constant, (_, high) = skill(baseline, by, model)
    called = by.measure.called()
    if high < 0:
        note = f"{called} is {model.value:.3g} in the baseline, and one constant's {constant:.3g}: harm need not show"
        return replace(found, word="INCONCLUSIVE", note="; ".join(n for n in (note, found.note) if n))
    worth = (model.value - constant) * (1 if by.measure.score else -1)
    if worth >= found.smallest:
        return found
    low, during = (found.drop or (0.0, 0.0))[0], found.during if found.during is not None else model.value
    if low > 0 and abs(during - model.value) >= ALL_WORTH * worth:
        note = f"it took all that the model does better than one constant: is smallest_harm in {called}'s unit?"
        return replace(found, word="INCONCLUSIVE", note="; ".join(n for n in (note, found.note) if n))
    note = f"one constant for every row would pass for HARMLESS too: its {called} is {constant:.3g}"
    return replace(found, note="; ".join(n for n in (found.note, note) if n))


def skill(baseline: Rows, by: Standard, model: Estimate) -> tuple[float, Interval]:
    """The constant's value, and the 95 % interval of how much better the model does on the same rows."""
    if by.measure.name == "auc":
        low, high = intervals.of_area(model)
        return 0.5, (low - 0.5, high - 0.5)
    constant = constant_estimate(baseline, by)
    sign = 1.0 if by.measure.score else -1.0
    better = replace(
        model,
        value=sign * (model.value - constant.value),
        influence=sign * (model.influence - constant.influence),
    )
    v = intervals.spread(better)
    half = intervals.student(v.df) * float(np.sqrt(v.variance))
    return constant.value, (better.value - half, better.value + half)


def _went(moved: float) -> str:
    return "grew worse" if moved > 0 else "grew better"


def uncompared(baseline: Rows, during: Rows, why: str) -> Compared:
    """Two phases of which nothing is known but how many rows there were."""
    return Compared(
        word="UNKNOWN",
        rows_before=baseline.count,
        rows_during=during.count,
        unanswered=during.unanswered,
        note=why,
    )


def cost_of(measure: Measure, one: Estimate, two: Estimate, tail: float = TAIL) -> Interval:
    """The interval of the change for the worse."""
    of = (
        intervals.of_shares
        if measure.name in SHARES
        else intervals.of_areas
        if measure.name == "auc"
        else intervals.of_bounded_means
        if measure.bounded
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


TREND = "were that to go on, what the fault adds would be another; lengthen the warm-up or the baseline"
DEPENDENT = "requests depend on each other for longer than an eighth of the phase: lengthen it"


def _harmful(found: Compared, one: Estimate, two: Estimate) -> Compared:
    if intervals.outlasts_blocks(one):
        return replace(found, note=f"in the baseline, {DEPENDENT}")
    # The baseline shows how the model varies by itself. What comes and goes in the fault phase alone, the fault does.
    uneven = intervals.outlasts_blocks(two)
    note = "it came and went in long spells: that it did harm is sure, how much is not" if uneven else ""
    return replace(found, word="HARMFUL", note=note)


def _never_harmless(baseline: Rows, during: Rows, one: Estimate, two: Estimate, by: Standard) -> str:
    """Why an interval below the smallest harm shows no harmlessness; empty where it does."""
    if why := _dependent(one, two):
        return why
    if by.measure.name not in SHARES and by.measure.name != "auc" and abs(intervals.skewness(one, two)) > SKEWED:
        return "a few requests make up most of the loss: too few to say that it is harmless"
    if odd := not_finite(baseline, by) + not_finite(during, by):
        return (
            f"{by.measure.called()} of {odd:,} rows that were answered is no finite number: they are counted as what a "
            "constant would cost; let it answer a large number instead"
        )
    return ""


def not_finite(rows: Rows, by: Standard) -> int:
    """Rows that were answered and of which an author's own loss is infinite or NaN."""
    if by.measure.name != "own":
        return 0
    return int((rows.known & ~np.isnan(rows.prediction) & ~np.isfinite(rows.losses["model"])).sum())


def _caveats(found: Compared, baseline: Rows, during: Rows, by: Standard) -> Iterator[str]:
    """What HARMLESS does not exclude."""
    assert found.smallest is not None
    measure, fewest = by.measure, min(len(baseline), len(during))
    if not measure.bounded:
        yield f"large errors in fewer than 3 of {fewest:,} requests are not excluded"
    elif baseline.count > len(baseline) and 3 / fewest > found.smallest:
        yield f"whole requests that fail more rarely than 3 in {fewest:,} are not excluded"
    seen = outages(baseline, by) + outages(during, by)
    if 0 < seen < EPISODES:
        yield f"{seen} outage{'s were' if seen > 1 else ' was'} seen: how often they come is not known from so few"


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

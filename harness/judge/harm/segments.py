"""Harm by segment: for each value of a column, held to a level at which all of them together err in 5 % of drills."""

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from driftdrill.harness.judge.harm.compare import Smallest, compare, margins, too_few
from driftdrill.harness.judge.harm.intervals import TAIL
from driftdrill.harness.judge.harm.measures import Standard, estimate
from driftdrill.harness.judge.harm.rows import Rows
from driftdrill.reports.data.verdict import SegmentHarm

Parts = tuple[str, str, Rows, Rows]
"""Column, value, its rows in the baseline and under the fault."""
STEPS = 30


def by_segment(baseline: Rows, during: Rows, by: Standard, smallest: Smallest) -> tuple[SegmentHarm, ...]:
    """One for each value of each segment column, in the order of the columns and of their values.

    Words are Holm's (Scandinavian Journal of Statistics 6, 1979): of K segments the clearest must be beyond the limit
    at 1 / K of the level, the next at 1 / (K - 1), and so on. The interval shown is that of its segment's step.
    """
    parts = list(_parts(baseline, during))
    told = [i for i, (_, _, before, after) in enumerate(parts) if _comparable(before, after, by)]
    tails = dict(zip(told, holm([_tails(*parts[i][2:], by, smallest) for i in told]), strict=True))
    out = []
    for i, (column, value, before, after) in enumerate(parts):
        found = compare(before, after, by, smallest, tails.get(i, TAIL))
        out.append(SegmentHarm(**vars(found), column=column, value=value))
    return tuple(out)


def _parts(baseline: Rows, during: Rows) -> Iterator[Parts]:
    for column, texts in baseline.segments.items():
        for value in sorted({*texts.ravel().tolist(), *during.segments[column].ravel().tolist()}):
            yield column, value, baseline.segment(column, value), during.segment(column, value)


def _comparable(before: Rows, after: Rows, by: Standard) -> bool:
    return bool(len(before) and len(after)) and not too_few(estimate(before, by), estimate(after, by), by.measure)


def _tails(before: Rows, after: Rows, by: Standard, smallest: Smallest) -> tuple[float, float]:
    """At which tail the interval first lies above the smallest harm, and below it: one-sided p-values."""
    one, two = estimate(before, by), estimate(after, by)

    def beyond(tail: float) -> tuple[bool, bool]:
        low, high = margins(by.measure, one, two, smallest, tail)
        return low > 0, high < 0

    return _first(lambda tail: beyond(tail)[0]), _first(lambda tail: beyond(tail)[1])


def _first(holds: Callable[[float], bool]) -> float:
    low, high = -12.0, float(np.log10(0.5))  # of the tail's logarithm
    if not holds(10**high):
        return 1.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(10**middle) else (middle, high)
    return 10**high


def holm(tails: Sequence[tuple[float, float]], level: float = TAIL) -> list[float]:
    """The tail at which each of K is judged, given at which it would first be HARMFUL, and HARMLESS."""
    count = len(tails)
    out = [level / max(count, 1)] * count
    for side in (1, 0):
        order = sorted(range(count), key=lambda i: tails[i][side])
        for step, i in enumerate(order):
            allowed = level / (count - step)
            if tails[i][side] > allowed:
                break
            out[i] = allowed
    return out

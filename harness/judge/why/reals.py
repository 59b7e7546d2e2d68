"""Sets of real numbers as stretches between bounds, open or closed, with NaN beside them: what a comparison leaves.

A bound is ``(number, side)``: side 0 is the number itself, 1 just above it, -1 just below it. So tuples compare as
bounds do, and no arithmetic of ends is needed.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass

Bound = tuple[float, int]
Stretch = tuple[Bound, Bound]
_LOWEST, _HIGHEST = (-math.inf, 0), (math.inf, 0)
_FEW = 3
_ROUNDING = 1e-9
"""Bounds that went through arithmetic are widened by so much of themselves: no rounding decides."""


@dataclass(frozen=True)
class Reals:
    """Which values are possible: disjoint stretches that rise, infinities included, and NaN or not."""

    stretches: tuple[Stretch, ...] = ((_LOWEST, _HIGHEST),)
    nan: bool = True

    def __bool__(self) -> bool:
        return bool(self.stretches) or self.nan

    def holds(self, number: float) -> bool:
        """Whether a number is in it."""
        if math.isnan(number):
            return self.nan
        return any(start <= (number, 0) <= end for start, end in self.stretches)

    def both(self, other: "Reals") -> "Reals":
        """What is in both."""
        pairs = ((max(a[0], b[0]), min(a[1], b[1])) for a in self.stretches for b in other.stretches)
        return Reals(tuple(sorted(p for p in pairs if p[0] <= p[1])), self.nan and other.nan)

    def either(self, other: "Reals") -> "Reals":
        """What is in one of them."""
        return Reals(_joined([*self.stretches, *other.stretches]), self.nan or other.nan)

    def others(self) -> "Reals":
        """All that is not in it."""
        out, low = [], _LOWEST
        for start, end in self.stretches:
            before = (start[0], start[1] - 1)
            if low <= before:
                out.append((low, before))
            low = (end[0], end[1] + 1)
        if low <= _HIGHEST:
            out.append((low, _HIGHEST))
        return Reals(tuple(out), not self.nan)

    @property
    def hull(self) -> "Reals":
        """All between the lowest and the highest."""
        return Reals(((self.stretches[0][0], self.stretches[-1][1]),) if self.stretches else (), self.nan)

    @property
    def told(self) -> str:
        """In words: at least 1; 0 or 1; above 10."""
        if not self.stretches:
            return "NaN" if self.nan else "nothing"
        if all(start == end for start, end in self.stretches) and len(self.stretches) <= _FEW:
            numbers = [f"{start[0]:g}" for start, _ in self.stretches]
            return f"always {numbers[0]}" if len(numbers) == 1 else " or ".join(numbers)
        (low, low_side), (high, high_side) = self.stretches[0][0], self.stretches[-1][1]
        ends = [f"{'above' if low_side else 'at least'} {low:g}"] if low > -math.inf else []
        ends += [f"{'below' if high_side else 'at most'} {high:g}"] if high < math.inf else []
        return " and ".join(ends) or "any number"

    def shifted(self, factor: float, offset: float) -> "Reals":
        """The numbers x of which ``factor * x + offset`` is in it, and a little more: arithmetic rounds."""
        out = []
        for start, end in self.stretches:
            ends = sorted(((b[0] - offset) / factor for b in (start, end)), key=lambda v: (math.isnan(v), v))
            if any(map(math.isnan, ends)):
                return Reals()
            slack = _ROUNDING * max(abs(offset / factor), *(abs(e) for e in ends if math.isfinite(e)), 0.0)
            out.append(((ends[0] - slack, 0), (ends[1] + slack, 0)))
        return Reals(_joined(out), self.nan)


ALL = Reals()
NONE = Reals((), nan=False)


def between(low: float = -math.inf, high: float = math.inf, nan: bool = True) -> Reals:
    """All from ``low`` to ``high``, these included."""
    return Reals((((low, 0), (high, 0)),), nan)


def only(*numbers: float) -> Reals:
    """These numbers."""
    return Reals(tuple(((n, 0), (n, 0)) for n in sorted(numbers)), nan=False)


def beyond(comparison: str, number: float) -> Reals:
    """The values for which a comparison with a number is true; with NaN only ``!=`` ever is."""
    if math.isnan(number):
        return ALL if comparison == "!=" else NONE
    below: Stretch = (_LOWEST, (number, -1))
    above: Stretch = ((number, 1), _HIGHEST)
    match comparison:
        case ">":
            found = [above]
        case ">=":
            found = [((number, 0), _HIGHEST)]
        case "<":
            found = [below]
        case "<=":
            found = [(_LOWEST, (number, 0))]
        case "==":
            found = [((number, 0), (number, 0))]
        case _:
            found = [below, above]
    return Reals(tuple(s for s in found if s[0] <= s[1]), comparison == "!=")


def _joined(found: Iterable[Stretch]) -> tuple[Stretch, ...]:
    out: list[Stretch] = []
    for start, end in sorted(found):
        if out and start <= (out[-1][1][0], out[-1][1][1] + 1):
            out[-1] = (out[-1][0], max(out[-1][1], end))
        else:
            out.append((start, end))
    return tuple(out)

"""Expectations of series, each looked at by itself: some moves, all stay, one exists."""

import math
from collections.abc import Sequence
from typing import NamedTuple

from driftdrill.harness.scenario.expectation import BaseExpectation, Evidence, shown
from driftdrill.reports.data.timeline import Labels, Track
from driftdrill.reports.data.verdict import Finding


class Moves(BaseExpectation, frozen=True, kw_only=True, tag="moves"):
    """Some series of the expression leaves, during the fault, the range that it kept in the baseline."""

    expr: str
    above: float | None = None
    below: float | None = None
    by: float | None = None

    @property
    def exprs(self) -> tuple[str, ...]:
        return (self.expr,)

    def check(self, evidence: Evidence) -> Finding:
        each = _ranges(evidence, self.expr)
        left = [r for r in each if r.before is not None and r.during is not None and self._moved(r)]
        moved = [r for r in left if r.whole]
        wrong = None if moved else _unproven(evidence, self.expr, each, left)
        shown_ = moved or [r for r in each if r.whole] or each
        lost = [r for r in each if r.gone or r.came]
        seen = wrong.seen if wrong else _told(lost) if lost and not moved else _seen(shown_)
        hint = "it does not show the fault"
        if lost:
            hint = "what has gone or come has moved nowhere: compare it with `or vector(0)`, or ask for its absence"
        return Finding(
            check=f"moves({self.expr})",
            held=bool(moved),
            code="moves.held" if moved else f"moves.{wrong.what}" if wrong else "moves.stayed",
            expected=f"{self.expr} {self._goal(shown_[0].before if shown_ else None)}",
            seen=seen,
            hint="" if moved else wrong.hint if wrong else hint,
            refuted=wrong is None,
        )

    def _goal(self, before: "Range | None") -> str:
        if self.above is not None:
            return f"rises above {self.above:g} in the fault and not before"
        if self.below is not None:
            return f"falls below {self.below:g} in the fault and not before"
        if self.by is not None:
            return f"leaves the baseline's range by more than {self.by:g}"
        return f"leaves the baseline's range {_shown(before)} by more than its width"

    def _moved(self, series: "_Ranges") -> bool:
        before, during = series.before, series.during
        assert before is not None
        assert during is not None
        if self.above is not None:
            return during[1] > self.above >= before[1]
        if self.below is not None:
            return during[0] < self.below <= before[0]
        width = before[1] - before[0] if before[0] < before[1] else 0.0  # infinity less infinity is no width
        room = self.by if self.by is not None else width
        return during[1] > before[1] + room or during[0] < before[0] - room


class Stays(BaseExpectation, frozen=True, kw_only=True, tag="stays"):
    """Every series of the expression keeps, during the fault, to its baseline's range widened by ``by``."""

    expr: str
    by: float

    @property
    def exprs(self) -> tuple[str, ...]:
        return (self.expr,)

    def check(self, evidence: Evidence) -> Finding:
        each = _ranges(evidence, self.expr)
        moved = [r for r in each if self._left(r)]
        lost = [r for r in each if r.gone or r.came]
        wrong = None if moved or lost else _unproven(evidence, self.expr, each)
        held = not (moved or lost or wrong)
        return Finding(
            check=f"stays({self.expr}, by={self.by:g})",
            held=held,
            code="stays." + ("moved" if moved else "lost" if lost else wrong.what if wrong else "held"),
            expected=f"each series of {self.expr} keeps within {self.by:g} of its baseline's range",
            seen=_seen(moved) if moved else _told(lost) if lost else wrong.seen if wrong else _seen(each),
            hint=wrong.hint if wrong else "" if held else "the fault reaches this metric",
            refuted=wrong is None,
        )

    def _left(self, series: "_Ranges") -> bool:
        """Whether some value in the fault is out of a range that is known."""
        before, during = series.before, series.during
        if during is None or before is None or not series.mostly_before:
            return False
        return not (during[0] >= before[0] - self.by and during[1] <= before[1] + self.by)


class Exists(BaseExpectation, frozen=True, kw_only=True, tag="exists"):
    """The expression has a value in the baseline."""

    expr: str

    @property
    def exprs(self) -> tuple[str, ...]:
        return (self.expr,)

    def check(self, evidence: Evidence) -> Finding:
        found = [r for r in _ranges(evidence, self.expr) if r.before is not None]
        error = evidence.failed(self.expr)
        return Finding(
            check=f"exists({self.expr})",
            held=bool(found) and not error,
            code="exists.error" if error else "exists.held" if found else "exists.absent",
            expected=f"{self.expr} has a value in the baseline",
            seen=error or f"baseline {_shown(found[0].before) if found else 'no value'}",
            hint="correct the expression" if error else "" if found else _ABSENT,
            refuted=not error,
        )


Range = tuple[float, float]
MOST = 0.5
"""Share of a phase's evaluations at which a series must have had a value, to say anything of the phase."""
_ABSENT = "check the metric's name and labels on the metrics page"


class _Ranges(NamedTuple):
    """One series in the baseline and in the fault: (min, max), None without a value, and whether it had one at more
    than ``MOST`` of the evaluations.

    What is there for most of the one and has no value at all in the other, or next to none, has gone or come: that is
    evidence, since a page that was not read is no part of it. What is there in part of both proves nothing.
    """

    labels: Labels
    before: Range | None
    during: Range | None
    mostly_before: bool
    mostly_during: bool

    @property
    def whole(self) -> bool:
        return self.mostly_before and self.mostly_during

    @property
    def gone(self) -> bool:
        return self.mostly_before and not self.mostly_during

    @property
    def came(self) -> bool:
        return self.before is None and self.mostly_during


class _Unproven(NamedTuple):
    """Why an expression says nothing of the fault."""

    what: str
    seen: str
    hint: str


def _ranges(evidence: Evidence, expr: str) -> list[_Ranges]:
    """Each series of ``expr`` that has a value in the baseline or in the fault."""
    out = []
    for track in evidence.series(expr):
        (before, most), (during, most_during) = (_range(evidence, track, name) for name in ("baseline", "fault"))
        if before is not None or during is not None:
            labels = {**track.labels, **({"__name__": track.name} if track.name else {})}
            out.append(_Ranges(labels, before, during, most, most_during))
    return out


def _range(evidence: Evidence, track: Track, phase: str) -> tuple[Range | None, bool]:
    span = evidence.phase(phase)
    values = [
        v
        for t, v in zip(track.times, track.values, strict=True)
        if v is not None and not math.isnan(v) and span.start <= t < span.end
    ]
    return (min(values), max(values)) if values else None, len(values) > MOST * evidence.ticks(phase)


def _unproven(evidence: Evidence, expr: str, each: Sequence[_Ranges], left: Sequence[_Ranges] = ()) -> _Unproven | None:
    """Why an expression proves nothing; None where each of its series was there to be seen, or has gone or come.

    Those that ``left`` their range and were not there for most of it are neither.
    """
    error = evidence.failed(expr)
    if error:
        return _Unproven("error", f"it cannot be evaluated: {error}", "correct the expression")
    if not each:
        return _Unproven("absent", "no value", _ABSENT)
    sparse = list(left) or [r for r in each if r.during is not None and not (r.whole or r.gone or r.came)]
    if sparse or not any(r.whole or r.gone or r.came for r in each):
        seen = f"no value in most of the baseline or the fault: {_seen(sparse or each)}"
        return _Unproven(
            "absent", seen, "ask for something that always has a value, such as a sum, or with `or vector(0)`"
        )
    return None


def _told(lost: Sequence[_Ranges]) -> str:
    """That series have gone or come."""
    return f"no value in most of the {'fault' if lost[0].gone else 'baseline'}: {_seen(lost)}"


def _seen(each: Sequence[_Ranges]) -> str:
    """The first series, and how many more there are."""
    first = each[0]
    name = {k: v for k, v in first.labels.items() if k != "__name__"}
    more = f" (and {len(each) - 1} more series)" if len(each) > 1 else ""
    which = f"{shown(name)} " if name else ""
    return f"{which}baseline {_shown(first.before)}, fault {_shown(first.during)}{more}"


def _shown(found: Range | None) -> str:
    return "no value" if found is None else f"{found[0]:.4g} to {found[1]:.4g}"

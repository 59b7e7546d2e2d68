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
        whole = [r for r in each if r.before is not None and r.during is not None]
        moved = [r for r in whole if self._moved(r)]
        shown_ = moved or whole or each
        wrong = _unknown(evidence, self.expr, each, whole)
        return Finding(
            check=f"moves({self.expr})",
            held=bool(moved),
            code="moves.held" if moved else wrong.code("moves") if wrong else "moves.stayed",
            expected=f"{self.expr} {self._goal(shown_[0].before if shown_ else None)}",
            seen=wrong.seen if wrong and not moved else _seen(shown_),
            hint="" if moved else wrong.hint if wrong else "it does not show the fault",
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
        room = self.by if self.by is not None else before[1] - before[0]
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
        whole = [r for r in each if r.before is not None and r.during is not None]
        moved = [r for r in whole if not self._kept(r)]
        # A series that has gone, or come, has not kept to anything.
        lost = [r for r in each if (r.before is None) != (r.during is None)]
        wrong = _unknown(evidence, self.expr, each, whole)
        held = bool(whole) and not moved and not lost and wrong is None
        gone = (
            ""
            if moved or not lost
            else "no value in most of the " + ("fault" if lost[0].during is None else "baseline")
        )
        if held or moved or not wrong:
            seen = f"{gone}: {_seen(lost)}" if gone else _seen(moved or whole)
            code = "stays.held" if held else "stays.moved" if moved else "stays.lost"
            hint = "" if held else "the fault reaches this metric"
        else:
            seen, code, hint = wrong.seen, wrong.code("stays"), wrong.hint
        return Finding(
            check=f"stays({self.expr}, by={self.by:g})",
            held=held,
            code=code,
            expected=f"each series of {self.expr} keeps within {self.by:g} of its baseline's range",
            seen=seen,
            hint=hint,
            refuted=bool(moved or (lost and not wrong)),
        )

    def _kept(self, series: "_Ranges") -> bool:
        before, during = series.before, series.during
        assert before is not None
        assert during is not None
        return during[0] >= before[0] - self.by and during[1] <= before[1] + self.by


class Exists(BaseExpectation, frozen=True, kw_only=True, tag="exists"):
    """The expression has a value in the baseline."""

    expr: str

    @property
    def exprs(self) -> tuple[str, ...]:
        return (self.expr,)

    def check(self, evidence: Evidence) -> Finding:
        found = [r for r in _ranges(evidence, self.expr, least=0.0) if r.before is not None]
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
    """One series: (min, max) in the baseline and in the fault; None where it had no value in most of the phase."""

    labels: Labels
    before: Range | None
    during: Range | None


class _Unknown(NamedTuple):
    """Why an expression says nothing of the fault."""

    what: str
    seen: str
    hint: str

    def code(self, function: str) -> str:
        return f"{function}.{self.what}"


def _ranges(evidence: Evidence, expr: str, least: float = MOST) -> list[_Ranges]:
    """Each series of ``expr``; one without a value in most of both phases is left out."""
    out = []
    for track in evidence.series(expr):
        before, during = (_range(evidence, track, name, least) for name in ("baseline", "fault"))
        if before is not None or during is not None:
            out.append(_Ranges({**track.labels, **({"__name__": track.name} if track.name else {})}, before, during))
    return out


def _range(evidence: Evidence, track: Track, phase: str, least: float) -> Range | None:
    span = evidence.phase(phase)
    values = [
        v
        for t, v in zip(track.times, track.values, strict=True)
        if v is not None and not math.isnan(v) and span.start <= t < span.end
    ]
    return (min(values), max(values)) if values and len(values) > least * evidence.ticks(phase) else None


def _unknown(evidence: Evidence, expr: str, each: Sequence[_Ranges], whole: Sequence[_Ranges]) -> _Unknown | None:
    """Why an expression proves nothing; None where some series has values in most of both phases."""
    error = evidence.failed(expr)
    if error:
        return _Unknown("error", f"it cannot be evaluated: {error}", "correct the expression")
    if whole:
        return None
    if not each:
        some = any(v is not None for track in evidence.series(expr) for v in track.values)
        seen = "no series has a value in most of the baseline or the fault" if some else "no value"
        return _Unknown("absent", seen, _ABSENT)
    return _Unknown("absent", f"no series has a value in most of both phases: {_seen(each)}", _ABSENT)


def _seen(each: Sequence[_Ranges]) -> str:
    """The first series, and how many more there are."""
    first = each[0]
    name = {k: v for k, v in first.labels.items() if k != "__name__"}
    more = f" (and {len(each) - 1} more series)" if len(each) > 1 else ""
    which = f"{shown(name)} " if name else ""
    return f"{which}baseline {_shown(first.before)}, fault {_shown(first.during)}{more}"


def _shown(found: Range | None) -> str:
    return "no value" if found is None else f"{found[0]:.4g} to {found[1]:.4g}"

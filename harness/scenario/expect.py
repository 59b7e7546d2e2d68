"""Expectations: what an author says must happen. Frozen values; each checks evidence and answers a Finding.

They are tagged structs, so that a recording holds them as JSON and judge never loads the scenario file.
"""

import math
from typing import ClassVar, Protocol

import msgspec

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.errors import ScenarioError
from driftdrill.reports.data.timeline import Labels, Phase, Track
from driftdrill.reports.data.verdict import Finding, Response


class Evidence(Protocol):
    """What an expectation may look at."""

    def phase(self, name: str) -> Phase:
        """The named phase."""
        ...

    def responses(self, alert: str | None, labels: Labels, within: float | None = None) -> tuple[Response, ...]:
        """What the alert did (all alerts for None), over the instances that carry ``labels``."""
        ...

    def named(self) -> frozenset[str]:
        """The alerts that some expectation names."""
        ...

    def series(self, expr: str) -> tuple[Track, ...]:
        """The expression at every evaluation."""
        ...


class _Expectation(msgspec.Struct, frozen=True, kw_only=True, tag_field="expect"):
    """What all expectations share; each adds ``check(evidence) -> Finding``."""

    fires_alert: ClassVar[bool] = False
    """Whether it says that its alert must fire: such an alert may not fire before the fault."""

    @property
    def alerts(self) -> tuple[str, ...]:
        """The alert names that must exist in the rules."""
        return ()

    @property
    def exprs(self) -> tuple[str, ...]:
        """The PromQL expressions that the engine must evaluate for it."""
        return ()


def _text(labels: Labels) -> str:
    return "{" + ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "}" if labels else ""


class Fires(_Expectation, frozen=True, kw_only=True, tag="fires"):
    """The alert fires, in time."""

    fires_alert: ClassVar[bool] = True
    alert: str
    labels: Labels = {}
    within: float | None = None

    @property
    def alerts(self) -> tuple[str, ...]:
        return (self.alert,)

    def check(self, evidence: Evidence) -> Finding:
        (response,) = evidence.responses(self.alert, self.labels, self.within)
        limit = f"within {format_duration(self.within)} of" if self.within is not None else "after"
        within = f", within={format_duration(self.within)}" if self.within else ""
        name = f"fires({self.alert}{_text(self.labels)}{within})"
        seen: str = response.word
        if response.detect is not None:
            seen += f" after {rounded_duration(response.detect[1])}"
        margin = ""
        if response.detect is not None and self.within is not None:
            spare = self.within - response.detect[1]
            margin = f"{rounded_duration(abs(spare))} {'to spare' if spare >= 0 else 'too late'}"
        held = response.word in ("FIRED", "UNRESOLVED")
        return Finding(
            check=name,
            held=held,
            code="fires." + response.word.lower(),
            expected=f"{self.alert}{_text(self.labels)} fires {limit} the first faulty request",
            seen=seen + (f": {response.note}" if response.note else ""),
            where=response.where,
            margin=margin,
            hint="" if held else _fires_hint(response),
        )


def _fires_hint(response: Response) -> str:
    if response.word == "NOT_JUDGED":
        return _unjudged_hint(response)
    if response.word == "LATE":
        return "shorten the rule's range or `for`, or allow more with within="
    if response.word == "FALSE_ALARM":
        return "the alert fires without the fault: raise its threshold or lengthen its range"
    if response.peak is not None and response.peak < 1:
        return "the left side never crossed the threshold: lower it, or watch another metric"
    return "nothing that this rule reads moved far or long enough: it is blind to this fault"


def _unjudged_hint(response: Response) -> str:
    if not response.where:
        return "give the file that has it: --rules"
    return "lengthen warm_up or baseline, or give clean history with --history"


class Quiet(_Expectation, frozen=True, kw_only=True, tag="quiet"):
    """The alert (or every alert that no other expectation names) never fires."""

    alert: str | None
    labels: Labels = {}

    @property
    def alerts(self) -> tuple[str, ...]:
        return () if self.alert is None else (self.alert,)

    def check(self, evidence: Evidence) -> Finding:
        responses = evidence.responses(self.alert, self.labels)
        if self.alert is None:
            responses = tuple(r for r in responses if r.alert not in evidence.named())
        fired = [r for r in responses if r.word in ("FIRED", "LATE", "UNRESOLVED", "FALSE_ALARM")]
        unjudged = [r for r in responses if r.word == "NOT_JUDGED"]
        name = f"quiet({'everything else' if self.alert is None else self.alert + _text(self.labels)})"
        seen = (
            "; ".join(f"{r.alert} {r.word} at {rounded_duration(r.fired_at or 0.0)}" for r in fired) or "no alert fired"
        )
        held, code, hint, where = True, "quiet.held", "", ""
        if fired:
            held, code, where = False, "quiet.fired", fired[0].where
            hint = "name the alert with fires(...) if it is right to fire, else raise its threshold"
        elif self.alert is not None and unjudged:
            # Silence that was never put to the test is not quiet.
            held, code, where, seen = False, "quiet.not_judged", unjudged[0].where, unjudged[0].note
            hint = _unjudged_hint(unjudged[0])
        elif unjudged:
            seen += f"; not judged: {', '.join(sorted({r.alert for r in unjudged}))}"
        return Finding(
            check=name,
            held=held,
            code=code,
            expected=f"{'no other alert' if self.alert is None else 'no ' + self.alert} fires after warm-up",
            seen=seen,
            where=where,
            hint=hint,
        )


class Resolves(_Expectation, frozen=True, kw_only=True, tag="resolves"):
    """The alert, having fired, resolves in the recovery phase."""

    fires_alert: ClassVar[bool] = True
    alert: str
    labels: Labels = {}
    within: float | None = None

    @property
    def alerts(self) -> tuple[str, ...]:
        return (self.alert,)

    def check(self, evidence: Evidence) -> Finding:
        (response,) = evidence.responses(self.alert, self.labels)
        fault_end = evidence.phase("fault").end
        limit = (
            f" within {format_duration(self.within)} of the fault's end"
            if self.within is not None
            else " after the fault"
        )
        took = None if response.resolved_at is None else max(0.0, response.resolved_at - fault_end)
        held = response.fired_at is not None and took is not None and (self.within is None or took <= self.within)
        if response.fired_at is None:
            seen, code = f"{response.word}: it never fired", "resolves.silent"
        elif took is None:
            seen, code = "still firing at the end of recovery", "resolves.unresolved"
        else:
            seen, code = (
                f"resolved {rounded_duration(took)} after the fault's end",
                "resolves.held" if held else "resolves.late",
            )
        return Finding(
            check=f"resolves({self.alert}{_text(self.labels)})",
            held=held,
            code=code,
            expected=f"{self.alert}{_text(self.labels)} resolves{limit}",
            seen=seen,
            where=response.where,
            hint="" if held else "look at the rule's range and keep_firing_for, or lengthen recovery",
        )


class Moves(_Expectation, frozen=True, kw_only=True, tag="moves"):
    """The expression leaves, during the fault, the range that it kept in the baseline."""

    expr: str
    above: float | None = None
    below: float | None = None
    by: float | None = None

    @property
    def exprs(self) -> tuple[str, ...]:
        return (self.expr,)

    def check(self, evidence: Evidence) -> Finding:
        before, during = _range(evidence, self.expr, "baseline"), _range(evidence, self.expr, "fault")
        goal = self._goal(before)
        moved = before is not None and during is not None and self._moved(before, during)
        return Finding(
            check=f"moves({self.expr})",
            held=moved,
            code="moves.held" if moved else "moves.stayed" if before and during else "moves.absent",
            expected=f"{self.expr} {goal}",
            seen=f"baseline {_shown(before)}, fault {_shown(during)}",
            hint="" if moved else "check the metric's name and labels" if not during else "it does not show the fault",
        )

    def _goal(self, before: tuple[float, float] | None) -> str:
        if self.above is not None:
            return f"rises above {self.above:g} in the fault and not before"
        if self.below is not None:
            return f"falls below {self.below:g} in the fault and not before"
        if self.by is not None:
            return f"leaves the baseline's range by more than {self.by:g}"
        return f"leaves the baseline's range {_shown(before)} by more than its width"

    def _moved(self, before: tuple[float, float], during: tuple[float, float]) -> bool:
        if self.above is not None:
            return during[1] > self.above >= before[1]
        if self.below is not None:
            return during[0] < self.below <= before[0]
        room = self.by if self.by is not None else before[1] - before[0]
        return during[1] > before[1] + room or during[0] < before[0] - room


class Stays(_Expectation, frozen=True, kw_only=True, tag="stays"):
    """The expression keeps, during the fault, to the baseline's range widened by ``by``."""

    expr: str
    by: float

    @property
    def exprs(self) -> tuple[str, ...]:
        return (self.expr,)

    def check(self, evidence: Evidence) -> Finding:
        before, during = _range(evidence, self.expr, "baseline"), _range(evidence, self.expr, "fault")
        held = (
            before is not None
            and during is not None
            and during[0] >= before[0] - self.by
            and during[1] <= before[1] + self.by
        )
        return Finding(
            check=f"stays({self.expr}, by={self.by:g})",
            held=held,
            code="stays.held" if held else "stays.moved" if before and during else "stays.absent",
            expected=f"{self.expr} keeps within {self.by:g} of the baseline's range",
            seen=f"baseline {_shown(before)}, fault {_shown(during)}",
            hint=""
            if held
            else "check the metric's name and labels"
            if not during
            else "the fault reaches this metric",
        )


class Exists(_Expectation, frozen=True, kw_only=True, tag="exists"):
    """The expression has a value in the baseline."""

    expr: str

    @property
    def exprs(self) -> tuple[str, ...]:
        return (self.expr,)

    def check(self, evidence: Evidence) -> Finding:
        found = _range(evidence, self.expr, "baseline")
        return Finding(
            check=f"exists({self.expr})",
            held=found is not None,
            code="exists.held" if found else "exists.absent",
            expected=f"{self.expr} has a value in the baseline",
            seen=f"baseline {_shown(found)}",
            hint="" if found else "check the metric's name and labels on the metrics page",
        )


def _range(evidence: Evidence, expr: str, phase: str) -> tuple[float, float] | None:
    """(min, max) of all series of ``expr`` in a phase; None where there is no value at all."""
    span = evidence.phase(phase)
    values = [
        v
        for track in evidence.series(expr)
        for t, v in zip(track.times, track.values, strict=True)
        if v is not None and not math.isnan(v) and span.start <= t < span.end
    ]
    return (min(values), max(values)) if values else None


def _shown(found: tuple[float, float] | None) -> str:
    return "no value" if found is None else f"{found[0]:.4g} to {found[1]:.4g}"


Expectation = Fires | Quiet | Resolves | Moves | Stays | Exists
everything_else = None
"""``quiet(everything_else)``: no alert that no other expectation names may fire."""


def _name(function: str, value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ScenarioError(f"{function}: {what} must be a non-empty text, not {value!r}")
    return value


def _duration(function: str, value: float | None) -> float | None:
    if value is not None and not (isinstance(value, (int, float)) and 0 < value < float("inf")):
        raise ScenarioError(f"{function}: within must be seconds above 0, not {value!r}", hint="within=5 * minutes")
    return value


def fires(alert: str, *, labels: Labels | None = None, within: float | None = None) -> Fires:
    """``alert`` fires on an instance that carries ``labels``, ``within`` seconds of the first faulty request."""
    return Fires(alert=_name("fires", alert, "alert"), labels=labels or {}, within=_duration("fires", within))


def quiet(alert: str | None, *, labels: Labels | None = None) -> Quiet:
    """``alert`` never fires after warm-up; ``quiet(everything_else)`` says so of every alert not named."""
    return Quiet(alert=None if alert is None else _name("quiet", alert, "alert"), labels=labels or {})


def resolves(alert: str, *, labels: Labels | None = None, within: float | None = None) -> Resolves:
    """``alert`` fired and is resolved ``within`` seconds of the fault's end (by the end of recovery for None)."""
    return Resolves(alert=_name("resolves", alert, "alert"), labels=labels or {}, within=_duration("resolves", within))


def moves(expr: str, *, above: float | None = None, below: float | None = None, by: float | None = None) -> Moves:
    """The PromQL ``expr`` moves: above or below a value that the baseline kept, or out of its range ``by`` units."""
    if sum(x is not None for x in (above, below, by)) > 1:
        raise ScenarioError(f"moves({expr}): give one of above, below, by")
    return Moves(expr=_name("moves", expr, "expr"), above=above, below=below, by=by)


def stays(expr: str, *, by: float) -> Stays:
    """The PromQL ``expr`` keeps to its baseline range, widened ``by`` units, during the fault."""
    if not by >= 0:
        raise ScenarioError(f"stays({expr}): by must be 0 or more, not {by!r}")
    return Stays(expr=_name("stays", expr, "expr"), by=by)


def exists(expr: str) -> Exists:
    """The PromQL ``expr`` has a value in the baseline."""
    return Exists(expr=_name("exists", expr, "expr"))

"""Expectations of alerts: one fires, is quiet, is silent in a trap, resolves."""

from collections.abc import Sequence

import msgspec

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.scenario.expectation import BaseExpectation, Evidence, shown
from driftdrill.reports.data.timeline import Labels
from driftdrill.reports.data.verdict import Finding, Response


class _OfOneAlert(BaseExpectation, frozen=True, kw_only=True):
    """What is expected of the alert of one name, of its instances that carry the labels."""

    alert: str
    labels: Labels = msgspec.field(default_factory=dict)

    @property
    def alerts(self) -> tuple[str, ...]:
        return (self.alert,)


class Fires(_OfOneAlert, frozen=True, kw_only=True, tag="fires"):
    """The alert fires, in time."""

    within: float | None = None

    def check(self, evidence: Evidence) -> Finding:
        response = _first(evidence.responses(self.alert, self.labels, self.within), _STRONGEST)
        limit = f"within {format_duration(self.within)} of" if self.within is not None else "after"
        within = f", within={format_duration(self.within)}" if self.within else ""
        seen: str = response.word
        fired = response.fired_at is not None and response.detect is not None
        if fired and response.detect is not None:
            seen += f" after {rounded_duration(response.detect[1])}"
        margin = ""
        if fired and response.detect is not None and self.within is not None:
            spare = self.within - response.detect[1]
            margin = f"{rounded_duration(abs(spare))} {'to spare' if spare >= 0 else 'too late'}"
        held = response.word in ("FIRED", "UNRESOLVED")
        code, hint = "fires." + response.word.lower(), "" if held else _fires_hint(response)
        said = response.note
        if response.word == "SILENT" and response.why:
            said = response.why[0].says
        elif response.word == "SILENT" and (unborn := evidence.unborn_of(self.alert)) is not None:
            which, fires_then = unborn
            said = f"no scrape had {which}"
            hint = f"it {'fires' if fires_then else 'does not fire'} once such a series is born: the fault made none"
        seen += f": {said}" if said else ""
        refuted = response.word != "NOT_JUDGED"
        others = self._others(evidence) if response.fired_at is None and self.labels else ""
        if others:
            seen, code, refuted = others, "fires.other_labels", True
            hint = "name labels that the alert has: those of its rule and of the series that it reads"
        return Finding(
            check=f"fires({self.alert}{shown(self.labels)}{within})",
            held=held,
            code=code,
            expected=f"{self.alert}{shown(self.labels)} fires {limit} the first faulty request",
            seen=seen,
            where=response.where,
            margin=margin,
            hint=hint,
            refuted=refuted,
        )

    def _others(self, evidence: Evidence) -> str:
        """The instances that fired, where none carries the labels that were asked for."""
        fired = [i for r in evidence.responses(self.alert, {}, self.within) for i in r.instances]
        return f"{self.alert} fired with {_listed(fired)}, none with {shown(self.labels)}" if fired else ""


_STRONGEST = ("FALSE_ALARM", "FIRED", "UNRESOLVED", "LATE", "SILENT", "NOT_JUDGED")
_LEAST_SILENT = ("FALSE_ALARM", "FIRED", "UNRESOLVED", "LATE", "NOT_JUDGED", "SILENT")


def _first(responses: Sequence[Response], order: Sequence[str]) -> Response:
    """Of the rules of one name, the one whose word comes first."""
    return min(responses, key=lambda r: order.index(r.word))


def _resolution(r: Response) -> tuple[int, float]:
    """Of the rules of one name, the one that is furthest from having fired and resolved; a silent one last."""
    if r.fired_at is not None and r.resolved_at is None:
        return 0, 0.0
    if r.word == "NOT_JUDGED":
        return 1, 0.0
    return (4, 0.0) if r.fired_at is None else (2 if r.vanished else 3, -(r.resolved_at or 0.0))


def _listed(instances: Sequence[Labels]) -> str:
    """The first three label sets, and how many more there are."""
    named = " and ".join(shown(labels) or "no labels" for labels in instances[:3])
    return named + (f" and {len(instances) - 3} more" if len(instances) > 3 else "")


def _fires_hint(response: Response) -> str:
    if response.word == "NOT_JUDGED":
        return _unjudged_hint(response)
    if response.word == "LATE":
        return "shorten the rule's range or `for`, or allow more with within="
    if response.word == "FALSE_ALARM":
        always = [why for why in response.why if why.check in ("absent_of_nothing", "always_true")]
        if always:
            return f"{always[0].says}: {always[0].hint}"
        return "the alert fires without the fault: raise its threshold or lengthen its range"
    if response.note.startswith("differs with"):
        return "it fires at some of them only: see the note"
    if response.why:
        return response.why[0].hint or response.why[0].says
    if "reads the time of day" in response.marks:
        return "it may be silent at this time of day only: judge it at another, with --at"
    if response.peak is not None and response.peak < 1:
        return "the left side never crossed the threshold: lower it, or watch another metric"
    return "nothing that this rule reads moved far or long enough: it is blind to this fault"


def _unjudged_hint(response: Response) -> str:
    if not response.where:
        return "give the file that has it: --rules"
    if "look-back" in response.note:
        return "lengthen warm_up or baseline, or give clean history with --history"
    if "no rule of this name" in response.note or "can give it" in response.note:
        return "name labels that the rule has"
    if "virtual time" in response.note or "order that is not said" in response.note:
        return "drill it with --clock wall"
    return "the drill left it untested: see the note, and drill it again"


class Quiet(BaseExpectation, frozen=True, kw_only=True, tag="quiet"):
    """The alert (or every instance of an alert that no other expectation selects) never fires."""

    alert: str | None
    labels: Labels = msgspec.field(default_factory=dict)

    @property
    def alerts(self) -> tuple[str, ...]:
        return () if self.alert is None else (self.alert,)

    def check(self, evidence: Evidence) -> Finding:
        responses = evidence.unselected() if self.alert is None else evidence.responses(self.alert, self.labels)
        fired = [r for r in responses if r.word in ("FIRED", "LATE", "UNRESOLVED", "FALSE_ALARM")]
        unjudged = [r for r in responses if r.word == "NOT_JUDGED"]
        unable = [r for r in responses if r.word == "SILENT" and any(why.cannot_fire for why in r.why)]
        seen = "; ".join(_fired(r) for r in fired) or "no alert fired"
        held, code, hint, where, refuted = True, "quiet.held", "", "", True
        if fired:
            held, code, where = False, "quiet.fired", fired[0].where
            hint = "name the alert with fires(...) if it is right to fire, else raise its threshold"
        elif self.alert is not None and unjudged:
            # Silence that was never put to the test is not quiet.
            held, code, refuted, where, seen = False, "quiet.not_judged", False, unjudged[0].where, unjudged[0].note
            hint = _unjudged_hint(unjudged[0])
        elif self.alert is not None and unable:
            why = next(why for why in unable[0].why if why.cannot_fire)
            held, code, refuted, where = False, "quiet.cannot_fire", False, unable[0].where
            seen = f"it could not have fired: {why.says}"
            hint = why.hint or "an alert that cannot fire is not quiet: say silent(...) of a trap"
        elif self.alert is not None and (unborn := evidence.unborn_of(self.alert)) is not None:
            which, fires_then = unborn
            seen = f"no alert fired; no scrape had {which}: it {'fires' if fires_then else 'does not fire'} once born"
            if not fires_then:
                held, code, refuted, where = False, "quiet.cannot_fire", False, responses[0].where
                hint = "the engine was asked with such a series that rises steeply, and with one that is 0"
        elif self.alert is None and unjudged and len(unjudged) == len(responses):
            held, code, refuted, seen = False, "quiet.not_judged", False, f"none was judged: {_names(unjudged)}"
            hint = _unjudged_hint(unjudged[0])
        else:
            seen += f"; not judged: {_names(unjudged)}" if unjudged else ""
            seen += f"; cannot fire: {_names(unable)}" if unable else ""
        return Finding(
            check=f"quiet({'everything else' if self.alert is None else self.alert + shown(self.labels)})",
            held=held,
            code=code,
            expected=f"{'no other alert' if self.alert is None else 'no ' + self.alert} fires after warm-up",
            seen=seen,
            where=where,
            hint=hint,
            refuted=refuted,
        )


def _names(responses: Sequence[Response]) -> str:
    return ", ".join(sorted({r.alert for r in responses}))


def _fired(r: Response) -> str:
    which = f" with {_listed(r.instances)}" if any(r.instances) else ""
    return f"{r.alert} {r.word} at {rounded_duration(r.fired_at or 0.0)}{which}"


class Silent(_OfOneAlert, frozen=True, kw_only=True, tag="silent"):
    """The alert stays silent although the fault is there, for a reason that is known: a trap."""

    because: str

    def check(self, evidence: Evidence) -> Finding:
        responses = evidence.responses(self.alert, self.labels)
        others_first = sorted(responses, key=lambda r: any(why.check == self.because for why in r.why))
        response = _first(others_first, _LEAST_SILENT)
        found = [why for why in response.why if why.check == self.because]
        held = response.word == "SILENT" and bool(found)
        if response.word == "SILENT":
            others = ", ".join(why.check for why in response.why) or "no reason was found"
            seen = found[0].says if found else f"SILENT, but not for that reason: {others}"
            code = "silent.held" if held else "silent.other_reason"
        else:
            seen, code = (
                response.word + (f": {response.note}" if response.note else ""),
                f"silent.{response.word.lower()}",
            )
        return Finding(
            check=f"silent({self.alert}{shown(self.labels)}, because={self.because})",
            held=held,
            code=code,
            expected=f"{self.alert}{shown(self.labels)} stays silent, because of {self.because}",
            seen=seen,
            where=response.where,
            hint="" if held else "docs/why says what each reason means; a rule that works is expected with fires(...)",
            refuted=response.word != "NOT_JUDGED",
        )


class Resolves(_OfOneAlert, frozen=True, kw_only=True, tag="resolves"):
    """The alert, having fired, resolves in the recovery phase."""

    within: float | None = None

    def check(self, evidence: Evidence) -> Finding:
        responses = evidence.responses(self.alert, self.labels)
        response = min(responses, key=_resolution)
        fault_end = evidence.phase("fault").end
        limit = (
            f" within {format_duration(self.within)} of the fault's end"
            if self.within is not None
            else " after the fault"
        )
        took = None if response.resolved_at is None else max(0.0, response.resolved_at - fault_end)
        held = response.fired_at is not None and took is not None and (self.within is None or took <= self.within)
        hint = "look at the rule's range and keep_firing_for, or lengthen recovery"
        refuted = True
        if response.word == "NOT_JUDGED":
            seen, code, held, refuted = f"NOT_JUDGED: {response.note}", "resolves.not_judged", False, False
            hint = _unjudged_hint(response)
        elif response.fired_at is None:
            seen, code = f"{response.word}: it never fired", "resolves.silent"
        elif took is None:
            seen, code = "still firing at the end of recovery", "resolves.unresolved"
            if response.word == "FIRED":  # it had no time to resolve
                seen, refuted = response.note, False
        elif response.vanished:
            seen, code, held = response.note, "resolves.vanished", False
            hint = "an alert whose series is gone ends without being right again: watch its absence too, with absent()"
        else:
            seen, code = (
                f"resolved {rounded_duration(took)} after the fault's end",
                "resolves.held" if held else "resolves.late",
            )
        return Finding(
            check=f"resolves({self.alert}{shown(self.labels)})",
            held=held,
            code=code,
            expected=f"{self.alert}{shown(self.labels)} resolves{limit}",
            seen=seen,
            where=response.where,
            hint="" if held else hint,
            refuted=refuted,
        )

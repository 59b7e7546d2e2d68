"""What each alert did, in one word, with its evidence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.judge.engine.promtool_run import Points
from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.scenario.expectation import shown
from driftdrill.reports.data.timeline import AlertTrack, Interval, Labels, Phase
from driftdrill.reports.data.verdict import Response, ResponseWord


@dataclass(frozen=True)
class Facts:
    """What the words are decided from."""

    phases: Mapping[str, Phase]
    fault_began: float | None
    """Scenario seconds of the first request with strength > 0; None if there was none."""
    tracks: Sequence[AlertTrack]
    """Of the drilled target."""
    left: Mapping[str, Points]
    """What an alert compares -> its values at every evaluation, NaN included."""
    history: float = 0.0
    """Seconds of clean history before the drill."""
    step: float = 15.0
    """Seconds between evaluations of groups without an interval of their own."""
    scrape: float = 15.0
    """Seconds between scrapes."""
    moments: Sequence[float] = ()
    """A moment of evaluation of each group of the rules."""
    first_scrapes: Mapping[str, float | None] = field(default_factory=dict)
    """Metric -> scenario seconds of the first scrape in the fault phase of a page that ever had it; None: none."""
    ended: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Metric -> when series of it had a last sample: before the end, or before they were away for a while."""

    def evaluations(self, known: KnownRule) -> npt.NDArray[np.float64]:
        """When a rule was evaluated, scenario seconds."""
        step = known.group.interval or self.step
        moment = self.moments[known.group_index] if known.group_index < len(self.moments) else 0.0
        end = self.phases["recovery"].end
        first, last = math.ceil(-moment / step), math.floor((end - moment) / step + 1e-9)
        return np.asarray(moment + step * np.arange(first, last + 1), dtype=np.float64)


def of_rule(tracks: Sequence[AlertTrack], known: KnownRule) -> list[AlertTrack]:
    """The instances of one rule: those of its place; where no place is known, those of its name and labels."""
    return [
        t
        for t in tracks
        if t.alert == known.rule.name
        and (t.rule in (None, known.index))
        and (t.rule is not None or (t.where == known.where if t.where else carries(t.labels, known.labels)))
    ]


@dataclass(frozen=True)
class Decided:
    """A word, why, and the moments that it stands on, scenario seconds."""

    word: ResponseWord
    note: str = ""
    fired_at: float | None = None
    pending_at: float | None = None
    resolved_at: float | None = None
    detect: tuple[float, float] | None = None
    vanished: bool = False


def respond(
    facts: Facts,
    known: KnownRule,
    labels: Labels,
    within: float | None,
    expected: bool,
    *,
    untested: str = "",
    unjudged: str = "",
) -> Response:
    """The response of one alert, over its instances that carry ``labels``.

    ``untested`` is why its silence proves nothing, ``unjudged`` why nothing that it did proves anything; empty where
    they do.
    """
    own = [t for t in of_rule(facts.tracks, known) if carries(t.labels, labels)]
    decided = (
        _not_judged(_too_short(facts, known) or unjudged)
        or _without_fault(facts, known, own)
        or _in_fault(facts, known, own, within)
        or _not_judged(_unevaluated(facts, known) or untested)
        or Decided("SILENT", silence(facts, known, labels, _intervals(own, "pending")))
    )
    evaluations = facts.evaluations(known)
    return Response(
        alert=known.rule.name,
        where=known.where,
        labels=dict(labels),
        expected=expected,
        within=within,
        peak=peak(facts, known, labels),
        evaluations=len(evaluations),
        with_value=_with_value(facts, known, evaluations),
        instances=tuple(t.labels for t in own if any(i.end > _from(facts, known) for i in _intervals([t], "firing"))),
        **vars(decided),
    )


def _not_judged(why: str) -> Decided | None:
    return Decided("NOT_JUDGED", why) if why else None


def _too_short(facts: Facts, known: KnownRule) -> str:
    """That an alert looks back further than there is before the fault; empty where it does not."""
    needs, has = known.look_back + known.rule.for_, facts.phases["fault"].start + facts.history
    longer = f"look-back + for is {format_duration(needs)}, warm-up + baseline {format_duration(has)}"
    return longer if needs > has else ""


def _from(facts: Facts, known: KnownRule) -> float:
    """From when on what an alert does is judged: after warm-up, once it has all that it looks back at."""
    return max(facts.phases["baseline"].start, known.look_back - facts.history)


def _without_fault(facts: Facts, known: KnownRule, own: Sequence[AlertTrack]) -> Decided | None:
    """What fired without the fault: before it, or where none was sent; None where nothing did."""
    began, start = facts.fault_began, facts.phases["fault"].start
    firing = [i for i in _intervals(own, "firing") if i.end > _from(facts, known)]
    first = firing[0] if firing else None
    if first is None or (began is not None and first.start >= began):
        return None
    note = "fired although no fault was sent"
    if first.start < start:
        note = f"fired in the baseline, at {rounded_duration(first.start)}"
    elif began is not None:
        note = f"fired {rounded_duration(began - first.start)} before the first faulty request"
    resolved = None if began is None and first.start >= start else _end(first, _last(facts))
    return Decided("FALSE_ALARM", note, fired_at=first.start, resolved_at=resolved)


def _in_fault(facts: Facts, known: KnownRule, own: Sequence[AlertTrack], within: float | None) -> Decided | None:
    """What fired after the first faulty request; None where nothing did."""
    fault, began = facts.phases["fault"], facts.fault_began
    firing = [i for i in _intervals(own, "firing") if began is not None and i.start >= began]
    if not firing or began is None:
        return None
    first, last = firing[0], firing[-1]
    pending = [p.start for p in _intervals(own, "pending") if began <= p.start <= first.start]
    detect = first.start - began

    def fired(word: ResponseWord, note: str, vanished: bool = False) -> Decided:
        resolved = _end(last, _last(facts))
        return Decided(word, note, first.start, pending[-1] if pending else None, resolved, (detect, detect), vanished)

    # What the fault left in the metrics is seen by the next scrape, and that by the next evaluation.
    if first.start > fault.end + known.settle + facts.scrape + (known.group.interval or facts.step):
        late_by = rounded_duration(first.start - fault.end)
        return fired("FALSE_ALARM", f"fired {late_by} after the fault's end, longer than it looks back")
    limit = fault.end - began if within is None else within
    if detect > limit:
        return fired("LATE", f"first fired {rounded_duration(detect - limit)} too late")
    return fired(*_ending(facts, known, own, last, _last(facts)))


def _last(facts: Facts) -> float:
    """The drill's end, scenario seconds."""
    recovery = facts.phases["recovery"]
    return recovery.end if len_of(recovery) else facts.phases["fault"].end


def _ending(
    facts: Facts, known: KnownRule, own: Sequence[AlertTrack], last: Interval, end: float
) -> tuple[ResponseWord, str, bool]:
    """(FIRED or UNRESOLVED, what is to be said of how it ended, whether its series vanished)."""
    fault, evaluations = facts.phases["fault"], facts.evaluations(known)
    if _end(last, end) is not None:
        gone = next((t for t in own if vanished(facts, known, t)), None)
        if gone is None:
            return "FIRED", "", False
        which = f" {shown(gone.labels)}" if len(own) > 1 else ""
        return "FIRED", f"it{which} resolved because its series vanished, not because it got better", True
    every, room = known.group.interval or facts.step, end - fault.end
    # That the fault is over is seen by the next scrape, and that by the next evaluation.
    needed = known.settle + facts.scrape + every
    again = ((evaluations > fault.end) & (evaluations >= fault.end + known.settle)).any()
    if room >= known.settle and not again:
        often = f"evaluated every {format_duration(every)}, it was not evaluated again after the fault"
        return "FIRED", f"still firing at the end: {often}", False
    if room < needed:
        long = format_duration(needed)
        return "FIRED", f"still firing at the end; recovery is shorter than the {long} that it needs", False
    return "UNRESOLVED", "still firing at the end of recovery", False


def _unevaluated(facts: Facts, known: KnownRule) -> str:
    """That no evaluation could see the fault, where that is so."""
    fault, evaluations = facts.phases["fault"], facts.evaluations(known)
    scraped = [facts.first_scrapes[m] for m in known.metrics or facts.first_scrapes if m in facts.first_scrapes]
    times = [t for t in scraped if t is not None]
    if scraped and not times:
        return "no page that it reads was scraped in the fault"
    seen_from = min(times, default=fault.start)
    if ((evaluations >= seen_from) & (evaluations < fault.end)).any():
        return ""
    every = format_duration(known.group.interval or facts.step)
    return f"no evaluation after a scrape in the fault: its group is evaluated every {every}"


def unfed(facts: Facts, known: KnownRule, rules: Rules, seen: frozenset[int] = frozenset()) -> str:
    """That all that a rule reads is recorded by groups of which no evaluation could see the fault, where that is so."""
    names = known.analysed.metrics
    if not names or known.index in seen:
        return ""
    why = ""
    for name in sorted(names):
        makers = rules.makers(name)
        missing = [_unevaluated(facts, k) or unfed(facts, k, rules, seen | {known.index}) for k in makers]
        if not all(missing) or not makers:
            return ""
        why = why or f"it reads {name} ({makers[0].where}), which had {missing[0]}"
    return why


def _with_value(facts: Facts, known: KnownRule, evaluations: npt.NDArray[np.float64]) -> int | None:
    """At how many evaluations what it compares had a value; None where it compares nothing."""
    left = facts.left.get(known.analysed.left or "")
    if left is None:
        return None
    had = {
        round(t, 3) for times, values in left.values() for t, v in zip(times, values, strict=True) if not math.isnan(v)
    }
    return sum(round(float(t), 3) in had for t in evaluations)


def vanished(facts: Facts, known: KnownRule, track: AlertTrack) -> bool:
    """Whether, when an instance resolved last, what it compares had no value for it, because a series that it reads had
    ended, or was away for a while."""
    left = facts.left.get(known.analysed.left or "")
    if left is None or not (known.analysed.metrics or frozenset()).isdisjoint(ALERT_SERIES):
        return False  # what reads ALERTS has no value once they resolve, which is well
    start = facts.phases["fault"].start
    at = max((i.end for i in track.intervals if i.state == "firing" and i.end > start), default=-math.inf)
    if not any(start <= t <= at for name in known.metrics or facts.ended for t in facts.ended.get(name, ())):
        return False
    step = max(facts.step, known.group.interval or 0.0)
    valued = (
        dict(key)
        for key, (times, values) in left.items()
        if any(not math.isnan(v) and at <= t + 1e-6 < at + step for t, v in zip(times, values, strict=True))
    )
    return not any(all(track.labels.get(k, v) == v for k, v in labels.items() if k != "__name__") for labels in valued)


PHASE_NOTE = "differs with the phase"
MOMENT_NOTE = "differs with the moment"
_WORST = ("FALSE_ALARM", "NOT_JUDGED", "SILENT", "LATE", "UNRESOLVED", "FIRED")


def over_phases(each: Sequence[Response]) -> Response:
    """The responses at several phases as one: the worst word, time to detect as a range."""
    words = [r.word for r in each]
    counts = ", ".join(f"{words.count(w)} of {len(words)} {w}" for w in dict.fromkeys(words))
    return _merged(each, f"{PHASE_NOTE} between scrape and evaluation: {counts}")


def over_moments(each: Sequence[Response], moments: Sequence[str]) -> Response:
    """The responses at several moments as one, likewise."""
    said = ", ".join(f"{r.word} at {at}" for r, at in zip(each, moments, strict=True))
    return _merged(each, f"{MOMENT_NOTE}: {said}")


def _merged(each: Sequence[Response], note: str) -> Response:
    worst = min(each, key=lambda r: _WORST.index(r.word))
    if len(each) == 1:
        return worst
    ends = [end for r in each if r.detect is not None for end in r.detect]
    detect = (min(ends), max(ends)) if ends else None
    return replace(worst, detect=detect, note=note if len({r.word for r in each}) > 1 else worst.note)


def len_of(phase: Phase) -> float:
    """A phase's length, seconds."""
    return phase.end - phase.start


def carries(track_labels: Labels, labels: Labels) -> bool:
    """Whether an alert has all of ``labels``. One without a value is one that it has not, as in a matcher."""
    return all(track_labels.get(k, "") == v for k, v in labels.items())


def _intervals(tracks: Sequence[AlertTrack], state: str) -> list[Interval]:
    return sorted((i for t in tracks for i in t.intervals if i.state == state), key=lambda i: i.start)


def _end(interval: Interval, end: float) -> float | None:
    """When it resolved; None if it still fired at the end."""
    return interval.end if interval.end <= end else None


def peak(facts: Facts, known: KnownRule, labels: Labels) -> float | None:
    """How near the left side came to the threshold from the fault's start on, 1 = the threshold; None if unknown."""
    threshold = known.analysed.threshold
    if threshold is None or not 0 < threshold.number < math.inf or threshold.comparison not in (">", ">=", "<", "<="):
        return None
    before, during = _left_values(facts, known, labels)
    if not during:
        return None
    if threshold.comparison in (">", ">="):
        # A left side that rose no higher than before says nothing of the fault.
        return max(max(during) / threshold.number, 0.0) if not before or max(during) > max(before) else None
    lowest = min(during)
    return threshold.number / lowest if lowest > 0 and (not before or lowest < min(before)) else None


def _left_values(facts: Facts, known: KnownRule, labels: Labels) -> tuple[list[float], list[float]]:
    """The left side's values after warm-up, (before the fault, and from then on as long as the rule looks back)."""
    begin, fault = facts.phases["baseline"].start, facts.phases["fault"]
    start, end = fault.start, fault.end + known.look_back + facts.scrape + facts.step
    points = [
        (t, v)
        for key, (times, values) in facts.left.get(known.analysed.left or "", {}).items()
        if all(dict(key).get(k, value) == value for k, value in labels.items())
        for t, v in zip(times, values, strict=True)
        if not math.isnan(v) and begin <= t <= end
    ]
    return [v for t, v in points if t < start], [v for t, v in points if t >= start]


def silence(facts: Facts, known: KnownRule, labels: Labels, pending: Sequence[Interval]) -> str:
    """One sentence on how near a silent alert came."""
    threshold = known.analysed.threshold
    fault = facts.phases["fault"]
    close = [p for p in pending if p.end > fault.start]
    if close:
        longest, whole = max(p.end - p.start for p in close), _longest_union(close)
        needed = f"`for: {format_duration(known.rule.for_)}`"
        if whole > longest + 1e-6:
            each = f"no instance of it for longer than {rounded_duration(longest)}"
            return f"above its threshold for {rounded_duration(whole)}, {each}, and {needed} counts for each"
        short = known.rule.for_ - longest + (known.group.interval or facts.step)
        above, missing = rounded_duration(longest), rounded_duration(max(short, 0.0))
        return f"above its threshold for {above}, {missing} too short for {needed}"
    near = peak(facts, known, labels)
    if near is not None and threshold is not None:
        return f"peaked at {near:.0%} of its threshold ({threshold.comparison} {threshold.number:g})"
    if threshold is not None and facts.left.get(threshold.left) == {}:
        return "its left side never had a value"
    if threshold is not None and threshold.left in facts.left:
        return f"its left side did not move towards the threshold ({threshold.comparison} {threshold.number:g})"
    return "its expression was never true"


def _longest_union(spans: Sequence[Interval]) -> float:
    """The longest time in which some instance was pending without a gap, seconds."""
    longest, start, end = 0.0, math.inf, -math.inf
    for span in sorted(spans, key=lambda i: i.start):
        start, end = (span.start, span.end) if span.start > end + 1e-6 else (start, max(end, span.end))
        longest = max(longest, end - start)
    return longest

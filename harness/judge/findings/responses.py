"""What each alert did, in one word, with its evidence."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.reports.data.timeline import AlertTrack, Interval, Labels, Phase, Track
from driftdrill.reports.data.verdict import Response, ResponseWord


@dataclass(frozen=True)
class Facts:
    """What the words are decided from."""

    phases: Mapping[str, Phase]
    fault_began: float | None
    """Scenario seconds of the first request with strength > 0; None if there was none."""
    tracks: Sequence[AlertTrack]
    left: Mapping[str, Sequence[Track]]
    """Left side of a threshold -> its series at every evaluation."""
    history: float = 0.0
    """Seconds of clean history before the drill."""
    step: float = 15.0
    """Seconds between evaluations."""
    scrape: float = 15.0
    """Seconds between scrapes."""


def respond(facts: Facts, known: KnownRule, labels: Labels, within: float | None, expected: bool) -> Response:
    """The response of one alert, over its instances that carry ``labels``."""
    warm_up_end, fault, end = facts.phases["baseline"].start, facts.phases["fault"], facts.phases["recovery"].end
    if not len_of(facts.phases["recovery"]):
        end = fault.end
    firing = _intervals(facts.tracks, known.rule.name, labels, "firing")
    pending = _intervals(facts.tracks, known.rule.name, labels, "pending")
    needs, has = known.look_back + known.rule.for_, fault.start + facts.history

    def make(word: ResponseWord, note: str = "", **times: float | tuple[float, float] | None) -> Response:
        return Response(
            alert=known.rule.name,
            word=word,
            where=known.where,
            labels=dict(labels),
            expected=expected,
            within=within,
            peak=peak(facts, known, labels),
            note=note,
            **times,  # type: ignore[arg-type]
        )

    if needs > has:
        longer = f"look-back + for is {format_duration(needs)}, warm-up + baseline {format_duration(has)}"
        return make("NOT_JUDGED", longer)
    judged_from = max(warm_up_end, known.look_back - facts.history)
    early = [i for i in firing if i.end > judged_from and i.start < fault.start]
    if early:
        note = f"fired in the baseline, at {rounded_duration(early[0].start)}"
        return make("FALSE_ALARM", note, fired_at=early[0].start, resolved_at=_end(early[0], end))
    began = facts.fault_began
    later = [i for i in firing if i.start >= fault.start]
    if not later or began is None:
        if later:
            return make("FALSE_ALARM", "fired although no fault was sent", fired_at=later[0].start)
        return make("SILENT", silence(facts, known, labels, pending))
    first = later[0]
    before_first = [p for p in pending if began <= p.start <= first.start]
    detect = first.start - began
    times: dict[str, float | tuple[float, float] | None] = {
        "fired_at": first.start,
        "pending_at": before_first[-1].start if before_first else None,
        "resolved_at": _end(later[-1], end),
        "detect": (detect, detect),
    }
    # What the fault left in the metrics is seen by the next scrape, and that by the next evaluation.
    if first.start > fault.end + known.settle + facts.scrape + facts.step:
        late_by = rounded_duration(first.start - fault.end)
        return make("FALSE_ALARM", f"fired {late_by} after the fault's end, longer than it looks back", **times)
    limit = fault.end - began if within is None else within
    if detect > limit:
        return make("LATE", f"first fired {rounded_duration(detect - limit)} too late", **times)
    if times["resolved_at"] is None and end - fault.end >= known.settle:
        return make("UNRESOLVED", "still firing at the end of recovery", **times)
    note = ""
    if times["resolved_at"] is None:
        note = f"still firing at the end; recovery is shorter than the {format_duration(known.settle)} that it needs"
    return make("FIRED", note, **times)


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
    """Whether an alert's labels contain all of ``labels``."""
    return all(track_labels.get(k) == v for k, v in labels.items())


def _intervals(tracks: Sequence[AlertTrack], alert: str, labels: Labels, state: str) -> list[Interval]:
    found = [i for t in tracks if t.alert == alert and carries(t.labels, labels) for i in t.intervals]
    return sorted((i for i in found if i.state == state), key=lambda i: i.start)


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
        return max(during) / threshold.number if not before or max(during) > max(before) else None
    lowest = min(during)
    return threshold.number / lowest if lowest > 0 and (not before or lowest < min(before)) else None


def _left_values(facts: Facts, known: KnownRule, labels: Labels) -> tuple[list[float], list[float]]:
    """The left side's values after warm-up, (before the fault, and from then on as long as the rule looks back)."""
    begin, fault = facts.phases["baseline"].start, facts.phases["fault"]
    start, end = fault.start, fault.end + known.look_back + facts.scrape + facts.step
    left = known.analysed.threshold.left if known.analysed.threshold else ""
    points = [
        (t, v)
        for track in facts.left.get(left, ())
        if all(track.labels.get(k, value) == value for k, value in labels.items())
        for t, v in zip(track.times, track.values, strict=True)
        if v is not None and begin <= t <= end
    ]
    return [v for t, v in points if t < start], [v for t, v in points if t >= start]


def silence(facts: Facts, known: KnownRule, labels: Labels, pending: Sequence[Interval]) -> str:
    """One sentence on how near a silent alert came."""
    threshold = known.analysed.threshold
    fault = facts.phases["fault"]
    close = [p for p in pending if p.end > fault.start]
    if close:
        longest = max(p.end - p.start for p in close)
        short = known.rule.for_ - longest + facts.step
        return (
            f"above its threshold for {rounded_duration(longest)}, {rounded_duration(max(short, 0.0))} too short for "
            f"`for: {format_duration(known.rule.for_)}`"
        )
    near = peak(facts, known, labels)
    if near is not None and threshold is not None:
        return f"peaked at {near:.0%} of its threshold ({threshold.comparison} {threshold.number:g})"
    if threshold is not None and facts.left.get(threshold.left) == ():
        return "its left side never had a value"
    if threshold is not None and threshold.left in facts.left:
        return f"its left side did not move towards the threshold ({threshold.comparison} {threshold.number:g})"
    return "its expression was never true"

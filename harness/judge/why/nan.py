"""NaN on the left side: no comparison with NaN is true, but ``!=``."""

import math
from collections.abc import Sequence

import numpy as np

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.rules.promql import matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import one_series
from driftdrill.harness.judge.why.phrases import series as series_text
from driftdrill.harness.judge.why.readings import between, points, readings, series_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import Track
from driftdrill.reports.data.verdict import Reason

_HINT = "a sum with one NaN in it is NaN for good: count NaN apart; only NaN differs from itself (x != x)"
_BEYOND_NAN = {
    "!=",
    "count",
    "count_over_time",
    "present_over_time",
    "changes",
    "timestamp",
    "group",
    "or",
    "max",
    "min",
}
"""What answers a number for NaN, or may."""
_MOST = 0.5
"""So much of the fault's evaluations must be NaN."""


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    tracks = nan_tracks(rule, seen)
    if not tracks:
        return _without_threshold(rule, seen) if rule.analysed.threshold is None else None
    source = _source(rule, seen)
    if source is None:
        return None
    began, series = source
    says = f"its left side was NaN {since(tracks[0], seen)}: {one_series(series.labels)} was NaN from "
    says += f"{rounded_duration(began)} on{_request(seen, began)}"
    return Reason("nan", says, _HINT, cannot_fire=always(tracks, seen))


def _without_threshold(rule: KnownRule, seen: Seen) -> Reason | None:
    """Of a rule that compares no number: whether all that some selector found was NaN all through the fault."""
    for reading in readings(rule, seen.rules) if seen.fault else ():
        if reading.optional or set(reading.around) & _BEYOND_NAN:
            continue
        there = [between(points(s), *seen.fault)[1] for s in series_of(reading, seen)] if seen.fault else []
        if there and all(len(v) > 1 and np.isnan(v).all() for v in there):
            says = f"every series of {series_text(reading.name, matchers(reading.node))} was NaN all through the fault"
            return Reason("nan", says, _HINT)
    return None


def nan_tracks(rule: KnownRule, seen: Seen) -> list[Track]:
    """The series of a threshold's left side that were NaN through most of the fault, those most of it first."""
    threshold = rule.analysed.threshold
    if threshold is None or threshold.comparison == "!=" or seen.fault is None:
        return []
    shares = [(_share(track, *seen.fault), track) for track in seen.left.get(threshold.left, ())]
    return [track for share, track in sorted(shares, key=lambda s: -s[0]) if share >= _MOST]


def always(tracks: Sequence[Track], seen: Seen) -> bool:
    """Whether they were NaN before the fault too, wherever they were there."""
    assert seen.fault is not None
    return all(_share(track, 0.0, seen.fault[0]) == 1.0 for track in tracks)


def since(track: Track, seen: Seen) -> str:
    """From when on a series was NaN, up to the fault's end."""
    assert seen.fault is not None
    flags = [(t, is_nan(v)) for t, v in zip(track.times, track.values, strict=True) if t <= seen.fault[1]]
    start = None
    for t, nan in reversed(flags):
        if not nan:
            return f"from {rounded_duration(start)} on" if start is not None else "most of the fault"
        start = t
    return "from the first evaluation on"


def is_nan(value: float | None) -> bool:
    """Whether a value of a track is NaN, of which it makes a gap."""
    return value is None or math.isnan(value)


def _share(track: Track, start: float, end: float) -> float:
    inside = [is_nan(v) for t, v in zip(track.times, track.values, strict=True) if start <= t <= end]
    return sum(inside) / len(inside) if inside else 0.0


def _source(rule: KnownRule, seen: Seen) -> tuple[float, Samples] | None:
    """(since when, which) of the first series that the rule reads and that was NaN in the fault."""
    assert seen.fault is not None
    found = []
    for reading in readings(rule, seen.rules):
        for series in series_of(reading, seen):
            times, values = points(series)
            if np.isnan(between((times, values), *seen.fault)[1]).any():
                found.append((float(times[np.isnan(values)][0]), series))
    return min(found, key=lambda f: f[0], default=None)


def _request(seen: Seen, began: float) -> str:
    """The request whose prediction was the first NaN, where one of the last two scrapes before could show it."""
    requests = seen.requests
    if requests is None or not len(requests):
        return ""
    answered = (requests.failure == "") | (requests.failure == "undecodable")
    bad = answered & np.isnan(requests.prediction).any(axis=1)
    bad &= (requests.intended <= began) & (requests.intended >= began - 2 * seen.scrape)
    if not bad.any():
        return ""
    first = int(np.flatnonzero(bad)[0])
    return f", after request {int(requests.slot[first])} at {rounded_duration(requests.intended[first])}"

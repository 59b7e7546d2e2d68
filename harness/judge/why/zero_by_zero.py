"""0/0 on the left side: a ratio of two rates is NaN while nothing happens."""

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.rules.promql import matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.nan import always, nan_tracks, since
from driftdrill.harness.judge.why.phrases import series as named
from driftdrill.harness.judge.why.readings import RATES, Reading, between, points, readings, series_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    tracks = nan_tracks(rule, seen)
    if not tracks:
        return None
    for reading in readings(rule, seen.rules):
        if reading.divisor and reading.function in RATES and (still := _still_since(reading, seen)) is not None:
            what = named(reading.name, matchers(reading.node))
            says = f"its left side was 0/0, NaN, {since(tracks[0], seen)}: {what} stood still from "
            says += f"{rounded_duration(still)} on"
            hint = "watch the traffic itself: sum(rate(...)) == 0, or absent(...)"
            return Reason("zero_by_zero", says, hint, cannot_fire=always(tracks, seen))
    return None


def _still_since(reading: Reading, seen: Seen) -> float | None:
    """From when on all counters of the divisor stood still, up to the fault's end; None if they moved."""
    assert seen.fault is not None
    there = [between(points(s), 0.0, seen.fault[1]) for s in series_of(reading, seen)]
    there = [(t, v) for t, v in there if len(t)]
    if not there or reading.range is None:
        return None
    moved = 0.0
    for times, values in there:
        steps = [t for t, before, v in zip(times[1:], values, values[1:], strict=False) if v != before]
        moved = max(moved, float(steps[-1]) if steps else float(times[0]))
    return moved if seen.fault[1] - moved > reading.range else None

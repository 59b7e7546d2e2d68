"""Scrapes further apart than the look-back: the series goes stale between them, and ``for`` begins anew."""

import numpy as np

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import and_through, one_series
from driftdrill.harness.judge.why.readings import between, points, readings, series_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    if seen.fault is None or not rule.rule.for_:
        return None
    start, end = seen.fault
    for reading in readings(rule, seen.rules):
        if reading.range is not None or any(a.endswith("_over_time") for a in reading.around):
            continue
        for series in series_of(reading, seen):
            times = between(points(series), start - seen.look_back_delta, end)[0]
            gaps = np.diff(times)
            if not len(gaps) or gaps.max() <= seen.look_back_delta:
                continue
            often = int((gaps > seen.look_back_delta).sum())
            says = f"{one_series(series.labels)} had no sample for {rounded_duration(float(gaps.max()))}, "
            says += f"{often} time{'s' if often > 1 else ''} in the fault: it is stale after "
            says += f"{format_duration(seen.look_back_delta)}, and `for: {format_duration(rule.rule.for_)}` begins anew"
            hint = "scrape at least every two minutes, or ask for last_over_time(...[15m])"
            return Reason("stale_between_scrapes", and_through(says, reading.through), hint)
    return None

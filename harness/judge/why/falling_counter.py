"""A counter that falls and comes back while its target is up: several processes answer for one page in turn."""

import numpy as np

from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import and_through, one_series
from driftdrill.harness.judge.why.readings import RATES, points, readings, series_of, target
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.verdict import Reason

_COUNTERS = ("_total", "_count", "_bucket")
_SOON = 5
"""Scrapes within which a counter that fell is back where it was, if another process answers."""
_TWICE = 2


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for reading in readings(rule, seen.rules):
        if not (reading.name or "").endswith(_COUNTERS) or reading.function not in RATES:
            continue
        for series in series_of(reading, seen):
            falls = falls_and_returns(series, seen)
            if falls >= _TWICE and not _restarts(series, seen):
                says = f"{one_series(series.labels)} fell {falls} times while up was 1, and was back soon: several "
                says += "workers answer for this page in turn, and rate() takes each fall for a restart"
                hint = "one page for all workers (PROMETHEUS_MULTIPROC_DIR of prometheus_client), or a target for each"
                return Reason("falling_counter", and_through(says, reading.through), hint)
    return None


def falls_and_returns(series: Samples, seen: Seen) -> int:
    """How often a series fell from one scrape to the next and soon was no lower than before."""
    times, values = points(series)
    falls = np.flatnonzero((np.diff(values) < 0) & (np.diff(times) <= 1.5 * seen.scrape))
    up = [s for s in seen.named.get("up", ()) if target(s) == target(series)]
    down = {round(t) for s in up for t, v in zip(*points(s), strict=True) if v == 0}
    found = 0
    for i in falls.tolist():
        back = values[i + 2 : i + 2 + _SOON]
        if (back >= values[i]).any() and round(times[i + 1]) not in down:
            found += 1
    return found


def _restarts(series: Samples, seen: Seen) -> bool:
    """Whether the process was started anew again and again: its start time only ever rises, and rises often."""
    for start in seen.named.get("process_start_time_seconds", ()):
        if target(start) == target(series):
            steps = np.diff(points(start)[1])
            return bool((steps >= 0).all() and (steps > 0).sum() >= _TWICE)
    return False

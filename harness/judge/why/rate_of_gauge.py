"""rate() of a value that goes up and down: every fall passes for a counter's restart."""

import numpy as np

from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import and_through
from driftdrill.harness.judge.why.readings import RATES, points, readings, series_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.verdict import Reason

_OF_COUNTERS = ("_total", "_count", "_bucket", "_sum", "_created")
_OFTEN = 0.1
"""A gauge falls in at least so many of its steps,"""
_STEPS = 20
"""of at least so many;"""
_DEEP = 0.1
"""a restarted counter falls to below so much of what it was."""


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for reading in readings(rule, seen.rules):
        name = reading.name or ""
        if reading.function not in RATES or not name or name.endswith(_OF_COUNTERS):
            continue
        for series in series_of(reading, seen):
            falls, steps = shallow_falls(series)
            if steps >= _STEPS and falls >= _OFTEN * steps:
                says = f"{name} fell in {falls} of {steps} steps, as a gauge does: {reading.function}() takes a fall "
                says += "for a restart, and counts the whole value anew"
                return Reason("rate_of_gauge", and_through(says, reading.through), "deriv() or delta() of a gauge")
    return None


def shallow_falls(series: Samples) -> tuple[int, int]:
    """(steps down that no restart makes, all steps)."""
    values = points(series)[1]
    before, after = values[:-1], values[1:]
    return int(((after < before) & (after > _DEEP * np.abs(before))).sum()), len(before)

"""A range that holds too few samples: rate() needs two of them, and one missed scrape leaves fewer."""

import numpy as np

from driftdrill.durations import format_duration
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import and_through
from driftdrill.harness.judge.why.readings import OF_CHANGE, Reading, points, readings, series_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason

_SCRAPES = 4
"""A range of so many scrapes survives a missed one (robustperception.io, "What range should I use with rate()?")."""


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for reading in readings(rule, seen.rules):
        span = reading.range
        if span is None or reading.function not in OF_CHANGE or span >= _SCRAPES * seen.scrape:
            continue
        said = f"the range [{format_duration(span)}] of {reading.name} spans {span / seen.scrape:.2g} scrapes "
        said += f"({format_duration(seen.scrape)})"
        hint = f"a range of at least {format_duration(_SCRAPES * seen.scrape)}"
        short, all_ = _short_of_two(reading, span, seen)
        if short:
            often = "never" if short == all_ else f"at only {all_ - short} of {all_} evaluations in the fault"
            says = f"{said}: {often} did it hold the two samples that {reading.function}() needs"
            return Reason("short_range", and_through(says, reading.through), hint, cannot_fire=short == all_)
        if _began_and_ended(rule, seen):
            says = f"{said}: so short a range follows every scrape, and the alert was pending and ended again"
            return Reason("short_range", and_through(says, reading.through), hint)
    return None


def _short_of_two(reading: Reading, span: float, seen: Seen) -> tuple[int, int]:
    """(evaluations in the fault at which the range of a series that was there held fewer than two samples, all)."""
    if seen.fault is None:
        return 0, 0
    start, end = seen.fault
    ticks = np.arange(start, end, seen.step)
    short, alive = np.zeros(len(ticks), dtype=bool), np.zeros(len(ticks), dtype=bool)
    for series in series_of(reading, seen):
        times = points(series)[0]
        if len(times) > 1:
            there = (ticks >= times[0] + span) & (ticks <= times[-1])
            held = np.searchsorted(times, ticks, "right") - np.searchsorted(times, ticks - span, "left")
            alive |= there
            short |= there & (held < 2)
    return int(short.sum()), int(alive.sum())


def _began_and_ended(rule: KnownRule, seen: Seen) -> bool:
    """Whether the alert was pending at least twice in the fault: ``for`` began anew."""
    if seen.fault is None or not rule.rule.for_:
        return False
    start, end = seen.fault
    spans = [
        [i for i in t.intervals if i.state == "pending" and start <= i.start <= end]
        for t in seen.tracks
        if t.alert == rule.rule.name
    ]
    return any(len(found) >= 2 for found in spans)

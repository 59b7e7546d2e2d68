"""A metric that ended in the fault while a similar one began: it was renamed."""

import difflib
from collections.abc import Sequence

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import and_through, several
from driftdrill.harness.judge.why.readings import Reading, between, points, readings, series_of, target
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.verdict import Reason

_ALIKE = 0.6
_SHARE = 0.25
"""They must be gone for so much of the fault."""


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for reading, ended in gone(rule, seen):
        names = successors(reading, ended, seen)
        if names:
            says = f"{reading.name} was there until {rounded_duration(ended)}, then {several(names)} in its place"
            hint = f"absent({reading.name}) tells when a metric goes; rename it in the rule too"
            return Reason("renamed_in_fault", and_through(says, reading.through), hint)
    return None


def gone(rule: KnownRule, seen: Seen) -> Sequence[tuple[Reading, float]]:
    """(reading, when) of what a rule needs and that ended in the fault, for a good part of it."""
    all_read = readings(rule, seen.rules)
    if seen.fault is None or any(a.startswith("absent") for r in all_read for a in r.around):
        return ()
    found = []
    for reading in all_read:
        last = _last(series_of(reading, seen), seen.fault, seen.scrape)
        if last is not None and not reading.optional and not _hidden_zeros(reading, last, seen):
            found.append((reading, last))
    return found


def _last(there: Sequence[Samples], fault: tuple[float, float], scrape: float) -> float | None:
    """The last sample before series were gone for a good part of the fault; None if they were not."""
    start, end = fault
    live = [t[t <= end] for t, _ in map(points, there)]
    last = max((float(t[-1]) for t in live if len(t)), default=end)
    enough = max(2.5 * scrape, _SHARE * (end - start))
    return last if start - 1.5 * scrape <= last <= end - enough else None


def _hidden_zeros(reading: Reading, last: float, seen: Seen) -> bool:
    """Whether only zeros ended, beside series of the same metric that went on: nothing happened under these labels."""
    there = series_of(reading, seen)
    others = [s for s in seen.named.get(reading.name or "", ()) if target(s) in set(map(target, there))]
    went_on = any((points(s)[0] > last + seen.scrape).any() for s in others if id(s) not in set(map(id, there)))
    return went_on and not any(between(points(s), 0.0, last)[1].any() for s in there)


def successors(reading: Reading, ended: float, seen: Seen) -> Sequence[str]:
    """Metrics of the same target that began as this one ended and are called much like it."""
    if reading.name is None:
        return ()
    targets = {target(s) for s in series_of(reading, seen)}
    found = set()
    for name, there in seen.named.items():
        firsts = [float(t[0]) for s in there if target(s) in targets and len(t := points(s)[0])]
        if firsts and ended < min(firsts) <= ended + 3 * seen.scrape and _alike(reading.name, name):
            found.add(name)
    return sorted(found, key=lambda n: -difflib.SequenceMatcher(None, reading.name or "", n).ratio())[:2]


def _alike(a: str, b: str) -> bool:
    return a != b and difflib.SequenceMatcher(None, a, b).ratio() >= _ALIKE

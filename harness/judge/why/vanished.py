"""Series that ended in the fault: a comparison with nothing is nothing, so ``up == 0`` is silent without an ``up``."""

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.rules.promql import matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import renamed_in_fault
from driftdrill.harness.judge.why.phrases import and_through, one_series, series
from driftdrill.harness.judge.why.readings import Reading, points, series_of, target
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for reading, ended in renamed_in_fault.gone(rule, seen):
        if renamed_in_fault.successors(reading, ended, seen):
            continue
        what = series(reading.name, matchers(reading.node))
        says = f"every series of {what} ended at {rounded_duration(ended)}, in the fault: nothing was left to compare"
        born = _born(reading, ended, seen)
        says += f"; {born} began" if born else ""
        says += _why(reading, seen, ended)
        return Reason("vanished", and_through(says, reading.through), f"beside it, absent({what})")
    return None


def _born(reading: Reading, ended: float, seen: Seen) -> str:
    """A series of the same metric that began as these ended, with other labels."""
    for s in seen.named.get(reading.name or "", ()):
        times = points(s)[0]
        if len(times) and ended < times[0] <= ended + 3 * seen.scrape:
            return one_series(s.labels)
    return ""


def _why(reading: Reading, seen: Seen, ended: float) -> str:
    """What ``up`` of its target said from then on."""
    targets = {target(s) for s in series_of(reading, seen)}
    if reading.name == "up" or seen.fault is None:
        return ""
    values = [
        v
        for s in seen.named.get("up", ())
        if target(s) in targets
        for t, v in zip(*points(s), strict=True)
        if ended < t <= seen.fault[1]
    ]
    if not values:
        return ""
    return " (up was 0)" if max(values) == 0 else " (up was 1)" if min(values) == 1 else ""

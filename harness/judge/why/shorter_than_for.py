"""An alert that was above its threshold time and again, and never for as long as its ``for`` asks."""

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import changing_labels, error_in_fault, stale_between_scrapes
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    if not rule.rule.for_ or seen.fault is None:
        return None
    if any(check.find(rule, seen) for check in (changing_labels, error_in_fault, stale_between_scrapes)):
        return None
    start, end = seen.fault
    own = seen.tracks_of(rule)
    spans = [i for t in own for i in t.intervals if i.state == "pending" and i.end > start and i.start < end]
    if not spans or any(i.state == "firing" and i.start >= start for t in own for i in t.intervals):
        return None
    longest = max(i.end - i.start for i in spans)
    times = f"{len(spans)} times, " if len(spans) > 1 else ""
    says = (
        f"it was pending {times}for {rounded_duration(longest)} at most, and `for: {format_duration(rule.rule.for_)}` "
    )
    says += "begins anew each time" if len(spans) > 1 else "asks for more"
    hint = "average what it compares, avg_over_time(...[5m]), in place of a long `for`"
    return Reason("shorter_than_for", says, hint if len(spans) > 1 else "shorten `for`, or let the fault last longer")

"""A rule that waits for the ALERTS of other alerts, which were silent themselves."""

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.promql import matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.alert_series import STATES, fitting
from driftdrill.harness.judge.why.labels import NAME, matches
from driftdrill.harness.judge.why.phrases import and_through, several
from driftdrill.harness.judge.why.readings import readings
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for reading in readings(rule, seen.rules) if seen.fault else ():
        if reading.name not in ALERT_SERIES or reading.optional:
            continue
        given = [m for m in matchers(reading.node) if m[0] != NAME]
        awaited = [k for k in fitting(reading.name, given, seen.rules) if k.index != rule.index]
        states = {s for s in STATES if all(matches(m, s) for m in given if m[0] == "alertstate")}
        if not awaited or any(_was(k, states, seen) for k in awaited):
            continue
        names = several(f"{k.rule.name} ({k.where})" for k in awaited)
        says = f"it waits for {names}, which was never {' or '.join(s for s in STATES if s in states)} in the fault"
        return Reason(
            "awaits_silent_alert",
            and_through(says, reading.through),
            f"look first at why {several(k.rule.name for k in awaited)} was silent",
        )
    return None


def _was(known: KnownRule, states: set[str], seen: Seen) -> bool:
    """Whether an alert was in one of these states in the fault."""
    assert seen.fault is not None
    start, end = seen.fault
    return any(
        i.state in states and i.end > start and i.start < end for t in seen.tracks_of(known) for i in t.intervals
    )

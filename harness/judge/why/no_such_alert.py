"""A rule that waits for the ALERTS of an alert that there is not: misspelled, in another state, of another severity."""

import difflib

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.promql import Matcher, kind, matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.alert_series import fitting, possible
from driftdrill.harness.judge.why.dry import dry
from driftdrill.harness.judge.why.labels import NAME
from driftdrill.harness.judge.why.phrases import and_through, series, several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for d in dry(rule, seen.sets):
        name = metric(d.node) if kind(d.node) == "VectorSelector" else None
        if name not in ALERT_SERIES:
            continue
        given = [m for m in matchers(d.node) if m[0] != NAME]
        if name is None or fitting(name, given, seen.rules):
            continue
        says, hint = _of(name, given, seen, rule)
        says = f"no alert of the rules makes {series(name, given)}: {says}"
        return Reason("no_such_alert", and_through(says, d.through), hint, cannot_fire=d.whole)
    return None


def _of(name: str, given: list[Matcher], seen: Seen, rule: KnownRule) -> tuple[str, str]:
    """(what keeps the matchers from all alerts, what to do)."""
    alone = [m for m in given if not fitting(name, [m], seen.rules)]
    m = alone[0] if alone else given[-1]
    others = fitting(name, [o for o in given if o is not m], seen.rules) or seen.rules.alerts
    values = [v for k in others if k is not rule for v in possible(name, m[0], k) or () if v]
    there = several(values)
    if m[0] == "alertname":
        near = difflib.get_close_matches(m[2].lower(), {v.lower() for v in values}, n=1)
        named = [v for v in values if v.lower() in near]
        hint = f"did you mean {named[0]}?" if named else "give the file that has it: --rules"
        return f"they are called {there}" if there else "there is no other", hint
    if m[0] == "alertstate" and name != "ALERTS":
        return f"{name} has no alertstate", "ask for ALERTS"
    if m[0] == "alertstate":
        pending = m[2] == "pending" and m[1] == "="
        why = f"{several(k.rule.name for k in others)} has no `for`, and is never pending" if pending else ""
        return why or "alertstate is pending or firing", 'alertstate="firing"'
    return f"{m[0]} was {there}" if there else f"none has the label {m[0]}", f"correct {m[0]}, or leave it out"

"""ALERTS and ALERTS_FOR_STATE: which alerts make the series that a selector asks for (rules/alerting.go, sample)."""

from collections.abc import Sequence

from driftdrill.harness.judge.rules.promql import Matcher, tree
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.judge.why.labels import matches
from driftdrill.harness.judge.why.shape import labels_at_most

STATES = ("pending", "firing")


def fitting(name: str, given: Sequence[Matcher], rules: Rules) -> list[KnownRule]:
    """The alerts whose series of this name may have labels that all matchers take; what a template or the expression
    gives may be anything."""
    return [k for k in rules.alerts if all(_may_take(m, name, k) for m in given)]


def possible(name: str, label: str, known: KnownRule) -> tuple[str, ...] | None:
    """The values that a label of an alert's series can have, "" of none; None: any."""
    if label == "alertname":
        return (known.rule.name,)
    if label == "alertstate":
        if name != "ALERTS":
            return ("",)
        # Without `for` an alert fires at the evaluation at which it begins.
        return STATES if known.rule.for_ else STATES[1:]
    said = (known.group.labels | known.rule.labels).get(label)
    if said is not None:
        return None if "{{" in said else (said,)
    root = tree(known.rule.expr)
    names = None if root is None else labels_at_most(root)
    return None if names is None or label in names else ("",)


def _may_take(m: Matcher, name: str, known: KnownRule) -> bool:
    values = possible(name, m[0], known)
    return values is None or any(matches(m, v) for v in values)

"""A threshold that the left side cannot reach, whatever happens: count() of nothing is nothing."""

from typing import Any

from driftdrill.harness.judge.rules.analysed import AlertThreshold
from driftdrill.harness.judge.rules.promql import COMPARISONS, constant, kind, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.bounds import ValueRange, Values
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason

_HINTS = {
    "count": "a comparison with nothing is nothing: use absent(...), or `... or vector(0)`",
    "info": "count by the label that changes: count(count by (version) (...)) > 1",
}


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    node, threshold = left_of(rule), rule.analysed.threshold
    if node is None or threshold is None or not seen.sets.of(node):
        return None
    bounds = Values(seen, seen.sets).of(node)
    if bounds.by in ("bucket", "") or is_share(bounds, threshold) or not never(bounds, threshold):
        return None
    says = f"{bounds.why}: `{threshold.comparison} {threshold.number:g}` is never true"
    return Reason("out_of_range", says, _HINTS.get(bounds.by, "correct the threshold"), cannot_fire=True)


def left_of(rule: KnownRule) -> Any | None:
    """The left side of the rule's threshold."""
    root = tree(rule.rule.expr)
    while root is not None and kind(root) == "ParenExpr":
        root = root.expr
    if root is None or kind(root) != "BinaryExpr" or str(root.op) not in COMPARISONS:
        return None
    return root.lhs if constant(root.lhs) is None else root.rhs


def never(bounds: ValueRange, threshold: AlertThreshold) -> bool:
    """Whether no value between the bounds is beyond the threshold."""
    number = threshold.number
    match threshold.comparison:
        case ">":
            return bounds.high <= number
        case ">=":
            return bounds.high < number
        case "<":
            return bounds.low >= number
        case "<=":
            return bounds.low > number
        case "==":
            return not bounds.low <= number <= bounds.high
    return bounds.low == bounds.high == number


def is_share(bounds: ValueRange, threshold: AlertThreshold) -> bool:
    """Whether a share is compared with what looks like per cent."""
    return (
        bounds.by == "share"
        and threshold.comparison in (">", ">=")
        and bounds.low >= 0
        and bounds.high <= 1 < threshold.number <= 100
    )

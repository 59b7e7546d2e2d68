"""A threshold that the left side cannot reach, whatever happens: count() of nothing is nothing."""

from collections.abc import Iterator, Sequence
from typing import Any

from driftdrill.harness.judge.rules.analysed import FLIPPED, AlertThreshold
from driftdrill.harness.judge.rules.promql import COMPARISONS, bare, constant, has_bool, kind, show, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.bounds import ANYTHING, ValueRange, Values
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason

_HINTS = {
    "count": "a comparison with nothing is nothing: use absent(...), or `... or vector(0)`",
    "info": "count by the label that changes: count(count by (version) (...)) > 1",
}


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for node, threshold in comparisons(rule):
        bounds = Values(seen, seen.sets).of(node) if seen.sets.of(node) else ANYTHING
        if bounds.by not in ("bucket", "") and not is_share(bounds, threshold) and never(bounds, threshold):
            says = f"{bounds.why}: `{threshold.comparison} {threshold.number:g}` is never true"
            return Reason("out_of_range", says, _HINTS.get(bounds.by, "correct the threshold"), cannot_fire=True)
    return None


def comparisons(rule: KnownRule) -> Sequence[tuple[Any, AlertThreshold]]:
    """(left side, threshold) of each comparison with a number that must be true for the alert to fire."""
    root = tree(rule.rule.expr)
    return [] if root is None else list(_comparisons(root))


def _comparisons(node: Any) -> Iterator[tuple[Any, AlertThreshold]]:
    node = bare(node)
    if kind(node) != "BinaryExpr":
        return
    op, right, left = str(node.op), constant(node.rhs), constant(node.lhs)
    if op in ("and", "unless"):
        yield from _comparisons(node.lhs)
        if op == "and":
            yield from _comparisons(node.rhs)
    elif op in COMPARISONS and not has_bool(node):
        if right is not None and left is None:
            yield node.lhs, AlertThreshold(show(node.lhs), op, right)
        elif left is not None and right is None:
            yield node.rhs, AlertThreshold(show(node.rhs), FLIPPED[op], left)


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

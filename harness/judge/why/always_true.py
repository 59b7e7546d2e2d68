"""A comparison that is true wherever there is a series: the alert fires with the first scrape, whatever is measured."""

from typing import Any

from driftdrill.harness.judge.rules.analysed import FLIPPED
from driftdrill.harness.judge.rules.promql import COMPARISONS, bare, children, constant, has_bool, kind, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.conditions import Conditions
from driftdrill.harness.judge.why.phrases import code
from driftdrill.harness.judge.why.reals import beyond
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import is_scalar
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    root = bare(tree(rule.rule.expr))
    if kind(root) != "BinaryExpr" or str(root.op) not in COMPARISONS or not _fired_before(rule, seen):
        return None
    if has_bool(root):
        says = f"{code(root)} answers 0 or 1, and an alert fires with 0 as well: `bool` does not filter"
        return Reason("always_true", says, "leave `bool` out")
    right, left = constant(root.rhs), constant(root.lhs)
    if (right is None) == (left is None):
        return None
    node, op, number = (root.rhs, FLIPPED[str(root.op)], left) if right is None else (root.lhs, str(root.op), right)
    if number is None or _filters(node):
        return None
    cases = Conditions(seen).of(node)
    if not cases or any(c.values.both(beyond(op, number).others()).stretches for c in cases):
        return None
    given = next((limit.given for c in cases for limit in reversed([*c.limits.values()]) if limit.given), "")
    return Reason("always_true", f"{code(root)} is true wherever it has a value: {given}", "correct the comparison")


def _filters(node: Any) -> bool:
    """Whether a part of it is there at times only: what is filtered, taken away or absent."""
    if is_scalar(node):
        return False
    if kind(node) == "Call" and node.func.name.startswith("absent"):
        return True
    if kind(node) == "BinaryExpr" and str(node.op) in (*COMPARISONS, "and", "or", "unless"):
        return not has_bool(node)
    return any(map(_filters, children(node)))


def _fired_before(rule: KnownRule, seen: Seen) -> bool:
    """Whether it fired before the fault."""
    start = seen.fault[0] if seen.fault is not None else float("inf")
    return any(i.state == "firing" and i.start < start for t in seen.tracks_of(rule) for i in t.intervals)

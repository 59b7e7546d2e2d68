"""What the text of an expression alone tells of what it answers."""

from typing import Any

from driftdrill.harness.judge.rules.promql import constant, kind, matchers
from driftdrill.harness.judge.why.labels import NAME

CHOICES = ("topk", "bottomk", "limitk", "limit_ratio")
"""Aggregations that answer some of their series as they are."""


def metric(node: Any) -> str | None:
    """The metric's name that a selector asks for; None: it asks for several."""
    exact = [value for label, op, value in matchers(node) if (label, op) == (NAME, "=")]
    return node.name or (exact[0] if exact else None)


def is_scalar(node: Any) -> bool:
    """Whether an expression is a number at every evaluation, and no vector."""
    match kind(node):
        case "NumberLiteral":
            return True
        case "ParenExpr" | "UnaryExpr":
            return is_scalar(node.expr)
        case "BinaryExpr":
            return is_scalar(node.lhs) and is_scalar(node.rhs)
        case "Call":
            return node.func.name in ("time", "pi", "scalar")
    return constant(node) is not None


def labels_at_most(node: Any) -> set[str] | None:
    """The labels that an expression can have at most, where its text tells."""
    match kind(node):
        case "ParenExpr" | "UnaryExpr":
            return labels_at_most(node.expr)
        case "AggregateExpr" if str(node.op) not in (*CHOICES, "count_values"):
            how = node.modifier
            return set() if how is None else set(how.labels) if str(how.type).endswith("By") else None
        case "AggregateExpr" if str(node.op) in CHOICES:
            return labels_at_most(node.expr)
        case "BinaryExpr" if is_scalar(node.lhs) or is_scalar(node.rhs):
            return labels_at_most(node.rhs if is_scalar(node.lhs) else node.lhs)
        case "BinaryExpr" if str(node.op) in ("and", "unless"):
            return labels_at_most(node.lhs)
    return None

"""What an alert joins by ``and`` and ``unless``: each side must have a series, or must not."""

from collections.abc import Iterator
from typing import Any

from driftdrill.harness.judge.rules.promql import bare, constant, kind, show, tree


def joins(node: Any) -> Iterator[Any]:
    """The operators ``and`` and ``unless`` that decide whether an expression has a series, the outermost first."""
    node = bare(node)
    if kind(node) != "BinaryExpr" or str(node.op) not in ("and", "unless"):
        return
    yield node
    yield from joins(node.lhs)
    if str(node.op) == "and":
        yield from joins(node.rhs)


def operands(expr: str) -> tuple[str, ...]:
    """Both sides of each of these in an alert's expression, as PromQL."""
    root = tree(expr)
    sides = () if root is None else [side for node in joins(root) for side in (node.lhs, node.rhs)]
    return tuple(dict.fromkeys(show(side) for side in sides if constant(side) is None))

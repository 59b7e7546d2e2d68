"""scalar() of several series: it is NaN unless there is exactly one (promql/functions.go, funcScalar)."""

from collections.abc import Iterator
from typing import Any

from driftdrill.harness.judge.rules.promql import COMPARISONS, bare, children, kind, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import code, labels_text
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import is_scalar
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    root = tree(rule.rule.expr)
    if root is None or seen.fault is None:
        return None
    during, before = seen.within(*seen.fault), seen.within(0.0, seen.fault[0])
    for node, compared in _scalars(root, decides=False):
        found, was = during.of(node.args[0]), before.of(node.args[0])
        if found is None or len(found) < 2 or _filters(node.args[0]):
            continue
        first, second, *_ = sorted(found, key=sorted)
        common = first & second
        says = f"{code(node)} is NaN: {code(node.args[0])} has {len(found)} series, such as "
        says += f"{labels_text(first - common)} and {labels_text(second - common)}, and no comparison with NaN is true"
        hint = "scalar() wants exactly one series: aggregate to one, or join with `on (...)`"
        return Reason("scalar_of_several", says, hint, cannot_fire=compared and was is not None and len(was) > 1)
    return None


def _scalars(node: Any, decides: bool) -> Iterator[tuple[Any, bool]]:
    """(call of scalar(), whether the whole expression is a comparison with it)."""
    node = bare(node)
    if kind(node) == "Call" and node.func.name == "scalar":
        yield node, decides
    filters = kind(node) == "BinaryExpr" and str(node.op) in COMPARISONS and str(node.op) != "!="
    for child in children(node):
        yield from _scalars(child, filters and is_scalar(child))


def _filters(node: Any) -> bool:
    """Whether a comparison below may leave one series of several."""
    compares = kind(node) == "BinaryExpr" and (str(node.op) in (*COMPARISONS, "and", "unless"))
    return compares or any(map(_filters, children(node)))

"""Whether two expressions are about the same series: what of them has one value for each label set."""

from typing import Any

from driftdrill.harness.judge.rules.promql import Matcher, kind, matchers, rewrite, selector, show
from driftdrill.harness.judge.why.dry import asks_for_any_name, selectors
from driftdrill.harness.judge.why.label_functions import KEEPS_SERIES
from driftdrill.harness.judge.why.label_joins import Matching
from driftdrill.harness.judge.why.labels import NAME
from driftdrill.harness.judge.why.shape import is_scalar, labels_at_most, metric


def variable_of(node: Any) -> tuple[str, frozenset[Matcher]]:
    """(what an expression is called, the matchers of its selector): a function that leaves labels as they are has one
    value for each series, whichever matchers find it."""
    inner = node
    while kind(inner) in ("ParenExpr", "MatrixSelector", "SubqueryExpr", "Call"):
        if kind(inner) == "Call":
            vectors = [a for a in inner.args if not is_scalar(a) and kind(a) != "StringLiteral"]
            if len(vectors) != 1 or inner.func.name not in KEEPS_SERIES:
                break
            inner = vectors[0]
        else:
            inner = inner.vector_selector if kind(inner) == "MatrixSelector" else inner.expr
    if kind(inner) != "VectorSelector" or inner.matchers.or_matchers or asks_for_any_name(inner):
        return show(node), frozenset()
    asked = frozenset(m for m in matchers(inner) if m[0] != NAME)
    text = rewrite(node, lambda n, _: selector(n, metric(n), []) if kind(n) == "VectorSelector" else None)
    return text, asked


def same_labels(node: Any) -> bool:
    """Whether the two of each pair have all their labels alike."""
    how = Matching.of(node)
    if any(metric(s) is None for s in selectors(node)):
        return False
    if not how.on and not how.names:
        return True
    names = [labels_at_most(node.lhs), labels_at_most(node.rhs)]
    return all(n is not None and (n <= set(how.names) if how.on else n.isdisjoint(how.names)) for n in names)

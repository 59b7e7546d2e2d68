"""absent() of what no scrape had: it is true from the start, and tells nothing when the real series goes."""

from collections.abc import Iterator
from typing import Any

from driftdrill.harness.judge.rules.promql import bare, kind, matchers, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import asks_for_any_name, selectors
from driftdrill.harness.judge.why.labels import NAME, select
from driftdrill.harness.judge.why.no_such_metric import nearest
from driftdrill.harness.judge.why.nothing_matches import values_of
from driftdrill.harness.judge.why.phrases import series, several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import is_scalar, metric
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    root = tree(rule.rule.expr)
    for node in [] if root is None else _asked(root):
        name, given = metric(node), [m for m in matchers(node) if m[0] != NAME]
        if name is None or asks_for_any_name(node) or seen.sets.of(node) is None or seen.sets.of(node):
            continue
        found = seen.sets.named(name) or frozenset()
        elsewhere = not any(t.alert == rule.rule.name and t.fired for t in seen.tracks)
        if elsewhere and not any(m[0] in ("job", "instance") and m[1] == "=" and not select(found, [m]) for m in given):
            continue
        says = f"no scrape had {series(name, given)}: absent() of it is true from the start"
        says += " on, of a target that was not drilled" if elsewhere else " on"
        culprit = next((m for m in given if found and not select(found, [m])), None)
        if culprit is not None:
            values = several(values_of(found, culprit[0]))
            says += f"; {culprit[0]} was {values}" if values else f"; no {name} has the label {culprit[0]}"
        near = [] if found else nearest(name, seen.named)
        hint = f"did you mean {' or '.join(near)}?" if near else "ask for series that are there while all is well"
        return Reason("absent_of_nothing", says, hint, cannot_fire=True)
    return None


def _asked(node: Any) -> Iterator[Any]:
    """The selectors of each absent() that makes a rule fire by itself: one beside an ``and`` is a guard."""
    node = bare(node)
    if kind(node) == "Call" and node.func.name.startswith("absent"):
        yield from selectors(node)
    elif kind(node) == "BinaryExpr" and (str(node.op) == "or" or is_scalar(node.rhs)):
        yield from _asked(node.lhs)
        yield from _asked(node.rhs)

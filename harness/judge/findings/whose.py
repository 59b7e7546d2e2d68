"""Whose alert it is: the drilled target's, or another's that the same rules watch."""

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import Any

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.promql import children, grouped, kind, tree
from driftdrill.harness.judge.rules.reading import may_match
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.recording.meta import Meta
from driftdrill.reports.data.timeline import Labels

_STRING = re.compile(r'["\']([a-zA-Z_]\w*)["\']')
_REWRITES = re.compile(r"label_(replace|join)|count_values|group_(left|right)")


def elsewhere(labels: Labels, known: KnownRule | None, rules: Rules, meta: Meta) -> str:
    """``job="other"`` where an instance of an alert, or a series that it compares, is about a target that was not
    drilled; empty where it may be the drilled one.

    Only its ``job`` and ``instance`` tell, and only where they come from the series: labels that its rule, or a rule
    that this one reads, sets or rewrites tell nothing.
    """
    if not meta.targets or meta.keeps_labels:
        return ""
    told = {k: v for k, v in labels.items() if k in ("job", "instance") and v}
    if not told or any(all(target.get(k, "") == v for k, v in told.items()) for target in meta.targets):
        return ""
    made = _made(rules.known if known is None else [known], rules)
    told = {k: v for k, v in told.items() if k not in made}
    if not told or any(all(target.get(k, "") == v for k, v in told.items()) for target in meta.targets):
        return ""
    return "on " + ", ".join(f'{k}="{v}"' for k, v in sorted(told.items())) + ", which was not drilled"


def _made(known: Iterable[KnownRule], rules: Rules) -> set[str]:
    """Labels that these rules, or those that they read, set or write anew."""
    found: set[str] = set()
    done: set[int] = set()
    todo = list(known)
    while todo:
        one = todo.pop()
        if one.index not in done:
            done.add(one.index)
            found |= {**one.group.labels, **one.rule.labels}.keys() | _written(one.rule.expr)
            todo += [k for k in rules.known if _reads(one, k)]
    return found


def _reads(one: KnownRule, other: KnownRule) -> bool:
    names = one.analysed.metrics
    if names is None or not other.alert:
        return names is None or other.rule.name in names
    asked = one.analysed.reads_alerts
    return not names.isdisjoint(ALERT_SERIES) and (not asked or any(may_match(m, other.rule) for m in asked))


@lru_cache(maxsize=10_000)
def _written(expr: str) -> frozenset[str]:
    """Labels that an expression makes from something else than the series' own label of that name."""
    root = tree(expr)
    if root is None:  # what cannot be parsed may write any label that it names
        return frozenset(_STRING.findall(expr) if _REWRITES.search(expr) else ()) | (
            frozenset(re.findall(r"\b(job|instance)\b", expr) if "group_" in expr else ())
        )
    return frozenset(_labels(root))


def _labels(node: Any) -> Iterable[str]:
    if kind(node) == "Call" and node.func.name in ("label_replace", "label_join"):
        yield str(node.args[1].val)
    elif kind(node) == "AggregateExpr" and str(node.op) == "count_values":
        yield str(node.param.val)
    elif kind(node) == "BinaryExpr" and grouped(node):
        yield from node.modifier.group_labels or []
    for child in children(node):
        yield from _labels(child)

"""A template that reads ``$labels.x`` where no instance has x: the page, or the route, gets an empty text."""

import re

from driftdrill.harness.judge.rules.promql import tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.labels import NAME
from driftdrill.harness.judge.why.phrases import several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import is_scalar
from driftdrill.reports.data.verdict import Reason

_ACTION = re.compile(r"\{\{(.*?)\}\}", re.DOTALL)
_LABEL = re.compile(r"(?:\$labels|(?<![\w$])\.Labels)\.([a-zA-Z_]\w*)|index\s+\$labels\s+\"([^\"]+)\"")
_GUARD = re.compile(r"^-?\s*(if|with|else if|range|or|and)\b")


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    root = tree(rule.rule.expr)
    if root is None or is_scalar(root) or not (found := seen.sets.of(root)):
        return None
    there = {label for s in found for label, _ in s}
    routes = {k: missing(v, there) for k, v in (rule.group.labels | rule.rule.labels).items()}
    texts = {k: missing(v, there) for k, v in rule.rule.annotations.items()}
    parts = [f"label {k} is made of {_refs(v)}" for k, v in routes.items() if v]
    parts += [f"{k} reads {_refs(v)}" for k, v in texts.items() if v]
    if not parts:
        return None
    names = sorted({n for v in [*routes.values(), *texts.values()] for n in v})
    says = "; ".join(parts) + f", and no instance has {'it' if len(names) == 1 else 'them'}: nothing is printed there"
    lost = [n for n in names if any(n in s.labels for name in rule.metrics or () for s in seen.named.get(name, ()))]
    hint = f"the expression drops {several(lost)}: aggregate `by ({', '.join(lost)})`" if lost else ""
    return Reason("empty_label", says, hint or f"no series that the rule reads has {several(names)}")


def missing(template: str, there: set[str]) -> list[str]:
    """The labels that a template prints and that are not there; those that it asks for first (`if`, `with`) are not."""
    actions = _ACTION.findall(template)
    read = [(a, x or y) for a in actions for x, y in _LABEL.findall(a)]
    guarded = {name for action, name in read if _GUARD.match(action.strip())}
    names = dict.fromkeys(name for _, name in read if name not in there | guarded | {NAME})
    return list(names)


def _refs(names: list[str]) -> str:
    return ", ".join(f"$labels.{n}" for n in names)

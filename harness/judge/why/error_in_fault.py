"""A rule that the engine cannot evaluate: most often because a join is ambiguous only while the fault lasts."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.rules.promql import children, grouped, kind, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.label_joins import Matching
from driftdrill.harness.judge.why.label_sets import LabelSets
from driftdrill.harness.judge.why.labels import NAME, LabelSet
from driftdrill.harness.judge.why.phrases import code, labels_text
from driftdrill.harness.judge.why.readings import readings
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import is_scalar
from driftdrill.reports.data.verdict import Reason

_LONGEST = 200


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    through = {r.through.partition(",")[0] for r in readings(rule, seen.rules) if r.through}
    read = [k for k in seen.rules.known if not k.alert and k.rule.name in through]
    broken = next((k for k in (rule, *read) if k.index in seen.errors), None)
    if broken is None:
        return None
    error = seen.errors[broken.index].strip()
    says = f"{broken.rule.name} cannot be evaluated: {error[:_LONGEST]}{'…' if len(error) > _LONGEST else ''}"
    says += _only_in_the_fault(rule, seen)
    hint = "make the `one` side unique on the labels of the join: topk by (...) (1, ...)"
    return Reason("error_in_fault", says, hint if "duplicate" in error or "many-to-many" in error else "")


def _only_in_the_fault(rule: KnownRule, seen: Seen) -> str:
    """Which side of a join has two series for one match in the fault, and one before."""
    root = tree(rule.rule.expr)
    if root is None or seen.fault is None:
        return ""
    start, end = seen.fault
    baseline = seen.phases.get("baseline")
    before = seen.within(baseline.start if baseline else 0.0, start - 1e-3)
    during = seen.within(start, end)
    for node, side in _ones(root):
        now, was = _ambiguous(node, side, during), _ambiguous(node, side, before)
        if now and not was:
            key, found = next(iter(now.items()))
            common = frozenset.intersection(*found) | {(NAME, dict(f).get(NAME, "")) for f in found}
            which = "; ".join(labels_text(s - common) for s in sorted(found, key=sorted)[:2])
            when = f"; only in the fault, from {rounded_duration(start)} on: "
            return f"{when}{code(side)} has {len(found)} series for {labels_text(key)} ({which})"
    return ""


def _ones(node: Any) -> Iterator[tuple[Any, Any]]:
    """(operator, side) of each side of a join that may have one series a match only."""
    if kind(node) == "BinaryExpr" and str(node.op) not in ("and", "or", "unless"):
        many = grouped(node).partition(" ")[0]
        if not is_scalar(node.lhs) and not is_scalar(node.rhs):
            if many != "group_left":
                yield node, node.lhs
            if many != "group_right":
                yield node, node.rhs
    for child in children(node):
        yield from _ones(child)


def _ambiguous(node: Any, side: Any, sets: LabelSets) -> dict[LabelSet, list[LabelSet]]:
    groups: dict[LabelSet, list[LabelSet]] = defaultdict(list)
    for labels in sets.of(side) or ():
        groups[Matching.of(node).key(labels)].append(labels)
    return {key: found for key, found in groups.items() if len(found) > 1}

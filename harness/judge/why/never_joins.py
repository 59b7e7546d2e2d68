"""An operator both sides of which have series, but none with equal labels: it answers nothing."""

from collections.abc import Iterable

from driftdrill.harness.judge.rules.promql import kind
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import dry
from driftdrill.harness.judge.why.label_joins import Matching
from driftdrill.harness.judge.why.labels import LabelSet, Sets
from driftdrill.harness.judge.why.phrases import and_through, code, labels_text, several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for d in dry(rule, seen.sets):
        if kind(d.node) != "BinaryExpr":
            continue
        how = Matching.of(d.node)
        left, right = seen.sets.of(d.node.lhs), seen.sets.of(d.node.rhs)
        if not left or not right:
            continue
        sides = f"the sides of `{d.node.op}` in {code(d.node)} have no equal labels"
        says = and_through(f"{sides}: {differences(how, left, right)}", d.through)
        return Reason("never_joins", says, _hint(how, left, right), cannot_fire=d.whole)
    return None


def differences(how: Matching, left: Sets, right: Sets) -> str:
    """Which labels keep the sides apart."""
    ours, theirs = {how.key(s) for s in left}, {how.key(s) for s in right}
    only_left, only_right = _names(ours) - _names(theirs), _names(theirs) - _names(ours)
    parts = [
        f"{several(names)} is only {side}" for names, side in ((only_left, "left"), (only_right, "right")) if names
    ]
    for label in sorted(_names(ours) & _names(theirs)):
        mine, other = _values(ours, label), _values(theirs, label)
        if not mine & other:
            parts.append(f"{label} is {several(mine)} left, {several(other)} right")
    example = f"left {labels_text(min(ours, key=sorted))}, right {labels_text(min(theirs, key=sorted))}"
    return "; ".join(parts) or f"no combination of values is on both sides, such as {example}"


def _hint(how: Matching, left: Sets, right: Sets) -> str:
    ours, theirs = {how.key(s) for s in left}, {how.key(s) for s in right}
    common = [n for n in sorted(_names(ours) & _names(theirs)) if _values(ours, n) & _values(theirs, n)]
    if not common:
        return "aggregate both sides to labels that they share, or add `on ()` where each is one series"
    return f"aggregate both sides `by ({', '.join(common)})`, or add `on ({', '.join(common)})`"


def _names(sets: Iterable[LabelSet]) -> set[str]:
    return {name for labels in sets for name, _ in labels}


def _values(sets: Iterable[LabelSet], label: str) -> set[str]:
    return {dict(labels).get(label, "") for labels in sets}

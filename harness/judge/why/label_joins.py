"""Which labels a binary operator's series have: how it pairs its sides (promql/engine.go, VectorBinop)."""

from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from typing import Any

from driftdrill.harness.judge.rules.promql import COMPARISONS, grouped, has_bool
from driftdrill.harness.judge.why.labels import ANY, MOST, NAME, NOTHING, LabelSet, Sets, drop, keep, with_labels


def keeps_name(node: Any) -> bool:
    """Whether a binary operator leaves the metric's name: a filter and a set operator do."""
    filters = str(node.op) in COMPARISONS and not has_bool(node)
    return filters or str(node.op) in ("and", "or", "unless")


@dataclass(frozen=True)
class Matching:
    """How a binary operator pairs its sides: ``on (names)``, else ``ignoring (names)``."""

    on: bool
    names: tuple[str, ...]

    @classmethod
    def of(cls, node: Any) -> "Matching":
        how = None if node.modifier is None else node.modifier.matching
        if how is None:
            return cls(False, ())
        return cls(str(how.type).endswith("Include"), tuple(how.labels))

    def key(self, labels: LabelSet) -> LabelSet:
        """What two series must have alike to be a pair."""
        return keep(labels, self.names) if self.on else drop(labels, [NAME, *self.names])


def joined(node: Any, left: Sets | None, right: Sets | None) -> Sets | None:
    """What a binary operator between two vectors can answer."""
    op, how = str(node.op), Matching.of(node)
    if _filled(node):
        return None
    if op == "unless":
        return left
    if op != "or" and NOTHING in (left, right):
        return NOTHING
    if left is None or right is None:
        return None
    if op == "or":
        return left | right
    ones_of, others_of = _by_key(how, left), _by_key(how, right)
    if any(value == ANY for key in [*ones_of, *others_of] for _, value in key):
        return None
    both = [(ones, others_of[key]) for key, ones in ones_of.items() if key in others_of]
    if op == "and":
        return frozenset(s for ones, _ in both for s in ones)
    if sum(len(a) * len(b) for a, b in both) > MOST:
        return None
    made = (_result(node, how, a, b) for ones, others in both for a, b in product(ones, others))
    return frozenset(made)


def _filled(node: Any) -> bool:
    values = getattr(node.modifier, "fill_values", None)
    return values is not None and (values.lhs is not None or values.rhs is not None)


def _by_key(how: Matching, found: Sets) -> dict[LabelSet, list[LabelSet]]:
    out: dict[LabelSet, list[LabelSet]] = defaultdict(list)
    for labels in found:
        out[how.key(labels)].append(labels)
    return out


def _result(node: Any, how: Matching, left: LabelSet, right: LabelSet) -> LabelSet:
    side = grouped(node).partition(" ")[0]
    many, one = (right, left) if side == "group_right" else (left, right)
    labels = many if keeps_name(node) else drop(many, [NAME])
    if not side:
        return keep(labels, how.names) if how.on else drop(labels, how.names)
    return with_labels(dict(labels), {name: dict(one).get(name, "") for name in node.modifier.group_labels or []})

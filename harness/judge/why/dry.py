"""Where an expression runs dry: the selector, or the operator, that leaves it without a series.

Only what is proved is told. Where one side of an ``or`` has series, the other may be empty for good reasons, unless it
is a constant: ``x or vector(0)`` says that x was meant to be there.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from driftdrill.harness.judge.rules.promql import children, kind, matchers, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.label_functions import is_known
from driftdrill.harness.judge.why.label_sets import LabelSets
from driftdrill.harness.judge.why.labels import NOTHING
from driftdrill.harness.judge.why.shape import is_scalar, metric


@dataclass(frozen=True)
class Dry:
    """A node whose answer is empty although that of its children is not, if it has any."""

    node: Any
    whole: bool = True
    """Whether the rule had nothing at all to compare, since this is empty."""
    through: str = ""
    """The recording rule in which it stands, "" in the rule itself."""


def dry(rule: KnownRule, sets: LabelSets) -> tuple[Dry, ...]:
    """What leaves a rule, or a part of it, without series."""
    root = tree(rule.rule.expr)
    if root is None:
        return ()
    if rule.rule.expr not in sets.dry:
        empty = tuple(_Walk(sets).below(root))
        # `nowhere or vector(0)` is there, and a constant: nothing that is measured could make it fire.
        nothing = bool(empty) and all(sets.of(s) == NOTHING for s in selectors(root))
        sets.dry[rule.rule.expr] = tuple(replace(d, whole=True) for d in empty) if nothing else empty
    found: tuple[Dry, ...] = sets.dry[rule.rule.expr]
    return found


@dataclass(frozen=True)
class _Walk:
    sets: LabelSets
    inside: tuple[str, ...] = ()
    """The recording rules that are being followed."""
    found: dict[str, tuple[Dry, ...]] = field(default_factory=dict)
    """Recording rule -> what is empty in it."""

    def below(self, node: Any) -> Iterator[Dry]:
        """What is empty in or below a node."""
        if not is_scalar(node) and kind(node) not in ("StringLiteral", "NumberLiteral"):
            found = self.sets.of(node)
            if found is not None and not found:
                yield from self.explained(node)
                return
        yield from self.beside(node)

    def beside(self, node: Any) -> Iterator[Dry]:
        """What is empty below a node that is not, or of which nothing is known."""
        what = kind(node)
        if what == "VectorSelector":
            yield from self.recorded(node)
        elif what == "Call" and (node.func.name.startswith("absent") or not is_known(node.func.name)):
            return
        elif what == "BinaryExpr" and str(node.op) == "unless":
            yield from self.below(node.lhs)
        elif what == "BinaryExpr" and str(node.op) == "or":
            for side, other in ((node.lhs, node.rhs), (node.rhs, node.lhs)):
                if self.sets.of(side) or _constant(other):
                    yield from (replace(d, whole=False) for d in self.below(side))
        else:
            for child in children(node):
                yield from self.below(child)

    def explained(self, node: Any) -> Iterator[Dry]:
        """Why an expression is empty."""
        what = kind(node)
        if what == "VectorSelector":
            made = [] if metric(node) in self.sets.scraped else [*self.recorded(node)]
            yield from made or [Dry(node)]
            return
        sides = [node.lhs] if what == "BinaryExpr" and str(node.op) == "unless" else children(node)
        empty = [c for c in sides if not is_scalar(c) and kind(c) != "StringLiteral" and self.sets.of(c) == NOTHING]
        if not empty:
            yield Dry(node)
        for child in empty:
            yield from self.below(child)

    def recorded(self, node: Any) -> Iterator[Dry]:
        """What is empty in the recording rules that make a metric."""
        name = metric(node)
        if name is None or name in self.inside:
            return
        if name not in self.found:
            inner = replace(self, inside=(*self.inside, name))
            self.found[name] = tuple(
                replace(d, through=d.through or f"{name}, {known.where}")
                for known in self.sets.rules.makers(name)
                if (root := tree(known.rule.expr)) is not None
                for d in inner.below(root)
            )
        # What is empty in one of several rules of a name leaves the series of the others.
        whole = len(self.sets.rules.makers(name)) == 1 or self.sets.of(node) == NOTHING
        yield from (replace(d, whole=d.whole and whole) for d in self.found[name])


def selectors(node: Any) -> Sequence[Any]:
    """Every selector of an expression, in the order of its text."""
    if kind(node) == "VectorSelector":
        return [node]
    return [found for child in children(node) for found in selectors(child)]


def _constant(node: Any) -> bool:
    return not selectors(node)


def asks_for_any_name(node: Any) -> bool:
    """Whether a selector asks for a metric by pattern."""
    return metric(node) is None or any(m[0] == "__name__" and m[1] != "=" for m in matchers(node))

"""What must hold for an expression to have a series: PromQL read as conditions on the values of what it reads.

A case is one way in which an expression has a series with some labels L. ``x > 10 and x < 5`` has a series L only if
x has one whose value is above 10 and below 5: no case is left. Conditions on different series never meet: below an
aggregation, a label_replace or an ``on`` that may pair one series with another, only the range of the value is kept.
What is not known is any number, so an expression without a case never has a series, and one with cases may have none.

Sources: promql/engine.go (VectorscalarBinop, VectorAnd, VectorOr, VectorUnless), promql/functions.go.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES, FLIPPED
from driftdrill.harness.judge.rules.promql import (
    COMPARISONS,
    Matcher,
    bare,
    constant,
    grouped,
    has_bool,
    kind,
    matchers,
    show,
    tree,
)
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import asks_for_any_name, selectors
from driftdrill.harness.judge.why.phrases import code, series
from driftdrill.harness.judge.why.ranges import of_aggregate, of_call
from driftdrill.harness.judge.why.readings import RATES
from driftdrill.harness.judge.why.reals import ALL, NONE, Reals, beyond, only
from driftdrill.harness.judge.why.same_series import same_labels, variable_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import CHOICES, is_scalar, metric
from driftdrill.harness.judge.why.value_cases import Term, ValueCase, ValueLimit, has_series, scaled, values_of_cases

MOST = 64
"""More cases than this are not followed."""
_KEEPS_LABELS = {"sort", "sort_desc", "sort_by_label", "sort_by_label_desc"}


@dataclass
class Conditions:
    """The cases of expressions."""

    seen: Seen
    conflicts: list[tuple[ValueLimit, ValueLimit]] = field(default_factory=list)
    """Pairs of what excludes each other, as they were met."""
    _inside: list[str] = field(default_factory=list)
    _reader: KnownRule | None = None

    def of_rule(self, rule: KnownRule) -> Sequence[ValueCase] | None:
        """The cases of a rule; none: it never has a series. None: it cannot be read."""
        root = tree(rule.rule.expr)
        self._reader = rule
        return None if root is None else self.of(root)

    def of(self, node: Any) -> Sequence[ValueCase]:
        """The cases of an expression."""
        found = self._of(node)
        return found if len(found) <= MOST else [self._any(node)]

    def _of(self, node: Any) -> Sequence[ValueCase]:
        match kind(node):
            case "ParenExpr":
                return self.of(node.expr)
            case "UnaryExpr":
                return [scaled(c, -1.0, 0.0) for c in self.of(node.expr)]
            case "VectorSelector":
                return self._selector(node)
            case "MatrixSelector":
                return [self._any(node, self._range(node.vector_selector))] if self.of(node.vector_selector) else []
            case "SubqueryExpr":
                inner = self.of(node.expr)
                return [self._any(node, values_of_cases(inner))] if inner else []
            case "AggregateExpr":
                return self._aggregate(node)
            case "Call":
                return self._call(node)
            case "BinaryExpr":
                return self._binary(node)
        return [self._any(node)]

    def _any(self, node: Any, values: Reals = ALL) -> ValueCase:
        """Of an expression as a variable of its own."""
        name, asked = variable_of(node)
        limit = ValueLimit(values, given=f"{code(node)} is {values.told}")
        return ValueCase(Term(name), {name: limit}, frozenset({(name, asked)}))

    def _selector(self, node: Any) -> Sequence[ValueCase]:
        asked, name = matchers(node), metric(node)
        twice = [(a, b) for a in asked for b in asked if a[0] == b[0] and a[1] == b[1] == "=" and a[2] < b[2]]
        if twice and not node.matchers.or_matchers:
            first, second = (ValueLimit(said=f"`{series('', [m])[1:-1]}`") for m in twice[0])
            self.conflicts.append((first, second))
            return []
        if name is None or node.matchers.or_matchers or asks_for_any_name(node):
            return [replace(self._any(node), exact=False)]
        variable, given = variable_of(node)
        there = frozenset({(variable, given)})
        same = self._recorded_just_before(name, node)
        if same is not None:
            made = self._inside_of(same)
            return [replace(c, there=c.there | there, exact=False) for c in made]
        values = self._range(node)
        if not values:
            return []
        return [ValueCase(Term(variable), {variable: ValueLimit(values, given=f"`{name}` is {values.told}")}, there)]

    def _range(self, node: Any) -> Reals:
        """What a selector's values can be, by the rules that make it."""
        name = metric(node) or ""
        if name in ALERT_SERIES[:1] and name not in self.seen.named:
            return only(1)
        made = self.seen.rules.makers(name)
        if not made or name in self.seen.named or name in self._inside:
            return only(0, 1) if name == "up" and not made else ALL
        out = NONE
        for known in made:
            if (root := tree(known.rule.expr)) is None or known.index in self.seen.errors or is_scalar(root):
                return ALL
            out = out.either(values_of_cases(self._inside_of(known)))
        return out

    def _inside_of(self, maker: KnownRule) -> Sequence[ValueCase]:
        reader, self._reader = self._reader, maker
        self._inside.append(maker.rule.name)
        try:
            return self.of(tree(maker.rule.expr))
        finally:
            self._inside.pop()
            self._reader = reader

    def _recorded_just_before(self, name: str, node: Any) -> KnownRule | None:
        """The recording rule that makes a metric, if it is evaluated at the same moments, before, and gives no labels:
        its series are those of its expression."""
        made, reader = self.seen.rules.makers(name), self._reader
        if len(made) != 1 or reader is None or name in self.seen.named or name in self._inside:
            return None
        (maker,) = made
        moved = node.offset is not None or node.at is not None
        same = maker.group_index == reader.group_index and maker.index < reader.index and not moved
        if not same or maker.rule.labels or maker.group.labels or maker.index in self.seen.errors:
            return None
        root = tree(maker.rule.expr)
        return None if root is None or is_scalar(root) else maker

    def _aggregate(self, node: Any) -> Sequence[ValueCase]:
        inner, op = self.of(node.expr), str(node.op)
        number = None if node.param is None else constant(node.param)
        if not inner:
            return []
        if op in CHOICES:
            if op != "limit_ratio" and number is not None and number < 1:
                nothing = ValueLimit(NONE, given=f"`{op}({number:g}, ...)` has no series")
                self.conflicts.append((nothing, nothing))
                return []
            return [replace(c, exact=False) for c in inner]
        return [self._any(node, of_aggregate(op, number, values_of_cases(inner)))]

    def _call(self, node: Any) -> Sequence[ValueCase]:
        name, args = node.func.name, list(node.args)
        vectors = [a for a in args if not is_scalar(a) and kind(a) != "StringLiteral"]
        if name.startswith("absent") or name == "scalar" or len(vectors) != 1:
            return [self._any(node, of_call(name, [constant(a) for a in args], ALL))]
        inner = self.of(vectors[0])
        if not inner or name in _KEEPS_LABELS:
            return inner
        if name in RATES and self._is_negative(vectors[0]):
            return [self._any(node)]
        return [self._any(node, of_call(name, [constant(a) for a in args], values_of_cases(inner)))]

    def _is_negative(self, node: Any) -> bool:
        """Whether some series may be below 0, as no counter is: what rate() makes of it may be, too."""
        there = [self.seen.named.get(metric(s) or "") for s in selectors(node)]
        return any(found is None or any((s.values < 0).any() for s in found) for found in there)

    def _binary(self, node: Any) -> Sequence[ValueCase]:
        left, right = constant(node.lhs), constant(node.rhs)
        if is_scalar(node.lhs) and is_scalar(node.rhs):
            return [self._any(node)]
        if right is not None or left is not None:
            return self._with_number(node, node.lhs if left is None else node.rhs, right if left is None else left)
        op = str(node.op)
        if is_scalar(node.lhs) or is_scalar(node.rhs):
            vector = node.rhs if is_scalar(node.lhs) else node.lhs
            found = self.of(vector)
            if op in COMPARISONS and not has_bool(node):
                return self._ordered(node, op, found)
            return [self._any(node, only(0, 1) if has_bool(node) else ALL)] if found else []
        if op == "or":
            first, second = self.of(node.lhs), self.of(node.rhs)
            return [*first, *(second if same_labels(node) else (replace(c, exact=False) for c in second))]
        return self._joined(node, op)

    def _with_number(self, node: Any, vector: Any, number: float | None) -> Sequence[ValueCase]:
        """Of an operator between a vector and a number."""
        assert number is not None
        op, inner = str(node.op), self.of(vector)
        ahead = constant(node.lhs) is not None
        if op in COMPARISONS:
            if has_bool(node):
                return [self._any(node, only(0, 1))] if inner else []
            wanted = beyond(FLIPPED[op] if ahead else op, number)
            return self._limited(inner, wanted, code(node))
        match op:
            case "+":
                return [scaled(c, 1.0, number) for c in inner]
            case "-":
                return [scaled(c, -1.0 if ahead else 1.0, number if ahead else -number) for c in inner]
            case "*" if 0 < abs(number) < 1e300:
                return [scaled(c, number, 0.0) for c in inner]
            case "/" if not ahead and 1e-300 < abs(number) < 1e300:
                return [scaled(c, 1 / number, 0.0) for c in inner]
        return [self._any(node)] if inner else []

    def _limited(self, found: Iterable[ValueCase], wanted: Reals, said: str) -> Sequence[ValueCase]:
        out = []
        for case in found:
            t = case.term
            values = wanted if (t.factor, t.offset) == (1.0, 0.0) else wanted.shifted(t.factor, t.offset)
            limited = self._met(case.limits, {t.variable: ValueLimit(values, said)})
            if limited is not None:
                out.append(replace(case, limits=limited))
        return out

    def _met(self, left: Mapping[str, ValueLimit], right: Mapping[str, ValueLimit]) -> dict[str, ValueLimit] | None:
        """Both sets of limits; None where they exclude each other."""
        out = dict(left)
        for name, limit in right.items():
            had = out.get(name, ValueLimit())
            values = had.values.both(limit.values)
            if not values:
                self.conflicts.append((had, limit))
                return None
            out[name] = had if values == had.values else replace(limit, values=values)
        return out

    def _ordered(self, node: Any, op: str, found: Iterable[ValueCase]) -> Sequence[ValueCase]:
        """Of a comparison whose sides are no numbers: their order is a variable, 1 where the first is larger."""
        a, b = show(bare(node.lhs)), show(bare(node.rhs))
        if a == b:
            order, wanted = f"{a} beside itself", beyond(op, 0)
            start = ValueLimit(Reals(only(0).stretches, nan=True), given="both sides are the same")
        else:
            order, wanted, start = (
                f"{min(a, b)} beside {max(a, b)}",
                beyond(op if a < b else FLIPPED[op], 0),
                ValueLimit(),
            )
        out = []
        for case in found:
            before = {**case.limits, order: case.limits.get(order, start)}
            limited = self._met(before, {order: ValueLimit(wanted, code(node))})
            if limited is not None:
                out.append(replace(case, limits=limited))
        return out

    def _joined(self, node: Any, op: str) -> Sequence[ValueCase]:
        """Of an operator between two vectors, but ``or``."""
        left = self.of(node.lhs)
        if not left:
            return []
        if op == "unless":
            if not same_labels(node):
                return [replace(c, exact=False) for c in left]
            return self._without(left, self.of(node.rhs), code(node.rhs))
        right = self.of(node.rhs)
        if not right:
            return []
        if op == "and":
            if not same_labels(node):
                return [replace(c, exact=False) for c in left]
            return self._together(left, right)
        if op in COMPARISONS and not has_bool(node):
            if same_labels(node) and not grouped(node):
                return self._ordered(node, op, self._together(left, right))
            return [self._any(node, values_of_cases([*left, *right]))]
        if has_bool(node) or not same_labels(node) or grouped(node):
            return [self._any(node, only(0, 1) if has_bool(node) else ALL)]
        return self._computed(node, op, left, right)

    def _computed(self, node: Any, op: str, left: Iterable[ValueCase], right: Iterable[ValueCase]) -> list[ValueCase]:
        """Of arithmetic between the two series of each pair."""
        text, itself = show(node), {"/": 1.0, "-": 0.0}
        out = []
        for a, b in product(left, right):
            limits = self._met(a.limits, b.limits)
            if limits is None:
                continue
            if op in itself and a.term == b.term:
                given = f"both sides of {code(node)} are the same series, so that it is {itself[op]:g}"
                limits[text] = ValueLimit(Reals(only(itself[op]).stretches), given=given)
            own: tuple[str, frozenset[Matcher]] = (text, frozenset())
            out.append(ValueCase(Term(text), limits, a.there | b.there | {own}, a.exact and b.exact))
        return out

    def _together(self, left: Iterable[ValueCase], right: Iterable[ValueCase]) -> Sequence[ValueCase]:
        out = []
        for a, b in product(left, right):
            limits = self._met(a.limits, b.limits)
            if limits is not None:
                out.append(ValueCase(a.term, limits, a.there | b.there, a.exact and b.exact))
        return out

    def _without(self, left: Iterable[ValueCase], right: Sequence[ValueCase], said: str) -> Sequence[ValueCase]:
        """Those of the left of which the right has no series: something that it needs must not hold."""
        out = list(left)
        for case in right:
            if not case.exact:
                continue
            kept: list[ValueCase] = []
            for one in out:
                if not all(has_series(one, name, asked) for name, asked in case.there):
                    kept.append(one)
                    continue
                for name, limit in case.limits.items():
                    limits = self._met(one.limits, {name: ValueLimit(limit.values.others(), f"unless {said}")})
                    if limits is not None:
                        kept.append(replace(one, limits=limits))
            out = kept
        return [replace(c, exact=False) for c in out]

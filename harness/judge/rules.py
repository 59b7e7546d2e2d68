"""What a rule needs: the metrics that it reads, how far back it looks, and the threshold that it compares with.

Read from the expression's syntax tree. Where promql-parser cannot parse what Prometheus can (FACTS change with
its releases), the rule is taken to need everything, and its look-back is the longest range written in it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import promql_parser

from stack.rulefiles import Group, Rule, RuleFile

COMPARISONS = {">", ">=", "<", "<=", "==", "!="}
FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_DURATION = re.compile(r"\[([0-9a-z]+)(?::[0-9a-z]*)?\]")


@dataclass(frozen=True)
class Threshold:
    """``<left> <comparison> <number>``."""

    left: str
    comparison: str
    number: float


@dataclass(frozen=True)
class Analysed:
    """What one expression reads."""

    reads: tuple[tuple[str | None, float], ...]
    """(metric name, seconds) of each selector: how far back it looks, through ranges, subqueries and offsets
    around it. An instant selector looks back 0; a name of None is any metric."""
    threshold: Threshold | None
    reads_clock: bool = False
    """Whether it calls time(), hour() and the like."""

    @property
    def metrics(self) -> frozenset[str] | None:
        """Metric names; None is everything."""
        names = {name for name, _ in self.reads}
        return None if None in names else frozenset(n for n in names if n is not None)


@dataclass(frozen=True)
class KnownRule:
    """One rule in its place, with what it needs, recording rules followed."""

    rule: Rule
    group: Group
    path: str
    analysed: Analysed
    metrics: frozenset[str] | None
    """Scraped metrics that it needs in the end."""
    reads_clock: bool
    """Whether it, or a recording rule that it reads, calls time(), hour() and the like."""
    look_back: float
    """Seconds, through its recording rules."""

    @property
    def where(self) -> str:
        """rules.yml:17."""
        return f"{self.path}:{self.rule.line}"

    @property
    def alert(self) -> bool:
        """Whether it is an alerting rule."""
        return self.rule.kind == "alert"

    @property
    def settle(self) -> float:
        """Seconds from the first moment at which it can fire or resolve: look-back + for + keep_firing_for."""
        return self.look_back + self.rule.for_ + self.rule.keep_firing_for


@dataclass(frozen=True)
class Rules:
    """All the rules of a judgement, in the order of the files."""

    files: tuple[RuleFile, ...]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Every group, in the order of the files."""
        return tuple(g for f in self.files for g in f.groups)

    @cached_property
    def known(self) -> tuple[KnownRule, ...]:
        """Every rule, analysed."""
        flat = [(f, g, r, analyse(r.expr)) for f in self.files for g in f.groups for r in g.rules]
        records: dict[str, list[Analysed]] = {}
        for _, _, rule, analysed in flat:
            if rule.kind == "record":
                records.setdefault(rule.name, []).append(analysed)
        return tuple(
            KnownRule(
                r,
                g,
                str(f.path),
                a,
                _metrics(a, records, frozenset()),
                _reads_clock(a, records, frozenset()),
                _look_back(a, records, frozenset()),
            )
            for f, g, r, a in flat
        )

    @property
    def alerts(self) -> tuple[KnownRule, ...]:
        """The alerting rules."""
        return tuple(k for k in self.known if k.alert)

    @property
    def recorded(self) -> frozenset[str]:
        """The names that recording rules make."""
        return frozenset(k.rule.name for k in self.known if not k.alert)

    @property
    def needed(self) -> frozenset[str] | None:
        """Every scraped metric that some rule needs; None is everything."""
        return union(k.metrics for k in self.known)


def union(sets: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """All names of several sets; None is everything."""
    out: frozenset[str] = frozenset()
    for names in sets:
        if names is None:
            return None
        out |= names
    return out


def _metrics(a: Analysed, records: Mapping[str, list[Analysed]], seen: frozenset[str]) -> frozenset[str] | None:
    if a.metrics is None:
        return None
    parts: list[frozenset[str] | None] = [frozenset(n for n in a.metrics if n not in records)]
    for name in a.metrics & records.keys() - seen:
        parts += [_metrics(r, records, seen | {name}) for r in records[name]]
    return union(parts)


def _reads_clock(a: Analysed, records: Mapping[str, list[Analysed]], seen: frozenset[str]) -> bool:
    names = (records.keys() if a.metrics is None else a.metrics & records.keys()) - seen
    return a.reads_clock or any(_reads_clock(r, records, seen | {n}) for n in names for r in records[n])


def _look_back(a: Analysed, records: Mapping[str, list[Analysed]], seen: frozenset[str]) -> float:
    longest = 0.0
    for name, span in a.reads:
        made = records.keys() if name is None else {name} & records.keys()
        inner = [_look_back(r, records, seen | {n}) for n in made - seen for r in records[n]]
        longest = max(longest, span + max(inner, default=0.0))
    return longest


def analyse(expr: str) -> Analysed:
    """Read one expression; one that cannot be parsed needs everything."""
    try:
        tree = promql_parser.parse(expr)
    except ValueError:
        ranges = [_seconds(d) for d in _DURATION.findall(expr)]
        return Analysed(((None, max(ranges, default=0.0)),), None)
    clock = bool(re.search(r"\b(time|hour|minute|day_of_\w+|days_in_month|month|year)\s*\(", expr))
    return Analysed(tuple(_reads(tree, 0.0)), _threshold(tree), clock)


def _seconds(duration: str) -> float:
    try:
        return float(promql_parser.parse_duration(duration).total_seconds())
    except ValueError:
        return 0.0


def _children(node: Any) -> list[Any]:
    kind = type(node).__name__
    if kind == "BinaryExpr":
        return [node.lhs, node.rhs]
    if kind == "Call":
        return list(node.args)
    if kind == "MatrixSelector":
        return [node.vector_selector]
    if kind == "AggregateExpr":
        return [c for c in (node.expr, node.param) if c is not None]
    inner = getattr(node, "expr", None)
    return [] if inner is None else [inner]


def _reads(node: Any, around: float) -> list[tuple[str | None, float]]:
    """(metric name, seconds looked back) of each selector below ``node``; ranges and offsets add up on the way."""
    kind = type(node).__name__
    if kind in ("MatrixSelector", "SubqueryExpr"):
        around += node.range.total_seconds()
    if kind in ("VectorSelector", "SubqueryExpr") and node.offset is not None:
        around += max(0.0, node.offset.total_seconds())
    if kind == "VectorSelector":
        exact = [m.value for m in node.matchers.matchers if m.name == "__name__" and str(m.op) == "MatchOp.Equal"]
        names: list[str | None] = [node.name] if node.name else [*exact] or [None]
        return [(name, around) for name in names]
    return [read for child in _children(node) for read in _reads(child, around)]


def _threshold(node: Any) -> Threshold | None:
    while type(node).__name__ == "ParenExpr":
        node = node.expr
    if type(node).__name__ != "BinaryExpr" or str(node.op) not in COMPARISONS:
        return None
    comparison = str(node.op)
    right, left = _number(node.rhs), _number(node.lhs)
    if right is not None and left is None:
        return Threshold(str(node.lhs), comparison, right)
    if left is not None and right is None:
        return Threshold(str(node.rhs), FLIPPED[comparison], left)
    return None


def _number(node: Any) -> float | None:
    """The value of a constant expression, or None."""
    kind = type(node).__name__
    if kind == "NumberLiteral":
        return float(node.val)
    if kind == "ParenExpr":
        return _number(node.expr)
    if kind == "BinaryExpr":
        a, b = _number(node.lhs), _number(node.rhs)
        if a is None or b is None:
            return None
        try:
            return {"+": a + b, "-": a - b, "*": a * b, "/": a / b if b else None, "^": a**b}.get(str(node.op))
        except OverflowError:
            return None
    return None

"""What a rule needs: the metrics that it reads, how far back it looks, and the threshold that it compares with.

Read from the expression's syntax tree. Where promql-parser cannot parse what Prometheus can (FACTS change with
its releases), the rule is taken to need everything, and its look-back is the longest range written in it.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import promql_parser

from driftdrill.harness.judge.rules.promql import COMPARISONS, children, constant, kind, matchers, show, tree
from driftdrill.stack.rules.files import Group, Rule, RuleFile

FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
_DURATION = re.compile(r"\[([0-9a-z]+)(?::[0-9a-z]*)?\]")
ALERT_SERIES = ("ALERTS", "ALERTS_FOR_STATE")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NAMELESS = re.compile(r"(^|[^\w:])\{|__name__")
_CLOCK = re.compile(r"\b(time|timestamp|hour|minute|day_of_\w+|days_in_month|month|year)\s*\(")


@dataclass(frozen=True)
class AlertThreshold:
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
    threshold: AlertThreshold | None
    reads_clock: bool = False
    """Whether it calls time(), hour() and the like."""

    @cached_property
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

    @cached_property
    def touched(self) -> Mapping[int, tuple[Rule, ...]]:
        """id() of a rule -> what changes with it, in order: itself, those of its name, and all that may read what these
        make, directly or not."""
        every = [k.rule for k in self.known]
        readers = {
            (kind_, name): {_key(r) for r in every if may_read(r.expr, [name] if kind_ == "record" else ALERT_SERIES)}
            for kind_, name in map(_key, every)
        }
        out = {}
        for rule in every:
            found, new = {_key(rule)}, {_key(rule)}
            while new:
                new = {reader for one in new for reader in readers[one]} - found
                found |= new
            out[id(rule)] = tuple(r for r in every if _key(r) in found)
        return out

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


def _key(rule: Rule) -> tuple[str, str]:
    return rule.kind, rule.name


def may_read(expr: str, names: Iterable[str]) -> bool:
    """Whether an expression may read a series of one of these names."""
    metrics = analyse(expr).metrics
    if metrics is not None:
        return not metrics.isdisjoint(names)
    if tree(expr) is not None or _NAMELESS.search(expr):
        return True
    return not set(_WORD.findall(expr)).isdisjoint(names)  # what cannot be parsed reads no name that it does not hold


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


@lru_cache(maxsize=10_000)
def analyse(expr: str) -> Analysed:
    """Read one expression; one that cannot be parsed needs everything."""
    clock = _CLOCK.search(expr) is not None
    try:
        root = promql_parser.parse(expr)
    except ValueError:
        ranges = [_seconds(d) for d in _DURATION.findall(expr)]
        return Analysed(((None, max(ranges, default=0.0)),), None, clock)
    return Analysed(tuple(_reads(root, 0.0)), _threshold(root), clock)


def _seconds(duration: str) -> float:
    try:
        return float(promql_parser.parse_duration(duration).total_seconds())
    except ValueError:
        return 0.0


def _reads(node: Any, around: float) -> list[tuple[str | None, float]]:
    """(metric name, seconds looked back) of each selector below ``node``; ranges and offsets add up on the way."""
    what = kind(node)
    if what in ("MatrixSelector", "SubqueryExpr"):
        around += node.range.total_seconds()
    if what in ("VectorSelector", "SubqueryExpr") and node.offset is not None:
        around += max(0.0, node.offset.total_seconds())
    if what == "VectorSelector":
        exact = [value for label, op, value in matchers(node) if (label, op) == ("__name__", "=")]
        names: list[str | None] = [node.name] if node.name else [*exact] or [None]
        return [(name, around) for name in names]
    return [read for child in children(node) for read in _reads(child, around)]


def _threshold(node: Any) -> AlertThreshold | None:
    while kind(node) == "ParenExpr":
        node = node.expr
    if kind(node) != "BinaryExpr" or str(node.op) not in COMPARISONS:
        return None
    comparison = str(node.op)
    right, left = constant(node.rhs), constant(node.lhs)
    if right is not None and left is None:
        return AlertThreshold(show(node.lhs), comparison, right)
    if left is not None and right is None:
        return AlertThreshold(show(node.rhs), FLIPPED[comparison], left)
    return None

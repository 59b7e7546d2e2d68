"""What one expression reads, how far back, and against which threshold it compares.

Read from the expression's syntax tree. Where promql-parser cannot parse what Prometheus can (facts change with
its releases), the expression is taken to read everything, and its look-back is the longest range written in it.
"""

import re
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any

import promql_parser

from driftdrill.harness.judge.rules.promql import (
    COMPARISONS,
    Matcher,
    bare,
    children,
    constant,
    kind,
    matchers,
    parsed,
    show,
)

FLIPPED = {">": "<", ">=": "<=", "<": ">", "<=": ">=", "==": "==", "!=": "!="}
ALERTS, FOR_STATE = ALERT_SERIES = ("ALERTS", "ALERTS_FOR_STATE")
"""What the engine makes of alerts: 1 while one is pending or firing, and since when, as Unix time."""
_DURATION = re.compile(r"\[([0-9a-z]+)(?::[0-9a-z]*)?\]")
_CLOCK = re.compile(r"\b(time|timestamp|hour|minute|day_of_\w+|days_in_month|month|year)\s*\(|\b" + FOR_STATE)


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
    left: str | None = None
    """What an alert compares, or the first part of what it joins by ``and``: its values are the alert's."""
    reads_alerts: tuple[tuple[Matcher, ...], ...] = ()
    """The matchers of each selector of ALERTS or ALERTS_FOR_STATE."""
    reads_clock: bool = False
    """Whether it calls time(), hour() and the like, or reads since when alerts are active."""
    beside_clock: frozenset[str] | None = frozenset()
    """The metrics that it compares with time(), or subtracts; None is any."""

    @cached_property
    def metrics(self) -> frozenset[str] | None:
        """Metric names; None is everything."""
        names = {name for name, _ in self.reads}
        return None if None in names else frozenset(n for n in names if n is not None)


@lru_cache(maxsize=10_000)
def analyse(expr: str) -> Analysed:
    """Read one expression; one that cannot be parsed needs everything."""
    clock = _CLOCK.search(expr) is not None
    try:
        root = parsed(expr)
    except ValueError:
        ranges = [_seconds(d) for d in _DURATION.findall(expr)]
        alerts: tuple[tuple[Matcher, ...], ...] = ((),) if ALERTS in expr else ()
        return Analysed(
            ((None, max(ranges, default=0.0)),), None, reads_alerts=alerts, reads_clock=clock, beside_clock=None
        )
    found = tuple(_reads(root, 0.0))
    return Analysed(found, _threshold(root), _left(root), tuple(_alerts(root)), clock, _beside_clock(root))


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


def _alerts(node: Any) -> list[tuple[Matcher, ...]]:
    if kind(node) == "VectorSelector":
        return [tuple(matchers(node))] if node.name in ALERT_SERIES or not node.name else []
    return [found for child in children(node) for found in _alerts(child)]


def _beside_clock(node: Any) -> frozenset[str] | None:
    """The metrics on the other side of an operator that has the time on one."""
    found: frozenset[str] = frozenset()
    if kind(node) == "BinaryExpr" and (str(node.op) in COMPARISONS or str(node.op) in "+-"):
        for clock, other in ((node.lhs, node.rhs), (node.rhs, node.lhs)):
            if _tells_time(clock):
                names = {name for name, _ in _reads(other, 0.0)}
                if None in names:
                    return None
                found |= frozenset(n for n in names if n is not None)
    for child in children(node):
        inner = _beside_clock(child)
        if inner is None:
            return None
        found |= inner
    return found


def _tells_time(node: Any) -> bool:
    """Whether its value is a moment; a moment less what is no number is an age."""
    if kind(node) == "Call":
        return node.func.name in ("time", "timestamp") or any(map(_tells_time, children(node)))
    if kind(node) == "BinaryExpr":
        sides = [(node.lhs, node.rhs), (node.rhs, node.lhs)]
        return str(node.op) in "+-*/" and any(_tells_time(a) and constant(b) is not None for a, b in sides)
    if kind(node) == "VectorSelector":
        return bool(node.name == FOR_STATE)
    return kind(node) == "ParenExpr" and _tells_time(node.expr)


def _left(node: Any) -> str | None:
    node = bare(node)
    if kind(node) != "BinaryExpr":
        return None
    if str(node.op) in ("and", "unless"):
        return _left(node.lhs)
    if str(node.op) not in COMPARISONS:
        return None
    return show(node.rhs if constant(node.lhs) is not None else node.lhs)


def _threshold(node: Any) -> AlertThreshold | None:
    node = bare(node)
    if kind(node) != "BinaryExpr" or str(node.op) not in COMPARISONS:
        return None
    comparison = str(node.op)
    right, left = constant(node.rhs), constant(node.lhs)
    if right is not None and left is None:
        return AlertThreshold(show(node.lhs), comparison, right)
    if left is not None and right is None:
        return AlertThreshold(show(node.rhs), FLIPPED[comparison], left)
    return None

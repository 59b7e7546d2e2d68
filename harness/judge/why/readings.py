"""What a rule reads: each selector with the range and the functions around it, recording rules followed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.harness.judge.rules.promql import children, kind, matchers, tree
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.judge.why.labels import NAME, matches
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.harness.recording.reader import Samples

RATES = ("rate", "irate", "increase")
"""Functions of a counter, which need two samples."""
OF_CHANGE = (*RATES, "delta", "idelta", "deriv", "predict_linear", "changes", "resets")


@dataclass(frozen=True)
class Reading:
    """One selector in its place."""

    node: Any
    range: float | None = None
    """Seconds of its range; None of an instant selector."""
    around: tuple[str, ...] = ()
    """Functions, aggregations and operators around it, the nearest first."""
    divisor: bool = False
    """Whether it stands on the right of a ``/``."""
    optional: bool = False
    """Whether the rule can do without: in ``absent``, beside an ``or``, on the right of ``unless``."""
    through: str = ""
    """The recording rule in which it stands."""

    @property
    def name(self) -> str | None:
        return metric(self.node)

    @property
    def function(self) -> str:
        """What is done with it first."""
        return self.around[0] if self.around else ""

    @property
    def aggregated(self) -> bool:
        """Whether several series may be made one."""
        return any(a in ("sum", "avg", "min", "max", "count", "quantile") for a in self.around)


def readings(rule: KnownRule, rules: Rules) -> tuple[Reading, ...]:
    """All that a rule reads, in the order of its text."""
    root = tree(rule.rule.expr)
    return () if root is None else read_by(root, rules)


def read_by(node: Any, rules: Rules) -> tuple[Reading, ...]:
    """All that a part of a rule reads."""
    return tuple(_read(node, Reading(node), rules, frozenset()))


def _read(node: Any, place: Reading, rules: Rules, inside: frozenset[str]) -> Iterator[Reading]:
    match kind(node):
        case "VectorSelector":
            yield replace(place, node=node)
            yield from _recorded(node, place, rules, inside)
        case "MatrixSelector":
            found = replace(place, range=node.range.total_seconds())
            yield from _read(node.vector_selector, found, rules, inside)
        case "BinaryExpr":
            op = str(node.op)
            left = replace(place, around=(op, *place.around), optional=place.optional or op == "or")
            right = replace(left, divisor=place.divisor or op == "/", optional=left.optional or op == "unless")
            yield from _read(node.lhs, left, rules, inside)
            yield from _read(node.rhs, right, rules, inside)
        case "Call" | "AggregateExpr" as what:
            name = node.func.name if what == "Call" else str(node.op)
            absent = name.startswith("absent")
            within = replace(place, around=(name, *place.around), optional=place.optional or absent)
            for child in children(node):
                yield from _read(child, within, rules, inside)
        case _:
            for child in children(node):
                yield from _read(child, place, rules, inside)


def _recorded(node: Any, place: Reading, rules: Rules, inside: frozenset[str]) -> Iterator[Reading]:
    name = metric(node)
    if name is None or name in inside:
        return
    for known in rules.makers(name):
        root = tree(known.rule.expr)
        if root is not None:
            said = f"{name}, {known.where}"
            yield from _read(root, replace(place, range=None, through=said), rules, inside | {name})


def series_of(reading: Reading, seen: Seen) -> Sequence[Samples]:
    """The scraped series that a selector finds."""
    if reading.node.matchers.or_matchers:
        return []
    name, given = reading.name, matchers(reading.node)
    there = seen.samples if name is None else seen.named.get(name, ())
    wanted = [m for m in given if name is None or m[0] != NAME]
    return [s for s in there if len(s.times) and all(matches(m, s.labels.get(m[0], "")) for m in wanted)]


Points = tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]
"""(seconds, values) of one series, stale markers left out."""


def points(series: Samples) -> Points:
    """The samples of a series that are values."""
    alive = ~series.stale
    return series.times[alive] / 1000, series.values[alive]


def between(found: Points, start: float, end: float) -> Points:
    """Those of a stretch of time, its ends with it."""
    inside = (found[0] >= start) & (found[0] <= end)
    return found[0][inside], found[1][inside]


def target(series: Samples) -> tuple[str, str]:
    """(job, instance)."""
    return series.labels.get("job", ""), series.labels.get("instance", "")

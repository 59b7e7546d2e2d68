"""Between which values an expression can lie, whatever the series are: PromQL read with intervals for values.

What is not known lies anywhere. Sources: promql/quantile.go (a quantile above the highest finite bucket is its bound),
the conventions of metric names (``_info`` is 1, ``_ratio`` is a share), and arithmetic.
"""

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from itertools import product
from typing import Any

import numpy as np

from driftdrill.harness.judge.rules.promql import COMPARISONS, bare, constant, has_bool, kind, matchers, tree
from driftdrill.harness.judge.why.label_sets import LabelSets
from driftdrill.harness.judge.why.phrases import code
from driftdrill.harness.judge.why.ranges import CALENDAR
from driftdrill.harness.judge.why.readings import RATES
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric


@dataclass(frozen=True)
class ValueRange:
    """An interval, with what is behind it: ``by`` is a kind of reason, ``why`` its words."""

    low: float = -math.inf
    high: float = math.inf
    by: str = ""
    why: str = ""

    def or_(self, other: "ValueRange") -> "ValueRange":
        """The interval that holds both."""
        by = self if self.high >= other.high else other
        return ValueRange(min(self.low, other.low), max(self.high, other.high), by.by, by.why)


ANYTHING = ValueRange()
_SAME = ("max", "min", "avg", "topk", "bottomk", "limitk", "limit_ratio")
_SAME_OVER_TIME = ("max_over_time", "min_over_time", "avg_over_time", "last_over_time", "first_over_time")
_SHARE = {"ratio", "fraction", "share", "probability"}
_PERHAPS_SHARE = {"perc", "percent", "percentage", "usage", "utilization", "utilisation"}
_KNOWN_SHARES = {"vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc", "vllm:cpu_cache_usage_perc"}
"""docs.vllm.ai/en/latest/usage/metrics: 1 means 100 percent usage."""


@dataclass(frozen=True)
class Values:
    """The bounds of expressions over what was seen; ``sets`` may be those of a part of it."""

    seen: Seen
    sets: LabelSets
    inside: frozenset[str] = frozenset()

    def of(self, node: Any) -> ValueRange:
        """Between which values an expression lies where it has any."""
        number = constant(node)
        if number is not None:
            return ValueRange(number, number)
        match kind(node):
            case "ParenExpr" | "SubqueryExpr":
                return self.of(node.expr)
            case "MatrixSelector":
                return self.of(node.vector_selector)
            case "UnaryExpr":
                inner = self.of(node.expr)
                return ValueRange(-inner.high, -inner.low)
            case "VectorSelector":
                return self._selector(node)
            case "AggregateExpr":
                return self._aggregate(node)
            case "Call":
                return self._call(node)
            case "BinaryExpr":
                return self._binary(node)
        return ANYTHING

    def _selector(self, node: Any) -> ValueRange:
        name = metric(node)
        if name is None:
            return ANYTHING
        made = self.seen.rules.makers(name)
        if made:
            return ANYTHING if name in self.seen.named or name in self.inside else self._recorded(name, made)
        seen = [v[~np.isnan(v)] for v in (s.values for s in self.seen.named.get(name, ()))]
        values = np.concatenate(seen) if seen else np.array([])
        return _by_name(name, float(values.min()), float(values.max())) if len(values) else ANYTHING

    def _recorded(self, name: str, made: Any) -> ValueRange:
        inner = replace(self, inside=self.inside | {name})
        roots = [tree(k.rule.expr) for k in made]
        found = [ANYTHING if root is None else inner.of(root) for root in roots]
        out = found[0]
        for other in found[1:]:
            out = out.or_(other)
        return out

    def _aggregate(self, node: Any) -> ValueRange:
        op, inner = str(node.op), self.of(node.expr)
        if op in _SAME or (op == "quantile" and _share_given(node.param)):
            return inner
        match op:
            case "count":
                return ValueRange(1, math.inf, "count", f"{code(node)} is at least 1 or nothing at all")
            case "group":
                return ValueRange(1, 1, "count", f"{code(node)} is 1 or nothing at all")
            case "stddev" | "stdvar":
                return ValueRange(0, math.inf)
            case "sum":
                return ValueRange(0 if inner.low >= 0 else -math.inf, 0 if inner.high <= 0 else math.inf)
        return ANYTHING

    def _call(self, node: Any) -> ValueRange:
        name, args = node.func.name, list(node.args)
        if name == "histogram_quantile":
            return self._quantile(node)
        if name in CALENDAR:
            return ValueRange(0, CALENDAR[name], "calendar", f"{name}() is at most {CALENDAR[name]}")
        if name in _SAME_OVER_TIME or (name == "quantile_over_time" and _share_given(args[0])):
            return self.of(args[-1])
        if name in ("changes", "resets", "delta", "idelta", "deriv", *RATES):
            inner = self.of(args[0])
            if inner.by == "info":
                return ValueRange(0, 0, "info", f"{inner.why}, and never changes: another value is another series")
            return ValueRange(0 if name not in ("delta", "idelta", "deriv") else -math.inf, math.inf)
        if name.startswith("clamp"):
            return self._clamped(name, args)
        fixed: Mapping[str, ValueRange] = {
            "absent": ValueRange(1, 1, "count", "absent() is 1 or nothing at all"),
            "absent_over_time": ValueRange(1, 1, "count", "absent_over_time() is 1 or nothing at all"),
            "present_over_time": ValueRange(1, 1, "count", "present_over_time() is 1 or nothing at all"),
            "count_over_time": ValueRange(1, math.inf, "count", "count_over_time() is at least 1 or nothing at all"),
            "histogram_fraction": ValueRange(0, 1, "share", "histogram_fraction() is a share"),
            "sgn": ValueRange(-1, 1),
            "abs": ValueRange(0, math.inf),
            "exp": ValueRange(0, math.inf),
            "sqrt": ValueRange(0, math.inf),
        }
        if name in ("scalar", "sort", "sort_desc", "vector", "label_replace", "label_join"):
            return self.of(args[0])
        return fixed.get(name, ANYTHING)

    def _clamped(self, name: str, args: list[Any]) -> ValueRange:
        inner, limits = self.of(args[0]), [constant(a) for a in args[1:]]
        if any(limit is None for limit in limits):
            return ANYTHING
        low = limits[0] if name in ("clamp", "clamp_min") else -math.inf
        high = limits[-1] if name in ("clamp", "clamp_max") else math.inf
        assert low is not None
        assert high is not None
        return ValueRange(
            max(inner.low, low), min(inner.high, high), "clamp", f"{name}() keeps it within {low:g} and {high:g}"
        )

    def _quantile(self, node: Any) -> ValueRange:
        le = buckets(node, self.sets)
        if not le or not _share_given(node.args[0]):
            return ANYTHING
        low = 0.0 if le[0] > 0 else -math.inf
        return ValueRange(low, le[-1], "bucket", f"the highest finite bucket that it reads is le={le[-1]:g}")

    def _binary(self, node: Any) -> ValueRange:
        op, left, right = str(node.op), self.of(node.lhs), self.of(node.rhs)
        if op == "/" and is_part(node):
            return ValueRange(0, 1, "share", f"{code(node)} is a part of the whole")
        if op in COMPARISONS:
            if has_bool(node):
                return ValueRange(0, 1, "count", "a comparison with bool is 0 or 1")
            return right if constant(node.lhs) is not None else left
        if op in ("and", "unless"):
            return left
        if op == "or":
            return left.or_(right)
        return _arithmetic(op, left, right)


def buckets(node: Any, sets: LabelSets) -> list[float]:
    """The finite bounds of the buckets that a histogram_quantile reads, rising."""
    found = sets.of(node.args[1]) or ()
    numbers = {_number(value) for s in found for label, value in s if label == "le"}
    return sorted(n for n in numbers if n is not None and math.isfinite(n))


def quantile_in(node: Any, seen: Seen) -> Any | None:
    """The histogram_quantile whose value an expression is: itself, the largest of several, a record of it."""
    while kind(node) == "ParenExpr" or (kind(node) == "AggregateExpr" and str(node.op) in ("max", "min", "avg")):
        node = node.expr
    if kind(node) == "Call" and node.func.name == "histogram_quantile":
        return node
    if kind(node) == "VectorSelector":
        made = seen.rules.makers(metric(node))
        roots = [tree(k.rule.expr) for k in made]
        if len(roots) == 1 and roots[0] is not None and kind(roots[0]) != "VectorSelector":
            return quantile_in(roots[0], seen)
    return None


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _share_given(node: Any) -> bool:
    number = constant(node)
    return number is not None and 0 <= number <= 1


def _by_name(name: str, low: float, high: float) -> ValueRange:
    words = set(re.split(r"[_:.]", name.lower()))
    if name == "up":
        return ValueRange(0, 1, "share", "up is 0 or 1")
    if name.endswith("_info") and (low, high) == (1, 1):
        return ValueRange(1, 1, "info", f"{name} is always 1")
    sure = bool(words & _SHARE) or name in _KNOWN_SHARES or (bool(words & _PERHAPS_SHARE) and high == 1)
    if sure and low >= 0 and high <= 1 and not name.endswith(("_total", "_count", "_bucket", "_sum")):
        return ValueRange(0, 1, "share", f"{name} is a share, at most {high:g} was seen")
    return ValueRange(0, math.inf) if name.endswith(("_total", "_count", "_bucket")) else ANYTHING


def _arithmetic(op: str, left: ValueRange, right: ValueRange) -> ValueRange:
    if op == "/" and right.low <= 0 <= right.high:
        return ANYTHING
    how = {"+": _plus, "-": _minus, "*": _times, "/": _by}.get(op)
    if how is None:
        return ANYTHING
    ends = [how(a, b) for a, b in product((left.low, left.high), (right.low, right.high))]
    by = left if left.by else right
    if any(math.isnan(e) for e in ends):
        return ANYTHING
    return ValueRange(min(ends), max(ends), by.by, by.why)


def _plus(a: float, b: float) -> float:
    return a + b


def _minus(a: float, b: float) -> float:
    return a - b


def _times(a: float, b: float) -> float:
    return 0.0 if 0 in (a, b) else a * b


def _by(a: float, b: float) -> float:
    return 0.0 if math.isinf(b) and not math.isinf(a) else a / b


def is_part(node: Any) -> bool:
    """Whether a division is of a part by its whole: the same sum of the same counter, with more matchers above."""
    part, whole = _sum_of(node.lhs), _sum_of(node.rhs)
    if part is None or whole is None or part[0] != whole[0]:
        return False
    return set(whole[1]) <= set(part[1])


def _sum_of(node: Any) -> tuple[Any, Any] | None:
    """((clause, function, range, metric), matchers) of a sum of rates."""
    node = bare(node)
    if kind(node) != "AggregateExpr" or str(node.op) != "sum":
        return None
    inner = node.expr
    if kind(inner) != "Call" or inner.func.name not in RATES or kind(inner.args[0]) != "MatrixSelector":
        return None
    span = inner.args[0]
    selector = span.vector_selector
    if selector.offset is not None or selector.at is not None or metric(selector) is None:
        return None
    by = () if node.modifier is None else (str(node.modifier.type), tuple(node.modifier.labels))
    found = tuple(m for m in matchers(selector) if m[0] != "__name__")
    return (by, inner.func.name, span.range, metric(selector)), found

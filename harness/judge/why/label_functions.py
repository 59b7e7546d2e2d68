"""What a function does to the labels of its argument's series (promql/functions.go)."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from driftdrill.harness.judge.rules.matching import pattern
from driftdrill.harness.judge.rules.promql import kind, matchers
from driftdrill.harness.judge.why.labels import ANY, NAME, NO_LABELS, LabelSet, Sets, drop, with_labels
from driftdrill.stack.scrape.regex import expand

KEEP_NAME = {"last_over_time", "first_over_time", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc"}
DROP_NAME = frozenset(
    re.findall(
        r"\w+",
        """
        rate irate increase delta idelta deriv predict_linear changes resets timestamp
        holt_winters double_exponential_smoothing
        abs ceil floor round clamp clamp_min clamp_max exp ln log2 log10 sqrt sgn deg rad
        sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
        avg_over_time min_over_time max_over_time sum_over_time count_over_time quantile_over_time
        stddev_over_time stdvar_over_time present_over_time mad_over_time
        histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar
        minute hour month year day_of_month day_of_week day_of_year days_in_month
        """,
    )
)


KEEPS_SERIES = frozenset(name for name in KEEP_NAME | DROP_NAME if not name.startswith("histogram_"))
"""Functions that make one series of each."""


def is_known(name: str) -> bool:
    """Whether it is known what a function does to labels."""
    return name in KEEP_NAME | DROP_NAME | {"absent", "absent_over_time", "vector", "scalar"} or name in CALLS


def labels_of_absent(node: Any) -> LabelSet:
    """absent() has the labels that its selector asks for by ``=``, once each."""
    while kind(node) in ("ParenExpr", "MatrixSelector", "SubqueryExpr"):
        node = node.vector_selector if kind(node) == "MatrixSelector" else node.expr
    if kind(node) != "VectorSelector":
        return NO_LABELS
    asked = [m for m in matchers(node) if m[0] != NAME]
    once = [m for m in asked if m[1] == "=" and [n for n, _, _ in asked].count(m[0]) == 1]
    return frozenset((label, value) for label, _, value in once if value)


def _text(node: Any) -> str:
    return str(node.val)


def _replaced(found: Sets, args: Sequence[Any]) -> Sets | None:
    """label_replace(v, dst, replacement, src, regex)."""
    dst, template, src, regex = map(_text, args[1:])
    compiled = pattern(regex)
    if compiled is None:
        return None
    out = set()
    for labels in found:
        value = dict(labels).get(src, "")
        if value == ANY:
            return None
        match = compiled.fullmatch(value)
        out.add(labels if match is None else with_labels(dict(labels), {dst: expand(template, match)}))
    return frozenset(out)


def _concatenated(found: Sets, args: Sequence[Any]) -> Sets | None:
    """label_join(v, dst, separator, src...)."""
    dst, separator, *sources = map(_text, args[1:])
    out = set()
    for labels in found:
        parts = [dict(labels).get(s, "") for s in sources]
        out.add(with_labels(dict(labels), {dst: ANY if ANY in parts else separator.join(parts)}))
    return frozenset(out)


def _quantile(found: Sets, args: Sequence[Any]) -> Sets | None:
    """histogram_quantile and histogram_fraction leave ``le`` out; without one a series is of a native histogram, which
    text pages have not."""
    return frozenset(drop(s, [NAME, "le"]) for s in found if "le" in dict(s))


CALLS: Mapping[str, Callable[[Sets, Sequence[Any]], Sets | None]] = {
    "label_replace": _replaced,
    "label_join": _concatenated,
    "histogram_quantile": _quantile,
    "histogram_fraction": _quantile,
}

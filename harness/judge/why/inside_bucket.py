"""A threshold inside a wide bucket: what histogram_quantile answers there is interpolated, not measured."""

from itertools import pairwise
from typing import Any

from driftdrill.harness.judge.rules.analysed import AlertThreshold
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.bounds import buckets, quantile_in
from driftdrill.harness.judge.why.nan import is_nan
from driftdrill.harness.judge.why.out_of_range import comparisons
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason

_WIDE = 2.0
"""A bucket whose upper bound is less than so many times its lower one is fine enough."""


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    found = (_of_comparison(node, threshold, seen) for node, threshold in comparisons(rule))
    return next((reason for reason in found if reason is not None), None)


def _of_comparison(node: Any, threshold: AlertThreshold, seen: Seen) -> Reason | None:
    quantile = quantile_in(node, seen)
    if quantile is None or threshold.comparison not in (">", ">=") or seen.fault is None:
        return None
    bounds = [0.0, *buckets(quantile, seen.sets)]
    inside = [(low, high) for low, high in pairwise(bounds) if low < threshold.number < high]
    peak = _peak(seen, threshold.left)
    if not inside or peak is None:
        return None
    low, high = inside[0]
    near_a_bound = threshold.number < 1.05 * low or threshold.number > 0.95 * high
    if near_a_bound or high < _WIDE * low or not low < peak < high:
        return None
    says = f"the threshold {threshold.number:g} lies inside bucket ({low:g}, {high:g}], and so did the quantile "
    says += f"({peak:.4g} at most): its value is interpolated, all could have been {low:g} or {high:g}"
    return Reason("inside_bucket", says, f"give the histogram a bucket le={threshold.number:g}")


def _peak(seen: Seen, left: str) -> float | None:
    assert seen.fault is not None
    start, end = seen.fault
    values = [
        v
        for track in seen.left.get(left, ())
        for t, v in zip(track.times, track.values, strict=True)
        if start <= t <= end and v is not None and not is_nan(v)
    ]
    return max(values, default=None)

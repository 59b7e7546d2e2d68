"""Which values a function or an aggregation can answer, of arguments of which the values are known.

promql/functions.go, promql/quantile.go, promql/engine.go (aggregation).
"""

import math
from collections.abc import Sequence

from driftdrill.harness.judge.why.reals import ALL, Reals, between, only

CALENDAR = {"hour": 23, "minute": 59, "day_of_week": 6, "day_of_month": 31, "days_in_month": 31, "month": 12}
"""The largest answers of functions of the calendar."""
_SPREADS = ("stddev_over_time", "stdvar_over_time", "mad_over_time")
NEVER_NEGATIVE = ("rate", "irate", "increase", "changes", "resets", "abs", "exp", *_SPREADS)
"""Functions that answer no number below 0, rates of what is never below it itself. sqrt() of a negative one is NaN."""
_OF_ITS_VALUES = ("max_over_time", "min_over_time", "last_over_time", "first_over_time")
_QUANTILES = ("quantile_over_time", "histogram_quantile")


def of_quantile(share: float) -> Reals | None:
    """A quantile outside of 0 to 1 is infinite (bucketQuantile, quantile); None of another."""
    if math.isnan(share) or 0 <= share <= 1:
        return None
    return Reals(only(math.inf if share > 1 else -math.inf).stretches, nan=True)


def of_aggregate(op: str, number: float | None, inner: Reals) -> Reals:
    """An aggregation over values that are in ``inner``."""
    if op == "quantile" and number is not None and (infinite := of_quantile(number)) is not None:
        return infinite
    low, high = (inner.stretches[0][0][0], inner.stretches[-1][1][0]) if inner.stretches else (math.nan, math.nan)
    match op:
        case "max" | "min":
            return Reals(inner.stretches, nan=True)
        case "avg" | "quantile" if number is None or 0 <= number <= 1:
            return Reals(inner.hull.shifted(1.0, 0.0).stretches or ALL.stretches)  # their arithmetic rounds
        case "sum" if low >= 0:
            return between(low=low * (1 - 1e-9))
        case "sum" if high <= 0:
            return between(high=high * (1 - 1e-9))
        case "count" | "count_values":
            return between(low=1, nan=False)
        case "group":
            return only(1)
        case "stddev" | "stdvar":
            return between(low=0)
    return ALL


def of_call(name: str, numbers: Sequence[float | None], inner: Reals) -> Reals:
    """A function whose vector's values are in ``inner``; ``numbers`` are its arguments that are numbers."""
    if name in NEVER_NEGATIVE:
        return between(low=0)
    if name in CALENDAR:
        return between(0, CALENDAR[name])
    if name in _QUANTILES and numbers[0] is not None and (infinite := of_quantile(numbers[0])) is not None:
        return infinite
    match name:
        case "absent" | "absent_over_time" | "present_over_time":
            return only(1)
        case "count_over_time":
            return between(low=1, nan=False)
        case "sgn":
            return Reals(only(-1, 0, 1).stretches, nan=True)
        case "label_replace" | "label_join":
            return inner
        case "clamp_min" if numbers[1] is not None:
            return between(low=numbers[1])
        case "clamp_max" if numbers[1] is not None:
            return between(high=numbers[1])
        case "clamp" if numbers[1] is not None and numbers[2] is not None and numbers[1] <= numbers[2]:
            return between(numbers[1], numbers[2])
        case "vector" if numbers[0] is not None:
            return only(numbers[0])
    return Reals(inner.stretches, nan=True) if name in _OF_ITS_VALUES else ALL

"""Latency: Locust's histogram made fine, and exact percentiles from what was recorded."""

import math
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

PERCENTILES = (50.0, 90.0, 95.0, 99.0, 99.9, 99.99)


def bucket(milliseconds: float) -> float:
    """Three significant digits, down to a microsecond: at most 900 buckets a decade, as in an HDR histogram.

    Locust's own are 1 ms wide below 100 ms and two digits above. Takes the place of
    ``locust.stats.bucket_response_time``.
    """
    if milliseconds < 1:
        return int(milliseconds * 1000 + 0.5) / 1000
    if milliseconds < 10:
        return int(milliseconds * 100 + 0.5) / 100
    if milliseconds < 100:
        return int(milliseconds * 10 + 0.5) / 10
    if milliseconds < 1000:
        return int(milliseconds + 0.5)
    return round(milliseconds, -1 if milliseconds < 10_000 else -2)


def percentiles(seconds: npt.ArrayLike, at: Sequence[float] = PERCENTILES) -> dict[float, float]:
    """The smallest recorded value that at least so many percent do not exceed (nearest rank, no interpolation).

    NaN where nothing was recorded.
    """
    values = np.sort(np.asarray(seconds, dtype=np.float64))
    if not len(values):
        return dict.fromkeys(at, float("nan"))
    # Rounded first: 99.9 % of 20,000 is 19,980, and not the 19,980.000000000004 of binary fractions.
    ranks = [max(1, math.ceil(round(q / 100 * len(values), 6))) for q in at]
    return {q: float(values[rank - 1]) for q, rank in zip(at, ranks, strict=True)}

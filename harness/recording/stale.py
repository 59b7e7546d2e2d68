"""Sample values as a recording writes them: JSON numbers, and words for those that JSON has none for."""

import math

import numpy as np

STALE_BITS = 0x7FF0000000000002
"""Prometheus's stale marker: a NaN of this bit pattern (prometheus/model/value/value.go)."""
STALE: float = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])

WORDS = {"NaN": float("nan"), "+Inf": float("inf"), "-Inf": float("-inf"), "stale": STALE}
"""What a text in the place of a value means."""


def encode_value(value: float) -> float | int | str:
    """A sample value as JSON; whole numbers without a point."""
    if math.isnan(value):
        is_stale = np.float64(value).view(np.uint64) == STALE_BITS
        return "stale" if is_stale else "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    whole = value.is_integer() and abs(value) < 2**53 and (value != 0 or math.copysign(1.0, value) > 0)
    return int(value) if whole else value

"""Durations and sizes as Prometheus writes them."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftdrill.durations import format_duration, parse_duration, rounded_duration


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"),
        (0.5, "500ms"),
        (90, "1m30s"),
        (3600, "1h"),
        (86400, "1d"),
        (604800, "1w"),
        (691200, "8d"),
        (1.5, "1s500ms"),
    ],
)
def test_a_duration_is_written_as_prometheus_writes_it(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text
    assert parse_duration(text) == seconds


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (0.0356, "36ms"), (0.35, "350ms"), (0.9996, "1s"), (1.04, "1s"), (9.2, "9s200ms"), (9.96, "10s"),
        (12.5, "12s"), (59.6, "1m"), (630.2, "10m30s"), (90061, "1d1h1m1s"), (-75.2, "-1m15s"),
        (math.inf, "?"), (math.nan, "?"),
    ],
)  # fmt: skip
def test_what_was_measured_is_rounded_to_what_a_reader_needs(seconds: float, text: str) -> None:
    assert rounded_duration(seconds) == text


@given(st.integers(0, 10**12))
def test_every_millisecond_survives(ms: int) -> None:
    assert parse_duration(format_duration(ms / 1000)) == ms / 1000


@pytest.mark.parametrize("text", ["", "1", "1s1m", "1.5s", "-1s", "1 s", "s", "1S", "٣s"])
def test_what_prometheus_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 15s"):
        parse_duration(text)

"""Durations and sizes as Prometheus writes them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftdrill.stack.duration import format_duration, parse_duration, parse_size
from driftdrill.stack.errors import StackError


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


@given(st.integers(0, 10**12))
def test_every_millisecond_survives(ms: int) -> None:
    assert parse_duration(format_duration(ms / 1000)) == ms / 1000


@pytest.mark.parametrize("text", ["", "1", "1s1m", "1.5s", "-1s", "1 s", "s", "1S", "٣s"])
def test_what_prometheus_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="is not a duration"):
        parse_duration(text)


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("15B", 15), ("10KB", 10240), ("1MiB", 1 << 20), ("1.5GB", 3 << 29)]
)
def test_sizes_are_powers_of_two(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "10", "10 KB", "KB", "10kb", "-1B"])
def test_a_size_without_unit_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="is not a size"):
        parse_size(text)

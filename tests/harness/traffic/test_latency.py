"""Percentiles and buckets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftdrill.harness.traffic.latency import bucket, percentiles


@given(st.floats(0.001, 1e6))
def test_a_bucket_keeps_three_digits(milliseconds: float) -> None:
    assert abs(bucket(milliseconds) - milliseconds) <= max(0.0005, 0.0051 * milliseconds) + 1e-9


def test_buckets_are_few() -> None:
    assert len({bucket(ms) for ms in np.geomspace(0.01, 10_000, 200_000)}) < 4600


def test_percentiles_are_recorded_values_to_the_last_digit() -> None:
    values = np.arange(1, 20_001) / 1000
    found = percentiles(np.random.default_rng(0).permutation(values))
    assert found == {50.0: 10.0, 90.0: 18.0, 95.0: 19.0, 99.0: 19.8, 99.9: 19.98, 99.99: 19.998}


def test_a_failure_counts_as_never_and_nothing_as_nan() -> None:
    assert percentiles([0.1, math.inf], (99.0,)) == {99.0: math.inf}
    assert math.isnan(percentiles([])[50.0])


def test_percentiles_of_one_value_are_that_value() -> None:
    assert set(percentiles([0.25]).values()) == {0.25}
    with pytest.raises(ValueError, match="float"):
        percentiles(["x"])

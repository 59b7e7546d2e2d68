"""What an earlier drill left in metrics that a judged rule reads is told by name; what a healthy target has is not."""

from collections.abc import Callable

import numpy as np
import pytest

from driftdrill.harness.judge.findings.left_behind import left_behind
from tests.harness.judge.by_hand import BY_NAME, samples

BASELINE = BY_NAME["baseline"]
AT = np.arange(BASELINE.start, BASELINE.end, 15.0)


READ = frozenset({"x_sum", "x_count"})
Value = Callable[[int], float]


def told(sums: Value, counts: Value = float, read: frozenset[str] = READ) -> list[str]:
    """What is said where x_sum and x_count have these values at the i-th scrape of the baseline."""
    made = [
        samples("x_sum", {t: sums(i) for i, t in enumerate(AT)}, job="m"),
        samples("x_count", {t: counts(i) for i, t in enumerate(AT)}, job="m"),
    ]
    return left_behind(read, made, BASELINE)


def test_a_sum_that_is_nan_is_told_with_its_name_and_the_remedy() -> None:
    (said,) = told(lambda i: float("nan"))

    assert said.startswith('x_sum{instance="i",job="m"}')
    assert "NaN at the end of the baseline" in said
    assert "restart the target" in said


@pytest.mark.parametrize("value", [1e300, float("inf"), 7.0])
def test_a_sum_that_stands_still_while_its_count_grows_is_told(value: float) -> None:
    (said,) = told(lambda i: value)

    assert said.startswith('x_sum{instance="i",job="m"}: the same in all')


def test_what_moves_and_what_nobody_reads_and_what_counts_nothing_is_not_told() -> None:
    assert told(lambda i: 0.5 * i) == []
    assert told(lambda i: float("nan"), read=frozenset({"y"})) == []
    assert told(lambda i: 0.0) == [], "zeros add up to zero"
    assert told(lambda i: 7.0, lambda i: 3.0) == [], "nothing is observed"
    assert told(lambda i: float("nan") if i < 3 else float(i)) == [], "it was NaN while nothing had been observed yet"


def test_a_family_that_counts_nothing_while_others_count_is_told() -> None:
    """A frozen exporter of one family, or a service that forgets to observe."""
    requests = samples("app_requests_total", {t: float(i) for i, t in enumerate(AT)})
    still = [
        samples("x_count", dict.fromkeys(AT, 7.0), job="m"),
        samples("x_sum", dict.fromkeys(AT, 3.0), job="m"),
    ]

    (said,) = left_behind(READ, [requests, *still], BASELINE)

    assert said.startswith('x_count{instance="i",job="m"}: nothing was counted in all 10m of the baseline')
    assert "saw nothing of the drill's requests" in said
    gauge, idle = samples("queue_count", dict.fromkeys(AT, 7.0)), samples("y_count", dict.fromkeys(AT, 0.0))
    assert left_behind(frozenset({"queue_count", "y_count"}), [requests, gauge, idle], BASELINE) == []

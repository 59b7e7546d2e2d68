"""Rules that can never fire are told from those that can: conditions on one series that exclude each other."""

import pytest

from driftdrill.harness.judge.why.contradiction import find
from driftdrill.harness.judge.why.reals import Reals, between, beyond, only
from driftdrill.reports.data.verdict import Reason
from tests.harness.judge.why.seen import alert, rules, seen, series

DEAD = [
    "x > 10 and x < 5",
    "x > 5 < 3",
    "(x > 10) < 5",
    "abs(x) < 0 and x > 1",
    "x == 1 and x == 2",
    "x > 5 unless x > 4",
    "x unless x",
    "x > x",
    "x > y and y > x",
    "x > y and x < y",
    "x * 2 > 10 and x < 4",
    "10 > x > 20",
    "1 - x > 0.5 and x > 0.6",
    "max(x > 10) < 5",
    "sum(x > 10) < 5",
    "avg by (job) (x > 10) < 5",
    "topk(0, x) > 3",
    "topk(3, x > 5) < 2",
    "sum(x) > 10 and on () sum(x) < 5",
    "sum by (job) (x) > 10 and on (job) sum by (job) (x) < 5",
    'x{a="1"} > 10 and x < 5',
    "rate(x[5m]) > 10 and rate(x[5m]) < 5",
    "max_over_time((x > 10)[5m:1m]) < 5",
    'x{a="1",a="2"} > 3',
    "(x > 10 and x < 5) or (x > 10 and x < 2)",
    "(x > 5 or x < 3) == 4",
    "x unless x{} * 2",
    "quantile(95, x) < 10",
    "x > 5 and (x < 3 or x < 1)",
    "x != 5 and x == 5",
    "x - y > 5 and x - y < 3",
    "x > scalar(y) and x < scalar(y)",
    "x >= 5 < 5",
    "ALERTS == 0",
    "changes(x[5m]) == -1",
    'label_replace(x > 10, "a", "b", "c", "d") < 5',
    "-x > 5 and x > 0",
    "x < 5 and on () y > 3 and x > 10",
    "(x > 10) / (x < 5)",
    "(x > 10) * 2 < 5",
    "hot < 5",
    "hot and x < 5",
    "hot > 10 and x < 5",
]
"""With ``hot`` recorded just before, as ``x > 10``."""
ALIVE = [
    "x > 5 or x < 3",
    "x > 5 and y < 3",
    "x > 3 unless x > 4",
    "x unless y",
    'x unless x{a="1"}',
    'x{a="1"} unless x{a="2"}',
    "x != x",
    "x == x",
    "x >= x",
    "x > 10 and on (job) x < 5",
    "x > 10 and ignoring (a) x < 5",
    "x > 10 and x offset 5m < 5",
    "x > 10 and max_over_time(x[5m]) < 50",
    "sum(x > 10) > 5",
    "min(x) < 5 and on () max(x) > 10",
    "x >= 5 <= 5",
    "x == 1 or x == 2",
    "absent(x) or x > 5",
    "absent(x > 10 and x < 5)",
    "(x > 10 and x < 5) or y > 1",
    "count(x < 5) > 3",
    "avg(x > 10) < 11",
    "x / 3 > 10 and x < 30.0001",
    "x / 3 >= 10 and x <= 30",
    '{__name__=~"a|b"} > 10 and {__name__=~"a|b"} < 5',
    "sum by (a) (x) > 10 and on (job) sum by (a) (x) < 5",
    "x > y unless x > y * 2",
    "x > 5 unless topk(1, x) > 4",
    "x > 5 unless on (job) x > 4",
    'x{a="1"} > 5 unless x{a="1",b="2"} > 4',
    "x > y or x < y",
    "x > 0 unless x > 0.5",
    "rate(x[5m]) <= 0",
    "up != 1",
    "up == 0",
    "hot > 5",
    "hot > 10 and hot < 500",
    'sum(rate(x{s="5"}[5m])) / sum(rate(x[5m])) > 0.1 and sum(rate(x[5m])) > 1',
    "x - x > 1 or x > 1",
    "abs(x - y) > 3",
    "x % 5 == 3",
    "x ^ 2 > 5 < 8",
    "x > 5 unless (x > 4 and y > 3)",
    "ALERTS == 1",
    "stddev(x) >= 0",
    "ln(x) < -5",
    "x == NaN or x > 1",
    "x > NaN or x > 5",
    "clamp(x, 3, 5) == 3",
    "sgn(x) == -1",
]


def told(expr: str, records: str = "record: hot\n    expr: x > 10") -> Reason | None:
    given = rules(expr, records=records)
    return find(alert(given), seen(given, [series("x"), series("y"), series("up")]))


@pytest.mark.parametrize("expr", DEAD)
def test_conditions_that_exclude_each_other_are_told(expr: str) -> None:
    reason = told(expr)

    assert reason is not None
    assert reason.cannot_fire


@pytest.mark.parametrize("expr", ALIVE)
def test_a_rule_that_can_fire_is_not_accused(expr: str) -> None:
    assert told(expr) is None


def test_a_record_that_is_made_after_the_alert_is_of_another_moment() -> None:
    after = "record: warm\n    expr: hot * 2\n  - record: hot\n    expr: x > 10"
    assert told("warm > 20 and x < 5", after) is None
    assert told("warm < 19", after) is not None


def test_numbers_beyond_a_comparison_and_the_others() -> None:
    above = beyond(">", 5)
    assert not above.both(beyond("<", 5))
    assert not above.holds(5)
    assert above.others().holds(5)
    assert above.others().nan
    assert beyond("!=", 5).either(only(5)) == Reals()
    assert between(1, 3).shifted(2, 1).both(only(0.5))

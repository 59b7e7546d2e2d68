"""An alert's states where its rule errors at some moments: compared with what promtool makes of rules that do not."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from driftdrill.harness.judge.engine.automaton import intervals
from driftdrill.harness.judge.engine.evaluate import evaluate
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.reports.data.timeline import Interval
from driftdrill.stack.prometheus.promtool import Promtool, find_promtool
from driftdrill.stack.rules.files import Rule, parse
from tests.harness.judge.by_hand import samples

MOMENTS = [15.0 * n for n in range(40)]


def made(rule: Rule, active: set[float], errors: set[float] = frozenset()) -> tuple[Interval, ...]:  # type: ignore[assignment]
    return intervals(rule, {(): active}, MOMENTS, errors)[()]


def test_an_evaluation_that_errors_changes_nothing() -> None:
    rule = Rule("alert", "A", "x", for_=45.0)
    assert made(rule, {30, 45, 60, 75, 90}) == (Interval(30, 75, "pending"), Interval(75, 105, "firing"))
    # Pending waits through the errors, and fires at the first evaluation after them.
    assert made(rule, {30, 45, 90}, {60, 75}) == (Interval(30, 90, "pending"), Interval(90, 105, "firing"))
    # It stays firing through errors, and ends at the first evaluation that finds nothing.
    assert made(rule, {30, 45, 60, 75}, {90, 105}) == (Interval(30, 75, "pending"), Interval(75, 120, "firing"))
    assert made(rule, set(), {30.0}) == ()


@pytest.fixture(scope="module")
def promtool() -> Promtool:
    return find_promtool()


@settings(max_examples=12, deadline=None)
@given(
    pattern=st.lists(st.booleans(), min_size=40, max_size=40),
    for_=st.sampled_from([0, 15, 40, 60]),
    keep=st.sampled_from([0, 15, 50]),
)
def test_without_errors_it_makes_what_the_engine_makes(
    promtool: Promtool, pattern: list[bool], for_: int, keep: int
) -> None:
    text = f"groups: [{{name: g, rules: [{{alert: A, expr: heat > 1, for: {for_}s, keep_firing_for: {keep}s}}]}}]"
    rules = Rules(parse(text, str(Path("rules.yml"))))
    heat = samples("heat", {t: 2.0 if on else 0.0 for t, on in zip(MOMENTS, pattern, strict=True)})
    theirs = evaluate([heat], rules, promtool, end=MOMENTS[-1], interval=15.0).alerts
    ours = made(rules.alerts[0].rule, {t for t, on in zip(MOMENTS, pattern, strict=True) if on})
    assert tuple(i for t in theirs for i in t.intervals) == ours

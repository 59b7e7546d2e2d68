"""Mutants of rules: what each operator makes of an expression, and that promtool takes every one."""

import re

import pytest
from hypothesis import given, settings

from driftdrill.harness.judge.mutants.mutate import refused
from driftdrill.harness.judge.mutants.operators import NEVER, OPERATORS, Mutant, mutants
from driftdrill.harness.judge.rules.promql import show, tree
from driftdrill.stack.prometheus.promtool import Promtool, find_promtool
from driftdrill.stack.rules.files import Rule
from tests.harness.judge.expressions import BACKSLASH_IN_BACKTICKS, CORNERS, EXPRESSIONS, OWN, ROOT


@pytest.fixture(scope="module")
def promtool(prometheus_binary: str) -> Promtool:
    """The promtool of this machine."""
    return find_promtool(binary="promtool")


def alert(expr: str, for_: float = 0.0, keep: float = 0.0) -> Rule:
    """An alert."""
    return Rule("alert", "A", expr, for_, keep)


def made(operator: str, rule: Rule) -> list[Mutant]:
    """The mutants of one operator."""
    return [m for m in mutants(rule) if m.operator.name == operator]


@pytest.mark.parametrize(
    ("operator", "expr", "changed"),
    [
        ("comparison.flip", "x > 5", ["x < 5"]),
        ("comparison.flip", "x == bool on (job) y", ["x != bool on (job) y"]),
        ("comparison.flip", "5 <= x", ["5 >= x"]),
        ("comparison.flip", "1 > bool 2", []),
        ("comparison.border", "x > 5", ["x >= 5"]),
        ("comparison.border", "x == 5", []),
        ("threshold.double", "x > 0.25", ["x > 0.5"]),
        ("threshold.double", "x > 0", ["x > 1"]),
        ("threshold.double", "x > 2 * 3", ["x > 12"]),
        ("threshold.double", "5 < x", ["10 < x"]),
        ("threshold.double", "x > on (job) y + z", ["x > on (job) 2 * (y + z)"]),
        ("threshold.double", "x > Inf", []),
        ("threshold.halve", "x < -3", ["x < -1.5"]),
        ("threshold.halve", "x == 0", ["x == -1"]),
        ("range.shorten", "rate(x[10m] offset 5m) > 5", ["rate(x[2m30s] offset 5m) > 5"]),
        ("range.shorten", "max_over_time(x[1h:1m]) > 5", ["max_over_time(x[15m:1m]) > 5"]),
        ("smoothing.drop", "avg_over_time(x[5m] offset 1m) > 5", ["x offset 1m > 5"]),
        ("smoothing.drop", "max_over_time(sum(x)[5m:]) > 5", ["sum(x) > 5"]),
        ("smoothing.drop", "max_over_time(sum(x)[5m:] offset 1m) > 5", []),
        ("smoothing.drop", "rate(x[5m]) > 5", []),
        ("selector.negate", 'x{a="b", c=~"d"}', ['x{a!="b", c=~"d"}', 'x{a="b", c!~"d"}']),
        ("selector.drop", 'rate(x{a="b", c=~"d"}[5m])', ['rate(x{c=~"d"}[5m])', 'rate(x{a="b"}[5m])']),
        ("selector.drop", '{__name__="x", a="b"}', ['{__name__="x"}']),
        ("selector.drop", '{a="b"}', []),
        ("selector.negate", '{a="b"}', []),
        ("aggregation.drop", "sum by (job, instance) (x) > 5", ["sum(x) > 5"]),
        ("aggregation.drop", "topk without (job) (2, x)", ["topk(2, x)"]),
        ("aggregation.drop", "max(rate(sum by (job, le) (x)[5m:]))", ["max(rate(sum by (le) (x)[5m:]))"]),
        ("aggregation.drop", "histogram_quantile(0.9, sum by (le) (x))", []),
        ("aggregation.drop", "sum by () (x)", []),
        ("matching.drop", "x / on (job) y", ["x / y"]),
        ("matching.drop", "x / on (job) group_left (v) y", ["x / ignoring () group_left (v) y"]),
        ("guard.drop", "x > 5 and on (job) y > 6", ["x > 5"]),
        ("guard.drop", "x > 5 unless y", ["x > 5"]),
        ("guard.drop", "x > 5 or y", []),
        ("absent.drop", "x > 5 or absent(x)", [f"x > 5 or {NEVER}"]),
    ],
)  # fmt: skip
def test_an_operator_changes_one_place(operator: str, expr: str, changed: list[str]) -> None:
    assert [m.rule.expr for m in made(operator, alert(expr))] == changed


def test_times_of_an_alert_are_changed_and_those_of_a_recording_rule_are_not() -> None:
    rule = alert("x > 5", 120.0, 60.0)
    assert [m.rule.for_ for m in made("for.lengthen", rule)] == [240.0]
    assert [m.rule.for_ for m in made("for.drop", rule)] == [0.0]
    assert [m.rule.keep_firing_for for m in made("keep_firing.drop", rule)] == [0.0]
    assert [m.now for m in made("for.lengthen", alert("x > 5"))] == ["for: 5m"]
    assert made("for.drop", alert("x > 5")) == []
    assert not any(m.operator.name.startswith("for") for m in mutants(Rule("record", "a:b", "x > 5")))


def test_a_rule_that_asks_for_absence_alone_is_gone_once_not_twice() -> None:
    gone = [m.operator.name for m in mutants(alert("absent(x)")) if m.rule.expr == NEVER]
    assert gone == ["absent.drop"]
    assert [m.operator.name for m in mutants(alert("x")) if m.rule.expr == NEVER] == ["rule.drop"]


def test_a_rule_that_cannot_be_read_has_no_mutants() -> None:
    assert mutants(alert(BACKSLASH_IN_BACKTICKS)) == []


def test_what_was_changed_is_told_as_it_was_and_as_it_is() -> None:
    told = {m.operator.name: (m.was, m.now) for m in mutants(alert('5 < sum by (job) (rate(x{a="b"}[10m]))', 60.0))}
    assert told["comparison.border"] == ("5 <", "5 <=")
    assert told["threshold.double"] == ("5 <", "10 <")
    assert told["aggregation.drop"] == ("sum by (job)", "sum")
    assert told["range.shorten"] == ("x[10m]", "x[2m30s]")
    assert told["selector.drop"] == ('a="b"', "")
    assert told["for.drop"] == ("for: 1m", "")


def test_every_operator_has_a_mutant_in_rules_of_many_shapes() -> None:
    rules = [alert(expr, 60.0, 60.0) for expr in [*OWN, *CORNERS]]
    assert {m.operator.name for rule in rules for m in mutants(rule)} == set(OPERATORS)


def test_every_operator_is_documented_as_it_is() -> None:
    page = (ROOT / "docs" / "mutation.md").read_text(encoding="utf-8")
    rows = dict(re.findall(r"^\| `(\S+)` \|.*\| (\S*) ?\|$", page, re.MULTILINE))
    assert rows == {name: o.id for name, o in OPERATORS.items()}


def test_promtool_takes_every_mutant_and_none_is_the_rule_itself(promtool: Promtool) -> None:
    found = [m for expr in [*OWN, *CORNERS] for m in mutants(alert(expr, 60.0))]
    assert len(found) > 300
    assert refused(found, promtool) == {}
    assert all(_text(m.rule) != _text(m.original) for m in found)


@given(EXPRESSIONS)
@settings(max_examples=30, deadline=None)
def test_promtool_takes_every_mutant_of_any_rule(promtool: Promtool, expr: str) -> None:
    found = mutants(alert(expr))
    assert refused(found, promtool) == {}
    told = [_text(m.rule) for m in found]
    assert _text(alert(expr)) not in told
    assert len(set(told)) == len(told) >= 2


def _text(rule: Rule) -> tuple[str, float, float]:
    root = tree(rule.expr)
    assert root is not None, rule.expr
    return show(root), rule.for_, rule.keep_firing_for


def test_a_mutant_that_promtool_does_not_take_is_told_with_its_reason(promtool: Promtool) -> None:
    rule = alert("x > 5")
    good, bad = (Mutant(rule, alert(expr), OPERATORS["rule.drop"], "", "") for expr in ("x", "rate(x)"))
    ((number, trial),) = refused([good, bad], promtool).items()
    assert (number, trial.fate) == (1, "INVALID")
    assert "expected type range vector" in trial.seen

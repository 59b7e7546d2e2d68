"""The label sets that an expression can answer are those that Prometheus answers, or more, never fewer."""

from typing import Any

import pytest
from hypothesis import given, settings

from driftdrill.harness.judge.engine.evaluate import evaluate
from driftdrill.harness.judge.rules.promql import tree
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.judge.why import could_carry, labels_of, reasons
from driftdrill.harness.judge.why.label_sets import LabelSets
from driftdrill.harness.judge.why.labels import LabelSet
from driftdrill.harness.recording.reader import Samples
from driftdrill.stack.prometheus.promtool import find_promtool
from tests.harness.judge.expressions import EXPRESSIONS
from tests.harness.judge.why.seen import alert, rules, seen, series

FEW = (7.0, 22.0, 37.0, 52.0, 67.0)


def rising(t: float) -> float | None:
    return t if t in FEW else None


THERE: tuple[Samples, ...] = (
    series("a_total", rising, status="200", handler="/x"),
    series("a_total", rising, status="500", handler="/x"),
    series("a_total", rising, status="500", handler="/y"),
    series("b_total", rising, handler="/x"),
    series("b_total", rising, handler="/z", instance="j"),
    series("h_bucket", rising, le="1"),
    series("h_bucket", rising, le="+Inf"),
    series("up", lambda t: 1.0 if t in FEW else None),
    series("info", lambda t: 1.0 if t in FEW else None, version="1.2"),
)
NO_RULES = Rules(())
EXACT = (
    'a_total{status="500"}',
    'a_total{status=~"5.."}',
    'a_total{status!~"5..", handler!="/q"}',
    '{handler=~"/x|/z"}',
    '{__name__=~"a_.*|up", instance="i"}',
    "rate(a_total[1m])",
    "last_over_time(a_total[1m])",
    "-a_total",
    "a_total + 1",
    "1 < a_total",
    "a_total > bool 1",
    "sum(a_total)",
    "sum by (status, nowhere) (a_total)",
    "sum without (status, instance) (a_total)",
    "count by (handler) (up)",
    "a_total and on (handler) b_total",
    "a_total and b_total",
    "up and on () b_total",
    "a_total unless on (handler) nothing_there",
    "a_total or b_total",
    "a_total / ignoring (status) group_left b_total",
    "b_total * ignoring (status) group_right a_total",
    "a_total * on (job) group_left (version) info",
    "b_total * on (instance) group_left (handler, version) info",
    'sum by (handler) (a_total{status="500"}) / sum by (handler) (b_total)',
    "up == on (job) info",
    "up == ignoring (version) info",
    "up * ignoring (version) info",
    "a_total / b_total",
    "scalar(up) + a_total",
    "vector(1)",
    "hour()",
    "timestamp(up)",
    "histogram_quantile(0.9, h_bucket)",
    "histogram_quantile(0.9, rate(h_bucket[1m]))",
    "histogram_quantile(0.9, sum(rate(h_bucket[1m])))",
    'label_replace(a_total, "path", "p$1", "handler", "/(.*)")',
    'label_replace(a_total, "status", "", "status", "2..")',
    'label_replace(up, "path", "$9$$", "nowhere", "")',
    'label_join(a_total, "both", "-", "status", "handler", "nowhere")',
    "topk(9, a_total)",
    "max_over_time(rate(a_total[30s])[1m:15s])",
    'absent(nothing_there{job="j", x=~"y", z="1", z!="2"})',
    "absent(sum(nothing_there))",
    "sort_desc(a_total)",
    "clamp_max(a_total, 3)",
    "quantile by (status) (0.5, a_total)",
    "a_total offset 15s",
    "up > 0 or vector(0)",
)


@pytest.fixture(scope="module")
def answers() -> dict[str, set[LabelSet]]:
    """What promtool answers, every series at any time."""
    got = evaluate(THERE, NO_RULES, find_promtool(), end=75.0, interval=15.0, exprs=EXACT)
    return {
        expr: {frozenset({**t.labels, **({"__name__": t.name} if t.name else {})}.items()) for t in tracks}
        for expr, tracks in got.series.items()
    }


@pytest.mark.parametrize("expr", EXACT)
def test_an_expression_has_the_label_sets_that_prometheus_gives_it(
    expr: str, answers: dict[str, set[LabelSet]]
) -> None:
    assert LabelSets.over((s.labels for s in THERE), NO_RULES).of(tree(expr)) == answers[expr]


@pytest.mark.parametrize(
    "expr",
    ["info(a_total)", "a_total + fill_left(0) b_total", 'count_values("v", a_total) + on (v) up', "nonsense(up)"],
)
def test_what_is_not_known_is_unknown(expr: str) -> None:
    root = tree(expr)
    assert root is None or LabelSets.over((s.labels for s in THERE), NO_RULES).of(root) is None


def test_what_is_empty_is_so_beside_what_is_not_known() -> None:
    assert LabelSets.over((s.labels for s in THERE), NO_RULES).of(tree("info(a_total) * nothing_there")) == frozenset()


@given(EXPRESSIONS)
@settings(max_examples=200, deadline=None)
def test_no_expression_breaks_a_check(expr: str) -> None:
    given_rules = rules("up")
    rule: Any = alert(Rules((given_rules.files[0],)))
    broken = type(rule)(**{**rule.__dict__, "rule": type(rule.rule)(**{**rule.rule.__dict__, "expr": expr})})
    assert isinstance(reasons(broken, seen(given_rules, THERE)), tuple)


RECORDED = """record: job:a:rate
expr: sum by (job, status) (rate(a_total[1m]))
labels: {team: '{{ literal }}'}"""


def test_a_recorded_series_has_what_its_rule_makes() -> None:
    given_rules = rules("job:a:rate > 1", "labels: {team: x}", _indented(RECORDED))
    assert labels_of(alert(given_rules), seen(given_rules, THERE)) == (
        {"job": "m", "status": "200", "team": "x"},
        {"job": "m", "status": "500", "team": "x"},
    )


def test_an_alert_reads_the_alerts_of_another() -> None:
    given_rules = rules('ALERTS{alertname="A", alertstate="firing"} == 1', "labels: {severity: page}")
    assert labels_of(alert(given_rules), seen(given_rules, THERE)) is None, "it reads itself"


def test_templates_of_labels_are_rendered_and_others_are_not_known() -> None:
    fields = "labels: {path: '{{ $labels.handler }}!', gone: '{{ $labels.nowhere }}', value: '{{ $value }}'}"
    given_rules = rules("b_total > 1", fields)
    made = labels_of(alert(given_rules), seen(given_rules, THERE))
    assert made is not None
    assert [m["path"] for m in made] == ["/x!", "/z!"]
    assert all("gone" not in m and m["value"] is None for m in made)


def test_labels_that_nothing_has_are_told() -> None:
    given_rules = rules("a_total > 1", "labels: {severity: warn, value: '{{ $value }}'}")
    rule, there = alert(given_rules), seen(given_rules, THERE)
    assert could_carry(rule, there, {"severity": "warn", "status": "500", "value": "3"})
    assert not could_carry(rule, there, {"severity": "page"})
    assert not could_carry(rule, there, {"statu": "500"})


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")

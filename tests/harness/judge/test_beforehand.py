"""What is refused before a drill, and what an alert that must be quiet is asked: would it fire if it could?"""

from pathlib import Path
from typing import Any

import pytest

from driftdrill import Scenario, constant, fires, judge, quiet, resolves, silent
from driftdrill.harness.errors import RuleError, ScenarioError
from driftdrill.harness.judge.beforehand import refuse_hopeless
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.scenario.expect import Expectation
from driftdrill.stack.rules.files import parse
from tests.harness.made import make

RULES = """
groups:
- name: g
  rules:
  - {alert: Drift, expr: drift > 0.3, for: 10m, labels: {severity: warn}}
  - {alert: Either, expr: drift > 0.3, labels: {severity: '{{ if gt $value 1.0 }}page{{ else }}warn{{ end }}'}}
"""


def refused(expectation: Expectation, recovery: float = 900.0) -> None:
    scenario = Scenario(
        name="made", story="made", rows=dict, rate=constant(1), warm_up=300, baseline=600, fault=900, recovery=recovery,
        faults=[], expect=[expectation],
    )  # fmt: skip
    refuse_hopeless(scenario, Rules(parse(RULES, "rules.yml")))


def test_a_label_that_the_rule_gives_another_value_is_refused_with_what_it_gives() -> None:
    for word in (fires, quiet, resolves):
        with pytest.raises(RuleError) as told:
            refused(word("Drift", labels={"severity": "page"}))
        assert str(told.value) == (
            'rules.yml:5: no rule Drift can have {severity="page"}, which the scenario expects: '
            'rules.yml:5 has {severity="warn"}'
        )
    refused(fires("Drift", labels={"severity": "warn", "feature": "age"}))
    refused(fires("Either", labels={"severity": "page"}))


def test_a_reason_that_no_check_finds_is_refused_with_the_nearest() -> None:
    with pytest.raises(ScenarioError, match="gives 'vanish', which is no reason that is found") as told:
        refused(silent("Drift", because="vanish"))
    assert told.value.hint == "did you mean vanished?"
    refused(silent("Drift", because="vanished"))


def test_a_recovery_shorter_than_the_alert_looks_back_is_refused() -> None:
    with pytest.raises(ScenarioError, match=r"resolves\(Drift\) needs a recovery of 10m"):
        refused(resolves("Drift"), recovery=300.0)


ERRORS = """
groups:
- name: g
  rules:
  - {alert: Errors, expr: 'sum(rate(app_total{status=~"5.."}[5m])) / sum(rate(app_total[5m])) > 0.05', for: 2m}
  - {alert: Never, expr: 'sum(increase(app_total{status="500"}[5m])) > 1e30'}
  - {alert: Fewer, expr: 'max(app_queue{lane="spare"}) < 1'}
"""
HEALTHY = {
    "app_total": {(("status", "200"),): lambda t: max(t, 0.0)},
    "app_queue": {(("lane", "main"),): lambda t: 3.0},
}


def test_an_alert_on_what_a_healthy_service_has_not_is_quiet_if_it_fires_once_that_is_born(tmp_path: Path) -> None:
    expect = [quiet("Errors"), quiet("Never"), quiet("Fewer")]
    errors, never, fewer = judge(make(tmp_path, HEALTHY, ERRORS, expect=expect)).findings

    assert errors.held
    assert errors.seen == 'no alert fired; no scrape had app_total{status=~"5.."}: it fires once born'
    assert (never.held, never.refuted, never.code) == (False, False, "quiet.cannot_fire")
    assert never.seen.endswith('app_total{status="500"}: it does not fire once born')
    assert fewer.held


def test_an_alert_that_should_fire_on_what_the_fault_did_not_make_is_told_so(tmp_path: Path) -> None:
    (failure,) = judge(make(tmp_path, HEALTHY, ERRORS, expect=[fires("Errors")])).failures

    assert failure.seen == 'SILENT: no scrape had app_total{status=~"5.."}'
    assert failure.hint == "it fires once such a series is born: the fault made none"


def test_no_series_of_another_target_is_born(tmp_path: Path) -> None:
    rules = ERRORS.replace('app_total{status="500"}', 'app_total{job="other"}').replace("> 1e30", "> 1")
    (never,) = judge(make(tmp_path, HEALTHY, rules, expect=[quiet("Never")])).findings

    assert (never.held, never.code) == (False, "quiet.cannot_fire")


@pytest.mark.parametrize("labels", [{"alertname": "Hot"}, {"__name__": "heat"}, {"bin": 5}])
def test_labels_that_no_instance_of_an_alert_can_carry_are_refused(labels: dict[str, Any]) -> None:
    with pytest.raises(ScenarioError, match=next(iter(labels))):
        fires("Hot", labels=labels)

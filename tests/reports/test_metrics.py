"""The harness's own metrics, read back by Prometheus's tools."""

import math
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace

import pytest
from prometheus_client.parser import text_string_to_metric_families

from driftdrill.reports import metrics
from driftdrill.reports.metrics import CanaryState, DrillState
from tests.reports.samples import HOSTILE, SAMPLES, caught, many_alerts, silent

RUNNING = DrillState(
    scenario="departure delays arrive in seconds",
    clock="wall",
    seed=7,
    version="0.1.0",
    phase="fault",
    requests={"answered": 1200, "failed": 3, "missed": 0},
    strength={"dep_delay x60": 0.25},
    canaries=(CanaryState("on time", 0.004, 60, 0), CanaryState("never answered", None, 0, 12)),
)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    found = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            key = (sample.name, frozenset(sample.labels.items()))
            assert key not in found, f"{key} twice"
            found[key] = sample.value
    return found


def value(text: str, name: str, **labels: str) -> float | None:
    return samples(text).get((name, frozenset(labels.items())))


@pytest.mark.parametrize(
    "page",
    [
        lambda: metrics.render(RUNNING),
        lambda: metrics.render(judged=[(f(), 1.7e9 + i) for i, f in enumerate(SAMPLES.values())]),
        lambda: metrics.render(RUNNING, judged=[(silent(), 1.7e9)]),
        lambda: metrics.render(replace(RUNNING, phase=None, requests={}, strength={}, canaries=())),
    ],
    ids=["running", "judged", "both", "empty"],
)
def test_promtool_has_nothing_to_complain_about(page: Callable[[], str]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed: the metrics page was not checked with it")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=page(), text=True, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_running_drill_tells_its_phase_requests_strengths_and_canaries() -> None:
    text = metrics.render(RUNNING)
    assert value(text, "driftdrill_requests_total", outcome="answered") == 1200
    assert value(text, "driftdrill_fault_strength_ratio", fault="dep_delay x60") == 0.25
    phases = {p: value(text, "driftdrill_phase", phase=p) for p in metrics.PHASES}
    assert phases == {"warm_up": 0, "baseline": 0, "fault": 1, "recovery": 0}
    info = {"scenario": RUNNING.scenario, "clock": "wall", "seed": "7", "version": "0.1.0"}
    assert value(text, "driftdrill_drill_info", **info) == 1
    assert value(text, "driftdrill_canary_deviation", canary="on time") == 0.004


def test_a_canary_that_never_answered_has_no_deviation_but_a_count_of_failures() -> None:
    text = metrics.render(RUNNING)
    assert value(text, "driftdrill_canary_deviation", canary="never answered") is None
    assert value(text, "driftdrill_canary_requests_total", canary="never answered", outcome="failed") == 12


def test_a_canary_that_answers_with_no_number_is_not_hidden() -> None:
    text = metrics.render(replace(RUNNING, canaries=(CanaryState("c", math.nan, 1),)))
    deviation = value(text, "driftdrill_canary_deviation", canary="c")
    assert deviation is not None
    assert math.isnan(deviation)


def test_the_last_verdict_of_a_scenario_is_the_one_that_counts() -> None:
    old, new = replace(caught(), responses=silent().responses), caught()
    text = metrics.render(judged=[(new, 200.5), (old, 100.0)])
    name = new.scenario
    assert value(text, "driftdrill_last_verdict_timestamp_seconds", scenario=name, verdict="HELD") == 200.5
    assert value(text, "driftdrill_alert_response", scenario=name, alert="InputDrift", response="FIRED") == 1
    assert value(text, "driftdrill_alert_response", scenario=name, alert="InputDrift", response="SILENT") is None


def test_many_series_of_one_alert_are_counted_not_repeated() -> None:
    text = metrics.render(judged=[(many_alerts(), 1.0)])
    alert = "FeatureDistributionDriftOfServiceNumber0"
    scenario = many_alerts().scenario
    assert value(text, "driftdrill_alert_response", scenario=scenario, alert=alert, response="FIRED") == 6


def test_hostile_names_stay_inside_their_label() -> None:
    drill = replace(RUNNING, scenario=HOSTILE, strength={HOSTILE: 1.0}, requests={HOSTILE: 1})
    text = metrics.render(drill)
    assert len([line for line in text.splitlines() if not line.startswith("#")]) == 12
    labels = {v for _, pairs in samples(text) for k, v in pairs if k == "fault"}
    assert labels == {next(iter(labels))}
    assert next(iter(labels)).startswith("<script>alert(1)</script>\"'&]]>\\x00\\x1b[31m")

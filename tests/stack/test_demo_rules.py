"""The demo's rules on a real service: silent on clean rows, each alert can fire, and the two blind spots are blind."""

import contextlib
import functools
import itertools
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import requests
import yaml

from driftdrill.harness.judge.judge import judge
from driftdrill.harness.recording.reader import open_recording
from driftdrill.stack.connection import Connection
from driftdrill.stack.model_service import Service, flights, serve
from driftdrill.stack.model_service.flights import Batch
from driftdrill.stack.model_service.model import VERSION, load
from driftdrill.stack.prometheus.api import Server, query
from driftdrill.stack.prometheus.server import prometheus
from driftdrill.stack.scrape.job import page_job
from tests.shared import demo_of_wrong_join
from tests.stack.virtual_rules import (
    MINUTES,
    SECONDS,
    Change,
    Pace,
    Pages,
    as_rows,
    clean,
    draw,
    drive,
    evaluate,
    run,
    told,
)

pytestmark = pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
BOTH = pytest.mark.parametrize("pace", [MINUTES, SECONDS], ids=["minutes", "seconds"])


def in_seconds(batch: Batch, _: np.random.Generator) -> Batch:
    return {**batch, "dep_delay": batch["dep_delay"] * 60}


def wrong_join(batch: Batch, rng: np.random.Generator) -> Batch:
    return {**batch, "dep_delay": rng.permutation(batch["dep_delay"])}


def longer_distances(batch: Batch, _: np.random.Generator) -> Batch:
    return {**batch, "distance": batch["distance"] * 1.05}


def half_delays_lost(batch: Batch, rng: np.random.Generator) -> Batch:
    lost = rng.random(len(batch["dep_delay"])) < 0.5
    return {**batch, "dep_delay": np.where(lost, np.nan, batch["dep_delay"])}


def new_carriers(batch: Batch, rng: np.random.Generator) -> Batch:
    renamed = rng.random(len(batch["carrier"])) < 0.1
    return {**batch, "carrier": np.where(renamed, "ZZ", batch["carrier"])}


@pytest.fixture
def service() -> Iterator[Service]:
    """One that has answered nothing yet."""
    with serve() as running:
        yield running


@pytest.fixture(scope="module")
def six_clean_windows() -> Callable[[Pace], Pages]:
    """What a service tells of clean rows: driven once a pace."""

    @functools.cache
    def driven(pace: Pace) -> Pages:
        with serve() as running:
            return drive(running, pace, duration=6 * pace.window)

    return driven


@BOTH
def test_promtool_accepts_the_rules(pace: Pace) -> None:
    done = subprocess.run(["promtool", "check", "rules", str(pace.rules)], capture_output=True, timeout=30, check=False)
    assert done.returncode == 0, done.stderr


def test_both_files_hold_the_same_alerts_and_tell_what_to_do() -> None:
    alerts = [
        {
            r["alert"]: r
            for group in yaml.safe_load(pace.rules.read_text())["groups"]
            for r in group["rules"]
            if "alert" in r
        }
        for pace in (MINUTES, SECONDS)
    ]
    assert list(alerts[0]) == list(alerts[1])
    for rule in (*alerts[0].values(), *alerts[1].values()):
        assert rule["for"]
        assert rule["labels"]["severity"] in ("warning", "critical")
        assert set(rule["annotations"]) == {"summary", "description"}


@BOTH
def test_clean_rows_fire_nothing_and_stay_below_half_the_drift_threshold(
    pace: Pace, six_clean_windows: Callable[[Pace], Pages]
) -> None:
    outcome = told(six_clean_windows(pace), pace)
    assert outcome.firing == {}
    series = [name for name in outcome.recorded if "psi" in name]
    assert len(series) == 6
    assert max(max(outcome.values(name)) for name in series) < 0.125


@BOTH
def test_delays_in_seconds_fire_input_drift_of_that_feature(pace: Pace, service: Service) -> None:
    outcome = run(service, pace, duration=4 * pace.window, change=in_seconds, at=2 * pace.window)
    assert {name for name in outcome.firing if name.startswith("InputDrift")} == {"InputDrift/dep_delay"}
    assert 2 * pace.window < outcome.firing["InputDrift/dep_delay"][0] < 3.5 * pace.window
    assert set(outcome.firing) == {"InputDrift/dep_delay", "PredictionDrift", "DecisionShift"}


def test_a_wrong_join_ruins_the_predictions_and_every_rule_is_silent(tmp_path_factory: pytest.TempPathFactory) -> None:
    """On the demo's own drill, which others look at too."""
    verdict = judge(open_recording(demo_of_wrong_join(tmp_path_factory)), [MINUTES.rules])
    assert verdict.validity.valid, verdict.validity.reasons
    assert len(verdict.responses) > 10
    assert {r.alert: r.word for r in verdict.responses if r.word != "SILENT"} == {}
    (harm,) = verdict.harms
    assert harm.word == "HARMFUL"
    assert harm.during < harm.before - 0.2
    assert accuracy(wrong_join) < accuracy() - 0.2


def test_longer_distances_move_a_feature_and_neither_harm_nor_fire(service: Service) -> None:
    outcome = run(service, MINUTES, duration=5 * MINUTES.window, change=longer_distances, at=2 * MINUTES.window)
    assert outcome.firing == {}
    seen = outcome.values("job_feature:model_feature_psi:10m/distance", since=3 * MINUTES.window)
    assert 0.1 < np.median(seen) < max(seen) < 0.23
    assert accuracy(longer_distances) == pytest.approx(accuracy(), abs=0.001)


def test_lost_delays_and_new_carriers_fire_by_feature(service: Service) -> None:
    def both(batch: Batch, rng: np.random.Generator) -> Batch:
        return new_carriers(half_delays_lost(batch, rng), rng)

    outcome = run(service, MINUTES, duration=4 * MINUTES.window, change=both, at=2 * MINUTES.window)
    assert {"MissingValues/dep_delay", "UnseenCategory/carrier", "InputDrift/carrier"} <= set(outcome.firing)
    assert not {"MissingValues/carrier", "UnseenCategory/dest", "InputDrift/dest"} & set(outcome.firing)


def test_two_replicas_are_added_up_and_their_reference_is_not(six_clean_windows: Callable[[Pace], Pages]) -> None:
    two_windows = six_clean_windows(MINUTES)[: round(2 * MINUTES.window / MINUTES.interval)]
    outcome = told(two_windows, MINUTES, replicas=2)
    assert outcome.firing == {}
    assert 0 < outcome.values("job_feature:model_feature_psi:10m/dest")[-1] < 0.08


# Alerts on the service, on made-up series: no clean service answers like that.

Line = tuple[float, float]
"""Value at the first scrape, and how much it grows at each."""

UP, INFO = 'up{job="model"}', 'model_info{job="model",version="%s"}'
OK, REFUSED, FAILED = (f'http_requests_total{{job="model",handler="/predict",status="{s}"}}' for s in (200, 422, 500))
FAST, SLOW, ALL = (
    f'http_request_duration_seconds_bucket{{job="model",handler="/predict",le="{le}"}}'
    for le in ("0.25", "0.5", "+Inf")
)
PREDICTIONS, INVALID = (f'model_predictions{kind}_total{{job="model"}}' for kind in ("", "_invalid"))
WELL = {UP: (1, 0), PREDICTIONS: (0, 10), INFO % VERSION: (1, 0), OK: (0, 10)}
CASES: dict[str, dict[str, Line]] = {
    "HighErrorRate": {**WELL, FAILED: (0, 1)},
    "HighRejectionRate": {**WELL, REFUSED: (0, 1)},
    "HighLatency": {**WELL, FAST: (0, 9), SLOW: (0, 10), ALL: (0, 10)},
    "NoTraffic": {**WELL, OK: (10, 0)},
    "ModelDown": {**WELL, UP: (0, 0)},
    "ModelMetricsAbsent": {UP: (1, 0), OK: (0, 10)},
    "AnswersWithoutPredictions": {**WELL, PREDICTIONS: (0, 1)},
    "InvalidPredictions": {**WELL, INVALID: (0, 1)},
    "UnexpectedModelVersion": {**{k: v for k, v in WELL.items() if k != INFO % VERSION}, INFO % "2013-01": (1, 0)},
}


@BOTH
@pytest.mark.parametrize("alert", CASES)
def test_each_alert_on_the_service_fires_alone(pace: Pace, alert: str) -> None:
    scrapes = round(2.5 * pace.window / pace.interval)
    series = {name: [repr(start + n * step) for n in range(scrapes)] for name, (start, step) in CASES[alert].items()}
    assert set(evaluate(pace, series, scrapes).firing) == {alert}


@BOTH
def test_two_versions_at_once_fire_even_where_both_are_expected(pace: Pace) -> None:
    scrapes = round(2.5 * pace.window / pace.interval)
    series = {name: [repr(start + n * step) for n in range(scrapes)] for name, (start, step) in WELL.items()}
    series[INFO % "2013-01"] = ["1"] * scrapes
    assert set(evaluate(pace, series, scrapes).firing) == {"MixedModelVersions", "UnexpectedModelVersion"}


@BOTH
def test_a_service_that_does_well_fires_nothing(pace: Pace) -> None:
    scrapes = round(2.5 * pace.window / pace.interval)
    series = {name: [repr(start + n * step) for n in range(scrapes)] for name, (start, step) in WELL.items()}
    assert evaluate(pace, series, scrapes).firing == {}


# The rules in seconds, on a real Prometheus


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("prometheus") is None, reason="needs prometheus")
def test_on_a_real_prometheus_the_rules_in_seconds_catch_delays_in_seconds(service: Service) -> None:
    job = page_job("model", Connection(service.metrics_url), interval=1)
    with (
        prometheus(
            jobs=[job], rule_files=[SECONDS.rules], scrape_interval=1, evaluation_interval=1, how="binary"
        ) as server,
        traffic(service) as change,
    ):
        wait_for(server, 'count_over_time(job_feature:model_feature_psi:15s{feature="dep_delay"}[60s]) > 8', within=90)
        assert query(server, 'max_over_time(ALERTS{alertstate="firing",alertname!="NoTraffic"}[10s])') == ()
        assert (
            max(s.samples[-1][1] for s in query(server, "max_over_time(job_feature:model_feature_psi:15s[10s])")) < 0.12
        )
        change(in_seconds)
        wait_for(server, 'ALERTS{alertname="InputDrift",alertstate="firing"}', within=90)
        drifted = query(server, 'ALERTS{alertname="InputDrift"}')
        assert [series.labels["feature"] for series in drifted] == ["dep_delay"]


@contextlib.contextmanager
def traffic(service: Service) -> Iterator[Callable[[Change], None]]:
    """One request at a time, 40 a second; the function given changes the rows from now on."""
    changes, ended = [clean], threading.Event()

    def send() -> None:
        rng = np.random.default_rng(0)
        start = time.monotonic()
        with requests.Session() as session:
            for number in itertools.count():
                (row,) = as_rows(changes[-1](draw(1, rng), rng))
                session.post(service.predict_url, json=row, timeout=10)
                if ended.wait(max(0, start + number / SECONDS.rate - time.monotonic())):
                    return

    sender = threading.Thread(target=send)
    sender.start()
    try:
        yield changes.append
    finally:
        ended.set()
        sender.join(10)


def wait_for(server: Server, expr: str, within: float) -> None:
    deadline = time.monotonic() + within
    while not query(server, expr):
        assert time.monotonic() < deadline, f"no {expr} within {within} s"
        time.sleep(0.2)


@functools.cache
def accuracy(change: Change = clean) -> float:
    """Of the served decisions on 20,000 held-out rows."""
    rng, model = np.random.default_rng(0), load()
    rows = change(draw(20_000, rng), rng)
    late = [model.is_late(model.predict(row)) for row in as_rows(rows)]
    return float(np.mean(np.array(late) == rows[flights.TRUTH]))


# docs/model-metrics.md

DOCUMENT = (Path(__file__).parents[2] / "docs" / "model-metrics.md").read_text()


def test_the_recipe_in_the_docs_is_the_one_that_is_tested_here() -> None:
    tested = [rule for group in yaml.safe_load(MINUTES.rules.read_text())["groups"] for rule in group["rules"]]
    (recipe,) = re.findall("```yaml\n(.*?)```", DOCUMENT, re.DOTALL)
    rules = yaml.safe_load(recipe)
    assert [rule.get("alert") for rule in rules][-1] == "InputDrift"
    for rule in rules:
        assert any(rule.items() <= whole.items() for whole in tested), rule


def test_every_metric_of_the_page_is_in_the_docs(service: Service) -> None:
    page = requests.get(service.metrics_url, timeout=10).text
    families = re.findall(r"^# TYPE (\w+) ", page, re.MULTILINE)
    assert [name for name in families if f"`{name}`" not in DOCUMENT and not name.startswith("process_")] == []

"""Section C of the fault catalogue on the real model: each switch does what it says, and none stays on."""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from driftdrill.stack.errors import StackError
from driftdrill.stack.model_service import Service, flights, serve
from driftdrill.stack.model_service.control import misconfigured
from driftdrill.stack.model_service.model import EARLIER_VERSION, VERSION, load
from driftdrill.stack.model_service.switches import (
    SWITCHES,
    CacheStuck,
    Calibration,
    ClassMap,
    ConstantOutput,
    DefaultImputed,
    Dtype,
    FeatureOrder,
    Locale,
    NanOutput,
    Nondeterministic,
    ScalerMissing,
    ScalerTwice,
    Slow,
    StaleFeatures,
    Switch,
    Threshold,
    TrafficSplit,
    UnitChange,
    WrongVersion,
)
from tests.stack.virtual_rules import as_rows

ROOT = Path(__file__).parents[2]
BATCH = {name: column[:8000:20] for name, column in flights.held_out().items()}
ROWS = as_rows(BATCH)
TOKEN = "a token from the environment"
Values = dict[str, float]


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serve(admin=True) as running:
        yield running


@pytest.fixture(autouse=True)
def _none_left_on(service: Service) -> Iterator[None]:
    yield
    assert switched_on(service) == []


def switched_on(service: Service) -> Any:
    return requests.get(f"{service.url}/admin/switches", headers=bearer(service), timeout=10).json()


def bearer(service: Service) -> dict[str, str]:
    return {"Authorization": f"Bearer {service.admin_token}"}


def hold(service: Service, switch: Switch, **options: float) -> Any:
    assert service.admin_token
    return misconfigured(service.url, service.admin_token, switch, **options)


def ask(service: Service) -> tuple[list[Any], list[bool]]:
    """Probabilities and decisions of the same 400 rows."""
    answer = requests.post(service.predict_url, json={"rows": ROWS}, timeout=10)
    assert answer.status_code == 200
    return answer.json()["predictions"], answer.json()["late"]


def page(service: Service) -> Values:
    text = requests.get(service.metrics_url, timeout=10).text
    samples = (sample for family in text_string_to_metric_families(text) for sample in family.samples)
    return {s.name + "".join(f" {s.labels[k]}" for k in sorted(s.labels)): s.value for s in samples}


def counted(service: Service, prefix: str, during: Callable[[], object]) -> Values:
    """How far each counter that begins like that went up, by the rest of its name."""
    before = page(service)
    during()
    after = page(service)
    return {n.removeprefix(prefix).strip(): after[n] - before.get(n, 0) for n in after if n.startswith(prefix)}


def logit(p: list[float]) -> np.ndarray[Any, np.dtype[np.float64]]:
    clipped = np.clip(p, 1e-12, 1 - 1e-12)
    return np.asarray(np.log(clipped / (1 - clipped)))


# What each switch does


def test_every_id_of_the_section_is_a_switch() -> None:
    assert set(SWITCHES) == {
        *("mis.wrong_version", "mis.feature_order", "mis.unit_change", "mis.scaler_missing", "mis.scaler_twice"),
        *("mis.class_map", "mis.stale_features", "mis.default_imputed", "mis.dtype", "mis.threshold"),
        *("mis.calibration", "mis.locale", "mis.constant_output", "mis.cache_stuck", "mis.traffic_split"),
        *("mis.nan_output", "mis.nondeterministic"),
        "sys.latency",
    }


MISCONFIGURED = {name: kind for name, kind in SWITCHES.items() if kind is not Slow}


@pytest.mark.parametrize("kind", MISCONFIGURED.values(), ids=MISCONFIGURED)
def test_a_switch_is_answered_200_changes_answers_and_leaves_no_trace(service: Service, kind: type[Switch]) -> None:
    clean = ask(service)
    with hold(service, kind()) as held:
        assert ask(service) != clean
        assert held.verify() is None
        assert (held.state().changed, held.state().passed) == (len(ROWS), 0)
    assert held.verify() is not None
    assert ask(service) == clean


def test_a_slow_service_shows_in_its_own_latency_and_answers_as_before(service: Service) -> None:
    def slow() -> float:
        return sum(v for k, v in page(service).items() if k.startswith("http_request_duration_seconds_sum"))

    row = {"dep_delay": 5.0}
    fast, before = requests.post(service.predict_url, json=row, timeout=10).json(), slow()
    with hold(service, Slow(delay=0.2)) as held:
        assert requests.post(service.predict_url, json=row, timeout=10).json() == fast
        assert held.state().changed == 1
    assert slow() - before > 0.2


def test_a_wrong_version_answers_and_the_page_says_so(service: Service) -> None:
    with hold(service, WrongVersion()):
        predictions, _ = ask(service)
        assert predictions == [load(EARLIER_VERSION).predict(row) for row in ROWS]
        told = {name for name in page(service) if re.match(r"model_info|model_\w+_reference_ratio", name)}
        assert told
        assert all(name.endswith(EARLIER_VERSION) for name in told)
    assert f"model_info {VERSION}" in page(service)
    assert f"model_info {EARLIER_VERSION}" not in page(service)


def test_a_traffic_split_shows_two_versions_and_the_rows_of_each(service: Service) -> None:
    with hold(service, TrafficSplit(), share=0.25):
        assert {f"model_info {VERSION}", f"model_info {EARLIER_VERSION}"} <= page(service).keys()
        rows = counted(service, "model_predictions_total", lambda: ask(service))
    assert rows == {VERSION: 300, EARLIER_VERSION: 100}


def test_columns_that_trade_places_show_in_the_bins_of_both(service: Service) -> None:
    with hold(service, FeatureOrder()):
        bins = counted(service, "model_feature_values_total", lambda: ask(service))
    long, far = bins["+Inf dep_delay"], bins["214 distance"]
    assert long > 0.95 * len(ROWS)  # each is a distance
    assert far > 0.9 * len(ROWS)  # each is a delay


def test_another_unit_saturates_the_last_bin(service: Service) -> None:
    clean = counted(service, "model_feature_values_total", lambda: ask(service))["+Inf dep_delay"]
    with hold(service, UnitChange(feature="dep_delay", by=60)):
        bins = counted(service, "model_feature_values_total", lambda: ask(service))
    assert bins["+Inf dep_delay"] > 2 * clean


def test_without_a_scaler_numbers_enter_as_they_are(service: Service) -> None:
    clean = logit(ask(service)[0])
    with hold(service, ScalerMissing()):
        changed = logit(ask(service)[0])
    model = load()
    parts = [
        (f.weight, f.mean, f.deviation, BATCH[n]) for n in ("dep_delay", "distance", "hour") for f in [number(model, n)]
    ]
    added = sum(weight * (x - (x - mean) / deviation) for weight, mean, deviation, x in parts)
    within = np.abs(clean + added) < 20
    assert np.allclose((clean + added)[within], changed[within], atol=1e-3)
    assert not np.allclose(clean, changed)


def number(model: Any, name: str) -> Any:
    return model.features[name]


def test_scaling_twice_collapses_the_predictions(service: Service) -> None:
    spread = np.std(logit(ask(service)[0]))
    with hold(service, ScalerTwice()):
        assert np.std(logit(ask(service)[0])) < 0.3 * spread


def test_exchanged_classes_mirror_the_probabilities(service: Service) -> None:
    clean, late = ask(service)
    with hold(service, ClassMap()):
        mirrored, decisions = ask(service)
    assert np.allclose(mirrored, 1 - np.array(clean))
    assert decisions == [not decision for decision in late]


def test_stale_features_keep_the_first_value(service: Service) -> None:
    with hold(service, StaleFeatures(features=("dep_delay", "carrier"))):
        bins = counted(service, "model_feature_values_total", lambda: ask(service))
    assert sorted(v for name, v in bins.items() if name.endswith(("dep_delay", "carrier")) and v) == [400, 400]
    assert sum(v > 0 for name, v in bins.items() if name.endswith("dest")) > 5


def test_defaults_fill_one_bin_and_count_as_nothing_missing(service: Service) -> None:
    with hold(service, DefaultImputed()):
        bins = counted(service, "model_feature_values_total", lambda: ask(service))
        missing = counted(service, "model_feature_missing_total", lambda: ask(service))
    assert bins["-1 dep_delay"] == len(ROWS)
    assert set(missing.values()) == {0}


def test_a_small_type_wraps_long_delays_and_no_input_metric_sees_it(service: Service) -> None:
    clean, late = ask(service)
    seen = counted(service, "model_feature_values_total", lambda: ask(service))
    with hold(service, Dtype()):
        wrapped, decisions = ask(service)
        assert counted(service, "model_feature_values_total", lambda: ask(service)) == seen
    long = BATCH["dep_delay"] > 127
    assert np.array_equal(np.array(wrapped) != np.array(clean), long)
    assert sum(decisions) < sum(late)


def test_another_threshold_moves_decisions_and_no_probability(service: Service) -> None:
    clean, _ = ask(service)
    with hold(service, Threshold(to=0.05)):
        predictions, late = ask(service)
        decisions = counted(service, "model_decisions_total", lambda: ask(service))
    assert predictions == clean
    assert late == [p >= 0.05 for p in clean]
    assert decisions == {"late": sum(late), "on_time": len(late) - sum(late)}


@pytest.mark.parametrize("temperature", [3.0, 0.5])
def test_a_temperature_divides_the_log_odds(service: Service, temperature: float) -> None:
    clean, late = ask(service)
    with hold(service, Calibration(temperature=temperature)):
        predictions, decisions = ask(service)
    within = np.abs(logit(clean)) < 10
    assert np.allclose(logit(predictions)[within] * temperature, logit(clean)[within], atol=1e-4)
    assert decisions == late


def test_a_comma_locale_reads_ten_times_the_delay(service: Service) -> None:
    with hold(service, Locale(features=("dep_delay",))):
        predictions, _ = ask(service)
    model = load()
    assert predictions == [model.predict({**row, "dep_delay": row["dep_delay"] * 10}) for row in ROWS]


def test_a_fallback_answers_one_value(service: Service) -> None:
    with hold(service, ConstantOutput(value=0.7)):
        assert ask(service) == ([0.7] * len(ROWS), [True] * len(ROWS))


def test_a_stuck_cache_answers_without_the_model(service: Service) -> None:
    with hold(service, CacheStuck()):
        predictions, _ = ask(service)
        assert len(set(predictions)) == 1
        assert counted(service, f"model_predictions_total {VERSION}", lambda: ask(service)) == {"": 0}


def test_no_number_is_null_and_poisons_the_sum_for_good() -> None:
    with serve(admin=True) as own, hold(own, NanOutput(), share=0.5):
        predictions, late = ask(own)
        assert predictions[1::2] == [None] * 200
        assert not any(late[1::2])
        after = page(own)
        assert after["model_predictions_invalid_total"] == 200
        assert after["model_prediction_probability_count"] == 200
        assert np.isnan(after["model_prediction_probability_sum"])


def test_dropout_answers_the_same_row_differently(service: Service) -> None:
    with hold(service, Nondeterministic(drop=0.5)):
        assert ask(service) != ask(service)


# How they are held


def test_a_share_of_the_rows_is_exact_and_may_change(service: Service) -> None:
    with hold(service, ConstantOutput(), share=0.0) as held:
        clean, _ = ask(service)
        assert held.state().changed == 0
        for share, rows in ((0.25, 100), (0.1, 40), (1.0, 400)):
            held.set(share)
            assert sum(p != c for p, c in zip(ask(service)[0], clean, strict=True)) == rows
        assert (held.state().changed, held.state().passed) == (540, 1060)


def test_two_switches_are_on_together_and_go_off_apart(service: Service) -> None:
    clean, _ = ask(service)
    with hold(service, ClassMap()):
        with hold(service, Threshold(to=0.95)):
            predictions, late = ask(service)
            assert late == [p >= 0.95 for p in predictions]
        assert np.allclose(ask(service)[0], 1 - np.array(clean))


def test_a_switch_goes_off_where_the_block_fails(service: Service) -> None:
    with pytest.raises(KeyError), hold(service, ClassMap()):
        raise KeyError
    assert switched_on(service) == []


def test_a_switch_goes_off_by_itself_when_its_time_is_over(service: Service) -> None:
    clean = ask(service)
    with hold(service, WrongVersion(), ttl=0.3) as held:
        deadline = time.monotonic() + 10
        while held.state() is not None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert "says it is off" in (held.verify() or "")
        assert ask(service) == clean
        assert f"model_info {VERSION}" in page(service)


HOLDER = """
import sys, time
from driftdrill.stack.model_service.control import misconfigured
from driftdrill.stack.model_service.switches import ClassMap
with misconfigured(sys.argv[1], sys.stdin.readline().strip(), ClassMap(), ttl=2):
    print("on", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL])
def test_a_switch_goes_off_when_its_holder_is_ended(service: Service, how: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER, service.url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as holder:
        assert holder.stdin is not None
        assert holder.stdout is not None
        holder.stdin.write(f"{service.admin_token}\n")
        holder.stdin.flush()
        assert holder.stdout.readline() == "on\n"
        assert [state["switch"] for state in switched_on(service)] == [{"id": "mis.class_map"}]
        holder.send_signal(how)
    deadline = time.monotonic() + 10
    while switched_on(service):
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_service_that_dies_takes_its_switches_along() -> None:
    with serve(admin=True) as own, hold(own, ClassMap()):
        os.kill(own.pid, signal.SIGKILL)
        with contextlib.suppress(psutil.NoSuchProcess):
            psutil.Process(own.pid).wait(10)


def test_a_service_that_hangs_cannot_be_reverted_and_that_is_said() -> None:
    with serve(admin=True) as own:
        held = hold(own, ClassMap(), ttl=50)
        held.__enter__()
        os.kill(own.pid, signal.SIGSTOP)
        with pytest.raises(StackError, match=r"mis\.class_map could not be switched off") as told:
            held.__exit__(None, None, None)
        assert told.value.hint == "it goes off by itself within 50s; or end the service"


# Who may


def test_there_is_no_admin_interface_unless_it_is_asked_for() -> None:
    with serve() as plain:
        assert plain.admin_token is None
        assert requests.get(f"{plain.url}/admin/switches", timeout=10).status_code == 404
        with pytest.raises(StackError, match="has no admin interface"), misconfigured(plain.url, "x", ClassMap()):
            pass


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer wrong"}, {"Authorization": "Basic eDp5"}])
def test_nobody_gets_in_without_the_token(service: Service, headers: dict[str, str]) -> None:
    for method, path in (("GET", ""), ("PUT", ""), ("DELETE", "/mis.class_map")):
        url = f"{service.url}/admin/switches{path}"
        assert requests.request(method, url, headers=headers, data=b"{}", timeout=10).status_code == 401


def test_orders_are_not_counted_as_requests(service: Service) -> None:
    def order() -> None:
        with hold(service, ClassMap()):
            pass

    assert not any(counted(service, "http_", order).values())


def test_the_token_is_shown_to_nobody(service: Service) -> None:
    assert service.admin_token
    told = [repr(service), requests.get(service.metrics_url, timeout=10).text]
    told += [" ".join(process.info["cmdline"] or ()) for process in psutil.process_iter(["cmdline"])]
    told.append(repr(misconfigured(service.url, service.admin_token, ClassMap())))
    assert not any(service.admin_token in text for text in told)


def test_a_token_of_ones_own_comes_from_the_environment_and_is_not_printed() -> None:
    command = [sys.executable, "-m", "driftdrill.stack.model_service", "--port", "0", "--admin"]
    env = {**os.environ, "DRIFTDRILL_ADMIN_TOKEN": TOKEN}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as running:
        assert running.stdout is not None
        said = ""
        while not (found := re.search(r'curl (\S+/admin/switches) -H "Authorization: Bearer (.*)"', said)):
            said += running.stdout.readline()
        assert found[2] == "$DRIFTDRILL_ADMIN_TOKEN"
        answer = requests.get(found[1], headers={"Authorization": f"Bearer {TOKEN}"}, timeout=10)
        running.terminate()
        said += running.stdout.read()
    assert answer.json() == []
    assert TOKEN not in said


@pytest.mark.parametrize(
    ("order", "told"),
    [
        ({"switch": {"id": "mis.treshold"}}, "known switches: mis.cache_stuck, "),
        ({"switch": {"id": "mis.threshold", "too": 1}}, "unknown field `too`"),
        ({"switch": {"id": "mis.threshold", "to": 2}}, "<= 1"),
        ({"switch": {"id": "mis.unit_change", "feature": "carrier"}}, "Invalid enum value 'carrier'"),
        ({"switch": {"id": "mis.feature_order", "one": "dest"}}, "dest and distance are not of one type"),
        ({"switch": {"id": "mis.stale_features", "features": []}}, "length >= 1"),
        ({"switch": {"id": "mis.class_map"}, "share": 1.5}, "<= 1.0"),
        ({"switch": {"id": "mis.class_map"}, "ttl": 1e6}, "<= 3600"),
        ([], "Expected `object`"),
    ],
)
def test_an_order_that_makes_no_sense_is_refused_with_the_reason(service: Service, order: Any, told: str) -> None:
    answer = requests.put(f"{service.url}/admin/switches", headers=bearer(service), data=json.dumps(order), timeout=10)
    assert answer.status_code == 422
    assert told in answer.json()["detail"]


def test_a_switch_that_is_looked_at_stays_on_beyond_its_time(service: Service) -> None:
    with hold(service, WrongVersion(), ttl=1.0) as held:
        deadline = time.monotonic() + 2.5
        while time.monotonic() < deadline:
            assert held.verify() is None
            time.sleep(0.1)

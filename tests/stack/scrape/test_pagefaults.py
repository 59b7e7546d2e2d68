"""Every fault of a metrics page: read by a parser, by promtool, and by a real Prometheus through the proxy."""

import itertools
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.openmetrics.exposition import generate_latest as generate_open
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_open
from prometheus_client.parser import text_string_to_metric_families as parse_text

from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.exposition.grammar import OPENMETRICS, TEXT
from driftdrill.stack.exposition.page import PageParser
from driftdrill.stack.faults.network import Page, proxy
from driftdrill.stack.faults.pages import (
    PAGE_FAULTS,
    AddLabel,
    BucketCoverage,
    Corrupt,
    DropSeries,
    DuplicateLines,
    ExplodeCardinality,
    Freeze,
    HideZeros,
    PageFault,
    PoisonNaN,
    RenameLabel,
    RenameMetric,
    ResetCounters,
    SkewTimestamps,
    SlowPage,
    Truncate,
    WorkerCounters,
    WrongMetricType,
)
from tests.stack.services import free_port, upstream, wait_until

Series = dict[tuple[str, tuple[tuple[str, str], ...]], float]


class Exporter:
    """A model's metrics, a little further at every page."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.requests = Counter("model_requests", "Requests.", ["code"], registry=self.registry)
        self.latency = Histogram("model_latency_seconds", "Latency.", buckets=(0.1, 0.5, 1, 5), registry=self.registry)
        self.features = Gauge("model_feature_mean", 'A "mean" }.', ["feature"], registry=self.registry)
        self.trained = Gauge("model_trained_timestamp_seconds", "When.", registry=self.registry)
        self.trained.set(1.7e9)
        self.advance()

    def advance(self) -> None:
        for code, n in (("200", 100), ("422", 3)):
            self.requests.labels(code).inc(n)
        for seconds in (0.05, 0.3, 0.7, 3, 9):
            self.latency.observe(seconds)
        for i, feature in enumerate(('dep"delay', "distance", "hour", "a}b")):
            self.features.labels(feature).inc(i + 1)

    def page(self, form: str = "text") -> bytes:
        return bytes(generate_latest(self.registry) if form == "text" else generate_open(self.registry))


@pytest.fixture
def exporter() -> Exporter:
    return Exporter()


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def series(page: bytes) -> Series:
    parse: Any = parse_open if page.rstrip().endswith(b"# EOF") else parse_text
    return {
        (s.name, tuple(sorted(s.labels.items()))): s.value
        for family in parse(page.decode())
        for s in family.samples
        if not s.name.endswith("_created")
    }


def names(page: bytes) -> set[str]:
    return {name for name, _ in series(page)}


@pytest.mark.parametrize("form", ["text", "openmetrics"])
@pytest.mark.parametrize(
    "fault",
    [
        RenameMetric(metric="model_requests", to="model_calls"),
        RenameLabel("code", "status"),
        AddLabel(),
        DropSeries(metric="model_feature_mean"),
        Freeze(),
        ResetCounters(),
        WorkerCounters(),
        ExplodeCardinality(series=50, metric="model_requests"),
        PoisonNaN(metric="model_feature_mean"),
        SkewTimestamps(3600),
        BucketCoverage(0.5),
    ],
)
def test_what_a_fault_of_series_leaves_is_still_a_page_and_the_rest_is_untouched(
    exporter: Exporter, form: str, fault: PageFault
) -> None:
    first = exporter.page(form)
    started = fault.starting(first)
    exporter.advance()
    page = exporter.page(form)
    assert started(page, 0, rng()) == page
    changed = started(page, 1, rng())
    before, after = series(page), series(changed)
    assert repr(after) != repr(before)
    touched = {key for key in before if after.get(key) != before[key]}
    assert touched or len(after) > len(before)
    assert all(fault.metric in name for name, _ in touched)


def test_a_renamed_metric_takes_its_metadata_along(exporter: Exporter) -> None:
    page = RenameMetric(metric="model_latency_seconds", to="latency_seconds")(exporter.page(), 1, rng())
    assert {"latency_seconds_bucket", "latency_seconds_sum", "latency_seconds_count"} <= names(page)
    assert not any(name.startswith("model_latency") for name in names(page))
    assert b"# TYPE latency_seconds histogram" in page
    assert b"model_latency_seconds_bucket" not in page


def test_a_renamed_label_keeps_its_value_whatever_it_holds(exporter: Exporter) -> None:
    page = RenameLabel("feature", "column")(exporter.page(), 1, rng())
    columns = {dict(labels)["column"] for name, labels in series(page) if name == "model_feature_mean"}
    assert columns == {'dep"delay', "distance", "hour", "a}b"}


def test_dropped_series_are_those_that_the_labels_name(exporter: Exporter) -> None:
    page = DropSeries(metric="model_feature_mean", labels={"feature": "hour"})(exporter.page(), 1, rng())
    assert set(series(exporter.page())) - set(series(page)) == {("model_feature_mean", (("feature", "hour"),))}


def test_counters_at_zero_are_hidden_until_they_are_born(exporter: Exporter) -> None:
    exporter.requests.labels("500")
    hide = HideZeros(metric="model_requests")
    born = ("model_requests_total", (("code", "500"),))
    assert set(series(exporter.page())) - set(series(hide(exporter.page(), 1, rng()))) == {born}
    exporter.requests.labels("500").inc()
    assert hide(exporter.page(), 1, rng()) == exporter.page()


def test_a_slow_page_is_late_in_proportion_and_otherwise_as_it_was(exporter: Exporter) -> None:
    slow = SlowPage(20)
    assert slow(exporter.page(), 1, rng()) == exporter.page()
    assert (slow.delay_at(0), slow.delay_at(0.25), DropSeries().delay_at(1)) == (0, 5, 0)


def test_at_half_strength_the_same_series_are_hit_at_every_scrape_and_more_as_it_grows() -> None:
    page = "".join(f'up{{instance="{i}"}} 1\n' for i in range(200)).encode()

    def dropped(strength: float, seed: int) -> set[Any]:
        return set(series(page)) - set(series(DropSeries()(page, strength, rng(seed))))

    assert dropped(0.5, 1) == dropped(0.5, 2)
    assert dropped(0.2, 1) < dropped(0.5, 1) < dropped(0.9, 1)
    assert 70 < len(dropped(0.5, 1)) < 130


def test_frozen_values_stay_and_new_series_do_not(exporter: Exporter) -> None:
    first = exporter.page()
    freeze = Freeze(metric="model_*").starting(first)
    exporter.advance()
    exporter.requests.labels("500").inc()
    after = series(freeze(exporter.page(), 1, rng()))
    assert {key: value for key, value in after.items() if key in series(first)} == series(first)
    assert after[("model_requests_total", (("code", "500"),))] == 1


def test_reset_counters_begin_at_zero_and_gauges_stay(exporter: Exporter) -> None:
    reset = ResetCounters().starting(exporter.page())
    exporter.advance()
    after = series(reset(exporter.page(), 1, rng()))
    assert after[("model_requests_total", (("code", "200"),))] == 100
    assert after[("model_latency_seconds_count", ())] == 5
    assert after[("model_feature_mean", (("feature", "hour"),))] == 6


def test_worker_counters_jump_up_and_down(exporter: Exporter) -> None:
    seen = []
    for scrape in range(12):
        exporter.advance()
        page = WorkerCounters(workers=4)(exporter.page(), 1, rng(scrape))
        seen.append(series(page)[("model_requests_total", (("code", "200"),))])
    assert any(b < a for a, b in itertools.pairwise(seen))
    assert all(value == int(value) for value in seen)


def test_cardinality_adds_its_series_and_they_are_others_each_time(exporter: Exporter) -> None:
    explode = ExplodeCardinality(series=1000, metric="model_requests")
    first, second = (set(series(explode(exporter.page(), 1, rng(seed)))) for seed in (1, 2))
    clean = set(series(exporter.page()))
    assert len(first - clean) == len(second - clean) == 1000
    assert not (first - clean) & (second - clean)
    assert len(set(series(explode(exporter.page(), 0.1, rng()))) - clean) == 100


def test_a_poisoned_sum_is_nan(exporter: Exporter) -> None:
    page = PoisonNaN(metric="*_sum")(exporter.page(), 1, rng())
    poisoned = [key for key, value in series(page).items() if math.isnan(value)]
    assert poisoned == [("model_latency_seconds_sum", ())]


def test_buckets_above_the_top_are_gone_and_what_lay_there_is_in_inf(exporter: Exporter) -> None:
    page = BucketCoverage(0.5, metric="model_latency_seconds")(exporter.page(), 1, rng())
    les = [dict(labels)["le"] for name, labels in series(page) if name.endswith("_bucket")]
    assert les == ["0.1", "0.5", "+Inf"]


def test_at_half_strength_a_histogram_loses_its_buckets_as_a_whole() -> None:
    les = ("0.1", "0.5", "1", "5", "+Inf")
    page = "".join(f'h_bucket{{i="{i}",le="{le}"}} 1\n' for i in range(60) for le in les).encode()
    after = [dict(labels) for _, labels in series(BucketCoverage(0.2)(page, 0.5, rng()))]
    left = [sum(labels["i"] == str(i) for labels in after) for i in range(60)]
    assert set(left) == {2, 5}


def test_a_skewed_clock_moves_only_times(exporter: Exporter) -> None:
    page = SkewTimestamps(-3600)(exporter.page(), 0.5, rng())
    moved = {key: v - series(page)[key] for key, v in series(exporter.page()).items() if v != series(page)[key]}
    assert moved == {("model_trained_timestamp_seconds", ()): 1800}


def test_a_collision_does_not_overwrite_a_label_that_is_there(exporter: Exporter) -> None:
    page = AddLabel("feature", "x", metric="model_*")(exporter.page(), 1, rng())
    assert series(page)[("model_trained_timestamp_seconds", (("feature", "x"),))] == 1.7e9
    assert ("model_feature_mean", (("feature", "hour"),)) in series(page)


def test_duplicate_lines_show_two_values_of_one_series(exporter: Exporter) -> None:
    page = DuplicateLines(metric="model_trained_timestamp_seconds")(exporter.page(), 1, rng())
    assert page.count(b"\nmodel_trained_timestamp_seconds ") == 2


@pytest.mark.parametrize("form", ["text", "openmetrics"])
@pytest.mark.parametrize("fault", [Truncate(), Corrupt(), WrongMetricType()])
def test_a_spoilt_page_is_spoilt_in_the_share_of_scrapes_that_the_strength_says(
    exporter: Exporter, form: str, fault: PageFault
) -> None:
    page = exporter.page(form)
    assert all(fault(page, 1, rng(seed)) != page for seed in range(20))
    spoilt = sum(fault(page, 0.3, rng(seed)) != page for seed in range(200))
    assert 35 < spoilt < 85


@pytest.mark.skipif(not shutil.which("promtool"), reason="promtool is not on PATH")
@pytest.mark.parametrize(
    ("fault", "accepted"),
    [
        (RenameMetric(metric="model_requests", to="model_calls"), True),
        (WorkerCounters(), True),
        (BucketCoverage(0.5), True),
        (ExplodeCardinality(series=10, metric="model_requests"), True),
        (Truncate(), False),
        (Corrupt(), False),
        (WrongMetricType(), False),
    ],
)
def test_promtool_refuses_what_is_meant_to_be_refused_and_nothing_else(
    exporter: Exporter, fault: PageFault, accepted: bool
) -> None:
    page = fault.starting(exporter.page())(exporter.page(), 1, rng())
    checked = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True, timeout=60, check=False)
    assert (checked.returncode != 1) == accepted, checked.stderr.decode()


def test_lines_that_no_fault_can_read_stay_as_they_are() -> None:
    page = b"# a comment\n\nnot a sample\nup 1 1700000000000\n"
    assert DropSeries()(page, 1, rng()) == b"# a comment\n\nnot a sample\n"


REFUSED_BY_PROMETHEUS = [  # as text each, but for the last two, which are OpenMetrics
    b"up 1\r",
    b"up one",
    b"up 1_0",
    b"up 1 later",
    b"up 1 2 3",
    b'up 1 # {trace="a"} 1',
    b"up{code} 1",
    b"up{code=200} 1",
    b'up{code="200" job="a" = } 1',
    b'up{code="200",code="500"} 1',
    b'up{code="\xff"} 1',
    b"up{}} 1",
    b"up  1\n# EOF",
    b'up{code="200", job="a"} 1\n# EOF',
]


@pytest.mark.parametrize("page", REFUSED_BY_PROMETHEUS)
def test_what_prometheus_refuses_is_no_sample_to_a_fault(page: bytes) -> None:
    """All of them were, to a grammar that was laxer than the scraper's."""
    form = OPENMETRICS if page.endswith(b"EOF") else TEXT
    assert PageParser(lambda labels: 1).parse(page + b"\n", form).error is not None
    assert DropSeries()(page, 1, rng()) == page
    assert PoisonNaN()(page, 1, rng()) == page


@pytest.mark.parametrize(
    ("fault", "line", "expected"),
    [
        (PoisonNaN(metric="up"), b'up {code="200"}\t1', b'up {code="200"}\tNaN'),
        (PoisonNaN(), b'up{code="200"}1', b'up{code="200"}NaN'),
        (PoisonNaN(labels={"code": '2"0'}), rb'up{code="2\"0"} 1', rb'up{code="2\"0"} NaN'),
        (PoisonNaN(metric="up"), b'up{text="one\ntwo"} 1', b'up{text="one\ntwo"} NaN'),
        (DropSeries(), b'up{text="one\nup 2', b'up{text="one\nup 2'),  # a page that ends in quotes
        (PoisonNaN(metric="my.metric"), b'{"my.metric",a="b"} 1', b'{"my.metric",a="b"} NaN'),
        (RenameMetric(metric="up", to="down"), b'{"up",a="b"} 1', b'{"down",a="b"} 1'),
        (RenameMetric(metric="up", to="down"), b"#  TYPE\tup gauge\nup 1", b"#  TYPE\tdown gauge\ndown 1"),
        (RenameLabel("a", "c"), b'up{x="a=\\"d",a = "d"} 1', b'up{x="a=\\"d",c="d"} 1'),
        (WrongMetricType(), b'# TYPE "my.metric" gauge', b'# TYPE "my.metric" timer'),
    ],
)
def test_what_prometheus_reads_a_fault_reads_too(fault: PageFault, line: bytes, expected: bytes) -> None:
    assert fault(line + b"\n", 1, rng()) == expected + b"\n"


def test_every_fault_says_what_it_is_and_refuses_what_it_cannot_do(exporter: Exporter) -> None:
    for fault in PAGE_FAULTS:
        assert fault.id.startswith(("mon.", "sys."))
        assert fault.__doc__
    with pytest.raises(StackError, match="to must be a Prometheus name, not 'a b'"):
        RenameMetric(metric="a", to="a b")
    with pytest.raises(StackError, match="metric must be a Prometheus name, not ''"):
        RenameMetric(to="b")
    with pytest.raises(StackError, match="workers must be in"):
        WorkerCounters(1)
    with pytest.raises(StackError, match=r"strength must be a number in \[0, 1\]"):
        DropSeries()(b"", 2, rng())


# Through the proxy, to a real Prometheus


@pytest.fixture
def prometheus(tmp_path: Path) -> Iterator[Any]:
    """Scrapes a port every 200 ms; answers an instant query's value."""
    if not shutil.which("prometheus"):
        pytest.skip("prometheus is not on PATH")
    port, process = free_port(), None

    def start(target: int) -> Any:
        nonlocal process
        config = tmp_path / "prometheus.yml"
        config.write_text(
            "global: {scrape_interval: 200ms, scrape_timeout: 150ms}\n"
            f"scrape_configs: [{{job_name: model, static_configs: [{{targets: ['127.0.0.1:{target}']}}]}}]\n"
        )
        process = subprocess.Popen(
            [
                "prometheus",
                f"--config.file={config}",
                f"--storage.tsdb.path={tmp_path / 'data'}",
                f"--web.listen-address=127.0.0.1:{port}",
            ],
            stderr=subprocess.DEVNULL,
        )

        def ask(query: str) -> float | None:
            try:
                got = requests.get(f"http://127.0.0.1:{port}/api/v1/query", params={"query": query}, timeout=5).json()
                return float(got["data"]["result"][0]["value"][1])
            except (requests.RequestException, IndexError, ValueError):
                return None

        return ask

    yield start
    if process is not None:
        process.terminate()
        process.wait(20)


def test_prometheus_sees_each_page_fault_that_the_proxy_injects(prometheus: Any) -> None:
    exporter = Exporter()

    def answer(path: str, body: bytes) -> bytes:
        exporter.advance()
        return exporter.page()

    with upstream(answer) as server, proxy(Connection(server.url)) as p:
        ask = prometheus(p.address.port)
        wait_until(lambda: ask("up") == 1 and ask("model_trained_timestamp_seconds") == 1.7e9, "a first scrape", 60)
        p.set(Page(fault=RenameMetric(metric="model_trained_timestamp_seconds", to="trained")))
        wait_until(lambda: ask("trained") and ask("absent(model_trained_timestamp_seconds)"), "the rename")
        p.set(Page(fault=ExplodeCardinality(series=500)))
        wait_until(lambda: (ask("scrape_samples_scraped") or 0) > 500, "the series")
        p.set(Page(fault=Freeze()))
        wait_until(lambda: ask("changes(model_requests_total[1s])") == 0, "the freeze")
        p.set(Page(fault=Corrupt()))
        wait_until(lambda: ask("up") == 0, "a refused page")
        p.set(Page(fault=SlowPage(2.0)))
        wait_until(lambda: ask("scrape_duration_seconds > 0.14"), "a scrape that takes too long")
        assert ask("up") == 0
        p.set()
        wait_until(lambda: ask("up") == 1, "the end of it")
        assert p.ledger().of("page /metrics").touched > 0

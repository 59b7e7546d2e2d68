"""From jobs to targets. What relabelling makes of them is compared with a real Prometheus in
tests/harness/drive/test_scrape_conformance.py; here: what can go wrong, and what a target is."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.discovery import discover
from driftdrill.stack.scrape.job import Access, FileDiscovery, HttpDiscovery, Inline, ScrapeJob, TargetGroup
from driftdrill.stack.scrape.relabel import Relabel
from tests.stack.scrape.page_server import Page, PageServer, page_server

SERVED = b'[{"targets": ["a:1", "b:2"], "labels": {"zone": "z"}}]'


@pytest.fixture
def pages() -> Iterator[PageServer]:
    with page_server() as server:
        yield server


def test_a_target_knows_its_labels_url_and_intervals() -> None:
    group = TargetGroup(("host:80",), {"zone": "z", "__param_m": "a b", "__scrape_interval__": "1m"})
    (target,) = discover(ScrapeJob("model", groups=(group,), params={"m": ("x", "y")}, metrics_path="/m?x%"))
    assert target.labels == {"job": "model", "instance": "host:80", "zone": "z"}
    assert target.url == "http://host:80/m%3Fx%25?m=a+b&m=y"
    assert (target.interval, target.timeout) == (60.0, 10.0)


def test_equal_targets_are_scraped_once_and_replicas_each() -> None:
    groups = (TargetGroup(("a:1", "a:1")), TargetGroup(("a:1",)), TargetGroup(("a:1",), {"replica": "1"}))
    assert len(discover(ScrapeJob("model", groups=groups))) == 2


def test_a_job_whose_targets_are_all_dropped_has_none() -> None:
    rules = (Relabel(action="drop"),)
    assert discover(ScrapeJob("model", groups=(TargetGroup(("a:1",)),), relabel=rules)) == ()


def test_discovery_by_http_sends_what_prometheus_sends(pages: PageServer) -> None:
    pages.serve("/sd", Page(SERVED, "application/json"))
    discovery = HttpDiscovery(f"http://{pages.address}/sd", Access(authorization=("Bearer", Inline("t"))), 30.0)
    targets = discover(ScrapeJob("model", discoveries=(discovery,)))
    assert [target.labels["instance"] for target in targets] == ["a:1", "b:2"]
    sent = pages.requests("/sd", "driftdrill")[0].headers
    assert sent["Authorization"] == "Bearer t"
    assert sent["X-Prometheus-Refresh-Interval-Seconds"] == "30"


@pytest.mark.parametrize(
    ("page", "reason"),
    [
        (Page(SERVED, "application/json", status=500), "expected 200 and application/json, got 500"),
        (Page(SERVED, "text/html"), "got 200 and 'text/html'"),
        (Page(b"{", "application/json"), "http service discovery: Expecting property name"),
        (Page(b"{}", "application/json"), "expected a list of target groups"),
        (Page(b'[{"targets": ["a:1"], "extra": 1}]', "application/json"), "nothing else"),
        (Page(b'[{"targets": ["a:1"], "labels": {"x": 1}}]', "application/json"), None),
    ],
)
def test_a_discovery_by_http_that_fails_says_why(pages: PageServer, page: Page, reason: str | None) -> None:
    pages.serve("/sd", page)
    job = ScrapeJob("model", discoveries=(HttpDiscovery(f"http://{pages.address}/sd"),))
    if reason is None:
        assert discover(job)[0].labels["x"] == "1"
        return
    with pytest.raises(StackError, match=reason) as refused:
        discover(job)
    assert f"http://{pages.address}/sd" in str(refused.value)


def test_discovery_by_file_reads_every_match(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.json").write_text(json.dumps([{"targets": [f"{name}:1"]}]))
    (tmp_path / "c.yml").write_text("- targets: [c:1]\n  labels: {zone: z}\n")
    discovery = FileDiscovery((f"{tmp_path}/*.json", f"{tmp_path}/c.yml", f"{tmp_path}/absent.yml"))
    labels = [target.labels["instance"] for target in discover(ScrapeJob("model", discoveries=(discovery,)))]
    assert labels == ["a:1", "b:1", "c:1"]


@pytest.mark.parametrize(
    ("name", "text"), [("x.json", "["), ("x.yml", "a: ["), ("x.yml", "a: b"), ("x.json", '["a:1"]')]
)
def test_a_discovery_file_that_is_broken_is_named(tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(StackError, match=name):
        discover(ScrapeJob("model", discoveries=(FileDiscovery((f"{tmp_path}/{name}",)),)))


@pytest.mark.parametrize(
    ("label", "value", "reason"),
    [
        ("__address__", "http://a:1", "'http://a:1' is not an address"),
        ("__address__", "", "'' is not an address"),
        ("__scrape_interval__", "soon", "'soon' is not a duration"),
        ("__scrape_interval__", "5s", "scrape timeout 10s must be above 0 and not above 5s"),
        ("__scrape_timeout__", "0", "scrape timeout 0s must be above 0"),
    ],
)
def test_a_target_that_prometheus_refuses_is_named(label: str, value: str, reason: str) -> None:
    rules = (Relabel(target_label=label, replacement=value),)
    with pytest.raises(StackError, match="scrape job 'model', target 'a:1'") as refused:
        discover(ScrapeJob("model", groups=(TargetGroup(("a:1",)),), relabel=rules))
    assert reason in str(refused.value)

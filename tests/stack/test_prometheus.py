"""A Prometheus to drill against: the same tests for all three ways, and for what may go wrong in each."""

import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from driftdrill.stack import container, process
from driftdrill.stack.connection import Connection, Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus import server as stack_prometheus
from driftdrill.stack.prometheus.api import Server, died, query, query_range, ready, rules, targets
from driftdrill.stack.prometheus.promtool import version_of
from driftdrill.stack.prometheus.server import find_prometheus, prometheus
from driftdrill.stack.scrape.job import page_job
from tests.stack.pages import Answer, serve

TOKEN = "planted-bearer-token"
PASSWORD = "planted-password"
RULES = """\
groups:
- name: model
  rules:
  - {record: job:up:sum, expr: sum by (job) (up)}
  - {alert: ModelDown, expr: up == 0, for: 1m, labels: {severity: page}}
"""
CRD = """\
kind: PrometheusRule
metadata: {name: extra}
spec:
  groups:
  - name: extra
    interval: 1s
    rules:
    - {alert: AlwaysOn, expr: vector(1)}
"""


def eventually(met: Callable[[], bool], what: str, within: float = 30.0) -> None:
    """Wait for a condition, bounded."""
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline, f"{what}: not within {within} s"
        time.sleep(0.1)


def metrics_page(path: str, headers: dict[str, str]) -> Answer:
    """Three pages: open, with a bearer token, with a password."""
    wanted = {"/bearer": f"Bearer {TOKEN}", "/basic": "Basic ZHJpbGw6cGxhbnRlZC1wYXNzd29yZA=="}.get(path)
    if wanted not in (None, headers.get("authorization")):
        return Answer("no", 401)
    return Answer("# TYPE requests_total counter\nrequests_total 7\n")


Way = dict[str, str]
"""The arguments that choose a way of our own."""


@contextmanager
def started(way: Way, **options: object) -> Iterator[Server]:
    """A Prometheus of ours by that way."""
    with prometheus(**way, **options) as server:  # type: ignore[arg-type]
        yield server


@contextmanager
def drilled(way: Way, folder: Path) -> Iterator[Server]:
    """One that scrapes three pages, two of them with credentials, and has rule files, one of them a PrometheusRule."""
    for name, text in (("rules.yml", RULES), ("crd.yml", CRD), ("token", TOKEN), ("password", PASSWORD)):
        (folder / name).write_text(text)
    bearer = Secret(file=str(folder / "token"))
    basic = ("drill", Secret(file=str(folder / "password")))
    with serve(lambda path, headers: metrics_page(path, dict(headers))) as base:
        pages = [
            page_job("model", Connection(base), labels={"replica": "a"}, interval=1),
            page_job("model", Connection(f"{base}/bearer", bearer=bearer), labels={"instance": "b"}, interval=0.5),
            page_job("gateway", Connection(f"{base}/basic", basic=basic), interval=1),
        ]
        options = {"jobs": pages, "rule_files": [folder / "*.yml"], "scrape_interval": 1, "evaluation_interval": 1}
        with started(way, **options) as server:
            eventually(lambda: {t.health for t in targets(server)} in ({"up"}, {"down"}, {"up", "down"}), "scraped")
            yield server


@pytest.fixture(scope="module")
def in_binary(prometheus_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with drilled({"how": "binary", "binary": prometheus_binary}, tmp_path_factory.mktemp("binary")) as server:
        yield server


@pytest.fixture(scope="module")
def in_container(prometheus_image: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with drilled({"how": "container", "image": prometheus_image}, tmp_path_factory.mktemp("container")) as server:
        yield server


@pytest.fixture(scope="module")
def existing(in_binary: Server) -> Iterator[Server]:
    with prometheus(how="server", connection=in_binary.connection) as server:
        yield server


@pytest.fixture(scope="module", params=["in_binary", "existing", "in_container"])
def server(request: pytest.FixtureRequest) -> Server:
    """The same Prometheus by each of the three ways."""
    server: Server = request.getfixturevalue(request.param)
    return server


@pytest.fixture(params=["binary", "container"])
def own_way(request: pytest.FixtureRequest) -> Way:
    """A way that starts a server of its own."""
    if request.param == "container":
        return {"how": "container", "image": str(request.getfixturevalue("prometheus_image"))}
    return {"how": "binary", "binary": str(request.getfixturevalue("prometheus_binary"))}


def test_targets_on_loopback_are_scraped_with_their_labels(server: Server) -> None:
    found = {(t.labels["job"], t.labels["instance"]): t for t in targets(server)}
    host = next(instance for job, instance in found if job == "gateway")
    assert set(found) == {("model", host), ("model", "b"), ("gateway", host)}
    assert found["model", host].labels["replica"] == "a"
    assert found["model", host].url.endswith("/metrics")
    assert (found["model", "b"].interval, found["model", host].interval) == (0.5, 1.0)


def test_credentials_reach_the_pages_that_ask_for_them(server: Server) -> None:
    assert [t.health for t in targets(server)] == ["up"] * 3, targets(server)


def test_credentials_are_on_no_command_line_and_in_no_answer(server: Server) -> None:
    with server.connection.session() as session:
        config = session.get(server.connection.at("api/v1/status/config"), timeout=10).text
    lines = ["\0".join(p.info["cmdline"] or ()) for p in psutil.process_iter(["cmdline"])]
    assert any(str(server.connection.port) in line for line in lines)
    for secret in (TOKEN, PASSWORD):
        assert secret not in config
        assert not any(secret in line for line in lines)


def test_the_rules_are_those_of_the_files_prometheus_rules_included(server: Server) -> None:
    loaded = {(group.name, rule.kind, rule.name, rule.for_) for group in rules(server) for rule in group.rules}
    assert loaded == {
        ("model", "record", "job:up:sum", 0.0),
        ("model", "alert", "ModelDown", 60.0),
        ("extra", "alert", "AlwaysOn", 0.0),
    }
    assert {group.name: group.interval for group in rules(server)} == {"model": 1.0, "extra": 1.0}


def test_alerts_fire_and_recorded_series_are_made(server: Server) -> None:
    eventually(lambda: bool(query(server, 'ALERTS{alertstate="firing"}')), "AlwaysOn fires")
    eventually(lambda: [s.samples[0][1] for s in query(server, 'job:up:sum{job="model"}')] == [2.0], "recorded")


def test_queries_give_instants_ranges_and_raw_samples(server: Server) -> None:
    eventually(lambda: sum(len(s.samples) for s in query(server, 'up{job="gateway"}[1m]')) >= 2, "two samples")
    (raw,) = query(server, 'up{job="gateway"}[1m]')
    assert raw.labels["__name__"] == "up"
    assert all(value == 1.0 for _, value in raw.samples)
    now = time.time()
    (line,) = query_range(server, "vector(3)", start=now - 10, end=now, step=5)
    assert [value for _, value in line.samples] == [3.0] * 3
    ((_, ((at, value),)),) = query(server, "time()", now - 60)
    assert (at, value) == (pytest.approx(now - 60, abs=0.01), pytest.approx(now - 60, abs=0.01))
    assert query(server, "absent_metric") == ()
    assert [s.samples[0][1] for s in query(server, "vector(1) / 0")] == [float("inf")]


def test_a_query_that_prometheus_refuses_is_told_in_its_words(server: Server) -> None:
    with pytest.raises(StackError, match="unclosed left parenthesis"):
        query(server, "sum(")


def test_it_says_its_version_and_brings_promtool(server: Server) -> None:
    assert re.match(r"\d+\.\d+\.\d+", server.version)
    assert server.promtool is not None
    assert server.promtool.version.split("+")[0] == server.version.split("+")[0]
    assert server.promtool.how == ("container" if server.how == "container" else server.promtool.how)


def test_it_listens_on_loopback_only(server: Server) -> None:
    port = server.connection.port
    found = [c.laddr for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN and c.laddr.port == port]
    assert [address.ip for address in found] == ["127.0.0.1"]


def test_it_is_ready_within_two_seconds(own_way: Way) -> None:
    def once() -> float:
        begun = time.monotonic()
        with started(own_way) as server:
            assert ready(server)
            return time.monotonic() - begun

    assert any(once() < 2.0 for _ in range(10))  # the machine may be busy with other tests


def test_nothing_of_it_is_left_afterwards(own_way: Way, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    before = children()
    with started(own_way) as server:
        assert children() > before
        mounted = volumes_of(server)
    assert children() == before
    assert list(tmp_path.iterdir()) == []
    if own_way["how"] == "container":
        assert not containers(trace_of(server))
        assert not set(mounted) & {volume.name for volume in container.engine().volumes.list()}
    assert not ready(server)


def children() -> set[int]:
    """The processes that this one has started and that still run."""
    return {child.pid for child in psutil.Process().children(recursive=True)}


def volumes_of(server: Server) -> list[str]:
    """The names of its container's volumes: prom/prometheus declares one, which nothing of ours uses."""
    if not isinstance(server.started, container.RunningContainer):
        return []
    server.started.handle.reload()
    return [mount["Name"] for mount in server.started.handle.attrs["Mounts"]]


def containers(name: str) -> list[object]:
    return list(container.engine().containers.list(all=True, filters={"name": name}))


def trace_of(server: Server) -> str:
    """The name of its container, or its folder."""
    if isinstance(server.started, container.RunningContainer):
        return str(server.started.handle.name)
    assert isinstance(server.started, process.Process)
    return str(server.started.logfile.parent)


DRILL = """\
import sys, time
from driftdrill.stack.prometheus.server import prometheus
from tests.stack.test_prometheus import trace_of
with prometheus(how=sys.argv[1], binary=sys.argv[2] or None, image=sys.argv[3]) as server:
    print(server.connection.url, trace_of(server), flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_killed_drill_leaves_no_prometheus_behind(own_way: Way, ending: signal.Signals) -> None:
    arguments = [own_way["how"], own_way.get("binary", ""), own_way.get("image", "")]
    with subprocess.Popen([sys.executable, "-c", DRILL, *arguments], stdout=subprocess.PIPE, text=True) as drill:
        assert drill.stdout is not None
        url, trace = drill.stdout.readline().split()
        server = Server(Connection(url), "", "server", None)
        assert ready(server)
        drill.send_signal(ending)
        drill.wait(10)
    eventually(lambda: not ready(server), "gone")
    if own_way["how"] == "binary":
        eventually(lambda: not Path(trace).exists(), "its folder is gone")
    else:
        eventually(lambda: not containers(trace), "removed")


def test_a_prometheus_that_dies_is_told_with_its_last_words(own_way: Way) -> None:
    with started(own_way) as server:
        assert died(server) is None
        process_of(server).kill()
        eventually(lambda: died(server) is not None, "noticed")
        with pytest.raises(StackError, match=r"ended with status 137; its log ends with:\n(.*\n)*.*rule manager"):
            rules(server)


def process_of(server: Server) -> psutil.Process:
    """The Prometheus itself, not its guard."""
    argument = f"--web.listen-address=127.0.0.1:{server.connection.port}"
    found = [p for p in psutil.process_iter(["cmdline"]) if argument in (p.info["cmdline"] or ())]
    (process,) = [p for p in found if not any("_guard" in word for word in p.info["cmdline"])]
    return process


def test_a_configuration_that_prometheus_refuses_is_told_in_its_words(own_way: Way) -> None:
    begun = time.monotonic()
    with (
        pytest.raises(StackError, match="field unknown_field not found"),
        started(own_way, config={"unknown_field": 1}),
    ):
        pass
    assert time.monotonic() - begun < 10


def test_a_base_configuration_is_built_upon(own_way: Way) -> None:
    base = {"global": {"external_labels": {"site": "a"}}, "scrape_configs": [{"job_name": "theirs"}]}
    with (
        serve(lambda *_: Answer("x 1\n")) as url,
        started(own_way, config=base, jobs=[page_job("ours", Connection(url))]) as server,
        server.connection.session() as session,
    ):
        text = session.get(server.connection.at("api/v1/status/config"), timeout=10).text
    assert all(word in text for word in ("site: a", "theirs", "ours/0"))


def test_a_port_that_another_prometheus_takes_meanwhile_is_left_to_it(
    own_way: Way, monkeypatch: pytest.MonkeyPatch
) -> None:
    free = stack_prometheus._free_port
    with started(own_way) as first:
        ports = iter([first.connection.port, first.connection.port])
        monkeypatch.setattr(stack_prometheus, "_free_port", lambda: next(ports, None) or free())
        with started(own_way) as second:
            assert second.connection.port != first.connection.port
            assert ready(first)


def test_what_is_to_be_had_nowhere_is_told_with_all_three_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "prefix", "/nonexistent")
    monkeypatch.setenv("DOCKER_HOST", "tcp://127.0.0.1:1")
    container.engine.cache_clear()
    try:
        with pytest.raises(StackError) as told:
            find_prometheus()
    finally:
        container.engine.cache_clear()
    assert "no container engine answers" in told.value.cause
    assert "prometheus is not on PATH" in told.value.cause
    assert all(way in (told.value.hint or "") for way in ("container engine", "install the binaries", "--prometheus"))


def test_auto_takes_a_container_before_a_binary(prometheus_image: str, prometheus_binary: str) -> None:
    assert find_prometheus(image=prometheus_image).how == "container"


def test_auto_takes_a_binary_where_no_image_can_be_had(prometheus_binary: str) -> None:
    found = find_prometheus(image="127.0.0.1:1/nobody/prometheus:v0")
    assert (found.how, found.argv) == ("binary", (prometheus_binary,))


def test_a_binary_that_the_environment_names_goes_before_everything(
    prometheus_binary: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    link = tmp_path / "my-prometheus"
    link.symlink_to(prometheus_binary)
    monkeypatch.setenv("DRIFTDRILL_PROMETHEUS", str(link))
    assert find_prometheus().argv == (str(link),)
    monkeypatch.setenv("DRIFTDRILL_PROMETHEUS", str(tmp_path / "missing"))
    with pytest.raises(StackError, match="missing is no program"):
        find_prometheus()


def test_an_image_that_cannot_be_had_is_told(prometheus_image: str) -> None:
    with (
        pytest.raises(StackError, match=r"image 127\.0\.0\.1:1/nobody/prometheus:v0 cannot be had"),
        prometheus(how="container", image="127.0.0.1:1/nobody/prometheus:v0"),
    ):
        pass


def test_an_existing_server_is_only_read(prometheus_binary: str) -> None:
    with pytest.raises(StackError, match="needs its URL"), prometheus(how="server"):
        pass
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with (
        pytest.raises(StackError, match="no Prometheus answers there"),
        prometheus(how="server", connection=Connection(f"http://127.0.0.1:{port}")),
    ):
        pass


def test_headers_for_a_metrics_page_need_a_prometheus_that_sends_them(
    prometheus_binary: str, prometheus3: Path
) -> None:
    seen: list[str] = []

    def page(_: str, headers: Mapping[str, str]) -> Answer:
        seen.append(headers.get("x-tenant", ""))
        return Answer("x 1\n")

    with serve(page) as url:
        job = page_job("model", Connection(url, headers={"X-Tenant": "a"}), interval=1)
        with started({"how": "binary", "binary": str(prometheus3 / "prometheus")}, jobs=[job], scrape_interval=1):
            eventually(lambda: bool(seen), "scraped")
        assert set(seen) == {"a"}
        if version_of(prometheus_binary).startswith("2.4"):
            with (
                pytest.raises(StackError) as told,
                started({"how": "binary", "binary": prometheus_binary}, jobs=[job]),
            ):
                pass
            assert "2.55 or newer" in (told.value.hint or "")


def test_prometheus_three_runs_the_same_way(prometheus3: Path, tmp_path: Path) -> None:
    (tmp_path / "rules.yml").write_text(RULES)
    with prometheus(
        how="binary", binary=str(prometheus3 / "prometheus"), rule_files=[tmp_path / "rules.yml"]
    ) as server:
        assert server.version.startswith("3.")
        assert server.promtool is not None
        assert server.promtool.argv == (str(prometheus3 / "promtool"),)
        assert [rule.name for group in rules(server) for rule in group.rules] == ["job:up:sum", "ModelDown"]
        assert shutil.which("prometheus") != str(prometheus3 / "prometheus")

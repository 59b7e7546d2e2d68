"""A team's prometheus.yml as scrape jobs: the same files load that ``promtool check config`` passes."""

import subprocess
from pathlib import Path
from textwrap import dedent, indent

import pytest

from driftdrill.stack.connection import Connection, Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.job import FileDiscovery, HttpDiscovery, ScrapeJob, TargetGroup, page_job
from driftdrill.stack.scrape.prometheus_yml import jobs_from_prometheus_yml, parse_size

GLOBAL = """
global:
  scrape_interval: 30s
  evaluation_interval: 15s
  external_labels: {cluster: one}
rule_files: [rules/*.yml]
alerting:
  alertmanagers: [{static_configs: [{targets: ["alertmanager:9093"]}]}]
"""


def _one(text: str) -> ScrapeJob:
    (job,) = jobs_from_prometheus_yml(GLOBAL + "scrape_configs:\n- job_name: model\n" + indent(dedent(text), "  "))
    return job


def test_a_job_without_settings_has_those_of_prometheus() -> None:
    job = _one("static_configs: [{targets: ['a:1']}]")
    assert (job.interval, job.timeout, job.metrics_path, job.scheme) == (30.0, 10.0, "/metrics", "http")
    assert (job.honor_labels, job.honor_timestamps, job.access.follow_redirects) == (False, True, True)
    assert job.groups == (TargetGroup(("a:1",)),)


@pytest.mark.parametrize(
    ("text", "interval", "timeout"),
    [
        ("scrape_interval: 5s", 5.0, 5.0),  # the global time-out is cut to it
        ("scrape_interval: 1m30s\nscrape_timeout: 1m", 90.0, 60.0),
        ("scrape_interval: 500ms", 0.5, 0.5),
        ("scrape_interval: 1h", 3600.0, 10.0),
    ],
)
def test_intervals_and_timeouts_fill_in_as_in_prometheus(text: str, interval: float, timeout: float) -> None:
    job = _one(text)
    assert (job.interval, job.timeout) == (interval, timeout)


def test_everything_that_a_scrape_needs_is_read(tmp_path: Path) -> None:
    (tmp_path / "prometheus.yml").write_text(
        dedent("""
        global: {sample_limit: 100, label_limit: 5, body_size_limit: 1MB}
        scrape_config_files: [more/*.yml]
        scrape_configs:
        - job_name: model
          metrics_path: /m
          scheme: https
          params: {module: [a, b]}
          honor_labels: true
          honor_timestamps: false
          sample_limit: 50
          body_size_limit: 10KB
          basic_auth: {username: me, password_file: secret}
          tls_config: {ca_file: ca.pem, server_name: model, insecure_skip_verify: true, min_version: TLS12}
          file_sd_configs: [{files: [targets/*.json, /abs/x.yml]}]
          http_sd_configs: [{url: "http://sd/", refresh_interval: 5m, authorization: {credentials: token}}]
          metric_relabel_configs:
          - {source_labels: [a, b], regex: x, action: drop}
          - {target_label: t, replacement: 5}
        """)
    )
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "one.yml").write_text(
        "scrape_configs: [{job_name: second, file_sd_configs: [{files: [t.yml]}]}]"
    )
    first, second = jobs_from_prometheus_yml(tmp_path / "prometheus.yml")
    assert (first.metrics_path, first.scheme, dict(first.params)) == ("/m", "https", {"module": ("a", "b")})
    assert (first.honor_labels, first.honor_timestamps) == (True, False)
    assert (first.limits.samples, first.limits.labels, first.limits.body_size) == (50, 5, 10 * 1024)
    assert first.access.basic == ("me", Secret(file=str(tmp_path / "secret")))
    assert first.access.tls.ca_file == str(tmp_path / "ca.pem")
    files, url = first.discoveries
    assert files == FileDiscovery((str(tmp_path / "targets/*.json"), "/abs/x.yml"))
    assert isinstance(url, HttpDiscovery)
    assert (url.url, url.refresh_interval) == ("http://sd/", 300.0)
    assert [rule.action for rule in first.metric_relabel] == ["drop", "replace"]
    assert first.metric_relabel[1].replacement == "5"
    assert second.limits.body_size == 1 << 20
    assert second.discoveries == (FileDiscovery((str(tmp_path / "more" / "t.yml"),)),)


def test_a_label_is_what_stands_in_the_file() -> None:
    job = _one("static_configs: [{targets: ['a:1'], labels: {a: 1.0, b: true, c: 010, d: 2020-01-01, e: , f: 1e3}}]")
    assert dict(job.groups[0].labels) == {"a": "1.0", "b": "true", "c": "010", "d": "2020-01-01", "e": "", "f": "1e3"}


def test_an_empty_replacement_deletes_and_an_absent_one_does_not() -> None:
    rules = _one("relabel_configs: [{target_label: x, replacement: ''}, {target_label: y, replacement: }]").relabel
    assert [rule.replacement for rule in rules] == ["", "$1"]


def test_credentials_do_not_print() -> None:
    for text in (
        "basic_auth: {username: me, password: hunter2}",
        "authorization: {credentials: hunter2}",
        "bearer_token: hunter2",
        "http_headers: {X-Key: {secrets: [hunter2]}}",
    ):
        job = _one(text)
        assert "hunter2" not in repr(job)


def test_targets_that_cannot_be_discovered_are_given_by_name() -> None:
    text = "kubernetes_sd_configs: [{role: pod}]\nrelabel_configs: [{regex: __meta_(.*), action: labelmap}]"
    config = f"scrape_configs:\n- job_name: pods\n{indent(text, '  ')}\n- job_name: other\n"
    with pytest.raises(StackError, match="job 'pods': uses kubernetes_sd_configs") as refused:
        jobs_from_prometheus_yml(config)
    assert refused.value.hint is not None
    assert "give the targets" in refused.value.hint
    pods, other = jobs_from_prometheus_yml(config, given={"pods": [("10.0.0.1:8080", {"__meta_pod": "m-0"})]})
    assert pods.groups == (TargetGroup(("10.0.0.1:8080",), {"__meta_pod": "m-0"}),)
    assert other.groups == ()
    (alone,) = jobs_from_prometheus_yml(config, only=["other"])
    assert alone.name == "other"
    with pytest.raises(StackError, match="no scrape job 'pod'"):
        jobs_from_prometheus_yml(config, given={"pod": []}, only=["other"])


ACCEPTED = [
    "static_configs: [{targets: ['a:1'], labels: {x: y}}]",
    "scrape_interval: 10s\nscrape_timeout: 10s",
    "body_size_limit: 1.5GB",
    "relabel_configs: [{action: LabelDrop, regex: x}]",
    "relabel_configs: [{regex: x, target_label: y, replacement: ''}]",
    "metric_relabel_configs: [{source_labels: [a], regex: 5, action: keep}]",
    "authorization: {type: Token, credentials_file: x}",
    "authorization: {}",
    "enable_http2: false\nfollow_redirects: false",
    "params: {x: [1, 2]}",
    "honor_labels: yes",
    "sample_limit: 10\nlabel_limit:",
]
REFUSED = [
    ("scrape_interval: 5", "'5' is not a duration"),
    ("scrape_interval: 5x", "'5x' is not a duration"),
    ("scrape_interval: 1.5s", "'1.5s' is not a duration"),
    ("scrape_interval: 5s\nscrape_timeout: 6s", "scrape_timeout 6s must be above 0 and not above scrape_interval 5s"),
    ("honor_labels: maybe", "honor_labels must be true or false, got 'maybe'"),
    ("sample_limit: -1", "sample_limit must be a whole number that is not negative, got '-1'"),
    ("sample_limit: many", "sample_limit must be a whole number"),
    ("body_size_limit: 5 apples", "'5 apples' is not a size"),
    ("metric_path: /x", "unknown field 'metric_path'"),
    ("relabel_configs: [{action: rename}]", "unknown relabel action 'rename'"),
    ("relabel_configs: [{regex: '(', target_label: x}]", "is not a regular expression"),
    ("relabel_configs: [{source_labels: a, target_label: x}]", "source_labels must be a list"),
    ("relabel_configs: [{souce_labels: [a], target_label: x}]", "unknown field 'souce_labels'"),
    ("relabel_configs: {action: drop}", "relabel_configs must be a list of mappings"),
    ("static_configs: [{target: ['a:1']}]", "a target group has a list of targets"),
    ("static_configs: [{targets: a}]", "a target group has a list of targets"),
    ("static_configs: [{targets: ['http://a:1']}]", "'http://a:1' is not an address"),
    ("file_sd_configs: [{files: [x.txt]}]", "'x.txt' must end in"),
    ("http_sd_configs: [{url: 'ftp://x'}]", "url must be http:// or https://"),
    ("http_sd_configs: [{refresh_interval: 5s}]", "url must be http:// or https://"),
    ("basic_auth: {username: a}\nbearer_token: b", "at most one of basic_auth"),
    ("authorization: {type: basic, credentials: x}", "the type cannot be basic"),
    ("authorization: {credentials: x, credentials_file: y}", "at most one of credentials and credentials_file"),
    ("tls_config: {ca: x, ca_flie: y}", "unknown field 'ca_flie'"),
    ("params: {x: 1}", "x must be a list"),
    ("scheme: http\nscheme: https", "the key 'scheme' is given twice"),
]


def _promtool(tmp_path: Path, text: str) -> bool:
    (tmp_path / "p.yml").write_text("scrape_configs:\n- job_name: model\n" + indent(text, "  "))
    (tmp_path / "x").write_text("secret")
    command = ["promtool", "check", "config", "--syntax-only", "p.yml"]
    return subprocess.run(command, cwd=tmp_path, capture_output=True, timeout=20, check=False).returncode == 0


@pytest.mark.parametrize("text", ACCEPTED)
def test_what_prometheus_loads_is_read(tmp_path: Path, prometheus_binary: str, text: str) -> None:
    assert _promtool(tmp_path, text)
    _one(text)


@pytest.mark.parametrize(("text", "reason"), REFUSED)
def test_what_prometheus_refuses_is_refused_with_job_and_reason(
    tmp_path: Path, prometheus_binary: str, text: str, reason: str
) -> None:
    assert not _promtool(tmp_path, text)
    with pytest.raises(StackError, match=r"prometheus\.yml: ") as refused:
        _one(text)
    assert reason in str(refused.value)
    assert "job 'model'" in str(refused.value) or "given twice" in reason


@pytest.mark.parametrize("text", ["proxy_url: http://x", "oauth2: {client_id: x, token_url: y}"])
def test_what_a_drill_cannot_do_is_said(text: str) -> None:
    with pytest.raises(StackError, match=r"job 'model': .* is not supported"):
        _one(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("scrape_configs: [{job_name: a}, {job_name: a}]", "two jobs have this name"),
        ("scrape_configs: [{scheme: http}]", "needs a job_name"),
        ("- a", "expected a mapping"),
        ("a: [", "cannot be read"),
        ("scrape_configs: {a: b}", "scrape_configs must be a list"),
        ("scrape_configs: [a]", "scrape_configs must be a list"),
    ],
)
def test_a_broken_file_is_refused_with_its_reason(text: str, reason: str) -> None:
    with pytest.raises(StackError, match=reason):
        jobs_from_prometheus_yml(text)


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StackError, match=r"absent\.yml.*No such file"):
        jobs_from_prometheus_yml(tmp_path / "absent.yml")


def test_a_single_target_needs_no_configuration() -> None:
    connection = Connection("https://[::1]:8443/v2/metrics", bearer=Secret(env="TOKEN"), ca="ca.pem", timeout=3.0)
    job = page_job("model", connection, labels={"zone": "a"}, interval=2.0)
    assert (job.scheme, job.metrics_path, job.timeout) == ("https", "/v2/metrics", 2.0)
    assert job.groups == (TargetGroup(("[::1]:8443",), {"zone": "a"}),)
    assert job.access.authorization == ("Bearer", Secret(env="TOKEN"))
    assert job.access.tls.ca_file == "ca.pem"
    probe = page_job("probe", Connection("http://h:1/probe?module=a&module=b&x="))
    assert (probe.metrics_path, dict(probe.params)) == ("/probe", {"module": ("a", "b"), "x": ("",)})
    assert page_job("bare", Connection("http://h:1/")).metrics_path == "/metrics"


@pytest.mark.parametrize(
    ("text", "size"), [("0", 0), ("15B", 15), ("10KB", 10240), ("1MiB", 1 << 20), ("1.5GB", 3 << 29)]
)
def test_sizes_are_powers_of_two(text: str, size: int) -> None:
    assert parse_size(text) == size


@pytest.mark.parametrize("text", ["", "10", "10 KB", "KB", "10kb", "-1B"])
def test_a_size_without_unit_is_refused(text: str) -> None:
    with pytest.raises(StackError, match="is not a size"):
        parse_size(text)

"""Rules that a check speaks of, with what is told of each, and their healthy twins, of which nothing is."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from driftdrill.harness.recording.reader import Samples
from tests.harness.judge.by_hand import requests, track
from tests.harness.judge.why.seen import series

NAN = float("nan")


@dataclass(frozen=True)
class Told:
    """A rule, what it could read, and what is told of it: words of the sentence and of the hint."""

    check: str
    expr: str
    there: Sequence[Samples]
    says: str = ""
    hint: str = ""
    cannot_fire: bool = False
    fields: str = ""
    records: str = ""
    left: Any = None
    fired: bool = False
    more: dict[str, Any] = field(default_factory=dict)


def rising(t: float) -> float:
    return 2 * t


def from_second(second: float, value: Any = 1.0) -> Any:
    return lambda t: (value(t) if callable(value) else value) if t >= second else None


def until(second: float, value: Any = 1.0) -> Any:
    return lambda t: (value(t) if callable(value) else value) if t < second else None


def histogram(name: str, *bounds: str, value: Any = rising, **labels: str) -> list[Samples]:
    made = [series(f"{name}_bucket", value, le=le, **labels) for le in (*bounds, "+Inf")]
    return [*made, series(f"{name}_count", value, **labels), series(f"{name}_sum", value, **labels)]


def by_status(*values: str) -> list[Samples]:
    return [series("app_requests_total", rising, status=v) for v in values]


def two_workers(t: float) -> float:
    return t + (500 if random.Random(t).random() < 0.5 else 0)


def wobbling(t: float) -> float:
    return 5 + 3 * random.Random(t).random()


def in_turn(n: int, **labels: str) -> list[Any]:
    return [track("A", (900.0 + 15 * i, 915.0 + 15 * i, "pending"), current=str(i), **labels) for i in range(n)]


SHARE = "sum(rate(app_requests_total{%s}[5m])) / sum(rate(app_requests_total[5m])) > 0.05"
P99 = "histogram_quantile(0.99, sum by (le) (rate(req_seconds_bucket[5m]))) > %g"
JOIN = "rate(app_errors_total[5m]) * on (job) group_left (version) build_info > 0.1"
MANY = "found duplicate series for the match group {job} on the right hand-side of the operation"
REPLACED = 'label_replace(up, "env", "$1", "instance", "(.*)") == 0'
BUILDS = [series("build_info", version="1"), series("build_info", from_second(900), version="2")]
FAILURES = series("app_failures_total", from_second(930), reason="oom")
REQUESTS = series("app_requests_total", rising, status="200")

TRAPS = [
    Told(
        "no_such_metric",
        "vllm_num_requests_waiting > 50",
        [series("vllm:num_requests_waiting")],
        "no scrape had vllm_num_requests_waiting",
        "did you mean vllm:num_requests_waiting?",
        cannot_fire=True,
    ),
    Told(
        "no_such_metric",
        "avg(vllm:gpu_cache_usage_perc) > 95",
        [series("vllm:kv_cache_usage_perc", 0.4)],
        "no scrape had vllm:gpu_cache_usage_perc",
        "vLLM renamed vllm:gpu_cache_usage_perc to vllm:kv_cache_usage_perc in 0.9.2",
        cannot_fire=True,
    ),
    Told(
        "no_such_metric",
        "job:errors > 5",
        [series("app_errors_total", rising)],
        "no scrape had app_error_total (read by job:errors, rules.yml:4)",
        "did you mean app_errors_total?",
        cannot_fire=True,
        records="record: job:errors\n    expr: sum(rate(app_error_total[5m]))",
    ),
    Told(
        "escaped_name",
        "infer_queue_depth > 20",
        [series("infer.queue.depth")],
        "no scrape had infer_queue_depth, but infer.queue.depth",
        '{"infer.queue.depth"}',
        cannot_fire=True,
    ),
    Told(
        "escaped_name",
        '{"infer.queue.depth"} > 20',
        [series("U__infer_2e_queue_2e_depth")],
        "no scrape had infer.queue.depth, but U__infer_2e_queue_2e_depth",
        cannot_fire=True,
    ),
    Told(
        "escaped_name",
        'up{service_name="a"} == 0',
        [series("up", **{"service.name": "a"})],
        "up has no label service_name, but service.name",
        '{"service.name"="..."}',
        cannot_fire=True,
    ),
    Told(
        "native_histogram",
        "histogram_quantile(0.95, sum(rate(req_seconds[5m]))) > 5",
        histogram("req_seconds", "1", "10"),
        "req_seconds is read as a native histogram, which is not recorded; the pages have the classic "
        "req_seconds_bucket",
        "read req_seconds_bucket by `le`",
    ),
    Told(
        "native_histogram",
        "histogram_quantile(0.95, sum(rate(req_seconds[5m]))) > 5",
        [REQUESTS],
        "req_seconds: a native histogram was there and is not recorded",
        more={"not_recorded": ["req_seconds"]},
    ),
    Told(
        "nothing_matches",
        SHARE % 'status="500"',
        by_status("2xx", "5xx"),
        'no scrape had app_requests_total{status="500"}; status was 2xx, 5xx',
        'the page groups codes: status="5xx"',
    ),
    Told(
        "nothing_matches",
        SHARE % 'status="5xx"',
        by_status("200", "422"),
        'no scrape had app_requests_total{status="5xx"}; status was 200, 422',
    ),
    Told(
        "nothing_matches",
        SHARE % 'code=~"5.."',
        by_status("200", "500"),
        "no app_requests_total has the label code; it has instance, job, status",
        cannot_fire=True,
    ),
    Told(
        "nothing_matches",
        '(sum(rate(app_requests_total{status="500"}[5m])) or vector(0)) / sum(rate(app_requests_total[5m])) > 0.05',
        by_status("2xx", "5xx"),
        'no scrape had app_requests_total{status="500"}',
    ),
    Told(
        "nothing_matches",
        'up{env="production"} == 0',
        [series("up", env="prod")],
        'no scrape had up{env="production"}; env was prod',
        'did you mean env="prod"?',
    ),
    Told(
        "nothing_matches",
        'up{job="model", instance="j"} == 0',
        [series("up", job="model"), series("up", job="other", instance="j")],
        'no scrape had up{job="model", instance="j"}; with {instance="j"} job was other',
        "never together",
    ),
    Told("nothing_matches", 'up{job!="m"} == 0', [series("up")], 'no scrape had up{job!="m"}; job was m'),
    Told(
        "nothing_matches",
        'sum(rate(log_total{level="error"}[5m])) > 1',
        [series("log_total", rising, level="ERROR")],
        'no scrape had log_total{level="error"}; level was ERROR',
        'did you mean level="ERROR"?',
    ),
    Told(
        "exported_label",
        'up{job="nightly"} == 0',
        [series("up", job="push", exported_job="nightly")],
        'no scrape had up{job="nightly"}; job was push, and exported_job was nightly',
        "honor_labels: true",
    ),
    Told(
        "exported_label",
        'up{exported_job="nightly"} == 0',
        [series("up", job="nightly")],
        "there was no exported_job, and job was nightly",
        "ask for job",
    ),
    Told(
        "le_spelling",
        '1 - sum(rate(req_seconds_bucket{le="1"}[5m])) / sum(rate(req_seconds_count[5m])) > 0.5',
        histogram("req_seconds", "1.0", "10.0"),
        'no scrape had req_seconds_bucket{le="1"}; le="1" is stored as "1.0"',
        r'le=~"1|1\\.0" matches both',
        cannot_fire=True,
    ),
    Told(
        "le_spelling",
        'rate(req_seconds_bucket{le="0.3"}[5m]) > 1',
        histogram("req_seconds", "0.1", "0.5"),
        'no scrape had req_seconds_bucket{le="0.3"}; le was +Inf, 0.1, 0.5',
        cannot_fire=True,
    ),
    Told(
        "le_spelling",
        'req_seconds{quantile="0.990"} > 1',
        [series("req_seconds", quantile="0.99")],
        'quantile="0.990" is stored as "0.99"',
        cannot_fire=True,
    ),
    Told(
        "never_joins",
        "rate(a_total[2m]) / rate(b_total[2m]) > 0.1",
        [series("a_total", rising, handler="x"), series("b_total", rising, version="1")],
        "have no equal labels: handler is only left; version is only right",
        "aggregate both sides `by (instance, job)`",
        cannot_fire=True,
    ),
    Told(
        "never_joins",
        "up == 0 and on (instance) app_ready == 0",
        [series("up"), series("app_ready", instance="pod-1")],
        "instance is i left, pod-1 right",
        cannot_fire=True,
    ),
    Told(
        "never_joins",
        "absent(x) and on (job) up == 0",
        [series("up"), series("x")],
        "job is only right",
        cannot_fire=True,
    ),
    Told(
        "no_le",
        "histogram_quantile(0.99, sum(rate(req_seconds_bucket[5m]))) > 50",
        histogram("req_seconds", "1", "100"),
        "no series of `sum(rate(req_seconds_bucket[5m]))` has the label le",
        "sum by (le)",
        cannot_fire=True,
    ),
    Told(
        "above_top_bucket",
        P99 % 120,
        histogram("req_seconds", "10", "60"),
        "the threshold (> 120) lies above the highest finite bucket: the quantile is never above 60",
        cannot_fire=True,
    ),
    Told(
        "above_top_bucket",
        "job:p99 * 1000 > 60000",
        histogram("req_seconds", "10", "60"),
        "never above 60000",
        records="record: job:p99\n    expr: histogram_quantile(0.99, sum by (le) (rate(req_seconds_bucket[5m])))",
        cannot_fire=True,
    ),
    Told(
        "above_top_bucket",
        P99 % 0.1,
        [*histogram("req_seconds", "0.1"), series("req_seconds_bucket", until(910, rising), le="1.0")],
        "never above 0.1, however slow all is; that is so in the fault, before it 1 was the highest",
    ),
    Told(
        "above_top_bucket",
        f"({P99 % 120}) and on () sum(rate(req_seconds_count[5m])) > 1",
        histogram("req_seconds", "10", "60"),
        "never above 60",
        cannot_fire=True,
    ),
    Told(
        "inside_bucket",
        P99 % 30,
        histogram("req_seconds", "1", "10", "100"),
        "the threshold 30 lies inside bucket (10, 100], and so did the quantile (22 at most)",
        "le=30",
        left=from_second(0, lambda t: 22.0 if t > 900 else 0.9),
    ),
    Told(
        "other_unit",
        "avg(vllm:kv_cache_usage_perc) > 95",
        [series("vllm:kv_cache_usage_perc", 0.4)],
        "vllm:kv_cache_usage_perc is a share, at most 0.4 was seen, and the threshold is 95",
        "write > 0.95",
        cannot_fire=True,
    ),
    Told(
        "other_unit",
        SHARE.replace("0.05", "5") % 'status="5xx"',
        by_status("2xx", "5xx"),
        "is a part of the whole, and the threshold is 5",
        cannot_fire=True,
    ),
    Told(
        "other_unit",
        P99 % 2000,
        histogram("req_seconds", "10", "2560"),
        "req_seconds_bucket is in seconds: the threshold of 2000 is 33m20s, and at most 0.3 s was seen",
        "write 2",
        left=0.3,
    ),
    Told(
        "other_unit",
        "node_filesystem_avail_bytes < 10",
        [series("node_filesystem_avail_bytes", 5e9)],
        "node_filesystem_avail_bytes is in bytes: the threshold is 10 of them, and at least 5e+09 were seen",
    ),
    Told(
        "out_of_range",
        "count(up == 1) < 1",
        [series("up")],
        "`count(up == 1)` is at least 1 or nothing at all: `< 1` is never true",
        "absent(...)",
        cannot_fire=True,
    ),
    Told(
        "out_of_range",
        "changes(node_uname_info[1h]) > 0",
        [series("node_uname_info", release="6.1")],
        "node_uname_info is always 1, and never changes",
        cannot_fire=True,
    ),
    Told("out_of_range", "hour() > 24", [], "hour() is at most 23: `> 24` is never true", cannot_fire=True),
    Told(
        "renamed_in_fault",
        "sum(rate(model_predictions_total[2m])) < 0.1",
        [
            series("model_predictions_total", until(900, rising)),
            series("ml_predictions_total", from_second(900, rising)),
        ],
        "model_predictions_total was there until 14m52s, then ml_predictions_total in its place",
        "absent(model_predictions_total)",
    ),
    Told(
        "vanished",
        'up{job="model"} == 0',
        [series("up", until(900), job="model"), series("up", from_second(900), job="predictor")],
        'every series of up{job="model"} ended at 14m52s, in the fault: nothing was left to compare; up{instance="i", '
        'job="predictor"} began',
        'absent(up{job="model"})',
    ),
    Told(
        "vanished",
        "queue_depth > 10",
        [series("queue_depth", lambda t: 1.0 if not 900 < t < 1800 else None), series("up", lambda t: float(t < 900))],
        "ended at 14m52s, in the fault: nothing was left to compare (up was 0)",
    ),
    Told(
        "nan",
        "m_sum / m_count > 0.4",
        [series("m_sum", lambda t: NAN if t > 950 else t), series("m_count", rising)],
        'its left side was NaN from 16m7s on: m_sum{instance="i", job="m"} was NaN from 15m52s on, after request 3 at '
        "15m30s",
        "only NaN differs from itself",
        left=lambda t: None if t > 960 else 0.3,
        more={"requests": requests([900, 910, 920, 930, 940], [0.1, 0.2, 0.1, NAN, 0.1])},
    ),
    Told(
        "nan",
        "m_sum / m_count > 0.4",
        [series("m_sum", NAN), series("m_count", rising)],
        "its left side was NaN from the first evaluation on",
        left=NAN,
        cannot_fire=True,
    ),
    Told(
        "nan",
        "queue > limit",
        [series("queue", NAN), series("limit", 5.0)],
        "every series of queue was NaN all through",
    ),
    Told(
        "zero_by_zero",
        "rate(errors_total[2m]) / rate(m_count[2m]) > 0.4",
        [series("errors_total", lambda t: min(t, 900.0)), series("m_count", lambda t: min(t, 900.0) * 2)],
        "its left side was 0/0, NaN, from 17m7s on: m_count stood still from 15m7s on",
        "sum(rate(...)) == 0",
        left=lambda t: None if t > 1020 else 0.3,
    ),
    Told(
        "counter_born",
        "increase(app_failures_total[5m]) > 0",
        [REQUESTS, FAILURES],
        'app_failures_total{instance="i", job="m", reason="oom"} first appeared at 15m37s, in the fault, at 1, and '
        "never changed: increase() does not see the first 1",
        "initialise the counter's labels",
    ),
    Told(
        "changing_labels",
        "drift_score > 0.3",
        [series("drift_score", 0.5, feature="x")],
        "label current took 50 values (0, 1, 10 and 47 more), each of them another alert: none was pending for "
        "`for: 5m`",
        "put the value into an annotation",
        fields="for: 5m\nlabels: {current: '{{ $value }}'}",
        more={"tracks": in_turn(50, feature="x")},
        cannot_fire=True,
    ),
    Told(
        "shorter_than_for",
        "drift_score > 0.7",
        [series("drift_score", lambda t: 0.9 if t >= 900 and t % 90 < 60 else 0.1)],
        says="it was pending 3 times, for 1m at most, and `for: 2m` begins anew each time",
        hint="avg_over_time",
        fields="for: 2m",
        more={"tracks": (track("A", (915, 975, "pending"), (1005, 1050, "pending"), (1095, 1155, "pending")),)},
    ),
    Told(
        "stale_between_scrapes",
        "drift_score > 0.3",
        [series("drift_score", lambda t: 0.5 if (t - 7) % 420 == 0 else None)],
        'drift_score{instance="i", job="m"} had no sample for 7m, 2 times in the fault: it is stale after 5m',
        fields="for: 10m",
        more={"scrape": 420.0},
    ),
    Told(
        "short_range",
        "rate(m_total[15s]) > 0.4",
        [series("m_total", rising)],
        "the range [15s] of m_total spans 1 scrapes (15s): never did it hold the two samples that rate() needs",
        "at least 1m",
        cannot_fire=True,
    ),
    Told(
        "short_range",
        "rate(m_total[30s]) > 0.4",
        [series("m_total", lambda t: t if t % 60 != 7 else None)],
        "at only 30 of 60 evaluations in the fault",
    ),
    Told(
        "short_range",
        "rate(m_total[45s]) > 0.4",
        [series("m_total", rising)],
        "the alert was pending and ended again",
        fields="for: 2m",
        more={"tracks": [track("A", (930.0, 990.0, "pending"), (1050.0, 1110.0, "pending"))]},
    ),
    Told(
        "falling_counter",
        "sum(rate(m_total[5m])) > 5",
        [series("m_total", two_workers), series("up")],
        "times while up was 1, and was back soon: several workers answer for this page in turn",
        "PROMETHEUS_MULTIPROC_DIR",
        fired=True,
    ),
    Told(
        "rate_of_gauge",
        "rate(queue_depth[5m]) > 5",
        [series("queue_depth", wobbling)],
        "steps, as a gauge does: rate() takes a fall for a restart",
        "deriv()",
    ),
    Told(
        "error_in_fault",
        JOIN,
        [series("app_errors_total", rising), *BUILDS],
        f'A cannot be evaluated: {MANY}; only in the fault, from 15m on: `build_info` has 2 series for job="m" '
        '(version="1"; version="2")',
        "make the `one` side unique",
        more={"errors": {0: MANY}},
    ),
    Told(
        "error_in_fault",
        "job:errors > 1",
        [series("app_errors_total", rising), *BUILDS],
        f"job:errors cannot be evaluated: {MANY}",
        records=f"record: job:errors\n    expr: {JOIN.partition(' > ')[0]}",
        more={"errors": {0: MANY}},
    ),
    Told(
        "empty_label",
        "max(drift_score) > 0.3",
        [series("drift_score", 0.5, feature="x")],
        "label team is made of $labels.owner; a reads $labels.feature, $labels.job",
        "the expression drops feature, job: aggregate `by (feature, job)`",
        fields="labels: {team: '{{ $labels.owner }}'}\nannotations: {a: '{{ $labels.feature }} {{ $labels.job }}'}",
        fired=True,
    ),
]

HEALTHY = [
    Told("no_such_metric", "absent(nowhere)", [series("up")]),
    Told("no_such_metric", "new_total > 5 or old_total > 5", [series("old_total")]),
    Told("no_such_metric", 'up == 0 unless on () maintenance{on="true"}', [series("up")]),
    Told("no_such_metric", '{__name__=~"none_.*"} > 5', [series("up")]),
    Told("escaped_name", '{"infer.queue.depth"} > 20', [series("infer.queue.depth")]),
    Told("escaped_name", "a_b > 20", [series("a_b"), series("a.b")]),
    Told("native_histogram", P99 % 5, histogram("req_seconds", "1", "7")),
    Told("nothing_matches", SHARE % 'status=~"5.."', by_status("200", "422")),
    Told("nothing_matches", SHARE % 'status=~"5.."', by_status("2xx")),
    Told("nothing_matches", SHARE % 'status="500"', by_status("200")),
    Told("nothing_matches", SHARE % 'status!~"2.."', by_status("200")),
    Told(
        "nothing_matches",
        'rate(app_failures_total{reason="oom"}[5m]) > 0',
        [series("app_failures_total", 0.0, reason=r) for r in ("timeout", "refused", "invalid")],
    ),
    Told("nothing_matches", 'up{job="m"} == 0', [series("up")]),
    Told("exported_label", 'up{exported_job="nightly"} == 0', [series("up", exported_job="nightly")]),
    Told("le_spelling", 'rate(req_seconds_bucket{le="1.0"}[5m]) > 1e9', histogram("req_seconds", "1.0")),
    Told(
        "never_joins",
        "sum by (job) (rate(a_total[2m])) / sum by (job) (rate(b_total[2m])) > 0.1",
        [series("a_total", rising, handler="x"), series("b_total", rising, version="1")],
    ),
    Told("never_joins", JOIN, [series("app_errors_total", rising), BUILDS[0]]),
    Told("no_le", "histogram_quantile(0.9, rate(req_seconds_bucket[5m])) > 7", histogram("req_seconds", "1", "7", "9")),
    Told("above_top_bucket", P99 % 10, histogram("req_seconds", "10", "60"), left=3.0),
    Told("inside_bucket", P99 % 30, histogram("req_seconds", "1", "10", "100"), left=0.9),
    Told("inside_bucket", P99 % 30, histogram("req_seconds", "28", "32"), left=30.5),
    Told("other_unit", "cpu_usage_percent > 95", [series("cpu_usage_percent", 0.4)], left=0.4),
    Told("other_unit", "100 * error_ratio > 5", [series("error_ratio", 0.01)], left=1.0),
    Told("other_unit", "gc_duration > 5", [series("gc_duration", 0.01)], left=0.01),
    Told("other_unit", "batch_job_duration_seconds > 3600", [series("batch_job_duration_seconds", 2.0)], left=2.0),
    Told("other_unit", P99 % 120, histogram("req_seconds", "120", "300"), left=4.0),
    Told("out_of_range", "count(up == 0) > 1", [series("up")]),
    Told("out_of_range", "count(count by (release) (node_uname_info)) > 1", [series("node_uname_info", release="6")]),
    Told("out_of_range", "up == 0", [series("up")]),
    Told("out_of_range", "hour() > 22", []),
    Told("renamed_in_fault", "rate(a_total[5m]) > 9", [series("a_total", rising), series("b_total", from_second(900))]),
    Told("vanished", "up == 0", [series("up"), series("up", until(900), instance="j")]),
    Told("vanished", "absent(x) or x == 0", [series("x", until(900))]),
    Told("vanished", "x > 5", [series("x", until(1790))]),
    Told(
        "vanished",
        'rate(app_requests_total{status=~"5.."}[5m]) > 1',
        [*by_status("200"), series("app_requests_total", until(900, 0.0), status="500")],
    ),
    Told("nan", "m_sum / m_count > 0.4", [series("m_sum"), series("m_count", rising)], left=0.3),
    Told("nan", "m_sum != m_sum", [series("m_sum", NAN)]),
    Told("nan", "queue > limit", [series("queue", lambda t: NAN if t < 950 else 1.0), series("limit", 5.0)]),
    Told(
        "zero_by_zero",
        "rate(a_total[2m]) / rate(m_count[2m]) > 0.4",
        [series("a_total", rising), series("m_count", rising)],
        left=lambda t: None if t < 60 else 0.3,
    ),
    Told("counter_born", "increase(app_failures_total[5m]) > 0", [REQUESTS, series("app_failures_total", 0.0)]),
    Told(
        "counter_born",
        "rate(app_failures_total[5m]) > 5",
        [REQUESTS, series("app_failures_total", from_second(930, lambda t: t - 920))],
    ),
    Told("counter_born", "sum(rate(app_requests_total[5m])) > 100", [REQUESTS, *by_status("200"), FAILURES]),
    Told("counter_born", "increase(app_failures_total[5m]) > 0", [FAILURES]),
    Told(
        "changing_labels",
        "drift_score > 0.3",
        [series("drift_score", 0.5, feature=f) for f in "xyz"],
        fields="for: 5m",
        more={"tracks": [track("A", (900.0, 1200.0, "pending"), (1200.0, 1800.0, "firing"), feature=f) for f in "xyz"]},
    ),
    Told("stale_between_scrapes", "drift_score > 0.7", [series("drift_score", 0.5)], fields="for: 10m"),
    Told(
        "shorter_than_for",
        "drift_score > 0.7",
        [series("drift_score", lambda t: 0.9 if 900 <= t < 1800 else 0.1)],
        fields="for: 2m",
        fired=True,
        more={"tracks": (track("A", (915, 1035, "pending"), (1035, 1815, "firing")),)},
    ),
    Told("short_range", "rate(m_total[1m]) > 5", [series("m_total", rising)]),
    Told("short_range", "rate(m_total[45s]) > 5", [series("m_total", rising)], fields="for: 2m"),
    Told("falling_counter", "rate(m_total[5m]) > 5", [series("m_total", lambda t: t % 1000), series("up")]),
    Told(
        "falling_counter",
        "rate(m_total[5m]) > 5",
        [series("m_total", lambda t: t % 60), series("process_start_time_seconds", lambda t: t // 60), series("up")],
    ),
    Told("rate_of_gauge", "rate(requests[5m]) > 5", [series("requests", lambda t: t % 1000)]),
    Told("error_in_fault", JOIN, [series("app_errors_total", rising), BUILDS[0]], more={"errors": {7: MANY}}),
    Told(
        "empty_label",
        "drift_score > 0.3",
        [series("drift_score", 0.5, feature="x")],
        fields="annotations: {summary: '{{ $labels.feature }}{{ if $labels.owner }} of {{ $labels.owner }}{{ end }}'}",
        fired=True,
    ),
    Told("none", REPLACED, [series("up")]),
]

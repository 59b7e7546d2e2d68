"""Why an alert was silent: each trap by its reason, by another one, and as a silence that nobody wrote down."""

from driftdrill import fires, quiet, silent
from tests.truth.entry import Entry, Series, alert, born, by, flat, jump, lie, record, rising, rules, until, well

NAN = float("nan")
STEP = 15.0


def histogram(name: str, *bounds: str, share: float = 1.0, **labels: str) -> Series:
    """A histogram all of whose observations lie in the last finite bucket."""
    each = {}
    for i, le in enumerate((*bounds, "+Inf")):
        inside = i >= len(bounds) - 1
        each[(("le", le), *labels.items())] = rising(share) if inside else flat(0)
    return {f"{name}_bucket": each, f"{name}_count": rising(share), f"{name}_sum": rising(2 * share)}


P99 = "histogram_quantile(0.99, sum by (le) (rate(req_seconds_bucket[5m]))) > {}"
SHARE = 'sum(rate(app_requests_total{{status="{}"}}[5m])) / sum(rate(app_requests_total[5m])) > 0.05'
STATUS = {"app_requests_total": by("status", **{"2xx": rising(), "5xx": lambda t: 0.5 * min(max(t - 900, 0), 900)})}
MANY = {"errors_total": rising(), "build_info": {(("version", "1"),): flat(1), (("version", "2"),): born(900)}}
JOIN = "rate(errors_total[5m]) * on (job) group_left (version) build_info > 0.1"

TRAPS: dict[str, tuple[str, Series, dict]] = {
    "no_such_metric": ("vllm_num_requests_waiting > 50", {"vllm:num_requests_waiting": flat(99)}, {}),
    "escaped_name": ("infer_queue_depth > 20", {"infer.queue.depth": jump(1, 50)}, {}),
    "native_histogram": ("histogram_quantile(0.95, sum(rate(req_seconds[5m]))) > 5", histogram("req_seconds", "1", "10"), {}),
    "nothing_matches": (SHARE.format("500"), STATUS, {}),
    "exported_label": ('up{exported_job="m"} == 0', {}, {}),
    "le_spelling": ('rate(req_seconds_bucket{le="1"}[5m]) > 0.1', histogram("req_seconds", "1.0"), {}),
    "no_le": ("histogram_quantile(0.99, sum(rate(req_seconds_bucket[5m]))) > 0.1", histogram("req_seconds", "1", "10"), {}),
    "never_joins": ("rate(a_total[2m]) / rate(b_total[2m]) > 0.1", {"a_total": by("handler", x=rising()), "b_total": by("version", y=rising())}, {}),
    "renamed_in_fault": ("old_share > 0.5", {"old_share": until(900, 0.1), "new_share": born(900, 0.9)}, {}),
    "vanished": ("heat > 10", {"heat": until(900)}, {}),
    "above_top_bucket": (P99.format(120), histogram("req_seconds", "10", "60"), {}),
    "other_unit": ("error_ratio > 5", {"error_ratio": jump(0.01, 0.9)}, {}),
    "out_of_range": ("up > 1", {}, {}),
    "nan": ("heat_sum / heat_count > 10", {"heat_sum": jump(1, NAN, back=9e9), "heat_count": rising()}, {}),
    "counter_born": ("increase(app_failures_total[5m]) > 0", {"app_failures_total": {(("reason", "oom"),): born(930), (("reason", "x"),): flat(0)}}, {}),
    "changing_labels": ("heat > 10", {"heat": lambda t: 20 + t / 100 if 900 <= t < 1800 else 1.0}, {"for_": "5m", "labels": {"v": "{{ $value }}"}}),
    "shorter_than_for": ("heat > 10", {"heat": lambda t: 20.0 if t >= 900 and t % 90 < 60 else 1.0}, {"for_": "2m"}),
    "short_range": ("rate(done_total[15s]) > 0.1", {"done_total": rising()}, {}),
    "error_in_fault": (JOIN.replace("0.1", "9"), MANY, {}),
    "zero_by_zero": ("rate(bad_total[2m]) / rate(done_total[2m]) > 0.4", {"bad_total": lambda t: 0.1 * min(t, 900), "done_total": lambda t: min(t, 900)}, {}),
}
CANNOT = ("no_such_metric", "escaped_name", "never_joins", "above_top_bucket", "other_unit", "short_range")
WRONG = {"nan": "vanished"}


def by_its_reason(check: str) -> Entry:
    expr, series, more = TRAPS[check]
    code = 1 if check == "error_in_fault" else 0
    return lie(f"silent because of {check}", rules(alert("A", expr, **more)), series, [silent("A", because=check)], "SILENT", code, f", {check}:", why=check)


def by_another(check: str) -> Entry:
    expr, series, more = TRAPS[check]
    expect = [silent("A", because=WRONG.get(check, "nan")), fires("A")]
    return lie(f"another reason, in the trap {check}", rules(alert("A", expr, **more)), series, expect, "SILENT", 1, "not for that reason", f", {check}:", never=("blind to this fault",))


def cannot_be_quiet(check: str) -> Entry:
    expr, series, more = TRAPS[check]
    return lie(f"quiet, and cannot fire: {check}", rules(alert("A", expr, **more)), series, [quiet("A")], "SILENT", 3, "could not have fired")


ENTRIES = [
    *(make(check) for check in TRAPS for make in (by_its_reason, by_another)),
    *(cannot_be_quiet(check) for check in CANNOT),
    # Cases of public reports that fire, with what is to be known of them.
    lie("interpolation inside a coarse bucket", rules(alert("Slow", P99.format(30))), {"req_seconds_bucket": {(("le", "1"),): flat(0), (("le", "10"),): lambda t: 0.9 * t if t < 900 else 810.0, (("le", "100"),): rising(), (("le", "+Inf"),): rising()}, "req_seconds_count": rising(), "req_seconds_sum": rising(11)}, [quiet("Slow")], "FALSE_ALARM", 1, why="inside_bucket"),
    lie("labels of an annotation that the aggregation dropped", rules(alert("D", "max(drift_score) > 0.3", labels={"team": "{{ $labels.owner }}"}, annotations={"summary": "{{ $labels.feature }} of {{ $labels.job }}"})), {"drift_score": by("feature", x=jump(0.1, 0.9))}, [fires("D")], "FIRED", 0, "drops feature, job", why="empty_label"),
    lie("a sparse scrape between which a series is stale", rules(alert("D", "drift_score > 0.3", for_="10m")), {"drift_score": lambda t: 0.5 if t >= 900 and round((t - 7) / 15) % 28 == 0 else None}, [fires("D")], "SILENT", 1, how={"every": 15.0}),
    lie("status 500 asked of grouped codes", rules(alert("E", SHARE.format("500"))), STATUS, [fires("E")], "SILENT", 1, "status was 2xx, 5xx", never=("blind",)),
    well("status 5xx asked of grouped codes", rules(alert("E", SHARE.format("5xx"))), STATUS, [fires("E")], "FIRED"),
    lie("many-to-many during a rollout", rules(alert("E", JOIN.replace("0.1", "9"))), MANY, [fires("E")], "SILENT", 1, "version=", never=("blind",)),
    well("the same join without a rollout", rules(alert("E", JOIN)), {"errors_total": lambda t: max(t - 900, 0), "build_info": {(("version", "1"),): flat(1)}}, [fires("E")], "UNRESOLVED"),
    well("a p99 below its threshold", rules(alert("Slow", P99.format(50))), {"req_seconds_bucket": by("le", **{"10": rising(), "60": rising(), "+Inf": rising()})}, [quiet("Slow")], "SILENT"),
    well("a counter that was there at 0", rules(alert("F", "increase(app_failures_total[5m]) > 0")), {"app_failures_total": {(("reason", "oom"),): jump(0, 1, back=9e9)}}, [fires("F")], "FIRED"),
    well("a share against a share", rules(alert("E", "error_ratio > 0.05")), {"error_ratio": jump(0.01, 0.9)}, [fires("E")], "FIRED"),
    well("a percentage made of a share", rules(alert("E", "100 * error_ratio > 5")), {"error_ratio": jump(0.01, 0.9)}, [fires("E")], "FIRED"),
    well("both sides made joinable", rules(alert("E", "sum by (job) (rate(a_total[2m])) / sum by (job) (rate(b_total[2m])) > 3")), {"a_total": by("handler", x=lambda t: max(t, 0) + 9 * min(max(t - 900, 0), 900)), "b_total": by("version", y=rising())}, [fires("E")], "FIRED"),
    well("a renamed metric, both names asked", rules(alert("E", "old_share > 0.5 or new_share > 0.5")), {"old_share": until(900, 0.1), "new_share": born(900, 0.9)}, [fires("E")], "UNRESOLVED"),
    well("absence is watched", rules(alert("Gone", "absent(heat)")), {"heat": until(900)}, [fires("Gone")], "UNRESOLVED"),
    well("vLLM's own name", rules(alert("Q", "vllm:num_requests_waiting > 50")), {"vllm:num_requests_waiting": jump(1, 99)}, [fires("Q")], "FIRED"),
    lie("vLLM's old name, through a recording rule", rules(record("cache", "avg(vllm:gpu_cache_usage_perc)"), alert("Q", "cache > 0.9")), {"vllm:kv_cache_usage_perc": jump(0.1, 0.99)}, [fires("Q")], "SILENT", 1, "renamed vllm:gpu_cache_usage_perc to vllm:kv_cache_usage_perc", why="no_such_metric"),
    well("a healthy ratio of errors", rules(alert("E", SHARE.format("5xx"))), {"app_requests_total": by("status", **{"2xx": rising(), "5xx": rising(0.001)})}, [quiet("E")], "SILENT"),
]

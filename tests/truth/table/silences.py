"""Rules that never fire, or only fire; silences by what kept them back; and their healthy twins, which are not accused."""

from collections.abc import Mapping
from typing import Any

from driftdrill import fires, quiet, silent
from tests.truth.entry import Entry, Series, Value, alert, born, by, flat, jump, lie, record, rising, rules, well

HEAT: Series = {"heat": jump(1, 20)}
CALM: Series = {"heat": flat(1)}


def faulty(before: float, more: float) -> Value:
    """A counter that rises, and by so much more in the fault."""
    return lambda t: before * max(t, 0) + more * min(max(t - 900, 0), 900)


REQUESTS: Series = {"req_total": by("status", **{"200": rising(10), "500": faulty(0.01, 5)})}
LATENCY: Series = {
    "lat_seconds_bucket": by("le", **{"0.1": rising(9), "5": rising(10), "+Inf": rising(10)}),
    "lat_seconds_count": rising(10),
    "lat_seconds_sum": rising(5),
}
SUMMARY: Series = {"lat_seconds": by("quantile", **{"0.5": flat(0.1), "0.99": jump(0.1, 3)})}
REPLICAS: Series = {"bad": by("replica", **{str(i): jump(0, float(i == 0)) for i in range(20)})}
HALF: Series = {"bad": by("replica", a=jump(0, 1), b=jump(0, 1))}
P99 = "histogram_quantile({}, sum by (le) (rate(lat_seconds_bucket[5m]))) {}"
SELF = 'rate(req_total{status="500"}[5m]) / rate(req_total[5m])'
HOT = record("hot", "heat > 10")
CHAIN = (record("a", "sum by (job, status) (rate(req_total[5m]))"), record("b", "sum by (job) (a)"), record("c", "max(b)"))

Given = str | Mapping[str, Any] | tuple[Mapping[str, Any], ...]

DEAD: dict[str, tuple[Given, Series, str, str]] = {
    # What excludes itself.
    "bounds joined by and": ("heat > 10 and heat < 5", HEAT, "contradiction", "exclude each other"),
    "bounds in a chain": ("heat > 5 < 3", HEAT, "contradiction", "exclude each other"),
    "two values at once": ("heat == 1 and heat == 2", HEAT, "contradiction", "exclude each other"),
    "a wider condition after unless": ("heat > 5 unless heat > 4", HEAT, "contradiction", "is taken away"),
    "everything after unless": ("heat unless heat", HEAT, "contradiction", "is taken away"),
    "a clamp below its threshold": ("clamp_max(heat, 3) > 5", HEAT, "out_of_range", "never true"),
    "the largest of what is above": ("max(heat > 10) < 5", HEAT, "contradiction", "is above 10"),
    "the sum of what is above": ("sum(heat > 10) < 5", HEAT, "contradiction", "at least 10"),
    "a record of what is above": ((HOT, alert("A", "hot < 5")), HEAT, "contradiction", "exclude each other"),
    "a record and what it is made of": ((HOT, alert("A", "hot and heat < 5")), HEAT, "contradiction", "exclude"),
    "a record of a record": ((HOT, record("hotter", "hot * 2"), alert("A", "hotter < 5")), HEAT, "contradiction", "exclude"),
    "opposite orders": ("heat > load and load > heat", {**HEAT, "load": flat(5)}, "contradiction", "exclude"),
    "scaled bounds": ("heat * 100 > 1000 and heat < 9", HEAT, "contradiction", "exclude"),
    "more than itself": ("heat > heat", HEAT, "contradiction", "both sides are the same"),
    "one label with two values": ('heat{f="x", f="y"} > 5', {"heat": by("f", x=jump(1, 20))}, "contradiction", "exclude"),
    "sums that exclude each other": ("sum(heat) > 10 and on () sum(heat) < 5", HEAT, "contradiction", "exclude"),
    "none of the largest": ("topk(0, heat) > 10", HEAT, "contradiction", "has no series"),
    "a rate below nothing": ("rate(req_total[5m]) < 0", REQUESTS, "contradiction", "at least 0"),
    "an amount below nothing": ("abs(heat) < 0", HEAT, "contradiction", "at least 0"),
    "each series by itself": (f"{SELF} > 1", REQUESTS, "contradiction", "are the same series"),
    "each series by itself, between": (f"{SELF} > 0.1 < 0.9", REQUESTS, "contradiction", "exclude"),
    "the 95th of 1": ("quantile(95, heat) < 10", HEAT, "contradiction", "always inf"),
    "the 99th of 1": (P99.format(99, "< 1"), LATENCY, "contradiction", "always inf"),
    "a count of whatever is there": ('count({job="m"}) < 1', HEAT, "contradiction", "at least 1"),
    "a comparison of 0 or 1": ("(heat > bool 10) > 1", HEAT, "out_of_range", "0 or 1"),
    # ALERTS.
    "an alert that there is not": ('ALERTS{alertname="Nope"} == 1', HEAT, "no_such_alert", "there is no other"),
    "a state that there is not": ('ALERTS{alertstate="fireing"}', HEAT, "no_such_alert", "pending or firing"),
    "ALERTS that are 0": ((alert("B", "heat > 99"), alert("A", 'ALERTS{alertname="B"} == 0')), HEAT, "contradiction", "always 1"),
    "an alert in small letters": ((alert("Hot", "heat > 99"), alert("A", 'ALERTS{alertname="hot"}')), HEAT, "no_such_alert", "did you mean Hot?"),
    "a state of ALERTS_FOR_STATE": ((alert("B", "heat > 99"), alert("A", 'ALERTS_FOR_STATE{alertstate="firing"} > 0')), HEAT, "no_such_alert", "has no alertstate"),
    "pending without for": ((alert("B", "heat > 99"), alert("A", 'ALERTS{alertname="B", alertstate="pending"}')), HEAT, "no_such_alert", "never pending"),
    "a severity that none has": ((alert("B", "heat > 99", labels={"severity": "warn"}), alert("A", 'count(ALERTS{severity="page"}) > 0')), HEAT, "no_such_alert", "severity was warn"),
    # What is read.
    "a metric in another case": ("Heat > 10", HEAT, "no_such_metric", "did you mean heat?"),
    "a label in another case": ('heat{F="x"} > 10', {"heat": by("f", x=jump(1, 20))}, "nothing_matches", "did you mean f?"),
    "a label that must be there": ('heat{env!=""} > 10', HEAT, "nothing_matches", "no heat has the label env"),
    "a label lost in a chain of records": ((*CHAIN, alert("A", 'c{status="500"} > 1')), REQUESTS, "nothing_matches", "b (rules.yml:4) drops it"),
    "a join on a label lost in a chain": ((*CHAIN, alert("A", "a / on (job) c > 0.1")), REQUESTS, "never_joins", "job is only left"),
    "on a label that by removed": ("sum by (job) (rate(req_total[5m])) / on (instance) sum by (instance) (rate(req_total[5m])) > 0.1", REQUESTS, "never_joins", "instance is only right"),
    "a label_replace that does not match": ('label_replace(heat{m="a_b"}, "team", "$1", "m", "a") > 10 and on (team) owner == 1', {"heat": by("m", a_b=jump(1, 20)), "owner": by("team", a=flat(1))}, "never_joins", "team is only right"),
    "nothing, or 0": ("(sum(rate(nope_total[5m])) or vector(0)) > 1", HEAT, "no_such_metric", "nope_total"),
    "a sibling of the buckets": ("histogram_quantile(0.99, sum by (le) (rate(lat_seconds_count[5m]))) > 1", LATENCY, "no_le", "_bucket"),
    "buckets by job": ("histogram_quantile(0.99, sum by (job) (rate(lat_seconds_bucket[5m]))) > 1", LATENCY, "no_le", "sum by (le)"),
    "milliseconds of a quantile": (P99.format(0.99, "> 500"), LATENCY, "above_top_bucket", "never above 5"),
    "a quantile that a summary has not": ('lat_seconds{quantile="0.999"} > 1', SUMMARY, "le_spelling", "a summary has only"),
    "scalar of two": ("heat > scalar(limit)", {**HEAT, "limit": by("f", a=flat(1), b=flat(2))}, "scalar_of_several", "has 2 series"),
    "absent of another job": ('absent(up{job="modle"})', {}, "absent_of_nothing", "job was m"),
    "a rate within one scrape": ('irate(req_total{status="500"}[15s]) > 1', REQUESTS, "short_range", "two samples"),
    "per cent of a part of the whole": ('1 - sum(rate(req_total{status="200"}[5m])) / sum(rate(req_total[5m])) > 5', REQUESTS, "other_unit", "write > 0.05"),
    "a value with units in a label": (alert("A", "heat > 10", for_="5m", labels={"v": "{{ $value | humanize }}"}), {"heat": lambda t: 20 + t / 7 if 900 <= t < 1800 else 1.0}, "changing_labels", "put the value into an annotation"),
}  # fmt: skip

KEPT: dict[str, tuple[Given, Series, str, str]] = {
    "a maintenance": ("heat > 10 unless on () maintenance == 1", {**HEAT, "maintenance": flat(1)}, "suppressed", 'would have fired, but `maintenance == 1` was there from 0s to 45m (maintenance{instance="i", job="m"} was 1)'),
    "a maintenance that begins with the fault": ("heat > 10 unless on () maintenance == 1", {**HEAT, "maintenance": jump(0, 1)}, "suppressed", "was there from 15m15s to 30m"),
    "a freeze that is another alert": ((alert("B", "frozen > 0"), alert("A", "heat > 10 unless on () ALERTS{alertname=\"B\"}")), {**HEAT, "frozen": flat(1)}, "suppressed", "would have fired"),
    "closed for business": ("heat > 10 and on () business_hours == 1", {**HEAT, "business_hours": flat(0)}, "suppressed", "was 0): `and` asks for both"),
    "another condition that is not met": ("heat > 10 and load > 5", {**HEAT, "load": flat(2)}, "suppressed", "`load > 5` never was in the fault"),
    "the first condition is not met": ("load > 5 and heat > 10", {**HEAT, "load": flat(2)}, "suppressed", "`load > 5` never was in the fault"),
    "two conditions one after the other": ("heat > 10 and load > 5", {"heat": jump(1, 20, back=1200), "load": jump(1, 9, at=1300)}, "suppressed", "never both"),
    "an alert that was silent": ((alert("B", "heat > 99"), alert("A", 'ALERTS{alertname="B", alertstate="firing"} == 1')), HEAT, "awaits_silent_alert", "it waits for B (rules.yml:3)"),
    "an average": ("avg(bad) > 0.5", REPLICAS, "averaged_away", "1 of the 20 series"),
    "an average by job": ("avg by (job) (bad) > 0.5", REPLICAS, "averaged_away", "1 of the 20 series"),
    "the least of all": ("min(bad) > 0.5", REPLICAS, "averaged_away", "1 of the 20 series"),
    "the median": ("quantile(0.5, bad) > 0.5", REPLICAS, "averaged_away", "1 of the 20 series"),
    "the largest, of a fall": ("max(auc) < 0.7", {"auc": by("f", x=jump(0.9, 0.5), y=flat(0.9))}, "averaged_away", "1 of the 2 series"),
    "a long range": ("min_over_time(heat[14m]) > 10", {"heat": jump(1, 20, back=1200)}, "averaged_away", "its range is 14m"),
    "a long range, of a fall": ("max_over_time(auc[14m]) < 0.7", {"auc": jump(0.9, 0.5, back=1200)}, "averaged_away", "its range is 14m"),
    "a fraction": ("heat == 0.3", {"heat": jump(0, 0.1 + 0.2)}, "equal_to_float", "abs(... - number)"),
    "a pattern without an end": ('sum(rate(req_total{status=~"5"}[5m])) > 1', REQUESTS, "nothing_matches", 'status=~"5.*"'),
    "a pattern of a prefix": ('heat{pod=~"model-"} > 10', {"heat": by("pod", **{"model-7f": jump(1, 20)})}, "nothing_matches", 'pod=~"model-.*"'),
    "a pattern in capitals": ('heat{env=~"PROD"} > 10', {"heat": by("env", prod=jump(1, 20))}, "nothing_matches", "(?i)PROD"),
    "a pattern with blanks": ('heat{env=~"prod | dev"} > 10', {"heat": by("env", prod=jump(1, 20))}, "nothing_matches", '"prod|dev"'),
    "a value with a blank": ('rate(req_total{status="500 "}[5m]) > 1', REQUESTS, "nothing_matches", 'did you mean status="500"?'),
    "a matcher that excludes all": ('rate(req_total{status!~".+"}[5m]) > 1', REQUESTS, "nothing_matches", "status was 200, 500"),
    "an instance with its port": ('up{instance="i:8000"} == 0', {}, "nothing_matches", "instance was i"),
    "a counter born at 1": ("sum(increase(err_total[1m])) > 0", {"err_total": {(("reason", "oom"),): born(950)}}, "counter_born", "does not see the first 1"),
    "an alert for as long as the fault": (alert("A", "heat > 10", for_="15m"), HEAT, "shorter_than_for", "asks for more"),
    "NaN": ("drift > 0.3", {"drift": jump(0.1, float("nan"))}, "nan", "was NaN from"),
}  # fmt: skip

ALWAYS: dict[str, tuple[Given, Series, str, str]] = {
    "bool": ("heat > bool 50", HEAT, "always_true", "leave `bool` out"),
    "a rate of at least 0": ("rate(req_total[5m]) >= 0", REQUESTS, "always_true", "wherever it has a value"),
    "a ratio of each series by itself": (f"{SELF} > 0.05", REQUESTS, "always_true", "are the same series"),
    "a quantile of 99": (P99.format(99, "> 1"), LATENCY, "always_true", "always inf"),
    "absent of what never was": ('absent(heat{env="production"})', {"heat": by("env", prod=flat(1))}, "absent_of_nothing", "env was prod"),
    "absent of a misspelled metric": ("absent(haet)", HEAT, "absent_of_nothing", "did you mean heat?"),
}  # fmt: skip

WELL: dict[str, tuple[Given, Series, str]] = {
    "a range of values": ("heat > 10 and heat < 50", HEAT, "FIRED"),
    "out of a range of values": ("heat > 10 or heat < 0", HEAT, "FIRED"),
    "a narrower condition after unless": ("heat > 10 unless heat > 50", HEAT, "FIRED"),
    "two series of one metric": ('heat{f="x"} > 10 and on () heat{f="y"} < 5', {"heat": by("f", x=jump(1, 20), y=flat(1))}, "FIRED"),
    "the least and the most": ("max(heat) > 10 and min(heat) < 5", {"heat": by("f", x=jump(1, 20), y=flat(1))}, "FIRED"),
    "the present and the past": ("heat > 10 and heat offset 10m < 5", HEAT, "FIRED"),
    "a guard that lets it through": ("heat > 10 unless on () maintenance == 1", {**HEAT, "maintenance": flat(0)}, "FIRED"),
    "a guard that was never there": ("heat > 10 and on () absent(maintenance)", HEAT, "FIRED"),
    "open for business": ("heat > 10 and on () business_hours == 1", {**HEAT, "business_hours": flat(1)}, "FIRED"),
    "a record in a range": ((HOT, alert("A", "hot < 50")), HEAT, "FIRED"),
    "the largest": ("max(bad) > 0.5", REPLICAS, "FIRED"),
    "an average of all": ("avg(bad) > 0.5", HALF, "FIRED"),
    "a ratio by status": ("sum by (status) (rate(req_total[5m])) / on () group_left sum(rate(req_total[5m])) < 0.5 > 0.1", REQUESTS, "FIRED"),
    "a scalar of one": ("heat > scalar(limit)", {**HEAT, "limit": flat(10)}, "FIRED"),
    "bool inside": ("(heat > bool 10) == 1", HEAT, "FIRED"),
    "not a number": ("drift != drift", {"drift": jump(0.1, float("nan"))}, "FIRED"),
    "a count of what is above": ("count(heat > 10) > 0", HEAT, "FIRED"),
}  # fmt: skip

QUIET: dict[str, tuple[Given, Series]] = {
    "either bound": ("heat > 5 or heat < 0", CALM),
    "a range": ("heat > 5 and heat < 10", CALM),
    "two series": ("heat > 5 and on (job) heat < 3", CALM),
    "unless a maintenance": ("heat > 10 unless on () maintenance == 1", {**CALM, "maintenance": flat(1)}),
    "closed, and all is well": ("heat > 10 and on () business_hours == 1", {**CALM, "business_hours": flat(0)}),
    "absent of what is there": ("absent(heat)", CALM),
    "an alert on a quiet alert": ((alert("B", "heat > 10"), alert("A", 'ALERTS{alertname="B", alertstate="firing"} == 1')), CALM),
    "an alert on whichever fires": ((alert("B", "heat > 10", for_="1m"), alert("A", 'count(ALERTS{alertstate="pending"}) > 1')), CALM),
    "of no errors yet": ('(sum(rate(req_total{status=~"5.."}[5m])) or vector(0)) > 1', {"req_total": by("status", **{"200": rising()})}),
    "all but good ones": ('sum(rate(req_total{status!~"2.."}[5m])) > 1', {"req_total": by("status", **{"200": rising()})}),
    "an average": ("avg(bad) > 0.5", {"bad": by("replica", a=flat(0), b=flat(0))}),
    "a fraction": ("heat == 0.3", CALM),
    "one of two rules of a record": ((record("r", "heat"), record("r", "gone", labels={"of": "gone"}), alert("A", "r > 10")), CALM),
}  # fmt: skip


def given(what: Given) -> str:
    each = (alert("A", what),) if isinstance(what, str) else what if isinstance(what, tuple) else (what,)
    return rules(*each)


def words(what: Given, word: str) -> str:
    """With the alerts that stand before A, which are silent, or fire where they keep A back."""
    before = [r for r in what if "alert" in r and r["alert"] != "A"] if isinstance(what, tuple) else []
    return " ".join([*("FALSE_ALARM" if "frozen" in r["expr"] else "SILENT" for r in before), word])


def dead(name: str) -> tuple[Entry, Entry]:
    what, series, check, says = DEAD[name]
    expect = [silent("A", because=check)]
    told = lie(f"never fires: {name}", given(what), series, expect, words(what, "SILENT"), 0, f"{check}:", says)
    unproven = lie(f"never fires, and quiet: {name}", given(what), series, [quiet("A")], words(what, "SILENT"), 3, "could not have fired")
    return told, unproven


def kept(name: str) -> Entry:
    what, series, check, says = KEPT[name]
    never = ("blind to this fault", "could not have fired")
    return lie(f"kept back by {name}", given(what), series, [fires("A")], words(what, "SILENT"), 1, f"{check}:", says, never=never)


def always(name: str) -> Entry:
    what, series, check, says = ALWAYS[name]
    return lie(f"always fires: {name}", given(what), series, [quiet("A")], words(what, "FALSE_ALARM"), 1, f"{check}:", says)


ENTRIES = [
    *(entry for name in DEAD for entry in dead(name)),
    *map(kept, KEPT),
    *map(always, ALWAYS),
    *(well(f"no accusation: {name}", given(what), series, [fires("A")], words(what, word)) for name, (what, series, word) in WELL.items()),
    *(well(f"quiet by right: {name}", given(what), series, [quiet("A")], words(what, "SILENT")) for name, (what, series) in QUIET.items()),
]

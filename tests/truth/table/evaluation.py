"""How rules are evaluated: intervals, look-back, ALERTS, subqueries, clocks, errors, and sums at the threshold."""

from dataclasses import replace

from driftdrill import fires, quiet, resolves
from tests.truth.entry import alert, by, flat, group, groups, jump, lie, record, rising, rules, until, well

HOT = {"heat": jump(1, 20)}
BACK = {"heat": jump(1, 20, at=1000, back=1700)}
SIDES = {"side": by("s", a=flat(1), b=flat(1))}
IN_FAULT = {"side": {(("s", "a"),): flat(1), (("s", "b"),): lambda t: 1.0 if t >= 900 else None}}
THEN_FIXED = {"side": {(("s", "a"),): flat(1), (("s", "b"),): lambda t: 1.0 if 900 <= t < 1000 else None}}
LONG_BASELINE = {"phases": [("warm_up", 0.0, 300.0), ("baseline", 300.0, 1500.0), ("fault", 1500.0, 1800.0), ("recovery", 1800.0, 2700.0)]}
BORN = 1.8e9
SINCE = 'time() - ALERTS_FOR_STATE{alertname="Base"} > 120'
ONCE = {"side": {(("s", "a"),): flat(1), (("s", "b"),): lambda t: 1.0 if 1500 < t < 1560 else None}}

_ENTRIES = [
    # Intervals.
    lie("an interval longer than the fault", groups(group(alert("Hot", "heat > 10"), interval="30m")), BACK, [quiet("Hot")], "NOT_JUDGED", 3, "no evaluation after a scrape in the fault"),
    lie("fires, at an interval longer than the fault", groups(group(alert("Hot", "heat > 10"), interval="30m")), BACK, [fires("Hot")], "NOT_JUDGED", 3),
    lie("it is evaluated once in the fault, and not again", groups(group(alert("Hot", "heat > 10"), interval="30m")), HOT, [fires("Hot"), resolves("Hot")], "FIRED", 3, "not evaluated again", never=("UNRESOLVED",)),
    lie("an interval longer than a short fault", groups(group(alert("Hot", "heat > 10"), interval="11m")), {"heat": jump(1, 20, at=1500)}, [quiet("Hot")], "NOT_JUDGED", 3, how={"meta": LONG_BASELINE}),
    lie("the rule is slow, and the one that it reads too", groups(group(record("r", "heat"), interval="40m", name="slow"), group(alert("Hot", "r > 10"))), HOT, [quiet("Hot")], "NOT_JUDGED", 3),
    well("a slow group beside others", groups(group(alert("Slow", "heat > 10"), interval="10m"), group(alert("Hot", "heat > 10"), name="h")), HOT, [fires("Hot"), fires("Slow")], "FIRED FIRED"),
    well("a group faster than the rest", groups(group(alert("Hot", "heat > 10"), interval="5s")), HOT, [fires("Hot", within=10)], "FIRED"),
    well("intervals that do not divide each other", groups(group(record("r", "max(heat)"), interval="40s", name="a"), group(alert("Hot", "r > 10"), interval="25s")), HOT, [fires("Hot"), resolves("Hot")], "FIRED"),
    well("a group that reads a later group", groups(group(alert("Hot", "r > 10"), name="a"), group(record("r", "max(heat)"), name="b")), HOT, [fires("Hot"), resolves("Hot")], "FIRED"),
    well("two groups in a circle", groups(group(record("a", "max(heat) or b"), alert("Hot", "a > 10"), name="a"), group(record("b", "a"), name="b")), HOT, [fires("Hot")], "FIRED"),
    # Look-back.
    lie("it looks back further than there is", rules(alert("Hot", "avg_over_time(heat[1h]) > 10")), HOT, [quiet("Hot")], "NOT_JUDGED", 3, "look-back"),
    lie("through a recording rule", rules(record("r", "avg_over_time(heat[10m])"), alert("Hot", "avg_over_time(r[10m]) > 10")), HOT, [quiet("Hot")], "NOT_JUDGED", 3, "look-back"),
    lie("through an alert of another group", groups(group(alert("Base", "avg_over_time(heat[14m]) > 10"), name="a"), group(alert("Hot", 'ALERTS{alertname="Base"} == 1', for_="5m"))), HOT, [quiet("Hot")], "FIRED NOT_JUDGED", 3, "look-back"),
    lie("by its offset", rules(alert("Hot", "heat > 10 and heat offset 1h < 10")), HOT, [quiet("Hot")], "NOT_JUDGED", 3, "look-back"),
    lie("by a subquery", rules(alert("Hot", "max_over_time(heat[5m:1m] offset 20m) > 10")), HOT, [quiet("Hot")], "NOT_JUDGED", 3),
    lie("by `for`", rules(alert("Hot", "heat > 10", for_="1h")), HOT, [quiet("Hot")], "NOT_JUDGED", 3, "look-back + for"),
    well("an offset within what there is", rules(alert("Hot", "heat - heat offset 5m > 10")), HOT, [fires("Hot")], "FIRED"),
    well("a range as long as the baseline", rules(alert("Hot", "avg_over_time(heat[10m]) > 10")), HOT, [fires("Hot")], "FIRED"),
    lie("an offset into the future", rules(alert("Hot", "heat offset -1m > 10")), HOT, [fires("Hot", within=1)], "NOT_JUDGED", 3, "it reads 1m ahead"),
    # ALERTS.
    lie("ALERTS of a group with another interval", groups(group(alert("Hot", 'ALERTS{alertname="Base",alertstate="firing"} == 1'), interval="30s", name="b"), group(alert("Base", "heat > 10"), name="a")), HOT, [quiet("Hot")], "FIRED FIRED", 1),
    well("an alert on ALERTS of its own group", rules(alert("Base", "heat > 10"), alert("Hot", 'ALERTS{alertname="Base",alertstate="firing"} == 1')), HOT, [fires("Base"), fires("Hot")], "FIRED FIRED"),
    well("an alert on ALERTS of a later group", groups(group(alert("Hot", 'count(ALERTS{alertstate="firing",alertname!="Hot"}) > 0'), name="a"), group(alert("Base", "heat > 10"), name="b")), HOT, [fires("Hot")], "FIRED FIRED"),
    well("an alert on a pending one", rules(alert("Base", "heat > 10", for_="5m"), alert("Soon", 'ALERTS{alertname="Base",alertstate="pending"} == 1')), HOT, [fires("Soon", within=60)], "FIRED FIRED"),
    well("an alert on how long another is active", rules(alert("Base", "heat > 10"), alert("Hot", SINCE)), HOT, [fires("Hot", within=150)], "FIRED FIRED"),
    lie("an alert on how long another is active is not there at once", rules(alert("Base", "heat > 10"), alert("Hot", SINCE)), HOT, [fires("Hot", within=149)], "FIRED LATE", 1),
    well("an alert on how long one of another interval is active", groups(group(alert("Hot", SINCE), interval="30s"), group(alert("Base", "heat > 10", for_="1m"), name="b", interval="20s")), HOT, [fires("Hot", within=150)], "FIRED FIRED"),
    lie("an alert on how long one that errors is active", rules(alert("Base", "heat > 10 unless heat * on () side > 99"), alert("Hot", SINCE)), {**HOT, **ONCE}, [fires("Hot", within=150)], "FIRED FIRED", 1, "many-to-many", "fired 2m30s after the fault began"),
    well("an alert on since when another was active", rules(alert("Base", "heat > 10"), alert("Hot", 'time() - max_over_time(ALERTS_FOR_STATE{alertname="Base"}[5m]) > 120')), HOT, [fires("Hot", within=150)], "FIRED FIRED"),
    well("an alert on how long another is active, asked of every name", rules(alert("Base", "heat > 10"), alert("Hot", SINCE.replace("ALERTS_FOR_STATE{", '{__name__="ALERTS_FOR_STATE",'))), HOT, [fires("Hot", within=150)], "FIRED FIRED"),
    well("what reads ALERTS resolves with them", rules(alert("Base", "heat > 10"), alert("Hot", 'ALERTS{alertname="Base"} > 0 and on () (heat > 0 or gone > 0)')), {**HOT, "gone": until(1200)}, [fires("Hot"), resolves("Hot")], "FIRED FIRED"),
    well("how often another fired, at another interval", groups(group(alert("Hot", 'count_over_time(ALERTS{alertname="Base",alertstate="firing"}[5m]) > 3'), interval="30s"), group(alert("Base", "heat > 10"), name="b")), HOT, [fires("Hot", within=60)], "FIRED FIRED"),
    well("another alert as it was a minute ago", rules(alert("Base", "heat > 10"), alert("Hot", 'ALERTS{alertname="Base"} offset 1m > 0')), HOT, [fires("Hot", within=75)], "FIRED FIRED"),
    well("since when another is active, less a Unix time", rules(alert("Base", "heat > 10"), alert("Hot", 'ALERTS_FOR_STATE{alertname="Base"} - on (job) trained_seconds > 500')), {**HOT, "trained_seconds": flat(BORN)}, [fires("Hot", within=30)], "FIRED FIRED"),
    # Circles.
    lie("two alerts of two intervals that read each other", groups(group(alert("A", 'heat > 10 unless on () ALERTS{alertname="B"}'), interval="30s"), group(alert("B", 'heat > 10 unless on () ALERTS{alertname="A"}'), name="h")), HOT, [fires("A"), quiet("B")], "NOT_JUDGED NOT_JUDGED", 3, "in an order that is not said: A (rules.yml:3), B (rules.yml:5)", "--clock wall"),
    lie("a reader of such a circle", groups(group(alert("A", 'heat > 10 unless on () ALERTS{alertname="B"}'), alert("C", 'ALERTS{alertname="A"} > 0'), interval="30s"), group(alert("B", 'heat > 10 unless on () ALERTS{alertname="A"}'), name="h")), HOT, [quiet("C")], "NOT_JUDGED NOT_JUDGED NOT_JUDGED", 3, "it reads rules that read what the others make"),
    lie("recording rules of two intervals in a circle", groups(group(record("a", "max(heat) or b"), interval="30s"), group(record("b", "a"), alert("Hot", "b > 10"), name="h")), HOT, [fires("Hot")], "NOT_JUDGED", 3, "at several intervals"),
    well("two alerts of one interval that read each other", groups(group(alert("A", 'heat > 10 unless on () ALERTS{alertname="B"}')), group(alert("B", 'heat > 99 unless on () ALERTS{alertname="A"}'), name="h")), HOT, [fires("A"), quiet("B")], "FIRED SILENT"),
    well("two alerts of two intervals that leave each other out", groups(group(alert("A", 'count(ALERTS{alertname!~"A|B"}) > 0'), interval="30s"), group(alert("B", 'count(ALERTS{alertname!="B",alertname!="A"}) > 0'), alert("Base", "heat > 10"), name="h")), HOT, [fires("A"), fires("B")], "FIRED FIRED FIRED"),
    well("two recording rules of one name, of two intervals", groups(group(record("r", "max(heat)", labels={"w": "a"}), interval="30s"), group(record("r", "min(heat)", labels={"w": "b"}), alert("Hot", "r > 10"), name="h")), HOT, [fires("Hot")], "FIRED"),
    # Subqueries.
    lie("a subquery steps by the global interval", groups(group(alert("Hot", "sum_over_time((heat > bool 10)[4m:]) > 8"), interval="2m")), HOT, [quiet("Hot")], "FIRED", 1),
    well("a subquery with a step of its own", groups(group(alert("Hot", "sum_over_time((heat > bool 10)[4m:30s]) > 6"), interval="2m")), HOT, [fires("Hot")], "FIRED"),
    lie("a subquery whose own step is too wide to reach it", groups(group(alert("Hot", "sum_over_time((heat > bool 10)[4m:1m]) > 8"), interval="2m")), HOT, [fires("Hot")], "SILENT", 1),
    # Clocks.
    lie("a latency is no Unix time", rules(alert("Hot", "response_time_seconds > 10 and on () (hour() >= 0)")), {"response_time_seconds": jump(1, 20)}, [quiet("Hot")], "FIRED", 1, never=("-1.8e", "rebased time()")),
    well("an age in seconds", rules(alert("Old", "time() - trained_timestamp_seconds > 1000")), {"trained_timestamp_seconds": flat(BORN)}, [fires("Old")], "UNRESOLVED", "rebased time()"),
    well("an age in milliseconds", rules(alert("Old", "time() * 1000 - trained_ms > 1e6")), {"trained_ms": flat(BORN * 1e3)}, [fires("Old")], "UNRESOLVED"),
    well("a Unix time by any name", rules(alert("Old", "time() - last_run > 1000")), {"last_run": flat(BORN)}, [fires("Old")], "UNRESOLVED"),
    well("a certificate that lasts", rules(alert("Ends", "ssl_verified_cert_not_after - time() < 86400")), {"ssl_verified_cert_not_after": flat(BORN + 30 * 86400)}, [quiet("Ends")], "SILENT"),
    lie("a certificate that ends", rules(alert("Ends", "ssl_verified_cert_not_after - time() < 86400")), {"ssl_verified_cert_not_after": flat(BORN + 3600)}, [quiet("Ends")], "FALSE_ALARM", 1),
    lie("a push time that the service goes on setting", rules(alert("Stale", "time() - push_time_seconds > 300")), {"push_time_seconds": lambda t: BORN + min(t, 900) / 100}, [fires("Stale")], "NOT_JUDGED", 3, "drill it with --clock wall"),
    lie("quiet of that", rules(alert("Stale", "time() - push_time_seconds > 300")), {"push_time_seconds": lambda t: BORN + min(t, 900) / 100}, [quiet("Stale")], "NOT_JUDGED", 3),
    well("the samples' own times", rules(alert("Old", "time() - timestamp(heat) > 60")), HOT, [quiet("Old")], "SILENT"),
    # Errors.
    lie("many-to-many, all through", rules(alert("Broken", "heat * on () side > 0"), alert("Hot", "heat > 10")), {**HOT, **SIDES}, [fires("Hot")], "SILENT FIRED", 1, "many-to-many"),
    lie("many-to-many, in the fault only", rules(alert("Broken", "heat * on () side > 10"), alert("Hot", "heat > 10")), {**HOT, **IN_FAULT}, [fires("Broken")], "SILENT FIRED", 1, "many-to-many", "only in the fault", never=("blind to this fault",)),
    lie("quiet of what errors in the fault only", rules(alert("Broken", "heat * on () side > 10")), {**HOT, **IN_FAULT}, [quiet("Broken")], "SILENT", 1, "many-to-many"),
    lie("a recording rule that errors", rules(record("r", "heat * on () side"), alert("Hot", "r > 10")), {**HOT, **IN_FAULT}, [quiet("Hot")], "SILENT", 1, "many-to-many"),
    lie("an error that ends in the fault", rules(alert("Hot", "heat * on () side > 10")), {**HOT, **THEN_FIXED}, [fires("Hot")], "FIRED", 1, "many-to-many"),
    lie("a label that is none, found when it is evaluated", rules(alert("B", 'count_values("a-b", heat) > 0'), alert("Hot", "heat > 10")), HOT, [fires("Hot")], "SILENT FIRED", 1, "invalid label name"),
    lie("a label_replace of no expression", rules(alert("B", 'label_replace(heat, "a", "$1", "job", "(") > 0'), alert("Hot", "heat > 10")), HOT, [fires("Hot")], "SILENT FIRED", 1, "regular expression"),
    lie("duplicated series of a label_replace", rules(alert("B", 'label_replace(heat, "f", "same", "f", ".*") > 0'), alert("Hot", "max(heat) > 10")), {"heat": by("f", x=jump(1, 20), y=flat(1))}, [fires("Hot")], "SILENT FIRED", 1),
    lie("two that err, with one that is well between them", rules(alert("A", "heat * on () side > 0"), alert("Hot", "heat > 10"), alert("B", "heat + on () side > 0")), {**HOT, **SIDES}, [fires("Hot")], "SILENT FIRED SILENT", 1, "A can be evaluated", "B can be evaluated"),
    # The edge, `for`, and flapping.
    lie("a value at the threshold", rules(alert("Hot", "m > 10")), {"m": jump(1, 10)}, [fires("Hot")], "SILENT", 1),
    lie("a sum that hangs on the order of adding", rules(alert("Hot", "sum(m) > 0.6000000000000001")), {"m": by("f", a=jump(0, 0.1), b=jump(0, 0.2), c=jump(0, 0.3))}, [quiet("Hot")], "SILENT", 0, "on the edge"),
    well("whole numbers at the threshold are exact", rules(alert("Hot", "sum(m) >= 6")), {"m": by("f", a=jump(0, 1), b=jump(0, 2), c=jump(0, 3))}, [fires("Hot")], "FIRED", never=("on the edge",)),
    lie("it flaps faster than `for`", rules(alert("Hot", "heat > 10", for_="2m")), {"heat": lambda t: 20.0 if t >= 900 and t % 90 < 60 else 1.0}, [fires("Hot")], "SILENT", 1, why="shorter_than_for"),
    lie("each evaluation is another alert", rules(alert("Hot", "heat > 10", for_="5m", labels={"current": "{{ $value }}"})), {"heat": lambda t: 20 + t / 100 if 900 <= t < 1800 else 1.0}, [fires("Hot")], "SILENT", 1, "current", why="changing_labels"),
    well("a counter by its rate", rules(alert("Busy", "rate(done_total[2m]) > 5")), {"done_total": lambda t: max(t, 0) + 9 * min(max(t - 900, 0), 900)}, [fires("Busy"), resolves("Busy")], "FIRED"),
    well("a counter that is reset once", rules(alert("Busy", "rate(done_total[2m]) > 5")), {"done_total": lambda t: t if t < 1000 else t - 1000}, [quiet("Busy")], "SILENT", how={"meta": {"faults": [{"name": "fault", "held": False, "seam": "rows", "on_pages": ["replaced"]}]}}),
    well("a rule that reads everything", rules(alert("Up", 'count({job="m"}) < 3')), HOT, [quiet("Up")], "SILENT"),
    well("twelve recording rules that read everything", rules(*(record(f"r{i}", 'max({__name__=~"h.*",job="m"})') for i in range(12)), alert("Hot", "r11 > 10")), HOT, [fires("Hot")], "FIRED"),
    well("fifty alerts", rules(*(alert(f"Hot{i}", f"heat > {i}") for i in range(2, 19)), *(alert(f"Cold{i}", f"heat < -{i}") for i in range(33))), HOT, [fires("Hot2"), quiet("Cold3")], " ".join(["FIRED"] * 17 + ["SILENT"] * 33)),
    well("a rate of a busy counter at every phase", rules(alert("Busy", "rate(done_total[1m]) > 5")), {"done_total": rising()}, [quiet("Busy")], "SILENT", judged={"phases": 3}),
    lie("it hangs on the phase", rules(alert("Burst", "increase(errors_total[20s]) > 0")), {"errors_total": lambda t: 0.0 if t < 1000 else 1.0}, [], "SILENT", 1, "differs with the phase", judged={"phases": 5}),
    lie("it sleeps at night", rules(alert("Hot", "heat > 10 and on () hour() >= 8 < 18")), HOT, [fires("Hot")], "SILENT", 1, "differs with the moment", judged={"at": ["2026-03-02T12:00Z", "2026-03-02T03:00Z"]}),
]
ENTRIES = [replace(entry, exported=True) for entry in _ENTRIES]

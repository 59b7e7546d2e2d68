"""What befell a metrics page: down, frozen, emptied, another's, or of 1970, in each phase; by a fault, and by nobody."""

from collections.abc import Callable, Mapping
from typing import Any

from driftdrill import fires, quiet
from tests.truth.entry import Entry, Value, alert, flat, jump, lie, rising, rules, until, well

HOT = rules(alert("Hot", "heat > 10"))
BUSY = rules(alert("Busy", "rate(app_requests_total[2m]) > 5"))
HEAT = {"heat": jump(1, 20)}
SPANS = {"baseline": (420.0, 780.0), "fault": (1020.0, 1680.0), "recovery": (1920.0, 2580.0)}
Page = Callable[[float, float], Mapping[str, Any]]


def within(start: float, end: float, there: Value, elsewhere: Value) -> Value:
    return lambda t: there(t) if start <= t < end else elsewhere(t)


def down(start: float, end: float) -> Mapping[str, Any]:
    """Nothing is stored while it is down."""
    gone = {n: within(start, end, lambda t: None, v) for n, v in (("heat", jump(1, 20)), ("app_requests_total", rising()), ("model_loaded", flat(1)))}
    return {"up": within(start, end, flat(0), flat(1)), **gone}


def frozen(start: float, end: float) -> Mapping[str, Any]:
    return {"heat": within(start, end, lambda t: jump(1, 20)(start), jump(1, 20)), "app_requests_total": within(start, end, flat(start), rising())}


def emptied(start: float, end: float) -> Mapping[str, Any]:
    return {n: v for n, v in down(start, end).items() if n != "up"}


def another(start: float, end: float) -> Mapping[str, Any]:
    return {"app_requests_total": lambda t: t if t < start else t - start, **HEAT}


def other_set(start: float, end: float) -> Mapping[str, Any]:
    return {**emptied(start, end), "nginx_up": lambda t: None if t < start else until(end)(t)}


def cut(start: float, end: float) -> Mapping[str, Any]:
    return {n: v for n, v in emptied(start, end).items() if n != "model_loaded"}


KINDS: Mapping[str, tuple[Page, str, str]] = {
    "down": (down, "was up at", "down"),
    "frozen": (frozen, "stood still from", "still"),
    "emptied": (emptied, "was empty", "emptied"),
    "another instance's": (another, "another instance's since", "replaced"),
    "another set of metrics": (other_set, "another set of metrics", "emptied"),
    "cut in the middle": (cut, "of its metrics only", "emptied"),
}


def by_fault(*does: str) -> Mapping[str, Any]:
    """A fault of the drill that does this to a page."""
    return {"meta": {"faults": [{"name": "fault", "held": True, "seam": "page", "on_pages": list(does)}]}}


HELD = [{"event": "fault", "name": "fault", "at": at, "strength": strength, "wrong": ""} for at, strength in ((900.0, 1.0), (1800.0, 0.0))]


def befell(what: str, phase: str) -> Entry:
    page, says, _ = KINDS[what]
    return lie(f"a page that is {what} in the {phase}", HOT, page(*SPANS[phase]), [quiet("Hot")], "NOT_JUDGED", 3, "INVALID", says)


def done_by_a_fault(what: str) -> Entry:
    """It is what the drill is about: a rule that sees nothing of it is silent, and judged."""
    page, _, does = KINDS[what]
    cold = rules(alert("Hot", "heat > 1000"))
    return well(f"a page that a fault made {what}", cold, page(*SPANS["fault"]), [quiet("Hot")], "SILENT", how=by_fault(does), events=HELD)


TWO = {"targets": [{"job": "m", "instance": "i"}, {"job": "node", "instance": "n"}]}
NODE = (("job", "node"), ("instance", "n"))
NODE_DOWN = {"up": {(): flat(1), NODE: within(1000, 1700, flat(0), flat(1))}, "node_load1": {NODE: within(1000, 1700, lambda t: None, flat(1))}}
NODE_UP = {"up": {(): flat(1), NODE: flat(1)}, "disk_used": {NODE: flat(1)}}

ENTRIES = [
    *(befell(what, phase) for what in KINDS for phase in SPANS),
    *(done_by_a_fault(what) for what in KINDS),
    # A fault excuses only what it does, where it does it.
    lie("down by nobody, under a fault that freezes", HOT, down(*SPANS["fault"]), [quiet("Hot")], "NOT_JUDGED", 3, "was up at", how=by_fault("still"), events=HELD),
    lie("frozen in the baseline, under a fault that freezes", HOT, frozen(*SPANS["baseline"]), [quiet("Hot")], "NOT_JUDGED", 3, "stood still", how=by_fault("still"), events=HELD),
    lie("down for good after a fault", HOT, {**HEAT, "up": jump(1, 0, at=1000, back=9e9)}, [fires("Hot")], "NOT_JUDGED", 3, "INVALID", how=by_fault("down"), events=HELD),
    lie("a page that the scraping never saw", HOT, {**HEAT, "up": lambda t: None}, [fires("Hot")], "NOT_JUDGED", 3, "was up at 0 of 60"),
    lie("a page of 1970", HOT, {}, [quiet("Hot")], "NOT_JUDGED", 3, "timestamps of their own", events=[{"event": "timestamps_refused", "target": {"job": "m", "instance": "i"}, "names": ["heat"]}]),
    well("another metric of 1970", HOT, HEAT, [fires("Hot")], "FIRED", "backup_time of target", events=[{"event": "timestamps_refused", "target": {"job": "m", "instance": "i"}, "names": ["backup_time"]}]),
    lie("a page whose timestamps lie far behind", HOT, HEAT, [fires("Hot")], "NOT_JUDGED", 3, "heat of target", "up to 2m behind the scrapes that brought them", "--clock wall", events=[{"event": "timestamps_behind", "target": {"job": "m", "instance": "i"}, "names": {"heat": 120.0}}]),
    well("another metric whose timestamps lie far behind", HOT, HEAT, [fires("Hot")], "FIRED", "backup_time of target", events=[{"event": "timestamps_behind", "target": {"job": "m", "instance": "i"}, "names": {"backup_time": 120.0}}]),
    well("a metric of the fault alone that left no stale marker", HOT, {**HEAT, "shadow_total": lambda t: t if 900 <= t < 1800 else None}, [fires("Hot")], "FIRED", never=("timestamps",)),
    well("a metric of warm-up alone that left no stale marker", HOT, {**HEAT, "shadow_total": lambda t: t if t < 300 else None}, [fires("Hot")], "FIRED", never=("timestamps",)),
    # Frozen before the drill began.
    lie("a page that was frozen all along", rules(alert("Hot", "heat > 1000")), {"heat": flat(1), "app_requests_total": flat(500)}, [quiet("Hot")], "NOT_JUDGED", 3, "INVALID", "stood still", "app_requests_total too"),
    lie("a page that froze in warm-up", rules(alert("Hot", "heat > 1000")), {"heat": flat(1), "app_requests_total": lambda t: min(max(t, 0), 60)}, [quiet("Hot")], "NOT_JUDGED", 3, "INVALID", "stood still"),
    lie("a page of which only the process goes on", rules(alert("Hot", "heat > 1000")), {"heat": flat(1), "app_requests_total": flat(500), "process_cpu_seconds_total": rising(0.1)}, [quiet("Hot")], "NOT_JUDGED", 3, "INVALID", "stood still"),
    lie("a family that was frozen all along", rules(alert("Slow", "rate(x_sum[2m]) / rate(x_count[2m]) > 1")), {"x_sum": flat(3), "x_count": flat(9)}, [quiet("Slow")], "SILENT", 3, "nothing was counted in all 10m of the baseline"),
    well("a constant beside a counter that moves", HOT, {**HEAT, "drift_score": flat(0.3), "drift_checks_total": flat(4)}, [fires("Hot")], "FIRED", never=("stood still",)),
    # Several pages.
    lie("one of two pages is down, and the rule reads it", rules(alert("Load", "node_load1 > 3")), NODE_DOWN, [quiet("Load")], "NOT_JUDGED", 3, "job='node'", how={"meta": TWO}),
    well("one of two pages is down, and the rule reads the other", HOT, {**HEAT, **NODE_DOWN}, [fires("Hot")], "FIRED", "rules that read it are not judged", how={"meta": TWO}),
    well("both pages are well", rules(alert("Hot", "heat > 10"), alert("Load", "disk_used > 3")), {**HEAT, **NODE_UP}, [fires("Hot"), quiet("Load")], "FIRED SILENT", how={"meta": TWO}),
    # Healthy pages that look odd.
    well("a scrape that failed", HOT, {**HEAT, "up": within(1200, 1215, flat(0), flat(1))}, [fires("Hot")], "FIRED"),
    well("two scrapes that failed in the baseline", HOT, {**HEAT, "up": within(400, 430, flat(0), flat(1))}, [fires("Hot")], "FIRED"),
    well("down in warm-up", HOT, {**HEAT, "up": within(0, 120, flat(0), flat(1))}, [fires("Hot")], "FIRED"),
    well("a page without any counter", HOT, {**HEAT, "app_requests_total": lambda t: None}, [fires("Hot")], "FIRED"),
    well("a counter that counts every minute", HOT, {**HEAT, "app_requests_total": lambda t: 60.0 * (max(t, 0) // 60)}, [fires("Hot")], "FIRED"),
    well("one gauge that wavers, and then stands at its end", rules(alert("Drift", "drift_score > 0.9")), {"drift_score": lambda t: 1.0 if 900 <= t < 1800 else 0.3 + (t * 7 % 11) / 100, "app_requests_total": lambda t: None}, [fires("Drift")], "FIRED"),
    lie("two gauges that waver, and stand still together", rules(alert("Drift", "drift_score > 0.9")), {"drift_score": within(1000, 1700, flat(0.3), lambda t: 0.3 + (t * 7 % 11) / 100), "drift_p": within(1000, 1700, flat(0.3), lambda t: 0.3 + (t * 5 % 13) / 100), "app_requests_total": lambda t: None}, [quiet("Drift")], "NOT_JUDGED", 3, "stood still"),
    well("a heartbeat that stops, beside nothing", rules(alert("Hot", "heat > 10")), {**HEAT, "beat_timestamp_seconds": lambda t: 1.8e9 + min(t, 1000), "app_requests_total": lambda t: None}, [fires("Hot")], "FIRED"),
    well("a series that is gone for a while", HOT, {**HEAT, "rare_total": until(1200, rising())}, [fires("Hot")], "FIRED"),
    well("a new series in the fault", HOT, {**HEAT, "new_total": lambda t: t - 900 if t >= 900 else None}, [fires("Hot")], "FIRED"),
    well("a counter that was reset before the drill began", HOT, {**HEAT, "app_requests_total": lambda t: 5e4 if t < 0 else t}, [fires("Hot")], "FIRED"),
    well("a gauge that falls", HOT, {**HEAT, "queue": jump(9, 0)}, [fires("Hot")], "FIRED"),
    lie("two workers behind one page", BUSY, {"app_requests_total": lambda t: t * (1 if int(t / 15) % 2 else 0.4)}, [quiet("Busy")], "FALSE_ALARM", 1, "several workers behind one page"),
]

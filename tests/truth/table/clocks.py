"""What the drive recorded of itself: evaluations that were missed, rules that changed, requests sent twice, others' traffic."""

from collections.abc import Mapping
from typing import Any

from driftdrill import fires, quiet
from tests.truth.entry import Value, alert, flat, jump, lie, rising, rules, well

HOT = rules(alert("Hot", "heat > 10"))
COLD = rules(alert("Hot", "heat > 1000"))
HEAT = {"heat": jump(1, 20)}
WALL = {"clock": "wall", "engine": "prometheus 2.42.0"}
GROUPS = {"event": "rule_groups", "groups": [{"name": "g", "file": "rules.yml", "interval": 15.0, "rules": ["Hot"]}]}


def polled(missing: set[int] = frozenset(), last: int = 180, errors: Mapping[str, str] | None = None) -> list[Mapping[str, Any]]:
    """A server's answers every five seconds, of evaluations at 1, 16, 31, ... seconds; some it did not make."""
    out: list[Mapping[str, Any]] = [GROUPS]
    for n in range(540):
        at = 5.0 * n + 3
        made = [i for i in range(min(int((at - 1) // 15), last) + 1) if i not in missing]
        out.append({"event": "evaluations", "at": at, "last": {"0": 15.0 * made[-1] + 1} if made else {}, "errors": errors if errors and n == 200 else {}})
    return out


def firing(start: float, end: float, **labels: str) -> Mapping[str, Any]:
    """ALERTS as the server stored them."""
    key = tuple({"alertname": "Hot", "alertstate": "firing", **labels}.items())
    inside: Value = lambda t: 1.0 if start <= t < end else None  # noqa: E731
    return {"ALERTS": {key: inside}}


SERVED = firing(915, 1815)
TWICE = {"event": "resent", "requests": 40}
COUNTER = {"event": "counter", "name": "app_requests_total", "unsettled": 0, "answered": 2700}

ENTRIES = [
    # The wall clock.
    well("a live server's own answer", HOT, HEAT, [fires("Hot")], "FIRED", how={"meta": WALL}, served=SERVED, events=polled()),
    well("a live server without polls, as recordings were", HOT, HEAT, [fires("Hot")], "FIRED", how={"meta": WALL}, served=SERVED),
    well("two of 180 evaluations were missed", HOT, HEAT, [fires("Hot")], "FIRED", "missed 2 of", how={"meta": WALL}, served=SERVED, events=polled({20, 90})),
    lie("a tenth of the evaluations was missed", COLD, HEAT, [quiet("Hot")], "NOT_JUDGED", 3, "evaluations", how={"meta": WALL}, served={"ALERTS": lambda t: None}, events=polled(set(range(60, 80)))),
    lie("evaluation ended in mid-drill", COLD, HEAT, [quiet("Hot")], "NOT_JUDGED", 3, "missed", how={"meta": WALL}, served={"ALERTS": lambda t: None}, events=polled(last=90)),
    lie("the rules were changed in mid-drill", HOT, HEAT, [fires("Hot")], "FIRED", 3, "INVALID", "rule 'Hot' was changed", how={"meta": WALL}, served=SERVED, events=[*polled(), {"event": "rules_changed", "what": ["rule 'Hot' was changed"]}]),
    lie("a rule that errs at the server", COLD, HEAT, [quiet("Hot")], "NOT_JUDGED", 3, "it could not be evaluated at", how={"meta": WALL}, served={"ALERTS": lambda t: None}, events=polled(errors={"0.0": "many-to-many"})),
    lie("the server's alert is another job's", HOT, HEAT, [fires("Hot")], "SILENT", 1, "which was not drilled", how={"meta": WALL}, served=firing(915, 1815, job="other")),
    lie("the server never fired although it should have", HOT, HEAT, [fires("Hot")], "SILENT", 1, how={"meta": WALL}, served={"ALERTS": lambda t: None}, events=polled()),
    # Requests that went out twice, in virtual time.
    well("forty were sent again, and none had arrived", HOT, HEAT, [fires("Hot")], "FIRED", "40 requests were sent again", events=[TWICE, {**COUNTER, "grown": 2700}]),
    well("three were sent again, one of which had arrived", HOT, HEAT, [fires("Hot")], "FIRED", events=[{**TWICE, "requests": 3}, {**COUNTER, "grown": 2701}]),
    lie("forty were sent again, and had arrived", HOT, HEAT, [fires("Hot")], "FIRED", 3, "of them twice", "--clock wall", events=[TWICE, {**COUNTER, "grown": 2740}]),
    lie("half of forty had arrived", HOT, HEAT, [fires("Hot")], "FIRED", 3, "of them twice", events=[TWICE, {**COUNTER, "grown": 2722}]),
    # A page refreshed late.
    lie("a page refreshed on an interval of its own", HOT, HEAT, [fires("Hot")], "FIRED", 3, "refreshed on an interval of its own", "--clock wall", events=[{"event": "refreshed_late", "counter": "app_requests_total", "names": ["app_requests_total"], "answered": 20, "after": 2.0}]),
    lie("a counter that a rule reads is refreshed late", rules(alert("Busy", "rate(rows_total[2m]) > 50")), {"rows_total": rising()}, [quiet("Busy")], "SILENT", 3, "refreshed on an interval of its own", events=[{"event": "refreshed_late", "counter": "", "names": ["rows_total"], "answered": 20, "after": 2.0}]),
    well("a counter that no rule reads is refreshed late", HOT, HEAT, [fires("Hot")], "FIRED", events=[{"event": "refreshed_late", "counter": "", "names": ["node_cpu_total"], "answered": 20, "after": 2.0}]),
    # Others' traffic.
    well("others send, too", HOT, HEAT, [fires("Hot")], "FIRED", "others send requests to the target", events=[{**COUNTER, "grown": 9000}]),
    well("others send, too, as the page tells", HOT, {**HEAT, "app_requests_total": rising(5)}, [fires("Hot")], "FIRED", "others send requests to the target"),
    well("health checks are nobody else's traffic", HOT, HEAT, [fires("Hot")], "FIRED", never=("others send",), events=[{**COUNTER, "grown": 2715}]),
    well("the page counts its own scrapes", HOT, {**HEAT, "http_requests_total": {(("handler", "/metrics"),): rising(9)}}, [fires("Hot")], "FIRED", never=("others send",)),
    # What virtual time cannot show.
    lie("quiet of a processor's time in virtual time", rules(alert("Cpu", "rate(process_cpu_seconds_total[2m]) > 0.9")), {"process_cpu_seconds_total": rising(0.001)}, [quiet("Cpu")], "NOT_JUDGED", 3, "--clock wall"),
    lie("quiet of what waits, in virtual time", rules(alert("Queue", "requests_in_progress > 10")), {"requests_in_progress": flat(0)}, [quiet("Queue")], "NOT_JUDGED", 3, "--clock wall"),
    lie("quiet of what moves while nothing is asked", rules(alert("Beat", "rate(beats_total[2m]) > 5")), {"beats_total": rising()}, [quiet("Beat")], "NOT_JUDGED", 3, "--clock wall", events=[{"event": "moves_idle", "names": ["beats_total"]}]),
    well("the same on the wall clock", rules(alert("Hot", "rate(process_cpu_seconds_total[2m]) > 0.9")), {"process_cpu_seconds_total": rising(0.001)}, [quiet("Hot")], "SILENT", how={"meta": WALL}, served={"ALERTS": lambda t: None}, events=polled()),
    well("a duration that the service measures is real", rules(alert("Slow", "rate(req_duration_seconds_sum[2m]) / rate(req_duration_seconds_count[2m]) > 0.5")), {"req_duration_seconds_sum": rising(0.01), "req_duration_seconds_count": rising()}, [quiet("Slow")], "SILENT"),
    # The load, and the fault.
    lie("a load that was not sent", HOT, HEAT, [fires("Hot")], "FIRED", 3, "load not sent", how={"meta": {"planned": 3000}}),
    lie("a generator that was late", HOT, HEAT, [fires("Hot")], "FIRED", 3, "late by the generator itself", how={"requests": {"missed": 100}}),
    lie("a drive that was killed", HOT, HEAT, [fires("Hot")], "FIRED", 3, "did not run to its end: it was killed", how={"end": False}),
    lie("a drive that was ended early", HOT, HEAT, [fires("Hot")], "FIRED", 3, "did not run to its end: Ctrl-C", how={"end": False}, events=[{"event": "end", "complete": False, "why": "Ctrl-C"}]),
    lie("a worker that was lost", HOT, HEAT, [fires("Hot")], "FIRED", 3, "worker 2 was lost", events=[{"event": "worker_lost", "what": "worker 2 was lost"}]),
    lie("a fault whose strength stayed 0", COLD, HEAT, [quiet("Hot")], "SILENT", 3, "its strength stayed 0", how={"strength": 0.0}),
    lie("a fault that changed nothing", COLD, HEAT, [quiet("Hot")], "SILENT", 3, "changed none of", how={"changed": False}),
    lie("a held fault that was never put in", COLD, HEAT, [quiet("Hot")], "SILENT", 3, "INVALID", how={"meta": {"faults": [{"name": "fault", "held": True, "seam": "network"}]}}),
    lie("nobody was asked in the baseline", HOT, HEAT, [fires("Hot")], "FALSE_ALARM", 3, "no request was sent in the baseline", how={"meta": {"planned": 2700}, "requests": {"intended": [1000000 + i for i in range(2700)]}}),
]

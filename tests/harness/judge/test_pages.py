"""What befell a page that no fault of the drill does: each lie with its words, and each with a healthy twin."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from driftdrill.harness.judge.findings.pages import PageFailure, failures, reasons, several_processes, unread
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.recording.stale import STALE
from driftdrill.stack.rules.files import parse
from tests.harness.judge.by_hand import BY_NAME, meta, requests, samples

AT = np.arange(7.0, 2700.0, 15.0)
SENT = np.arange(0.0, 2700.0, 3.0)
ROWS = {"name": "fault", "held": False, "seam": "rows"}
Value = Callable[[float], float | None]


def row(name: str, value: Value, *, marked: bool = True, **labels: str) -> Samples:
    """A series, with a stale marker (if ``marked``) at each scrape that no longer shows it."""
    found = {t: value(t) for t in AT}
    before = dict(zip(AT[1:], AT, strict=False))
    stale = {t for t in before if marked and found[t] is None and found[before[t]] is not None}
    return samples(
        name, {t: STALE if t in stale else v for t, v in found.items() if v is not None or t in stale}, **labels
    )


def counted(t: float) -> float:
    return float(int(t / 3))


def page(requests_total: Value = counted, up: Value = lambda t: 1.0, **others: Value) -> list[Samples]:
    """One page: a counter of requests, a gauge that stands still, and others."""
    return [
        row("up", up),
        row("requests_total", requests_total),
        row("model_loaded", lambda t: 1.0),
        *(row(name, value) for name, value in others.items()),
    ]


def befell(scraped: list[Samples], *faults: dict[str, Any], events: Any = (), **about: Any) -> list[str]:
    known = meta(**({"faults": list(faults) or [ROWS]} | about))
    return [f.why for f in failures(known, BY_NAME, requests(SENT, SENT * 0), scraped, events)]


def within(start: float, end: float, there: Value, elsewhere: Value = counted) -> Value:
    return lambda t: there(t) if start <= t < end else elsewhere(t)


def test_a_healthy_page_is_left_alone() -> None:
    assert befell(page()) == []
    # Nothing that counts, a runtime's counters alone, counters that move rarely, and a service that nobody asks.
    assert befell([row("up", lambda t: 1.0), row("model_loaded", lambda t: 1.0)]) == []
    assert befell([row("up", lambda t: 1.0), row("python_gc_collections_total", lambda t: float(t > 1000))]) == []
    assert befell(page(lambda t: float(int(t / 200)))) == []
    idle = requests([10.0, 400.0], [0.0, 0.0])
    assert failures(meta(), BY_NAME, idle, page(lambda t: 4.0)) == ()


@pytest.mark.parametrize("phase", ["baseline", "fault", "recovery"])
def test_a_page_whose_counters_stand_still_while_requests_are_answered_is_frozen(phase: str) -> None:
    start, end = BY_NAME[phase].start, BY_NAME[phase].end
    frozen = page(within(start + 60, end, lambda t: counted(start + 60)), process_cpu_seconds_total=lambda t: t)

    (why,) = befell(frozen)

    assert "stood still from" in why
    assert "requests and more were answered" in why
    freeze = {"name": "freeze", "held": True, "seam": "page", "on_pages": ["still"]}
    assert befell(frozen, freeze) == ([] if phase != "baseline" else [why])


def test_a_counter_that_stops_for_what_fails_is_no_frozen_page() -> None:
    """Refused rows are not counted: nothing was answered as it should be."""
    inside = (SENT >= 900) & (SENT < 1800)
    sent = requests(SENT, SENT * 0, status=np.where(inside, 422, 200))

    assert failures(meta(), BY_NAME, sent, page(within(900, 1800, lambda t: counted(900)))) == ()


@pytest.mark.parametrize("phase", ["baseline", "fault", "recovery"])
def test_a_page_that_shows_nothing_or_something_else_is_told(phase: str) -> None:
    start, end = BY_NAME[phase].start, BY_NAME[phase].end
    gone = within(start, end, lambda t: None)
    empty = [row("up", lambda t: 1.0), row("requests_total", gone), row("rows_total", gone)]
    other = [*empty, row("http_x_total", within(start, end, counted, lambda t: None))]

    assert f"was empty at {round((end - start) / 15)} of" in befell(empty)[0]
    assert "showed another set of metrics (http_x_total in place of requests_total, rows_total)" in befell(other)[0]
    truncate = {"name": "cut", "held": True, "seam": "page", "on_pages": ["down", "emptied"]}
    assert len(befell(empty, truncate)) == (phase == "baseline")
    # A label that comes and goes, or one metric of several, is no other page.
    assert befell(page(rare_total=gone)) == []


@pytest.mark.parametrize("phase", ["baseline", "fault", "recovery"])
def test_another_instances_page_is_told_by_its_start_or_by_counters_that_fall(phase: str) -> None:
    start = BY_NAME[phase].start + 100

    (fell,) = befell(page(lambda t: counted(t) if t < start else counted(t - start)))
    (moved,) = befell(page(process_start_time_seconds=lambda t: 1.7e9 if t < start else 1.7e9 + 500))

    assert "is another instance's since" in fell
    assert "requests_total fell" in fell
    assert "process_start_time_seconds moved from 1700000000 to 1700000500" in moved
    crash = {"name": "crash", "held": True, "seam": "process"}
    both = page(lambda t: counted(t % start), process_start_time_seconds=lambda t: float(t > start) * 100)
    assert bool(befell(both, crash)) == (phase == "baseline")
    # A gauge may fall, also one that is called a count; and a clock that is told to the second may be a second off.
    assert befell(page(thread_count=lambda t: float(t < start), queue=lambda t: float(t < start))) == []
    assert befell(page(process_start_time_seconds=lambda t: 1.7e9 + (t > start))) == []


def test_several_workers_behind_one_page_are_an_observation() -> None:
    turns = page(lambda t: counted(t) * (1 if int(t / 15) % 2 else 0.4))

    assert befell(turns) == []
    (said,) = several_processes(meta(), BY_NAME, turns)
    assert "requests_total fell 89 times while up was 1: several workers behind one page" in said
    assert several_processes(meta(), BY_NAME, page()) == []


def stamped(until: float) -> list[Samples]:
    """A page whose samples have timestamps of their own that stand still from a moment on."""
    shown = row("scrape_samples_post_metric_relabeling", lambda t: 2.0)
    names = ("requests_total", "rows_total")
    old = [samples(name, {t - 0.2: counted(t) for t in AT if t < until}) for name in names]
    return [row("up", lambda t: 1.0), shown, *old]


def test_timestamps_that_stand_still_are_told_for_a_page_and_for_a_metric() -> None:
    found = befell(stamped(300))
    assert (
        "timestamps of its own that lie in the past or stand still: 0 of 80 samples were stored in the baseline phase"
        in found[0]
    )
    assert befell(stamped(9999)) == []
    limit = {"name": "limit", "held": True, "seam": "scrape job", "on_pages": ["down"]}
    failing = [row("up", lambda t: float(not 900 <= t < 1800)), stamped(0)[1]]
    failing += [row(name, within(900, 1800, lambda t: None)) for name in ("requests_total", "rows_total")]
    assert befell(failing, limit) == []

    fresh = row("rows_total", counted)
    one = [*stamped(300)[:3], fresh, row("y_total", counted)]
    alone = failures(meta(), BY_NAME, requests(SENT, SENT * 0), one)
    assert {f.metrics for f in alone} == {frozenset({"requests_total"})}
    assert reasons(meta(), alone) == []
    # What vanishes from a page is marked stale, and was there to be read.
    gone = row("requests_total", lambda t: counted(t) if t < 300 else None)
    assert befell([*stamped(300)[:2], gone, fresh, row("y_total", counted)]) == []
    # What was stored at no time, as samples of 1970 are, is known from the scraping.
    refused = {"event": "timestamps_refused", "target": {"job": "m", "instance": "i"}, "names": ["backup_time"]}
    assert "backup_time of target" in befell(page(), events=[refused])[0]


def test_a_metric_of_one_phase_that_left_no_stale_marker_is_gone_and_had_no_timestamps() -> None:
    """Whoever makes a recording by hand, or joins two, writes no markers."""
    once = row("rare_total", lambda t: counted(t) if t < 300 else None, marked=False)

    assert befell([*page(), once]) == []


def test_timestamps_far_behind_their_scrapes_would_be_seen_too_early() -> None:
    target = {"job": "m", "instance": "i"}

    def told(**names: float) -> list[str]:
        return befell(page(), events=[{"event": "timestamps_behind", "target": target, "names": names}])

    (one,) = told(requests_total=120.0)
    (whole,) = told(requests_total=120.0, model_loaded=90.0)
    assert "requests_total of target job='m' instance='i' carries timestamps of its own up to 2m behind" in one
    assert "target job='m' instance='i' carries timestamps of its own up to 2m behind the scrapes" in whole
    assert "--clock wall" in whole
    assert told() == []


def test_a_page_that_stood_still_before_the_drill_already_is_frozen_and_a_constant_is_none() -> None:
    """A frozen exporter's: nothing moved, its count of requests neither; its process may go on."""
    still = page(lambda t: 40.0, latency_seconds_sum=lambda t: 3.0, process_cpu_seconds_total=lambda t: t)

    (why,) = befell(still)

    assert "stood still from 7s to the end of the baseline, requests_total too, while 298 requests were answered" in why
    assert len(befell(page(lambda t: min(counted(t), 8.0)))) == 1, "it moved once or twice in warm-up"
    # One family alone stands still; nothing says that it counts requests; nobody asked; another page counts them.
    assert befell(page(drift_score=lambda t: 0.3, predictions_total=lambda t: 5.0)) == []
    assert befell([row("up", lambda t: 1.0), row("alerts_sent_total", lambda t: 2.0), row("x", lambda t: 1.0)]) == []
    assert failures(meta(), BY_NAME, requests([10.0, 400.0], [0.0, 0.0]), still) == ()
    elsewhere = {"job": "gateway", "instance": "g"}
    idle = [row("up", lambda t: 1.0, **elsewhere), row("http_requests_total", lambda t: 7.0, **elsewhere)]
    assert befell([*page(), *idle], targets=[{"job": "m", "instance": "i"}, elsewhere]) == []
    # It moved in the fault alone: nothing counted what was asked before it.
    assert len(befell(page(lambda t: 40.0 if t < 900 else 41.0 + t))) == 1
    assert befell(page(lambda t: float(int(t / 600)))) == [], "refreshed every ten minutes, as the baseline showed"


def rule(expr: str) -> Any:
    return Rules(tuple(parse(f"groups: [{{name: g, rules: [{{alert: A, expr: '{expr}'}}]}}]", "r.yml"))).known[0]


def test_of_several_pages_only_what_reads_the_one_is_not_judged() -> None:
    two = {"targets": [{"job": "m", "instance": "i"}, {"job": "node", "instance": "n"}]}
    down = row("up", lambda t: float(t < 400), job="node", instance="n")
    node = row("node_load1", lambda t: 1.0 if t < 400 else None, job="node", instance="n")
    known = meta(**two)

    failed = failures(known, BY_NAME, requests(SENT, SENT * 0), [*page(), down, node])

    assert reasons(known, failed) == []
    assert "target job='node' instance='n' was up at" in str(unread(failed, rule("node_load1 > 3")))
    assert unread(failed, rule("rate(requests_total[1m]) > 3")) is None
    assert unread(failed, rule("up == 0")) is not None
    assert unread(failed, rule('up{job="m"} == 0')) is None
    assert unread(failed, rule('{job="m"} > 3')) is not None
    # The only page of a target, or all of them, is the drill itself.
    assert len(reasons(meta(), failures(meta(), BY_NAME, requests(SENT, SENT * 0), page(up=lambda t: 0.0)))) == 3


def test_a_fault_of_one_replica_excuses_its_page_alone() -> None:
    pages = [{"job": "m", "instance": name} for name in "ij"]
    about = {"targets": pages, "target": {"name": "m", "metrics": pages, "connections": [{}, {}]}}
    down = [row("up", lambda t: float(not 900 <= t < 1800), instance=name) for name in "ij"]
    hang = {"name": "hang", "held": True, "seam": "process", "replica": 1}

    (why,) = befell(down, hang, **about)

    assert "instance='i' was up at 0 of 60 scrapes in the fault phase" in why


def test_a_page_of_a_replica_that_has_no_turn_is_not_frozen() -> None:
    """Two pages behind one address: one connection may lead to one of them for long."""
    two = {"targets": [{"job": "m", "instance": name} for name in "ij"]}
    second = [row("up", lambda t: 1.0, instance="j")]
    second += [row("requests_total", lambda t: counted(min(t, 200)), instance="j")]
    second += [row("model_loaded", lambda t: 1.0, instance="j")]

    assert befell([*page(), *second], **two) == []


def test_what_befell_is_told_with_the_page() -> None:
    assert PageFailure("m", "i", "why", frozenset({"x"})).read_by(rule("x > 1"))
    assert not PageFailure("m", "i", "why", frozenset({"x"})).read_by(rule('x{instance="j"} > 1'))

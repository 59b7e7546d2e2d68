"""The word for each alert, from intervals as values: every limit is met from both sides.

Phases: warm-up to 300 s, baseline to 900 s, fault to 1800 s, recovery to 2700 s. Unless said otherwise a rule looks
back 60 s, waits `for` 120 s and keeps firing 30 s, so that it settles in 210 s; scrapes and evaluations every 15 s.
"""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from driftdrill.harness.judge.findings.responses import Facts, carries, over_moments, over_phases, peak, respond
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.reports.data.timeline import Phase
from driftdrill.reports.data.verdict import Response
from driftdrill.stack.rules.files import parse
from tests.harness.judge.by_hand import BY_NAME, track

SETTLE, SLACK = 210.0, 30.0
Span = tuple[float, float, str]


def rule(look_back: str = "1m", for_: str = "2m", keep: str = "30s", expr: str = "") -> KnownRule:
    expr = expr or f"max_over_time(heat[{look_back}]) > 10"
    text = f"groups:\n- name: g\n  rules:\n  - {{alert: Hot, expr: '{expr}', for: {for_}, keep_firing_for: {keep}}}\n"
    (known,) = Rules(tuple(parse(text, "rules.yml"))).alerts
    return known


def facts(*spans: Span, left: dict[float, float | None] | None = None, **given: Any) -> Facts:
    points = {} if left is None else {t: v for t, v in left.items() if v is not None}
    known = {} if left is None else {"heat": {(("bin", "a"),): ([*points], [*points.values()])}}
    what = {"phases": BY_NAME, "fault_began": 900.0, "tracks": (track("Hot", *spans, bin="a"),), "left": known}
    return Facts(**(what | given))


def said(*spans: Span, known: KnownRule | None = None, within: float | None = None, **given: Any) -> Response:
    return respond(facts(*spans, **given), known or rule(), {}, within, expected=True)


def firing(start: float, end: float) -> Span:
    return start, end, "firing"


def test_what_the_fault_left_is_seen_one_scrape_and_one_evaluation_later_and_is_no_false_alarm() -> None:
    """The last trace of a fault waits for a scrape, that for an evaluation, and the rule settles from there on."""
    latest = 1800 + SETTLE + SLACK
    assert said(firing(latest, latest + 60)).word == "LATE"
    alarm = said(firing(latest + 0.001, latest + 60))
    assert (alarm.word, alarm.detect) == ("FALSE_ALARM", (1140.001, 1140.001))
    assert alarm.note == "fired 4m after the fault's end, longer than it looks back"
    for slower in ({"scrape": 60.0}, {"step": 60.0}):
        assert said(firing(latest + 45, latest + 60), **slower).word == "LATE"
        assert said(firing(latest + 45.001, latest + 60), **slower).word == "FALSE_ALARM"


def test_an_alert_that_fires_before_the_fault_has_any_strength_is_a_false_alarm() -> None:
    """A fault may begin late in its phase: what fired until then, nothing of the drill made."""
    early = said(firing(950, 1800), fault_began=1300.0)
    assert (early.word, early.detect, early.resolved_at) == ("FALSE_ALARM", None, 1800)
    assert early.note == "fired 5m50s before the first faulty request"
    assert said(firing(1300, 1800), fault_began=1300.0).word == "FIRED"


def test_an_alert_is_judged_from_where_its_first_look_back_is_full() -> None:
    """Over ten minutes of data an average knows nothing at second 300 of what was normal before second 0."""
    long = rule("10m", "0s", "0s")
    assert said(firing(0, 600), known=long).word == "SILENT"
    alarm = said(firing(0, 600.001), known=long)
    assert (alarm.word, alarm.fired_at, alarm.resolved_at) == ("FALSE_ALARM", 0, 600.001)
    assert alarm.note == "fired in the baseline, at 0s"
    assert said(firing(0, 400), known=long, history=200.0).word == "SILENT"
    assert said(firing(0, 400.001), known=long, history=200.0).word == "FALSE_ALARM"
    # Where the look-back is short, the baseline's start counts.
    assert said(firing(0, 300)).word == "SILENT"
    assert said(firing(0, 300.001)).word == "FALSE_ALARM"
    assert said(firing(0, 301), history=1000.0).word == "FALSE_ALARM"


def test_a_rule_is_not_judged_that_needs_more_than_there_is_before_the_fault() -> None:
    assert said(known=rule("13m", "2m")).word == "SILENT"
    refused = said(known=rule("13m", "121s"))
    assert refused.word == "NOT_JUDGED"
    assert refused.note == "look-back + for is 15m1s, warm-up + baseline 15m"
    assert said(known=rule("13m", "121s"), history=1.0).word == "SILENT"


def test_firing_at_the_faults_first_evaluation_is_a_response_and_before_it_a_false_alarm() -> None:
    response = said(firing(900, 1800))
    assert (response.word, response.detect, response.fired_at, response.resolved_at) == ("FIRED", (0, 0), 900, 1800)
    assert said(firing(899.999, 1800)).word == "FALSE_ALARM"
    assert said(firing(600, 615), firing(1000, 1800)).fired_at == 600


def test_time_to_detect_counts_from_the_first_request_that_was_hit() -> None:
    response = said((930, 1050, "pending"), firing(1050, 1700), within=100, fault_began=950.0)
    assert (response.word, response.detect, response.pending_at) == ("FIRED", (100, 100), None)
    late = said((960, 1050.5, "pending"), firing(1050.5, 1700), within=100, fault_began=950.0)
    assert (late.word, late.pending_at, late.note) == ("LATE", 960, "first fired 500ms too late")
    assert (late.within, late.expected, late.where, late.labels) == (100, True, "rules.yml:4", {})


def test_the_pending_time_told_is_the_last_before_it_fired() -> None:
    spans = [(950, 990, "pending"), (1000, 1120, "pending"), firing(1120, 1400), (1500, 1600, "pending")]
    assert said(*spans).pending_at == 1000
    assert said((1120, 1120, "pending"), firing(1120, 1400)).pending_at == 1120
    assert said((950, 1070, "pending"), firing(1070, 1400), fault_began=950.0).pending_at == 950


def test_without_a_limit_an_alert_must_fire_before_the_fault_ends() -> None:
    assert said(firing(1800, 1900), fault_began=950.0).word == "FIRED"
    assert said(firing(1800.001, 1900), fault_began=950.0).word == "LATE"


def test_an_alert_that_fires_although_no_fault_was_sent_is_a_false_alarm() -> None:
    alarm = said(firing(1000, 1800), fault_began=None)
    assert (alarm.word, alarm.note, alarm.fired_at) == ("FALSE_ALARM", "fired although no fault was sent", 1000)
    assert said(fault_began=None).word == "SILENT"


def test_an_alert_that_fires_to_the_end_is_unresolved_if_recovery_left_it_time() -> None:
    assert said(firing(1000, 2700)).word == "FIRED"
    assert said(firing(1000, 2700)).resolved_at == 2700
    still = said(firing(1000, 2701))
    assert (still.word, still.resolved_at, still.note) == (
        "UNRESOLVED", None, "still firing at the end of recovery",
    )  # fmt: skip
    again = said(firing(1000, 1100), firing(2600, 2715))
    assert (again.word, again.fired_at, again.resolved_at) == ("UNRESOLVED", 1000, None)


SEEN = SETTLE + 30
"""With the next scrape, and the next evaluation after that."""


@pytest.mark.parametrize(("recovery", "word"), [(SEEN, "UNRESOLVED"), (SEEN - 1, "FIRED"), (0.0, "FIRED")])
def test_too_short_a_recovery_is_told_and_blames_no_alert(recovery: float, word: str) -> None:
    short = {**BY_NAME, "recovery": Phase("recovery", 1800, 1800 + recovery)}
    response = said(firing(1000, 1800 + recovery + 15), phases=short)
    assert response.word == word
    if word == "FIRED":
        assert response.note == "still firing at the end; recovery is shorter than the 4m that it needs"
    # Without a recovery the drill ends with the fault, wherever that phase is said to lie.
    assert said(firing(1000, 1801), phases={**BY_NAME, "recovery": Phase("recovery", 900, 900)}).resolved_at is None
    assert said(firing(1000, 1800), phases={**BY_NAME, "recovery": Phase("recovery", 0, 0)}).resolved_at == 1800


def test_only_instances_that_carry_the_labels_count() -> None:
    tracks = (track("Hot", firing(1000, 1800), bin="a", job="m"), track("Cold", firing(950, 1800), bin="b"))
    for labels, word in (({"bin": "a"}, "FIRED"), ({"bin": "b"}, "SILENT"), ({"bin": "a", "job": "n"}, "SILENT")):
        assert respond(facts(tracks=tracks), rule(), labels, None, expected=False).word == word
    told = respond(facts(tracks=tracks), rule(), {"bin": "a"}, None, expected=False)
    assert (told.alert, told.labels, told.note, told.expected) == ("Hot", {"bin": "a"}, "", False)
    assert carries({"a": "1", "b": "2"}, {"b": "2"})
    assert not carries({"a": "1"}, {"b": "2"})


THRESHOLD = "heat > 10"


def near(expr: str, left: dict[float, float | None], look_back: float = 60.0) -> float | None:
    known = replace(rule(expr=expr), look_back=look_back)
    return peak(facts(left=left), known, {})


def test_the_peak_is_the_left_sides_nearest_to_the_threshold_from_the_fault_on() -> None:
    """It counts from the fault's first second to look-back, one scrape and one evaluation after its end."""
    assert near(THRESHOLD, {600: 2, 1000: 8, 1200: 5}) == 0.8
    assert near("heat >= 10", {600: 2, 1000: 8}) == 0.8
    assert near("heat < 10", {600: 100, 1000: 40, 1200: 20}) == 0.5
    assert near("heat <= 10", {600: 100, 1000: 20}) == 0.5
    assert near(THRESHOLD, {899: 2, 900: 8}) == 0.8
    assert near(THRESHOLD, {600: 2, 1000: 3, 1890: 8}) == 0.8
    assert near(THRESHOLD, {600: 2, 1000: 3, 1890.1: 8}) == 0.3
    # What warm-up showed is forgotten; a gap is no value.
    assert near(THRESHOLD, {299: 9, 300: 2, 1000: 8, 1015: None}) == 0.8
    assert near(THRESHOLD, {1000: 8}) == 0.8


def test_a_left_side_that_came_no_nearer_than_before_says_nothing() -> None:
    assert near(THRESHOLD, {600: 8, 1000: 8}) is None
    assert near(THRESHOLD, {300: 9, 1000: 8}) is None
    assert near("heat < 10", {600: 20, 1000: 20}) is None
    assert near("heat < 10", {600: 20, 1000: 0}) is None
    assert near("heat < 10", {1000: -1}) is None
    assert near("heat < 10", {1000: 0.5}) == 20.0
    assert near(THRESHOLD, {600: 8}) is None
    for never in ("heat > 0", "heat > -1", "heat > +Inf", "heat == 10", "heat"):
        assert near(never, {1000: 8}) is None
    assert near("heat > 1", {1000: 0.5}) == 0.5


def test_the_peak_is_of_the_instance_that_is_asked_for() -> None:
    left = {"heat": {(("bin", b),): ([1000.0], [v]) for b, v in (("a", 5.0), ("b", 8.0))}}
    asked = facts(left={})
    asked = replace(asked, left=left)
    assert peak(asked, rule(expr=THRESHOLD), {"bin": "a"}) == 0.5
    # The expression may have aggregated a label away: it then speaks for all.
    assert peak(asked, rule(expr=THRESHOLD), {"bin": "a", "severity": "page"}) == 0.5


def test_a_silent_alert_says_how_near_it_came() -> None:
    plain = rule(expr=THRESHOLD)
    short = said((1000, 1060, "pending"), (1200, 1290, "pending"), known=plain)
    assert short.note == "above its threshold for 1m30s, 45s too short for `for: 2m`"
    assert said((800, 900, "pending"), known=plain, left={600: 2, 1000: 8}).note == (
        "peaked at 80% of its threshold (> 10)"
    )
    assert said((800, 901, "pending"), known=plain).note.startswith("above its threshold for 1m41s, 34s")
    assert said((900, 1100, "pending"), known=plain).note.endswith("0s too short for `for: 2m`")
    assert said(known=plain, left={600: 8, 1000: 8}).note == ("its left side did not move towards the threshold (> 10)")
    assert respond(facts(left=None), plain, {}, None, True).note == "its expression was never true"
    nothing = replace(facts(), left={"heat": {}})
    assert respond(nothing, plain, {}, None, True).note == "its left side never had a value"
    assert said(known=plain, left={600: 2, 1000: 8}).peak == 0.8


def one(word: str, detect: float | None = None, note: str = "") -> Response:
    span = None if detect is None else (detect, detect)
    return Response("Hot", word, "rules.yml:4", detect=span, note=note)  # type: ignore[arg-type]


def test_several_phases_are_told_by_their_worst_word_and_the_range_of_detection() -> None:
    order = ["FIRED", "UNRESOLVED", "LATE", "SILENT", "NOT_JUDGED", "FALSE_ALARM"]
    for better, worse in pairwise(order):
        assert over_phases([one(better), one(worse)]).word == worse
        assert over_phases([one(worse), one(better)]).word == worse
    told = over_phases([one("FIRED", 30), one("FIRED", 20), one("SILENT", note="never"), one("FIRED", 25)])
    assert told.detect == (20, 30)
    assert told.note == "differs with the phase between scrape and evaluation: 3 of 4 FIRED, 1 of 4 SILENT"
    alike = over_phases([one("SILENT", note="a"), one("SILENT", note="b")])
    assert (alike.note, alike.detect) == ("a", None)
    alone = one("FIRED", 30, "said")
    assert over_phases([alone]) == alone
    assert over_moments([one("FIRED"), one("SILENT")], ["noon", "night"]).note == (
        "differs with the moment: FIRED at noon, SILENT at night"
    )

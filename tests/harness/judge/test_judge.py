"""A recording and rules in, a verdict out: every word, on a real promtool, from samples whose answer is known."""

from pathlib import Path

import pytest

from driftdrill.harness.errors import MonitoringError, RecordingError, RuleError
from driftdrill.harness.judge import judge
from driftdrill.harness.scenario.expect import everything_else, exists, fires, moves, quiet, resolves, stays
from tests.harness.made import make

HOT = """
groups:
- name: g
  rules:
  - alert: Hot
    expr: heat > 10
    for: {for_}
    labels: {{severity: page}}
    annotations: {{summary: 'heat is {{{{ $value }}}} on {{{{ $labels.instance }}}}'}}
"""


def hot(for_: str = "1m") -> str:
    return HOT.format(for_=for_)


def step(at: float, to: float, back: float | None = None, low: float = 1.0):
    """``low``, then ``to`` from second ``at`` on, until ``back``."""
    return lambda t: to if t >= at and (back is None or t < back) else low


def word(verdict, alert: str = "Hot") -> str:
    return next(r for r in verdict.responses if r.alert == alert).word


def test_an_alert_that_fires_in_time_and_resolves_is_fired(tmp_path: Path) -> None:
    recording = make(
        tmp_path,
        {"heat": step(1000, 20, back=1700)},
        hot(),
        expect=[fires("Hot", labels={"instance": "i"}, within=300), resolves("Hot", within=60), quiet(everything_else)],
    )
    verdict = judge(recording)
    (response,) = verdict.responses
    assert verdict.validity.valid, verdict.validity.reasons
    assert response.word == "FIRED"
    # Heat crosses at the scrape of 1012 s, is pending from the evaluation at 1020 s and fires a minute later.
    assert response.pending_at == 1020
    assert response.fired_at == 1080
    assert response.detect == (180, 180)
    # It cools at the scrape of 1702 s, which the evaluation at 1710 s sees.
    assert response.resolved_at == 1710
    assert verdict.failures == []
    assert verdict.exit_code == 0


def test_annotations_are_rendered_as_the_alert_fires(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1000, 20, back=1700)}, hot()))
    (track,) = verdict.timeline.alerts
    assert track.annotations == {"summary": "heat is 20 on i"}
    assert track.labels["severity"] == "page"


def test_an_alert_that_fires_after_the_allowed_time_is_late(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1200, 20, back=1700)}, hot(), expect=[fires("Hot", within=60)]))
    assert word(verdict) == "LATE"
    assert verdict.exit_code == 1
    assert verdict.findings[0].code == "fires.late"
    assert "too late" in verdict.findings[0].margin


def test_an_alert_that_first_fires_in_recovery_is_late_although_no_limit_was_given(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1790, 20, back=2000)}, hot(), expect=[fires("Hot")]))
    assert word(verdict) == "LATE"


def test_a_silent_alert_tells_how_near_it_came(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1000, 8.3, back=1700)}, hot(), expect=[fires("Hot", within=300)]))
    (response,) = verdict.responses
    assert response.word == "SILENT"
    assert response.peak == pytest.approx(0.83)
    assert "83%" in response.note
    assert verdict.exit_code == 1


def test_a_silent_alert_that_was_too_short_above_its_threshold_tells_by_how_much(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1000, 20, back=1300)}, hot("10m"), expect=[]))
    assert word(verdict) == "SILENT"
    assert "too short for `for: 10m`" in verdict.responses[0].note


def test_an_alert_that_still_fires_at_the_end_is_unresolved(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1000, 20)}, hot(), expect=[fires("Hot"), resolves("Hot")]))
    assert word(verdict) == "UNRESOLVED"
    assert [f.code for f in verdict.failures] == ["resolves.unresolved"]


def test_an_alert_of_the_baseline_is_a_false_alarm_and_makes_a_drill_that_needs_it_invalid(tmp_path: Path) -> None:
    rules = hot()
    lone = judge(make(tmp_path, {"heat": step(500, 20, back=700)}, rules, expect=[quiet("Hot")], name="a.drill"))
    assert word(lone) == "FALSE_ALARM"
    assert lone.exit_code == 1
    needed = judge(make(tmp_path, {"heat": step(500, 20, back=700)}, rules, expect=[fires("Hot")], name="b.drill"))
    assert needed.exit_code == 3
    assert any("firing in the baseline" in reason for reason in needed.validity.reasons)


def test_an_alert_that_must_fire_and_is_pending_when_the_fault_begins_makes_the_drill_invalid(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(860, 20, back=1700)}, hot("3m"), expect=[fires("Hot")]))
    assert verdict.exit_code == 3
    assert "pending when the fault began" in verdict.validity.reasons[0]


def test_an_alert_of_recovery_later_than_it_looks_back_is_a_false_alarm(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(2200, 20, back=2400)}, hot(), expect=[]))
    assert word(verdict) == "FALSE_ALARM"


def test_an_alert_of_the_faults_last_trace_is_late_and_no_false_alarm(tmp_path: Path) -> None:
    """What the fault left at 1800 s is scraped at 1807 s, evaluated at 1815 s, and fires a minute later."""
    verdict = judge(make(tmp_path, {"heat": step(1800, 20, back=2000)}, hot(), expect=[fires("Hot")]))
    (response,) = verdict.responses
    assert (response.word, response.pending_at, response.fired_at) == ("LATE", 1815, 1875)


def test_an_alert_of_a_start_that_its_first_look_back_still_holds_is_no_false_alarm(tmp_path: Path) -> None:
    """Hot until 200 s, the average of what there is so far is above 10 until 405 s; a whole look-back ends at 600 s."""
    rules = hot("0s").replace("heat > 10", "avg_over_time(heat[10m]) > 10")
    verdict = judge(make(tmp_path, {"heat": lambda t: 20.0 if t < 200 else 1.0}, rules, expect=[quiet("Hot")]))
    (track,) = verdict.timeline.alerts
    assert track.intervals[-1].end > verdict.timeline.phases[1].start
    assert word(verdict) == "SILENT"
    assert verdict.exit_code == 0


def test_an_alert_that_is_gone_at_one_evaluation_fires_twice(tmp_path: Path) -> None:
    heat = {"heat": lambda t: 1.0 if not 1000 <= t < 1700 or 1200 <= t < 1215 else 20.0}
    (track,) = judge(make(tmp_path, heat, hot("0s"))).timeline.alerts
    assert [(i.start, i.end) for i in track.intervals] == [(1020, 1215), (1230, 1710)]


def test_a_rule_that_looks_back_further_than_the_baseline_is_not_judged_and_never_quiet(tmp_path: Path) -> None:
    rules = hot().replace("heat > 10", "avg_over_time(heat[20m]) > 10")
    recording = make(tmp_path, {"heat": lambda t: 1.0}, rules, expect=[quiet("Hot")])
    verdict = judge(recording)
    assert word(verdict) == "NOT_JUDGED"
    assert [f.code for f in verdict.failures] == ["quiet.not_judged"]
    history = make(tmp_path, {"heat": lambda t: 1.0}, rules, expect=[], meta={"faults": []}, name="clean.drill")
    again = judge(recording, history=history)
    assert word(again) == "SILENT"
    assert again.failures == []
    assert any("clean.drill" in text for text in again.validity.observations)


def test_look_back_goes_through_recording_rules(tmp_path: Path) -> None:
    rules = """
groups:
- name: a
  rules:
  - {record: 'job:heat:avg10m', expr: 'avg by (job) (avg_over_time(heat[10m]))'}
- name: b
  rules:
  - {alert: Hot, expr: 'max_over_time(job:heat:avg10m[10m]) > 10'}
"""
    verdict = judge(make(tmp_path, {"heat": lambda t: 1.0}, rules))
    assert word(verdict) == "NOT_JUDGED"
    assert "20m" in verdict.responses[0].note


def test_harm_is_told_with_its_interval_and_a_silent_failure_is_the_headline(tmp_path: Path) -> None:
    calm = make(tmp_path, {"heat": lambda t: 1.0}, hot(), accuracy=(0.9, 0.6), expect=[quiet("Hot")])
    verdict = judge(calm)
    (harm,) = verdict.harms
    assert harm.word == "HARMFUL"
    assert harm.drop is not None
    assert harm.drop[0] < harm.before - harm.during < harm.drop[1]
    assert verdict.silent_failures == [harm]
    assert verdict.exit_code == 0
    assert (
        judge(
            make(tmp_path, {"heat": lambda t: 1.0}, hot(), accuracy=(0.9, 0.6), name="b.drill"),
            fail_on=["silent_failure"],
        ).exit_code
        == 1
    )


def test_a_harmless_fault_that_fires_is_an_alarm_without_harm(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1000, 20, back=1700)}, hot()))
    assert verdict.harms[0].word == "HARMLESS"
    assert [r.alert for r in verdict.alarms_without_harm] == ["Hot"]
    assert verdict.silent_failures == []


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        ({"strength": 0.0}, "strength stayed 0"),
        ({"changed": False}, "changed none of 900 requests"),
        ({"end": False}, "killed"),
        ({"up": lambda t: 0.0 if t > 1000 else 1.0}, "scrapes in the fault phase"),
        ({"up": lambda t: None}, "was up at 0 of 40 scrapes"),
        ({"accuracy": (0.4, 0.4)}, "the right model"),
        ({"meta": {"planned": 3000}}, "load not sent"),
    ],
)
def test_a_drill_that_proves_nothing_is_invalid(tmp_path: Path, how: dict, reason: str) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1000, 20, back=1700)}, hot(), expect=[fires("Hot")], **how))
    assert not verdict.validity.valid
    assert verdict.exit_code == 3
    assert any(reason in text for text in verdict.validity.reasons), verdict.validity.reasons
    assert verdict.failures


def test_expressions_move_stay_and_exist(tmp_path: Path) -> None:
    recording = make(
        tmp_path,
        {"heat": step(1000, 20, back=1700), "calm": lambda t: 3.0},
        hot(),
        expect=[
            moves("heat", above=15),
            moves("heat * 2"),
            stays("calm", by=0.1),
            exists("calm + heat"),
            moves("calm"),
            stays("heat", by=1),
            exists("nowhere"),
            moves("heat", below=0.5),
            moves("heat", by=100),
        ],
    )
    findings = judge(recording).findings
    assert [f.held for f in findings] == [True, True, True, True, False, False, False, False, False]
    assert findings[6].code == "exists.absent"


def test_a_rule_that_errors_is_a_finding_and_hides_no_other(tmp_path: Path) -> None:
    rules = """
groups:
- name: g
  rules:
  - {alert: Broken, expr: 'heat * on () sides > 0'}
  - {alert: Hot, expr: 'heat > 10'}
"""
    sides = {(("side", s),): (lambda t: 1.0) for s in "ab"}
    verdict = judge(make(tmp_path, {"heat": step(1000, 20, back=1700), "sides": sides}, rules, expect=[fires("Hot")]))
    assert word(verdict) == "FIRED"
    assert [f.code for f in verdict.failures] == ["rule.error"]
    assert verdict.failures[0].where == "rules.yml:5"
    assert "evaluations from 0s on" in verdict.failures[0].seen


def test_more_alerts_than_promtool_can_tell_are_no_silence(tmp_path: Path) -> None:
    rules = "groups:\n- name: g\n  rules:\n" + "".join(f"  - {{alert: Hot{i}, expr: heat > 10}}\n" for i in range(6))
    heat = {(("bin", str(i)),): (lambda t: 20.0) for i in range(2000)}
    recording = make(tmp_path, {"heat": heat}, rules, every=900, offset=890, interval=900)
    with pytest.raises(MonitoringError, match="cannot tell which alerts fire"):
        judge(recording)


def test_a_selector_with_escapes_tells_how_near_it_came(tmp_path: Path) -> None:
    rules = hot().replace("heat > 10", r"""heat{host=~"a\\.b|\"c"} > 10""")
    heat = {(("host", "a.b"),): step(1000, 8.3, back=1700)}
    (response,) = judge(make(tmp_path, {"heat": heat}, rules)).responses
    assert response.peak == pytest.approx(0.83)


def test_what_no_scrape_had_and_what_virtual_time_does_not_show_is_told(tmp_path: Path) -> None:
    rules = """
groups:
- name: g
  rules:
  - {alert: Dead, expr: 'heat_celsius > 10'}
  - {alert: Gone, expr: 'absent(heat_celsius)', for: 2h}
  - {alert: Slow, expr: 'process_cpu_seconds_total > 10'}
"""
    expect = [quiet("Dead"), quiet("Slow")]
    series = {"heat": lambda t: 1.0, "process_cpu_seconds_total": lambda t: 1.0}
    verdict = judge(make(tmp_path, series, rules, expect=expect))
    dead, _, slow = verdict.responses
    assert (dead.word, dead.why[0].check, dead.why[0].cannot_fire) == ("SILENT", "no_such_metric", True)
    assert dead.why[0].says == "no scrape had heat_celsius"
    assert slow.word == "NOT_JUDGED"
    assert slow.marks == ("wall clock only: process_cpu_seconds_total",)
    assert [f.code for f in verdict.failures] == ["quiet.cannot_fire", "quiet.not_judged"]
    assert verdict.exit_code == 3


def test_a_timestamp_that_a_rule_compares_with_time_keeps_its_age(tmp_path: Path) -> None:
    rules = """
groups:
- name: g
  rules:
  - {alert: Old, expr: 'time() - trained_timestamp_seconds > 1000'}
  - {alert: Older, expr: 'time() - trained_timestamp_seconds > 5000'}
"""
    verdict = judge(make(tmp_path, {"trained_timestamp_seconds": lambda t: 1.8e9}, rules))
    old = next(r for r in verdict.responses if r.alert == "Old")
    assert old.fired_at == 1005
    assert old.marks == ("rebased time()",)
    assert word(verdict, "Older") == "SILENT"


def test_a_group_with_an_interval_of_its_own_feeds_the_others(tmp_path: Path) -> None:
    rules = """
groups:
- name: alerts
  rules:
  - {alert: Hot, expr: 'job:heat:max > 10'}
- name: records
  interval: 1m
  rules:
  - {record: 'job:heat:max', expr: 'max by (job) (heat)'}
"""
    verdict = judge(make(tmp_path, {"heat": step(1000, 20, back=1700)}, rules, expect=[fires("Hot")]))
    # The scrape of 1012 s is first recorded at 1020 s, a whole minute.
    assert verdict.responses[0].fired_at == 1020
    assert verdict.responses[0].resolved_at == 1740


def test_an_alert_whose_response_hangs_on_the_phase_is_a_finding(tmp_path: Path) -> None:
    rules = """
groups:
- name: g
  rules:
  - {alert: Burst, expr: 'increase(errors_total[20s]) > 0'}
"""
    errors = lambda t: 0.0 if t < 1000 else 1.0  # noqa: E731
    recording = make(tmp_path, {"errors_total": errors}, rules, expect=[], offset=7.0)
    verdict = judge(recording, phases=5)
    assert [f.code for f in verdict.failures] == ["phase.dependent"]
    assert "1 of 5" in verdict.failures[0].seen or "of 5" in verdict.failures[0].seen


def test_detection_is_a_range_over_phases(tmp_path: Path) -> None:
    recording = make(tmp_path, {"heat": step(1000, 20, back=1700)}, hot(), expect=[fires("Hot", within=300)])
    verdict = judge(recording, phases=5)
    low, high = verdict.responses[0].detect or (0, 0)
    assert 0 < high - low <= 15
    assert verdict.failures == []


def test_other_rules_judge_the_same_recording(tmp_path: Path) -> None:
    recording = make(tmp_path, {"heat": step(1000, 20, back=1700)}, hot(), expect=[fires("Hot", within=300)])
    stricter = tmp_path / "stricter.yml"
    stricter.write_text(hot().replace("> 10", "> 30"), encoding="utf-8")
    verdict = judge(recording, [stricter])
    assert word(verdict) == "SILENT"
    assert verdict.responses[0].where == f"{stricter}:5"


def test_a_rule_file_without_an_alert_is_refused(tmp_path: Path) -> None:
    recording = make(tmp_path, {"heat": lambda t: 1.0}, hot())
    empty = tmp_path / "records.yml"
    empty.write_text("groups:\n- {name: g, rules: [{record: a, expr: b}]}\n", encoding="utf-8")
    with pytest.raises(RuleError):
        judge(recording, [empty])


def test_what_is_no_recording_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecordingError, match=r"meta\.json"):
        judge(tmp_path)


def test_watchdogs_are_listed_and_not_judged(tmp_path: Path) -> None:
    rules = "groups:\n- {name: g, rules: [{alert: Watchdog, expr: vector(1)}, {alert: Hot, expr: heat > 10}]}\n"
    verdict = judge(make(tmp_path, {"heat": lambda t: 1.0}, rules, expect=[quiet(everything_else)]))
    assert verdict.listed == ("Watchdog: fires always by design",)
    assert verdict.exit_code == 0, verdict.findings


def test_an_alert_whose_labels_change_under_for_is_not_quiet_but_unable_to_fire(tmp_path: Path) -> None:
    rules = "groups:\n- {name: g, rules: [{alert: Hot, expr: heat > 10, for: 2m, labels: {v: '{{ $value }}'}}]}\n"
    verdict = judge(make(tmp_path, {"heat": lambda t: 20.0 + t}, rules, expect=[quiet("Hot")]))
    assert [f.code for f in verdict.findings] == ["quiet.cannot_fire"]
    assert verdict.exit_code == 3


def test_what_fired_in_the_warm_up_only_is_no_instance_that_fired(tmp_path: Path) -> None:
    """absent() is true before the first scrape of all."""
    rules = "groups:\n- {name: g, rules: [{alert: Gone, expr: 'absent(heat{job=\"m\"})'}]}\n"
    verdict = judge(make(tmp_path, {"heat": lambda t: 1.0 if t > 60 else None}, rules))
    assert [(r.word, r.instances) for r in verdict.responses] == [("SILENT", ())]


def test_a_verdict_survives_json(tmp_path: Path) -> None:
    from driftdrill.reports.data.verdict import from_json

    verdict = judge(make(tmp_path, {"heat": step(1000, 20, back=1700)}, hot(), expect=[fires("Hot", within=300)]))
    assert from_json(verdict.to_json()) == verdict

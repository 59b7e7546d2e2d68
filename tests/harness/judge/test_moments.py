"""Judging at chosen moments: rules that read the clock read it as it would stand then."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from driftdrill.harness.errors import RuleError, UsageError
from driftdrill.harness.judge import judge
from driftdrill.harness.judge.rules.moments import moment, moved
from driftdrill.harness.scenario.expect import exists, fires, quiet
from tests.harness.command import Cli, assert_told
from tests.harness.made import make

OFFICE = """
groups:
- name: records
  interval: 1m
  rules:
  - {record: 'office:hours', expr: 'hour() >= bool 8 and day_of_week() < 6 and hour() < 18'}
- name: alerts
  rules:
  - {alert: Awake, expr: 'heat > 10 and on () office:hours == 1'}
  - {alert: Always, expr: 'heat > 10'}
"""
FUNCTIONS = {
    "hour()": lambda at: at.hour,
    "minute()": lambda at: at.minute,
    "day_of_week()": lambda at: at.isoweekday() % 7,
    "day_of_month()": lambda at: at.day,
    "day_of_year()": lambda at: at.timetuple().tm_yday,
    "month()": lambda at: at.month,
    "year()": lambda at: at.year,
    "hour(vector(time() + 3600))": lambda at: (at.hour + 1) % 24,
    "vector(time() % 86400)": lambda at: at.timestamp() % 86400,
    "days_in_month()": lambda at: {2: 28 + (at.year % 4 == 0), 3: 31, 11: 30, 12: 31}[at.month],
}


def heat(t: float) -> float:
    """Hot while the fault lasts."""
    return 20.0 if 1000 <= t < 1700 else 1.0


@pytest.mark.parametrize("said", ["2024-02-29T23:59:00+00:00", "2026-03-29T02:30+01:00", "2026-11-01T00:10-04:00"])
def test_the_clock_reads_what_it_would_read_at_that_moment(tmp_path: Path, said: str) -> None:
    rules = "groups:\n- name: g\n  rules:\n" + "".join(
        f"  - {{alert: 'is {i}', expr: '{expr} == {check(datetime.fromisoformat(said).astimezone(UTC))}'}}\n"
        for i, (expr, check) in enumerate(FUNCTIONS.items())
    )
    verdict = judge(make(tmp_path, {"heat": heat}, rules, interval=900), at=[said])
    first = {t.alert for t in verdict.timeline.alerts for i in t.intervals if i.start == 0}
    assert first == {f"is {i}" for i in range(len(FUNCTIONS))}


def test_an_alert_that_sleeps_at_a_moment_is_a_finding(tmp_path: Path) -> None:
    """A Friday's noon, its night, and the noon of a Saturday; Prometheus's clock is UTC."""
    drill = make(tmp_path, {"heat": heat}, OFFICE, expect=[fires("Always")])
    moments = ["2026-03-27T12:00+01:00", "2026-03-27T02:30+01:00", "2026-03-28T12:00+01:00"]
    verdict = judge(drill, at=moments)
    (finding,) = verdict.failures
    assert (finding.code, finding.where) == ("clock.dependent", "rules.yml:9")
    assert finding.seen.endswith(
        ", ".join(f"{w} at {m}" for w, m in zip(["FIRED", "SILENT", "SILENT"], moments, strict=True))
    )
    words = {r.alert: (r.word, r.marks) for r in verdict.responses}
    assert words == {"Awake": ("SILENT", (f"judged at {', '.join(moments)}",)), "Always": ("FIRED", ())}
    assert verdict.exit_code == 1
    assert judge(drill, at=moments[1:]).failures == []


@pytest.mark.parametrize(
    ("moment", "word"), [("2026-03-27T12:00+01:00", "FIRED"), ("2026-03-27T02:30+01:00", "SILENT")]
)
def test_without_a_moment_it_is_the_time_at_which_the_drill_began(tmp_path: Path, moment: str, word: str) -> None:
    began = {"started_at": datetime.fromisoformat(moment).timestamp()}
    verdict = judge(make(tmp_path, {"heat": heat}, OFFICE, meta=began, expect=[fires("Awake")]))
    (awake,) = [r for r in verdict.responses if r.alert == "Awake"]
    assert (awake.word, awake.marks) == (word, ("reads the time of day",))
    assert word == "FIRED" or "at this time of day only" in verdict.failures[0].hint


BEGAN = 1.8e9


@pytest.mark.parametrize(
    ("expr", "beat"),
    [
        ("time() * 1000 - beat > 1000000", lambda t: 1000 * (BEGAN - 100)),
        ("time() - beat > 3600", lambda t: 0.0 if 900 <= t < 1800 else BEGAN),
        ("time() - beat > 3600", lambda t: -1.0 if 900 <= t < 1800 else BEGAN),
        ("time() - (beat > 0) > 1200", lambda t: BEGAN - 200),
    ],
    ids=["milliseconds", "never since a restart", "-1", "guarded"],
)
def test_ages_are_what_they_were_however_they_are_counted(tmp_path: Path, expr: str, beat: Any) -> None:
    rules = f"groups:\n- {{name: g, rules: [{{alert: Old, expr: '{expr}'}}]}}\n"
    series = {"beat": beat, "served": lambda t: t}
    verdict = judge(make(tmp_path, series, rules, expect=[fires("Old")], meta={"started_at": BEGAN}))
    assert (verdict.exit_code, verdict.validity.reasons) == (0, ())


def test_what_the_clock_passes_during_the_drill_counts(tmp_path: Path) -> None:
    rules = "groups:\n- {name: g, rules: [{alert: Late, expr: 'heat > 10 and on () hour() >= 18'}]}\n"
    verdict = judge(make(tmp_path, {"heat": heat}, rules, expect=[fires("Late")]), at=["2026-03-27T18:40+01:00"])
    # 18:00 UTC is 1,200 s after the beginning.
    assert [r.fired_at for r in verdict.responses] == [1200]


def test_ages_stay_what_they_are_at_every_moment(tmp_path: Path) -> None:
    rules = """
groups:
- name: g
  rules:
  - {alert: Old, expr: 'time() - trained_timestamp_seconds > 1000'}
  - {alert: Sampled, expr: 'abs(timestamp(heat) - time()) > 15'}
  - {alert: Born, expr: 'year(trained_timestamp_seconds) != 2026'}
"""
    series = {"trained_timestamp_seconds": lambda t: 1.8e9, "heat": heat}
    drill = make(tmp_path, series, rules, expect=[fires("Old"), quiet("Sampled"), quiet("Born")])
    verdict = judge(drill, at=["2026-06-01T12:00Z", "2026-12-01T12:00Z"], phases=2)
    assert verdict.failures == []
    (old,) = [r for r in verdict.responses if r.alert == "Old"]
    assert old.detect == (105, 112.5)
    assert old.marks == ("judged at 2026-06-01T12:00Z, 2026-12-01T12:00Z",)


def test_an_expectation_reads_the_moved_clock_too(tmp_path: Path) -> None:
    drill = make(tmp_path, {"heat": heat}, OFFICE, expect=[exists("heat and on () year() == 2026")])
    assert judge(drill, at=["2026-03-27T12:00Z"]).failures == []
    assert [f.code for f in judge(drill).failures] == ["exists.absent"]


def test_only_what_reads_the_clock_is_changed() -> None:
    assert moved("hour(x) > 8 and time() - y > -time()", 5.5) == "hour(x) > 8 and (time() + 5.5) - y > -(time() + 5.5)"
    assert moved('time{job="time()"} > 5', 7.0) == 'time{job="time()"} > 5'
    assert moment("2026-03-29T02:30+01:00").unix == moment("2026-03-29T01:30Z").unix


def test_what_cannot_be_put_for_a_moment_is_refused(cli: Cli) -> None:
    rules = r"groups: [{name: g, rules: [{alert: Odd, expr: 'x{a=~`\d`} > hour()'}]}]"
    drill = make(cli.folder, {"heat": heat}, rules)
    with pytest.raises(RuleError, match=r"rules\.yml:1: Odd reads the clock in an expression"):
        judge(drill, at=["2026-03-27T12:00Z"])
    with pytest.raises(UsageError, match="no moment"):
        judge(drill, at=["tomorrow"])
    told = cli("judge", drill.path, "--at", "2026-03-27T12:00").refused()
    assert_told(told, "2026-03-27T12:00 does not say how far its clock is from UTC", "2026-03-29T02:30")


def test_the_command_judges_at_moments(cli: Cli) -> None:
    drill = make(cli.folder, {"heat": heat}, OFFICE, expect=[fires("Always")])
    done = cli("judge", drill.path, "--at", "2026-03-27T12:00+01:00", "--at", "2026-03-27T02:30+01:00")
    assert done.code == 1
    assert "Awake responds alike at every moment" in " ".join(done.out.split())

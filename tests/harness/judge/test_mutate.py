"""Recorded drills against mutants of their rules: what is killed, what survives, and what would kill it."""

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from driftdrill.harness.errors import UsageError
from driftdrill.harness.judge.drill import Drill
from driftdrill.harness.judge.engine.evaluate import Evaluated
from driftdrill.harness.judge.engine.parallel import in_parallel
from driftdrill.harness.judge.engine.promtool_run import TooManyAlerts
from driftdrill.harness.judge.evidence import Judged
from driftdrill.harness.judge.judge import with_alerts
from driftdrill.harness.judge.mutants import trials
from driftdrill.harness.judge.mutants.mutate import as_they_are, mutate
from driftdrill.harness.judge.mutants.operators import mutants
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.reader import Recording
from driftdrill.harness.scenario.expect import everything_else, fires, moves, quiet, resolves
from driftdrill.reports import mutation_text
from driftdrill.reports.data.mutation import MutantResult, Mutation, from_json
from driftdrill.stack.prometheus.promtool import Promtool, find_promtool
from driftdrill.stack.rules.files import parse
from tests.harness.command import Cli, assert_told
from tests.harness.made import make

HOT = """
groups:
- name: g
  rules:
  - {alert: Hot, expr: heat > 10, for: 1m}
"""
Value = Callable[[float], float | None]


@pytest.fixture(scope="module")
def promtool(prometheus_binary: str) -> Promtool:
    """The promtool of this machine."""
    return find_promtool(binary="promtool")


def step(at: float, to: float, back: float | None = None, low: float = 1.0) -> Value:
    """``low``, then ``to`` from second ``at`` on, until ``back``."""
    return lambda t: to if t >= at and (back is None or t < back) else low


def under(recordings: Sequence[Recording], rules: str, promtool: Promtool) -> list[Judged]:
    """The recordings under the rules as they are."""
    return as_they_are([Drill(r) for r in recordings], with_alerts(parse(rules, "rules.yml")), promtool)


def found(recording: Recording, rules: str, promtool: Promtool, **how: Sequence[str]) -> Mutation:
    """What became of the mutants of the rules."""
    return mutate(under([recording], rules, promtool), promtool, **how)


def of(mutation: Mutation, operator: str, rule: str = "Hot") -> MutantResult:
    """The one mutant of an operator and a rule."""
    (one,) = [m for m in mutation.mutants if (m.operator, m.rule) == (operator, rule)]
    return one


def test_a_mutant_is_killed_by_the_expectation_that_fails_under_it(tmp_path: Path, promtool: Promtool) -> None:
    # Heat crosses at the scrape of 1012 s, which is 112 s after the first faulty request; it fires after 180 s.
    drill = make(tmp_path, {"heat": step(1000, 20, back=1700)}, HOT, expect=[fires("Hot", within=300), quiet("Cold")])
    rules = HOT + "  - {alert: Cold, expr: heat < 0.5}\n"
    made = found(drill, rules, promtool)
    fate = {(m.rule, m.operator): m.fate for m in made.mutants}
    assert fate == {
        ("Hot", "comparison.flip"): "KILLED",
        ("Hot", "comparison.border"): "SURVIVED",
        ("Hot", "threshold.double"): "KILLED",  # heat is never above 20
        ("Hot", "threshold.halve"): "SURVIVED",
        ("Hot", "for.lengthen"): "SURVIVED",  # it fires after 240 s, in time
        ("Hot", "for.drop"): "SURVIVED",
        ("Hot", "rule.drop"): "KILLED",
        ("Cold", "comparison.flip"): "KILLED",
        ("Cold", "comparison.border"): "SURVIVED",
        ("Cold", "threshold.double"): "SURVIVED",  # heat is never below 1
        ("Cold", "threshold.halve"): "SURVIVED",
        ("Cold", "for.lengthen"): "SURVIVED",
        ("Cold", "rule.drop"): "SURVIVED",
    }
    killed = of(made, "comparison.flip", "Cold")
    assert killed.recording == "made.drill"
    assert killed.seen == 'quiet(Cold) fails: Cold FALSE_ALARM at 0s with {instance="i", job="m"}'
    assert killed.where == "rules.yml:6"
    assert made.share == 4 / 13
    assert made.counts == {"KILLED": 4, "SURVIVED": 9, "NOT_COVERED": 0, "INVALID": 0}


def test_a_survivor_is_told_with_the_drill_that_would_kill_it(tmp_path: Path, promtool: Promtool) -> None:
    drill = make(tmp_path, {"heat": step(1000, 24, back=1700)}, HOT, expect=[fires("Hot", within=300)])
    made = found(drill, HOT, promtool)
    late = of(made, "for.lengthen")
    assert (late.seen, late.recording) == ("Hot fires 1m later", "made.drill")
    assert late.remedy == "say fires(Hot, within=210) of that drill"
    higher = of(made, "threshold.double")
    assert "to between 10 and 20, with fires(Hot)" in higher.remedy
    assert "it came to 2.4 times its threshold" in higher.remedy
    assert "to between 5 and 10, with quiet(Hot)" in of(made, "threshold.halve").remedy
    assert "a blip (pulse) shorter than 1m, with quiet(Hot)" in of(made, "for.drop").remedy
    shown = mutation_text.render(made)
    assert "29% KILLED · 5 SURVIVED" in shown
    assert "say fires(Hot, within=210)" in " ".join(shown.split())


def test_a_difference_that_no_expectation_minds_is_told_with_the_one_that_would(
    tmp_path: Path, promtool: Promtool
) -> None:
    rules = HOT + "  - {alert: Warm, expr: heat > 15}\n  - {alert: Scorching, expr: heat > 24}\n"
    made = found(make(tmp_path, {"heat": step(1000, 20, back=1700)}, rules, expect=[fires("Hot")]), rules, promtool)
    blind, eager = of(made, "rule.drop", "Warm"), of(made, "threshold.halve", "Scorching")
    assert (blind.seen, blind.remedy) == ("Warm is SILENT, not FIRED", "say fires(Warm) of that drill")
    assert (eager.seen, eager.remedy) == ("Scorching is FIRED, not SILENT", "say quiet(Scorching) of that drill")
    assert of(made, "comparison.flip", "Warm").seen == "Warm is FALSE_ALARM, not FIRED"


@pytest.mark.parametrize("order", [1, -1])
def test_a_difference_in_one_drill_is_told_whatever_the_others_show(
    tmp_path: Path, promtool: Promtool, order: int
) -> None:
    hot = make(tmp_path, {"heat": step(1000, 20, back=1700)}, HOT, expect=[fires("Hot")], name="hot.drill")
    calm = make(tmp_path, {"heat": lambda t: 1.0}, HOT, expect=[quiet("Hot")], name="calm.drill")
    made = mutate(under([hot, calm][::order], HOT, promtool), promtool, operators=["for.lengthen", "rule.drop"])
    told = [(m.fate, m.recording) for m in made.mutants]
    assert told == [("SURVIVED", "hot.drill"), ("KILLED", "hot.drill")]


def test_an_alert_that_no_drill_judges_needs_drills_that_judge_it(tmp_path: Path, promtool: Promtool) -> None:
    rules = HOT + "  - {alert: Slow, expr: 'avg_over_time(heat[20m]) > 15'}\n"
    made = found(make(tmp_path, {"heat": step(1000, 20, back=1700)}, rules, expect=[fires("Hot")]), rules, promtool)
    slow = of(made, "threshold.double", "Slow")
    assert slow.remedy.startswith("drills that judge it (look-back + for is 20m, warm-up + baseline 15m)")
    assert of(made, "rule.drop").fate == "KILLED"


def test_what_an_expectation_pins_a_recording_without_it_does_not(tmp_path: Path, promtool: Promtool) -> None:
    loose = make(tmp_path, {"heat": step(1000, 20, back=1700)}, HOT, expect=[fires("Hot")], name="loose.drill")
    tight = make(
        tmp_path,
        {"heat": step(1000, 20, back=1700)},
        HOT,
        expect=[fires("Hot", within=210), resolves("Hot", within=60)],
        name="tight.drill",
    )
    blip = make(tmp_path, {"heat": step(1000, 20, back=1040)}, HOT, expect=[quiet("Hot")], name="blip.drill")
    made = mutate(under([loose, tight, blip], HOT, promtool), promtool)
    assert of(made, "rule.drop").recording == "loose.drill"
    assert of(made, "for.lengthen").recording == "tight.drill"
    assert of(made, "for.drop").recording == "blip.drill"
    assert of(made, "threshold.halve").fate == "SURVIVED"


REPLICAS = """
groups:
- name: records
  rules:
  - {record: 'instance:errors:rate5m', expr: 'sum by (job, instance) (rate(errors_total{kind="x"}[5m]))'}
- name: alerts
  rules:
  - {alert: Errors, expr: 'max by (job) (instance:errors:rate5m) > 0.1'}
  - {alert: Gone, expr: 'absent(errors_total{kind="x"})', for: 5m}
"""


def replicas(second: Value, gone: float = 1e9) -> dict:
    """Two replicas that count; the second as told. Both are gone from second ``gone`` on."""

    def counts(rate: Value) -> Value:
        return lambda t: None if t >= gone else sum(rate(at) or 0.0 for at in range(0, max(0, int(t)), 15)) * 15

    quiet_one = counts(lambda t: 0.0)
    return {
        "errors_total": {
            (("kind", "x"), ("instance", "a")): quiet_one,
            (("kind", "x"), ("instance", "b")): counts(second),
        }
    }


def test_a_recording_rule_is_mutated_and_its_alerts_tell(tmp_path: Path, promtool: Promtool) -> None:
    one = step(1000, 0.15, back=1500, low=0.0)
    drill = make(tmp_path, replicas(one), REPLICAS, expect=[fires("Errors"), quiet("Gone")])
    made = found(drill, REPLICAS, promtool)
    record = "instance:errors:rate5m"
    assert of(made, "rule.drop", record).seen.startswith("fires(Errors) fails: SILENT")
    assert of(made, "selector.negate", record).fate == "KILLED"
    # One replica of two carries it alone: a sum over both is as high, the highest of both too.
    masked = of(made, "aggregation.drop", record)
    assert (masked.fate, masked.id) == ("SURVIVED", "mon.replica_masked")
    assert "one of several (job, instance)" in masked.remedy
    absent = of(made, "absent.drop", "Gone")
    assert (absent.fate, absent.id) == ("SURVIVED", "mon.absent_missing")
    assert "mon.metric_renamed" in absent.remedy


def test_a_drill_in_which_the_metric_goes_kills_the_missing_absent(tmp_path: Path, promtool: Promtool) -> None:
    drill = make(tmp_path, replicas(lambda t: 0.0, gone=1000), REPLICAS, expect=[fires("Gone"), quiet("Errors")])
    made = found(drill, REPLICAS, promtool, only=["Gone"])
    assert of(made, "absent.drop", "Gone").fate == "KILLED"
    assert {m.rule for m in made.mutants} == {"Gone"}


def test_only_an_alert_means_the_rules_that_feed_it_too(tmp_path: Path, promtool: Promtool) -> None:
    drill = make(tmp_path, replicas(step(1000, 0.5, low=0.0)), REPLICAS, expect=[fires("Errors")])
    made = found(drill, REPLICAS, promtool, only=["Errors"], operators=["mon.replica_masked", "rule.drop"])
    assert [(m.rule, m.operator) for m in made.mutants] == [
        ("instance:errors:rate5m", "aggregation.drop"),
        ("instance:errors:rate5m", "rule.drop"),
        ("Errors", "aggregation.drop"),
        ("Errors", "rule.drop"),
    ]


MANY = """
groups:
- name: slow
  interval: 1m
  rules:
  - {record: 'job:heat:max', expr: 'max by (job) (heat)'}
  - {record: 'job:heat:max', expr: 'min by (job) (heat)', labels: {of: min}}
- name: alerts
  rules:
  - {alert: Hotter, expr: 'job:hot:max > 12', for: 30s}
  - {record: 'job:hot:max', expr: 'max by (job) (job:heat:max and job:heat:max > 2)'}
  - {alert: Hot, expr: 'job:heat:max{of=""} > 10', for: 1m, labels: {severity: '{{ if gt $value 15.0 }}page{{ end }}'}}
  - {alert: Hot, expr: 'job:heat:max{of="min"} > 100', keep_firing_for: 2m}
  - {alert: Cool, expr: 'avg_over_time(heat[2m]) < 0.5 or absent(job:hot:max)', for: 1m}
"""


def test_mutants_judged_together_come_to_what_each_comes_to_alone(tmp_path: Path, promtool: Promtool) -> None:
    """Over groups with an interval of their own, a rule that reads what is recorded after it, and rules of one name."""
    sides = {(("side", "l"),): step(1000, 20, back=1700, low=3.0), (("side", "r"),): lambda t: 3.0 + (t > 1300)}
    drill = make(
        tmp_path,
        {"heat": sides},
        MANY,
        expect=[resolves("Hotter"), fires("Hot", within=400), moves("job:hot:max", above=15), quiet(everything_else)],
        every=30,
        interval=30,
    )
    (clean,) = under([drill], MANY, promtool)
    given = [m for known in clean.rules.known for m in mutants(known.rule)]
    together = trials.trials(clean, given, promtool)
    chosen = range(1, len(given), 3)  # every third one, for the time that a run of its own takes
    alone = in_parallel(lambda i: trials.alone(clean, given[i], promtool), chosen)
    assert len({t.fate for t in together}) == 2
    assert sum(t.seen.startswith("moves(job:hot:max) fails") for t in together) >= 1
    for i, one in zip(chosen, alone, strict=True):
        assert together[i] == one, (given[i].original.name, given[i].operator.name, given[i].was)


@pytest.mark.parametrize(
    "reader",
    [
        {"expr": 'count(ALERTS{alertstate="firing", alertname!="Storm"}) > 1'},
        {"expr": 'count({__name__=~"job:.*|driftdrill.*"} > 10) > 1'},
        {"expr": "heat > 1000", "labels": {"also": '{{ query "ALERTS" }}'}},
        {"expr": r"heat{side=~`\d`} > 1000 and ALERTS"},
    ],
    ids=["ALERTS", "a pattern", "a template's query", "what cannot be read"],
)
def test_a_rule_that_reads_others_at_large_sees_one_mutant_at_a_time(
    tmp_path: Path, promtool: Promtool, reader: dict
) -> None:
    rules = (
        HOT + "  - {record: 'job:heat:max', expr: 'max(heat)'}\n  - " + json.dumps({"alert": "Storm"} | reader) + "\n"
    )
    expect = [fires("Hot", within=300), quiet("Storm")]
    drill = make(tmp_path, {"heat": step(1000, 20, back=1700)}, rules, expect=expect)
    made = found(drill, rules, promtool, only=["Hot"], operators=["threshold.double", "for.drop"])
    assert of(made, "threshold.double").fate == "KILLED"
    assert of(made, "for.drop").fate == "SURVIVED"


def test_an_inhibitor_that_is_not_judged_costs_no_run_for_each_mutant(
    tmp_path: Path, promtool: Promtool, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = HOT + "  - {alert: InfoInhibitor, expr: 'ALERTS == 1 unless on (alertname) ALERTS{alertname=\"Hot\"}'}\n"
    drill = make(tmp_path, {"heat": step(1000, 20, back=1700)}, rules, expect=[fires("Hot")])
    monkeypatch.setattr(trials, "alone", None)
    made = found(drill, rules, promtool)
    assert of(made, "threshold.double").fate == "KILLED"
    assert made.left_out == {"InfoInhibitor": "fires always by design"}


def test_a_mutant_that_cannot_be_evaluated_is_told_and_not_counted(tmp_path: Path, promtool: Promtool) -> None:
    rules = HOT + "  - {alert: Ratio, expr: 'sum by (job) (heat) / on (job) heat{side=\"l\"} > 30'}\n"
    sides = {(("side", "l"),): step(1000, 20, back=1700), (("side", "r"),): lambda t: 1.0}
    drill = make(tmp_path, {"heat": sides}, rules, expect=[fires("Hot", within=300), quiet("Ratio")])
    made = found(drill, rules, promtool)
    spoilt = of(made, "selector.drop", "Ratio")
    assert spoilt.fate == "INVALID"
    assert "many-to-many matching not allowed" in spoilt.seen
    assert made.counts["INVALID"] == 1
    assert made.share == made.counts["KILLED"] / (len(made.mutants) - 1)
    assert "many-to-many" in mutation_text.render(made)


def test_a_mutant_that_no_recording_reaches_is_not_covered(tmp_path: Path, promtool: Promtool) -> None:
    rules = HOT + "  - {alert: Cold, expr: cold_seconds < 1}\n"
    drill = make(tmp_path, {"heat": step(1000, 20, back=1700)}, rules, expect=[fires("Hot"), quiet("Cold")])
    made = found(drill, rules, promtool)
    assert {m.fate for m in made.mutants if m.rule == "Cold"} == {"NOT_COVERED"}
    assert of(made, "rule.drop", "Cold").seen == "no scrape had cold_seconds"
    assert made.share == made.counts["KILLED"] / len(made.mutants)
    other = make(tmp_path, {"cold_seconds": lambda t: 2.0}, rules, expect=[quiet("Cold")], name="other.drill")
    both = mutate(under([drill, other], rules, promtool), promtool)
    assert of(both, "comparison.flip", "Cold").recording == "other.drill"


def test_a_rule_that_is_fed_by_absence_is_covered_by_absence(tmp_path: Path, promtool: Promtool) -> None:
    rules = HOT + (
        "  - {record: 'job:cold:absent', expr: 'absent(cold_seconds)'}\n"
        "  - {alert: Gone, expr: 'job:cold:absent == 1', for: 30m}\n"
    )
    drill = make(tmp_path, {"heat": step(1000, 20, back=1700)}, rules, expect=[fires("Hot"), quiet("Cold")])
    assert {m.fate for m in found(drill, rules, promtool, only=["Gone"]).mutants} <= {"KILLED", "SURVIVED"}


def test_what_has_no_mutants_is_named_with_the_reason(tmp_path: Path, promtool: Promtool) -> None:
    rules = HOT + (
        "  - {alert: Watchdog, expr: vector(1)}\n"
        "  - {record: 'a:lonely:b', expr: max(heat)}\n"
        "  - {record: 'a:asked:b', expr: max(heat)}\n"
        r"""  - {alert: Odd, expr: 'heat{side=~`\d`} > 1'}""" + "\n"
    )
    drill = make(tmp_path, {"heat": step(1000, 20)}, rules, expect=[fires("Hot"), moves("a:asked:b", above=15)])
    made = found(drill, rules, promtool)
    assert made.left_out == {
        "Watchdog": "fires always by design",
        "a:lonely:b": "no alert and no expectation reads it",
        "Odd": "its expression cannot be read (rules.yml:9)",
    }
    assert of(made, "rule.drop", "a:asked:b").seen.startswith("moves(a:asked:b) fails")


def test_mutants_whose_alerts_are_too_many_for_one_run_are_judged_in_several(
    tmp_path: Path, promtool: Promtool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The engine's limit of 10,000 is put at two alerts of copies here: a real one takes a minute."""
    ran, real = [], trials.evaluated

    def evaluated(drill: Drill, rules: Rules, *rest: Any) -> Evaluated:
        ran.append(len(rules.alerts) - 1)
        if ran[-1] > 2:
            raise TooManyAlerts("too many")
        return real(drill, rules, *rest)

    drill = make(tmp_path, {"heat": step(1000, 20, back=1700)}, HOT, expect=[fires("Hot")])
    (clean,) = under([drill], HOT, promtool)
    monkeypatch.setattr(trials, "evaluated", evaluated)
    made = trials.together(clean, mutants(clean.rules.known[0].rule), promtool)
    assert [t.fate for t in made] == ["KILLED", "SURVIVED", "KILLED", "SURVIVED", "SURVIVED", "SURVIVED", "KILLED"]
    assert sorted(ran) == [1, 2, 2, 2, 3, 4, 7]


def test_recordings_that_expect_nothing_to_fire_are_refused(tmp_path: Path, promtool: Promtool) -> None:
    calm = make(tmp_path, {"heat": lambda t: 1.0}, HOT, expect=[quiet(everything_else)])
    with pytest.raises(UsageError, match="would hold if every rule were gone"):
        found(calm, HOT, promtool)


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"only": ["Hott"]}, "no rule is named 'Hott'"),
        ({"operators": ["for.dorp"]}, "no operator is named 'for.dorp'"),
        ({"operators": ["absent.drop"]}, "no such mutant"),
    ],
)
def test_a_name_that_there_is_not_is_refused(tmp_path: Path, promtool: Promtool, how: dict, told: str) -> None:
    drill = make(tmp_path, {"heat": step(1000, 20)}, HOT, expect=[fires("Hot")])
    with pytest.raises(UsageError, match=told):
        found(drill, HOT, promtool, **how)


def test_the_command_tells_survivors_writes_json_and_fails_under_a_share(cli: Cli) -> None:
    drill = make(cli.folder, {"heat": step(1000, 20, back=1700)}, HOT, expect=[fires("Hot", within=300)]).path
    done = cli("mutate", drill, "--rules", drill / "rules" / "00.yml", "--json", "all.json")
    assert done.code == 0, done
    assert "43% KILLED · 4 SURVIVED" in done.out
    made = from_json((cli.folder / "all.json").read_bytes())
    assert made.share == 3 / 7
    assert from_json(made.to_json()) == made
    assert cli("mutate", drill, "--rules", drill / "rules" / "00.yml", "--fail-under", "0.43").code == 1
    assert cli("mutate", drill, "--rules", drill / "rules" / "00.yml", "--fail-under", "0.42").code == 0


def test_the_command_refuses_recordings_that_do_not_hold(cli: Cli) -> None:
    rules = cli.folder / "rules.yml"
    rules.write_text(HOT)
    good = make(cli.folder, {"heat": step(1000, 20)}, HOT, expect=[fires("Hot")], name="good.drill").path
    bad = make(cli.folder, {"heat": step(1000, 9)}, HOT, expect=[fires("Hot")], name="bad.drill").path
    void = make(cli.folder, {"heat": step(1000, 20)}, HOT, expect=[fires("Hot")], end=False, name="void.drill").path
    failed = cli("mutate", good, bad, "--rules", rules)
    assert_told(failed.refused(1), "1 of 2 recordings do not hold under the rules as they are", "leave these out")
    assert "bad.drill" in failed.out
    assert "good.drill" not in failed.out
    assert cli("mutate", good, void, "--rules", rules).code == 3


def test_mutants_of_another_version_are_refused() -> None:
    from driftdrill.reports.data.verdict import UnknownSchema

    other = json.dumps({"schema": 99, "mutants": [], "rules": [], "recordings": [], "engine": ""}).encode()
    for text in (b"{", b"[]", other):
        with pytest.raises(UnknownSchema):
            from_json(text)

"""What promtool answers is taken for an answer only if every due evaluation is in it."""

from pathlib import Path

import pytest

from driftdrill.harness.errors import MonitoringError
from driftdrill.harness.judge.engine.evaluate import evaluate
from driftdrill.harness.judge.engine.promtool_run import repeatable
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.stack.prometheus.promtool import Promtool, find_binary, find_promtool
from driftdrill.stack.rules.files import parse
from tests.harness.judge.by_hand import samples

RULES = "groups: [{name: g, rules: [{alert: Hot, expr: heat > 10}]}]"


def rules(text: str = RULES) -> Rules:
    return Rules(parse(text, "rules.yml"))


def lying(folder: Path, does: str) -> Promtool:
    """A promtool that is real but for what ``does`` to its answer."""
    program = folder / "promtool"
    program.write_text(f'#!/bin/sh\n{find_binary("promtool")} "$@" > out 2>&1; code=$?\n{does}\n')
    program.chmod(0o755)
    return Promtool((str(program),), "2.42.0", "binary")


@pytest.mark.parametrize(
    "does",
    [
        "exit $code",  # says nothing
        "grep -v '0@15000' out; exit $code",  # leaves one evaluation out
        "head -c 400 out; exit $code",  # is cut off
        "cat out; exit 0",  # says that all is well
        "echo 'FAILED: rules.yml: 5:3: unknown field'; exit 1",  # refuses the rules
    ],
)
def test_an_answer_that_lacks_an_evaluation_is_an_error(tmp_path: Path, does: str) -> None:
    heat = samples("heat", dict.fromkeys([0.0, 15.0, 30.0, 45.0], 20.0))
    whole = evaluate([heat], rules(), lying(tmp_path, "cat out; exit $code"), end=60.0, interval=15.0)
    assert [t.alert for t in whole.alerts] == ["Hot"]
    with pytest.raises(MonitoringError, match="did not evaluate the rules at every moment"):
        evaluate([heat], rules(), lying(tmp_path, does), end=60.0, interval=15.0)


def test_whatever_stands_in_a_label_reaches_the_engine_and_comes_back() -> None:
    odd = {"p": "\x01\x7f\x80\ufffe\uffff\u2028'\"\\ \n{}😀", "my.label": "x", "é": "ü"}
    values = {0.0: 5e-324, 15.0: -0.0, 30.0: 1.7976931348623157e308, 45.0: 20.0}
    text = "groups: [{name: g, rules: [{alert: Hot, expr: heat > 0}, {alert: Below, expr: 1 / heat < 0}]}]"
    done = evaluate([samples("heat", values, **odd)], rules(text), find_promtool(), end=60.0, interval=15.0)
    found = {t.alert: ([(i.start, i.end) for i in t.intervals], t.labels) for t in done.alerts}
    labels = {"job": "m", "instance": "i", **odd}
    assert found["Hot"] == ([(0, 15), (30, 75)], labels)
    assert found["Below"] == ([(15, 30)], labels)


def test_two_rules_of_one_name_are_told_apart_also_with_equal_labels() -> None:
    text = """
groups:
- name: g
  rules:
  - {alert: Burn, expr: heat > 100}
  - {alert: Burn, expr: heat > 10}
  - {alert: Burn, expr: heat > 10, labels: {severity: ticket}}
"""
    heat = samples("heat", dict.fromkeys([0.0, 15.0, 30.0, 45.0], 20.0))
    done = evaluate([heat], rules(text), find_promtool(), end=60.0, interval=15.0)
    assert [(t.rule, t.where, "driftdrill_rule" in t.labels) for t in done.alerts] == [
        (1, "rules.yml:6", False), (2, "rules.yml:7", False),
    ]  # fmt: skip


def test_a_rule_that_errors_at_some_moments_is_judged_at_the_others_and_so_is_what_reads_it() -> None:
    text = """
groups:
- name: g
  rules:
  - {record: 'joined', expr: 'heat * on (job) group_left (version) build'}
  - {alert: Hot, expr: 'joined > 10', for: 30s}
  - {alert: Joined, expr: 'heat * on (job) group_left (version) build > 10', for: 30s}
"""
    ticks = [15.0 * n for n in range(12)]
    heat = samples("heat", dict.fromkeys(ticks, 20.0))
    builds = [
        samples("build", dict.fromkeys(ticks, 1.0), version="1"),
        samples("build", dict.fromkeys(ticks[4:8], 1.0) | {ticks[8]: float("nan")}, version="2"),
    ]
    builds[1].values[-1:].view("uint64")[:] = 0x7FF0000000000002  # a stale marker
    done = evaluate([heat, *builds], rules(text), find_promtool(), end=165.0, interval=15.0)
    assert {i: e.times for i, e in done.errors.items()} == dict.fromkeys([0, 2], (60, 75, 90, 105))
    assert "many-to-many" in done.errors[0].why
    spans = {t.alert: [(i.start, i.end, i.state) for i in t.intervals] for t in done.alerts}
    # An error leaves the alert's own state as it was, and the last recorded samples, which are seen for five minutes.
    assert spans["Joined"] == [(0, 30, "pending"), (30, 180, "firing")]
    assert spans["Hot"] == [(0, 30, "pending"), (30, 180, "firing")]


def test_an_error_of_the_engine_is_the_same_words_whichever_series_it_names() -> None:
    def said(*sides: str) -> str:
        series = ", ".join(f'{{job="m", s="{side}"}}' for side in sides)
        where = 'for the match group {job="m"} on the right hand-side of the operation'
        return f"found duplicate series {where}: [{series}];many"

    told = "found duplicate series for the match group {job} on the right hand-side of the operation; many"
    assert {repeatable(said("a", "b}")), repeatable(said('c\\"', "a"))} == {told}
    assert repeatable('invalid label name "a-b"') == 'invalid label name "a-b"'

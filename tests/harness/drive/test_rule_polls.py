"""What a real Prometheus says of its rules, polled: a reload of the same text is nothing, all else is told."""

import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftdrill.harness.drive.rule_polls import RulePolls
from driftdrill.harness.judge.findings.evaluations import observations, reasons, ticks
from driftdrill.harness.recording.reader import open_recording
from driftdrill.harness.recording.writer import Writer
from driftdrill.stack.prometheus.api import Server, reload, rules
from driftdrill.stack.prometheus.server import prometheus
from tests.harness.command import eventually
from tests.harness.made import make

RULES = """\
groups:
- {{name: g, rules: [{{alert: A, expr: vector(1) > 0, for: 1s}}, {{alert: B, expr: vector(1) > 2}}]}}
- {{name: other, rules: [{{alert: C, expr: vector(1)}}, {{alert: D, expr: 'label_replace({}, "a", "z", "", "")'}}]}}
""".format(" or ".join(f'label_replace(vector(1), "a", "{a}", "", "")' for a in "xy"))


@pytest.fixture
def served(prometheus_binary: str, tmp_path: Path) -> Iterator[tuple[Server, Path]]:
    file = tmp_path / "rules.yml"
    file.write_text(RULES)
    with prometheus(
        rule_files=[file], evaluation_interval=1, how="binary", binary=prometheus_binary, reloadable=True
    ) as server:
        eventually(lambda: all(g.evaluated_at for g in rules(server)), "every group is evaluated")
        yield server, file


@pytest.fixture
def polls(served: tuple[Server, Path], tmp_path: Path) -> tuple[RulePolls, Writer]:
    writer = Writer(tmp_path / "polled.drill", make(tmp_path, {}, "groups: []", end=False, name="template.drill").meta)
    return RulePolls(served[0], time.time(), frozenset({"g"})), writer


def poll(polls: tuple[RulePolls, Writer], at: float) -> list[dict[str, object]]:
    polls[0].step(polls[1], at)
    return open_recording(polls[1].path).events()


def loaded(server: Server) -> list[str]:
    return [r.expr for g in rules(server) for r in g.rules]


def test_a_reload_of_the_same_text_is_no_change_and_no_missed_evaluation(
    served: tuple[Server, Path], polls: tuple[RulePolls, Writer]
) -> None:
    server, _ = served
    began = time.monotonic()
    for number in range(6):
        found = poll(polls, time.monotonic() - began)
        before = max(g.evaluated_at or 0 for g in rules(server))
        if number == 2:
            reload(server)
        eventually(lambda before=before: min(g.evaluated_at or 0 for g in rules(server)) > before, "another evaluation")
    assert reasons(found) == []
    (group,) = [t for t in ticks(found) if t.group == "g"]
    assert group.due >= 4
    assert group.rules == {"A", "B"}
    assert not any("errors" in e for e in found)


def changed(served: tuple[Server, Path], polls: tuple[RulePolls, Writer], text: str, sign: str) -> list[str]:
    """What is said after the files hold another text."""
    server, _ = served
    poll(polls, 0.0)
    for copy in Path(rules(server)[0].file).parent.glob("*"):
        if copy.read_text() == RULES:
            copy.write_text(text)
    reload(server)
    eventually(lambda: (sign in str(loaded(server))) == (sign in text), "the new text is loaded")
    return reasons(poll(polls, 10.0)) + reasons(poll(polls, 20.0))[1:]


def test_a_rule_whose_text_changed_makes_the_drill_invalid(
    served: tuple[Server, Path], polls: tuple[RulePolls, Writer]
) -> None:
    (said,) = changed(served, polls, RULES.replace("vector(1) > 0", "vector(1) > 7"), "> 7")
    assert "rule 'A' of group 'g' was changed in mid-drill: 'vector(1) > 0, for 1s' is 'vector(1) > 7, for 1s'" in said


def test_a_group_that_was_taken_out_lost_its_state(
    served: tuple[Server, Path], polls: tuple[RulePolls, Writer]
) -> None:
    (said,) = changed(served, polls, RULES.replace("name: g,", "name: h,"), "nothing of it")
    assert "group 'g' was taken out in mid-drill: the state of its rules is lost" in said


def test_what_is_none_of_the_drills_rules_may_change(
    served: tuple[Server, Path], polls: tuple[RulePolls, Writer]
) -> None:
    assert changed(served, polls, RULES.replace("expr: vector(1)}", "expr: vector(5)}"), "vector(5)") == []


def test_a_rule_that_cannot_be_evaluated_is_told_with_the_engines_words(
    served: tuple[Server, Path], polls: tuple[RulePolls, Writer]
) -> None:
    other = RulePolls(served[0], time.time(), frozenset({"other"}))
    other.step(polls[1], 0.0)
    (said,) = observations(open_recording(polls[1].path).events())
    assert said.startswith("D could not be evaluated at 1 polls: vector cannot contain metrics with the same labelset")

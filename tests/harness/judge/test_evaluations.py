"""Evaluations that a live server missed, and rules that did not stay what they were."""

from pathlib import Path
from typing import Any

from driftdrill.harness.judge.findings.evaluations import erring, observations, reasons, ticks, unevaluated
from driftdrill.harness.judge.judge import judge
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.stack.rules.files import parse
from tests.harness.made import make

GROUPS = {"event": "rule_groups", "at": 0.0, "groups": [{"name": "g", "file": "f", "interval": 5.0, "rules": ["A"]}]}
KNOWN = Rules(tuple(parse("groups: [{name: g, rules: [{alert: A, expr: x > 1}]}]", "r.yml"))).known[0]


def polled(evaluated: list[float], end: float = 600.0, every: float = 2.5, phase: float = 0.4) -> list[dict[str, Any]]:
    """The polls of a group that was evaluated at these moments."""
    out, shown = [GROUPS], None
    at = phase
    while at < end:
        now = max((t for t in evaluated if t <= at), default=None)
        out.append({"event": "evaluations", "at": at, "last": {} if now in (shown, None) else {"0": now}})
        shown, at = now, at + every
    return out


EVERY = [1.0 + 5.0 * k for k in range(-1, 120)]


def test_a_group_that_was_evaluated_at_every_tick_is_judged() -> None:
    for phase in (0.1, 1.3, 2.4):
        assert observations(polled(EVERY, phase=phase)) == []
        # Polls that come once an interval, or late, are no reason either.
        assert observations(polled(EVERY, phase=phase, every=5.1)) == []
        assert observations(polled(EVERY, phase=phase, every=23.0)) == []
    assert unevaluated(polled(EVERY), KNOWN) is None
    (found,) = ticks(polled(EVERY))
    assert (found.due, found.missed) == (120, 0)
    assert ticks([]) == []
    assert ticks([GROUPS, {"event": "evaluations", "at": 1.0, "last": {}}]) == []


def test_up_to_5_percent_of_missed_evaluations_are_an_observation_and_more_are_not_judged() -> None:
    few = polled([t for i, t in enumerate(EVERY) if i not in (20, 50, 51, 52, 80)])
    assert observations(few) == ["group 'g' missed 5 of 120 evaluations"]
    assert unevaluated(few, KNOWN) is None

    many = polled([t for i, t in enumerate(EVERY) if not 20 <= i < 27])
    assert observations(many) == ["group 'g' missed 7 of 120 evaluations: its rules are not judged"]
    assert unevaluated(many, KNOWN) == "group 'g' missed 7 of 120 evaluations"
    other = Rules(tuple(parse("groups: [{name: h, rules: [{alert: A, expr: x > 1}]}]", "r.yml"))).known[0]
    assert unevaluated(many, other) is None


def test_a_group_whose_evaluations_end_in_mid_drill_is_not_judged() -> None:
    assert unevaluated(polled(EVERY[:60]), KNOWN) == "group 'g' missed 61 of 120 evaluations"


def test_rules_that_were_changed_make_the_drill_invalid_and_errors_are_told() -> None:
    assert reasons([{"event": "rules_changed", "at": 3.0, "what": ["rule 'A' was changed"]}]) == [
        "rule 'A' was changed"
    ]
    failing = [
        GROUPS,
        {"event": "evaluations", "at": 1.0, "last": {"0": 0.0}, "errors": {"0.0": "many-to-many"}},
        {"event": "evaluations", "at": 3.0, "last": {}},
        {"event": "evaluations", "at": 6.0, "last": {"0": 5.0}, "errors": {"0.0": ""}},
    ]
    assert observations(failing) == ["A could not be evaluated at 2 polls: many-to-many"]


def test_of_two_rules_of_one_name_the_one_in_error_is_not_judged() -> None:
    group = {"name": "g", "file": "f", "interval": 5.0, "rules": ["A", "A"]}
    events = [
        {"event": "rule_groups", "at": 0.0, "groups": [group]},
        {"event": "evaluations", "at": 1.0, "last": {"0": 0.0}, "errors": {"0.1": "many-to-many"}},
    ]
    text = "groups: [{name: g, rules: [{alert: A, expr: x > 9}, {alert: A, expr: x > 1}]}]"
    well, ill = Rules(tuple(parse(text, "r.yml"))).known
    assert erring(events, well) is None
    assert erring(events, ill) == "it could not be evaluated at 1 of 1 polls: many-to-many"


def test_a_rule_of_a_page_that_was_not_scraped_in_the_fault_is_not_judged(tmp_path: Path) -> None:
    """A job with an interval of its own, longer than the fault; unless it is a fault that takes the page away."""
    slow = {(("job", "slow"),): lambda t: 1.0 if t < 850 or t > 1850 else None}
    text = "groups: [{name: g, rules: [{alert: Slow, expr: s > 10}, {alert: Fast, expr: heat > 10}]}]"
    series = {"up": {(): lambda t: 1.0, **slow}, "s": slow, "heat": lambda t: 1.0}

    def words(folder: str, **fault: object) -> list[tuple[str, str]]:
        meta = {"faults": [{"name": "fault", "held": False, **fault}]}
        verdict = judge(make(tmp_path / folder, series, text, meta=meta))
        return [(r.word, r.note) for r in verdict.responses if r.alert == "Slow"]

    assert words("1") == [("NOT_JUDGED", "no page that it reads was scraped in the fault")]
    assert words("2", on_pages=["down"])[0][0] == "SILENT"

"""Which rules read what others make: look-back adds up along the way, in time linear in the rules."""

import time

import pytest

from driftdrill.harness.judge.rules.reading import circles, followed
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.stack.rules.files import parse


def look_backs(*lines: str) -> dict[str, float]:
    text = "groups:\n- name: g\n  rules:\n" + "".join(f"  - {line}\n" for line in lines)
    return {k.rule.name: k.look_back for k in Rules(parse(text, "rules.yml")).known}


def test_look_back_adds_up_through_recording_rules_and_offsets() -> None:
    found = look_backs(
        "{record: 'a:r', expr: 'rate(a_total[5m])'}",
        "{record: 'b:r', expr: 'max_over_time(a:r[10m] offset 1m)'}",
        "{alert: C, expr: 'avg_over_time(b:r[15m]) > 1 or rate(a_total[20m]) > 1'}",
    )
    assert found == {"a:r": 300, "b:r": 960, "C": 1860}


def test_a_rule_on_alerts_looks_back_as_far_as_they_do_and_waits_their_for() -> None:
    found = look_backs(
        "{alert: Base, expr: 'rate(a_total[5m]) > 1', for: 10m, keep_firing_for: 1m}",
        "{alert: Other, expr: 'rate(a_total[1h]) > 1', labels: {severity: page}}",
        '{alert: On, expr: \'ALERTS{alertname="Base",alertstate="firing"} == 1\'}',
        "{alert: Pages, expr: 'count(ALERTS{severity=\"page\"}) > 0'}",
        '{alert: Tickets, expr: \'count(ALERTS{severity="ticket",alertname!="Tickets"}) > 0\'}',
    )
    assert found["On"] == 300 + 600 + 60
    # Base has no severity of its own, so that its series may: nothing tells that they have not.
    assert (found["Pages"] >= 3600, found["Base"]) == (True, 300)


def test_rules_that_read_each_other_in_a_circle_take_what_all_of_them_take() -> None:
    found = look_backs(
        "{record: 'a:r', expr: 'max_over_time(b:r[5m])'}",
        "{record: 'b:r', expr: 'a:r + rate(x_total[10m])'}",
        "{record: 'own', expr: 'own offset 1m + 1'}",
    )
    assert found == {"a:r": 900, "b:r": 900, "own": 60}


def test_a_graphs_circles_come_after_what_they_read() -> None:
    assert circles([[1], [2], [0, 3], [], [0]]) == [[3], [0, 1, 2], [4]]
    assert circles([[0], []]) == [[0], [1]]
    assert circles([]) == []


def test_a_deep_chain_is_no_recursion() -> None:
    assert len(circles([[i + 1] for i in range(20_000)] + [[]])) == 20_001


@pytest.mark.parametrize("count", [9, 200])
def test_rules_that_read_everything_are_followed_in_no_time(count: int) -> None:
    """Nine of them once took 46 s: every order in which they can read each other was tried."""
    rules = [f"{{record: 'r{i}', expr: 'count({{__name__=~\".+\"}}) + {i}'}}" for i in range(count)]
    since = time.process_time()
    assert set(look_backs(*rules).values()) == {0.0}
    assert time.process_time() - since < 20


def test_what_a_rule_needs_in_the_end_is_scraped() -> None:
    text = """
groups:
- name: g
  rules:
  - {record: 'a:r', expr: 'rate(a_total[5m])'}
  - {alert: A, expr: 'a:r > 1 and on () (hour() > 8)'}
  - {alert: B, expr: 'ALERTS{alertname="A"} == 1 and c > 1'}
"""
    record, a, b = followed([k.rule for k in Rules(parse(text, "rules.yml")).known])
    assert (record.metrics, record.reads_clock) == (frozenset({"a_total"}), False)
    assert (a.metrics, a.reads_clock) == (frozenset({"a_total"}), True)
    assert (b.metrics, b.reads_clock) == (frozenset({"a_total", "c"}), True)

"""The fold of ALERTS into intervals, and what is fed to it, on values whose answer is known."""

import math

import numpy as np

from driftdrill.harness.judge.engine.evaluate import evaluate, needed
from driftdrill.harness.judge.engine.fold import fold, from_server, live_phases, place, tracks
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.stale import STALE
from driftdrill.reports.data.timeline import AlertTrack, Interval
from driftdrill.stack.prometheus.promtool import find_promtool
from driftdrill.stack.rules.files import parse
from tests.harness.judge.by_hand import samples


def key(**labels: str) -> tuple[tuple[str, str], ...]:
    return tuple(sorted({"__name__": "ALERTS", "alertname": "Hot", "alertstate": "firing", **labels}.items()))


def folded(*times: float, step: float = 15.0, **labels: str) -> list[tuple[float, float]]:
    (found,) = fold({key(**labels): times}, lambda labels: None, lambda known: step)
    return [(i.start, i.end) for i in found.intervals]


def test_one_evaluation_without_the_alert_ends_its_interval() -> None:
    """An evaluation that is missing leaves a gap of two steps; jitter of less than half a step leaves none."""
    assert folded(15, 30, 45) == [(15, 60)]
    assert folded(15, 30, 60, 75) == [(15, 45), (60, 90)]
    assert folded(15, 30, 52.5) == [(15, 67.5)]
    assert folded(15, 30, 52.501) == [(15, 45), (52.501, 67.501)]
    assert folded(15, 75) == [(15, 30), (75, 90)]
    assert folded(60, 15, 30) == [(15, 45), (60, 75)]
    assert folded(0.1 + 0.2) == [(0.3, 15.3)]
    assert folded(15, 30, 75, step=30) == [(15, 105)]
    assert folded() == []


def test_the_step_is_that_of_the_alerts_own_group() -> None:
    steps = {"Hot": 60.0, "Cold": 15.0}
    alerts = {key(): [0.0, 60.0], key(alertname="Cold"): [0.0, 60.0]}
    two = place(rules("groups: [{name: g, rules: [{alert: Hot, expr: a}, {alert: Cold, expr: a}]}]"))
    found = fold(alerts, two, lambda known: steps[known.rule.name if known else ""])
    assert {t.alert: [(i.start, i.end) for i in t.intervals] for t in found} == {
        "Hot": [(0, 120)],
        "Cold": [(0, 15), (60, 75)],
    }


def test_states_of_one_instance_are_one_track_in_order_of_time() -> None:
    alerts = {
        key(bin="a"): [30.0, 90.0],
        key(bin="a", alertstate="pending"): [15.0, 75.0],
        key(bin="b"): [15.0],
        tuple((k, v) for k, v in key(bin="c") if k != "alertstate"): [15.0],
    }
    a, b, c = fold(
        alerts, lambda labels: None, lambda known: 15.0, {(("alertname", "Hot"), ("bin", "a")): {"summary": "hot"}}
    )
    assert a == AlertTrack(
        "Hot",
        {"bin": "a"},
        (
            Interval(15, 30, "pending"),
            Interval(30, 45, "firing"),
            Interval(75, 90, "pending"),
            Interval(90, 105, "firing"),
        ),
        {"summary": "hot"},
    )
    assert (b.labels, b.annotations) == ({"bin": "b"}, {})
    assert c.intervals == (Interval(15, 30, "firing"),)


RULES = """
groups:
- name: fast
  labels: {team: ml}
  rules:
  - {alert: Hot, expr: heat > 10, labels: {severity: page, value: '{{ $value }}'}}
- name: slow
  interval: 1m
  rules:
  - {record: 'heat:max', expr: max(heat)}
  - {alert: Slow, expr: 'heat:max > 10'}
"""


def rules(text: str = RULES) -> Rules:
    return Rules(tuple(parse(text, "rules.yml")))


def test_what_a_live_server_made_is_folded_by_each_groups_interval_and_stale_markers_end_it() -> None:
    def alerts(name: str, points: dict[float, float], **labels: str):
        return samples("ALERTS", points, alertname=name, alertstate="firing", **labels)

    found = from_server(
        [
            alerts("Slow", {60: 1, 120: 1, 180: STALE}),
            alerts("Hot", {15: 1, 30: 1, 45: STALE}, z="2"),
            alerts("Hot", {60: 1}, a="1"),
            alerts("Unknown", {0: 1, 15: 1}),
            samples("heat:max", {60: 1}),
        ],
        rules(),
        15.0,
    )
    told = [(t.alert, t.labels.get("a"), [(i.start, i.end) for i in t.intervals]) for t in found]
    assert told == [
        ("Hot", "1", [(60, 75)]),
        ("Hot", None, [(15, 45)]),
        ("Slow", None, [(60, 180)]),
        ("Unknown", None, [(0, 30)]),
    ]


def test_a_live_groups_phase_is_its_first_sample() -> None:
    hot = {"alertname": "Hot", "team": "ml", "severity": "page", "value": "12"}
    stream = [
        samples("ALERTS", {22.5: 1}, **hot),
        samples("ALERTS", {7.25: 1}, **hot, bin="b"),
        samples("ALERTS", {1: 1}, **{**hot, "team": "other"}),
        samples("ALERTS", {1: 1}, **{**hot, "severity": "none"}),
        samples("heat:max", {}, job="m"),
        samples("heat:max", {41.5: 1}),
    ]
    assert live_phases(stream, rules()) == [7.25, 41.5]
    assert live_phases(stream[:1], rules()) == [22.5, 0.0]


def test_a_series_that_is_not_a_number_is_a_gap() -> None:
    one, two = tracks(
        {
            (("__name__", "b"), ("bin", "x")): ([0.0, 15.0], [1.0, math.nan]),
            (("__name__", "a"),): ([0.0], [math.inf]),
        }
    )
    assert (one.name, one.values, one.labels) == ("a", (math.inf,), {})
    assert (two.name, two.times, two.values, two.labels) == ("b", (0.0, 15.0), (1.0, None), {"bin": "x"})


def test_only_what_rules_and_expressions_read_is_evaluated() -> None:
    every = [samples(name, {0: 1}) for name in ("heat", "cold", "other")]

    def names(found: list) -> list[str]:
        return [s.labels["__name__"] for s in found]

    assert names(needed(every, rules().known, [])) == ["heat"]
    assert names(needed(every, rules().known, [frozenset({"other"})])) == ["heat", "other"]
    assert names(needed(every, rules().known, [frozenset({"other"}), None])) == ["heat", "cold", "other"]
    anything = "groups: [{name: g, rules: [{alert: Hot, expr: '{job=\"m\"} > 1'}]}]"
    assert names(needed(every, rules(anything).known, [])) == ["heat", "cold", "other"]


CHAIN = """
groups:
- {name: fast, rules: [{alert: Hot, expr: 'heat:max > 10'}]}
- {name: slow, interval: 1m, rules: [{record: 'heat:max', expr: max(heat)}]}
"""


def test_a_recorded_series_that_vanished_is_gone_for_the_groups_that_read_it(prometheus_binary: str) -> None:
    """Heat is gone from 605 to 665 s, at one evaluation of the slower group; what that recorded of it ends at once.

    Without a stale marker the sample of 600 s would be found until there is another.
    """
    heat = samples("heat", dict.fromkeys([*np.arange(5.0, 600, 15), *np.arange(665.0, 1190, 15)], 20.0))
    ended = samples("heat", {605.0: STALE})
    heat = type(heat)(heat.labels, *_merged(heat, ended))
    made = evaluate([heat], rules(CHAIN), find_promtool(), end=1200.0, interval=15.0)
    assert made.errors == {}
    (hot,) = made.alerts
    assert [(i.start, i.end) for i in hot.intervals] == [(60, 660), (720, 1215)]


def _merged(*parts) -> tuple[np.ndarray, np.ndarray]:
    times = np.concatenate([p.times for p in parts])
    order = np.argsort(times)
    return times[order], np.concatenate([p.values for p in parts])[order]

"""ALERTS become a timeline, whoever made them: promtool, or a live server."""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence

import numpy as np

from driftdrill.harness.judge.engine.promtool_run import Key, Points
from driftdrill.harness.judge.rules.analysed import ALERTS
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import AlertTrack, Interval, Labels, Track
from driftdrill.stack.rules.files import Group, Rule

PLACE = "driftdrill_rule"
"""A label that tells the alerts of two rules of one name apart, while the engine has them."""
Placing = Callable[[Labels], KnownRule | None]
"""The labels of an alert's instance, alertname among them -> its rule."""


def place(rules: Rules) -> Placing:
    """Which rule an instance is of: by the place that it was marked with, else by its name and the rule's labels."""
    by_name: dict[str, list[KnownRule]] = {}
    for known in rules.alerts:
        by_name.setdefault(known.rule.name, []).append(known)

    def placed(labels: Labels) -> KnownRule | None:
        marked = labels.get(PLACE)
        if marked is not None:
            return rules.known[int(marked)]
        fitting = [k for k in by_name.get(labels.get("alertname", ""), []) if k.labels.items() <= labels.items()]
        return max(fitting, key=lambda k: len(k.labels), default=None)

    return placed


def alike(rules: Rules) -> frozenset[str]:
    """The names of alerts that ALERTS cannot tell apart: of several rules with one name and labels."""
    seen = Counter((k.rule.name, tuple(sorted(k.labels.items()))) for k in rules.alerts)
    return frozenset(name for (name, _), count in seen.items() if count > 1)


def alert_times(found: Points) -> dict[Key, Sequence[float]]:
    """When each series of ALERTS had a sample, seconds."""
    return {key: times for key, (times, _) in found.items() if dict(key).get("__name__") == ALERTS}


def fold(
    alerts: Mapping[Key, Sequence[float]],
    placed: Placing,
    interval: Callable[[KnownRule | None], float],
    annotations: Mapping[Key, dict[str, str]] | None = None,
) -> list[AlertTrack]:
    """ALERTS samples -> pending and firing intervals; ``alerts`` maps labels to evaluation times, seconds.

    ``interval`` is that of a rule's group, seconds. An interval of a state ends at the first evaluation without the
    sample: a gap of more than 1.5 evaluations ends it. An alert is visible from its evaluation on, which is its
    group's ``query_offset`` after the time of its sample.
    """
    found: dict[Key, list[Interval]] = {}
    for key, times in alerts.items():
        labels = {k: v for k, v in key if k != "__name__"}
        state = labels.pop("alertstate", "firing")
        known = placed(labels)
        step = interval(known)
        into = found.setdefault(tuple(sorted(labels.items())), [])
        moments = np.array(sorted(times)) + _visible_after(known, step)
        for part in np.split(moments, np.flatnonzero(np.diff(moments) > 1.5 * step) + 1):
            if len(part):
                end = round(float(part[-1]) + step, 3)
                into.append(Interval(round(float(part[0]), 3), end, "pending" if state == "pending" else "firing"))
    out = []
    for key, spans in found.items():
        labels = dict(key)
        known = placed(labels)
        where, index = ("", None) if known is None else (known.where, known.index)
        shown = {k: v for k, v in labels.items() if k not in ("alertname", PLACE)}
        ordered = tuple(sorted(spans, key=lambda i: i.start))
        said = (annotations or {}).get(key, {})
        out.append(AlertTrack(labels.get("alertname", ""), shown, ordered, said, where, index))
    return out


def _visible_after(known: KnownRule | None, step: float) -> float:
    """Seconds from a sample of ALERTS to the evaluation that made it, as seen at whole evaluations."""
    offset = known.group.query_offset if known is not None else None
    return math.floor((offset or 0.0) / step) * step


def order(track: AlertTrack) -> tuple[str, int, list[tuple[str, str]]]:
    """By name, place of the rule, and labels."""
    return track.alert, -1 if track.rule is None else track.rule, sorted(track.labels.items())


def tracks(found: Points, gaps: bool = True) -> tuple[Track, ...]:
    """Series as tracks, to twelve digits: the last ones hang on the order in which the engine adds. NaN is a gap, or
    with ``gaps`` false NaN."""
    out = []
    for key, (times, values) in sorted(found.items()):
        labels = dict(key)
        name = labels.pop("__name__", "")
        plain = tuple((None if gaps else v) if math.isnan(v) else float(f"{v:.12g}") for v in values)
        out.append(Track(name, "", tuple(times), plain, labels))
    return tuple(out)


def from_server(samples: Sequence[Samples], rules: Rules, interval: float) -> tuple[AlertTrack, ...]:
    """What a live server made of the rules, from the wall clock's alerts stream, by the same fold."""
    alerts: dict[Key, Sequence[float]] = {
        tuple(sorted(s.labels.items())): (s.times[~s.stale] / 1000).tolist()
        for s in samples
        if s.labels.get("__name__") == ALERTS
    }

    def own(known: KnownRule | None) -> float:
        return (known.group.interval if known is not None else None) or interval

    return tuple(sorted(fold(alerts, place(rules), own), key=order))


def live_phases(samples: Sequence[Samples], rules: Rules) -> list[float]:
    """The first evaluation of each of ``rules.groups`` that left a sample in the wall clock's alerts stream, seconds.

    A live server spreads its groups over their intervals. A group of which nothing is known is evaluated at second 0.
    """
    out = []
    for group in rules.groups:
        made = [s for s in samples if len(s.times) and any(_makes(rule, group, s.labels) for rule in group.rules)]
        out.append(min((int(s.times[0]) for s in made), default=0) / 1000)
    return out


def _makes(rule: Rule, group: Group, labels: Labels) -> bool:
    """Whether a series may be of this rule, as far as its labels are not templates."""
    name = {"__name__": rule.name} if rule.kind == "record" else {"__name__": ALERTS, "alertname": rule.name}
    fixed = {k: v for k, v in {**group.labels, **rule.labels}.items() if v and "{{" not in v}
    return ({k: v for k, v in fixed.items() if k != "alertstate"} | name).items() <= labels.items()

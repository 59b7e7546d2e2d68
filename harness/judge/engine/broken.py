"""Rules that error at some moment, which hides all else: what they made, from their expressions' values.

Follows Prometheus's Group.Eval (rules/group.go) and the Eval of both kinds of rule: an error writes nothing, neither
values nor stale markers; two series that the rule's labels make one are an error, and so are more than its group's
``limit``, which makes an alert forget its state too.
"""

import math
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from driftdrill.harness.judge.engine.automaton import intervals
from driftdrill.harness.judge.engine.promtool_run import Key, Points
from driftdrill.harness.judge.rules.analysed import ALERTS, FOR_STATE
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.recording.stale import STALE
from driftdrill.reports.data.timeline import Interval, Labels
from driftdrill.stack.rules.files import Group, Rule


@dataclass(frozen=True)
class BrokenRule:
    """A rule that errored, and the engine's first words."""

    group: Group
    rule: Rule
    why: str


@dataclass(frozen=True)
class Made:
    """What such a rule made."""

    series: Points
    """Under the labels that the rule gives, but for those that are templates; without a name."""
    errors: frozenset[float]
    """Scenario seconds of the evaluations that failed."""
    forgot: frozenset[float] = frozenset()
    """Those of them at which an alert lost its state."""


def made(broken: BrokenRule, points: Points, failed: Collection[float]) -> Made:
    """From the expression's values, and from when it had none to give."""
    said = {k: v for k, v in {**broken.group.labels, **broken.rule.labels}.items() if "{{" not in v}
    labelled = [
        (tuple(sorted((k, v) for k, v in {**dict(key), **said}.items() if v and k != "__name__")), series)
        for key, series in points.items()
    ]
    number = Counter(t for _, (times, _) in labelled for t in times)
    alike = Counter((key, t) for key, (times, _) in labelled for t in times)
    limit = broken.group.limit or math.inf
    over = {t for t, count in number.items() if count > limit}
    refused = over | {t for (_, t), count in alike.items() if count > 1}
    out: Points = {}
    for key, series in labelled:
        kept = [(t, v) for t, v in zip(*series, strict=True) if t not in refused]
        times, values = out.setdefault(key, ([], []))
        times += [t for t, _ in kept]
        values += [v for _, v in kept]
    ordered = {k: _in_order(times, values) for k, (times, values) in out.items() if times}
    return Made(
        ordered, frozenset({*failed, *refused}), frozenset(over) if broken.rule.kind == "alert" else frozenset()
    )


def _in_order(times: list[float], values: list[float]) -> tuple[list[float], list[float]]:
    pairs = sorted(zip(times, values, strict=True))
    return [t for t, _ in pairs], [v for _, v in pairs]


def states(rule: Rule, found: Made, moments: Iterable[float]) -> dict[Key, tuple[Interval, ...]]:
    """Pending and firing intervals of each instance of an alert, evaluated at ``moments``, seconds."""
    active = {key: times for key, (times, _) in found.series.items()}
    return {k: spans for k, spans in intervals(rule, active, moments, found.errors - found.forgot).items() if spans}


def fed(broken: BrokenRule, found: Made, moments: Sequence[float], step: float, end: float) -> list[Samples]:
    """The series that others read of it: what a recording rule records, an alert's ALERTS and ALERTS_FOR_STATE, whose
    values are scenario seconds."""
    if broken.rule.kind == "record":
        name = {"__name__": broken.rule.name}
        return [
            as_samples({**dict(key), **name}, *series, step, end, found.errors) for key, series in found.series.items()
        ]
    out = []
    # At an error nothing is written, and what was written before is read on.
    written = [t for t in moments if t not in found.errors]
    for key, spans in states(broken.rule, found, moments).items():
        labels = {**dict(key), "alertname": broken.rule.name}
        active = {t: i for t in written for i in spans if i.start <= t < i.end}
        for state in ("pending", "firing"):
            if times := [t for t, i in active.items() if i.state == state]:
                own = {**labels, "__name__": ALERTS, "alertstate": state}
                out.append(as_samples(own, times, [1.0] * len(times), step, end, found.errors))
        since = [float(math.floor(_since(spans, i))) for i in active.values()]
        out.append(as_samples({**labels, "__name__": FOR_STATE}, list(active), since, step, end, found.errors))
    return out


def _since(spans: Sequence[Interval], one: Interval) -> float:
    """Since when an alert is active: what fires was pending just before."""
    before = next((i for i in spans if i.end == one.start and i.state != one.state), None)
    return one.start if before is None or one.state == "pending" else before.start


def as_samples(
    labels: Labels,
    times: Sequence[float],
    values: Sequence[float],
    step: float,
    end: float,
    errors: Collection[float] = frozenset(),
) -> Samples:
    """A series that rules made, as input of the engine: with a stale marker at the first evaluation without it that is
    none of ``errors``."""
    t: list[int] = []
    v: list[float] = []
    for i, (at, value) in enumerate(zip(times, values, strict=True)):
        t.append(round(at * 1000))
        v.append(value)
        following = times[i + 1] if i + 1 < len(times) else math.inf
        gone = at + step
        while round(gone, 3) in errors:
            gone += step
        if following - gone > 0.5 * step and gone <= end:
            t.append(round(gone * 1000))
            v.append(STALE)
    return Samples(labels, np.array(t, dtype=np.int64), np.array(v, dtype=np.float64))

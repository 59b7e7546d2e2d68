"""A recording's samples meet the rules, and one fold makes the timeline, whoever evaluated them."""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

import numpy as np

from driftdrill.harness.judge.engine.batches import Batch, batched
from driftdrill.harness.judge.engine.promtool_run import ALERTS, Axis, Key, Points, run_until_clean
from driftdrill.harness.judge.rules.moments import Clock
from driftdrill.harness.judge.rules.rules import KnownRule, Rules, analyse, union
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.recording.stale import STALE
from driftdrill.reports.data.timeline import AlertTrack, Interval, Labels, Track
from driftdrill.stack.prometheus.promtool import Promtool
from driftdrill.stack.rules.files import Group, Rule

Rebase = Callable[[Sequence[Samples], float], Sequence[Samples]]


@dataclass(frozen=True)
class Evaluated:
    """What the rules made of the samples; times are scenario seconds."""

    alerts: tuple[AlertTrack, ...]
    recorded: tuple[Track, ...]
    series: Mapping[str, tuple[Track, ...]]
    """Further expressions -> their series at every evaluation."""
    errors: Mapping[str, str]
    """Rule name -> why it cannot be evaluated; such a rule is left out, the others are judged."""


def evaluate(
    samples: Sequence[Samples],
    rules: Rules,
    promtool: Promtool,
    *,
    end: float,
    interval: float,
    exprs: Iterable[str] = (),
    phases: Sequence[float] = (),
    rebase: Rebase = lambda samples, zero: samples,
    clock: Clock = lambda expr, zero: expr,
    recorded: bool = False,
) -> Evaluated:
    """Evaluate ``rules`` over ``samples`` every ``interval`` seconds up to scenario second ``end``.

    Groups with an interval of their own are evaluated at it, in an order in which each follows what it reads.
    ``phases`` has a moment for each of ``rules.groups`` at which it is evaluated, the first or any; without it all are
    evaluated at second 0. ``rebase(samples, zero)`` may move values that are Unix times, ``clock(expr, zero)`` the
    clock that an expression reads; scenario second 0 is the engine's ``zero``. Without ``recorded`` only those recorded
    series are answered that a later run reads.

    Raises :class:`MonitoringError` if promtool fails.
    """
    batches = batched(rules, interval, phases)
    intervals = [batch.interval for batch in batches]
    made: Points = {}
    fed: list[Samples] = []
    alerts: list[AlertTrack] = []
    errors: dict[str, str] = {}
    wanted = list(dict.fromkeys(exprs))
    series: dict[str, tuple[Track, ...]] = {}
    for i, batch in enumerate(batches):
        last = i == len(batches) - 1
        names = batch.makes if recorded else _read_later(batch, batches[i + 1 :], wanted)
        axis = Axis.of(samples, intervals, batch.phase, end)
        zero = axis.shift / 1000
        given = [*rebase(samples, zero), *fed]
        asked = wanted if last else []
        groups = [replace(g, rules=tuple(replace(r, expr=clock(r.expr, zero)) for r in g.rules)) for g in batch.groups]
        put = [clock(expr, zero) for expr in asked]
        got = run_until_clean(groups, given, axis, batch.interval, promtool, put, errors, names)
        found = got.points(0)
        alerts += fold(_alert_times(found), partial(_same, batch.interval), got.annotations)
        for key, points in found.items():
            if dict(key).get("__name__") != ALERTS and key not in made:  # else it is what an earlier run fed
                made[key] = points
                fed.append(_as_samples(dict(key), *points, batch.interval, end))
        series |= {expr: tracks(got.points(n)) for n, expr in enumerate(asked, 1)}
    return Evaluated(tuple(sorted(alerts, key=_order)), tracks(made), series, errors)


def _read_later(batch: Batch, later: Sequence[Batch], exprs: Sequence[str]) -> frozenset[str]:
    """The recorded series of a run that later runs read; the last of them evaluates the expressions."""
    if not later:
        return frozenset()
    names = union([*(b.reads for b in later), *(analyse(e).metrics for e in exprs)])
    return batch.makes if names is None else batch.makes & names


def _alert_times(found: Points) -> dict[Key, Sequence[float]]:
    return {key: times for key, (times, _) in found.items() if dict(key).get("__name__") == ALERTS}


def fold(
    alerts: Mapping[Key, Sequence[float]],
    interval: Callable[[str], float],
    annotations: Mapping[Key, dict[str, str]] | None = None,
) -> list[AlertTrack]:
    """ALERTS samples -> pending and firing intervals; ``alerts`` maps labels to evaluation times, seconds.

    ``interval(alertname)`` is its group's, seconds. An interval of a state ends at the first evaluation without the
    sample: a gap of more than 1.5 evaluations ends it.
    """
    found: dict[Key, list[Interval]] = {}
    for key, times in alerts.items():
        labels = {k: v for k, v in key if k != "__name__"}
        state = labels.pop("alertstate", "firing")
        step = interval(labels.get("alertname", ""))
        into = found.setdefault(tuple(sorted(labels.items())), [])
        moments = np.array(sorted(times))
        for part in np.split(moments, np.flatnonzero(np.diff(moments) > 1.5 * step) + 1):
            if len(part):
                end = round(float(part[-1]) + step, 3)
                into.append(Interval(round(float(part[0]), 3), end, "pending" if state == "pending" else "firing"))
    out = []
    for key, intervals in found.items():
        labels = dict(key)
        ordered = tuple(sorted(intervals, key=lambda i: i.start))
        out.append(AlertTrack(labels.pop("alertname", ""), labels, ordered, (annotations or {}).get(key, {})))
    return out


def _same(step: float, alert: str) -> float:
    """All groups of one run are evaluated at one interval."""
    return step


def _order(track: AlertTrack) -> tuple[str, list[tuple[str, str]]]:
    return track.alert, sorted(track.labels.items())


def _as_samples(labels: Labels, times: list[float], values: list[float], step: float, end: float) -> Samples:
    """A recorded series as input of the next run, with a stale marker where it vanishes."""
    t: list[int] = []
    v: list[float] = []
    for i, (at, value) in enumerate(zip(times, values, strict=True)):
        t.append(round(at * 1000))
        v.append(value)
        following = times[i + 1] if i + 1 < len(times) else math.inf
        if following - at > 1.5 * step and at + step <= end:
            t.append(round((at + step) * 1000))
            v.append(STALE)
    return Samples(labels, np.array(t, dtype=np.int64), np.array(v, dtype=np.float64))


def tracks(found: Points) -> tuple[Track, ...]:
    """Series as tracks; NaN is a gap."""
    out = []
    for key, (times, values) in sorted(found.items()):
        labels = dict(key)
        name = labels.pop("__name__", "")
        plain = tuple(None if math.isnan(v) else v for v in values)
        out.append(Track(name, "", tuple(times), plain, labels))
    return tuple(out)


def from_server(samples: Sequence[Samples], rules: Rules, interval: float) -> tuple[AlertTrack, ...]:
    """What a live server made of the rules, from the wall clock's alerts stream, by the same fold."""
    own = {k.rule.name: k.group.interval or interval for k in rules.alerts}
    alerts: dict[Key, Sequence[float]] = {
        tuple(sorted(s.labels.items())): (s.times[~s.stale] / 1000).tolist()
        for s in samples
        if s.labels.get("__name__") == ALERTS
    }
    return tuple(sorted(fold(alerts, lambda name: own.get(name, interval)), key=_order))


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
    fixed = {k: v for k, v in {**group.labels, **rule.labels}.items() if "{{" not in v}
    return (fixed | name).items() <= labels.items()


def needed(
    samples: Sequence[Samples], known: Iterable[KnownRule], exprs: Iterable[frozenset[str] | None]
) -> list[Samples]:
    """Only the series that the rules and expressions read: rule evaluation is what costs."""
    names: set[str] = set()
    for metrics in [*(k.metrics for k in known), *exprs]:
        if metrics is None:
            return list(samples)
        names |= metrics
    return [s for s in samples if s.labels.get("__name__") in names]

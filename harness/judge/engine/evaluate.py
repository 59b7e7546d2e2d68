"""A recording's samples meet the rules, and one fold makes the timeline, whoever evaluated them."""

import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from driftdrill.harness.judge.engine.automaton import intervals
from driftdrill.harness.judge.engine.batches import Batch, batched
from driftdrill.harness.judge.engine.fold import PLACE, Placing, alert_times, fold, order, place, tracks
from driftdrill.harness.judge.engine.promtool_input import Axis
from driftdrill.harness.judge.engine.promtool_run import Got, Key, Points, run_once
from driftdrill.harness.judge.rules.analysed import ALERTS, analyse
from driftdrill.harness.judge.rules.moments import Clock
from driftdrill.harness.judge.rules.promql import stepped
from driftdrill.harness.judge.rules.reading import union
from driftdrill.harness.judge.rules.rules import KnownRule, Rules, may_read
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.recording.stale import STALE
from driftdrill.reports.data.timeline import AlertTrack, Labels, Track
from driftdrill.stack.prometheus.promtool import Promtool
from driftdrill.stack.rules.files import Group, Rule

_STEPLESS = re.compile(r":\s*\]")
Rebase = Callable[[Sequence[Samples], float], Sequence[Samples]]


@dataclass(frozen=True)
class RuleErrors:
    """A rule that cannot be evaluated at some moments."""

    why: str
    """The engine's words at the first of them."""
    times: tuple[float, ...]
    """Scenario seconds."""


@dataclass(frozen=True)
class Evaluated:
    """What the rules made of the samples; times are scenario seconds."""

    alerts: tuple[AlertTrack, ...]
    recorded: tuple[Track, ...] = ()
    points: Mapping[str, Points] = field(default_factory=dict)
    """Further expressions -> what they were at every evaluation, NaN included."""
    errors: Mapping[str, RuleErrors] = field(default_factory=dict)
    """Rule name -> when and why it cannot be evaluated."""
    failed: Mapping[str, Mapping[float, str]] = field(default_factory=dict)
    """Further expressions -> when and why they cannot be evaluated."""
    moments: tuple[float, ...] = ()
    """A moment of evaluation of each group of the rules."""

    @cached_property
    def series(self) -> Mapping[str, tuple[Track, ...]]:
        """Further expressions as tracks; NaN is a gap."""
        return {expr: tracks(points) for expr, points in self.points.items()}

    @cached_property
    def with_nan(self) -> Mapping[str, tuple[Track, ...]]:
        """Further expressions as tracks, with NaN where it was."""
        return {expr: tracks(points, gaps=False) for expr, points in self.points.items()}


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
    paces = [batch.interval for batch in batches]
    made: Points = {}
    told: set[Key] = set()  # what an earlier run made, and a later one is fed
    fed: list[Samples] = []
    alerts: list[AlertTrack] = []
    errors: dict[str, RuleErrors] = {}
    wanted = list(dict.fromkeys(exprs))
    points: dict[str, Points] = {}
    failed: dict[str, Mapping[float, str]] = {}
    apart = _twice(rules)
    placed = place(rules)
    for i, batch in enumerate(batches):
        last = i == len(batches) - 1
        later = _read_later(batch, batches[i + 1 :], wanted)
        names = (batch.makes if recorded else later) - {ALERTS}
        axis = Axis.of(samples, paces, batch.phase, end)
        zero = axis.shift / 1000
        asked = wanted if last else []
        got, broken = _run(
            [_put(g, rules, apart, partial(_read_as_served, clock, zero, interval)) for g in batch.groups],
            [*rebase(samples, zero), *fed],
            axis,
            batch.interval,
            promtool,
            [_read_as_served(clock, zero, interval, expr) for expr in asked],
            names,
            end,
        )
        found = {key: series for key, series in got.points(0).items() if key not in told}
        alerts += fold(alert_times(found), placed, partial(_same, batch.interval), got.annotations)
        for key, series in found.items():
            told.add(key)
            alert = dict(key).get("__name__") == ALERTS
            if not alert:
                made[key] = series
            if not alert or ALERTS in later:
                fed.append(_as_samples(dict(key), *series, batch.interval, end))
        points |= {expr: got.points(n) for n, expr in enumerate(asked, 1)}
        failed |= {expr: got.failed[n] for n, expr in enumerate(asked, 1) if n in got.failed}
        for n, b in enumerate(broken, len(asked) + 1):
            when = got.failed.get(n, {})
            errors[b.rule.name] = RuleErrors(b.why, tuple(when))
            if b.rule.kind == "alert":
                moments = [axis.seconds(at) for at in axis.ticks(batch.interval)]
                alerts += _by_hand(placed, b, got.points(n), moments, when)
    groups = tuple(phases) or (0.0,) * len(rules.groups)
    return Evaluated(tuple(sorted(alerts, key=order)), tracks(made), points, errors, failed, groups)


@dataclass(frozen=True)
class _Broken:
    group: Group
    rule: Rule
    why: str


def _run(
    groups: Sequence[Group],
    samples: Sequence[Samples],
    axis: Axis,
    step: float,
    promtool: Promtool,
    asked: Sequence[str],
    names: frozenset[str],
    end: float,
) -> tuple[Got, list[_Broken]]:
    """One batch. A rule that errors at one moment hides what all others do: it is left out, its expression is asked
    for instead, and what a recording rule of that kind makes is fed. Answers those rules too, with the engine's words.
    """
    broken: list[_Broken] = []
    given = list(samples)
    while True:
        gone = [b.rule for b in broken]
        left = [replace(g, rules=tuple(r for r in g.rules if r not in gone)) for g in groups]
        got = run_once(left, given, axis, step, promtool, [*asked, *(r.expr for r in gone)], names)
        if got.broken:
            broken += [_Broken(g, r, got.broken[r.name]) for g in left for r in g.rules if r.name in got.broken]
            continue
        fresh = [
            _as_samples({**dict(key), **b.group.labels, **b.rule.labels, "__name__": b.rule.name}, *series, step, end)
            for n, b in enumerate(broken, len(asked) + 1)
            if b.rule.kind == "record"
            for key, series in got.points(n).items()
        ]
        if len(given) == len(samples) + len(fresh):
            return got, broken
        given = [*samples, *fresh]


def _same(step: float, known: KnownRule | None) -> float:
    """All groups of one run are evaluated at one interval."""
    return step


def _read_as_served(clock: Clock, zero: float, interval: float, expr: str) -> str:
    """The expression as a server reads it: with its clock, and its interval as the step of a subquery that has none."""
    return stepped(clock(expr, zero), interval) if _STEPLESS.search(expr) else clock(expr, zero)


def _put(group: Group, rules: Rules, apart: frozenset[str], read: Callable[[str], str]) -> Group:
    """The group as the engine gets it."""
    own = {id(k.rule): k.index for k in rules.known if k.alert and k.rule.name in apart}
    out = []
    for rule in group.rules:
        marked = {**rule.labels, PLACE: str(own[id(rule)])} if id(rule) in own else rule.labels
        out.append(replace(rule, expr=read(rule.expr), labels=marked))
    return replace(group, rules=tuple(out))


def _twice(rules: Rules) -> frozenset[str]:
    """The names that several alerts have; none where a rule reads ALERTS, which must be as a server has them."""
    if any(may_read(k.rule.expr, [ALERTS]) for k in rules.known):
        return frozenset()
    names = [k.rule.name for k in rules.alerts]
    return frozenset(name for name in names if names.count(name) > 1)


def _by_hand(
    placed: Placing, broken: _Broken, points: Points, moments: Sequence[float], errors: Mapping[float, str]
) -> list[AlertTrack]:
    """The tracks of an alert that errors at some moments; labels that are templates are left out."""
    said = {**broken.group.labels, **broken.rule.labels}
    active: dict[Key, list[float]] = {}
    for key, (times, _) in points.items():
        labels = {k: v for k, v in key if k != "__name__"} | {k: v for k, v in said.items() if "{{" not in v}
        active.setdefault(tuple(sorted(labels.items())), []).extend(times)
    out = []
    for key, spans in intervals(broken.rule, active, moments, errors).items():
        labels = dict(key)
        known = placed({**labels, "alertname": broken.rule.name})
        labels.pop(PLACE, None)
        where, index = ("", None) if known is None else (known.where, known.index)
        out.append(AlertTrack(broken.rule.name, labels, spans, where=where, rule=index))
    return out


def _read_later(batch: Batch, later: Sequence[Batch], exprs: Sequence[str]) -> frozenset[str]:
    """The recorded series of a run that later runs read; the last of them evaluates the expressions."""
    if not later:
        return frozenset()
    names = union([*(b.reads for b in later), *(analyse(e).metrics for e in exprs)])
    return batch.makes if names is None else batch.makes & names


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

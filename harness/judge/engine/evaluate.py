"""A recording's samples meet the rules, and one fold makes the timeline, whoever evaluated them."""

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property, partial

import numpy as np

from driftdrill.harness.errors import MonitoringError
from driftdrill.harness.judge.engine.batches import Batch, batched
from driftdrill.harness.judge.engine.broken import BrokenRule, Made, as_samples, states
from driftdrill.harness.judge.engine.broken import fed as fed_by
from driftdrill.harness.judge.engine.broken import made as made_by
from driftdrill.harness.judge.engine.fold import PLACE, alert_times, alike, fold, order, place, tracks
from driftdrill.harness.judge.engine.promtool_input import Axis
from driftdrill.harness.judge.engine.promtool_run import Got, Key, Points, run_once
from driftdrill.harness.judge.rules.analysed import ALERTS, analyse
from driftdrill.harness.judge.rules.moments import Clock
from driftdrill.harness.judge.rules.promql import stepped
from driftdrill.harness.judge.rules.reading import union
from driftdrill.harness.judge.rules.rules import ALERT_SERIES, KnownRule, Rules, may_read
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import AlertTrack, Labels, Track
from driftdrill.stack.prometheus.promtool import Promtool
from driftdrill.stack.rules.files import Group

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
    errors: Mapping[int, RuleErrors] = field(default_factory=dict)
    """The place of a rule among all -> when and why it cannot be evaluated."""
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
    errors: dict[int, RuleErrors] = {}
    wanted = list(dict.fromkeys(exprs))
    points: dict[str, Points] = {}
    failed: dict[str, Mapping[float, str]] = {}
    read_alerts = any(may_read(k.rule.expr, ALERT_SERIES) for k in rules.known)
    # Rules of one name are told apart by a mark, which a rule that reads ALERTS must not see.
    apart, blurred = (frozenset(), alike(rules)) if read_alerts else (_twice(rules), frozenset[str]())
    placed = place(rules)
    whose: dict[int, KnownRule] = {}  # id() of a rule as the engine gets it -> the rule
    for i, batch in enumerate(batches):
        last = i == len(batches) - 1
        later = _read_later(batch, batches[i + 1 :], wanted)
        names = (batch.makes if recorded else later) - {ALERTS}
        axis = Axis.of(samples, paces, batch.phase, end)
        zero = axis.shift / 1000
        asked = wanted if last else []
        put = [_put(g, rules, apart, partial(_read_as_served, clock, zero, interval), whose) for g in batch.groups]
        unclear = [BrokenRule(g, r, "") for g in put for r in g.rules if whose[id(r)].rule.name in blurred]
        got, broken, apiece = _run(
            put,
            [*rebase(samples, zero), *fed],
            axis,
            batch.interval,
            promtool,
            [*(_read_as_served(clock, zero, interval, expr) for expr in asked), *(u.rule.expr for u in unclear)],
            names,
            end,
            read_alerts,
        )
        moments = [axis.seconds(at) for at in axis.ticks(batch.interval)]
        by_hand = {_key(s.labels) for s in apiece if s.labels["__name__"] == ALERTS}
        found = {key: series for key, series in got.points(0).items() if key not in told}
        theirs = {key: series for key, series in found.items() if key not in by_hand}
        folded = fold(alert_times(theirs), placed, partial(_same, batch.interval), got.annotations)
        alerts += [t for t in folded if t.alert not in blurred or t.rule is None]
        for n, u in enumerate(unclear, len(asked) + 1):
            if all(b.rule is not u.rule for b in broken):
                alerts += _tracks(whose[id(u.rule)], u, made_by(u, got.points(n), ()), moments)
        for key, series in found.items():
            told.add(key)
            alert = dict(key).get("__name__") == ALERTS
            if not alert:
                made[key] = series
            if not alert or ALERTS in later:
                fed.append(as_samples(dict(key), *series, batch.interval, end))
        points |= {expr: got.points(n) for n, expr in enumerate(asked, 1)}
        failed |= {expr: got.failed[n] for n, expr in enumerate(asked, 1) if n in got.failed}
        for n, b in enumerate(broken, len(asked) + len(unclear) + 1):
            done = made_by(b, got.points(n), got.failed.get(n, ()))
            known = whose[id(b.rule)]
            # The engine names a rule, of which there may be several: one that never errs is none of those it means.
            if done.errors or [o.rule.name for o in broken].count(b.rule.name) == 1:
                errors[known.index] = RuleErrors(b.why, tuple(sorted(done.errors)))
            if b.rule.kind == "alert":
                alerts += _tracks(known, b, done, moments)
    groups = tuple(phases) or (0.0,) * len(rules.groups)
    return Evaluated(tuple(sorted(alerts, key=order)), tracks(made), points, errors, failed, groups)


def _run(
    groups: Sequence[Group],
    samples: Sequence[Samples],
    axis: Axis,
    step: float,
    promtool: Promtool,
    asked: Sequence[str],
    names: frozenset[str],
    end: float,
    read_alerts: bool,
) -> tuple[Got, list[BrokenRule], list[Samples]]:
    """One batch. A rule that errors at one moment hides what all others do: it is left out, its expression is asked
    for instead, and what others read of it is fed. Answers those rules too, and what was fed.
    """
    broken: list[BrokenRule] = []
    moments = [axis.seconds(at) for at in axis.ticks(step)]
    fresh: list[Samples] = []
    rounds = 0
    while True:
        gone = {id(b.rule) for b in broken}
        left = [replace(g, rules=tuple(r for r in g.rules if id(r) not in gone)) for g in groups]
        exprs = [*asked, *(b.rule.expr for b in broken)]
        got = run_once(left, [*samples, *fresh], axis, step, promtool, exprs, names)
        if got.broken:
            new = [BrokenRule(g, r, got.broken[r.name]) for g in left for r in g.rules if r.name in got.broken]
            if not new:
                raise MonitoringError(f"promtool tells errors of rules that it was not given: {sorted(got.broken)}")
            broken += new
            continue
        again = [
            one
            for n, b in enumerate(broken, len(asked) + 1)
            if b.rule.kind == "record" or read_alerts
            for one in fed_by(b, made_by(b, got.points(n), got.failed.get(n, ())), moments, step, end)
        ]
        # What one of them makes, another may read: until nothing changes, or each had its turn.
        if rounds > len(broken) or _alike(fresh, again):
            return got, broken, fresh
        fresh, rounds = again, rounds + 1


def _alike(ones: Sequence[Samples], others: Sequence[Samples]) -> bool:
    return len(ones) == len(others) and all(
        a.labels == b.labels and np.array_equal(a.times, b.times) and a.values.tobytes() == b.values.tobytes()
        for a, b in zip(ones, others, strict=True)
    )


def _same(step: float, known: KnownRule | None) -> float:
    """All groups of one run are evaluated at one interval."""
    return step


def _read_as_served(clock: Clock, zero: float, interval: float, expr: str) -> str:
    """The expression as a server reads it: with its clock, and its interval as the step of a subquery that has none."""
    return stepped(clock(expr, zero), interval) if _STEPLESS.search(expr) else clock(expr, zero)


def _put(
    group: Group, rules: Rules, apart: frozenset[str], read: Callable[[str], str], whose: dict[int, KnownRule]
) -> Group:
    """The group as the engine gets it; ``whose`` is told which rule each of its rules is."""
    own = {id(k.rule): k for k in rules.known}
    out = []
    for rule in group.rules:
        known = own[id(rule)]
        marked = {PLACE: str(known.index)} if known.alert and rule.name in apart else {}
        out.append(replace(rule, expr=read(rule.expr), labels={**rule.labels, **marked}))
        whose[id(out[-1])] = known
    return replace(group, rules=tuple(out))


def _tracks(known: KnownRule, broken: BrokenRule, done: Made, moments: Sequence[float]) -> list[AlertTrack]:
    """Those of an alert whose states are worked out from its expression."""
    return [
        AlertTrack(known.rule.name, {k: v for k, v in key if k != PLACE}, spans, where=known.where, rule=known.index)
        for key, spans in states(broken.rule, done, moments).items()
    ]


def _key(labels: Labels) -> Key:
    return tuple(sorted(labels.items()))


def _twice(rules: Rules) -> frozenset[str]:
    """The names that several alerts have."""
    names = Counter(k.rule.name for k in rules.alerts)
    return frozenset(name for name, count in names.items() if count > 1)


def _read_later(batch: Batch, later: Sequence[Batch], exprs: Sequence[str]) -> frozenset[str]:
    """The recorded series of a run that later runs read; the last of them evaluates the expressions."""
    if not later:
        return frozenset()
    names = union([*(b.reads for b in later), *(analyse(e).metrics for e in exprs)])
    return batch.makes if names is None else batch.makes & names


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

"""One run of the engine: what a batch of rule groups made, with those of its rules that err worked out by hand."""

import re
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from driftdrill.harness.errors import MonitoringError
from driftdrill.harness.judge.engine.batches import Batch
from driftdrill.harness.judge.engine.broken import BrokenRule, Made, fed, made, states
from driftdrill.harness.judge.engine.fold import PLACE, alert_times, alike, fold, place
from driftdrill.harness.judge.engine.promtool_input import Axis
from driftdrill.harness.judge.engine.promtool_run import Got, Key, Points, run_once
from driftdrill.harness.judge.rules.analysed import ALERTS, FOR_STATE
from driftdrill.harness.judge.rules.moments import Clock
from driftdrill.harness.judge.rules.promql import stepped
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import AlertTrack
from driftdrill.stack.prometheus.promtool import Promtool
from driftdrill.stack.rules.files import Group

Rebase = Callable[[Sequence[Samples], float], Sequence[Samples]]
_STEPLESS = re.compile(r":\s*\]")


@dataclass(frozen=True)
class RunConditions:
    """What all runs of one evaluation have in common."""

    rules: Rules
    promtool: Promtool
    end: float
    """Scenario seconds."""
    interval: float
    """Of groups without their own, and the step of a subquery without one, seconds."""
    paces: Sequence[float]
    """The intervals of all runs, seconds."""
    reads_alerts: bool
    """Whether something reads ALERTS: it must not see a mark of ours on them."""
    rebase: Rebase
    clock: Clock

    @cached_property
    def apart(self) -> frozenset[str]:
        """The names of alerts that several rules have, which a mark tells apart."""
        names = Counter(k.rule.name for k in self.rules.alerts)
        return frozenset() if self.reads_alerts else frozenset(name for name, count in names.items() if count > 1)

    @cached_property
    def blurred(self) -> frozenset[str]:
        """The names of alerts that nothing tells apart in ALERTS: they are worked out from their expressions."""
        return alike(self.rules) if self.reads_alerts else frozenset()

    def as_served(self, expr: str, zero: float) -> str:
        """The expression as a server reads it: with its clock, and its interval as the step of a subquery without one;
        scenario second 0 is the engine's ``zero``."""
        read = self.clock(expr, zero)
        return stepped(read, self.interval) if _STEPLESS.search(expr) else read


@dataclass(frozen=True)
class RuleErrors:
    """A rule that cannot be evaluated at some moments."""

    why: str
    """The engine's words at the first of them."""
    times: tuple[float, ...]
    """Scenario seconds."""


@dataclass(frozen=True)
class Ran:
    """What one run made; times are scenario seconds, and so are the values of ALERTS_FOR_STATE."""

    alerts: list[AlertTrack]
    series: Points
    """ALERTS, and those recorded series that were asked for."""
    points: Mapping[str, Points]
    """The further expressions."""
    failed: Mapping[str, Mapping[float, str]]
    errors: Mapping[int, RuleErrors]


def run(
    under: RunConditions,
    batch: Batch,
    samples: Sequence[Samples],
    given: Sequence[Samples],
    names: Collection[str],
    exprs: Sequence[str],
) -> Ran:
    """Run ``batch`` over ``samples``, and over what earlier runs have ``given``; ``names`` of recorded series and
    ``exprs`` are asked for.

    Raises :class:`MonitoringError` if promtool fails.
    """
    axis = Axis.of(samples, under.paces, batch.phase, under.end)
    zero = axis.shift / 1000
    whose: dict[int, KnownRule] = {}
    groups = [_put(g, under, zero, whose) for g in batch.groups]
    unclear = [BrokenRule(g, r, "") for g in groups for r in g.rules if whose[id(r)].rule.name in under.blurred]
    asked = [*(under.as_served(e, zero) for e in exprs), *(u.rule.expr for u in unclear)]
    inputs = [*under.rebase(samples, zero), *(_moved(s, zero) for s in given)]
    got, broken, by_hand = _around_errors(under, groups, inputs, axis, batch.interval, asked, names)

    moments = [axis.seconds(at) for at in axis.ticks(batch.interval)]
    earlier = {_key(s) for s in given}
    series = {key: _back(key, found, zero) for key, found in got.points(0).items() if key not in earlier}
    read = {key: found for key, found in series.items() if key not in by_hand}
    folded = fold(alert_times(read), place(under.rules), lambda known: batch.interval, got.annotations)
    alerts = [t for t in folded if t.alert not in under.blurred or t.rule is None]
    for n, u in enumerate(unclear, len(exprs) + 1):
        if all(b.rule is not u.rule for b in broken):
            alerts += _tracks(whose[id(u.rule)], u, made(u, got.points(n), ()), moments)
    errors: dict[int, RuleErrors] = {}
    for n, b in enumerate(broken, len(asked) + 1):
        known, done = whose[id(b.rule)], made(b, got.points(n), got.failed.get(n, ()))
        # The engine names a rule, of which there may be several: one that never errs is none of those it means.
        if done.errors or [o.rule.name for o in broken].count(b.rule.name) == 1:
            errors[known.index] = RuleErrors(b.why, tuple(sorted(done.errors)))
        if known.alert:
            alerts += _tracks(known, b, done, moments)
    answers = dict(enumerate(exprs, 1))
    points = {expr: got.points(n) for n, expr in answers.items()}
    return Ran(alerts, series, points, {e: got.failed[n] for n, e in answers.items() if n in got.failed}, errors)


def _put(group: Group, under: RunConditions, zero: float, whose: dict[int, KnownRule]) -> Group:
    """The group as the engine gets it; ``whose`` is told which rule each of its rules is."""
    own = {id(k.rule): k for k in under.rules.known}
    out = []
    for rule in group.rules:
        known = own[id(rule)]
        marked = {PLACE: str(known.index)} if known.alert and rule.name in under.apart else {}
        out.append(replace(rule, expr=under.as_served(rule.expr, zero), labels={**rule.labels, **marked}))
        whose[id(out[-1])] = known
    return replace(group, rules=tuple(out))


def _around_errors(
    under: RunConditions,
    groups: Sequence[Group],
    samples: Sequence[Samples],
    axis: Axis,
    step: float,
    asked: Sequence[str],
    names: Collection[str],
) -> tuple[Got, list[BrokenRule], set[Key]]:
    """What the engine makes of the groups. A rule that errors at one moment hides what all others do: it is left out,
    its expression is asked for instead, and what others read of it is fed. Answers those rules too, and which ALERTS
    were fed.
    """
    broken: list[BrokenRule] = []
    moments = [axis.seconds(at) for at in axis.ticks(step)]
    fresh: list[Samples] = []
    rounds = 0
    while True:
        gone = {id(b.rule) for b in broken}
        left = [replace(g, rules=tuple(r for r in g.rules if id(r) not in gone)) for g in groups]
        exprs = [*asked, *(b.rule.expr for b in broken)]
        got = run_once(left, [*samples, *fresh], axis, step, under.promtool, exprs, names)
        if got.broken:
            new = [BrokenRule(g, r, got.broken[r.name]) for g in left for r in g.rules if r.name in got.broken]
            if not new:
                raise MonitoringError(f"promtool tells errors of rules that it was not given: {sorted(got.broken)}")
            broken += new
            continue
        again = [
            _moved(one, axis.shift / 1000)
            for n, b in enumerate(broken, len(asked) + 1)
            if b.rule.kind == "record" or under.reads_alerts
            for one in fed(b, made(b, got.points(n), got.failed.get(n, ())), moments, step, under.end)
        ]
        # What one of them makes, another may read: until nothing changes, or each had its turn.
        if rounds > len(broken) or _alike(fresh, again):
            return got, broken, {_key(s) for s in fresh if s.labels["__name__"] == ALERTS}
        fresh, rounds = again, rounds + 1


def _alike(ones: Sequence[Samples], others: Sequence[Samples]) -> bool:
    return len(ones) == len(others) and all(
        a.labels == b.labels and np.array_equal(a.times, b.times) and a.values.tobytes() == b.values.tobytes()
        for a, b in zip(ones, others, strict=True)
    )


def _moved(samples: Samples, zero: float) -> Samples:
    """As the engine has it: ALERTS_FOR_STATE tells seconds of its own clock, on which scenario second 0 is ``zero``."""
    if samples.labels["__name__"] != FOR_STATE:
        return samples
    values = samples.values.copy()
    values[~samples.stale] += zero
    return replace(samples, values=values)


def _back(key: Key, found: tuple[list[float], list[float]], zero: float) -> tuple[list[float], list[float]]:
    """What the engine made, in scenario seconds."""
    times, values = found
    return found if dict(key).get("__name__") != FOR_STATE else (times, [v - zero for v in values])


def _tracks(known: KnownRule, broken: BrokenRule, done: Made, moments: Sequence[float]) -> list[AlertTrack]:
    """Those of an alert whose states are worked out from its expression."""
    return [
        AlertTrack(known.rule.name, {k: v for k, v in key if k != PLACE}, spans, where=known.where, rule=known.index)
        for key, spans in states(broken.rule, done, moments).items()
    ]


def _key(samples: Samples) -> Key:
    return tuple(sorted(samples.labels.items()))

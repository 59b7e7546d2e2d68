"""A recording's samples meet the rules, and one fold makes the timeline, whoever evaluated them."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from driftdrill.harness.judge.engine.batches import Batch, batched
from driftdrill.harness.judge.engine.broken import as_samples
from driftdrill.harness.judge.engine.fold import order, tracks
from driftdrill.harness.judge.engine.promtool_run import Points
from driftdrill.harness.judge.engine.run import Rebase, RuleErrors, RunConditions, run
from driftdrill.harness.judge.rules.analysed import ALERT_SERIES, analyse
from driftdrill.harness.judge.rules.moments import Clock
from driftdrill.harness.judge.rules.reading import union
from driftdrill.harness.judge.rules.rules import KnownRule, Rules, may_read
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import AlertTrack, Track
from driftdrill.stack.prometheus.promtool import Promtool


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
    batches, wanted = batched(rules, interval, phases), list(dict.fromkeys(exprs))
    read = [*(k.rule.expr for k in rules.known), *wanted]
    reads_alerts = any(may_read(expr, ALERT_SERIES) for expr in read)
    paces = [batch.interval for batch in batches]
    under = RunConditions(rules, promtool, end, interval, paces, reads_alerts, rebase, clock)
    made: Points = {}
    fed: list[Samples] = []
    alerts: list[AlertTrack] = []
    errors: dict[int, RuleErrors] = {}
    for i, batch in enumerate(batches):
        later = _read_later(batch, batches[i + 1 :], wanted)
        last = i == len(batches) - 1
        ran = run(under, batch, samples, fed, batch.makes if recorded else later, wanted if last else [])
        alerts += ran.alerts
        errors |= ran.errors
        names = {key: dict(key).get("__name__", "") for key in ran.series}
        made |= {key: series for key, series in ran.series.items() if names[key] not in ALERT_SERIES}
        told = [(key, series) for key, series in ran.series.items() if names[key] in later]
        fed += [as_samples(dict(key), *series, batch.interval, end) for key, series in told]
    groups = tuple(phases) or (0.0,) * len(rules.groups)
    return Evaluated(tuple(sorted(alerts, key=order)), tracks(made), ran.points, errors, ran.failed, groups)


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

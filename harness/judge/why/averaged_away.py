"""Some series crossed the threshold, or did for a while, and an aggregation over all of them, or over time, did not."""

from collections.abc import Sequence
from typing import Any

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.judge.rules.analysed import AlertThreshold
from driftdrill.harness.judge.rules.promql import bare, kind
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.out_of_range import comparisons
from driftdrill.harness.judge.why.phrases import code, one_series
from driftdrill.harness.judge.why.readings import between, points, read_by, series_of
from driftdrill.harness.judge.why.reals import beyond
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.verdict import Reason

_RISING = {"avg": "max", "min": "max", "quantile": "max"}
_FALLING = {"avg": "min", "max": "min", "quantile": "min"}
"""Aggregation -> the one that does not hide a series beyond a threshold above, or below."""


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    found = (_of(bare(node), threshold, rule, seen) for node, threshold in comparisons(rule))
    return next((reason for reason in found if reason is not None), None)


def _of(node: Any, threshold: AlertThreshold, rule: KnownRule, seen: Seen) -> Reason | None:
    op = threshold.comparison
    better = _RISING if op in (">", ">=") else _FALLING if op in ("<", "<=") else {}
    name = str(node.op) if kind(node) == "AggregateExpr" else node.func.name if kind(node) == "Call" else ""
    short = name.removesuffix("_over_time")
    if short not in better or seen.fault is None:
        return None
    inner = bare(node.expr) if kind(node) == "AggregateExpr" else node.args[-1]
    if kind(inner) not in ("VectorSelector", "MatrixSelector"):
        return None
    readings = read_by(inner, seen.rules)
    there = series_of(readings[0], seen) if len(readings) == 1 else []
    beyond_it = [(s, span) for s in there if (span := _span(s, threshold, seen)) is not None]
    beyond_it = [(s, span) for s, span in beyond_it if span[1] - span[0] >= rule.rule.for_]
    if not beyond_it:
        return None
    series, (start, end) = beyond_it[0]
    crossed = f"{one_series(series.labels)} was {op} {threshold.number:g} from {rounded_duration(start)} to "
    crossed += rounded_duration(end)
    if name == short:
        if len(beyond_it) == len(there):
            return None
        says = f"{name}() hides it: {crossed}, {len(beyond_it)} of the {len(there)} series that {code(node)} makes one"
        return Reason("averaged_away", says, f"{better[short]}(...), or a comparison of each series by itself")
    reading = readings[0]
    says = f"{name}() hides it: {crossed}, and its range is {format_duration(reading.range or 0.0)}"
    return Reason("averaged_away", says, f"a shorter range, or {better[short]}_over_time(...)")


def _span(series: Samples, threshold: AlertThreshold, seen: Seen) -> tuple[float, float] | None:
    """From when to when a series was beyond the threshold in the fault, at most; None if it was before, too."""
    assert seen.fault is not None
    start, end = seen.fault
    baseline = seen.phases.get("baseline")
    before = between(points(series), baseline.start if baseline else 0.0, start - 1e-3)[1].tolist()
    wanted = beyond(threshold.comparison, threshold.number)
    if any(wanted.holds(v) for v in before):
        return None
    times, values = between(points(series), start, end)
    spans = _spans(times.tolist(), [wanted.holds(v) for v in values.tolist()])
    return max(spans, key=lambda s: s[1] - s[0], default=None)


def _spans(times: Sequence[float], flags: Sequence[bool]) -> list[tuple[float, float]]:
    out: list[tuple[float, float]] = []
    open_ = False
    for t, flag in zip(times, flags, strict=True):
        if flag:
            out = [*out[:-1], (out[-1][0], t)] if open_ else [*out, (t, t)]
        open_ = flag
    return out

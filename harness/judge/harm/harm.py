"""Harm: what each fault did to the predictions, from ground truth, with an interval."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np

from driftdrill.harness.judge.harm.compare import LEAST_OF_A_CLASS, Smallest, beside_constant, compare, uncompared
from driftdrill.harness.judge.harm.measures import Standard, auc, estimate, measure_for, row_losses, standard
from driftdrill.harness.judge.harm.rows import Bools, Floats, Rows, answered, rows_of, within
from driftdrill.harness.judge.harm.segments import by_segment
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.scenario.measure import Measure
from driftdrill.harness.seams import recorded_seam
from driftdrill.reports.data.timeline import Phase, Track
from driftdrill.reports.data.verdict import Harm

QUALITY_POINTS = 60


def harms(
    meta: Meta, phases: Mapping[str, Phase], requests: Requests, events: Sequence[Mapping[str, Any]] = ()
) -> tuple[Harm, ...]:
    """One a fault: the measure in the baseline against that under the fault; none for faults of monitoring itself."""
    before, in_fault = within(requests, phases["baseline"]), within(requests, phases["fault"])
    rows = None if requests.truth is None else rows_of(requests)
    out = []
    for fault in meta.faults:
        if not recorded_seam(fault).harms_predictions:
            continue
        strength = requests.strength.get(fault["name"])
        during = in_fault if strength is None else in_fault & (strength > 0)
        if strength is None:
            strength = _held(str(fault["name"]), events, requests.intended)
        out.append(_harm(str(fault["name"]), meta, requests, rows, before, during, strength))
    return tuple(out)


def _held(name: str, events: Sequence[Mapping[str, Any]], at: Floats) -> Floats:
    """The strength of a fault that was held, at each request: what it was last set to."""
    sets = [(float(e["at"]), float(e["strength"])) for e in events if e["event"] == "fault" and e["name"] == name]
    if not sets:
        return np.ones(len(at))
    times, values = np.array([s[0] for s in sets]), np.array([0.0, *(s[1] for s in sets)])
    return np.asarray(values[np.searchsorted(times, at, side="right")])


def _harm(
    name: str, meta: Meta, requests: Requests, rows: Rows | None, before: Bools, during: Bools, strength: Floats
) -> Harm:
    about = partial(Harm, fault=name)
    if rows is None:
        return about(
            measure=Measure().called(),
            word="UNKNOWN",
            rows_before=int(before.sum()) * meta.rows_per_request,
            rows_during=int(during.sum()) * meta.rows_per_request,
            unanswered=int((~answered(requests.prediction[during])).sum()),
            note="the scenario names no truth",
        )
    baseline, under = rows.at(before), replace(rows, strength=strength).at(during)
    by = standard(measure_for(meta.measure, rows), baseline, meta.threshold)
    truth = meta.truth or ""
    about = partial(about, measure=by.measure.called(truth), unit=by.measure.unit_of(truth), score=by.measure.score)
    if meta.smallest_harm is None:
        return about(**vars(uncompared(baseline, under, "the scenario states no smallest_harm")))
    if len(baseline) and len(under) and len(by.classes) < 2:
        there = "" if len(np.union1d(by.classes, under.truths)) < 2 else "in the baseline, "
        why = f"{there}the truth has one value only: any model that says it is right"
        return about(**vars(uncompared(baseline, under, why)))
    smallest = Smallest(meta.smallest_harm, meta.smallest_relative)
    return about(
        **vars(beside_constant(compare(baseline, under, by, smallest), baseline, by)),
        details=_details(baseline, under, by),
        segments=by_segment(baseline, under, by, smallest),
    )


def _details(baseline: Rows, under: Rows, by: Standard) -> dict[str, tuple[float | None, float | None]]:
    """AUC and log loss of two classes, beside the measure."""
    if not (baseline.binary and under.binary and len(baseline) and len(under)):
        return {}
    both = {"AUC": (_area(baseline), _area(under)), "log loss": (_log_loss(baseline, by), _log_loss(under, by))}
    return {name: found for name, found in both.items() if name != by.measure.called()}


def _area(rows: Rows) -> float | None:
    found = auc(rows).value
    return found if np.isfinite(found) else None


def _log_loss(rows: Rows, by: Standard) -> float | None:
    """None where a prediction is no probability; an unanswered row costs what the baseline's share would."""
    answers = rows.prediction[rows.known & ~np.isnan(rows.prediction)]
    if not len(answers) or answers.min() < 0 or answers.max() > 1:
        return None
    share = replace(by, measure=Measure("log_loss"), constant=by.prevalence)
    return float(row_losses(rows, share)[rows.known].mean())


def quality(meta: Meta, phases: Mapping[str, Phase], requests: Requests, end: float) -> tuple[Track, ...]:
    """The measure over the drill in equal windows; of an AUC and of F1 the accuracy, where most windows have too few
    rows of a class. Empty without truth."""
    if requests.truth is None or not len(requests):
        return ()
    rows = replace(rows_of(requests), segments={})
    if not rows.count:
        return ()
    baseline = rows.at(within(requests, phases["baseline"]))
    measure = measure_for(meta.measure, rows)
    edges = np.linspace(0.0, end, QUALITY_POINTS + 1)
    at = np.clip(np.searchsorted(edges, requests.intended, side="right") - 1, 0, QUALITY_POINTS - 1)
    windows = [rows.at(np.asarray(at == i)) for i in range(QUALITY_POINTS)]
    # What is drawn is what is compared: unanswered rows cost in every window what they cost in the phases.
    by = standard(measure, baseline if len(baseline) else rows, meta.threshold)
    values = [_drawn(window, by) for window in windows]
    filled = sum(bool(len(window)) for window in windows)
    if measure.name in ("auc", "macro_f1") and 2 * sum(v is not None for v in values) < filled:
        measure = Measure()
        values = [_drawn(window, replace(by, measure=measure)) for window in windows]
    truth = meta.truth or ""
    unit = "ratio" if measure.score else measure.unit_of(truth)
    return (Track(measure.called(truth), unit, tuple(((edges[1:] + edges[:-1]) / 2).tolist()), tuple(values)),)


def _drawn(window: Rows, by: Standard) -> float | None:
    """The measure of one window; None where it has no rows, or too few of a class."""
    if not len(window):
        return None
    found = estimate(window, by)
    few = found.rarest is not None and found.rarest < LEAST_OF_A_CLASS
    return None if few or not np.isfinite(found.value) else found.value

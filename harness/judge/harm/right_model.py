"""Is this the right model? On clean rows it must do better than the best constant, under the scenario's own measure."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np

from driftdrill.harness.judge.harm.compare import LEAST_OF_A_CLASS, Smallest, skill, unreachable
from driftdrill.harness.judge.harm.intervals import BLOCKS, RARE, of_area
from driftdrill.harness.judge.harm.measures import Estimate, auc, estimate, measure_for, no_probability
from driftdrill.harness.judge.harm.measures import standard as standard_of
from driftdrill.harness.judge.harm.rows import Bools, Floats, Rows, rows_of, within
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.scenario.measure import Measure
from driftdrill.reports.data.timeline import Phase

ODD = 0.01
"""The share of answers outside [0, 1] from which on they are no probabilities."""
TELLS_NOTHING = 0.6
"""The AUC above which a model may still tell something, although it does no better than a constant."""


@dataclass(frozen=True)
class BaselineCheck:
    """What clean rows say of the model: why the drill proves nothing, and what else a reader should know."""

    reasons: tuple[str, ...] = ()
    observations: tuple[str, ...] = ()


def right_model(meta: Meta, phases: Mapping[str, Phase], requests: Requests) -> BaselineCheck:
    """Whether the baseline's predictions are those of a model of this truth, and whether harm can be as large as the
    scenario's smallest. Nothing is said where the truth is unknown or has one value only."""
    if requests.truth is None:
        return BaselineCheck()
    rows = rows_of(requests)
    baseline = rows.at(within(requests, phases["baseline"]))
    if len(np.unique(baseline.truths)) < 2:
        return BaselineCheck()
    measure = measure_for(meta.measure, rows)
    found = checked(baseline, measure, meta.threshold)
    by = standard_of(measure, baseline, meta.threshold)
    model = estimate(baseline, by)
    if meta.smallest_harm is None or not np.isfinite(model.value):
        return found
    why = unreachable(by.measure, Smallest(meta.smallest_harm, meta.smallest_relative), model.value)
    return replace(found, reasons=(*found.reasons, why)) if why else found


def checked(baseline: Rows, measure: Measure, threshold: float) -> BaselineCheck:
    """Whether a model does better on the baseline's rows, of at least two truths, than the best constant."""
    if why := _no_probabilities(baseline, measure):
        return BaselineCheck(reasons=(why,))
    by = standard_of(measure, baseline, threshold)
    model = estimate(baseline, by)
    called = by.measure.called()
    asked = "is this the right model? on clean rows"
    if model.requests < BLOCKS or (model.rarest is not None and model.rarest < LEAST_OF_A_CLASS):
        few = f"a class occurs in {model.rarest} of " if model.requests >= BLOCKS else "there are only "
        note = f"{asked} {few}{model.requests:,} requests: too few to tell its {called} from a constant's"
        return BaselineCheck(observations=(note,))
    constant, (low, high) = skill(baseline, by, model)
    if low > 0 and by.measure.name != "macro_f1":
        return BaselineCheck()
    said = f"{called} is {model.value:.3g}, and one constant's is {constant:.3g}"
    area = _area(baseline)
    ranks = of_area(area) if area.requests >= BLOCKS and np.isfinite(area.value) else (0.0, 1.0)
    if low > 0 and ranks[0] > 0.5:  # answers drawn at random have a better macro F1 than any constant
        return BaselineCheck()
    two = len(by.classes) == 2
    if high < 0 and two and ranks[0] > 0.5:
        note = f"{asked} {said}, although it ranks them (AUC {area.value:.2f}): is its threshold or scale another?"
        return BaselineCheck(observations=(note,))
    # A threshold that suits a rare class costs accuracy, and so few positives cannot show that it ranks them.
    rare = two and (area.rarest or 0) < RARE and ranks[1] >= TELLS_NOTHING
    if high < 0 and not rare:
        return BaselineCheck(reasons=(f"{asked} {said}",))
    if ranks[0] <= 0.5 and ranks[1] < TELLS_NOTHING:
        return BaselineCheck(reasons=(f"{asked} its predictions say nothing of the truth: {said}",))
    return BaselineCheck(observations=(f"{asked} it is not told apart from a constant: {said}; INCONCLUSIVE",))


def _no_probabilities(baseline: Rows, measure: Measure) -> str:
    """Why a measure of probabilities is none of these answers: logits, per cent, classes from 1 on; else empty."""
    answers = baseline.prediction[baseline.known & ~np.isnan(baseline.prediction)]
    if measure.name not in ("log_loss", "brier") or not len(answers):
        return ""
    odd = answers[no_probability(answers)]
    if len(odd) <= ODD * len(answers):
        return ""
    return (
        f"{measure.called()} is of probabilities, and {len(odd):,} of {len(answers):,} answers to clean rows are none, "
        f"such as {odd[0]:g}: measure=auc takes any score"
    )


def _area(rows: Rows) -> Estimate:
    """How well predictions rank the truth: of numbers whether it is above its median, of classes the commonest."""
    positive, score = _ranked(rows)
    return auc(rows, positive, score)


def _ranked(rows: Rows) -> tuple[Bools, Floats]:
    values, counts = np.unique(rows.truths, return_counts=True)
    if len(values) == 2 and not rows.names:
        return rows.truth == values[1], rows.prediction
    whole = bool(np.all(np.floor(values) == values)) and len(values) <= 20
    if rows.names or whole:
        mode = values[np.argmax(counts)]
        chosen = np.where(np.isnan(rows.prediction), np.nan, (rows.prediction == mode).astype(np.float64))
        return rows.truth == mode, chosen
    return rows.truth > np.median(rows.truths), rows.prediction

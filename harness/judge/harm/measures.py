"""Each measure: its value over rows, the influence of each request on it, and what the best constant would score.

The influence of a row is how much the value moves by it (the derivative of the value by the row's weight, over n). It
sums to 0 over a phase, so that the sum over any part of a phase says how far that part lies from the whole.
"""

from dataclasses import dataclass, replace

import numpy as np

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.judge.harm.rows import Bools, Floats, Rows
from driftdrill.harness.scenario.measure import KNOWN, Measure, default_measure

CLIPPED = 1e-15
"""How near 0 and 1 the probabilities of a log loss may come."""
ROUNDED = 1e-6
"""How far outside [0, 1] a probability may lie."""
SHARES = ("accuracy", "close_to")
"""The measures that are a share of the rows."""


@dataclass(frozen=True)
class Estimate:
    """A measure of some rows."""

    value: float
    influence: Floats
    """(requests,): the sum over each request's rows."""
    rows: int
    pairs: tuple[int, int] = (0, 0)
    """Of an AUC: positive and negative rows."""
    rarest: int | None = None
    """Where classes matter: in how many requests the rarest class occurs."""
    strength: Floats | None = None
    trials: int | None = None
    """Of F1: as how many independent rows all of it counts where it does not vary at all."""

    @property
    def requests(self) -> int:
        """How many requests the rows are of."""
        return len(self.influence)


@dataclass(frozen=True)
class Standard:
    """What a measure takes from the baseline: the best constant prediction, and the classes."""

    measure: Measure
    threshold: float
    constant: float
    classes: Floats
    prevalence: float = 0.5
    """The share of the baseline's truths that are 1."""


def measure_for(described: dict[str, object], rows: Rows) -> Measure:
    """The measure that a recording names; what its truth calls for where it names none.

    Raises :class:`RecordingError` for one that this version does not know.
    """
    if described:
        try:
            found = Measure(**described)  # type: ignore[arg-type]
        except TypeError:
            found = Measure("")
        if found.name not in KNOWN:
            raise RecordingError(f"meta.json holds a measure that this version does not know: {described}")
        return found
    return Measure("accuracy") if rows.names else default_measure(rows.truths)


def standard(measure: Measure, baseline: Rows, threshold: float) -> Standard:
    """What the baseline says: its best constant under the measure, and its classes."""
    truths = baseline.truths
    constant = 0.0
    if len(truths):
        constant = _best_constant(measure, truths)
    prevalence = float((truths == 1).mean()) if len(truths) else 0.5
    return Standard(measure, threshold, constant, np.unique(truths), prevalence)


def _best_constant(measure: Measure, truths: Floats) -> float:
    if measure.name in ("brier", "log_loss", "rmse"):
        return float(np.mean(truths))
    if measure.name == "mae":
        return float(np.median(truths))
    if measure.name == "pinball":
        return float(np.quantile(truths, measure.quantile))
    if measure.name == "close_to":
        return _best_window(measure, truths)
    values, counts = np.unique(truths, return_counts=True)
    return float(values[np.argmax(counts)])


def _best_window(measure: Measure, truths: Floats) -> float:
    """The constant that is close to most truths: the end of some truth's own window."""
    values = np.sort(truths)
    room = measure.tolerance * (np.abs(values) if measure.relative else 1.0)
    low, high = np.sort(values - room), np.sort(values + room)
    ends = np.concatenate([values - room, values + room])
    # A constant c is close to every truth whose window [low, high] holds it.
    inside = np.searchsorted(low, ends, side="right") - np.searchsorted(high, ends, side="left")
    return float(ends[np.argmax(inside)])


def estimate(rows: Rows, by: Standard) -> Estimate:
    """The measure of some rows, which must not be none."""
    name = by.measure.name
    if name == "auc":
        return auc(rows)
    if name == "macro_f1":
        rows = _decided(rows, by.threshold)
        return macro_f1(rows, np.union1d(by.classes, np.unique(rows.truths)))
    if name == "rmse":
        return _root(_mean(rows, row_losses(rows, by)))
    return _mean(rows, row_losses(rows, by))


def constant_estimate(rows: Rows, by: Standard) -> Estimate:
    """The measure of the same rows, had the model answered the best constant to each."""
    answered = replace(rows, prediction=np.full(rows.truth.shape, by.constant))
    if by.measure.name == "own":
        return _mean(rows, rows.losses["constant"])
    if rows.binary:
        by = replace(by, threshold=0.5)  # the constant is a decision, not a score
    return estimate(answered, by)


def _decided(rows: Rows, threshold: float) -> Rows:
    """Scores of two classes as decisions."""
    if not rows.binary:
        return rows
    decided = (rows.prediction >= threshold).astype(np.float64)
    return replace(rows, prediction=np.where(np.isnan(rows.prediction), np.nan, decided))


def row_losses(rows: Rows, by: Standard) -> Floats:
    """What each row costs or scores, float64 as ``truth``; of an RMSE its square. An unanswered row is wrong, has a
    Brier score of 1, or costs what the best constant would."""
    measure, p, t = by.measure, rows.prediction, rows.truth
    gone = np.isnan(p)
    if measure.name == "accuracy":
        return np.asarray(correct(p, t, by.threshold, binary=rows.binary), dtype=np.float64)
    if measure.name == "close_to":
        return np.asarray(_close(measure, p, t), dtype=np.float64)
    if measure.name == "own":
        return np.where(np.isfinite(rows.losses["model"]), rows.losses["model"], rows.losses["constant"])
    if measure.name in ("brier", "log_loss"):
        gone = gone | no_probability(p)  # is no answer
        p = np.clip(p, 0.0, 1.0)
    if measure.name == "brier":
        return np.where(gone, 1.0, (p - t) ** 2)
    p = np.where(gone, by.constant, p)
    if measure.name == "log_loss":
        p = np.clip(p, CLIPPED, 1 - CLIPPED)
        return np.where(t == 1, -np.log(p), -np.log1p(-p))
    if measure.name == "rmse":
        return (p - t) ** 2
    if measure.name == "pinball":
        return np.maximum(measure.quantile * (t - p), (measure.quantile - 1) * (t - p))
    return np.abs(p - t)


def no_probability(prediction: Floats) -> Bools:
    """Which answers lie outside [0, 1] by more than a sum of single precision may."""
    return np.asarray((prediction < -ROUNDED) | (prediction > 1 + ROUNDED))


def correct(prediction: Floats, truth: Floats, threshold: float, *, binary: bool) -> Bools:
    """Which predictions are right, bool, shape as given; an unanswered row (NaN) is wrong.

    ``binary``, truth of 0 and 1: the decision ``prediction >= threshold`` must equal it. Else the prediction itself
    must, to the seven digits to which recordings hold it.
    """
    if binary:
        return np.asarray(((prediction >= threshold) == (truth == 1)) & ~np.isnan(prediction))
    return np.asarray(np.abs(prediction - truth) <= np.where(np.floor(truth) == truth, 0.0, 5e-7 * np.abs(truth)))


def _close(measure: Measure, prediction: Floats, truth: Floats) -> Bools:
    room = measure.tolerance * (np.abs(truth) if measure.relative else 1.0)
    # The last bit of 1.1 - 1.0 must not decide; a truth of 0 has no room of its own, and a percentage of it is 0.
    return np.asarray(np.abs(prediction - truth) <= room + 1e-9 * np.abs(truth))


def _mean(rows: Rows, losses: Floats) -> Estimate:
    n = rows.count
    value = float(losses[rows.known].mean())
    away = losses - value
    # Losses that are all alike differ from their mean by its last bit, which is no dependence in time.
    away = np.where(rows.known & (np.abs(away) > 1e-12 * abs(value)), away, 0.0)
    influence = away.sum(axis=1) / n
    return Estimate(value, influence, n, strength=rows.strength)


def _root(squares: Estimate) -> Estimate:
    value = float(np.sqrt(squares.value))
    return replace(squares, value=value, influence=squares.influence / (2 * value) if value else squares.influence)


def auc(rows: Rows, positive: Bools | None = None, score: Floats | None = None) -> Estimate:
    """Area under the ROC curve with the influence of DeLong, DeLong and Clarke-Pearson (1988), which Obuchowski (1997)
    sums over clusters. Ties count half. Unanswered rows are ranked as wrongly as can be.

    ``positive`` and ``score``, shape as ``truth``, are the truth and the prediction unless they are given.
    NaN, with no influence, where there is one class only.
    """
    is_positive = np.asarray(rows.truth == 1) if positive is None else positive
    score = rows.prediction if score is None else score
    score = np.where(np.isnan(score), np.where(is_positive, -np.inf, np.inf), score)
    is_in = is_positive[rows.known]
    pairs = int(is_in.sum()), int((~is_in).sum())
    each = [int((rows.known & of).any(axis=1).sum()) for of in (is_positive, ~is_positive)]
    out = np.zeros(rows.truth.shape)
    if not all(pairs):
        return Estimate(float("nan"), out.sum(axis=1), rows.count, pairs, 0, rows.strength)
    found, s = np.zeros(rows.count), score[rows.known]
    ranks = midranks(s)
    below = (ranks[is_in] - midranks(s[is_in])) / pairs[1]
    above = 1 - (ranks[~is_in] - midranks(s[~is_in])) / pairs[0]
    area = float(below.mean())
    found[is_in], found[~is_in] = (below - area) / pairs[0], (above - area) / pairs[1]
    out[rows.known] = found
    return Estimate(area, out.sum(axis=1), rows.count, pairs, min(each), rows.strength)


def midranks(values: Floats) -> Floats:
    """Ranks from 1, of ties their middle, float64 (n,)."""
    _, inverse, counts = np.unique(values, return_inverse=True, return_counts=True)
    ranks: Floats = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return ranks


def macro_f1(rows: Rows, classes: Floats) -> Estimate:
    """The mean over ``classes`` of 2 right / (truths + predictions), the harmonic mean of precision and recall.

    An unanswered row counts among the truths of its class and among no predictions.
    """
    t, p = rows.truths, rows.prediction[rows.known]
    place = np.searchsorted(classes, t)
    guess = np.clip(np.searchsorted(classes, np.where(np.isnan(p), classes[0], p)), 0, len(classes) - 1)
    predicted = classes[guess] == p  # else unanswered, or no class at all
    right = predicted & (guess == place)
    size = len(classes)
    total = np.bincount(place, minlength=size) + np.bincount(guess[predicted], minlength=size).astype(np.float64)
    hits = np.bincount(place[right], minlength=size)
    total = np.where(total > 0, total, 1.0)
    f1 = 2 * hits / total
    found = 2 * right / total[place] - (f1 / total)[place] - np.where(predicted, (f1 / total)[guess], 0.0)
    out = np.zeros(rows.truth.shape)
    out[rows.known] = found / size
    each = [int((rows.known & (rows.truth == c)).any(axis=1).sum()) for c in classes.tolist()]
    # Of `size` classes one error in the rarest, of which there are so many, costs 1 / (2 size rarest) at most.
    trials = min(len(rows), size * min(each))
    return Estimate(
        float(f1.mean()), out.sum(axis=1), rows.count, rarest=min(each), strength=rows.strength, trials=trials
    )

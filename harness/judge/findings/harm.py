"""Harm: what a fault did to the predictions, from ground truth, with an interval."""

import math
from collections.abc import Mapping
from functools import partial

import numpy as np
import numpy.typing as npt

from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.seams import recorded_seam
from driftdrill.reports.data.timeline import Phase, Track
from driftdrill.reports.data.verdict import Harm, HarmWord

Z95 = 1.959963984540054
QUALITY_POINTS = 60


def harms(meta: Meta, phases: Mapping[str, Phase], requests: Requests) -> tuple[Harm, ...]:
    """One a fault: accuracy in the baseline against accuracy under the fault; none for faults of monitoring itself."""
    before = _within(requests, phases["baseline"])
    in_fault = _within(requests, phases["fault"])
    out = []
    for fault in meta.faults:
        if not recorded_seam(fault).harms_predictions:
            continue
        strength = requests.strength.get(fault["name"])
        during = in_fault if strength is None else in_fault & (strength > 0)
        out.append(_harm(fault["name"], meta, requests, before, during))
    return tuple(out)


def _within(requests: Requests, phase: Phase) -> npt.NDArray[np.bool_]:
    return np.asarray((requests.intended >= phase.start) & (requests.intended < phase.end))


def _harm(
    name: str, meta: Meta, requests: Requests, before: npt.NDArray[np.bool_], during: npt.NDArray[np.bool_]
) -> Harm:
    rows = meta.rows_per_request
    n_before, n_during = int(before.sum()) * rows, int(during.sum()) * rows
    counted = partial(Harm, fault=name, measure="accuracy", rows_before=n_before, rows_during=n_during)
    unanswered = int(np.isnan(requests.prediction[during]).sum())
    if requests.truth is None or meta.smallest_harm is None:
        why = "the scenario names no truth" if requests.truth is None else "the scenario states no smallest_harm"
        return counted(word="UNKNOWN", unanswered=unanswered, note=why)
    if not before.any() or not during.any():
        return counted(word="UNKNOWN", unanswered=unanswered, note="no rows to compare")
    right = correct(requests.prediction, requests.truth, meta.threshold)
    a, b = int(right[before].sum()), int(right[during].sum())
    low, high = newcombe(a, n_before, b, n_during)
    smallest = meta.smallest_harm
    word: HarmWord
    if low > smallest:
        word = "HARMFUL"
    elif high < smallest:
        word = "HARMLESS"
    else:
        word = "INCONCLUSIVE"
    details = {}
    if is_binary(requests.truth):
        p, t = requests.prediction, requests.truth
        details["AUC"] = (auc(p[before], t[before]), auc(p[during], t[during]))
        details["log loss"] = (log_loss(p[before], t[before]), log_loss(p[during], t[during]))
    return counted(
        word=word,
        smallest=smallest,
        before=a / n_before,
        during=b / n_during,
        drop=(low, high),
        unanswered=unanswered,
        details=details,
    )


def correct(
    prediction: npt.NDArray[np.float64], truth: npt.NDArray[np.float64], threshold: float
) -> npt.NDArray[np.bool_]:
    """Which predictions are right, bool, shape as given; an unanswered row (NaN) is wrong.

    Truth of 0 and 1: the decision ``prediction >= threshold`` must equal it. Else the prediction itself must.
    """
    if is_binary(truth):
        decided = prediction >= threshold
        return np.asarray((decided == (truth == 1)) & ~np.isnan(prediction))
    return np.asarray(prediction == truth)


def is_binary(truth: npt.NDArray[np.float64]) -> bool:
    """Whether every truth is 0 or 1."""
    return bool(np.isin(truth, (0.0, 1.0)).all())


def wilson(k: int, n: int) -> tuple[float, float]:
    """Wilson's 95 % score interval of a proportion k / n (Wilson 1927)."""
    p, z2 = k / n, Z95**2
    centre = (p + z2 / (2 * n)) / (1 + z2 / n)
    half = Z95 * math.sqrt(p * (1 - p) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def newcombe(k1: int, n1: int, k2: int, n2: int) -> tuple[float, float]:
    """95 % interval of k1/n1 - k2/n2: Newcombe's hybrid score interval (1998, method 10)."""
    p1, p2 = k1 / n1, k2 / n2
    (l1, u1), (l2, u2) = wilson(k1, n1), wilson(k2, n2)
    d = p1 - p2
    return d - math.hypot(p1 - l1, u2 - p2), d + math.hypot(u1 - p1, p2 - l2)


def auc(prediction: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> float | None:
    """Area under the ROC curve by ranks, ties counted half (Mann and Whitney 1947); None with one class only."""
    p, t = prediction.ravel(), truth.ravel()
    p, t = p[~np.isnan(p)], t[~np.isnan(p)]
    positives = int((t == 1).sum())
    negatives = len(t) - positives
    if not positives or not negatives:
        return None
    _, inverse, counts = np.unique(p, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[inverse]
    return float((ranks[t == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def auc_low(area: float, positives: int, negatives: int) -> float:
    """Lower end of the 95 % interval of an AUC (Hanley and McNeil 1982)."""
    q1, q2 = area / (2 - area), 2 * area * area / (1 + area)
    variance = area * (1 - area) + (positives - 1) * (q1 - area**2) + (negatives - 1) * (q2 - area**2)
    return area - Z95 * math.sqrt(max(variance, 0.0) / (positives * negatives))


def log_loss(prediction: npt.NDArray[np.float64], truth: npt.NDArray[np.float64]) -> float | None:
    """Mean negative log likelihood of probabilities, clipped at 1e-15; None without an answer in [0, 1]."""
    p, t = prediction.ravel(), truth.ravel()
    p, t = p[~np.isnan(p)], t[~np.isnan(p)]
    if not len(p) or p.min() < 0 or p.max() > 1:
        return None
    p = np.clip(p, 1e-15, 1 - 1e-15)
    return float(-np.mean(np.where(t == 1, np.log(p), np.log1p(-p))))


def quality(meta: Meta, requests: Requests, end: float) -> tuple[Track, ...]:
    """Accuracy over the drill in equal windows; empty without truth."""
    if requests.truth is None or not len(requests):
        return ()
    right = correct(requests.prediction, requests.truth, meta.threshold).mean(axis=1)
    edges = np.linspace(0.0, end, QUALITY_POINTS + 1)
    at = np.clip(np.searchsorted(edges, requests.intended, side="right") - 1, 0, QUALITY_POINTS - 1)
    n = np.bincount(at, minlength=QUALITY_POINTS)
    total = np.bincount(at, weights=right, minlength=QUALITY_POINTS)
    values = tuple(float(s / k) if k else None for s, k in zip(total, n, strict=True))
    return (Track("accuracy", "ratio", tuple(((edges[1:] + edges[:-1]) / 2).tolist()), values),)

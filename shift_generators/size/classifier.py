"""A domain classifier: how well a model that sees whole rows tells two batches apart. It sees broken joins, too."""

import numpy as np

from driftdrill.shift_generators.errors import BadValue
from driftdrill.shift_generators.generator import Batch, Floats, Rng
from driftdrill.shift_generators.size.distances import as_numbers

_ROWS = 10_000


def domain_auc(
    reference: Batch, batch: Batch, *, columns: tuple[str, ...] | None = None, rng: Rng | None = None
) -> float:
    """The area under the ROC curve of a logistic regression on ranks, their squares and products, in [0.5, 1].

    ``columns`` are those of numbers unless given; each becomes its rank in the reference, and a flag if it is ever
    missing. Fitted on each half of the rows (at most 10,000 of each batch) and scored on the other half. Of one
    column alone, :func:`distance` gives the AUC of the best classifier that sees its bin.
    """
    names = columns or tuple(name for name, column in reference.items() if column.dtype.kind in "iuf")
    if not names:
        raise BadValue("domain_auc: no column of numbers to classify by")
    rng = rng or np.random.default_rng(0)
    old, new = (_some(b, names, rng) for b in (reference, batch))
    x = _terms(np.concatenate([_ranked(old, old), _ranked(new, old)]))
    y = np.concatenate([np.zeros(len(old)), np.ones(len(new))])
    half = rng.permutation(len(y)) % 2 == 0
    scores = np.empty(len(y))
    for fold in (half, ~half):
        scores[fold] = x[fold] @ _fit(x[~fold], y[~fold])
    # Each half is scored by its own model: compare within halves only.
    return max(float(np.mean([_auc(scores[fold], y[fold]) for fold in (half, ~half)])), 0.5)


def _some(batch: Batch, names: tuple[str, ...], rng: Rng) -> Floats:
    n = len(batch[names[0]])
    rows = rng.permutation(n)[:_ROWS] if n > _ROWS else np.arange(n)
    return np.column_stack([as_numbers(batch[name][rows], "domain_auc") for name in names])


def _ranked(values: Floats, reference: Floats) -> Floats:
    columns = []
    for j in range(values.shape[1]):
        known = np.sort(reference[:, j])
        known = known[~np.isnan(known)]
        place = np.searchsorted(known, values[:, j], side="left") + np.searchsorted(known, values[:, j], side="right")
        gone = np.isnan(values[:, j])
        columns.append(np.where(gone, 0.0, place / max(len(known), 1) - 1.0))
        columns.append(gone.astype(np.float64))
    return np.column_stack(columns)


def _terms(x: Floats) -> Floats:
    first, second = np.triu_indices(x.shape[1])
    terms = np.concatenate([np.ones((len(x), 1)), x, x[:, first] * x[:, second]], axis=1)
    return terms[:, np.append(True, np.ptp(terms[:, 1:], axis=0) > 0)]


def _fit(x: Floats, y: Floats) -> Floats:
    """Logistic regression with a small ridge, by Newton's method."""
    weights = np.zeros(x.shape[1])
    ridge = np.eye(x.shape[1]) * 1e-3 * len(x) / x.shape[1]
    for _ in range(8):
        p = 0.5 * (1.0 + np.tanh(0.5 * (x @ weights)))
        gradient = x.T @ (y - p) - ridge @ weights
        step = np.linalg.solve((x * (p * (1 - p))[:, None]).T @ x + ridge, gradient)
        weights = weights + step
        if np.abs(step).max() < 1e-3:
            break
    return weights


def _auc(scores: Floats, y: Floats) -> float:
    order = np.sort(scores)
    middle = (np.searchsorted(order, scores, side="left") + np.searchsorted(order, scores, side="right") + 1) / 2
    positives = float(y.sum())
    negatives = len(y) - positives
    return float((middle[y == 1].sum() - positives * (positives + 1) / 2) / (positives * negatives))

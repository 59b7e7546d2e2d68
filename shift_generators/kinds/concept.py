"""Concept drift: the truth moves and the features do not, so p(x) and every prediction stay as they were.

No monitor of inputs or outputs can see these; only truth that comes back can.
"""

import math
from collections.abc import Callable

import numpy as np

from driftdrill.shift_generators.errors import BadValue, WrongKind
from driftdrill.shift_generators.generator import (
    Batch,
    Column,
    Floats,
    Generator,
    Rng,
    check_kind,
    hits,
    shift,
    written,
)
from driftdrill.shift_generators.kinds.maps import finite
from driftdrill.shift_generators.kinds.missing import check_rate
from driftdrill.shift_generators.kinds.slices import Where, mask_of


@shift("shift.concept_flip", visible_from="nowhere")
def concept_flip(truth: str, *, rate: float = 1.0, where: Where | None = None) -> Generator:
    """Turn ``rate`` of the labels round, in the slice ``where`` or everywhere; a label is one of two (0 and 1).

    In a region of probability P(A) where a model has accuracy a, its accuracy falls by rate * (2a - 1) * P(A).
    Strength scales the rate. Raises :class:`WrongKind` for labels other than 0 and 1 (or False and True).
    """
    call = written("concept_flip", truth, rate=rate, where=where)
    check_rate(call, rate)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        y = _labels(batch, truth, call)
        p = strength * rate if where is None else strength * rate * mask_of(where, batch, call)
        return {truth: np.where(hits(p, rng), 1 - y, y).astype(batch[truth].dtype)}

    return Generator(call, (truth,), "share", kernel, truth=truth, limit=1.0 / rate)


@shift("shift.concept_logit", visible_from="nowhere")
def concept_logit(
    truth: str, *, probability: Callable[[Batch], Column], intercept: float = 0.0, slope: float = 1.0
) -> Generator:
    """Move the log-odds of the truth to intercept + slope * log-odds; strength goes there in a straight line.

    ``probability(batch)`` is p(y = 1 given x), float (n,) in (0, 1): of the synthetic source, or a calibrated model.
    As few labels change as can: 0 becomes 1 with chance (q - p) / (1 - p) where the new q is above p, else 1 becomes
    0 with chance (p - q) / p. Truth drawn from p is then truth drawn from q.
    """
    call = written("concept_logit", truth, probability=probability, intercept=intercept, slope=slope)
    finite(call, intercept=intercept, slope=slope)
    if intercept == 0 and slope == 1:
        raise BadValue(f"{call}: give an intercept other than 0, or a slope other than 1")

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        y = _labels(batch, truth, call)
        p = np.asarray(probability(batch), dtype=np.float64)
        if p.shape != y.shape or not ((p > 0) & (p < 1)).all():
            raise BadValue(f"{call}: probability must answer {len(y)} numbers in (0, 1)", hint="clip it")
        odds = np.log(p) - np.log1p(-p)
        q = 0.5 * (1.0 + np.tanh(0.5 * (odds + strength * (intercept + (slope - 1.0) * odds))))
        turn = np.where(y == 0, (q - p) / (1.0 - p), (p - q) / p)
        return {truth: np.where((rng.random(len(y)) < turn) & (strength > 0), 1 - y, y).astype(batch[truth].dtype)}

    return Generator(call, (truth,), "size", kernel, truth=truth, limit=math.inf)


@shift("shift.concept_reverse", visible_from="nowhere")
def concept_reverse(truth: str, *, by: str) -> Generator:
    """The relation between a column and the truth turns round: among the hit rows, the row of the lowest value of
    ``by`` takes the truth of the highest, and so on inwards. Any truth; p(x) and p(y) stay exactly.

    Strength is the share of rows. Rows where ``by`` is missing keep their truth.
    """
    call = written("concept_reverse", truth, by=by)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        check_kind(batch[by], by, "number", call)
        x = batch[by].astype(np.float64)
        rows = np.flatnonzero(hits(strength * ~np.isnan(x), rng))
        # In random order first, so that ties are broken by lot and not by place.
        rows = rng.permutation(rows)
        rows = rows[np.argsort(x[rows], kind="stable")]
        out = batch[truth].copy()
        out[rows] = batch[truth][rows[::-1]]
        return {truth: out}

    return Generator(call, (truth,), "share", kernel, reads=(by,), truth=truth)


def _labels(batch: Batch, truth: str, call: str) -> Column:
    y = batch[truth]
    if y.dtype.kind not in "biuf" or not np.isin(y, (0, 1)).all():
        wrong = next((v for v in y.tolist() if v not in (0, 1)), None)
        raise WrongKind(
            f"{call}: the truth column {truth!r} must hold 0 and 1, but holds {wrong!r}",
            hint="for any other truth, use concept_reverse",
        )
    return y.astype(np.int8)

"""Distances between a reference column and another: metric, frozen bins, smoothing and reference are one value.

Formulas, for shares p (reference) and q (current) of the bins:

- psi: sum (q - p) ln(q / p)
- hellinger: sqrt(1 - sum sqrt(p q)), in [0, 1]
- jensen_shannon: square root of the divergence in bits, in [0, 1] (Endres and Schindelin 2003)
- auc: the area under the ROC curve of the best classifier that tells the two apart by the bin (by likelihood ratio)
- ks: the largest difference of the distribution functions, on values that are not missing
- wasserstein: the area between the distribution functions, in the column's units, on values that are not missing
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np

from driftdrill.shift_generators.errors import BadValue, WrongKind, nearest
from driftdrill.shift_generators.generator import Column, Floats, missing

Metric = Callable[[Floats, Floats], float]
"""``metric(p, q)`` of the bins' shares, float64 (bins,), each summing to 1."""


def _psi(p: Floats, q: Floats) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = (q - p) * np.log(q / p)
    return float(np.where(p == q, 0.0, terms).sum())


def _hellinger(p: Floats, q: Floats) -> float:
    return float(np.sqrt(0.5 * np.square(np.sqrt(p) - np.sqrt(q)).sum()))


def _jensen_shannon(p: Floats, q: Floats) -> float:
    middle = (p + q) / 2

    def entropy_against(r: Floats) -> float:
        some = r > 0
        return float((r[some] * np.log2(r[some] / middle[some])).sum())

    return float(np.sqrt(max(0.5 * entropy_against(p) + 0.5 * entropy_against(q), 0.0)))


def _auc(p: Floats, q: Floats) -> float:
    with np.errstate(divide="ignore", invalid="ignore"):
        order = np.argsort(np.where(q > 0, q / p, 0.0))
    p, q = p[order], q[order]
    return float((q * (np.cumsum(p) - p / 2)).sum())


BINNED: dict[str, Metric] = {
    "psi": _psi,
    "hellinger": _hellinger,
    "jensen_shannon": _jensen_shannon,
    "auc": _auc,
}
ON_VALUES = ("ks", "wasserstein")
METRICS = (*BINNED, *ON_VALUES)
"""The names that :func:`distance` knows."""


@dataclass(frozen=True, eq=False)
class Law:
    """A distribution of one column: ``cdf(points)`` of the values that are there, and the share that is ``missing``.

    ``support`` are increasing points at which the distribution function is looked at, float64 (m,): rows of equal
    weight if ``ranked``.
    """

    cdf: Callable[[Floats], Floats]
    missing: float
    support: Floats
    ranked: bool = False


def law_of_values(values: Floats, weights: Floats | None = None, *, ordered: bool = False) -> Law:
    """The empirical law of values, float64 (n,), NaN where missing; weighted if weights (n,) are given."""
    if weights is None:
        there = values if ordered else np.sort(values)  # NaN sorts last
        count = int(np.searchsorted(there, np.nan, side="left")) if len(there) and np.isnan(there[-1]) else len(there)
        present = there[:count]
        share = 1.0 - count / max(len(values), 1)
        return Law(lambda points: np.searchsorted(present, points, side="right") / max(count, 1), share, present, True)
    order = np.argsort(values)
    count = len(values) - int(np.isnan(values).sum())
    present, running = values[order[:count]], np.concatenate([[0.0], np.cumsum(weights[order[:count]])])
    total = float(running[-1])

    def cdf(points: Floats) -> Floats:
        return running[np.searchsorted(present, points, side="right")] / (total or 1.0)

    return Law(cdf, float(weights[order[count:]].sum() / weights.sum()), present)


def mixture(old: Law, new: Law, share: float, support: Floats) -> Law:
    """(1 - share) * old + share * new, looked at in ``support``, which holds both laws' points."""
    there_old, there_new = (1.0 - share) * (1.0 - old.missing), share * (1.0 - new.missing)
    there, gone = there_old + there_new, (1.0 - share) * old.missing + share * new.missing

    def cdf(points: Floats) -> Floats:
        return (there_old * old.cdf(points) + there_new * new.cdf(points)) / (there or 1.0)

    return Law(cdf, gone, support)


@dataclass(frozen=True, eq=False)
class Distance:
    """``distance(column) -> float``: how far a column is from the reference. Build one with :func:`distance`.

    ``edges`` are the upper ends of all bins but the last; missing values are a bin of their own. ``levels`` are a
    text column's bins, before those of the rest and of what the reference does not have. ``rows`` is the reference's
    number of rows, ``source`` its column. ``smoothing`` rows are added to every bin.
    """

    name: str
    metric: Metric | None
    edges: Floats
    smoothing: float
    rows: int
    reference: Law
    source: Column
    levels: tuple[str, ...] | None = None
    rest: tuple[str, ...] = ()

    def __call__(self, column: Column) -> float:
        """The distance of a column from the reference; raises :class:`WrongKind` for one of another kind."""
        if len(column) == 0:
            raise BadValue(f"{self.name}: the column is empty")
        return self.of(law_of_values(self.encode(column)), len(column))

    def of(self, law: Law, rows: int | None = None) -> float:
        """The distance of a law from the reference's; ``rows`` (the reference's unless given) matter to smoothing."""
        if self.metric is not None:
            return self.metric(self.shares(self.reference, self.rows), self.shares(law, rows or self.rows))
        if 1.0 in (law.missing, self.reference.missing):
            raise BadValue(f"{self.name}: every value is missing", hint="psi counts missing values, as a bin")
        old, new = self.reference, law
        if self.name == "ks" and old.ranked and new.ranked:
            return _two_sample_ks(old.support, new.support)
        if self.name == "wasserstein" and old.ranked and new.ranked and len(old.support) == len(new.support):
            return float(np.abs(old.support - new.support).mean())  # the rows of one rank are matched
        points = np.union1d(old.support, new.support)
        apart = np.abs(self.reference.cdf(points) - law.cdf(points))
        return float(apart.max()) if self.name == "ks" else float((apart[:-1] * np.diff(points)).sum())

    def shares(self, law: Law, rows: int) -> Floats:
        """The shares of the bins and, last, of what is missing, float64 (bins + 1,), smoothed as for ``rows`` rows."""
        present = np.diff(law.cdf(self.edges), prepend=0.0, append=1.0) * (1.0 - law.missing)
        shares = np.append(np.clip(present, 0.0, 1.0), law.missing)
        return (shares * rows + self.smoothing) / (rows + self.smoothing * len(shares))

    def encode(self, column: Column) -> Floats:
        """The column as numbers, NaN where missing; a text column's levels as bin numbers."""
        if self.levels is None:
            return as_numbers(column, self.name)
        if column.dtype.kind not in "UOb":
            raise WrongKind(f"{self.name}: the reference holds text, but this column's dtype is {column.dtype}")
        known = {level: float(i) for i, level in enumerate(self.levels)}
        known.update((level, float(len(self.levels))) for level in self.rest)
        gone = missing(column)
        levels, codes = np.unique(column.astype(str), return_inverse=True)
        numbers = np.array([known.get(str(level), len(self.levels) + 1.0) for level in levels])
        return np.where(gone, np.nan, numbers[codes])


def _two_sample_ks(a: Floats, b: Floats) -> float:
    """Between two jumps of one function the other only rises: its right and left limits at those jumps suffice."""
    sides: tuple[Literal["left", "right"], ...] = ("left", "right")
    return max(
        float(np.abs(np.searchsorted(a, b, side=side) / len(a) - np.searchsorted(b, b, side=side) / len(b)).max())
        for side in sides
    )


def thinned(law: Law, points: int) -> Law:
    """The law looked at in at most so many of its points, each the middle of an equal share of them."""
    n = len(law.support)
    if n <= points:
        return law
    return replace(law, support=law.support[((np.arange(points) + 0.5) * n / points).astype(np.int64)])


def as_numbers(column: Column, asked_by: str) -> Floats:
    """Numbers, booleans or timestamps as float64, NaN where missing."""
    if column.dtype.kind in "mM":
        return np.where(np.isnat(column), np.nan, column.astype(np.int64).astype(np.float64))
    if column.dtype.kind in "biuf":
        return column.astype(np.float64)
    raise WrongKind(f"{asked_by}: the reference holds numbers, but this column's dtype is {column.dtype}")


def distance(metric: str | Metric, reference: Column, *, bins: int = 10, smoothing: float = 0.5) -> Distance:
    """Freeze a metric, its bins, its smoothing and a reference column into one value.

    ``metric`` is one of :data:`METRICS`, or a function of the bins' shares. Bins of numbers are the reference's
    quantiles, in which a value that fills a whole bin has one of its own; bins of text are its ``bins`` most frequent
    levels, the rest, and the unseen. Raises :class:`ShiftError` for an unknown metric or a reference without values.
    """
    name = metric if isinstance(metric, str) else getattr(metric, "__name__", "custom")
    if isinstance(metric, str) and metric not in METRICS:
        raise BadValue(f"distance: no metric {metric!r}", hint=nearest(metric, METRICS))
    if bins < 2 or smoothing < 0:
        raise BadValue(f"{name}: bins must be 2 or more and smoothing 0 or more, not {bins} and {smoothing}")
    if len(reference) == 0 or missing(reference).all():
        raise BadValue(f"{name}: the reference column has no values")
    chosen = BINNED.get(metric) if isinstance(metric, str) else metric
    if reference.dtype.kind in "UO":
        return _of_text(name, chosen, reference, bins, smoothing)
    law = law_of_values(as_numbers(reference, name))
    return Distance(name, chosen, frozen_edges(law.support, bins), float(smoothing), len(reference), law, reference)


def _of_text(name: str, metric: Metric | None, reference: Column, bins: int, smoothing: float) -> Distance:
    if metric is None:
        raise WrongKind(f"{name}: text has no order; measure it by one of {', '.join(BINNED)}")
    levels, counts = np.unique(reference[~missing(reference)].astype(str), return_counts=True)
    ranked = [str(level) for level in levels[np.argsort(-counts, kind="stable")]]
    kept, rest = tuple(ranked[:bins]), tuple(ranked[bins:])
    edges = np.arange(len(kept) + 1, dtype=np.float64) + 0.5
    empty = Distance(
        name, metric, edges, float(smoothing), len(reference), Law(np.zeros_like, 0.0, edges), reference, kept, rest
    )
    law = law_of_values(empty.encode(reference))
    return Distance(name, metric, edges, float(smoothing), len(reference), law, reference, kept, rest)


def frozen_edges(ordered: Floats, bins: int) -> Floats:
    """Inner edges at the quantiles of sorted values: a bin is (edge before, edge].

    A value that fills a bin or more (zero-inflated and constant columns) gets an edge just below it too, so that a
    move away from it to either side is seen.
    """
    n = len(ordered)
    quantiles = ordered[np.ceil(np.arange(1, bins) / bins * n).astype(np.int64) - 1]
    edges, counts = np.unique(quantiles, return_counts=True)
    alone = edges[(counts > 1) | (len(edges) == 1)]
    return np.union1d(edges, np.nextafter(alone, -np.inf))

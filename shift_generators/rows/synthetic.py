"""Synthetic rows of which everything is known: a Gaussian copula with chosen marginals, and a logistic truth."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from driftdrill.shift_generators.errors import BadValue, UnknownColumn
from driftdrill.shift_generators.generator import Batch, Column, Floats, Rng
from driftdrill.shift_generators.kinds.maps import knots


class Marginal(Protocol):
    """One column's law, as a frozen distribution of ``scipy.stats`` has it; each maps float (n,) to float64 (n,)."""

    def ppf(self, q: Floats, /) -> Floats: ...
    def cdf(self, x: Floats, /) -> Floats: ...
    def logpdf(self, x: Floats, /) -> Floats: ...


@dataclass(frozen=True, eq=False)
class Empirical:
    """The law of a reference column, continuous between its quantiles (at most 4,097)."""

    values: Floats
    ranks: Floats

    def ppf(self, q: Floats, /) -> Floats:
        """The value at rank q."""
        return np.interp(q, self.ranks, self.values)

    def cdf(self, x: Floats, /) -> Floats:
        """The rank of value x."""
        return np.interp(x, self.values, self.ranks)

    def logpdf(self, x: Floats, /) -> Floats:
        """The log density, constant between quantiles; -inf outside the reference's range."""
        density = np.diff(self.ranks) / np.diff(self.values)
        at = np.clip(np.searchsorted(self.values, x, side="right") - 1, 0, len(density) - 1)
        inside = (x >= self.values[0]) & (x <= self.values[-1])
        return np.log(np.where(inside, density[at], 0.0), where=inside, out=np.full(len(x), -np.inf))


@dataclass(frozen=True, eq=False)
class GaussianCopula:
    """Columns with chosen marginals whose normal scores have the given correlation, float64 (d, d).

    Raises :class:`BadValue` if the correlation is not one: symmetric, 1 on its diagonal, positive definite.
    """

    marginals: Mapping[str, Marginal]
    correlation: Floats

    def __post_init__(self) -> None:
        d, r = len(self.marginals), np.asarray(self.correlation)
        if r.shape != (d, d) or not np.allclose(r, r.T) or not np.allclose(np.diag(r), 1.0):
            raise BadValue(f"GaussianCopula: correlation must be symmetric, ({d}, {d}), with 1 on its diagonal")
        if np.linalg.eigvalsh(r)[0] <= 0:
            raise BadValue("GaussianCopula: correlation must be positive definite", hint="make its entries smaller")

    def sample(self, n: int, rng: Rng) -> Batch:
        """``n`` rows, float64."""
        from scipy.special import ndtr

        scores = rng.standard_normal((n, len(self.marginals))) @ np.linalg.cholesky(self.correlation).T
        return {name: np.asarray(law.ppf(ndtr(scores[:, j]))) for j, (name, law) in enumerate(self.marginals.items())}

    def logpdf(self, batch: Batch) -> Floats:
        """log p(x) of each row, float64 (n,)."""
        from scipy.special import ndtri

        for name in self.marginals:
            if name not in batch:
                raise UnknownColumn(name, batch, asked_by="GaussianCopula")
        laws = self.marginals.items()
        scores = np.column_stack([ndtri(np.clip(law.cdf(batch[name]), 1e-16, 1 - 1e-16)) for name, law in laws])
        inverse = np.linalg.inv(self.correlation) - np.eye(len(self.marginals))
        copula = -0.5 * (np.einsum("ni,ij,nj->n", scores, inverse, scores) + np.linalg.slogdet(self.correlation)[1])
        return np.asarray(copula + sum(law.logpdf(batch[name]) for name, law in laws), dtype=np.float64)


def fit_copula(reference: Batch, columns: tuple[str, ...] | None = None) -> GaussianCopula:
    """The copula of a reference's columns of numbers (all of them unless named), with its empirical marginals.

    Rows with a missing value in one of them do not count. Raises :class:`ShiftError` for a constant column.
    """
    from scipy.special import ndtri

    names = columns or tuple(name for name, column in reference.items() if column.dtype.kind in "iuf")
    for name in names:
        if name not in reference:
            raise UnknownColumn(name, reference, asked_by="fit_copula")
    complete = np.logical_and.reduce([np.isfinite(reference[name]) for name in names])
    if complete.sum() <= len(names):
        raise BadValue(f"fit_copula: {int(complete.sum())} complete rows are too few for {len(names)} columns")
    marginals = {name: Empirical(*knots(reference[name], name, "fit_copula")) for name in names}
    scores = np.column_stack([ndtri(_middle_rank(reference[name][complete])) for name in names])
    return GaussianCopula(marginals, np.atleast_2d(np.corrcoef(scores, rowvar=False)))


def _middle_rank(column: Column) -> Floats:
    ordered = np.sort(column)
    place = np.searchsorted(ordered, column, side="left") + np.searchsorted(ordered, column, side="right")
    return np.asarray((place + 1.0) / (2.0 * (len(column) + 1.0)), dtype=np.float64)


@dataclass(frozen=True, eq=False)
class Synthetic:
    """Rows of a copula with a truth of 0 and 1 whose log-odds are intercept + sum of coefficient * column."""

    features: GaussianCopula
    coefficients: Mapping[str, float]
    intercept: float = 0.0
    truth: str = "y"

    def probability(self, batch: Batch) -> Floats:
        """p(y = 1 given x) of each row, float64 (n,)."""
        odds = self.intercept + sum(c * batch[name] for name, c in self.coefficients.items())
        return np.asarray(0.5 * (1.0 + np.tanh(0.5 * np.asarray(odds, dtype=np.float64))))

    def sample(self, n: int, rng: Rng) -> Batch:
        """``n`` rows with their truth, int64."""
        rows = self.features.sample(n, rng)
        return {**rows, self.truth: (rng.random(n) < self.probability(rows)).astype(np.int64)}

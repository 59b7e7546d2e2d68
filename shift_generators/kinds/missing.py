"""Values go missing at an exact rate: completely at random, by another column, or by the value itself (Rubin 1976).

A missing value is NaN among numbers (whole numbers become float64), NaT among timestamps, and None among text.
"""

import numpy as np

from driftdrill.shift_generators.errors import BadValue, WrongKind
from driftdrill.shift_generators.generator import (
    Batch,
    Column,
    Floats,
    Generator,
    Mask,
    Rng,
    check_kind,
    hits,
    share,
    shift,
    written,
)
from driftdrill.shift_generators.kinds.maps import Knots, finite, knots


@shift("miss.mcar")
def mcar(column: str, *, rate: float = 1.0) -> Generator:
    """Missing completely at random: ``rate`` of the rows, in (0, 1], whatever they hold. Strength scales the rate."""
    call = written("mcar", column, rate=rate)
    check_rate(call, rate)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        return {column: without(batch[column], hits(share(strength, rate), rng), column, call)}

    return Generator(call, (column,), "share", kernel, limit=1.0 / rate)


@shift("miss.mar")
def mar(column: str, *, by: str, rate: float = 0.2, slope: float = 4.0) -> Generator:
    """Missing at random: the chance to go missing rises with the rank of another column ``by``; the mean is ``rate``.

    The chance is logistic in the rank, from -slope/2 to +slope/2 about its middle; a negative slope makes low values
    of ``by`` go first. Where ``by`` is missing, the middle rank stands. Strength scales every chance.
    """
    call = written("mar", column, by=by, rate=rate, slope=slope)
    if by == column:
        raise BadValue(f"{call}: by must name another column", hint="a column that decides on itself is mnar")
    return _dependent(call, column, by, rate=rate, slope=slope)


@shift("miss.mnar")
def mnar(column: str, *, rate: float = 0.2, slope: float = 4.0) -> Generator:
    """Missing not at random: as :func:`mar`, but by the rank of the value that goes missing."""
    call = written("mnar", column, rate=rate, slope=slope)
    return _dependent(call, column, column, rate=rate, slope=slope)


def _dependent(call: str, column: str, by: str, *, rate: float, slope: float) -> Generator:
    check_rate(call, rate)
    finite(call, slope=slope)

    def prepare(reference: Batch) -> tuple[Knots, float]:
        check_kind(reference[by], by, "number", call)
        ranked = knots(reference[by], by, call)
        return ranked, _intercept(_ranks(reference[by], ranked), rate, slope)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: tuple[Knots, float]) -> Batch:
        ranked, intercept = state
        p = strength * _logistic(intercept + slope * _ranks(batch[by], ranked))
        return {column: without(batch[column], hits(p, rng), column, call)}

    reads = () if by == column else (by,)
    return Generator(call, (column,), "share", kernel, reads=reads, prepare=prepare)


def _ranks(column: Column, reference: Knots) -> Floats:
    ranks = np.interp(column, *reference) - 0.5
    return np.nan_to_num(ranks, nan=0.0)


def _intercept(ranks: Floats, rate: float, slope: float) -> float:
    """The intercept at which the chances have mean ``rate``, by bisection."""
    if rate == 1.0:
        return np.inf
    low, high = -50.0 - abs(slope), 50.0 + abs(slope)
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _logistic(middle + slope * ranks).mean() < rate else (low, middle)
    return (low + high) / 2


def _logistic(x: Floats) -> Floats:
    return np.asarray(0.5 * (1.0 + np.tanh(0.5 * x)))  # never overflows


def check_rate(asked_by: str, rate: float) -> None:
    """Raises :class:`BadValue` unless the rate is in (0, 1]."""
    finite(asked_by, rate=rate)
    if not 0 < rate <= 1:
        raise BadValue(f"{asked_by}: rate must be in (0, 1], not {rate!r}")


def without(column: Column, rows: Mask, name: str, asked_by: str) -> Column:
    """A copy of the column in which the given rows are missing; raises :class:`WrongKind` for whole numbers > 2^53."""
    kind = column.dtype.kind
    if kind in "fc":
        out = column.copy()
        np.putmask(out, rows, np.nan)
        return out
    if kind in "iu":
        if len(column) and max(abs(int(column.min())), abs(int(column.max()))) > 2**53:
            raise WrongKind(
                f"{asked_by}: column {name!r} holds whole numbers beyond 2**53, which float64 cannot keep beside NaN",
                hint="cast it to object first",
            )
        out = column.astype(np.float64)
        np.putmask(out, rows, np.nan)
        return out
    if kind in "mM":
        out = column.copy()
        out[rows] = np.array("NaT", dtype=column.dtype)
        return out
    out = column.astype(object)
    out[rows] = None
    return out

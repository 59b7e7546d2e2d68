"""Measurement quality: noise, outliers, rounding, saturation, a sensor that hangs, rows that come twice."""

import numpy as np

from driftdrill.shift_generators.errors import BadValue
from driftdrill.shift_generators.generator import (
    Batch,
    Column,
    Floats,
    Generator,
    Rng,
    hits,
    missing,
    share,
    shift,
    written,
)
from driftdrill.shift_generators.kinds.maps import finite, keep_unhit, level, like, on_hit_rows
from driftdrill.shift_generators.kinds.missing import check_rate
from driftdrill.shift_generators.kinds.units import fill


@shift("noise.gaussian")
def gaussian_noise(column: str, *, sd: float = 1.0) -> Generator:
    """Add normal noise of standard deviation ``sd``, in the column's own units; strength scales it in every row."""
    call = written("gaussian_noise", column, sd=sd)
    finite(call, sd=sd)
    if sd <= 0:
        raise BadValue(f"{call}: sd must be above 0, not {sd!r}")

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x, s = batch[column], level(strength)
        noise = rng.standard_normal(len(x))
        noise *= s * sd
        return {column: keep_unhit(like(x + noise, x), x, s)}

    return Generator(call, (column,), "size", kernel, kind="number", limit=np.inf)


@shift("noise.outliers")
def outliers(column: str, *, rate: float = 0.01, sds: float = 10.0) -> Generator:
    """Put ``rate`` of the rows ``sds`` robust standard deviations from the median, up or down at random.

    Median and spread (interquartile range / 1.349) are the reference's, or its standard deviation where the range is
    0. Strength scales the rate.
    """
    call = written("outliers", column, rate=rate, sds=sds)
    check_rate(call, rate)
    finite(call, sds=sds)

    def prepare(reference: Batch) -> tuple[float, float]:
        values = reference[column]
        return median_and_spread(values[np.isfinite(values)], column, call)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: tuple[float, float]) -> Batch:
        x, (centre, spread) = batch[column], state
        rows = np.flatnonzero(hits(share(strength, rate), rng))
        out = x.copy()
        side = rng.integers(0, 2, len(rows)) * 2.0 - 1.0
        out[rows] = like(centre + side * sds * spread, x)
        return {column: out}

    return Generator(call, (column,), "share", kernel, kind="number", prepare=prepare, limit=1.0 / rate)


def median_and_spread(values: Column, name: str, asked_by: str) -> tuple[float, float]:
    """Median and robust standard deviation of numbers; raises :class:`BadValue` if they are constant."""
    if len(values) == 0:
        raise BadValue(f"{asked_by}: column {name!r} has no finite value")
    low, centre, high = np.quantile(values, (0.25, 0.5, 0.75))
    spread = (high - low) / 1.349 or float(np.std(values))
    if spread == 0:
        raise BadValue(f"{asked_by}: column {name!r} is constant, so it has no spread")
    return float(centre), float(spread)


@shift("noise.rounding")
def rounding(column: str, *, to: float = 1.0) -> Generator:
    """Round the hit rows to multiples of ``to``. Strength is their share."""
    call = written("rounding", column, to=to)
    finite(call, to=to)
    if to <= 0:
        raise BadValue(f"{call}: to must be above 0, not {to!r}")
    return on_hit_rows(call, column, lambda x: np.rint(x / to) * to)


@shift("noise.clipped")
def clipped(column: str, *, lower: float = -np.inf, upper: float = np.inf) -> Generator:
    """Saturate the hit rows at ``lower`` and ``upper``, in the column's own units. Strength is their share."""
    call = written("clipped", column, lower=lower if lower > -np.inf else None, upper=upper if upper < np.inf else None)
    if not lower < upper or (lower == -np.inf and upper == np.inf):
        raise BadValue(f"{call}: give a lower or an upper end, lower below upper")
    return on_hit_rows(call, column, lambda x: np.clip(x, lower, upper))


@shift("noise.stuck")
def stuck(column: str) -> Generator:
    """The hit rows repeat one value, the first of the reference that is not missing. Strength is their share."""
    call = written("stuck", column)

    def prepare(reference: Batch) -> object:
        values = reference[column]
        there = np.flatnonzero(~missing(values))
        return values[there[0]] if len(there) else None

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: object) -> Batch:
        x, rows = batch[column], hits(strength, rng)
        if isinstance(state, (np.number, str)):
            return {column: fill(x, rows, state, column, call)}
        out = x.copy()
        out[rows] = state
        return {column: out}

    return Generator(call, (column,), "share", kernel, prepare=prepare)


@shift("noise.duplicate")
def duplicates(*, rate: float = 1.0) -> Generator:
    """``rate`` of the rows come again in place of the next: each hit row is a copy of the nearest one before it that
    is not hit, truth included. The first row has none before it and stays. Strength scales the rate.
    """
    call = written("duplicates", rate=rate)
    check_rate(call, rate)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        again = hits(share(strength, rate), rng)
        again[0] = False
        source = np.maximum.accumulate(np.where(again, 0, np.arange(len(again))))
        return {name: values[source] for name, values in batch.items()}

    return Generator(call, (), "share", kernel, limit=1.0 / rate)

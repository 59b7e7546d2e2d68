"""Monotone maps of one column: shift.mean, shift.scale, shift.affine, shift.quantile_warp."""

import math
from collections.abc import Callable

import numpy as np

from driftdrill.shift_generators.errors import BadValue
from driftdrill.shift_generators.generator import Batch, Column, Floats, Generator, Rng, hits, is_level, shift, written

Change = Callable[[Floats], Floats]

_PIECE = 16_384  # rows at a time, whose temporary arrays stay in the cache


def finite(asked_by: str, **values: float) -> None:
    """Raises :class:`BadValue` unless every value is a finite number."""
    for name, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float, np.number)) or not math.isfinite(value):
            raise BadValue(f"{asked_by}: {name} must be a finite number, not {value!r}")


def like(values: Column, column: Column) -> Column:
    """``values`` in the dtype of ``column``; whole-number columns round to the nearest, inside their range."""
    if column.dtype.kind not in "iu":
        return values.astype(column.dtype, copy=False)
    info = np.iinfo(column.dtype)
    # float64 cannot hold int64's maximum: the nearest one below it can.
    top = np.nextafter(np.float64(info.max), 0.0) if info.bits == 64 else np.float64(info.max)
    return np.clip(np.rint(values), float(info.min), top).astype(column.dtype)


def level(strength: Floats) -> Floats | float:
    """The strength as one number where all rows share it: half the memory traffic of a pass."""
    return float(strength[0]) if is_level(strength) else strength


def keep_unhit(out: Column, column: Column, strength: Floats | float) -> Column:
    """``out``, with the bytes of ``column`` where strength is 0 (-0.0 and NaN payloads included)."""
    if isinstance(strength, np.ndarray) and not strength.all():
        np.copyto(out, column, where=strength == 0.0)
    return out


def _affine(call: str, column: str, by: float, offset: float) -> Generator:
    def move(x: Column, s: Floats | float) -> Column:
        values = x * (1.0 + s * (by - 1.0)) if by != 1.0 else x + s * offset
        if by != 1.0 and offset != 0.0:
            values += s * offset
        return like(values, x)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x, s = batch[column], level(strength)
        return {column: keep_unhit(move(x, s), x, s)}

    # Beyond 1 / (1 - by) a map that shrinks would turn the column round.
    limit = math.inf if by >= 1.0 else 1.0 / (1.0 - by)
    return Generator(
        call, (column,), "size", kernel, kind="number", limit=limit, monotone=lambda x, t, state: move(x, t)
    )


@shift("shift.mean")
def mean_shift(column: str, *, by: float = 1.0) -> Generator:
    """Add ``by`` to every value, in the column's own units: x + strength * by.

    Raises :class:`BadValue` if ``by`` is 0 or not finite.
    """
    call = written("mean_shift", column, by=by)
    finite(call, by=by)
    if by == 0:
        raise BadValue(f"{call}: by must not be 0, or nothing is shifted")
    return _affine(call, column, 1.0, float(by))


@shift("shift.scale")
def scale(column: str, *, by: float = 2.0, about: float = 0.0) -> Generator:
    """Stretch the column by the factor ``by`` about the value ``about``: about + (x - about) * by at strength 1.

    Strength moves the factor in a straight line from 1 to ``by``. Raises :class:`BadValue` for a factor of 1, or
    one that is not above 0 (it would not be monotone).
    """
    call = written("scale", column, by=by, about=about)
    finite(call, by=by, about=about)
    if by <= 0 or by == 1:
        raise BadValue(f"{call}: by must be above 0 and not 1, but is {by!r}")
    return _affine(call, column, float(by), about * (1.0 - by))


@shift("shift.affine")
def affine(column: str, *, by: float, offset: float) -> Generator:
    """x * by + offset at strength 1, and on the straight line from x to it before.

    Raises :class:`BadValue` for a factor that is not above 0, or if both together change nothing.
    """
    call = written("affine", column, by=by, offset=offset)
    finite(call, by=by, offset=offset)
    if by <= 0 or (by == 1 and offset == 0):
        raise BadValue(f"{call}: by must be above 0, and something must change; by is {by!r}, offset {offset!r}")
    return _affine(call, column, float(by), float(offset))


@shift("shift.quantile_warp")
def quantile_warp(column: str, *, power: float = 2.0) -> Generator:
    """Move each value to another quantile of the reference: from rank u to rank u ** power.

    The values stay within the reference's range, whatever the power: above 1 they fall, below 1 they rise. Strength
    moves each value in a straight line. Raises :class:`BadValue` for a power of 1, or not above 0.
    """
    call = written("quantile_warp", column, power=power)
    finite(call, power=power)
    if power <= 0 or power == 1:
        raise BadValue(f"{call}: power must be above 0 and not 1, but is {power!r}")

    def prepare(reference: Batch) -> Knots:
        return knots(reference[column], column, call)

    def move(x: Column, s: Floats | float, reference: Knots) -> Column:
        values, ranks = reference
        with np.errstate(invalid="ignore"):
            warped = np.interp(np.interp(x, values, ranks) ** power, ranks, values)
            # A value outside the reference's range has no rank: it moves as the range's end does.
            moved = x + s * (warped - np.clip(x, values[0], values[-1]))
        return like(moved, x)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: Knots) -> Batch:
        x, s = batch[column], level(strength)
        return {column: keep_unhit(move(x, s, state), x, s)}

    return Generator(
        call,
        (column,),
        "size",
        kernel,
        kind="number",
        prepare=prepare,
        monotone=move,
        resize=lambda factor: quantile_warp(column, power=power**factor),
        limit=20.0 / abs(math.log(power)),
    )


Knots = tuple[Floats, Floats]
"""A reference's quantile function: increasing values and their ranks in [0, 1], at most 4,097 of each."""


def knots(column: Column, name: str, asked_by: str) -> Knots:
    """The quantile function of a reference column of numbers; raises :class:`BadValue` if it is constant."""
    values = np.sort(column[np.isfinite(column)]).astype(np.float64)
    if len(values) == 0 or values[0] == values[-1]:
        raise BadValue(f"{asked_by}: column {name!r} is constant, so its values have no other quantile to go to")
    picked = np.unique(values[np.linspace(0, len(values) - 1, min(len(values), 4097)).astype(np.int64)])
    left, right = np.searchsorted(values, picked, side="left"), np.searchsorted(values, picked, side="right")
    ranks = (left + right) / (2.0 * len(values))  # the middle of a tie
    ranks[0], ranks[-1] = 0.0, 1.0
    return picked, ranks


def on_hit_rows(call: str, column: str, change: Change) -> Generator:
    """A generator that changes the hit rows' values of one column of numbers; strength is their share."""

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x, hit = batch[column], hits(strength, rng)
        out = x.copy()
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(x), _PIECE):
                piece = out[start : start + _PIECE]
                rows = np.flatnonzero(hit[start : start + _PIECE])
                piece[rows] = like(change(piece[rows].astype(np.float64, copy=False)), x)
        return {column: out}

    return Generator(call, (column,), "share", kernel, kind="number")

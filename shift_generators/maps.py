"""Monotone maps of one column: shift.mean, shift.scale, shift.affine, and the units that are such maps."""

import math
from collections.abc import Callable

import numpy as np

from shift_generators.errors import BadValue
from shift_generators.generator import Batch, Column, Floats, Generator, Rng, hits, written

Change = Callable[[Floats], Floats]


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
    first = float(strength[0])
    return first if first == strength[-1] and bool((strength == first).all()) else strength


def keep_unhit(out: Column, column: Column, strength: Floats | float) -> Column:
    """``out``, with the bytes of ``column`` where strength is 0 (-0.0 and NaN payloads included)."""
    if isinstance(strength, np.ndarray) and not strength.all():
        np.copyto(out, column, where=strength == 0.0)
    return out


def _affine(id: str, call: str, column: str, by: float, offset: float) -> Generator:
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
        id, call, (column,), "size", kernel, kind="number", limit=limit, monotone=lambda x, t, state: move(x, t)
    )


def mean_shift(column: str, *, by: float = 1.0) -> Generator:
    """Add ``by`` to every value, in the column's own units: x + strength * by.

    Raises :class:`BadValue` if ``by`` is 0 or not finite.
    """
    call = written("mean_shift", column, by=by)
    finite(call, by=by)
    if by == 0:
        raise BadValue(f"{call}: by must not be 0, or nothing is shifted")
    return _affine("shift.mean", call, column, 1.0, float(by))


def scale(column: str, *, by: float = 2.0, about: float = 0.0) -> Generator:
    """Stretch the column by the factor ``by`` about the value ``about``: about + (x - about) * by at strength 1.

    Strength moves the factor in a straight line from 1 to ``by``. Raises :class:`BadValue` for a factor of 1, or
    one that is not above 0 (it would not be monotone).
    """
    call = written("scale", column, by=by, about=about)
    finite(call, by=by, about=about)
    if by <= 0 or by == 1:
        raise BadValue(f"{call}: by must be above 0 and not 1, but is {by!r}")
    return _affine("shift.scale", call, column, float(by), about * (1.0 - by))


def affine(column: str, *, by: float, offset: float) -> Generator:
    """x * by + offset at strength 1, and on the straight line from x to it before.

    Raises :class:`BadValue` for a factor that is not above 0, or if both together change nothing.
    """
    call = written("affine", column, by=by, offset=offset)
    finite(call, by=by, offset=offset)
    if by <= 0 or (by == 1 and offset == 0):
        raise BadValue(f"{call}: by must be above 0, and something must change; by is {by!r}, offset {offset!r}")
    return _affine("shift.affine", call, column, float(by), float(offset))


def rescale(column: str, *, by: float) -> Generator:
    """A change of unit: x * by in the rows that are hit, as ``rescale("dep_delay", by=60)`` for minutes to seconds.

    Strength is the share of rows: a row comes in the old unit or in the new one, never between. Raises
    :class:`BadValue` for a factor of 0 or 1.
    """
    call = written("rescale", column, by=by)
    finite(call, by=by)
    if by in (0, 1):
        raise BadValue(f"{call}: by must be neither 0 nor 1, but is {by!r}")
    return on_hit_rows("unit.rescale", call, column, lambda x: x * by)


def on_hit_rows(id: str, call: str, column: str, change: Change) -> Generator:
    """A generator that changes the hit rows' values of one column of numbers; strength is their share."""

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x = batch[column]
        rows = np.flatnonzero(hits(strength, rng))
        out = x.copy()
        out[rows] = like(change(x[rows].astype(np.float64)), x)
        return {column: out}

    return Generator(id, call, (column,), "share", kernel, kind="number")

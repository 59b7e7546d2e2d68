"""A column's meaning changes: its unit, its scale, its place. A row has the old meaning or the new one, never half."""

import math
from dataclasses import replace
from typing import Any

import numpy as np

from driftdrill.shift_generators.errors import BadValue, WrongKind
from driftdrill.shift_generators.generator import Batch, Column, Floats, Generator, Rng, hits, shift, written
from driftdrill.shift_generators.kinds.joint import wrong_join
from driftdrill.shift_generators.kinds.maps import finite, on_hit_rows


@shift("unit.rescale")
def rescale(column: str, *, by: float) -> Generator:
    """A change of unit: x * by in the rows that are hit, as ``rescale("dep_delay", by=60)`` for minutes to seconds.

    Strength is the share of rows. Raises :class:`BadValue` for a factor of 0 or 1.
    """
    call = written("rescale", column, by=by)
    finite(call, by=by)
    if by in (0, 1):
        raise BadValue(f"{call}: by must be neither 0 nor 1, but is {by!r}")
    return on_hit_rows(call, column, lambda x: x * by)


@shift("unit.log")
def log_unit(column: str, *, base: float = math.e) -> Generator:
    """The column arrives on a log scale: sign(x) * log(1 + |x|), to ``base``, which takes zeros and negatives too.

    Strength is the share of rows. Raises :class:`BadValue` for a base that is not above 0, or is 1.
    """
    call = written("log_unit", column, base=None if base == math.e else base)
    finite(call, base=base)
    if base <= 0 or base == 1:
        raise BadValue(f"{call}: base must be above 0 and not 1, but is {base!r}")
    return on_hit_rows(call, column, lambda x: np.sign(x) * np.log1p(np.abs(x)) / math.log(base))


@shift("unit.temperature")
def temperature(column: str, *, to: str = "fahrenheit") -> Generator:
    """Degrees Celsius arrive as Fahrenheit (``to="fahrenheit"``), or the other way round (``to="celsius"``)."""
    call = written("temperature", column, to=to)
    if to == "fahrenheit":
        return on_hit_rows(call, column, lambda x: x * 1.8 + 32.0)
    if to == "celsius":
        return on_hit_rows(call, column, lambda x: (x - 32.0) / 1.8)
    raise BadValue(f"{call}: to must be 'fahrenheit' or 'celsius', not {to!r}")


@shift("col.swap")
def swap_columns(first: str, second: str) -> Generator:
    """The hit rows' values of two columns change places, as after a wrong column order. Strength is their share.

    Raises :class:`WrongKind` if one holds numbers and the other does not.
    """
    call = written("swap_columns", first, second)
    if first == second:
        raise BadValue(f"{call}: name two different columns")

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        a, b = batch[first], batch[second]
        if (a.dtype.kind in "iuf") != (b.dtype.kind in "iuf") or (a.dtype.kind in "mM") != (b.dtype.kind in "mM"):
            raise WrongKind(f"{call}: {first!r} is {a.dtype} and {second!r} is {b.dtype}; both must hold one kind")
        rows = hits(strength, rng)
        both = np.result_type(a, b)  # int64 and float64 meet in float64, U3 and U5 in U5
        return {first: _put(a, rows, b, both), second: _put(b, rows, a, both)}

    return Generator(call, (first, second), "share", kernel)


def _put(column: Column, rows: Column, other: Column, dtype: "np.dtype[np.generic]") -> Column:
    out = column.astype(dtype)
    np.copyto(out, other, where=rows)
    return out


@shift("col.shuffle")
def shuffle_column(column: str) -> Generator:
    """The hit rows' values of one column go to other rows among them: a wrong join of a single column."""
    return replace(wrong_join(column), call=written("shuffle_column", column))


@shift("col.constant")
def constant_column(column: str, *, value: object) -> Generator:
    """The hit rows all carry ``value``, as after a default was filled in. Strength is their share.

    Raises :class:`WrongKind` if the column cannot hold the value.
    """
    call = written("constant_column", column, value=repr(value) if callable(value) else value)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x = batch[column]
        return {column: fill(x, hits(strength, rng), value, column, call)}

    return Generator(call, (column,), "share", kernel)


def fill(column: Column, rows: Column, value: object, name: str, asked_by: str) -> Column:
    """A copy with ``value`` in the given rows; text grows as wide as it must, a fraction makes whole numbers floats."""
    wide = column
    if column.dtype.kind == "U" and isinstance(value, str):
        wide = column.astype(np.promote_types(column.dtype, f"U{max(len(value), 1)}"), copy=False)
    elif column.dtype.kind in "iu" and isinstance(value, float) and not value.is_integer():
        wide = column.astype(np.float64)
    elif column.dtype.kind in "iuf" and (isinstance(value, bool) or not isinstance(value, (int, float, np.number))):
        raise WrongKind(f"{asked_by}: column {name!r} holds {column.dtype}, which cannot hold {value!r}")
    out = wide.copy() if wide is column else wide
    given: Any = value
    try:
        out[rows] = given
    except (ValueError, TypeError, OverflowError) as error:
        raise WrongKind(
            f"{asked_by}: column {name!r} holds {column.dtype}, which cannot hold {value!r} ({error})"
        ) from None
    return out

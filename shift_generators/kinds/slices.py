"""Slices: which rows a shift is about. Any ``f(batch) -> bool (n,)`` is one; these print as they were written."""

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from driftdrill.shift_generators.errors import BadValue, UnknownColumn
from driftdrill.shift_generators.generator import Batch, Mask, check_kind, written

Where = Callable[[Batch], npt.NDArray[np.bool_]]


def equals(column: str, *values: object) -> Where:
    """The rows whose column has one of ``values``."""
    call = written("equals", column, *values)

    def where(batch: Batch) -> Mask:
        if column not in batch:
            raise UnknownColumn(column, batch, asked_by=call)
        return np.asarray(np.logical_or.reduce([batch[column] == v for v in values]), dtype=np.bool_)

    if not values:
        raise BadValue(f"{call}: name at least one value")
    where.__name__ = call
    return where


def between(column: str, low: float, high: float) -> Where:
    """The rows whose column is in [low, high); a missing value is in no slice."""
    call = written("between", column, low, high)

    def where(batch: Batch) -> Mask:
        if column not in batch:
            raise UnknownColumn(column, batch, asked_by=call)
        check_kind(batch[column], column, "number", call)
        return np.asarray((batch[column] >= low) & (batch[column] < high), dtype=np.bool_)

    if not low < high:
        raise BadValue(f"{call}: low must be below high")
    where.__name__ = call
    return where


def mask_of(where: Where, batch: Batch, asked_by: str) -> Mask:
    """The slice as bool (n,); raises :class:`BadValue` if ``where`` answers anything else."""
    inside = np.asarray(where(batch))
    n = len(next(iter(batch.values())))
    if inside.shape != (n,) or inside.dtype != np.bool_:
        raise BadValue(
            f"{asked_by}: where must answer bool ({n},), but answered {inside.dtype} {inside.shape}",
            hint="compare columns, as lambda batch: batch['distance'] > 500",
        )
    return inside

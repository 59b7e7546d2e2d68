"""Ready-made bodies: a row of the source is encoded once, and sent again wherever it is drawn or moved to."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from harness.fault import Batch
from harness.traffic.protocols import Protocol

KEPT_BYTES = 64 * 1024 * 1024
"""Most bytes of bodies that are kept."""
NONE = -1

Bits = npt.NDArray[Any]


class Bodies:
    """``encode`` answers what the protocol's own would, byte for byte, and asks it for unknown rows alone.

    A row is known by its bits and not by its values: -0.0 equals 0.0, and 1 equals True, but neither is written alike.
    Whoever moved it there: rows that a fault drew anew from the source are found by a hash, and then compared.
    ``moved``: whether to look for such rows at all.
    """

    def __init__(self, protocol: Protocol, source: Batch, *, moved: bool) -> None:
        self._encode = protocol.encode
        self._source = source
        self._kept: dict[int, bytes] = {}
        self._left = KEPT_BYTES
        known = bool(source) and all(_bits(column[:1]) is not None for column in source.values())
        self._usable = known
        if known and moved:
            hashes = _hashed(source)
            self._order = np.argsort(hashes)
            self._hashes = hashes[self._order]
        else:
            self._order = np.empty(0, dtype=np.int64)

    def encode(self, batch: Batch, drawn: Batch, rows: npt.NDArray[np.int64]) -> list[bytes]:
        """One body for each of the first len(rows) rows of ``batch``.

        ``drawn`` are the rows of the source that they were before any fault, ``rows`` their numbers there.
        """
        known, kept = self._known(batch, drawn, rows).tolist(), self._kept
        keys = [row if row != NONE else ~i for i, row in enumerate(known)]
        new = {key: i for i, key in enumerate(keys) if key not in kept}
        at = list(new.values())
        made = self._encode({name: column[at] for name, column in batch.items()}, 1) if at else []
        fresh = dict(zip(new, made, strict=True))
        out = [fresh[key] if key in fresh else kept[key] for key in keys]
        for key, body in fresh.items():
            if key >= 0 and self._left >= len(body):
                self._left -= len(body)
                kept[key] = body
        return out

    def _known(self, batch: Batch, drawn: Batch, rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """The row of the source that each row equals; NONE where there is none that is known."""
        touched = [name for name, column in batch.items() if column is not drawn[name]]
        ordered = list(batch) == list(self._source)
        if ordered and not touched:
            return rows
        if not (ordered and self._usable and all(batch[n].dtype == self._source[n].dtype for n in touched)):
            return np.full(len(rows), NONE)
        batch, drawn = ({name: column[: len(rows)] for name, column in each.items()} for each in (batch, drawn))
        same = _equal(batch, drawn, touched)
        if same.all():
            return rows
        out = np.where(same, rows, NONE)
        moved = np.flatnonzero(~same)
        if len(self._order):
            there = {name: column[moved] for name, column in batch.items()}
            place = np.minimum(np.searchsorted(self._hashes, _hashed(there)), len(self._order) - 1)
            found = self._order[place]
            equal = _equal(there, {name: column[found] for name, column in self._source.items()}, list(batch))
            out[moved[equal]] = found[equal]
        return out


def _equal(batch: Batch, other: Batch, names: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows are the same to the bit in these columns, bool (n,)."""
    same = np.ones(len(next(iter(batch.values()))), dtype=np.bool_)
    for name in names:
        equal: Any = _bits(batch[name]) == _bits(other[name])
        same &= equal.reshape(len(same), -1).all(axis=1)
    return same


def _bits(column: Any) -> Bits | None:
    """A column's cells as integers that differ where the cells do, (n,) or (n, k); None for kinds unknown."""
    kind, size = column.dtype.kind, column.dtype.itemsize
    if kind == "O":
        return np.fromiter(map(id, column.tolist()), dtype=np.int64, count=len(column))
    if kind in "iufbmM" and size <= 8:
        return np.ascontiguousarray(column).view(f"u{size}")
    if kind == "U" and size:
        return np.ascontiguousarray(column).view(np.uint32).reshape(len(column), -1)
    return None


def _hashed(batch: Batch) -> npt.NDArray[np.uint64]:
    """A hash of each row's bits, uint64 (n,): multiply and rotate, column after column."""
    out = np.zeros(len(next(iter(batch.values()))), dtype=np.uint64)
    for column in batch.values():
        bits: Any = _bits(column)
        for part in bits.reshape(len(out), -1).T:
            out ^= part.astype(np.uint64)
            out *= np.uint64(0x9E3779B97F4A7C15)
            out ^= out >> np.uint64(29)
    return out

"""Ready-made bodies: a row of the source is encoded once, and sent again wherever it is drawn or moved to."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.traffic.protocols import Protocol

KEPT_BYTES = 64 * 1024 * 1024
"""Most bytes of bodies that are kept."""
NONE = -1

Bits = npt.NDArray[Any]


class Bodies:
    """``encode`` answers what the protocol's own would, byte for byte, and asks it for unknown rows alone.

    A row is known by its bits and not by its values: -0.0 equals 0.0, and 1 equals True, but neither is written alike.
    Whoever moved it there: rows that a fault drew anew from the source are found by a hash, and then compared.
    ``faulty``: whether rows may differ from those that were drawn.
    """

    def __init__(self, protocol: Protocol, source: Batch, *, faulty: bool) -> None:
        self._encode = protocol.encode
        self._names = list(source)
        self._kept: dict[int, bytes] = {}
        self._left = KEPT_BYTES
        # Cells that are objects are told apart by their addresses, so that the columns must stay.
        self._columns = source
        bits = {name: _bits(column) for name, column in source.items()} if faulty else {}
        known = {name: found for name, found in bits.items() if found is not None}
        self._source = known if known and len(known) == len(source) else None
        if self._source is not None:
            hashes = _hashed(self._source.values())
            self._order = np.argsort(hashes)
            self._hashes = hashes[self._order]

    def encode(self, batch: Batch, drawn: Batch, rows: npt.NDArray[np.int64]) -> list[bytes]:
        """One body for each of the first len(rows) rows of ``batch``.

        ``drawn`` are the rows of the source that they were before any fault, ``rows`` their numbers there.
        """
        known, kept = self._known(batch, drawn, rows).tolist(), self._kept
        ready = [body for row in known if (body := kept.get(row)) is not None]
        if len(ready) == len(known):
            return ready
        keys = [row if row != NONE else ~i for i, row in enumerate(known)]
        new = {key: i for i, key in enumerate(keys) if key not in kept}
        at = np.array(list(new.values()), dtype=np.int64)
        made = self._encode({name: column[at] for name, column in batch.items()}, 1) if new else []
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
        ordered = list(batch) == self._names
        if ordered and not touched:
            return rows
        source = self._source
        if source is None or not ordered or any(batch[n].dtype != self._columns[n].dtype for n in touched):
            return np.full(len(rows), NONE)
        bits: dict[str, Any] = {name: _bits(batch[name][: len(rows)]) for name in touched}
        if len(touched) == len(self._names):  # a row that was moved was so in every column
            place = np.searchsorted(self._hashes, _hashed(bits.values()))
            rows = self._order[np.minimum(place, len(self._order) - 1)]
        return np.where(_equal(bits, source, rows), rows, NONE)


def _equal(bits: dict[str, Any], source: dict[str, Bits], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    """Which rows are these rows of the source in the columns of ``bits``, bool (n,)."""
    same = np.ones(len(rows), dtype=np.bool_)
    for name, found in bits.items():
        equal = found == source[name][rows]
        same &= equal if equal.ndim == 1 else equal.all(axis=1)
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


def _hashed(columns: Iterable[Bits]) -> npt.NDArray[np.uint64]:
    """A hash of each row's bits, uint64 (n,): a sum in which every column has an odd factor of its own."""
    parts = [part for bits in columns for part in (bits.T if bits.ndim == 2 else [bits])]
    out = np.zeros(len(parts[0]), dtype=np.uint64)
    for i, part in enumerate(parts):
        out += part.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15 * (2 * i + 1) % 2**64)
    return out

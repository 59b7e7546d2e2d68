"""Rows to shift: from a mapping of columns, a CSV file, or a Parquet file."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from driftdrill.shift_generators.errors import BadValue, UnknownColumn
from driftdrill.shift_generators.generator import Batch, Column

_MISSING = frozenset(("", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"))


def from_columns(columns: Mapping[str, Any]) -> Batch:
    """A batch from a mapping of name to values, or anything with ``items()`` like it (a pandas DataFrame).

    Lists of numbers with None become float64 with NaN; text stays text. Raises :class:`BadValue` for columns that
    are empty, or not one-dimensional and of one length.
    """
    batch = {str(name): _column(str(name), values) for name, values in columns.items()}
    lengths = {name: len(column) for name, column in batch.items()}
    if not lengths or 0 in lengths.values():
        raise BadValue("from_columns: no rows", hint="give at least one column with at least one value")
    if len(set(lengths.values())) > 1:
        raise BadValue(f"from_columns: the columns differ in length ({lengths})")
    return batch


def _column(name: str, values: Any) -> Column:
    column = np.asarray(values)
    if column.ndim != 1:
        raise BadValue(f"from_columns: column {name!r} must be one-dimensional, not of shape {column.shape}")
    if column.dtype.kind != "O":
        return column
    there = [v for v in column.tolist() if v is not None and v == v]  # noqa: PLR0124 - NaN is not itself
    if there and all(isinstance(v, (int, float)) and not isinstance(v, bool) for v in there):
        return np.array([np.nan if v is None else v for v in column.tolist()], dtype=np.float64)
    if len(there) == len(column) and all(isinstance(v, str) for v in there):
        return np.array(column.tolist(), dtype=str)
    return column


def from_csv(path: str | Path, *, columns: Sequence[str] | None = None, delimiter: str = ",") -> Batch:
    """A batch from a CSV file with a header row, in UTF-8; ``columns`` picks some.

    A column is int64 if every value is a whole number, float64 if every value is a number or missing (empty, NA, NaN,
    null), else text with None where empty. Raises :class:`BadValue` for a row of another length, with its line.
    """
    with Path(path).open(encoding="utf-8-sig", newline="") as file:
        reader = csv.reader(file, delimiter=delimiter)
        header = next(reader, [])
        rows = []
        for row in reader:
            if len(row) != len(header):
                raise BadValue(f"{path}:{reader.line_num}: {len(row)} values, but the header names {len(header)}")
            rows.append(row)
    if not rows:
        raise BadValue(f"{path}: no rows", hint="the first line is the header")
    for name in columns or ():
        if name not in header:
            raise UnknownColumn(name, header, asked_by=str(path))
    return {
        name: _parsed(values)
        for name, values in zip(header, zip(*rows, strict=True), strict=True)
        if not columns or name in columns
    }


def _parsed(values: Iterable[str]) -> Column:
    texts = list(values)
    for kind in (int, float):
        try:
            if kind is int:
                return np.array([int(v) for v in texts], dtype=np.int64)
            return np.array([np.nan if v in _MISSING else float(v) for v in texts], dtype=np.float64)
        except (ValueError, OverflowError):
            continue
    return (
        np.array([None if v == "" else v for v in texts], dtype=object) if "" in texts else np.array(texts, dtype=str)
    )


def from_parquet(path: str | Path, *, columns: Sequence[str] | None = None) -> Batch:
    """A batch from a Parquet file; ``columns`` picks some. Needs pyarrow, which is not installed with this package."""
    try:
        import pyarrow.parquet
    except ImportError:
        raise BadValue("from_parquet needs pyarrow", hint="pip install pyarrow") from None
    known = pyarrow.parquet.read_schema(path).names
    for name in columns or ():
        if name not in known:
            raise UnknownColumn(name, known, asked_by=str(path))
    table = pyarrow.parquet.read_table(path, columns=list(columns) if columns else None)
    return from_columns({name: table[name].to_numpy() for name in table.column_names})

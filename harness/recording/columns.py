"""The columns of a request, listed once: what is recorded of each, in which unit, and how it is written and read."""

# ruff: noqa: RUF009, _column() makes fields
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Generic, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

Ints = TypeVar("Ints")
Floats = TypeVar("Floats")
Texts = TypeVar("Texts")
Flags = TypeVar("Flags")
Truth = TypeVar("Truth")


@dataclass(frozen=True)
class Column:
    """How one column is written: ``encode`` makes its JSON values, of type ``json``; read, they are divided by
    ``scale``. ``per_row``: one value a row of the request, else one a request."""

    json: Any
    dtype: Any
    encode: Callable[[Sequence[Any]], list[Any]] = list
    scale: float = 1.0
    per_row: bool = False


def _milliseconds(seconds: Sequence[float]) -> list[float]:
    found: list[float] = (np.rint(np.array(seconds) * 1e6) / 1000).tolist()
    return found


def _microseconds(seconds: Sequence[float]) -> list[int]:
    found: list[int] = np.rint(np.array(seconds) * 1e6).astype(np.int64).tolist()
    return found


def _predictions(values: Sequence[float | str | None]) -> list[float | str | None]:
    """Labels as they are; whole numbers too, which may be classes; others to seven digits; None where unanswered."""
    return [_prediction(p) for p in values]


def _prediction(value: float | str | None) -> float | str | None:
    if value is None or isinstance(value, str):
        return value
    if float(value).is_integer():
        return value
    return float(f"{value:.7g}") if math.isfinite(value) else None


def _truths(values: Sequence[float | str | None]) -> list[float | int | str | None]:
    return [_truth(t) for t in values]


def _truth(value: float | str | None) -> float | int | str | None:
    if value is None or isinstance(value, str):
        return value
    if float(value).is_integer():
        return int(value)
    return value if math.isfinite(value) else None


def _column(json: Any, dtype: Any, **how: Any) -> Any:
    return field(default_factory=list, metadata={"column": Column(json, dtype, **how)})


@dataclass
class RequestColumns(Generic[Ints, Floats, Texts, Flags, Truth]):
    """Columns of equal length n, one place a request: lists while a drill runs, arrays once they are read."""

    slot: Ints = _column(list[int], np.int64)
    intended: Floats = _column(list[float], np.float64, encode=_milliseconds, scale=1e3)
    """Scenario seconds at which it should have been sent."""
    late: Floats = _column(list[float], np.float64, encode=_microseconds, scale=1e6)
    """Seconds after ``intended`` at which it was sent."""
    took: Floats = _column(list[float], np.float64, encode=_microseconds, scale=1e6)
    """Seconds from sending to the whole response."""
    status: Ints = _column(list[int], np.int64)
    """HTTP status; 0 without a response."""
    size: Ints = _column(list[int], np.int64)
    """Bytes of the response's body."""
    failure: Texts = _column(list[str], np.str_)
    """Empty, or the kind of failure: status, undecodable, timeout, refused, reset ..."""
    prediction: Floats = _column(list[float | str | None], np.float64, encode=_predictions, per_row=True)
    """One a row, NaN where unanswered; read: (n, rows a request). Labels are texts, read as objects, None where
    unanswered."""
    truth: Truth = _column(list[float | str | None], np.float64, encode=_truths, per_row=True)
    """One a row, NaN (of labels None) where it is not known; where the scenario has none an empty list, read: None."""
    strength: dict[str, Floats] = field(default_factory=dict)
    """Fault of requests -> strength."""
    changed: dict[str, Flags] = field(default_factory=dict)
    """Fault of requests -> whether it changed the request."""
    measured: dict[str, Floats] = field(default_factory=dict)
    """What the protocol reads of an answer besides predictions (tokens, seconds to the first); NaN where nothing."""
    segments: dict[str, Texts] = field(default_factory=dict)
    """Column of the rows -> its value as text, one a row; read: (n, rows a request). Of the columns that are named."""
    losses: dict[str, Floats] = field(default_factory=dict)
    """Of an author's own loss, one a row, read as ``segments``: "model", NaN where unanswered, and "constant", what
    the best constant prediction would have cost."""
    missed: int = 0
    """Slots that the generator itself began too late."""

    def __len__(self) -> int:
        return len(self.slot)  # type: ignore[arg-type]


COLUMNS: Mapping[str, Column] = {f.name: f.metadata["column"] for f in fields(RequestColumns) if "column" in f.metadata}

Requests = RequestColumns[
    npt.NDArray[np.int64],
    npt.NDArray[np.float64],
    npt.NDArray[np.str_],
    npt.NDArray[np.bool_],
    npt.NDArray[np.float64] | None,
]
"""All requests of a recording, in order of slot."""

RequestBlock: Any = msgspec.defstruct(
    "RequestBlock",
    [
        *((name, column.json) for name, column in COLUMNS.items()),
        ("strength", dict[str, list[float]]),
        ("changed", dict[str, list[int]]),
        ("measured", dict[str, list[float | None]], msgspec.field(default_factory=dict)),
        ("missed", int, 0),
        ("segments", dict[str, list[str]], msgspec.field(default_factory=dict)),
        ("losses", dict[str, list[float | None]], msgspec.field(default_factory=dict)),
    ],
)
"""One block of the stream ``requests``."""


def request_block(records: Any) -> dict[str, Any]:
    """A player's records as a block; what is zero in all of a block is left out of it."""
    return {
        **{name: column.encode(getattr(records, name)) for name, column in COLUMNS.items()},
        "strength": {n: [round(s, 6) for s in v] for n, v in records.strength.items() if any(v)},
        "changed": {n: [int(c) for c in v] for n, v in records.changed.items() if any(v)},
        "missed": records.missed,
        "segments": records.segments,
        "losses": {n: [x if math.isfinite(x) else None for x in v] for n, v in records.losses.items()},
        "measured": {n: [None if math.isnan(m) else round(m, 6) for m in v] for n, v in records.measured.items()},
    }

"""The edge cases of the catalogue: what each sends, into which kind of column, and what a good service makes of it."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import numpy as np

from driftdrill.harness.errors import DriftdrillError, ScenarioError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.traffic.body_layout.layout import Layout, layout_of
from driftdrill.harness.traffic.payload import (
    BatchShape,
    Charset,
    ContentType,
    DuplicateKey,
    Gzip,
    Missing,
    Null,
    Number,
    Padding,
    PayloadFault,
    Text,
    Truncated,
    UnknownKey,
    WrongDatatype,
    WrongShape,
    WrongType,
)
from driftdrill.harness.traffic.protocols import Protocol, Request
from driftdrill.shift_generators import EDGES, ShiftError, edge

Kind = Literal["number", "text", "time", "any", ""]
"""The kind of column that a case goes into; "" where it needs none."""

Means = Literal["nonsense", "same", "other"]
"""What the request says: nothing that a model could be asked; the same as the valid row; another, unusual row."""

SIZE = 5_000_000
ROWS = 10_000


@dataclass(frozen=True)
class Case:
    """One edge case. ``make(column)`` is a fault of the payload, or a function that changes the row."""

    id: str
    name: str
    what: str
    means: Means
    kind: Kind
    make: Callable[[str], PayloadFault | Callable[[Batch], Batch]]

    @property
    def code(self) -> str:
        """Stable: what findings about it begin with."""
        return f"{self.id}.{self.name}"


@dataclass(frozen=True)
class Valid:
    """A valid request, and what it was made of: one row of columns, and where they stand in the body."""

    batch: Batch
    protocol: Protocol
    layout: Layout
    request: Request


def valid(batch: Batch, protocol: Protocol) -> Valid:
    """The valid request of a row: the first of ``batch``."""
    row = {name: column[:1] for name, column in batch.items()}
    layout = layout_of(protocol.encode, row, 1)
    return Valid(row, protocol, layout, Request((protocol.encode(row, 1)[0],), protocol.content_type, layout=layout))


@dataclass(frozen=True)
class Ready:
    """A case made for a column: its request and the predictions that a good answer holds, or why there is none."""

    case: Case
    column: str
    request: Request | None
    rows: int = 1
    why_not: str = ""


def prepared(base: Valid, columns: Sequence[str] = ()) -> list[Ready]:
    """Every case once, for the first column that it fits, or once for each of ``columns`` that it fits."""
    kinds = {name: kinds_of(name, base.batch[name]) for name in base.layout.cells}
    order = list(columns) or sorted(kinds, key=lambda name: "number" not in kinds[name])
    out: list[Ready] = []
    for case in CASES:
        fitting = [name for name in order if not case.kind or case.kind in kinds[name]]
        if not fitting:
            out.append(Ready(case, "", None, why_not=f"no column of {_KINDS[case.kind]}"))
        out += [_made(case, base, name) for name in (fitting if columns and case.kind else fitting[:1])]
    return out


def kinds_of(name: str, column: Any) -> tuple[str, ...]:
    """The kinds of a column of valid values: ISO 8601 text is a time, and so are seconds of our age by such a name."""
    if column.dtype.kind in "iuf":
        return ("number", "time", "any") if _TIMES.search(name) and 5e8 < column[0] < 5e9 else ("number", "any")
    if column.dtype.kind not in "UO" or not isinstance(column[0], str):
        return ("any",)
    try:
        np.datetime64(column[0].removesuffix("Z").partition("+")[0])
    except ValueError:
        return ("text", "any")
    return ("text", "time", "any")


def _made(case: Case, base: Valid, column: str) -> Ready:
    shown = column if case.kind else ""
    try:
        how = case.make(column)
        if isinstance(how, PayloadFault):
            request = how(base.request, np.random.default_rng(0))
        else:
            request = replace(base.request, parts=(base.protocol.encode(how(base.batch), 1)[0],))
    except (DriftdrillError, ShiftError) as e:
        return Ready(case, shown, None, why_not=e.cause.rpartition("cannot be in this body: ")[2])
    if request.seen == base.request.seen:
        return Ready(case, shown, None, why_not="it is what the valid request has already")
    rows = _ROWS.get(case.code, 1)
    if case.code in _ROWS and not base.layout.lists:
        case = replace(case, means="nonsense")  # a list in the place of the only row
    if rows == 2 and base.layout.counts:
        case, rows = replace(case, means="nonsense"), 1  # the body says that there is one
    return Ready(case, shown, request, rows)


_TIMES = re.compile(r"time|date|stamp|_at$|_ts$|^ts$", re.IGNORECASE)
_KINDS = {"number": "numbers", "text": "text", "time": "timestamps", "any": "any kind"}
_ROWS = {f"edge.batch_shape.{name}": n for name, n in (("empty", 0), ("one_more", 2), ("ragged", 2), ("many", ROWS))}


def _of_rows(name: str, column: str) -> Callable[[Batch], Batch]:
    return lambda batch: edge(column, name)(batch, np.ones(1), np.random.default_rng(0))


def _reordered(_: str) -> Callable[[Batch], Batch]:
    return lambda batch: dict(reversed(batch.items()))


def _written(value: object) -> str:
    return repr(float(value)) if isinstance(value, float) else str(value)


def _edges(id: str) -> list[Case]:
    """The edge values of rows under one id: numbers as they are written, so that they arrive exactly."""
    out = []
    for e in EDGES:
        if e.id != id or e.kind == "any":
            continue
        text = _written(e.value)
        make = (lambda column, text=text: Number(column, text)) if e.kind == "number" else partial(_of_rows, e.name)
        out.append(Case(id, e.name, f"{text}: {e.why}" if e.kind == "number" else e.why, "other", e.kind, make))
    return out


def _nan(name: str, text: str) -> Case:
    return Case("edge.nan", name, f"{text} as a bare word", "nonsense", "number", lambda column: Number(column, text))


def _type(name: str, what: str, kind: Kind, fault: Callable[[str], PayloadFault]) -> Case:
    return Case("edge.wrong_type", name, what, "nonsense", kind, fault)


def _shape(name: str, what: str, means: Means, fault: Callable[[str], PayloadFault | Callable[[Batch], Batch]]) -> Case:
    return Case("edge.batch_shape", name, what, means, "", fault)


def _encoding(name: str, what: str, means: Means, fault: PayloadFault) -> Case:
    return Case("edge.encoding", name, what, means, "", lambda _: fault)


def _text(name: str, what: str, means: Means, text: str, charset: str) -> Case:
    return Case("edge.encoding", name, what, means, "text", lambda column: Text(column, text, charset))


CASES: tuple[Case, ...] = (
    _nan("nan", "NaN"),
    _nan("infinity", "Infinity"),
    _nan("minus_infinity", "-Infinity"),
    _nan("overflow", "1e999"),
    Case("edge.null", "null", "null in place of a value", "other", "any", Null),
    Case("edge.missing", "missing", "a column left out", "other", "any", Missing),
    *_edges("edge.unseen_category"),
    *_edges("edge.out_of_range"),
    _type("quoted", "a number in quotes", "number", WrongType),
    _type("true", "true in place of a value", "any", lambda c: WrongType(c, "true")),
    _type("list", "a value in a list", "any", lambda c: WrongType(c, "list")),
    _type("object", 'a value in an object, {"v": ...}', "any", lambda c: WrongType(c, "object")),
    _type("nested", "a value in 100,000 lists", "any", lambda c: WrongType(c, "nested", 100_000)),
    _type("datatype", "V2: BYTES declared for numbers", "number", WrongDatatype),
    _shape("empty", "a batch without rows", "other", lambda _: BatchShape("empty")),
    _shape("one_more", "one row more", "same", lambda _: BatchShape("one_more")),
    _shape("many", f"{ROWS:,} rows", "same", lambda _: BatchShape("many", ROWS)),
    _shape("ragged", "a second row without its last cell", "nonsense", lambda _: BatchShape("ragged")),
    _shape("transposed", "columns in place of rows", "nonsense", lambda _: BatchShape("transposed")),
    _shape("declared", "V2: a shape of one row more than there are", "nonsense", lambda _: WrongShape()),
    _shape("reordered", "the columns in reverse order", "same", _reordered),
    Case("edge.size", "blanks", f"{SIZE:,} blanks after the body", "same", "", lambda _: Padding(SIZE)),
    Case("edge.size", "text", f"a text longer by {SIZE:,} letters", "other", "text", lambda c: Padding(SIZE, c)),
    _encoding("no_content_type", "no Content-Type", "same", ContentType("")),
    _encoding("text_plain", "Content-Type: text/plain", "same", ContentType("text/plain")),
    _encoding("byte_order_mark", "a byte order mark before the body", "same", Charset("utf-8-sig")),
    _encoding("utf_16", "the body in UTF-16", "same", Charset("utf-16")),
    _text("latin_1", "a text in latin-1: bytes that are no UTF-8", "nonsense", "café", "latin-1"),
    _text("surrogate_escaped", "a lone surrogate as its escape", "nonsense", "\ud800", "ascii"),
    _text("surrogate_raw", "a lone surrogate as three bytes", "nonsense", "\ud800", "utf-8"),
    _text("emoji", "an emoji, unescaped", "other", "👩‍🚀", "utf-8"),
    _encoding("gzip", "the body compressed, with its header", "same", Gzip()),
    _encoding("gzip_unsaid", "the body compressed, without its header", "nonsense", Gzip(header=False)),
    _encoding("truncated", "the first half of the body", "nonsense", Truncated()),
    Case("edge.duplicate_key", "duplicate_key", "a key twice, with two values", "nonsense", "any", DuplicateKey),
    Case("edge.unknown_key", "unknown_key", "a key that nobody knows", "same", "", lambda _: UnknownKey()),
    *_edges("edge.time"),
    *_edges("edge.text"),
)
"""In the catalogue's order; ids and names are stable."""


def refuse_unknown_columns(base: Valid, columns: Sequence[str]) -> None:
    """Raises :class:`ScenarioError` for a column that the row does not have."""
    for column in columns:
        base.layout.cell(column)
    if "" in columns:
        raise ScenarioError("a column needs a name")

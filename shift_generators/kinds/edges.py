"""Edge values: single values that models and their servers mishandle, each with the reason why it is an edge.

These are changes of rows; edges of the request's body (raw NaN literals, duplicate keys, sizes) belong to the client.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftdrill.shift_generators.errors import BadValue, WrongKind, nearest
from driftdrill.shift_generators.generator import (
    Batch,
    Column,
    Floats,
    Generator,
    Kind,
    Rng,
    check_kind,
    hits,
    missing,
    written,
)
from driftdrill.shift_generators.kinds.categories import put_text
from driftdrill.shift_generators.kinds.missing import without
from driftdrill.shift_generators.kinds.units import fill

_OFFSET = re.compile(r"(?:Z|[+-]\d\d:?\d\d)$")
_HOMOGLYPHS = str.maketrans("aceopxyABCEHKMOPTX", "асеорхуАВСЕНКМОРТХ")


@dataclass(frozen=True)
class Edge:
    """One edge value. ``value`` takes the place of what was there; without it, ``change`` makes the value from the old.

    ``kind`` is the kind of column that it goes into, ``id`` the catalogue's, ``why`` the reason that it is an edge.
    ``only`` is "text" or "numbers" where timestamps of that form alone can be it.
    """

    name: str
    id: str
    kind: Kind
    why: str
    value: object = None
    change: Callable[[Any], Any] | None = None
    only: str | None = None


EDGES: tuple[Edge, ...] = (
    Edge("nan", "edge.nan", "number", "every comparison with it is false, and one NaN makes a sum NaN", np.nan),
    Edge("inf", "edge.nan", "number", "overflows a scaler to NaN; JSON has no word for it", np.inf),
    Edge("minus_inf", "edge.nan", "number", "as inf; log and sqrt of it are NaN", -np.inf),
    Edge("null", "edge.null", "any", "refused, or filled in without a trace"),
    Edge("zero", "edge.out_of_range", "number", "division and logarithm", 0),
    Edge("negative", "edge.out_of_range", "number", "a duration, count or price below zero; log and sqrt", -1),
    Edge("int32_max", "edge.out_of_range", "number", "one more overflows a 32-bit field", 2**31 - 1),
    Edge(
        "int64_max",
        "edge.out_of_range",
        "number",
        "float64 and JavaScript cannot hold it: it comes back changed",
        2**63 - 1,
    ),
    Edge(
        "above_2_53",
        "edge.out_of_range",
        "number",
        "the first whole number that float64 confuses with another",
        2**53 + 1,
    ),
    Edge("huge", "edge.out_of_range", "number", "its square is infinite; float32 makes it infinite at once", 1e308),
    Edge(
        "subnormal", "edge.out_of_range", "number", "its reciprocal is infinite, and some hardware makes it 0", 1e-320
    ),
    Edge("minus_zero", "edge.out_of_range", "number", "equals 0, prints as -0.0, and 1 / x is -inf", -0.0),
    Edge(
        "unseen",
        "edge.unseen_category",
        "text",
        "an all-zero one-hot row: the base score with full confidence",
        "UNSEEN",
    ),
    Edge("case", "edge.unseen_category", "text", "the same to a person, unseen to an encoder", change=str.swapcase),
    Edge(
        "blank_after",
        "edge.unseen_category",
        "text",
        "invisible in every log, unseen to an encoder",
        change=lambda t: t + " ",
    ),
    Edge(
        "homoglyph",
        "edge.unseen_category",
        "text",
        "Latin letters replaced by Cyrillic ones that look alike",
        change=lambda t: t.translate(_HOMOGLYPHS),
    ),
    Edge("empty", "edge.text", "text", "no token at all: a zero vector, or a mean over nothing", ""),
    Edge(
        "long",
        "edge.text",
        "text",
        "100,000 characters: truncation, quadratic attention, body limits",
        "long text " * 10_000,
    ),
    Edge(
        "many_tokens",
        "edge.text",
        "text",
        "100,000 words: beyond every context window; cut off, refused, or out of memory",
        "word " * 100_000,
    ),
    Edge("unknown_words", "edge.text", "text", "nothing is in the vocabulary", "zxqv wkjq xvzk"),
    Edge(
        "unknown_tokens",
        "edge.text",
        "text",
        "the vocabulary's own word for what it does not know, and nothing else",
        " ".join(["[UNK]"] * 8),
    ),
    Edge("other_language", "edge.text", "text", "another script: tokens fall apart into bytes", "это другой язык"),
    Edge("emoji", "edge.text", "text", "four bytes in UTF-8, two units in UTF-16: offsets shift", "👩‍👩‍👧‍👦 🏳️‍🌈"),
    Edge("right_to_left", "edge.text", "text", "a control character that turns the order of what follows", "\u202eabc"),
    Edge("epoch", "edge.time", "time", "1970-01-01: the default of a missing timestamp", 0.0),
    Edge("before_epoch", "edge.time", "time", "1969-12-31 23:59:59: a negative number of seconds", -1.0),
    Edge("after_2038", "edge.time", "time", "2038-01-19 03:14:08: one second beyond 32 bits", 2.0**31),
    Edge("leap_day", "edge.time", "time", "2024-02-29: a year later does not exist", 1709164800.0),
    Edge("far_future", "edge.time", "time", "2999-12-31: a placeholder for never; ages become negative", 32503593600.0),
    Edge("summer_time_gap", "edge.time", "time", "2024-03-31 02:30: does not exist on clocks in Berlin", 1711852200.0),
    Edge("summer_time_twice", "edge.time", "time", "2024-10-27 02:30: happens twice in Berlin", 1729996200.0),
    Edge(
        "milliseconds",
        "edge.time",
        "time",
        "1,000 times the seconds: read as such, an age is off by millennia",
        change=lambda seconds: seconds * 1000,
        only="numbers",
    ),
    Edge(
        "no_offset",
        "edge.time",
        "time",
        "without its offset from UTC: read in the server's zone, hours away",
        change=lambda text: _OFFSET.sub("", text),
        only="text",
    ),
)


def edges_for(column: Column) -> tuple[Edge, ...]:
    """The edges that fit a column: those of numbers, text, or (datetime64) timestamps."""
    kinds: dict[str, tuple[Kind, ...]] = {"M": ("time", "any"), "U": ("text", "any"), "O": ("text", "any")}
    fitting = kinds.get(column.dtype.kind, ("number", "any"))
    return tuple(edge for edge in EDGES if edge.kind in fitting)


def edge(column: str, name: str) -> Generator:
    """Put the edge value ``name`` of :data:`EDGES` into the hit rows. Strength is their share.

    Into a column of whole numbers, a NaN or a fraction brings float64. Raises :class:`BadValue` for an unknown name,
    and :class:`WrongKind` for a column that cannot hold the value exactly.
    """
    call = written("edge", column, name)
    found = next((e for e in EDGES if e.name == name), None)
    if found is None:
        raise BadValue(f"{call}: no edge value {name!r}", hint=nearest(name, [e.name for e in EDGES]))

    def check(reference: Batch) -> None:
        x = reference[column]
        _refuse(found, x, column, call)
        if found.name == "no_offset":
            bare = next((str(t) for t in x.tolist() if t is not None and not _OFFSET.search(str(t))), None)
            if bare is not None:
                raise WrongKind(f"{call}: column {column!r} holds {bare!r}, which has no offset")

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x = batch[column]
        _refuse(found, x, column, call)
        return {column: _put(found, x, hits(strength, rng), column, call)}

    return Generator(call, (column,), "share", kernel, kind=found.kind, prepare=check, id=found.id)


def _refuse(edge: Edge, x: Column, name: str, call: str) -> None:
    """Raises :class:`WrongKind` for a column whose type cannot hold the value as it is."""
    if edge.only and (edge.only == "text") != (x.dtype.kind in "UO"):
        raise WrongKind(f"{call}: column {name!r} must hold timestamps as {edge.only}, but its dtype is {x.dtype}")
    if x.dtype.kind in "iu" and isinstance(edge.value, float) and np.signbit(edge.value) and edge.value == 0:
        raise WrongKind(f"{call}: column {name!r} holds {x.dtype}, which has no minus zero")
    if x.dtype.kind == "f" and isinstance(edge.value, int) and int(x.dtype.type(edge.value)) != edge.value:
        raise WrongKind(
            f"{call}: column {name!r} holds {x.dtype}, which cannot hold {edge.value} exactly",
            hint="cast the column to int64",
        )


def _put(edge: Edge, x: Column, rows: Column, name: str, call: str) -> Column:
    if edge.only == "numbers" and edge.change is not None:
        return np.where(rows, edge.change(x), x)
    if edge.value is None and edge.change is None:
        return without(x, rows, name, call)
    if edge.change is not None:
        at = np.flatnonzero(rows & ~missing(x))
        levels, codes = np.unique(x[at].astype(str), return_inverse=True)
        changed = np.array([edge.change(str(level)) for level in levels], dtype=str)
        return put_text(x, at, changed[codes]) if len(at) else x.copy()
    if edge.kind == "time":
        return _put_time(float(edge.value), x, rows, call, name)  # type: ignore[arg-type]
    return fill(x, rows, edge.value, name, call)


def _put_time(seconds: float, x: Column, rows: Column, call: str, name: str) -> Column:
    check_kind(x, name, "time", call)
    moment = np.datetime64(int(seconds), "s")
    if x.dtype.kind in "UO":
        return put_text(x, np.flatnonzero(rows), np.full(int(rows.sum()), str(moment)))
    return fill(x, rows, moment if x.dtype.kind == "M" else seconds, name, call)

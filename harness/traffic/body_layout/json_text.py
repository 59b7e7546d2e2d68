"""Where values stand in a JSON text, so that one can be replaced by any bytes and the others keep theirs.

A text is str; bytes that are no UTF-8 survive as the surrogates of Python's ``surrogateescape``.
"""

import json
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

Place = tuple[str | int, ...]
"""Keys and indices from the top of a document to one of its values."""

_DECODER = json.JSONDecoder()
_BLANK = " \t\r\n"


class Part(NamedTuple):
    """A member of an object or an item of an array: ``text[start:end]``, of which ``text[value:end]`` is the value."""

    step: str | int
    start: int
    value: int
    end: int


class Edit(NamedTuple):
    """``pieces`` take the place of ``text[start:end]``."""

    start: int
    end: int
    pieces: tuple[str, ...]


def span(text: str, place: Place) -> tuple[int, int]:
    """(start, end) of the value at ``place``. Raises :class:`LookupError` where there is none."""
    at = _after_blank(text, 0)
    for step in place:
        # Of a key that stands twice, the last counts, as json.loads has it.
        found = [part for part in parts(text, at) if part.step == step]
        if not found:
            raise LookupError(f"no {step!r} in the body")
        at = found[-1].value
    return at, _DECODER.raw_decode(text, at)[1]


def parts(text: str, at: int) -> Iterator[Part]:
    """The members or items of the object or array that begins at ``at``; none of any other value."""
    opened = text[at]
    if opened not in "{[":
        return
    at, index = _after_blank(text, at + 1), 0
    while text[at] not in "}]":
        start, step = at, index
        if opened == "{":
            name, at = _DECODER.raw_decode(text, at)
            at = _after_blank(text, _after_blank(text, at) + 1)
            step = name
        end = _DECODER.raw_decode(text, at)[1]
        yield Part(step, start, at, end)
        at, index = _after_blank(text, end), index + 1
        if text[at] == ",":
            at = _after_blank(text, at + 1)


def without(text: str, place: Place) -> Edit:
    """The edit that takes the member or item at ``place`` away, with its comma."""
    at, _ = span(text, place[:-1])
    siblings = list(parts(text, at))
    found = next((i for i, part in enumerate(siblings) if part.step == place[-1]), None)
    if found is None:
        raise LookupError(f"no {place[-1]!r} in the body")
    if found:
        return Edit(siblings[found - 1].end, siblings[found].end, ())
    return Edit(siblings[0].start, siblings[1].start if len(siblings) > 1 else siblings[0].end, ())


def innermost(text: str, place: Place, key: str = "") -> tuple[int, int, dict[str | int, Part]]:
    """(start, end, members) of the object nearest to ``place``, at it or above, that has ``key`` if one is given."""
    for depth in range(len(place), -1, -1):
        start, end = span(text, place[:depth])
        members = {part.step: part for part in parts(text, start)}
        if text[start] == "{" and (not key or key in members):
            return start, end, members
    raise LookupError(f"no object with the key {key!r} is above the cell" if key else "no object holds the row")


def spliced(text: str, edits: Sequence[Edit]) -> tuple[bytes, ...]:
    """The text with edits that do not overlap, in pieces; equal pieces of edits are one object."""
    made = {piece: encoded(piece) for edit in edits for piece in set(edit.pieces)}
    out, at = list[bytes](), 0
    for start, end, pieces in sorted(edits):
        out += [encoded(text[at:start]), *map(made.__getitem__, pieces)]
        at = end
    return tuple(piece for piece in (*out, encoded(text[at:])) if piece)


def decoded(body: bytes) -> str:
    """Bytes as a text."""
    return body.decode("utf-8", "surrogateescape")


def encoded(text: str) -> bytes:
    """A text as the bytes that it was."""
    return text.encode("utf-8", "surrogateescape")


def differences(one: Any, other: Any, place: Place = ()) -> Iterator[tuple[Place, Any, Any]]:
    """(place, value, other value) of every place where two decoded documents differ, in the order of the document.

    Lists of different length are one difference, whatever they hold.
    """
    if isinstance(one, dict) and isinstance(other, dict) and one.keys() == other.keys():
        for key, value in one.items():
            yield from differences(value, other[key], (*place, key))
    elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
        for i, (value, another) in enumerate(zip(one, other, strict=True)):
            yield from differences(value, another, (*place, i))
    elif type(one) is not type(other) or one != other:
        yield place, one, other


def _after_blank(text: str, at: int) -> int:
    while text[at] in _BLANK:
        at += 1
    return at

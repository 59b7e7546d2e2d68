"""Cells to JSON texts, and answers to numbers."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import jmespath
import msgspec
from jmespath.exceptions import JMESPathError

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.traffic.protocols.base import Predictions, Undecodable

_SIMPLE = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*|\[\d+\])*")


def texts(column: Any) -> list[str]:
    """A column's cells as JSON texts; NaN and None are null, infinities too (JSON has no other word)."""
    values = column.tolist()
    if column.dtype.kind in "iu":
        return [str(v) for v in values]
    if column.dtype.kind == "b":
        return ["true" if v else "false" for v in values]
    if column.dtype.kind == "f":
        return [repr(v) if math.isfinite(v) else "null" for v in values]
    known: dict[Any, str] = {}
    return [_text(v, known) for v in values]


def _text(value: Any, known: dict[Any, str]) -> str:
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "null"
    text = known.get((type(value), value))
    if text is None:
        text = known[(type(value), value)] = json.dumps(value)
    return text


def lists(columns: list[Any]) -> list[str]:
    """Each row as the JSON text of a list of its values."""
    template = "[" + ", ".join(["%s"] * len(columns)) + "]"
    return [template % row for row in zip(*map(texts, columns), strict=True)]


def decoded(body: bytes) -> Any:
    """A response as JSON. Raises :class:`Undecodable`."""
    try:
        return msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError) as e:
        raise Undecodable(f"not JSON: {e}") from e


def finder(expression: str) -> Callable[[Any], Any]:
    """A JMESPath expression as a function; plain paths are walked directly, which is twenty times faster.

    Raises :class:`ConfigError` for what is no JMESPath.
    """
    try:
        compiled = jmespath.compile(expression)
    except JMESPathError as e:
        raise ConfigError(f"result {expression!r} is no JMESPath expression: {e}") from e
    ways = [way.strip() for way in expression.split("||")]
    if not all(_SIMPLE.fullmatch(way) or way == "@" for way in ways):
        return compiled.search
    steps = [[int(i) if i else name for name, i in re.findall(r"([A-Za-z_]\w*)|\[(\d+)\]", way)] for way in ways]
    return lambda answer: _first(answer, steps)


def _first(answer: Any, ways: list[list[Any]]) -> Any:
    """What the first way leads to that is neither missing nor empty; unlike JMESPath's ``||``, false is an answer."""
    found = None
    for way in ways:
        found = answer
        for step in way:
            if isinstance(step, int):
                found = found[step] if isinstance(found, list) and step < len(found) else None
            else:
                found = found.get(step) if isinstance(found, dict) else None
        if found or found == 0:
            break
    return found


def numbers(found: Any, rows: int) -> Predictions:
    """``found`` as one float a row: one number, or a list with one number a row.

    A row may be a one-number list, or the two probabilities of a binary classifier, of which the second counts.
    """
    if rows == 1 and type(found) is float:
        return [found]
    flat = found if isinstance(found, list) else [found]
    flat = [v[-1] if isinstance(v, list) and len(v) in (1, 2) else v for v in flat]
    if len(flat) != rows:
        raise Undecodable(f"expected {rows} predictions, found {len(flat)}")
    out: list[float] = []
    for value in flat:
        if not isinstance(value, (int, float)):
            raise Undecodable(f"expected a number, found {type(value).__name__} {str(value)[:40]!r}")
        try:
            out.append(float(value))
        except OverflowError as e:
            raise Undecodable("expected a number, found an integer beyond all floats") from e
    return out

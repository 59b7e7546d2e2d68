"""Cells to JSON texts, and answers to predictions."""

import json
import math
import re
from collections.abc import Callable
from typing import Any

import jmespath
import msgspec
import numpy as np
from jmespath.exceptions import JMESPathError

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.traffic.protocols.base import Predictions, Undecodable

ROUNDED = 1e-3
"""How far the sum of two probabilities may be from 1: servers round."""
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
        plain = value.item() if isinstance(value, np.generic) else value  # numpy's numbers in a column of objects
        text = known[(type(value), value)] = json.dumps(plain)
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


def predictions(found: Any, rows: int, labels: bool = False) -> Predictions:
    """``found`` as one prediction a row: one value, or a list with one a row. Numbers, or ``labels`` as texts.

    A row may be a one-value list, or the two probabilities of a binary classifier, of which the second counts: two
    numbers that sum to 1. Two others are two targets, and `result` has to say which.
    """
    if rows == 1 and type(found) is float and not labels:
        return [found]
    flat = [_of_row(v) for v in (found if isinstance(found, list) else [found])]
    if len(flat) != rows:
        raise Undecodable(f"expected {rows} predictions, found {len(flat)}")
    return [_label(v) for v in flat] if labels else [_number(v) for v in flat]


def are_probabilities(pair: Any) -> bool:
    """Whether two values are the probabilities of two classes."""
    return all(type(v) in (int, float) and 0 <= v <= 1 for v in pair) and abs(sum(pair) - 1) <= ROUNDED


def _of_row(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    if len(value) == 2 and all(isinstance(v, (int, float)) for v in value):
        if not are_probabilities(value):
            raise Undecodable(
                f"expected a number a row, found two, {value[0]:g} and {value[1]:g}, which are no probabilities of two "
                "classes: they do not sum to 1; for one of two targets give its result path, such as predictions[*][0]"
            )
        return value[1]
    return value[0] if len(value) == 1 else value


def _number(value: Any) -> float:
    if not isinstance(value, (int, float)):
        raise Undecodable(f"expected a number, found {type(value).__name__} {str(value)[:40]!r}")
    try:
        return float(value)
    except OverflowError as e:
        raise Undecodable("expected a number, found an integer beyond all floats") from e


def _label(value: Any) -> str:
    """A label; classes that are numbered or true and false are named as JSON writes them."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(int(value)) if float(value).is_integer() else repr(value)
    raise Undecodable(f"expected a label, found {type(value).__name__} {str(value)[:40]!r}")

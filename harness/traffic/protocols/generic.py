"""Generic JSON over POST: a body template and a result path make any service of one's own drillable."""

import json
import math
from dataclasses import dataclass
from typing import Any

import jmespath
import msgspec
import numpy as np
from jmespath.parser import ParsedResult

from harness.errors import ConfigError
from harness.fault import Batch
from harness.target import ProtocolOptions
from harness.traffic.protocols import Predictions, Undecodable

PLACEHOLDERS = ("$rows", "$row", "$values", "$columns")
USUAL_RESULTS = "prediction || predictions || score || scores || probability || probabilities || result || output || @"


@dataclass(frozen=True)
class GenericJson:
    """``body`` is JSON text in which ``$row`` stands for one named row, ``$rows`` for a list of them,
    ``$values`` for a list of lists of values, ``$columns`` for the list of column names.
    ``result`` is a JMESPath expression that finds the prediction, or a list of them.
    """

    path: str
    before: str
    placeholder: str
    after: str
    result: ParsedResult
    content_type: str = "application/json"

    @classmethod
    def of(cls, options: ProtocolOptions) -> "GenericJson":
        """Read the options. Raises :class:`ConfigError` for a template or a path that cannot work."""
        body = options.body if options.body is not None else "$row"
        used = [p for p in ("$rows", "$values") if p in body] or [p for p in ("$row",) if p in body]
        if len(used) != 1 or body.count(used[0]) != 1:
            raise ConfigError(
                f"body template {body!r} must hold exactly one of $row, $rows, $values",
                hint="body = '{\"instances\": $rows}'",
            )
        before, after = body.split(used[0])
        probe = before.replace("$columns", "[]") + "[]" + after.replace("$columns", "[]")
        try:
            json.loads(probe)
        except ValueError as e:
            raise ConfigError(f"body template {body!r} makes no JSON: {e}") from e
        try:
            result = jmespath.compile(options.result or USUAL_RESULTS)
        except jmespath.exceptions.JMESPathError as e:
            raise ConfigError(f"result {options.result!r} is no JMESPath expression: {e}") from e
        return cls(options.path or "/predict", before, used[0], after, result)

    def encode(self, batch: Batch, rows_per_request: int = 1) -> list[bytes]:
        """Bodies in column-wise batches: each column becomes JSON texts at once, then one template a row."""
        if self.placeholder == "$row" and rows_per_request != 1:
            raise ConfigError("a body with $row carries one row", hint="use $rows for several rows a request")
        names = list(batch)
        cells = [texts(batch[name]) for name in names]
        if self.placeholder == "$values":
            template = "[" + ", ".join(["%s"] * len(names)) + "]"
        else:
            template = "{" + ", ".join(json.dumps(n).replace("%", "%%") + ": %s" for n in names) + "}"
        columns = json.dumps(names)
        before, after = self.before.replace("$columns", columns), self.after.replace("$columns", columns)
        rows = [template % row for row in zip(*cells, strict=True)]
        if self.placeholder == "$row":
            return [(before + row + after).encode() for row in rows]
        groups = (rows[i : i + rows_per_request] for i in range(0, len(rows), rows_per_request))
        return [(before + "[" + ", ".join(group) + "]" + after).encode() for group in groups]

    def decode(self, body: bytes, rows: int) -> Predictions:
        """Predictions from the result path: numbers, booleans, or lists of them, one a row."""
        try:
            answer = msgspec.json.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise Undecodable(f"not JSON: {e}") from e
        return numbers(self.result.search(answer), rows)


def texts(column: Any) -> list[str]:
    """A column's cells as JSON texts; NaN and None are null, infinities too (JSON has no other word)."""
    values = np.asarray(column).tolist()
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


def numbers(found: Any, rows: int) -> Predictions:
    """``found`` as float64 (rows,): one number, or a list with one number (or a one-number list) a row."""
    flat = found if isinstance(found, list) else [found]
    flat = [v[0] if isinstance(v, list) and len(v) == 1 else v for v in flat]
    if len(flat) != rows:
        raise Undecodable(f"expected {rows} predictions, found {len(flat)}")
    for value in flat:
        if not isinstance(value, (int, float)):
            raise Undecodable(f"expected a number, found {type(value).__name__} {str(value)[:40]!r}")
    return np.array(flat, dtype=np.float64)

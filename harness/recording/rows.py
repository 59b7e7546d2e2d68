"""Rows in a recording, where the user asked for them: stream ``rows``, a block of requests each.

    {"first": 256, "columns": {"dep_delay": [3.0, null], ...}, "bodies": {"258": "..."}}

``columns`` are the feature values as they were sent, null where there is none or the column is redacted; ``bodies``,
by slot, are of requests that were not made from them: a trace's own, and what a fault of the payload changed. A body
that is not UTF-8 is ``{"base64": "..."}``. Where columns are redacted no bodies are kept: they hold the values.
"""

import base64
import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any


def rows_block(
    first: int, columns: Mapping[str, Sequence[Any]], bodies: Mapping[int, bytes], redact: Collection[str]
) -> dict[str, Any]:
    """One block: ``first`` is the slot of its first request, ``bodies`` are by slot."""
    return {
        "first": first,
        "columns": {name: [None] * len(c) if name in redact else _plain(c) for name, c in columns.items()},
        "bodies": {} if redact else {str(slot): _text(body) for slot, body in bodies.items()},
    }


def _plain(values: Sequence[Any]) -> list[Any]:
    return [None if isinstance(v, float) and not math.isfinite(v) else v for v in values]


def _text(body: bytes) -> str | dict[str, str]:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode("ascii")}

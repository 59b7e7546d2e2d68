"""Rows in the recording, where the user asked for them: stream ``rows``, a block of requests each.

    {"first": 256, "columns": {"dep_delay": [3.0, null], ...}, "bodies": {"258": "..."}}

``columns`` are the feature values as they were sent, null where there is none or the column is redacted; ``bodies``,
by slot, are of requests that were not made from them: a trace's own, and what a fault of the payload changed. A body
that is not UTF-8 is ``{"base64": "..."}``. Where columns are redacted no bodies are kept: they hold the values.
"""

import base64
import math
from collections.abc import Sequence
from typing import Any

from driftdrill.harness.errors import ConfigError, nearest
from driftdrill.harness.recording.recording import Writer
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Block, Blocks
from driftdrill.harness.traffic.protocols import Request


class Kept:
    """Writes blocks whose time has come. Raises :class:`ConfigError` for a column to redact that there is not."""

    def __init__(self, blocks: Blocks, redact: Sequence[str]) -> None:
        known = [name for name in blocks.source if name != blocks.scenario.truth]
        for name in redact:
            if name not in known:
                raise ConfigError(f"--redact: rows have no column {name!r}", hint=nearest(name, known))
        self._blocks, self._redact, self._next = blocks, frozenset(redact), 0

    def write(self, writer: Writer, at: float) -> None:
        """Write every block that begins before scenario second ``at`` and is not written yet."""
        times = self._blocks.times
        while self._next * BLOCK_ROWS < len(times) and times[self._next * BLOCK_ROWS] < at:
            writer.block("rows", self._told(self._blocks.block(self._next)))
            self._next += 1

    def _told(self, block: Block) -> dict[str, Any]:
        columns = {} if block.columns is None else block.columns
        told = {name: [None] * len(c) if name in self._redact else _plain(c.tolist()) for name, c in columns.items()}
        mutated = [block.changed[fault.name] for fault in self._blocks.mutations]
        bodies = {
            str(block.first + i): _text(body.body if isinstance(body, Request) else body)
            for i, body in enumerate(block.bodies)
            if not self._redact and (block.columns is None or any(changed[i] for changed in mutated))
        }
        return {"first": block.first, "columns": told, "bodies": bodies}


def _plain(values: list[Any]) -> list[Any]:
    return [None if isinstance(v, float) and not math.isfinite(v) else v for v in values]


def _text(body: bytes) -> str | dict[str, str]:
    try:
        return body.decode("utf-8")
    except UnicodeDecodeError:
        return {"base64": base64.b64encode(body).decode("ascii")}

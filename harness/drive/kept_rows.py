"""Rows and bodies that are kept in the recording, written as their time comes."""

from collections.abc import Sequence
from typing import Any

from driftdrill.harness.errors import ConfigError, nearest
from driftdrill.harness.recording.rows import rows_block
from driftdrill.harness.recording.writer import Writer
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Block, Blocks
from driftdrill.harness.traffic.protocols import Request


class KeptRows:
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
            writer.block("rows", self._kept(self._blocks.block(self._next)))
            self._next += 1

    def _kept(self, block: Block) -> dict[str, Any]:
        columns = {} if block.columns is None else {name: c.tolist() for name, c in block.columns.items()}
        mutated = [block.changed[fault.name] for fault in self._blocks.mutations]
        bodies = {
            block.first + i: body.body if isinstance(body, Request) else body
            for i, body in enumerate(block.bodies)
            if block.columns is None or any(changed[i] for changed in mutated)
        }
        return rows_block(block.first, columns, bodies, self._redact)

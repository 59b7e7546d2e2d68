"""What is recorded of the requests that ended: columns of plain values, cheap to add to, to send and to write."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from driftdrill.harness.recording.columns import COLUMNS, RequestColumns
from driftdrill.harness.traffic.blocks import Block

NAN = float("nan")


@dataclass
class Records(RequestColumns[list[int], list[Any], list[str], list[bool], list[Any]]):
    """Requests that ended, in order of their end."""

    def add(
        self,
        block: Block,
        slot: int,
        intended: float,
        late: float,
        took: float,
        status: int,
        size: int,
        failure: str,
        predictions: Sequence[float] | Sequence[str] | None,
    ) -> None:
        """Add one request of ``block``; ``predictions`` are None where there are none."""
        self.slot.append(slot)
        self.intended.append(intended)
        self.late.append(late)
        self.took.append(took)
        self.status.append(status)
        self.size.append(size)
        self.failure.append(failure)
        at, rows = slot - block.first, block.rows
        self.prediction += predictions if predictions is not None else [None if block.labels else NAN] * rows
        if block.truth is not None:
            self.truth += block.truths[at * rows : (at + 1) * rows]
        for name, texts in block.segments.items():
            self.segments.setdefault(name, []).extend(texts[at * rows : (at + 1) * rows])
        for name, strength, changed in block.marks:
            self.strength.setdefault(name, []).append(strength[at])
            self.changed.setdefault(name, []).append(changed[at])

    def extend(self, more: Mapping[str, Any]) -> None:
        """Add the records of another process, field by field; columns that only one of them has are padded."""
        before, added = len(self.slot), len(more["slot"])
        for name in COLUMNS:
            getattr(self, name).extend(more[name])
        for kind, empty in (("strength", 0.0), ("changed", False), ("measured", NAN)):
            columns = getattr(self, kind)
            for name in {**columns, **more[kind]}:
                column = columns.setdefault(name, [])
                column += [empty] * (before - len(column))
                found = more[kind].get(name, [])
                column += [*found, *[empty] * (added - len(found))]
        for name, texts in more["segments"].items():
            self.segments.setdefault(name, []).extend(texts)
        self.missed += more["missed"]

    def measure(self, found: Mapping[str, float]) -> None:
        """Add what was measured of the last request."""
        for name in {**self.measured, **found}:
            column = self.measured.setdefault(name, [])
            column += [NAN] * (len(self.slot) - 1 - len(column))
            column.append(found.get(name, NAN))

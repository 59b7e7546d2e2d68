"""Where rows stand in the bodies of a protocol, found from the bodies themselves.

A column's cell is where two bodies differ that differ in this column alone; a list of rows is what grows when a row is
added. So no protocol has to say it, and a template of the user's own needs nothing either.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from driftdrill.harness.errors import ConfigError, ScenarioError, nearest
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.traffic.body_layout.json_text import Place, differences

Encode = Callable[[Batch, int], list[bytes]]


@dataclass(frozen=True)
class Layout:
    """Where the values of a request's rows are."""

    cells: Mapping[str, tuple[Place, ...]]
    """Column -> its cell in each row of a request."""
    lists: tuple[tuple[Place, int], ...] = ()
    """Lists that grow with every row, and by how many items; none where a body holds one row."""
    counts: tuple[Place, ...] = ()
    """Numbers that say how many rows there are."""

    def cell(self, column: str) -> Place:
        """The column's cell in the first row; the first column's, if it is "". Raises :class:`ScenarioError`."""
        column = column or next(iter(self.cells), "")
        if column not in self.cells:
            raise ScenarioError(f"no column {column!r} is sent in the body", hint=nearest(column, self.cells))
        return self.cells[column][0]

    def own(self, column: str) -> Place:
        """The largest part of the body that the column has to itself: its key, its item, its input."""
        cell = self.cell(column)
        others = [places[0] for name, places in self.cells.items() if name != column]
        shared = max((_common(cell, other) for other in others), default=len(cell) - 1)
        return cell[: shared + 1]

    @property
    def row(self) -> Place:
        """The innermost place that holds all cells of the first row."""
        cell = self.cell("")
        others = (places[0] for places in self.cells.values())
        return cell[: min(len(cell) - 1, *(_common(cell, other) for other in others))]


def layout_of(encode: Encode, batch: Batch, rows: int) -> Layout:
    """The layout of bodies with ``rows`` rows of columns like the batch's; a column that is not sent has no cells."""
    some = {name: np.resize(column, rows) for name, column in batch.items()}
    plain = json.loads(encode(some, rows)[0])
    cells = {}
    for name, column in some.items():
        changed = json.loads(encode({**some, name: _others(column)}, rows)[0])
        places = tuple(place for place, _, _ in differences(plain, changed))
        if len(places) == rows:
            cells[name] = places
    return Layout(cells, *_growing(encode, some))


def _growing(encode: Encode, batch: Batch) -> tuple[tuple[tuple[Place, int], ...], tuple[Place, ...]]:
    """What one row and two of the same differ in: lists, and the numbers that count."""
    try:
        one, two = (json.loads(encode({n: np.repeat(c[:1], k) for n, c in batch.items()}, k)[0]) for k in (1, 2))
    except ConfigError:
        return (), ()
    found = list(differences(one, two))
    lists = tuple((place, len(b) - len(a)) for place, a, b in found if isinstance(a, list))
    return lists, tuple(place for place, a, _ in found if not isinstance(a, list))


def _others(column: Any) -> Any:
    """A column of the same kind with another value in every row."""
    if column.dtype.kind == "b":
        return ~column
    if column.dtype.kind in "iuf":
        return np.where(column == 0, 1, 0).astype(column.dtype)
    return np.where(column == "a", "b", "a").astype(column.dtype if column.dtype.kind == "O" else str)


def _common(one: Place, other: Place) -> int:
    """How many steps two places share."""
    same = 0
    while same < min(len(one), len(other)) and one[same] == other[same]:
        same += 1
    return same

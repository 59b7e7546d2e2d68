"""Faults of the batch: fewer rows, more, uneven ones, columns in place of rows; V2's declarations of them."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import ClassVar, Literal

from driftdrill.harness.traffic.body_layout.json_text import (
    Edit,
    Place,
    decoded,
    innermost,
    parts,
    span,
    spliced,
    without,
)
from driftdrill.harness.traffic.body_layout.layout import Layout
from driftdrill.harness.traffic.payload.base import PayloadFault
from driftdrill.harness.traffic.protocols.base import Request
from driftdrill.stack.faults.kind import one_of, within


class BatchShape(PayloadFault, frozen=True, repr_omit_defaults=True, tag="batch_shape"):
    """Other rows than a batch should have: ``to`` "empty", "one_more", "many" (``rows``), "ragged" or "transposed".

    What is added are copies of the first row. Where the body says how many rows there are, it says so of empty and
    many, and not of one more. Ragged is one more without its last cell; transposed is columns in place of rows. Where a
    body holds one row under its names, a list of rows stands in the place of the row.
    """

    id: ClassVar[str] = "edge.batch_shape"
    to: Literal["empty", "one_more", "many", "ragged", "transposed"]
    rows: int = 10_000

    def __post_init__(self) -> None:
        one_of(self, "to", ("empty", "one_more", "many", "ragged", "transposed"))
        within(self, "rows", 2, 1_000_000, unit="rows")

    def _change(self, request: Request) -> Request:
        text, layout = decoded(request.body), self._layout(request)
        edits = _transposed(text, layout) if self.to == "transposed" else _resized(text, layout, self.to, self.rows)
        return replace(request, parts=spliced(text, edits), layout=None)


class WrongShape(PayloadFault, frozen=True, repr_omit_defaults=True, tag="wrong_shape"):
    """V2: an input declares ``shape``, or unless that is given one row more than it holds."""

    id: ClassVar[str] = "edge.batch_shape"
    column: str = ""
    shape: tuple[int, ...] = ()

    def _change(self, request: Request) -> Request:
        def other(was: str) -> str:
            first, *rest = json.loads(was)
            return json.dumps(self.shape or (first + 1, *rest))

        return _declared(request, self._layout(request).cell(self.column), "shape", other)


class WrongDatatype(PayloadFault, frozen=True, repr_omit_defaults=True, tag="wrong_datatype"):
    """V2: an input declares another datatype than its values have."""

    id: ClassVar[str] = "edge.wrong_type"
    column: str = ""
    to: str = "BYTES"

    def _change(self, request: Request) -> Request:
        return _declared(request, self._layout(request).cell(self.column), "datatype", lambda was: json.dumps(self.to))


def _resized(text: str, layout: Layout, to: str, rows: int) -> list[Edit]:
    """The edits that make a batch "empty", "one_more", "many" (``rows``) or "ragged"."""
    edits = []
    for start, end, items, each in _lists(text, layout):
        row = ", ".join(items[:each])
        if to == "many":
            pieces = [row, *[", " + row] * (rows - 1)]
        else:
            pieces = [] if to == "empty" else [*items, row if to == "one_more" else _uneven(items[:each])]
            pieces = [", ".join(pieces)]
        edits.append(Edit(start, end, ("[", *pieces, "]")))
        if to == "ragged":
            break  # one list longer than its neighbours is uneven already
    if to in ("empty", "many"):
        count = str(rows if to == "many" else 0)
        edits += [Edit(*span(text, place), (count,)) for place in layout.counts]
    return edits


def _transposed(text: str, layout: Layout) -> list[Edit]:
    """The edits that put columns in the place of rows."""
    lists = list(_lists(text, layout))
    if len(lists) > 1:
        raise LookupError("columns stand apart already")
    start, end, items, _ = lists[0]
    cells = {places[0][-1]: [text[slice(*span(text, place))] for place in places] for places in layout.cells.values()}
    columns = [", ".join(column) for column in cells.values()]
    if items[0].startswith("{"):
        named = (f"{json.dumps(name)}: [{column}]" for name, column in zip(cells, columns, strict=True))
        return [Edit(start, end, ("{", ", ".join(named), "}"))]
    if items[0].startswith("["):
        return [Edit(start, end, ("[", ", ".join(f"[{column}]" for column in columns), "]"))]
    declared = innermost(text, layout.cell("")[:-1], "shape")[2]["shape"]
    shape = json.loads(text[declared.value : declared.end])
    flat = Edit(start, end, ("[", ", ".join(columns), "]"))
    return [flat, Edit(declared.value, declared.end, (json.dumps(shape[::-1]),))]


def _lists(text: str, layout: Layout) -> Iterator[tuple[int, int, list[str], int]]:
    """(start, end, items, items of a row) of each list of rows; of the row itself where a body holds one."""
    for place, each in layout.lists:
        start, end = span(text, place)
        yield start, end, [text[part.value : part.end] for part in parts(text, start)], each
    if layout.lists:
        return
    row = layout.row
    if any(places[0] != (*row, name) for name, places in layout.cells.items()):
        raise LookupError("the body holds one row, and not under its columns' names")
    start, end = span(text, row)
    yield start, end, [text[start:end]], 1


def _uneven(row: list[str]) -> str:
    """A row's text without its last cell; "" where it has no other."""
    if len(row) > 1:
        return ", ".join(row[:-1])
    cells = list(parts(row[0], 0))
    if not cells:
        return row[0]
    edit = without(row[0], (cells[-1].step,))
    return row[0][: edit.start] + row[0][edit.end :]


def _declared(request: Request, cell: Place, key: str, other: Callable[[str], str]) -> Request:
    """The request with another text for what the input that holds ``cell`` declares under ``key``."""
    text = decoded(request.body)
    try:
        declared = innermost(text, cell[:-1], key)[2][key]
    except LookupError:
        raise LookupError(f"nothing in it declares a {key}, as inputs of V2 do") from None
    edit = Edit(declared.value, declared.end, (other(text[declared.value : declared.end]),))
    return replace(request, parts=spliced(text, [edit]))

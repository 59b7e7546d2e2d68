"""A search for the smallest change of a valid row that breaks a stated property, by hypothesis, which shrinks it."""

import json
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from driftdrill.durations import format_duration
from driftdrill.harness.edge.cases import Ready, kinds_of, prepared
from driftdrill.harness.edge.curl import curl
from driftdrill.harness.edge.probe import Bounds, CaseAnswer, Prober
from driftdrill.harness.errors import RigError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.traffic.body_layout.json_text import Edit, decoded, span, spliced
from driftdrill.harness.traffic.payload import Missing
from driftdrill.harness.traffic.protocols import Request
from driftdrill.reports.data.edges import Broken, EdgeSearch

if TYPE_CHECKING:
    from hypothesis.strategies import SearchStrategy

PROPERTIES: dict[str, tuple[str, Callable[[CaseAnswer], bool]]] = {
    "no-5xx": ("no request is answered 5xx or loses its connection", lambda a: a.outcome in ("crashed", "lost")),
    "no-hang": ("every request is answered in time", lambda a: a.outcome == "hung"),
    "no-nan": (
        "every answer is a finite prediction or a 4xx",
        lambda a: a.outcome not in ("same", "different", "rejected"),
    ),
}
"""Name -> what holds, and whether an answer breaks it."""

SIMPLE = ("null", "true", "0", '""', "[]", "{}")
"""JSON texts that stand in every cell before anything is drawn."""
RAW = ("1e999", "-1e999", "-0.0", "1e-320", "9223372036854775808", "1" + "0" * 400)
"""Texts that stand in every cell after what was drawn: no value that Python can hold is written so."""
CELLS = 3
"""Most cells that one payload changes."""


@dataclass(frozen=True)
class Change:
    """What is different from the valid row: cells with other JSON texts, a column left out, or a whole case."""

    cells: tuple[tuple[str, str], ...] = ()
    missing: str = ""
    case: Ready | None = None

    def __str__(self) -> str:
        if self.case is not None:
            return f"{self.case.case.code}: {self.case.case.what}"
        told = [f"{column} = {text if len(text) <= 60 else text[:57] + '…'}" for column, text in self.cells]
        return ", ".join([*told, *([f"without {self.missing}"] if self.missing else [])])

    @property
    def size(self) -> tuple[int, int]:
        """Smaller is simpler: cells changed, characters in them. A whole case is more than any cells."""
        if self.case is not None and self.case.request is not None:
            return CELLS + 1, len(self.case.request.body)
        return len(self.cells) + bool(self.missing), sum(len(text) for _, text in self.cells)


@dataclass
class Search:
    """What was tried so far, and the smallest change that breaks the property."""

    prober: Prober
    broken: Callable[[CaseAnswer], bool]
    bounds: Bounds
    begun: float = field(default_factory=time.monotonic)
    known: dict[tuple[bytes, str, object], bool] = field(default_factory=dict)
    best: tuple[Change, Request, CaseAnswer] | None = None
    breaking: int = 0
    why: str = ""
    """Why the search ended early: a bound, or a service that is dead."""

    def breaks(self, change: Change) -> bool:
        """Whether a change breaks the property; each different request is sent once."""
        request = self.made(change)
        if request is None:
            return False
        if request.seen not in self.known:
            if self.why or not self._may():
                return False
            self.known[request.seen] = self._ask(change, request)
        return self.known[request.seen]

    def made(self, change: Change) -> Request | None:
        """The request of a change; None where the body has no place for it."""
        base = self.prober.base
        if change.case is not None:
            return change.case.request
        text = decoded(base.request.body)
        edits = [Edit(*span(text, base.layout.cell(column)), (token,)) for column, token in change.cells]
        request = Request(spliced(text, edits), base.request.content_type, layout=base.layout)
        return Missing(change.missing)(request, np.random.default_rng(0)) if change.missing else request

    def _may(self) -> bool:
        if time.monotonic() - self.begun > self.bounds.seconds:
            self.why = f"{format_duration(self.bounds.seconds)} are over (--seconds)"
        elif self.prober.sent + 2 > self.bounds.requests:
            self.why = f"{self.bounds.requests} requests are sent (--most)"
        return not self.why

    def _ask(self, change: Change, request: Request) -> bool:
        answer = self.prober.answer(request, change.case.rows if change.case is not None else 1)
        if answer.outcome in ("crashed", "lost", "hung"):
            after = self.prober.afterwards()
            if after.outcome not in ("same", "different"):
                self.why = "the service no longer answers the valid row"
        if not self.broken(answer):
            return False
        self.breaking += 1
        if self.best is None or change.size < self.best[0].size:
            self.best = change, request, answer
        return True


def search(made: Search, rows: Batch, *, examples: int, seed: int) -> None:
    """Look for a change that breaks the property: simple texts in each cell, then up to ``examples`` drawn by
    hypothesis, the first of which is shrunk, then what cannot be drawn, and the table's cases.

    Whatever ends it early, ``made`` holds what was found. Raises :class:`RigError` without hypothesis.
    """
    try:
        import hypothesis
        from hypothesis.configuration import set_hypothesis_home_dir
        from hypothesis.errors import Flaky, NoSuchExample
    except ImportError as e:
        raise RigError("--search needs hypothesis, which is not installed", hint="pip install hypothesis") from e
    slow = hypothesis.HealthCheck  # a service may be
    settings = hypothesis.settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=[hypothesis.Phase.generate, hypothesis.Phase.shrink],
        suppress_health_check=[slow.too_slow, slow.filter_too_much, slow.data_too_large, slow.large_base_example],
    )
    columns = list(made.prober.base.layout.cells)
    left_out = [Change(missing=column) for column in columns]
    if any(made.breaks(change) for change in [*_single(columns, SIMPLE), *left_out]):
        return
    with tempfile.TemporaryDirectory(prefix="driftdrill-") as folder:
        set_hypothesis_home_dir(folder)
        # What it found is kept as it goes: finding nothing, or not the same again, raises.
        with suppress(NoSuchExample, Flaky):
            drawn = _drawn(columns, rows)
            hypothesis.find(drawn, made.breaks, settings=settings, random=random.Random(seed))
    if made.best is None:
        cases = (Change(case=ready) for ready in prepared(made.prober.base))
        any(made.breaks(change) for change in (*_single(columns, RAW), *cases))


def _single(columns: Sequence[str], texts: Sequence[str]) -> list[Change]:
    return [Change(cells=((column, text),)) for column in columns for text in texts]


def told(found: Search, name: str, seed: int, folder: Path) -> EdgeSearch:
    """The search as a report; a body that no shell can hold is written into ``folder``."""
    client = found.prober.client
    broken = None
    if found.best is not None:
        change, request, answer = found.best
        line = curl(client.connection, client.url, request, folder)
        broken = Broken(str(change), f"{answer.outcome}{answer.note and ': ' + answer.note}", answer.status, line)
    holds = PROPERTIES[name][0]
    return EdgeSearch(client.url, name, holds, seed, len(found.known), found.breaking, broken, found.why)


def _drawn(columns: Sequence[str], rows: Batch) -> "SearchStrategy[Change]":
    from hypothesis import strategies as st

    # Built once: hypothesis checks every strategy that it has not seen before.
    one = st.one_of([st.tuples(st.just(column), _tokens(column, rows)) for column in columns])
    cells = st.lists(one, min_size=1, max_size=CELLS, unique_by=lambda cell: cell[0])
    return cells.map(lambda found: Change(cells=tuple(found)))


def _tokens(column: str, rows: Batch) -> "SearchStrategy[str]":
    """JSON texts, and what is almost JSON (NaN), for a cell: of the column's own kind first, then of every other."""
    from hypothesis import strategies as st

    text: Any = st.text(st.characters(exclude_categories=()), max_size=20)
    numbers: Any = st.integers() | st.floats()
    own: Any = numbers if "number" in kinds_of(column, rows[column]) else text
    seen = st.sampled_from(sorted({json.dumps(v) for v in rows[column][:1000].tolist()})[:50])
    plain = st.none() | st.booleans() | numbers | text
    nested = st.recursive(plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3))
    tokens: SearchStrategy[str] = own.map(json.dumps) | seen | nested.map(json.dumps)
    return tokens

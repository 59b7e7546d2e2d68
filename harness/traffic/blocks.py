"""Payloads: blocks of rows, drawn i.i.d., made faulty to the scheduled strength, encoded ahead of need."""

import itertools
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cached_property
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.harness.errors import DriftdrillError, ScenarioError, nearest
from driftdrill.harness.scenario.fault import Batch, Fault
from driftdrill.harness.scenario.measure import is_text, settled
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seeds import generator
from driftdrill.harness.traffic.body_layout.layout import Layout, layout_of
from driftdrill.harness.traffic.protocols import Protocol, Request
from driftdrill.harness.traffic.ready_bodies import Bodies

BLOCK_ROWS = 256
MOST_SEGMENTS = 50
"""Most values of a column that harm is told by: of many segments each has few rows."""
TRIED = 32
"""Requests on which a fault of the payload is tried before a drill."""


@dataclass(frozen=True)
class Block:
    """``BLOCK_ROWS`` requests in a row: what is sent, what is true, and what was done to them."""

    first: int
    bodies: list[bytes | Request]
    """Ready-made bodies, and whole requests where a fault of the payload changed one."""
    truth: npt.NDArray[Any] | None
    """float64 (rows,), of labels object (rows,), or None where the scenario has no truth."""
    strength: dict[str, npt.NDArray[np.float64]]
    """Fault name -> float64 (requests,)."""
    changed: dict[str, npt.NDArray[np.bool_]]
    """Fault name -> whether any row of the request was changed by it."""
    rows: int = 1
    """A request."""
    columns: Batch | None = None
    """The rows as they are sent, before faults of the payload; only where they are kept."""
    segments: dict[str, list[str]] = field(default_factory=dict)
    """Column that the scenario tells harm by -> its values as texts, one a row."""

    @cached_property
    def labels(self) -> bool:
        """Whether predictions are labels, as the truth is."""
        return self.truth is not None and is_text(self.truth)

    @cached_property
    def truths(self) -> list[Any]:
        """``truth`` as plain numbers or texts."""
        return [] if self.truth is None else self.truth.tolist()

    @cached_property
    def marks(self) -> list[tuple[str, list[float], list[bool]]]:
        """(fault name, strengths, whether changed), one a request, as plain values."""
        return [(name, strength.tolist(), self.changed[name].tolist()) for name, strength in self.strength.items()]


class Blocks:
    """Every request's body, made in blocks that depend on the seed and the block's number alone.

    ``times`` are the scheduled arrivals, seconds (n,); slot i goes to address i modulo ``addresses``. A block is kept
    until the next two are asked for, so memory is flat in the drill's length. ``numbered`` requests tell their slot in
    ``X-Request-Id``: what a proxy does to them then hangs on the slot, not on who comes first.
    """

    def __init__(
        self,
        scenario: Scenario,
        protocol: Protocol,
        times: npt.NDArray[np.float64],
        rows_per_request: int = 1,
        addresses: int = 1,
        *,
        numbered: bool = False,
        keep: bool = False,
    ) -> None:
        self.scenario, self.protocol, self.times, self.rows_per_request = scenario, protocol, times, rows_per_request
        self.addresses, self.numbered, self.keep = addresses, numbered, keep
        self.source = {} if scenario.arrivals.bodies is not None else checked_rows(scenario)
        self.faults = [_solved(f, self.source, scenario.seed) for f in scenario.faults_of("rows")]
        self.mutations = scenario.faults_of("payload")
        sent = {name: column for name, column in self.source.items() if name != scenario.truth}
        self._bodies = Bodies(protocol, sent, faulty=bool(self.faults)) if rows_per_request == 1 else None
        self._known = {name: set(_texts(self.source[name])) for name in scenario.segments if self.source}
        self.layout = self._tried() if self.mutations else None
        self._blocks: dict[int, Block] = {}

    def block(self, index: int) -> Block:
        """Block ``index``, holding requests [index * BLOCK_ROWS, ...)."""
        found = self._blocks.get(index)
        if found is None:
            made = self._make(index)
            found = self._blocks[index] = self._number(made) if self.numbered else made
            for old in [k for k in self._blocks if k < index - 2]:
                del self._blocks[old]
        return found

    def ready(self, index: int) -> Block | None:
        """Block ``index`` if it is made."""
        return self._blocks.get(index)

    def _make(self, index: int) -> Block:
        first = index * BLOCK_ROWS
        times = self.times[first : first + BLOCK_ROWS]
        if self.scenario.arrivals.bodies is not None:
            return Block(
                first,
                list(self.scenario.arrivals.bodies[first : first + len(times)]),
                None,
                {},
                {},
                self.rows_per_request,
            )
        # A whole block is always drawn, so that the last, short one differs in no row from a longer drill's.
        rows = BLOCK_ROWS * self.rows_per_request
        rng = generator(self.scenario.seed, "rows", block=index)
        size = len(next(iter(self.source.values())))
        pick = rng.integers(0, size, rows)
        drawn: Batch = {name: column[pick] for name, column in self.source.items()}
        for column in drawn.values():
            column.flags.writeable = False  # a fault that changed its input would not be seen to change anything
        batch = dict(drawn)
        padded = np.concatenate([times, np.full(BLOCK_ROWS - len(times), -1.0)])
        segments = {name: _texts(drawn[name]) for name in self.scenario.segments}
        strengths: dict[str, npt.NDArray[np.float64]] = {}
        changes: dict[str, npt.NDArray[np.bool_]] = {}
        for fault in self.faults:
            strength = self._strength(fault, padded, first)
            faulty = self._apply(fault, batch, np.repeat(strength, self.rows_per_request), index)
            changed = np.any(rows_changed(batch, faulty).reshape(BLOCK_ROWS, -1), axis=1)
            strengths[fault.name], changes[fault.name] = strength[: len(times)], changed[: len(times)]
            segments = self._segments(segments, batch, faulty)
            batch = faulty
        wheres = {f.name: self._where(f, batch) for f in self.mutations}
        truth = batch.pop(self.scenario.truth) if self.scenario.truth else None
        bodies: list[bytes | Request] = [*self._encoded(batch, drawn, pick[: len(times) * self.rows_per_request])]
        for fault in self.mutations:
            strength = self._strength(fault, padded, first)[: len(times)]
            chosen = np.where(wheres[fault.name][: len(times)], strength, 0.0)
            strengths[fault.name], changes[fault.name] = strength, self._mutate(fault, bodies, chosen, index)
        return Block(
            first,
            bodies,
            None if truth is None else _as_truth(truth[: len(times) * self.rows_per_request]),
            strengths,
            changes,
            self.rows_per_request,
            {name: c[: len(times) * self.rows_per_request] for name, c in batch.items()} if self.keep else None,
            {name: found[: len(times) * self.rows_per_request].tolist() for name, found in segments.items()},
        )

    @property
    def labels(self) -> bool:
        """Whether truth, and so predictions, are labels."""
        return self.scenario.truth is not None and is_text(_as_truth(self.source[self.scenario.truth]))

    def _segments(
        self, before: dict[str, npt.NDArray[Any]], batch: Batch, faulty: Batch
    ) -> dict[str, npt.NDArray[Any]]:
        """Of which segment each row is once a fault is in: that which it was, unless the fault put another whole row in
        its place, as those that draw anew do. What a fault writes into the column itself moves no row."""
        if any(faulty[name] is batch[name] for name in batch):
            return before
        found = {}
        for name, old in before.items():
            new = _texts(faulty[name])
            found[name] = np.where([v in self._known[name] for v in new], new, old)
        return found

    def _number(self, block: Block) -> Block:
        whole = (b if isinstance(b, Request) else self._request(b) for b in block.bodies)
        ids = ((("X-Request-Id", str(slot)),) for slot in itertools.count(block.first))
        return replace(block, bodies=[replace(r, headers=(*r.headers, *id)) for r, id in zip(whole, ids, strict=False)])

    def _encoded(self, batch: Batch, drawn: Batch, rows: npt.NDArray[np.int64]) -> list[bytes]:
        """The bodies of the first len(rows) rows of ``batch``."""
        if self._bodies is not None:
            return self._bodies.encode(batch, drawn, rows)
        return self.protocol.encode(
            {name: column[: len(rows)] for name, column in batch.items()}, self.rows_per_request
        )

    def _strength(self, fault: Fault, times: npt.NDArray[np.float64], first: int) -> npt.NDArray[np.float64]:
        """The fault's strength for requests from slot ``first`` on; 0 for those that go to another replica than its."""
        strength = self.scenario.strength(fault, times)
        if fault.replica is None:
            return strength
        return np.where((first + np.arange(len(times))) % self.addresses == fault.replica, strength, 0.0)

    def _mutate(
        self, fault: Fault, bodies: list[bytes | Request], strength: npt.NDArray[np.float64], index: int
    ) -> npt.NDArray[np.bool_]:
        """Change a share ``strength`` of the requests in place; which were changed, bool (requests,)."""
        changed = np.zeros(len(bodies), dtype=np.bool_)
        if not strength.any():
            return changed
        how: Any = fault.how
        rng = generator(self.scenario.seed, "faults", fault.name, index)
        for i in np.flatnonzero(rng.random(BLOCK_ROWS)[: len(bodies)] < strength).tolist():
            body = bodies[i]
            before = body if isinstance(body, Request) else self._request(body)
            try:
                bodies[i] = after = how(before, rng)
            except ScenarioError:
                raise
            except Exception as e:  # the author's functions may raise anything
                raise ScenarioError(f"fault {fault.name!r}: {_said(e)}", hint=getattr(e, "hint", None)) from e
            changed[i] = after.seen != before.seen
        return changed

    def _tried(self) -> Layout:
        """Where rows stand in bodies; raises :class:`ScenarioError` for a fault that cannot be in the first of them."""
        from driftdrill.harness.traffic.payload import try_on

        n = self.rows_per_request
        rows = {name: np.resize(c, min(len(c), TRIED) * n) for name, c in self.source.items()}
        rows.pop(self.scenario.truth or "", None)
        self.layout = layout_of(self.protocol.encode, rows, n)
        try_on(self.mutations, [self._request(b) for b in self.protocol.encode(rows, n)], self.scenario.seed)
        return self.layout

    def _request(self, body: bytes) -> Request:
        return Request((body,), self.protocol.content_type, layout=self.layout)

    def _where(self, fault: Fault, batch: Batch) -> npt.NDArray[np.bool_]:
        """The requests with a row that the fault's ``where`` chooses, bool (requests,)."""
        rows = BLOCK_ROWS * self.rows_per_request
        if fault.where is None:
            return np.ones(BLOCK_ROWS, dtype=np.bool_)
        return np.asarray(_chosen(fault, fault.where(batch), (rows,)).reshape(BLOCK_ROWS, -1).any(axis=1))

    def _apply(self, fault: Fault, batch: Batch, strength: npt.NDArray[np.float64], index: int) -> Batch:
        if not strength.any():
            return batch
        how: Any = fault.how
        try:
            if fault.where is not None:
                strength = np.where(_chosen(fault, fault.where(batch), strength.shape), strength, 0.0)
            faulty: Batch = how(batch, strength, generator(self.scenario.seed, "faults", fault.name, index))
        except ScenarioError:
            raise
        except Exception as e:  # the author's functions may raise anything
            raise ScenarioError(f"fault {fault.name!r}: {_said(e)}", hint=getattr(e, "hint", None)) from e
        same = isinstance(faulty, dict) and faulty.keys() == batch.keys()
        if not same or any(len(faulty[k]) != len(batch[k]) for k in batch):
            raise ScenarioError(f"fault {fault.name!r} changed the columns or the number of rows")
        return faulty


def _chosen(fault: Fault, chosen: Any, shape: tuple[int, ...]) -> npt.NDArray[np.bool_]:
    """What ``where`` answered. Raises :class:`ScenarioError` unless it is a bool for each row."""
    found = np.asarray(chosen)
    if found.shape != shape or found.dtype != np.bool_:
        raise ScenarioError(f"fault {fault.name!r}: where must answer bool {shape}, not {found.dtype} {found.shape}")
    return found


def _said(error: Exception) -> str:
    """What an author's function raised; a generator's own errors speak for themselves."""
    return str(error) if hasattr(error, "hint") else f"{type(error).__name__}: {error}"


def _solved(fault: Fault, reference: Batch, seed: int) -> Fault:
    """The fault with whatever its generator needs from the reference fixed, so that every block has one size."""
    solve = getattr(fault.how, "solve", None)
    if solve is None:
        return fault
    try:
        return replace(fault, how=solve(reference, generator(seed, "faults", fault.name)))
    except ValueError as e:
        raise ScenarioError(f"fault {fault.name!r}: {e}", hint=getattr(e, "hint", None)) from e


def rows_changed(before: Batch, after: Batch) -> npt.NDArray[np.bool_]:
    """Which rows differ in any column, bool (n,); NaN equals NaN."""
    out = np.zeros(len(next(iter(before.values()))), dtype=bool)
    for name, old in before.items():
        new = after[name]
        if new is old:
            continue
        differs = np.asarray(new != old, dtype=bool)
        if old.dtype.kind == "f" and new.dtype.kind == "f":
            differs &= ~(np.isnan(old) & np.isnan(new))
        out |= differs
    return out


def checked_rows(scenario: Scenario) -> Batch:
    """The scenario's rows as a batch of equal, non-empty columns. Raises :class:`ScenarioError`."""
    where = f"Scenario {scenario.name!r}: rows"
    batch = batch_of(scenario.rows, where)
    if scenario.truth is not None:
        if scenario.truth not in batch:
            raise ScenarioError(f"{where} have no column {scenario.truth!r} (truth); they have {sorted(batch)}")
        try:
            truth = _as_truth(batch[scenario.truth])
        except ValueError as e:
            raise ScenarioError(f"{where}: truth {scenario.truth!r} must be numbers or texts: {e}") from e
        settled(scenario.measure, scenario.smallest_harm, truth, where)  # type: ignore[arg-type]
        for name in scenario.segments:
            _refuse_segment(name, batch, where)
    return batch


def truth_of(scenario: Scenario, batch: Batch) -> npt.NDArray[Any]:
    """The truth of checked rows, float64 (n,) or, of labels, object (n,)."""
    return _as_truth(batch[scenario.truth or ""])


def _as_truth(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A column of truth as float64, or, of texts, as object with None where there is none. Raises ValueError."""
    if column.dtype.kind in "fiub":
        return np.asarray(column, dtype=np.float64)
    values = [None if _missing(v) else v for v in column.tolist()]
    known = [v for v in values if v is not None]
    if known and all(isinstance(v, (Real, np.bool_)) for v in known):
        return np.array([math.nan if v is None else float(v) for v in values], dtype=np.float64)
    for v in known:
        if not isinstance(v, str):
            raise ValueError(f"it holds {v!r}")
    out = np.empty(len(values), dtype=object)
    out[:] = values
    return out


def _texts(column: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A column as texts, object (n,); what is missing is "missing"."""
    out = np.empty(len(column), dtype=object)
    out[:] = ["missing" if _missing(v) else str(v) for v in column.tolist()]
    return out


def _missing(value: Any) -> bool:
    """None, NaN, and what pandas has for them."""
    gone = value is None or type(value).__name__ in ("NAType", "NaTType")
    return gone or (isinstance(value, (float, np.floating)) and math.isnan(value))


def _refuse_segment(name: str, batch: Batch, where: str) -> None:
    if name not in batch:
        raise ScenarioError(f"{where} have no column {name!r} (segments)", hint=nearest(name, batch))
    count = len(set(_texts(batch[name])))
    if count > MOST_SEGMENTS:
        raise ScenarioError(
            f"{where}: segments: column {name!r} has {count:,} values; harm is told for at most {MOST_SEGMENTS}",
            hint="make a column of fewer values, such as one of ranges",
        )


def batch_of(make: Callable[[], Batch], where: str) -> Batch:
    """What an author's function answers, as a batch of equal, non-empty columns. Raises :class:`ScenarioError`."""
    try:
        rows = make()
    except DriftdrillError:
        raise
    except Exception as e:  # the author's function may raise anything
        raise ScenarioError(f"{where}: {_said(e)}", hint=getattr(e, "hint", None)) from e
    if not isinstance(rows, dict) or not rows:
        raise ScenarioError(f"{where} must answer a dict of columns, not {type(rows).__name__}")
    batch = {str(name): np.asarray(column) for name, column in rows.items()}
    lengths = {name: column.shape for name, column in batch.items()}
    if len({shape[:1] for shape in lengths.values()}) != 1 or any(len(s) != 1 or s[0] == 0 for s in lengths.values()):
        raise ScenarioError(f"{where} must answer 1-d columns of one length above 0, not {lengths}")
    return batch

"""Recordings: a folder ``*.drill/`` of open formats, appended as the drill runs.

    meta.json            scenario (phases, expectations, faults, seed), target, versions; written once, at the start
    samples.jsonl.gz     scrapes: series and their labels, times, values
    requests.jsonl.gz    requests in columns
    events.jsonl.gz      what happened and when; the last one says how the drill ended
    alerts.jsonl.gz      wall clock only: ALERTS and recorded series as the server made them
    rules/               the rule files as they were

Each stream is a sequence of gzip members (RFC 1952), one a block, each one line of JSON (so ``zcat`` reads it).
A block is written with one call; a drill that is killed leaves whole blocks and at most one torn one at the end,
which reading drops. After the event that ends a drill nothing can be torn: there it is damage.

Numbers that JSON has no word for are the texts "NaN", "+Inf", "-Inf" and "stale" (Prometheus's stale marker); null is
no sample. Times are scenario milliseconds.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.recording.gzip_members import member, members

SCHEMA = 1
_Block = TypeVar("_Block")
STALE_BITS = 0x7FF0000000000002
"""Prometheus's stale marker: a NaN of this bit pattern (prometheus/model/value/value.go)."""
STALE: float = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])


class Meta(msgspec.Struct, kw_only=True, frozen=True):
    """What is known at the start of a drill."""

    schema: int = SCHEMA
    scenario: str
    story: str
    clock: str
    phases: list[tuple[str, float, float]]
    """(name, start, end) in scenario seconds."""
    expect: list[dict[str, Any]]
    faults: list[dict[str, Any]]
    truth: str | None
    smallest_harm: float | None
    threshold: float
    seed: int
    planned: int
    """Requests in the schedule."""
    rows_per_request: int
    scrape_interval: float
    evaluation_interval: float
    started_at: float
    """Unix time of scenario second 0."""
    target: dict[str, Any]
    targets: list[dict[str, str]]
    """Labels of every scrape target."""
    scrape_intervals: list[float] = []
    """Seconds, one a target."""
    rules: list[tuple[str, str]]
    """(file in rules/, path as the user gave it)."""
    engine: str
    versions: dict[str, str]
    revision: str | None = None
    late_after: float = 1.0
    """Seconds after which a send that the generator itself began too late counts as missed."""


def refuse_unwritable(path: Path) -> None:
    """Raise :class:`RecordingError` unless a new recording can be made at ``path``; nothing is left there."""
    hint = "choose another --out"
    missing = [p for p in (path, *path.parents) if not p.exists()]
    try:
        path.mkdir(parents=True)
        for made in missing:
            made.rmdir()
    except FileExistsError as e:
        raise RecordingError("there is one already", where=str(path), hint=hint) from e
    except OSError as e:
        raise RecordingError(f"cannot write a recording: {e.strerror}", where=str(path), hint=hint) from e


class Writer:
    """Appends to a recording. Raises :class:`RecordingError` for a disk that is full or not writable."""

    def __init__(self, path: Path, meta: Meta) -> None:
        refuse_unwritable(path)
        self.path = path
        path.mkdir(parents=True)
        self._known: set[int] = set()
        self._write("meta.json", msgspec.json.format(msgspec.json.encode(meta), indent=2))

    def rules(self, name: str, text: bytes) -> None:
        """Keep a copy of a rule file."""
        (self.path / "rules").mkdir(exist_ok=True)
        self._write(f"rules/{name}", text)

    def block(self, stream: str, value: Any) -> None:
        """Append one block to a stream, with one write."""
        self._write(f"{stream}.jsonl.gz", member(msgspec.json.encode(value) + b"\n"))

    def event(self, event: str, at: float, /, **details: Any) -> None:
        """Append an event at scenario second ``at``."""
        self.block("events", {"event": event, "at": round(at, 3), **details})

    def samples(
        self,
        stream: str,
        labels_of: Any,
        series: Mapping[int, Sequence[tuple[float, float]]],
    ) -> None:
        """Append samples: series id -> (scenario seconds, value) pairs in order; new ids bring their labels."""
        new = {str(i): labels_of(i) for i in series if i not in self._known}
        times = sorted({round(t * 1000) for points in series.values() for t, _ in points})
        place = {t: i for i, t in enumerate(times)}
        rows: dict[str, list[Any]] = {}
        for i, points in series.items():
            row: list[Any] = [None] * len(times)
            for t, v in points:
                row[place[round(t * 1000)]] = encode_value(v)
            rows[str(i)] = row
        self.block(stream, {"series": new, "times": times, "values": rows})
        self._known.update(series)

    def _write(self, name: str, data: bytes) -> None:
        try:
            # Unbuffered: a buffer that cannot be flushed cannot be truncated either.
            with (self.path / name).open("ab", buffering=0) as f:
                before, left = f.tell(), memoryview(data)
                try:
                    while left:
                        left = left[f.write(left) :]
                except BaseException:
                    # A torn block in the middle would hide all that follows it.
                    f.truncate(before)
                    raise
        except OSError as e:
            raise RecordingError(
                f"cannot write {name}: {e.strerror}", where=str(self.path), hint="what was written so far is kept"
            ) from e


def encode_value(value: float) -> float | int | str:
    """A sample value as JSON; whole numbers without a point."""
    if math.isnan(value):
        is_stale = np.float64(value).view(np.uint64) == STALE_BITS
        return "stale" if is_stale else "NaN"
    if value in (float("inf"), float("-inf")):
        return "+Inf" if value > 0 else "-Inf"
    whole = value.is_integer() and abs(value) < 2**53 and (value != 0 or math.copysign(1.0, value) > 0)
    return int(value) if whole else value


_WORDS = {"NaN": float("nan"), "+Inf": float("inf"), "-Inf": float("-inf"), "stale": STALE}


@dataclass(frozen=True)
class Samples:
    """One series' samples: times in scenario milliseconds int64 (n,), values float64 (n,) with stale markers."""

    labels: dict[str, str]
    times: npt.NDArray[np.int64]
    values: npt.NDArray[np.float64]

    @property
    def stale(self) -> npt.NDArray[np.bool_]:
        """Which samples are stale markers, bool (n,)."""
        return np.asarray(self.values.view(np.uint64) == STALE_BITS)


@dataclass(frozen=True)
class Requests:
    """All requests of a recording in columns (n,), in order of slot."""

    slot: npt.NDArray[np.int64]
    intended: npt.NDArray[np.float64]
    late: npt.NDArray[np.float64]
    took: npt.NDArray[np.float64]
    status: npt.NDArray[np.int64]
    size: npt.NDArray[np.int64]
    failure: npt.NDArray[np.str_]
    prediction: npt.NDArray[np.float64]
    """(n, rows a request); NaN where unanswered."""
    truth: npt.NDArray[np.float64] | None
    """(n, rows a request)."""
    strength: dict[str, npt.NDArray[np.float64]]
    changed: dict[str, npt.NDArray[np.bool_]]
    missed: int

    def __len__(self) -> int:
        return len(self.slot)


class _SampleBlock(msgspec.Struct):
    series: dict[str, dict[str, str]]
    times: list[int]
    values: dict[str, list[float | str | None]]


class _RequestBlock(msgspec.Struct):
    slot: list[int]
    intended: list[float]
    late: list[float]
    took: list[float]
    status: list[int]
    size: list[int]
    failure: list[str]
    prediction: list[float | None]
    truth: list[float | None]
    strength: dict[str, list[float]]
    changed: dict[str, list[int]]
    missed: int = 0


@dataclass(frozen=True)
class Recording:
    """A recording on disk; streams are read when asked for, block by block."""

    path: Path
    meta: Meta

    def blocks(self, stream: str) -> Iterator[dict[str, Any]]:
        """The whole blocks of a stream, in order; empty if there is no such stream.

        Raises :class:`RecordingError` for one that was changed or cut off after it was written.
        """
        for _, block in self._blocks(stream, dict[str, Any]):
            yield block

    def events(self) -> list[dict[str, Any]]:
        """Every event in order."""
        return list(self.blocks("events"))

    @cached_property
    def ended(self) -> bool:
        """Whether the drive told how it ended, as it does last of all: no write was cut off."""
        return any(e.get("event") == "end" for e in self.events())

    def samples(self, stream: str = "samples") -> list[Samples]:
        """All series of a stream with their samples in order of time."""
        labels: dict[str, dict[str, str]] = {}
        parts: dict[str, list[tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]]] = {}
        for where, block in self._blocks(stream, _SampleBlock):
            labels.update(block.series)
            times = np.array(block.times, dtype=np.int64)
            for name, row in block.values.items():
                if len(row) != len(times) or name not in labels:
                    raise RecordingError(f"{where}: series {name} does not fit", where=str(self._file(stream)))
                parts.setdefault(name, []).append(_numbers(row, times, where))
        out = []
        for name, found in parts.items():
            moments = np.concatenate([t for t, _ in found])
            numbers = np.concatenate([v for _, v in found])
            order = np.argsort(moments, kind="stable")
            out.append(Samples(labels[name], moments[order], numbers[order]))
        return out

    def requests(self) -> Requests:
        """All requests, in order of slot.

        All are in memory at once: about 80 bytes each, and 180 while they are read.
        """
        names = [f["name"] for f in self.meta.faults if not f["held"]]
        missed = 0
        columns: dict[str, list[npt.NDArray[Any]]] = {}
        strength: dict[str, list[npt.NDArray[Any]]] = {n: [] for n in names}
        changed: dict[str, list[npt.NDArray[Any]]] = {n: [] for n in names}
        for _, block in self._blocks("requests", _RequestBlock):
            missed += block.missed
            for name, dtype in _COLUMNS.items():
                columns.setdefault(name, []).append(np.array(getattr(block, name), dtype=dtype))
            zero = [0] * len(block.slot)  # what is all zero in a block is left out of it
            for name in names:
                strength[name].append(np.array(block.strength.get(name, zero), dtype=np.float64))
                changed[name].append(np.array(block.changed.get(name, zero), dtype=np.bool_))
        order = np.argsort(_joined(columns.get("slot", []), np.int64), kind="stable")

        def column(name: str) -> npt.NDArray[Any]:
            values = _joined(columns.get(name, []), _COLUMNS[name])
            rows = self.meta.rows_per_request
            return (values.reshape(-1, rows) if name in ("prediction", "truth") else values)[order]

        return Requests(
            slot=column("slot"),
            intended=column("intended") / 1000,
            late=column("late") / 1e6,
            took=column("took") / 1e6,
            status=column("status"),
            size=column("size"),
            failure=column("failure"),
            prediction=column("prediction"),
            truth=column("truth") if self.meta.truth else None,
            strength={n: _joined(v, np.float64)[order] for n, v in strength.items()},
            changed={n: _joined(v, np.bool_)[order] for n, v in changed.items()},
            missed=missed,
        )

    def _file(self, stream: str) -> Path:
        return self.path / f"{stream}.jsonl.gz"

    def _blocks(self, stream: str, kind: type[_Block]) -> Iterator[tuple[str, _Block]]:
        """("block at byte N", block) of a stream."""
        file = self._file(stream)
        if not file.exists():
            return
        decoder = msgspec.json.Decoder(kind)
        for offset, text in members(file):
            where = f"block at byte {offset}"
            if text is None:
                # A kill tears the last block at most, and comes before the event that ends a drill.
                if stream != "events" and self.ended:
                    raise RecordingError(f"{where} is cut off", where=str(file), hint="copy it again, all of it")
                return
            try:
                yield where, decoder.decode(text)
            except (msgspec.DecodeError, msgspec.ValidationError) as e:
                raise RecordingError(f"{where}: {e}", where=str(file)) from e


_COLUMNS: dict[str, Any] = {
    "slot": np.int64,
    "intended": np.float64,
    "late": np.float64,
    "took": np.float64,
    "status": np.int64,
    "size": np.int64,
    "failure": np.str_,
    "prediction": np.float64,
    "truth": np.float64,
}


def _joined(parts: list[npt.NDArray[Any]], dtype: Any) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.array([], dtype=dtype)


def _numbers(
    row: list[float | str | None], times: npt.NDArray[np.int64], where: str
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """The samples of one row: times and values where there is one."""
    if None not in row:
        if str not in set(map(type, row)):
            return times, np.array(row, dtype=np.float64)
        here = times
    else:
        here = times[np.array([v is not None for v in row], dtype=np.bool_)]
    try:
        values = [_WORDS[v] if isinstance(v, str) else v for v in row if v is not None]
    except KeyError as e:
        raise RecordingError(f"{where}: {e} is no sample value") from e
    return here, np.array(values, dtype=np.float64)


def request_block(records: Any) -> dict[str, Any]:
    """A player's records as a block: times in ms, durations in microseconds, predictions to 7 digits."""
    return {
        "slot": records.slot,
        "intended": (np.rint(np.array(records.intended) * 1e6) / 1000).tolist(),
        "late": np.rint(np.array(records.late) * 1e6).astype(np.int64).tolist(),
        "took": np.rint(np.array(records.took) * 1e6).astype(np.int64).tolist(),
        "status": records.status,
        "size": records.size,
        "failure": records.failure,
        "prediction": [None if math.isnan(p) else float(f"{p:.7g}") for p in records.prediction],
        "truth": [int(t) if float(t).is_integer() else t for t in records.truth],
        "strength": {n: [round(s, 6) for s in v] for n, v in records.strength.items() if any(v)},
        "changed": {n: [int(c) for c in v] for n, v in records.changed.items() if any(v)},
        "missed": records.missed,
        "measured": {n: [None if math.isnan(m) else round(m, 6) for m in v] for n, v in records.measured.items()},
    }


def open_recording(path: str | Path) -> Recording:
    """Open a recording. Raises :class:`RecordingError` if it is none, or of another version."""
    folder = Path(path)
    try:
        text = (folder / "meta.json").read_bytes()
    except OSError as e:
        raise RecordingError(
            f"no recording: meta.json: {e.strerror}", where=str(folder), hint="`driftdrill record` makes one"
        ) from e
    try:
        raw = msgspec.json.decode(text)
        schema = raw.get("schema") if isinstance(raw, dict) else None
        if schema != SCHEMA:
            raise RecordingError(
                f"recording of schema {schema!r}; this version reads {SCHEMA}",
                where=str(folder),
                hint="use the driftdrill that recorded it, or record it again",
            )
        return Recording(folder, msgspec.convert(raw, Meta))
    except (msgspec.DecodeError, msgspec.ValidationError) as e:
        raise RecordingError(f"meta.json is damaged: {e}", where=str(folder)) from e

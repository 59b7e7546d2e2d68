"""Recordings: a folder ``*.drill/`` of open formats, appended as the drill runs.

    meta.json            scenario (phases, expectations, faults, seed), target, versions; written once, at the start
    samples.jsonl.gz     scrapes: series and their labels, times, values
    requests.jsonl.gz    requests in columns
    events.jsonl.gz      what happened and when; the last one says how the drill ended
    alerts.jsonl.gz      wall clock only: ALERTS and recorded series as the server made them
    rules/               the rule files as they were

Each stream is a sequence of gzip members (RFC 1952), one a block, each one line of JSON (so ``zcat`` reads it).
A block is written with one call; a drill that is killed leaves whole blocks and at most one torn one at the
end, which reading drops. Numbers that JSON has no word for are the texts "NaN", "+Inf", "-Inf" and "stale"
(Prometheus's stale marker); null is no sample. Times are scenario milliseconds.
"""

import gzip
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from harness.errors import RecordingError

SCHEMA = 1
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
    rules: list[tuple[str, str]]
    """(file in rules/, path as the user gave it)."""
    engine: str
    versions: dict[str, str]
    revision: str | None = None


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
        data = gzip.compress(msgspec.json.encode(value) + b"\n", compresslevel=6, mtime=0)
        self._write(f"{stream}.jsonl.gz", data)

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
            with (self.path / name).open("ab") as f:
                before = f.tell()
                try:
                    f.write(data)
                    f.flush()
                except OSError:
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
    return int(value) if value.is_integer() and abs(value) < 2**53 else value


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


@dataclass(frozen=True)
class Recording:
    """A recording on disk; streams are read when asked for."""

    path: Path
    meta: Meta
    torn: dict[str, int] = field(default_factory=dict)

    def blocks(self, stream: str) -> Iterator[dict[str, Any]]:
        """The whole blocks of a stream, in order; empty if there is no such stream."""
        file = self.path / f"{stream}.jsonl.gz"
        if not file.exists():
            return
        for offset, text in _members(file):
            try:
                block = msgspec.json.decode(text)
            except msgspec.DecodeError as e:
                raise RecordingError(f"block at byte {offset} is not JSON: {e}", where=str(file)) from e
            if not isinstance(block, dict):
                raise RecordingError(f"block at byte {offset} is not an object", where=str(file))
            yield block

    def events(self) -> list[dict[str, Any]]:
        """Every event in order."""
        return list(self.blocks("events"))

    def samples(self, stream: str = "samples") -> list[Samples]:
        """All series of a stream with their samples in order of time."""
        labels: dict[str, dict[str, str]] = {}
        times: dict[str, list[int]] = {}
        values: dict[str, list[float]] = {}
        for block in self.blocks(stream):
            labels.update(block["series"])
            at = block["times"]
            for name, row in block["values"].items():
                t, v = times.setdefault(name, []), values.setdefault(name, [])
                for moment, value in zip(at, row, strict=True):
                    if value is not None:
                        t.append(moment)
                        v.append(_WORDS[value] if isinstance(value, str) else value)
        out = []
        for name, t in times.items():
            moments, numbers = np.array(t, dtype=np.int64), np.array(values[name], dtype=np.float64)
            order = np.argsort(moments, kind="stable")
            out.append(Samples(labels[name], moments[order], numbers[order]))
        return out

    def requests(self) -> Requests:
        """All requests, in order of slot."""
        blocks = list(self.blocks("requests"))

        def column(name: str, dtype: Any) -> Any:
            parts = [np.array(b[name], dtype=dtype) for b in blocks]
            return np.concatenate(parts) if parts else np.array([], dtype=dtype)

        slot = column("slot", np.int64)
        order = np.argsort(slot, kind="stable")
        rows = self.meta.rows_per_request
        numbers = [[float("nan") if v is None else v for v in b["prediction"]] for b in blocks]
        prediction = np.array([v for b in numbers for v in b], dtype=np.float64).reshape(-1, rows)
        truth = column("truth", np.float64).reshape(-1, rows) if self.meta.truth else None
        names = [f["name"] for f in self.meta.faults if not f["held"]]
        sparse = {n: _expand(blocks, "strength", n, np.float64)[order] for n in names}
        changed = {n: _expand(blocks, "changed", n, np.bool_)[order] for n in names}
        return Requests(
            slot[order],
            column("intended", np.float64)[order] / 1000,
            column("late", np.float64)[order] / 1e6,
            column("took", np.float64)[order] / 1e6,
            column("status", np.int64)[order],
            column("size", np.int64)[order],
            column("failure", np.str_)[order],
            prediction[order],
            None if truth is None else truth[order],
            sparse,
            changed,
            sum(b.get("missed", 0) for b in blocks),
        )


def _expand(blocks: list[dict[str, Any]], kind: str, name: str, dtype: Any) -> npt.NDArray[Any]:
    """A column that is left out of a block in which it is all zero."""
    parts = [np.array(b[kind].get(name, [0] * len(b["slot"])), dtype=dtype) for b in blocks]
    return np.concatenate(parts) if parts else np.array([], dtype=dtype)


def request_block(records: Any) -> dict[str, Any]:
    """A player's records as a block: times in ms, durations in microseconds, predictions to 7 digits."""
    return {
        "slot": records.slot,
        "intended": [round(t * 1000, 3) for t in records.intended],
        "late": [round(t * 1e6) for t in records.late],
        "took": [round(t * 1e6) for t in records.took],
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


def _members(file: Path) -> Iterator[tuple[int, bytes]]:
    """(offset, text) of each gzip member; a torn last one is dropped, a damaged one raises with its offset."""
    start = end = 0
    member, parts = zlib.decompressobj(wbits=31), list[bytes]()
    try:
        with file.open("rb") as f:
            while data := f.read(1 << 16):
                end += len(data)
                while data:
                    parts.append(member.decompress(data))
                    data = member.unused_data
                    if member.eof:
                        yield start, b"".join(parts)
                        start = end - len(data)
                        member, parts = zlib.decompressobj(wbits=31), []
    except OSError as e:
        raise RecordingError(f"cannot be read: {e.strerror}", where=str(file)) from e
    except zlib.error as e:
        raise RecordingError(
            f"damaged at byte {start}: {e}", where=str(file), hint="it was changed after it was written"
        ) from e

"""Reading a recording: streams are read when asked for, block by block, and damage is named."""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, TypeVar

import msgspec
import numpy as np
import numpy.typing as npt

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.recording.columns import COLUMNS, Column, RequestBlock, Requests
from driftdrill.harness.recording.gzip_members import members
from driftdrill.harness.recording.meta import SCHEMA, Meta
from driftdrill.harness.recording.stale import STALE_BITS, WORDS

_Block = TypeVar("_Block")


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


class _SampleBlock(msgspec.Struct):
    series: dict[str, dict[str, str]]
    times: list[int]
    values: dict[str, list[float | str | None]]


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
        """Whether the drive recorded how it ended, which it does last of all: then no write was cut off."""
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
        columns: dict[str, list[npt.NDArray[Any]]] = {name: [] for name in COLUMNS}
        strength: dict[str, list[npt.NDArray[Any]]] = {n: [] for n in names}
        changed: dict[str, list[npt.NDArray[Any]]] = {n: [] for n in names}
        measured: dict[str, list[tuple[int, npt.NDArray[np.float64]]]] = {}
        segments: dict[str, list[npt.NDArray[Any]]] = {}
        losses: dict[str, list[npt.NDArray[Any]]] = {}
        read = 0
        for _, block in self._blocks("requests", RequestBlock):
            missed += block.missed
            for name, values in block.measured.items():
                measured.setdefault(name, []).append((read, np.array(values, dtype=np.float64)))
            read += len(block.slot)
            for name, column in COLUMNS.items():
                columns[name].append(np.array(getattr(block, name), dtype=self._type(column)))
            for name, texts in block.segments.items():
                segments.setdefault(name, []).append(np.array(texts, dtype=object))
            for name, values in block.losses.items():
                losses.setdefault(name, []).append(np.array(values, dtype=np.float64))
            zero = [0] * len(block.slot)  # what is all zero in a block is left out of it
            for name in names:
                strength[name].append(np.array(block.strength.get(name, zero), dtype=np.float64))
                changed[name].append(np.array(block.changed.get(name, zero), dtype=np.bool_))
        order = np.argsort(_joined(columns["slot"], np.int64), kind="stable")

        def by_row(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
            return values.reshape(-1, self.meta.rows_per_request)[order]

        def whole(name: str, column: Column) -> npt.NDArray[Any] | None:
            if name == "truth" and not self.meta.truth:
                return None
            values = _joined(columns[name], self._type(column))
            values = by_row(values) if column.per_row else values[order]
            return values / column.scale if column.scale != 1 else values

        return Requests(
            **{name: whole(name, column) for name, column in COLUMNS.items()},  # type: ignore[arg-type]
            strength={n: _joined(v, np.float64)[order] for n, v in strength.items()},
            changed={n: _joined(v, np.bool_)[order] for n, v in changed.items()},
            measured={n: _placed(found, read)[order] for n, found in measured.items()},
            segments={n: by_row(_joined(v, object)) for n, v in segments.items()},
            losses={n: by_row(_joined(v, np.float64)) for n, v in losses.items()},
            missed=missed,
        )

    def _type(self, column: Column) -> Any:
        """How a column is held: labels are objects, since None among texts has no other form."""
        return object if self.meta.labels and column.per_row else column.dtype

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


def _joined(parts: list[npt.NDArray[Any]], dtype: Any) -> npt.NDArray[Any]:
    return np.concatenate(parts) if parts else np.array([], dtype=dtype)


def _placed(parts: list[tuple[int, npt.NDArray[np.float64]]], size: int) -> npt.NDArray[np.float64]:
    """A column of ``size`` that only some blocks have; NaN elsewhere."""
    out = np.full(size, np.nan)
    for at, values in parts:
        out[at : at + len(values)] = values
    return out


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
        values = [WORDS[v] if isinstance(v, str) else v for v in row if v is not None]
    except KeyError as e:
        raise RecordingError(f"{where}: {e} is no sample value") from e
    return here, np.array(values, dtype=np.float64)


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

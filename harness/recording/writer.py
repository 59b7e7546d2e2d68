"""Writing a recording: appended as the drill runs, block by block."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.recording.gzip_members import member
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.stale import encode_value


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
        labels_of: Callable[[int], dict[str, str]],
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

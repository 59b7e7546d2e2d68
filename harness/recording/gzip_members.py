"""A stream of gzip members (RFC 1952): one is appended at a time, and reading knows torn from damaged."""

import gzip
import zlib
from collections.abc import Iterator
from pathlib import Path

from driftdrill.harness.errors import RecordingError

_MAGIC = b"\x1f\x8b\x08\x00\x00\x00\x00\x00"
"""How each gzip member begins: no flags, no time."""


def member(data: bytes) -> bytes:
    """One member, the same bytes for the same data."""
    return gzip.compress(data, compresslevel=6, mtime=0)


def members(file: Path) -> Iterator[tuple[int, bytes | None]]:
    """(offset, text) of each member; a torn last one has no text.

    Raises :class:`RecordingError` with the offset of one that is damaged.
    """
    start = end = 0
    inflate, parts, raw = zlib.decompressobj(wbits=31), list[bytes](), bytearray()
    try:
        with file.open("rb") as f:
            while data := f.read(1 << 16):
                end += len(data)
                while data:
                    raw += data
                    if not _MAGIC.startswith(raw[:8]):
                        raise zlib.error("no block begins here")
                    parts.append(inflate.decompress(data))
                    data = inflate.unused_data
                    if inflate.eof:
                        yield start, b"".join(parts)
                        start = end - len(data)
                        inflate, parts, raw = zlib.decompressobj(wbits=31), [], bytearray()
    except OSError as e:
        raise RecordingError(f"cannot be read: {e.strerror}", where=str(file)) from e
    except zlib.error as e:
        raise _damaged(file, start, str(e)) from e
    if raw:
        if _MAGIC in raw[8:]:  # another block follows, so that this one was whole
            raise _damaged(file, start, "it has no end")
        yield start, None


def _damaged(file: Path, at: int, why: str) -> RecordingError:
    return RecordingError(f"damaged at byte {at}: {why}", where=str(file), hint="it was changed after it was written")

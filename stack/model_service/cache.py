"""Files that can be made again, kept in the user's cache folder; a cache that cannot be used is no cache.

Nothing here raises: a read-only home, a full disk, a file of another user or a damaged one cost time, not the drill.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from pathlib import Path


def folder() -> Path | None:
    """``$XDG_CACHE_HOME/driftdrill``, or below ``~/.cache``; None where there is no home."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if os.path.isabs(base):
        return Path(base) / "driftdrill"
    try:
        return Path.home() / ".cache" / "driftdrill"
    except RuntimeError:
        return None


def digest(*sources: str) -> str:
    """A name's part that changes whenever one of these files beside this one does."""
    here = Path(__file__).parent
    return hashlib.blake2b(b"".join((here / source).read_bytes() for source in sources), digest_size=6).hexdigest()


def read(name: str) -> bytes | None:
    """The bytes kept under ``name``; None if there are none, or if another user could have written them."""
    if (base := folder()) is None:
        return None
    try:
        with open(base / name, "rb") as file:
            about = os.fstat(file.fileno())
            writable_by_others = about.st_mode & (stat.S_IWGRP | stat.S_IWOTH)
            if not stat.S_ISREG(about.st_mode) or about.st_uid != os.geteuid() or writable_by_others:
                return None
            return file.read()
    except OSError:
        return None


def write(name: str, content: bytes) -> None:
    """Keep ``content`` under ``name``, if that is possible; a reader sees the old file or the whole new one."""
    if (base := folder()) is None:
        return
    temporary = None
    try:
        base.mkdir(parents=True, exist_ok=True, mode=0o700)
        with tempfile.NamedTemporaryFile(dir=base, prefix=f".{name}.", delete=False) as file:
            temporary = file.name
            file.write(content)
        os.replace(temporary, base / name)
    except OSError:
        if temporary is not None:
            with contextlib.suppress(OSError):
                os.unlink(temporary)

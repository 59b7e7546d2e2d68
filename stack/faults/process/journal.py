"""Who holds which place, and how to undo it should the holder be killed: one small file a place, locked while held.

The kernel frees the lock with its holder, so a file whose lock is free is what a killed guardian left behind. It
names no environment and no credential.
"""

import fcntl
import hashlib
import os
import shlex
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import msgspec

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.undo import AnyUndo

LONGEST = 80
"""Characters of a place in its file's name."""


class Note(msgspec.Struct, frozen=True):
    """What is held where, by which process, and how it is undone."""

    fault: str
    place: str
    holder: int
    undo: AnyUndo


def folder(*, make: bool = True) -> Path:
    """This user's folder of notes, made if it is not there, readable by this user only. Raises :class:`StackError`.

    It may be gone at once: whoever lets go last removes it.
    """
    path = Path(tempfile.gettempdir()) / f"driftdrill-{os.getuid()}"
    if make:
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    try:
        seen = path.lstat()
    except FileNotFoundError:
        return path
    if seen.st_uid != os.getuid() or not path.is_dir() or path.is_symlink():
        raise StackError(f"{path} belongs to somebody else", hint="set TMPDIR to a folder of your own")
    return path


@dataclass(frozen=True)
class Claim:
    """A place that this process holds."""

    path: Path
    fd: int

    def write(self, note: Note) -> None:
        """Record how to undo, in one write, before it is needed: a kill in between leaves the old or the new note."""
        size = os.fstat(self.fd).st_size
        os.pwrite(self.fd, msgspec.json.encode(note).ljust(size), 0)

    def release(self) -> None:
        """Give the place free, and forget how to undo."""
        with suppress(OSError):
            self.path.unlink()
            self.path.parent.rmdir()  # unless others hold something
        os.close(self.fd)


def claim(place: str) -> Claim:
    """Hold ``place``, undoing first what a killed holder left there.

    Raises :class:`StackError` where another fault holds it, or what was left cannot be undone.
    """
    name = place.replace("/", "_")
    if len(name) > LONGEST:
        name = f"{name[:LONGEST]}-{hashlib.sha256(place.encode()).hexdigest()[:16]}"
    while True:
        path = folder() / f"{name}.json"
        try:
            fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except FileNotFoundError:
            continue  # the last one to let go removed the folder meanwhile
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            note = _read(fd)
            os.close(fd)
            by = f"{note.fault} of process {note.holder}" if note else "another fault"
            raise StackError(
                f"{by} already holds {place}: two faults fight for one place", hint="end the other one first"
            ) from None
        if not _same(fd, path):
            os.close(fd)  # its holder let go and removed it meanwhile
            continue
        held = Claim(path, fd)
        if (left := _read(fd)) is not None:
            try:
                left.undo.undo()
            except StackError as e:
                os.close(fd)
                done = f"rm {shlex.quote(str(path))} once it is done by hand"
                raise StackError(str(e), hint=f"{e.hint}; {done}" if e.hint else done) from e
        return held


@dataclass(frozen=True)
class Leftover:
    """A fault that a killed guardian left in force."""

    note: Note
    path: Path

    def __str__(self) -> str:
        return f"{self.note.fault} on {self.note.place}, left by process {self.note.holder}"

    def undo(self) -> None:
        """Undo it and forget it. Raises :class:`StackError` that says what to do by hand."""
        claim(self.note.place).release()

    def forget(self) -> None:
        """Forget it, once it was undone by hand."""
        self.path.unlink(missing_ok=True)


def leftovers() -> list[Leftover]:
    """Every fault of this user that outlived its guardian."""
    return list(_leftovers())


def _leftovers() -> Iterator[Leftover]:
    for path in sorted(folder(make=False).glob("*.json")):
        try:
            fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            continue
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            continue  # its holder lives
        else:
            if (note := _read(fd)) is not None and _same(fd, path):
                yield Leftover(note, path)
        finally:
            os.close(fd)


def _same(fd: int, path: Path) -> bool:
    try:
        return os.fstat(fd).st_ino == path.stat().st_ino
    except FileNotFoundError:
        return False


def _read(fd: int) -> Note | None:
    try:
        return msgspec.json.decode(os.pread(fd, 1 << 20, 0), type=Note)
    except msgspec.MsgspecError:
        return None  # claimed, and not yet written to: nothing was done

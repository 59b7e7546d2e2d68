"""Child processes that cannot outlive us: a guard ends them when its control pipe closes, whatever ended us."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

from driftdrill.stack.errors import StackError

_GUARD = Path(__file__).with_name("_guard.py")


class Started(Protocol):
    """A server that runs for us, as a process or in a container."""

    def exit_code(self) -> int | None:
        """None while it runs."""
        ...

    def log(self) -> str:
        """The last lines that it printed."""
        ...

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files (name -> content) into its folder, private to it."""


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user may read, in place of one that is there."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as out:
        out.write(content)
    new.replace(path)


@dataclass(frozen=True)
class Guarded:
    """A command under its guard. ``guard`` ends with the command and mirrors its status (128 + n for signal n)."""

    guard: "subprocess.Popen[bytes]"
    control: IO[bytes]
    """The control pipe; the guard ends the command at a word, and when it closes."""

    def finish(self, wait: float = 10.0) -> None:
        """Let go of the control pipe and wait for the guard, which ends the command. Never raises."""
        with suppress(OSError):
            self.control.write(b"end")
        with suppress(OSError):
            self.control.close()
        try:
            self.guard.wait(wait)
        except subprocess.TimeoutExpired:
            self.guard.kill()  # on Linux the command dies with its guard
            self.guard.wait()


def launch(
    command: Sequence[str],
    *,
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    grace: float = 5.0,
    remove: Path | None = None,
) -> Guarded:
    """Start ``command`` under a guard; the caller must :meth:`~Guarded.finish` it.

    ``grace`` is seconds between SIGTERM and SIGKILL (0: SIGKILL at once); ``remove`` is a folder that the guard
    removes too when it ends the command. Raises :class:`StackError` where no process can be started.
    """
    options = [str(os.getpid()), str(grace), str(remove or "")]
    return controlled([sys.executable, "-I", "-S", str(_GUARD), *options, *command], stdout, stderr, cwd, env)


def controlled(
    command: Sequence[str],
    stdout: IO[bytes] | int | None = None,
    stderr: IO[bytes] | int | None = None,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> Guarded:
    """Start a helper of ours whose stdin is a control pipe. Raises :class:`StackError`."""
    end, control = os.pipe()
    try:
        # a session of its own: Ctrl-C in the terminal reaches us only, and we end the child in order
        popen = subprocess.Popen(
            command, stdin=end, stdout=stdout, stderr=stderr, cwd=cwd, env=env, start_new_session=True
        )
    except OSError as e:
        os.close(control)
        raise StackError(f"cannot start a process: {e.strerror}") from e
    finally:
        os.close(end)
    return Guarded(popen, os.fdopen(control, "wb", buffering=0))


def tail(path: Path, lines: int = 12) -> str:
    """The last lines of a log file, at most 16 kB; empty where it cannot be read."""
    try:
        with path.open("rb") as f:
            f.seek(max(0, path.stat().st_size - 16_384))
            text = f.read().decode("utf-8", "replace")
    except OSError:
        return ""
    return "\n".join(text.splitlines()[-lines:])


@dataclass(frozen=True)
class Process:
    """A server process of ours, its output in a log file."""

    guarded: Guarded
    logfile: Path

    def exit_code(self) -> int | None:
        """None while it runs; 128 + n where signal n ended it."""
        return self.guarded.guard.poll()

    def log(self) -> str:
        """The last lines that it printed."""
        return tail(self.logfile)

    def put(self, files: Mapping[str, bytes]) -> None:
        """Write files into its folder."""
        for name, content in files.items():
            write_private(self.logfile.parent / name, content)


@contextmanager
def running(command: Sequence[str], *, folder: Path, grace: float = 5.0) -> Iterator[Process]:
    """Run a server in ``folder``, its output in ``folder/log``; on leaving it is ended and the folder removed."""
    logfile = folder / "log"
    with logfile.open("wb") as out:
        guarded = launch(command, stdout=out, stderr=out, cwd=folder, grace=grace, remove=folder)
    try:
        yield Process(guarded, logfile)
    finally:
        guarded.finish(grace + 5)
        shutil.rmtree(folder, ignore_errors=True)  # the guard did it, unless the command had ended by itself

"""A child process that holds a fault, and the control channel that it cannot outlive.

Both ends speak JSON lines over a socket pair: a numbered question, an answer with the same number. When the
parent ends, however it ends, the kernel closes its end; the child reads that as the order to undo and end.
The child has a session of its own, so Ctrl-C reaches the parent alone and undoing happens in its order.
"""

import contextlib
import math
import os
import select
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol, TypeVar

import msgspec

from driftdrill.durations import format_duration
from driftdrill.stack.errors import StackError

T = TypeVar("T")

START = 15.0
"""Seconds in which a child must be ready."""
ANSWER = 10.0
"""Seconds in which a child must answer."""
POLL = 0.5
"""Seconds between two looks whether the parent lives."""


class Asked(msgspec.Struct, frozen=True):
    """One line from the parent."""

    number: int
    ask: msgspec.Raw


class Answered(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line from the child: a value, or an error with its remedy."""

    number: int
    value: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""
    hint: str = ""


def answer(number: int, value: object = None, failure: StackError | None = None) -> bytes:
    """The line that answers question ``number``; 0 says that the child is ready, or why it is not."""
    if failure is not None:
        reply = Answered(number, error=str(failure), hint=failure.hint or "")
    else:
        reply = Answered(number, value=msgspec.Raw(msgspec.json.encode(value)))
    return msgspec.json.encode(reply) + b"\n"


class Child:
    """The parent's end. ``what`` names the child in errors; ``settings`` is sent as the first question.

    Raises :class:`StackError` where the child does not get ready, with the reason that it gave.
    """

    def __init__(self, module: str, settings: object, *, what: str) -> None:
        self._what, self._owner = what, os.getpid()
        self._lock, self._number, self._buffer = threading.Lock(), 0, b""
        self._socket, theirs = socket.socketpair()
        root = str(Path(__file__).parents[2])
        path = os.pathsep.join(filter(None, (root, os.environ.get("PYTHONPATH"))))
        try:
            # -P: a package of the user's folder must not hide ours.
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", module, str(theirs.fileno()), str(self._owner)],
                env=os.environ | {"PYTHONPATH": path},
                pass_fds=(theirs.fileno(),),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                start_new_session=True,
            )
        except BaseException:
            self._socket.close()
            raise
        finally:
            theirs.close()
        try:
            self.ready = self.ask(settings, msgspec.Raw, within=START)
        except BaseException:
            self.close()
            raise

    @property
    def pid(self) -> int:
        """The child's process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the child still runs."""
        return self._process.poll() is None

    def ask(self, question: object, reply: type[T], *, within: float = ANSWER) -> T:
        """Send ``question``, wait at most ``within`` seconds, and read the answer as a ``reply``.

        Raises :class:`StackError` for an error that the child reports, a late answer, or a child that has ended.
        """
        with self._lock:
            self._number += 1
            line = msgspec.json.encode(Asked(self._number, msgspec.Raw(msgspec.json.encode(question)))) + b"\n"
            deadline = time.monotonic() + within
            try:
                self._socket.settimeout(within)
                self._socket.sendall(line)
                while (got := self._read(deadline)).number != self._number:
                    pass  # the answer to a question that was given up
            except TimeoutError:
                raise StackError(
                    f"{self._what} (process {self.pid}) did not answer within {format_duration(within)}",
                    hint="the machine may be overloaded; look for a stopped process",
                ) from None
            except OSError as e:
                raise StackError(f"{self._what} (process {self.pid}) has ended: {self._end()}") from e
        if got.error:
            raise StackError(got.error, hint=got.hint or None)
        return msgspec.json.decode(got.value, type=reply)

    def _read(self, deadline: float) -> Answered:
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            if left <= 0:
                raise TimeoutError
            self._socket.settimeout(left)
            data = self._socket.recv(1 << 16)
            if not data:
                raise ConnectionResetError("control channel closed")
            self._buffer += data
        line, _, self._buffer = self._buffer.partition(b"\n")
        return msgspec.json.decode(line, type=Answered)

    def _end(self) -> str:
        try:
            code = self._process.wait(timeout=2)
        except subprocess.TimeoutExpired:
            return "its control channel is closed"
        return f"killed by signal {-code}" if code < 0 else f"exit code {code}"

    def close(self, *, within: float = ANSWER) -> None:
        """Close the channel, upon which the child undoes and ends; kill it where it does not. Never raises."""
        self._socket.close()
        if os.getpid() != self._owner:
            return  # a forked copy of the parent: the child is not its to end
        try:
            self._process.wait(timeout=within)
        except subprocess.TimeoutExpired:
            self._process.kill()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=within)


def control(argv: list[str]) -> tuple[socket.socket, int]:
    """The child's end, and the parent's process id, from the child's command line."""
    return socket.socket(fileno=int(argv[1])), int(argv[2])


class Worker(Protocol):
    """What a child without an event loop does; every method may raise :class:`StackError`."""

    def obey(self, order: Any) -> object:
        """Carry out an order; the answer."""

    def work(self) -> float:
        """Do what is due; seconds until something is due again. Raises nothing."""
        ...

    def release(self) -> None:
        """Undo everything; once is enough."""


class Channel:
    """The child's end without an event loop.

    A fork of the parent may hold the channel open after its death, so the parent itself is watched too.
    """

    def __init__(self, argv: list[str]) -> None:
        self._socket, self._parent = control(argv)
        self._lines: list[bytes] = []
        self._rest = b""

    def send(self, line: bytes) -> None:
        """Answered."""
        self._socket.sendall(line)

    def line(self, work: Callable[[], float]) -> bytes | None:
        """The parent's next line, doing meanwhile what is due; None once the parent is gone."""
        while not self._lines:
            due = work()
            if os.getppid() != self._parent:
                return None
            if select.select([self._socket], [], [], min(POLL, due))[0]:
                data = self._socket.recv(1 << 16)
                if not data:
                    return None
                *self._lines, self._rest = (self._rest + data).split(b"\n")
        return self._lines.pop(0)


class _Asked(Exception):
    """A signal asked us to end."""


def serve(argv: list[str], settings: Any, order: Any, start: Callable[[Any], Worker]) -> int:
    """The life of such a child: ``start`` it with its settings, obey, and undo when the parent or a signal ends it.

    What cannot be undone then is the loudest thing that it prints, and the exit code is 2.
    """

    def ask(*_: object) -> None:
        raise _Asked

    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, ask)
    channel = Channel(argv)
    first = channel.line(lambda: math.inf)
    if first is None:
        return 0
    number, given = decode(first, settings)
    try:
        worker = start(given)
    except StackError as e:
        channel.send(answer(number, failure=e))
        return 0
    try:
        channel.send(answer(number, worker.obey(None)))
        while (line := channel.line(worker.work)) is not None:
            number, given = decode(line, order)
            try:
                reply = answer(number, worker.obey(given))
            except StackError as e:
                reply = answer(number, failure=e)
            channel.send(reply)
    except (OSError, _Asked):
        pass  # the parent is gone, or somebody ended us: both mean undo
    finally:
        code = _undone(worker)
    return code


def _undone(worker: Worker) -> int:
    for asked in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(asked, signal.SIG_IGN)
    try:
        worker.release()
    except StackError as e:
        print(f"\nFAULT NOT UNDONE: {e}\nDO BY HAND: {e.hint}\n", file=sys.stderr, flush=True)
        return 2
    return 0


def decode(line: bytes, kind: Any) -> tuple[int, Any]:
    """A question's number, and what it asks, read as ``kind``. Raises :class:`StackError` if it is something else."""
    question = msgspec.json.decode(line, type=Asked)
    try:
        return question.number, msgspec.json.decode(question.ask, type=kind)
    except msgspec.MsgspecError as e:
        raise StackError(f"control message not understood: {e}") from e

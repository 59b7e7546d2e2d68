"""What a control hook does in one step: a command, an HTTP call, a Python function, an operation. Plain values.

A guardian carries steps out, so that they can be undone whatever ends the drill: a function is named by its file and
its name there, and secrets by where they are read from.
"""

import contextlib
import inspect
import os
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import msgspec
import psutil

from driftdrill.durations import format_duration
from driftdrill.stack.connection import Connection, Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.engine import container, engine_errors
from driftdrill.stack.faults.process.targets import Container, LocalProcess
from driftdrill.stack.python_file import run_python

SAID = 300
"""Characters of what a step said that an error repeats."""


class Command(msgspec.Struct, frozen=True, tag="command"):
    """A program with its arguments, no shell; it must end with status 0."""

    argv: tuple[str, ...]
    folder: str = ""

    def __str__(self) -> str:
        typed = shlex.join(self.argv)
        return f"cd {shlex.quote(self.folder)} && {typed}" if self.folder else typed

    def run(self, timeout: float) -> None:
        """Run it; it and what it started are ended after ``timeout`` seconds. Raises :class:`StackError`."""
        # A file, not a pipe: what it left running in the background may keep a pipe open.
        with tempfile.TemporaryFile() as said:
            try:
                popen = subprocess.Popen(
                    self.argv,
                    cwd=self.folder or None,
                    stdin=subprocess.DEVNULL,
                    stdout=said,
                    stderr=said,
                    start_new_session=True,
                )
            except OSError as e:
                raise StackError(f"`{self}` cannot be started: {e.strerror}", hint="check the hook's command") from e
            try:
                code = popen.wait(timeout)
            except subprocess.TimeoutExpired:
                raise StackError(
                    f"`{self}` took more than {format_duration(timeout)}", hint="raise the hook's timeout"
                ) from None
            finally:
                if popen.poll() is None:
                    with contextlib.suppress(ProcessLookupError):
                        os.killpg(popen.pid, signal.SIGKILL)
                    popen.wait()
            said.seek(0)
            if code:
                raise StackError(f"`{self}` ended with status {code}: {_last(said.read())}".rstrip(": "))


class Call(msgspec.Struct, frozen=True, tag="call"):
    """An HTTP call that must answer 2xx. ``headers`` are plain; a ``bearer`` token is read when it is sent."""

    url: str
    method: str = "POST"
    body: str = ""
    headers: Mapping[str, str] = {}
    bearer: Secret | None = None

    def __str__(self) -> str:
        return f"{self.method} {self.url}"

    def run(self, timeout: float) -> None:
        """Send it. Raises :class:`StackError`."""
        import requests  # loaded where a hook is called, not in every child that holds a fault

        headers = {"Content-Type": "application/json", **self.headers}
        connection = Connection(self.url, headers=headers, bearer=self.bearer)
        try:
            with connection.session() as session:
                answer = session.request(
                    self.method, self.url, data=self.body.encode() or None, timeout=timeout, allow_redirects=False
                )
        except requests.RequestException as e:
            raise StackError(f"{self}: no answer ({type(e).__name__})", hint="check the hook's url") from e
        if not 200 <= answer.status_code < 300:
            raise StackError(connection.redact(f"{self} answered {answer.status_code}: {answer.text[:SAID]}"))


class Function(msgspec.Struct, frozen=True, tag="function"):
    """A function without parameters at the top level of a file; False, or an exception, is failure."""

    file: str
    name: str

    def __str__(self) -> str:
        return f"{self.name}() of {self.file}"

    def run(self, timeout: float) -> None:
        """Call it, interrupted after ``timeout`` seconds. Raises :class:`StackError` for whatever it raises."""

        def late(*_: object) -> None:
            raise StackError(f"{self} took more than {format_duration(timeout)}", hint="raise the hook's timeout")

        before = signal.signal(signal.SIGALRM, late)
        signal.setitimer(signal.ITIMER_REAL, timeout)
        try:
            answer = self._load()()
        except StackError:
            raise
        except Exception as e:  # the author's function may raise anything
            raise StackError(f"{self}: {type(e).__name__}: {e}") from e
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        if answer is False:
            raise StackError(f"{self} answered False")

    def _load(self) -> Callable[[], Any]:
        file = Path(self.file)
        found: Callable[[], Any] = getattr(run_python(file.read_bytes(), file, "_hook"), self.name)
        return found


class Operate(msgspec.Struct, frozen=True, tag="operate"):
    """An operation on a container of the engine, or a signal to a process of this machine."""

    on: LocalProcess | Container
    do: Literal["stop", "start", "restart", "pause", "unpause", "hang_up", "continue"]

    def __post_init__(self) -> None:
        possible = ("stop", "continue", "hang_up") if isinstance(self.on, LocalProcess) else tuple(_OF_CONTAINERS)
        if self.do not in possible:
            raise StackError(f"{self.do!r} is no operation on {self.on}", hint=f"known: {', '.join(possible)}")

    def __str__(self) -> str:
        return f"{self.do} {self.on}"

    def run(self, timeout: float) -> None:
        """Do it. Raises :class:`StackError`."""
        if isinstance(self.on, LocalProcess):
            signals = {"stop": signal.SIGSTOP, "continue": signal.SIGCONT, "hang_up": signal.SIGHUP}
            try:
                psutil.Process(self.on.pid).send_signal(signals[self.do])
            except psutil.Error as e:
                raise StackError(f"{self}: {e}") from e
            return
        with engine_errors(f"docker {self.do} {self.on.name}"):
            held = container(self.on.name)
            if held is None:
                raise StackError(f"there is no {self.on}")
            getattr(held, self.do)(**_OF_CONTAINERS[self.do](int(timeout)))


_OF_CONTAINERS: dict[str, Callable[[int], dict[str, int]]] = {
    "stop": lambda seconds: {"timeout": seconds},
    "restart": lambda seconds: {"timeout": seconds},
    "start": lambda _: {},
    "pause": lambda _: {},
    "unpause": lambda _: {},
}

Step = Command | Call | Function | Operate


def step(given: object, what: str) -> Step:
    """A step as an author writes it: a command as a list of words, a function, or a step already.

    Raises :class:`StackError` for anything else, and for a function that a guardian could not find again.
    """
    if isinstance(given, Step):
        return given
    if isinstance(given, list | tuple) and given and all(isinstance(word, str) for word in given):
        return Command(tuple(given))
    if inspect.isfunction(given):
        file = inspect.getsourcefile(given)
        if file is None or given.__qualname__ != given.__name__ or not given.__name__.isidentifier():
            raise StackError(
                f"{what}: {given.__qualname__} must be a function at the top level of a file: the process that undoes "
                "it, should the drill die, looks it up there"
            )
        return Function(str(Path(file).absolute()), given.__name__)
    raise StackError(
        f"{what} must be a list of words, a function or a step, not {given!r}",
        hint='["systemctl", "restart", "model"], Call("http://127.0.0.1:8000/admin"), or a function',
    )


def _last(said: bytes) -> str:
    return " ".join(said.decode("utf-8", "replace").split())[-SAID:]

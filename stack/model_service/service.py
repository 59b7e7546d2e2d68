"""The demo model as a child process that lives as long as the block that holds it."""

import contextlib
import select
import socket
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import IO

import msgspec

from driftdrill.durations import format_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.model_service.own_process import Failed, command
from driftdrill.stack.process import Guarded, launch

START_SECONDS = 150.0  # the very first start trains the model, with an admin interface an older one too
STOP_SECONDS = 3.0


@dataclass(frozen=True)
class Service:
    """One running model service; it listens on 127.0.0.1 only."""

    url: str
    pid: int
    version: str
    auc: float
    """Of this version, on September's flights."""
    admin_token: str | None = field(default=None, repr=False)
    """Opens the admin interface, if it was asked for."""

    @property
    def predict_url(self) -> str:
        """Takes one row, or ``{"rows": [...]}``."""
        return f"{self.url}/predict"

    @property
    def metrics_url(self) -> str:
        """What Prometheus scrapes."""
        return f"{self.url}/metrics"


@contextlib.contextmanager
def serve(*, port: int = 0, admin: bool = False) -> Iterator[Service]:
    """Start the demo model; yields when it answers; it has ended when the block is left.

    Port 0 takes a free one. ``admin`` lets it be misconfigured (control.py). The service ends with this process,
    however that ends. Raises :class:`StackError` with the service's last words if it does not start.
    """
    with starting(port=port, admin=admin) as ready:
        yield ready()


@contextlib.contextmanager
def starting(*, port: int = 0, admin: bool = False) -> Iterator[Callable[[], Service]]:
    """As :func:`serve`, but it yields at once: what it yields waits, once, until the model answers."""
    with tempfile.TemporaryFile() as log, _kept(port) as kept:
        guarded = launch(
            command(
                "driftdrill.stack.model_service", "--announce", "--port", str(kept), *(["--admin"] if admin else [])
            ),
            stdout=subprocess.PIPE,
            stderr=log,
            grace=STOP_SECONDS,
        )
        try:
            yield lambda: _announced(guarded, log)
        finally:
            guarded.finish(STOP_SECONDS + 5)
            _end_successor(kept)


@contextlib.contextmanager
def _kept(port: int) -> Iterator[int]:
    """``port``, or a free one in place of 0, which nobody else is given meanwhile: it is bound here, too.

    So the service is started with the port that it has, and what a crash loop starts again listens there, too.
    """
    if port:
        yield port
        return
    with socket.socket() as bound:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # as the service does: then both may bind it
        bound.bind(("127.0.0.1", 0))
        yield bound.getsockname()[1]


def _end_successor(port: int) -> None:
    """End what a crash loop started again in the place of the service."""
    import psutil

    from driftdrill.stack.faults.process import listening

    with contextlib.suppress(StackError, psutil.Error):
        successor = psutil.Process(listening(port).pid)
        if {"--port", str(port)} <= set(successor.cmdline()):
            successor.terminate()
            successor.wait(STOP_SECONDS)


@contextlib.contextmanager
def serve_replicas(count: int, *, admin: bool = False) -> Iterator[tuple[Service, ...]]:
    """``count`` services of the same model, each with a port and a metrics page of its own."""
    if count < 1:
        raise StackError(f"expected at least one replica, not {count}")
    with contextlib.ExitStack() as held:
        yield tuple(held.enter_context(serve(admin=admin)) for _ in range(count))


def _announced(guarded: Guarded, log: IO[bytes]) -> Service:
    """The one line of JSON that the child prints when it listens, or why it cannot."""
    out = guarded.guard.stdout
    assert out is not None
    line, deadline = b"", time.monotonic() + START_SECONDS
    with out:
        while not line.endswith(b"\n"):
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([out], [], [], left)[0]:
                raise StackError(
                    f"the demo model did not start within {format_duration(START_SECONDS)}{_last_words(log)}"
                )
            part = out.read1(65_536)  # type: ignore[attr-defined]
            if not part:
                raise StackError(f"the demo model ended before it listened{_last_words(log)}")
            line += part
    with contextlib.suppress(msgspec.ValidationError):
        return msgspec.json.decode(line, type=Service)
    told = msgspec.json.decode(line, type=Failed)
    raise StackError(told.error, hint=told.hint)


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()[-5:]
    return ": " + " | ".join(lines) if lines else ""

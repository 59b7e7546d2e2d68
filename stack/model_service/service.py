"""The demo model as a child process that lives as long as the block that holds it."""

import contextlib
import json
import select
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO

from stack.errors import StackError
from stack.model_service.model import environment

START_SECONDS = 120.0  # the very first start trains the model
STOP_SECONDS = 5.0


@dataclass(frozen=True)
class Service:
    """One running model service; it listens on 127.0.0.1 only."""

    url: str
    pid: int
    version: str
    auc: float

    @property
    def predict_url(self) -> str:
        """Takes one row, or ``{"rows": [...]}``."""
        return f"{self.url}/predict"

    @property
    def metrics_url(self) -> str:
        """What Prometheus scrapes."""
        return f"{self.url}/metrics"


@contextlib.contextmanager
def serve(*, port: int = 0) -> Iterator[Service]:
    """Start the demo model; yields when it answers; it has ended when the block is left.

    Port 0 takes a free one. Should this process be killed, the child's standard input closes and it ends too.
    Raises :class:`StackError` with the child's last words if it does not start.
    """
    with tempfile.TemporaryFile() as log:
        child = _start(port, log)
        try:
            told = _await(child, log)
            yield Service(
                url=f"http://127.0.0.1:{told['port']}",
                pid=child.pid,
                version=str(told["version"]),
                auc=float(str(told["auc"])),
            )
        finally:
            _stop(child)


@contextlib.contextmanager
def serve_replicas(count: int) -> Iterator[tuple[Service, ...]]:
    """``count`` services of the same model, each with a port and a metrics page of its own."""
    if count < 1:
        raise StackError(f"replicas must be at least 1, not {count}")
    with contextlib.ExitStack() as held:
        yield tuple(held.enter_context(serve()) for _ in range(count))


def _start(port: int, log: IO[bytes]) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-P", "-m", "stack.model_service", "--held", "--port", str(port)]
    return subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=log,
        env=environment(),
        # A group of its own: Ctrl-C reaches the drill, which ends the service when it has written everything;
        # and should the drill be killed while the service is stopped, the kernel continues and ends it.
        process_group=0,
    )


def _await(child: subprocess.Popen[bytes], log: IO[bytes]) -> dict[str, object]:
    """The one line of JSON that the child prints when it listens, or cannot."""
    assert child.stdout is not None
    line, deadline = b"", time.monotonic() + START_SECONDS
    while not line.endswith(b"\n"):
        left = deadline - time.monotonic()
        if left <= 0 or not select.select([child.stdout], [], [], left)[0]:
            raise StackError(f"the demo model did not start within {START_SECONDS:.0f} s{_last_words(log)}")
        part = child.stdout.read1(4096)  # type: ignore[attr-defined]
        if not part:
            raise StackError(f"the demo model ended before it listened{_last_words(log)}", hint=_install_hint(log))
        line += part
    told: dict[str, object] = json.loads(line)
    if "error" in told:
        raise StackError(str(told["error"]), hint=str(told["hint"]) if told["hint"] else None)
    return told


def _last_words(log: IO[bytes]) -> str:
    log.seek(0)
    lines = log.read().decode(errors="replace").strip().splitlines()[-5:]
    return ": " + " | ".join(lines) if lines else ""


def _install_hint(log: IO[bytes]) -> str | None:
    return "pip install 'driftdrill[demo]'" if "ModuleNotFoundError" in _last_words(log) else None


def _stop(child: subprocess.Popen[bytes]) -> None:
    """Close the control pipe, then make sure."""
    assert child.stdin is not None
    assert child.stdout is not None
    with contextlib.suppress(OSError):
        child.stdin.close()
    try:
        child.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
    finally:
        child.stdout.close()

"""A service of several processes is held whole: those that share its socket, and whoever would start new ones."""

import importlib.util
import os
import socket
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
import requests
from msgspec import structs

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process import (
    CpuLimit,
    CrashLoop,
    DescriptorLimit,
    Hang,
    hold,
    listening,
)
from driftdrill.stack.faults.process.answers import Knock, answers
from driftdrill.stack.faults.process.listeners import holders
from tests.stack.services import PATIENCE, ROOT, free_port, wait_until

WORKERS = 3

GUNICORN = "import os\ndef app(env, start):\n    start('200 OK', [])\n    return [str(os.getpid()).encode()]\n"
UVICORN = """\
import os
async def app(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": str(os.getpid()).encode()})
"""


@pytest.fixture(autouse=True)
def own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other drills of this machine hold faults too: these tests look at their own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@dataclass
class Service:
    """One that runs, with ``WORKERS`` workers below ``parent``."""

    port: int
    parent: psutil.Process
    command: tuple[str, ...]

    @property
    def workers(self) -> set[int]:
        """Those that take connections, the parent left out."""
        return holders(self.port) - {self.parent.pid}

    def answers(self) -> bool:
        return answers("127.0.0.1", self.port, 1.0)

    def asked(self) -> int:
        """The worker that answered."""
        return int(requests.get(f"http://127.0.0.1:{self.port}/", timeout=PATIENCE).text)


def command(kind: str, port: int, folder: Path) -> list[str]:
    if kind in ("shared", "reuse"):
        return [sys.executable, str(ROOT / "tests/stack/workers.py"), kind, str(port), str(WORKERS)]
    if importlib.util.find_spec(kind) is None:
        pytest.skip(f"{kind} is not installed")
    (folder / "served.py").write_text(GUNICORN if kind == "gunicorn" else UVICORN)
    at = ["-b", f"127.0.0.1:{port}", "-w", str(WORKERS)] if kind == "gunicorn" else ["--port", str(port)]
    more = [] if kind == "gunicorn" else ["--workers", str(WORKERS)]
    return [sys.executable, "-m", kind, *at, *more, "served:app"]


@contextmanager
def running(kind: str, folder: Path) -> Iterator[Service]:
    port = free_port()
    words = command(kind, port, folder)
    with (folder / "log").open("wb") as log:
        popen = subprocess.Popen(words, cwd=folder, stdout=log, stderr=log)
    service = Service(port, psutil.Process(popen.pid), tuple(words))
    try:
        wait_until(lambda: answers("127.0.0.1", port, 0.1) and len(service.workers) == WORKERS, f"{kind}'s workers")
        yield service
    finally:
        for pid in {popen.pid, *_holders(port)}:
            with suppress(psutil.NoSuchProcess):
                for one in (psutil.Process(pid), *psutil.Process(pid).children(recursive=True)):
                    one.kill()
        popen.wait(PATIENCE)


def _holders(port: int) -> set[int]:
    with suppress(StackError):
        return {*holders(port), listening(port).pid, *listening(port).also}
    return set()


@pytest.fixture(params=["shared", "reuse", "gunicorn", "uvicorn"])
def service(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    with running(request.param, tmp_path) as made:
        yield made


def test_the_parent_of_all_that_listen_is_found_and_held_with_them(service: Service) -> None:
    found = listening(service.port)

    assert (found.pid, found.also) == (service.parent.pid, ())
    with hold(Hang(), found) as held:
        assert held.processes() >= 1 + WORKERS


def test_a_hang_leaves_nobody_who_answers_and_all_answer_after(service: Service) -> None:
    with hold(Hang(), listening(service.port)) as held:
        assert service.answers()
        held.set(1)
        assert held.verify() is None
        knocks = [Knock("127.0.0.1", service.port) for _ in range(2 * WORKERS)]
        assert not any(knock.answered(0.2) for knock in knocks)
        held.set(0)
        assert all(knock.answered(PATIENCE) for knock in knocks)
    for knock in knocks:
        knock.close()
    assert service.answers()


def test_a_limit_is_on_every_worker_and_is_lifted_from_every_worker(service: Service) -> None:
    limits: Callable[[], set[int]] = lambda: {  # noqa: E731
        psutil.Process(pid).rlimit(psutil.RLIMIT_NOFILE)[0] for pid in service.workers
    }
    before = limits()
    with hold(DescriptorLimit(spare=7), listening(service.port)) as held:
        held.set(1)
        assert held.verify() is None
        assert not limits() & before
    assert limits() == before


def test_a_cpu_limit_and_a_crash_act_on_all_of_them(service: Service) -> None:
    found = listening(service.port, service.command)
    with hold(CpuLimit(0.5), found) as held:
        held.set(1)
        assert held.verify() is None
        assert held.processes() >= 1 + WORKERS
    before = {service.parent.pid, *service.workers}
    with hold(CrashLoop(period=100, down=0.2), structs.replace(found, owned=True)) as crashing:
        crashing.set(1)
        assert not any(_runs(pid) for pid in before)
        wait_until(service.answers, "the restart")
        wait_until(lambda: len(holders(service.port)) >= WORKERS, "all workers")
        assert crashing.verify() is None


def test_a_server_that_wrote_a_title_over_its_command_line_needs_a_command_to_be_started_again(tmp_path: Path) -> None:
    with running("gunicorn", tmp_path) as service:
        if "served:app" in service.parent.cmdline():
            pytest.skip("this gunicorn leaves its command line alone")
        with pytest.raises(StackError, match="cannot be started again by its command line, 'gunicorn") as refused:
            hold(CrashLoop(), listening(service.port)).__enter__()
        assert "restart = " in str(refused.value.hint)
        assert service.answers()


def _runs(pid: int) -> bool:
    with suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    return False


def test_workers_with_a_socket_each_and_no_parent_are_all_held_and_so_is_one_that_comes_later() -> None:
    port = free_port()
    program = "import socket,sys\ns=socket.socket()\ns.setsockopt(socket.SOL_SOCKET,socket.SO_REUSEPORT,1)\n"
    program += f"s.bind(('127.0.0.1',{port}))\ns.listen()\nwhile True:\n c,_=s.accept()\n c.sendall(b'x')\n c.close()\n"
    # Each has a shell for a parent, which is another program: none of its business.
    start: Callable[[], subprocess.Popen[bytes]] = lambda: subprocess.Popen(  # noqa: E731
        ["sh", "-c", 'exec "$@"', "sh", sys.executable, "-c", program]
    )
    started = [start(), start()]
    try:
        wait_until(lambda: len(_holders(port)) == 2, "both")
        found = listening(port)
        assert {found.pid, *found.also} == {one.pid for one in started}
        with hold(Hang(), found) as held:
            held.set(1)
            started.append(start())
            wait_until(lambda: len(holders(port)) == 3, "the third")
            assert held.verify() is None
            assert held.processes() == 3
            assert all(psutil.Process(one.pid).status() == psutil.STATUS_STOPPED for one in started)
        assert not any(psutil.Process(one.pid).status() == psutil.STATUS_STOPPED for one in started)
    finally:
        for one in started:
            one.kill()
            one.wait(PATIENCE)


def test_verify_tells_when_one_worker_of_several_was_continued(tmp_path: Path) -> None:
    with running("shared", tmp_path) as service, hold(Hang(), listening(service.port)) as held:
        held.set(1)
        psutil.Process(max(service.workers)).resume()
        assert "expected process" in str(held.verify())


def test_a_service_at_another_address_of_the_same_port_is_left_alone(tmp_path: Path) -> None:
    with running("shared", tmp_path) as service, socket.create_server(("127.0.0.2", service.port)):
        assert os.getpid() in holders(service.port)
        assert listening(service.port, host="127.0.0.1").pid == service.parent.pid
        assert os.getpid() not in holders(service.port, "127.0.0.1")

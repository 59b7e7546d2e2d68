"""Drills as users run them: the command line in a process of its own, watched for what it leaves behind."""

import os
import re
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from driftdrill.harness.recording.reader import Recording, open_recording
from driftdrill.stack.connection import Connection
from driftdrill.stack.prometheus.api import Server, targets
from driftdrill.stack.prometheus.server import prometheus
from driftdrill.stack.scrape.job import page_job
from tests.harness.forked import Forked
from tests.harness.toy import Toy

ROOT = Path(__file__).resolve().parents[2]
MARK = "DRIFTDRILL_TEST_MARK"


def eventually(met: Callable[[], bool], what: str, within: float = 30.0, every: float = 0.01) -> None:
    """Wait for a condition, bounded."""
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline, f"not within {within:g} s: {what}"
        time.sleep(every)


def assert_told(told: tuple[str, str], cause: str, remedy: str = "") -> None:
    """Cause and remedy hold these patterns."""
    assert re.search(cause, told[0]), told
    assert re.search(remedy, told[1]), told


@dataclass(frozen=True)
class Done:
    """How a command ended."""

    code: int
    out: str
    err: str
    folder: Path

    @property
    def recording(self) -> Recording:
        """The one recording below the working folder, read back."""
        (found,) = self.folder.glob("*.drill")
        return open_recording(found)

    def refused(self, code: int = 2) -> tuple[str, str]:
        """(cause, remedy): the exit code, one line each, nothing else after them, no traceback."""
        told = [line for line in self.err.splitlines() if line.strip()]
        assert self.code == code, self
        assert "Traceback" not in self.err + self.out, self
        assert [line.startswith("driftdrill: ") for line in told].count(True) == 1, self.err
        assert [line[:2] for line in told[-2:]] == ["dr", "  "], self.err
        return told[-2].removeprefix("driftdrill: "), told[-1].strip()

    def invalid(self) -> str:
        """The verdict's reasons; the drill is INVALID and the exit code says so."""
        assert self.code == 3, self
        assert "Traceback" not in self.err + self.out, self
        assert "INVALID" in self.out, self.out
        return self.out


@dataclass
class Running:
    """A command that runs."""

    popen: "Forked | subprocess.Popen[bytes]"
    folder: Path
    mark: str
    temp: Path

    @property
    def err(self) -> str:
        """What it wrote to stderr so far."""
        return (self.folder / ".stderr").read_text(encoding="utf-8", errors="replace")

    def says(self, pattern: str, within: float = 30.0) -> None:
        """Wait until stderr holds ``pattern``."""
        eventually(lambda: re.search(pattern, self.err) is not None or self.ended, f"{pattern} on stderr", within)
        assert re.search(pattern, self.err), self.err

    @property
    def ended(self) -> bool:
        """Whether it has ended."""
        return self.popen.poll() is not None

    def send(self, number: signal.Signals) -> None:
        """SIGINT to the whole process group, as Ctrl-C in a terminal does; others to the command alone, as `kill`."""
        if number == signal.SIGINT:
            os.killpg(self.popen.pid, number)
        else:
            self.popen.send_signal(number)

    def children(self) -> dict[int, str]:
        """pid -> command line of every process that was started by the command, itself excluded."""
        wanted = f"{MARK}={self.mark}".encode()
        found = {}
        for entry in Path("/proc").glob("[0-9]*"):
            pid = int(entry.name)
            try:
                line = (entry / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                # A fork that runs no program of its own shows the environment of whoever it was forked from.
                ours = os.getsid(pid) == self.popen.pid or wanted in (entry / "environ").read_bytes().split(b"\0")
            except OSError:
                continue  # it ended meanwhile, or is not ours to look at
            if line and ours and pid != self.popen.pid:
                found[pid] = line
        return found

    def wait(self, timeout: float = 60.0, *, left: bool = False) -> Done:
        """Wait for the end, and see that no process and no temporary file is left behind."""
        try:
            code = self.popen.wait(timeout)
        except subprocess.TimeoutExpired:
            self.popen.kill()
            pytest.fail(f"still running after {timeout:g} s; stderr ends with:\n{self.err[-2000:]}")
        eventually(lambda: not self.children(), f"children gone, but {self.children()}", 15)
        if not left:
            eventually(lambda: not list(self.temp.iterdir()), f"nothing left in {list(self.temp.iterdir())}", 5)
        out = (self.folder / ".stdout").read_text(encoding="utf-8", errors="replace")
        return Done(code, out, self.err, self.folder)


@dataclass
class Cli:
    """`driftdrill` in ``folder``, as a process of its own with a temporary folder of its own."""

    folder: Path
    env: dict[str, str] = field(default_factory=dict)
    started: list[Running] = field(default_factory=list)

    def start(self, *args: object, env: dict[str, str | None] | None = None, program: tuple[str, ...] = ()) -> Running:
        """Start a command; the fixture ends what a test leaves running."""
        temp = self.folder.with_name(f"{self.folder.name}-tmp{len(self.started)}")
        temp.mkdir()
        mark = secrets.token_hex(8)
        ours = {"PYTHONPATH": str(ROOT), MARK: mark, "TMPDIR": str(temp), "LOCUST_SKIP_MONKEY_PATCH": None}
        given = {**os.environ, **ours, **self.env, **(env or {})}
        known = {name: value for name, value in given.items() if value is not None}
        popen = self._real(program, args, known) if program else Forked([*map(str, args)], self.folder, known)
        running = Running(popen, self.folder, mark, temp)
        self.started.append(running)
        return running

    def _real(
        self, program: tuple[str, ...], args: tuple[object, ...], env: dict[str, str]
    ) -> "subprocess.Popen[bytes]":
        with (self.folder / ".stdout").open("wb") as out, (self.folder / ".stderr").open("wb") as err:
            return subprocess.Popen(
                [*program, *map(str, args)],
                cwd=self.folder,
                env=env,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                start_new_session=True,
            )

    def __call__(self, *args: object, env: dict[str, str] | None = None, timeout: float = 60.0) -> Done:
        """Run a command to its end."""
        return self.start(*args, env=env).wait(timeout)


@contextmanager
def prometheus_for(model: Toy, binary: str, *rules: Path, job: str = "model") -> Iterator[Server]:
    """A Prometheus that was there before the drill: it scrapes the toy each second."""
    page = Connection(f"{model.url}/metrics")
    with prometheus(
        jobs=[page_job(job, page, labels={"instance": f"{page.host}:{page.port}"}, interval=1)],
        rule_files=rules,
        scrape_interval=1,
        evaluation_interval=1,
        binary=binary,
    ) as server:
        eventually(lambda: [t.health for t in targets(server)] == ["up"], "the toy is scraped")
        yield server

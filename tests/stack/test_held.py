"""Every fault of processes, in force on real ones, and undone on every exit path."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import psutil
import pytest
import requests

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process import (
    PROCESS_FAULTS,
    Container,
    CpuBurner,
    CpuLimit,
    CrashLoop,
    DescriptorLimit,
    Hang,
    IoBurner,
    LocalProcess,
    MemoryBurner,
    MemoryLimit,
    ProcessFault,
    hold,
    leftovers,
    listening,
)
from tests.stack.services import PATIENCE, ROOT, drill, ended, free_port, wait_until

MIB = 1 << 20


@pytest.fixture(autouse=True)
def own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other drills of this machine hold faults too: these tests look at their own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@dataclass
class Victim:
    """A service in a process of its own."""

    port: int
    process: psutil.Process
    output: Path

    @property
    def target(self) -> LocalProcess:
        return LocalProcess(self.process.pid)

    @property
    def stopped(self) -> bool:
        return bool(self.process.status() == psutil.STATUS_STOPPED)

    def ask(self, path: str = "/", timeout: float = PATIENCE) -> str:
        return requests.get(f"http://127.0.0.1:{self.port}{path}", timeout=timeout).text

    def answers(self) -> bool:
        try:
            return bool(self.ask(timeout=1))
        except requests.RequestException:
            return False


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Victim]:
    port, output = free_port(), tmp_path / "out"
    with output.open("wb") as out:
        process = subprocess.Popen(
            [sys.executable, str(ROOT / "tests/stack/victim.py"), str(port)],
            stdout=out,
            env=os.environ | {"MARK": "kept"},
        )
    made = Victim(port, psutil.Process(process.pid), output)
    try:
        wait_until(made.answers, "the victim")
        yield made
    finally:
        for one in {process.pid, *_listeners(port)}:
            with suppress(psutil.NoSuchProcess):
                for child in (*psutil.Process(one).children(recursive=True), psutil.Process(one)):
                    child.kill()
        process.wait(PATIENCE)


def _listeners(port: int) -> set[int]:
    found = psutil.net_connections("tcp")
    return {c.pid for c in found if c.status == psutil.CONN_LISTEN and c.laddr.port == port and c.pid}


# Stop and continue


def test_a_hang_stops_the_process_and_leaving_continues_it(victim: Victim) -> None:
    with hold(Hang(), victim.target) as held:
        assert victim.answers()
        held.set(1)
        assert held.verify() is None
        assert victim.stopped
        with pytest.raises(requests.Timeout):
            victim.ask(timeout=0.3)
        held.set(0)
        assert held.verify() is None
        assert victim.answers()
        held.set(1)
    assert not victim.stopped
    assert victim.answers()


def test_a_hang_stops_the_descendants_too(victim: Victim) -> None:
    worker = psutil.Process(int(victim.ask("/spawn")))
    with hold(Hang(), victim.target) as held:
        held.set(1)
        wait_until(lambda: worker.status() == psutil.STATUS_STOPPED, "the worker's stop")
    assert worker.status() != psutil.STATUS_STOPPED


def test_at_half_strength_a_hang_alternates(victim: Victim) -> None:
    with hold(Hang(period=0.1), victim.target) as held:
        held.set(0.5)
        seen = [victim.stopped for _ in range(60) if not time.sleep(0.01)]
    assert 10 < sum(seen) < 50
    assert not victim.stopped


def test_verify_tells_when_somebody_else_continued_the_process(victim: Victim) -> None:
    with hold(Hang(), victim.target) as held:
        held.set(1)
        victim.process.resume()
        assert "expected process" in str(held.verify())


def test_verify_tells_when_the_process_has_ended(victim: Victim) -> None:
    with hold(Hang(), victim.target) as held:
        victim.process.kill()
        wait_until(lambda: victim.process.status() == psutil.STATUS_ZOMBIE, "its end")
        assert "has ended" in str(held.verify())


def test_a_cpu_limit_takes_most_of_the_time_away() -> None:
    """A loop that would burn a whole CPU gets a tenth of one."""
    busy = subprocess.Popen([sys.executable, "-c", "while True: pass"])
    try:
        process = psutil.Process(busy.pid)
        with hold(CpuLimit(0.1), LocalProcess(busy.pid)) as held:
            held.set(1)
            before, start = process.cpu_times().user, time.monotonic()
            wait_until(lambda: time.monotonic() - start > 1.5, "some seconds")
            used = (process.cpu_times().user - before) / (time.monotonic() - start)
            assert used < 0.4
        assert process.status() != psutil.STATUS_STOPPED
    finally:
        busy.kill()
        busy.wait(PATIENCE)


# Limits


def test_a_memory_limit_makes_allocations_fail_and_is_lifted(victim: Victim) -> None:
    before = victim.process.rlimit(psutil.RLIMIT_AS)
    with hold(MemoryLimit(64 * MIB), victim.target) as held:
        assert victim.ask(f"/allocate?{200 * MIB}") == str(200 * MIB)
        held.set(1)
        assert held.verify() is None
        assert victim.ask(f"/allocate?{200 * MIB}") == "MemoryError"
        held.set(0.1)
        assert victim.ask(f"/allocate?{200 * MIB}") == str(200 * MIB)
    assert victim.process.rlimit(psutil.RLIMIT_AS) == before


def test_a_descriptor_limit_makes_open_fail_and_is_lifted(victim: Victim) -> None:
    before = victim.process.rlimit(psutil.RLIMIT_NOFILE)
    with hold(DescriptorLimit(spare=1), victim.target) as held:
        held.set(1)
        assert held.verify() is None
        assert victim.ask("/open") == "OSError"  # the one spare is the connection that asks
        held.set(0)
        assert victim.ask("/open") == "opened"
        held.set(1)
    assert victim.ask("/open") == "opened"
    assert victim.process.rlimit(psutil.RLIMIT_NOFILE) == before


def test_verify_tells_when_somebody_else_changed_the_limit(victim: Victim) -> None:
    with hold(DescriptorLimit(spare=5), victim.target) as held:
        held.set(1)
        victim.process.rlimit(psutil.RLIMIT_NOFILE, (900, victim.process.rlimit(psutil.RLIMIT_NOFILE)[1]))
        assert "seen: 900" in str(held.verify())


# Crash loop


def test_a_crash_loop_kills_and_restarts_the_same_command_again_and_again(victim: Victim) -> None:
    """Environment, folder and output are those that the process had."""
    with hold(CrashLoop(period=0.4, down=0.1), victim.target) as held:
        held.set(1)
        assert held.verify() is None
        wait_until(lambda: victim.output.read_text().count("started") >= 3, "two restarts")
        held.set(0)
        wait_until(victim.answers, "an answer")
        assert int(victim.ask()) == held.pid != victim.process.pid
    assert victim.answers()
    assert all(line.endswith("kept") for line in victim.output.read_text().splitlines())


def test_leaving_within_the_gap_starts_the_process_and_waits_until_it_listens(victim: Victim) -> None:
    with hold(CrashLoop(period=100, down=50), victim.target) as held:
        held.set(1)
        assert not victim.answers()
    assert victim.answers()


def test_what_the_drill_owns_ends_with_it(victim: Victim) -> None:
    with hold(CrashLoop(period=100, down=0.1), LocalProcess(victim.process.pid, owned=True)) as held:
        held.set(1)
        wait_until(victim.answers, "the restart")
    assert not victim.answers()


def test_a_process_whose_output_nobody_reads_any_more_is_restarted_all_the_same() -> None:
    """As one that told its address to whoever started it, on a pipe that was closed then."""
    port = free_port()
    command = [sys.executable, str(ROOT / "tests/stack/victim.py"), str(port)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    try:
        assert process.stdout.readline().startswith(b"started")
        process.stdout.close()
        with hold(CrashLoop(period=100, down=0.1), LocalProcess(process.pid, owned=True)) as held:
            held.set(1)
            wait_until(lambda: _listeners(port) - {process.pid}, "the restart")
            assert held.verify() is None
    finally:
        process.kill()
        process.wait(PATIENCE)
    assert not _listeners(port)


def test_a_restart_that_fails_is_the_drills_loudest_error(victim: Victim) -> None:
    target = LocalProcess(victim.process.pid, restart=("/nowhere/model", "--port", "1"))

    def run() -> None:
        with hold(CrashLoop(period=100, down=0.05), target) as held:
            held.set(1)
            wait_until(held.verify, "a failing restart")

    with pytest.raises(StackError, match="could not be undone") as failed:
        run()
    assert "/nowhere/model --port 1" in str(failed.value.hint)
    (left,) = leftovers()
    with pytest.raises(StackError, match="was killed and not restarted") as told:
        left.undo()
    assert f"so that it listens on {victim.port}: /nowhere/model --port 1" in str(told.value.hint)
    assert str(left.path) in str(told.value.hint)
    with socket.create_server(("127.0.0.1", victim.port)):  # it was started by hand
        left.undo()
    assert leftovers() == []


def test_a_supervisors_restart_is_found_by_its_port(victim: Victim) -> None:
    supervisor = subprocess.Popen(
        ["sh", "-c", f"while :; do {sys.executable} {ROOT}/tests/stack/victim.py {victim.port} & echo $!; wait; done"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        victim.process.kill()
        wait_until(victim.answers, "the supervisor's copy")
        first = listening(victim.port)
        with hold(CrashLoop(period=3.0, down=0.2), LocalProcess(first.pid, restart=())) as held:
            held.set(1)
            wait_until(lambda: held.pid not in (0, first.pid), "the second crash")
            assert held.verify() is None
        wait_until(victim.answers, "the supervisor's copy")
    finally:
        os.killpg(supervisor.pid, signal.SIGKILL)
        supervisor.wait(PATIENCE)


# Burners


def _burning(guardian_of: Any) -> list[psutil.Process]:
    return psutil.Process(guardian_of._child.pid).children()


def test_a_cpu_burner_burns_and_ends() -> None:
    with hold(CpuBurner(workers=1)) as held:
        held.set(1)
        assert held.verify() is None
        (burner,) = _burning(held)
        wait_until(lambda: burner.cpu_times().user > 0.3, "some burnt time")
        held.set(0)
    assert ended(burner)


def test_a_memory_burner_takes_its_bytes_and_gives_them_back() -> None:
    with hold(MemoryBurner(64 * MIB)) as held:
        guardian = psutil.Process(held._child.pid)
        before = guardian.memory_info().rss
        held.set(1)
        assert held.verify() is None
        assert guardian.memory_info().rss - before >= 60 * MIB
        held.set(0.25)
        assert guardian.memory_info().rss - before <= 40 * MIB


def test_a_memory_burner_never_takes_what_is_not_there() -> None:
    with hold(MemoryBurner(1 << 50)) as held, pytest.raises(StackError, match="MiB may be taken"):
        held.set(1)


def test_a_disk_burner_writes(tmp_path: Path) -> None:
    folder = tmp_path / "disk"
    folder.mkdir()
    with hold(IoBurner(str(folder))) as held:
        held.set(1)
        (burner,) = _burning(held)
        wait_until(lambda: burner.io_counters().write_chars > 4 * MIB, "some writing")
        assert held.verify() is None
    assert list(folder.iterdir()) == []


# Every exit path

DRILL = """
import json, sys, threading
from contextlib import ExitStack
from driftdrill.stack.faults.process import *
with ExitStack() as stack:
    held = [stack.enter_context(hold(fault, eval(sys.argv[2]))) for fault in eval(sys.argv[1])]
    for one in held:
        one.set(1)
    print(json.dumps([one._child.pid for one in held]), flush=True)
    threading.Event().wait(60)
"""
SIGNALS = [signal.SIGKILL, signal.SIGTERM, signal.SIGINT]


def _gone(pids: list[int]) -> Any:
    return wait_until(lambda: all(ended(pid) for pid in pids), "the guardians' end")


@pytest.mark.parametrize("how", SIGNALS)
def test_a_drill_that_is_ended_by_a_signal_undoes(victim: Victim, how: signal.Signals) -> None:
    limits = [victim.process.rlimit(which) for which in (psutil.RLIMIT_AS, psutil.RLIMIT_NOFILE)]
    faults = "MemoryLimit(0), DescriptorLimit(), CpuBurner(workers=1), Hang()"
    with drill(DRILL, faults, f"LocalProcess({victim.process.pid})") as (process, guardians):
        burners = psutil.Process(guardians[2]).children()
        wait_until(lambda: victim.stopped, "the stop")
        process.send_signal(how)
        _gone(guardians)
    assert victim.answers()
    assert [victim.process.rlimit(which) for which in (psutil.RLIMIT_AS, psutil.RLIMIT_NOFILE)] == limits
    wait_until(lambda: len(burners) == 1 and ended(burners[0]), "the burner's end")
    assert leftovers() == []


@pytest.mark.parametrize("how", SIGNALS)
def test_a_drill_that_is_ended_within_a_crash_restarts(victim: Victim, how: signal.Signals) -> None:
    with drill(DRILL, "[CrashLoop(100, 50)]", f"LocalProcess({victim.process.pid})") as (process, guardians):
        assert not victim.answers()
        process.send_signal(how)
        _gone(guardians)
    assert victim.answers()
    assert leftovers() == []


def test_an_exception_undoes(victim: Victim) -> None:
    with suppress(ZeroDivisionError), hold(Hang(), victim.target) as held:
        held.set(1)
        raise ZeroDivisionError
    assert victim.answers()


def test_a_guardian_that_is_asked_to_end_undoes(victim: Victim) -> None:
    with hold(Hang(), victim.target) as held:
        held.set(1)
        psutil.Process(held._child.pid).terminate()
        wait_until(victim.answers, "the undoing")


def test_a_drill_that_is_not_heard_of_loses_its_fault(victim: Victim) -> None:
    with hold(Hang(ttl=0.3), victim.target) as held:
        held.set(1)
        wait_until(victim.answers, "the time to live")
        assert "time to live" in str(held.verify())
        with pytest.raises(StackError, match="time to live"):
            held.set(1)


def test_when_the_guardian_itself_is_killed_the_drill_undoes(victim: Victim) -> None:
    with hold(Hang(), victim.target) as held:
        held.set(1)
        psutil.Process(held._child.pid).kill()
        assert "killed by signal 9" in str(held.verify())
        wait_until(lambda: victim.stopped, "the stop")
    assert victim.answers()
    assert leftovers() == []


def test_when_drill_and_guardian_are_killed_the_next_doctor_undoes(victim: Victim) -> None:
    with drill(DRILL, "[Hang()]", f"LocalProcess({victim.process.pid})") as (process, (pid,)):
        guardian = psutil.Process(pid)
        guardian.suspend()  # it must not see the drill die
        process.kill()
        guardian.kill()
        wait_until(lambda: ended(guardian), "the guardian's end")
    wait_until(lambda: victim.stopped, "the stop")
    (left,) = leftovers()
    assert str(left) == f"hang on the signals of process {victim.process.pid}, left by process {pid}"
    left.undo()
    assert victim.answers()
    assert leftovers() == []


def test_or_the_next_fault_in_the_same_place_undoes_it(victim: Victim) -> None:
    with drill(DRILL, "[Hang()]", f"LocalProcess({victim.process.pid})") as (process, (pid,)):
        psutil.Process(pid).suspend()
        process.kill()
        psutil.Process(pid).kill()
    with hold(CpuLimit(0.5), victim.target):
        assert victim.answers()
    assert leftovers() == []


# Bad input


def test_two_faults_that_fight_for_one_place_are_refused(victim: Victim) -> None:
    with hold(Hang(), victim.target):
        with pytest.raises(StackError, match=r"hang of process \d+ already holds the signals of process") as refused:
            hold(CpuLimit(0.5), victim.target).__enter__()
        assert refused.value.hint == "end the other one first"
        with hold(MemoryLimit(MIB), victim.target), hold(DescriptorLimit(), victim.target):
            pass  # other places
    with hold(CpuLimit(0.5), victim.target):
        pass


def test_a_target_without_a_process_is_told_what_is_missing() -> None:
    with pytest.raises(StackError, match="hang acts on a process or container, not on None"):
        hold(Hang()).__enter__()


def test_a_process_that_is_not_there_is_told() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait(PATIENCE)
    with pytest.raises(StackError, match=f"there is no process {gone.pid}"):
        hold(Hang(), LocalProcess(gone.pid)).__enter__()
    with pytest.raises(StackError, match="process id above 1"):
        LocalProcess(1)


def test_the_drill_never_stops_itself() -> None:
    with pytest.raises(StackError, match="is the drill itself or its parent"):
        hold(Hang(), LocalProcess(os.getpid())).__enter__()


def test_the_process_behind_a_port_is_found(victim: Victim) -> None:
    found = listening(victim.port)
    assert (found.pid, found.also) == (victim.process.pid, ())
    with pytest.raises(StackError, match="listens on port"):
        listening(free_port())


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Hang(period=0), "period must be at least 0.01 seconds"),
        (lambda: CpuLimit(0), r"share must be in \[0.01, 1\]"),
        (lambda: CrashLoop(period=1, down=2), "period must be at least 2 seconds"),
        (lambda: MemoryBurner(0), "bytes must be at least 1"),
        (lambda: Hang(ttl=0), "ttl must be at least 0.1 seconds"),
    ],
)
def test_a_parameter_out_of_range_is_refused(make: Any, said: str) -> None:
    with pytest.raises(StackError, match=said):
        make()


def test_every_fault_says_what_it_is() -> None:
    for fault in PROCESS_FAULTS:
        assert fault.id.startswith("sys.")
        assert fault.__doc__
        assert issubclass(fault, ProcessFault)


# Containers


@pytest.fixture(scope="module")
def image() -> str:
    from tests.images import make_prometheus_image

    try:
        return make_prometheus_image()
    except StackError as e:
        pytest.skip(str(e))


@pytest.fixture
def contained(image: str) -> Iterator[tuple[Container, Any]]:
    """A real Prometheus in a container, its port published."""
    import docker

    client = docker.from_env(timeout=20)
    port = free_port()
    held = client.containers.run(
        image,
        detach=True,
        network_mode="host",
        labels={"org.driftdrill": "1"},
        command=[
            "--config.file=/dev/null",
            "--storage.tsdb.path=/prometheus",
            f"--web.listen-address=127.0.0.1:{port}",
        ],
    )

    def answers() -> bool:
        try:
            return requests.get(f"http://127.0.0.1:{port}/-/ready", timeout=1).ok
        except requests.RequestException:
            return False

    try:
        wait_until(answers, "the container", 60)
        yield Container(held.name), SimpleNamespace(answers=answers, handle=held)
    finally:
        held.remove(force=True, v=True)
        client.close()


@pytest.mark.container
def test_a_hang_pauses_a_container_and_a_killed_drill_continues_it(contained: tuple[Container, Any]) -> None:
    target, seen = contained
    with hold(Hang(), target) as held:
        held.set(1)
        assert held.verify() is None
        assert not seen.answers()
    assert seen.answers()
    with drill(DRILL, "[Hang()]", repr(target)) as (process, guardians):
        assert not seen.answers()
        process.kill()
        _gone(guardians)
    assert seen.answers()


@pytest.mark.container
def test_a_crash_loop_kills_and_starts_a_container(contained: tuple[Container, Any]) -> None:
    target, seen = contained
    seen.handle.reload()
    before = seen.handle.attrs["State"]["StartedAt"]
    with hold(CrashLoop(period=60, down=0.2), target) as held:
        held.set(1)
        assert held.verify() is None
        wait_until(seen.answers, "the restart", 60)
        assert held.verify() is None
    seen.handle.reload()
    assert seen.handle.attrs["State"]["StartedAt"] != before
    with hold(CrashLoop(period=60, down=50), target) as held:
        held.set(1)
        assert not seen.answers()
    wait_until(seen.answers, "the start on leaving", 60)


@pytest.mark.container
@pytest.mark.parametrize("fault", [CpuLimit(0.1), MemoryLimit(256 * MIB)])
def test_a_limit_of_a_container_is_in_force_and_lifted(contained: tuple[Container, Any], fault: ProcessFault) -> None:
    target, seen = contained

    def limited() -> bool:
        seen.handle.reload()
        config = seen.handle.attrs["HostConfig"]
        return config["CpuQuota"] > 0 or 0 < config["Memory"] < psutil.virtual_memory().total

    assert not limited()
    with hold(fault, target) as held:
        held.set(1)
        assert held.verify() is None
        assert limited()
        assert seen.answers()
    assert not limited()


@pytest.mark.container
def test_what_an_engine_cannot_do_is_refused(contained: tuple[Container, Any]) -> None:
    target, _ = contained
    with pytest.raises(StackError, match="cannot change this limit of a running container"):
        hold(DescriptorLimit(), target).__enter__()
    with pytest.raises(StackError, match="there is no container nowhere"):
        hold(Hang(), Container("nowhere")).__enter__()
    with hold(Hang(), target), pytest.raises(StackError, match="fight for one place"):
        hold(CrashLoop(), target).__enter__()

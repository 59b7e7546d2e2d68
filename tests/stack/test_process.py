"""Nothing that we start outlives us, whatever ends us."""

import multiprocessing
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from driftdrill.stack.errors import StackError
from driftdrill.stack.process import launch, running
from tests.stack.services import ended


def test_the_command_s_status_and_output_are_seen(tmp_path: Path) -> None:
    with running(["sh", "-c", "echo said; exit 7"], folder=private(tmp_path)) as process:
        wait_for(process.exit_code)
        assert (process.exit_code(), process.log()) == (7, "said")


def private(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def wait_for(met: Callable[[], object], within: float = 20.0) -> None:
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_command_that_a_signal_ended_has_128_and_the_signal(tmp_path: Path) -> None:
    with running(["sh", "-c", "kill -9 $$"], folder=private(tmp_path)) as process:
        wait_for(process.exit_code)
        assert process.exit_code() == 137


def test_a_command_that_does_not_exist_has_127_and_says_so(tmp_path: Path) -> None:
    with running(["/nonexistent"], folder=private(tmp_path)) as process:
        wait_for(process.exit_code)
        assert (process.exit_code(), process.log()) == (127, "/nonexistent: No such file or directory")


def test_its_folder_stays_for_the_log_when_it_ends_by_itself_and_is_gone_afterwards(tmp_path: Path) -> None:
    folder = private(tmp_path)
    with running(["true"], folder=folder) as process:
        wait_for(lambda: process.exit_code() is not None)
        assert folder.exists()
    assert not folder.exists()


def test_on_leaving_it_is_asked_to_end_first(tmp_path: Path) -> None:
    script = f"trap 'echo asked > {tmp_path}/seen; exit 0' TERM; echo ready; while :; do sleep 0.05; done"
    with running(["sh", "-c", script], folder=private(tmp_path)) as process:
        wait_for(process.log)
    assert (tmp_path / "seen").read_text() == "asked\n"


def test_one_that_will_not_end_is_killed_with_all_that_it_started(tmp_path: Path) -> None:
    script = "trap '' TERM; sleep 61.5 & echo $!; while :; do sleep 0.05; done"
    with running(["sh", "-c", script], folder=private(tmp_path), grace=0.2) as process:
        wait_for(process.log)
        child = int(process.log())
    wait_for(lambda: ended(child))


def test_a_forked_copy_of_us_does_not_keep_it_alive(tmp_path: Path) -> None:
    """Locust forks its workers; each holds the control pipe open."""
    folder = private(tmp_path)
    worker = multiprocessing.get_context("fork").Process(target=time.sleep, args=(30,))
    with running(["sleep", "61.5"], folder=folder) as process:
        worker.start()
        begun = time.monotonic()
    try:
        assert time.monotonic() - begun < 15
        assert process.exit_code() == 143
    finally:
        worker.kill()
        worker.join(5)


def test_ctrl_c_in_the_terminal_does_not_reach_it(tmp_path: Path) -> None:
    """It would end before the drill has fetched what it needs; the drill itself ends it in order."""
    with running(["sleep", "61.5"], folder=private(tmp_path)) as process:
        guard = process.guarded.guard.pid
        wait_for(lambda: psutil.Process(guard).children())
        command = psutil.Process(guard).children()[0]
        assert len({os.getpgid(0), os.getpgid(guard), os.getpgid(command.pid)}) == 3


def test_what_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="cannot start a process"):
        launch(["true"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path / "missing")

"""Control hooks of any service: applied, checked, and reverted on every exit path."""

import json
import os
import py_compile
import signal
import sys
import tempfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests

from driftdrill.stack.connection import Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process import Call, Command, Container, LocalProcess, Operate, hold, hook, leftovers
from driftdrill.stack.python_file import run_python
from tests.stack.services import Upstream, drill, ended, upstream, wait_until


@pytest.fixture(autouse=True)
def own_notes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Other drills of this machine hold faults too: these tests look at their own."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)


@pytest.fixture
def mode(tmp_path: Path) -> Path:
    """The file that configures the service."""
    path = tmp_path / "mode"
    path.write_text("right")
    return path


@pytest.fixture
def service(mode: Path) -> Iterator[Upstream]:
    """Answers as its file says; POST /mode/X changes that."""

    def answer(path: str, body: bytes) -> bytes:
        if path.startswith("/mode/"):
            mode.write_text(path.removeprefix("/mode/"))
        return mode.read_bytes()

    with upstream(answer) as running:
        yield running


def asked(service: Upstream) -> str:
    return requests.get(f"{service.url}/predict", timeout=10).text


def wrong_by_command(mode: Path) -> dict[str, Any]:
    return {"apply": ["sh", "-c", f"printf wrong >{mode}"], "revert": ["sh", "-c", f"printf right >{mode}"]}


def test_a_command_makes_the_service_wrong_and_leaving_makes_it_right(service: Upstream, mode: Path) -> None:
    with hold(hook(**wrong_by_command(mode))) as held:
        assert asked(service) == "right"
        held.set(0.3)
        assert asked(service) == "wrong"
        assert held.verify() is None
        held.set(0)
        assert asked(service) == "right"
        held.set(1)
        assert asked(service) == "wrong"
    assert asked(service) == "right"
    assert leftovers() == []


def test_a_call_makes_the_service_wrong_with_a_token_that_no_error_shows(
    service: Upstream, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_TOKEN", "hunter2")
    token = Secret(env="HOOK_TOKEN")
    calls = {to: Call(f"{service.url}/mode/{to}", bearer=token) for to in ("wrong", "right")}
    with hold(hook(apply=calls["wrong"], revert=calls["right"])) as held:
        held.set(1)
        assert asked(service) == "wrong"
    assert asked(service) == "right"
    assert [h["Authorization"] for h in service.headers if "Authorization" in h] == ["Bearer hunter2"] * 2
    with (
        pytest.raises(StackError) as told,
        hold(hook(apply=Call(f"{service.url[:-1]}0/", bearer=token), revert=[":"])) as held,
    ):
        held.set(1)
    assert "hunter2" not in str(told.value)


MODULE = """
from pathlib import Path
MODE = Path({mode!r})

def wrong():
    MODE.write_text("wrong")

def right():
    MODE.write_text("right")

def is_wrong():
    return MODE.read_text() == "wrong"

def refuses():
    raise ValueError("no such model")

def hangs():
    while True:
        pass
"""


def functions(mode: Path) -> Any:
    """The functions of a file, as a scenario file has them."""
    file = mode.with_name("hooks.py")
    file.write_text(MODULE.format(mode=str(mode)))
    return run_python(file.read_bytes(), file, "hooks_of_a_scenario")


BESIDE = """
from pathlib import Path
import beside_the_hook

def apply():
    import imported_late
    Path({mode!r}).write_text({word!r})

def revert():
    pass
"""


def test_functions_run_from_their_source_with_what_lies_beside_the_hook_and_leave_no_bytecode(mode: Path) -> None:
    file = mode.with_name("hooks.py")
    for name in ("beside_the_hook", "imported_late"):
        (mode.parent / f"{name}.py").write_text("")
    for word in ("stale", "fresh"):
        file.write_text(BESIDE.format(mode=str(mode), word=word))
        os.utime(file, (1e9, 1e9))
        if word == "stale":
            py_compile.compile(str(file))  # as running it by Python, Locust or pytest does
    f = run_python(file.read_bytes(), file, "hooks_of_a_scenario")

    with hold(hook(apply=f.apply, revert=f.revert)) as held:
        held.set(1)

    assert mode.read_text() == "fresh"
    assert not [p for p in mode.parent.rglob("*.pyc") if p.name.startswith("beside_the_hook")]


def test_a_function_of_a_file_makes_the_service_wrong_and_another_checks_it(service: Upstream, mode: Path) -> None:
    f = functions(mode)
    with hold(hook(apply=f.wrong, revert=f.right, check=f.is_wrong)) as held:
        held.set(1)
        assert asked(service) == "wrong"
        assert held.verify() is None
        mode.write_text("right")  # somebody else puts it right
        assert "expected wrong() of" in str(held.verify())
        assert "answered False" in str(held.verify())
    assert asked(service) == "right"


def test_a_function_that_raises_or_hangs_is_told_and_what_was_begun_is_reverted(mode: Path) -> None:
    f = functions(mode)
    mode.write_text("half-way")
    with (
        pytest.raises(StackError, match="ValueError: no such model"),
        hold(hook(apply=f.refuses, revert=f.right)) as held,
    ):
        held.set(1)
    assert mode.read_text() == "right"
    with (
        pytest.raises(StackError, match=r"took more than 200ms"),
        hold(hook(apply=f.hangs, revert=f.right, timeout=0.2)) as held,
    ):
        held.set(1)


def test_a_command_that_fails_says_its_status_and_its_last_words(mode: Path) -> None:
    failing = hook(apply=["sh", "-c", "echo no such model >&2; exit 3"], revert=["true"])
    with pytest.raises(StackError, match="ended with status 3: no such model"), hold(failing) as held:
        held.set(1)


def test_a_command_that_takes_too_long_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    slow = hook(apply=["sh", "-c", f"sleep 60 & echo $! >{pids}; wait"], revert=["true"], timeout=0.5)
    with pytest.raises(StackError, match=r"took more than 500ms"), hold(slow) as held:
        held.set(1)
    wait_until(lambda: ended(int(pids.read_text())), "the end of what it started")


def test_a_command_that_leaves_a_child_behind_is_not_waited_for(tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    daemon = hook(apply=["sh", "-c", f"sleep 60 & echo $! >{pids}"], revert=["sh", "-c", f"kill $(cat {pids})"])
    with hold(daemon) as held:
        held.set(1)
        assert not ended(int(pids.read_text()))
    wait_until(lambda: ended(int(pids.read_text())), "its end")


def test_an_operation_stops_a_process_and_continues_it() -> None:
    child = psutil.Popen([sys.executable, "-c", "input()"], stdin=-1)
    try:
        at = LocalProcess(child.pid)
        with hold(hook(apply=Operate(at, "stop"), revert=Operate(at, "continue"))) as held:
            held.set(1)
            wait_until(lambda: child.status() == psutil.STATUS_STOPPED, "the stop")
        wait_until(lambda: child.status() != psutil.STATUS_STOPPED, "going on")
    finally:
        child.kill()
        child.communicate()


# Every exit path

DRILL = """
import json, sys, threading
from driftdrill.stack.faults.process import *
apply, revert = json.loads(sys.argv[1])
with hold(hook(apply=apply, revert=revert)) as held:
    held.set(1)
    print(json.dumps(held._child.pid), flush=True)
    threading.Event().wait(60)
"""


def words(mode: Path) -> str:
    return json.dumps([*wrong_by_command(mode).values()])


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_drill_that_is_ended_by_a_signal_reverts(service: Upstream, mode: Path, how: signal.Signals) -> None:
    with drill(DRILL, words(mode)) as (process, guardian):
        assert asked(service) == "wrong"
        process.send_signal(how)
        wait_until(lambda: ended(guardian), "the guardian's end")
    assert asked(service) == "right"
    assert leftovers() == []


def test_an_exception_reverts(service: Upstream, mode: Path) -> None:
    with suppress(ZeroDivisionError), hold(hook(**wrong_by_command(mode))) as held:
        held.set(1)
        raise ZeroDivisionError
    assert asked(service) == "right"


def test_a_drill_that_is_not_heard_of_is_reverted(service: Upstream, mode: Path) -> None:
    with hold(hook(**wrong_by_command(mode), ttl=0.3)) as held:
        held.set(1)
        wait_until(lambda: asked(service) == "right", "the time to live")
        assert "time to live" in str(held.verify())


def test_when_drill_and_guardian_are_killed_the_next_doctor_reverts(service: Upstream, mode: Path) -> None:
    with drill(DRILL, words(mode)) as (process, pid):
        guardian = psutil.Process(pid)
        guardian.suspend()
        process.kill()
        guardian.kill()
        wait_until(lambda: ended(guardian), "the guardian's end")
    assert asked(service) == "wrong"
    (left,) = leftovers()
    left.undo()
    assert asked(service) == "right"


def test_what_was_never_applied_is_never_reverted(mode: Path) -> None:
    mode.write_text("untouched")
    with hold(hook(**wrong_by_command(mode))) as held:
        psutil.Process(held._child.pid).kill()
    assert mode.read_text() == "untouched"
    assert leftovers() == []


def test_a_revert_that_fails_is_told_with_what_to_do_by_hand(mode: Path) -> None:
    broken = hook(apply=["true"], revert=["sh", "-c", "exit 7"])
    with (
        pytest.raises(StackError, match=r"hook on the hook true could not be undone: .*status 7") as told,
        hold(broken) as held,
    ):
        held.set(1)
    assert told.value.hint == "sh -c 'exit 7'"
    for left in leftovers():
        left.forget()


# Bad input


def test_two_hooks_of_one_command_are_refused(mode: Path) -> None:
    one = hook(**wrong_by_command(mode))
    with hold(one), pytest.raises(StackError, match="two faults fight for one place"):
        hold(one).__enter__()


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("deploy old", "apply must be a list of words, a function or a step, not 'deploy old'"),
        ([], "apply must be a list of words"),
        (lambda: None, "must be a function at the top level of a file"),
        (3, "apply must be a list of words"),
    ],
)
def test_what_is_no_step_is_refused(given: object, said: str) -> None:
    with pytest.raises(StackError, match=said):
        hook(apply=given, revert=["true"])


def test_a_program_that_is_not_there_is_told() -> None:
    with (
        pytest.raises(StackError, match="`no-such-program` cannot be started"),
        hold(hook(apply=Command(("no-such-program",)), revert=["true"])) as held,
    ):
        held.set(1)


def test_an_operation_that_a_place_does_not_have_is_refused() -> None:
    with pytest.raises(StackError, match="'pause' is no operation on process"):
        Operate(LocalProcess(12345), "pause")
    with pytest.raises(StackError, match="'hang_up' is no operation on container"):
        Operate(Container("model"), "hang_up")

"""Faults that are held, put in force on a real process as scenario time goes by."""

import subprocess
import time
from collections.abc import Iterator

import psutil
import pytest

from driftdrill.harness.drive.injection import Held, StrengthChange, hold
from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.stack.faults.process import Hang, LocalProcess

IN_FAULT = 300.0


@pytest.fixture
def process() -> Iterator[psutil.Process]:
    """Something that can hang."""
    with subprocess.Popen(["sleep", "600"]) as running:
        yield psutil.Process(running.pid)
        running.kill()


def scenario() -> Scenario:
    return Scenario(
        name="hang",
        story="The service hangs.",
        rows=dict,
        rate=constant(1),
        warm_up=100,
        baseline=100,
        fault=400,
        recovery=100,
        faults=[Fault("hang", Hang(), strength=constant(1))],
        expect=[],
    )


@pytest.fixture
def held(process: psutil.Process) -> Iterator[Held]:
    with hold(scenario(), {"hang": lambda: Hang().hold(LocalProcess(process.pid))}) as entered:
        yield entered


def test_a_fault_that_somebody_undid_is_told_at_the_next_look_which_comes_every_ten_seconds(
    held: Held, process: psutil.Process
) -> None:
    """The seconds between two looks are taken off the moment of the last one, in place of waiting for them."""
    assert held.set_all(IN_FAULT - 200) == []
    assert held.set_all(IN_FAULT) == [StrengthChange("hang", 1.0)]
    process.resume()
    held.looked = time.monotonic() + 3600
    assert held.set_all(IN_FAULT + 1) == []
    held.looked = (now := time.monotonic()) - 10.01
    (change,) = held.set_all(IN_FAULT + 11)
    assert (change.name, change.strength) == ("hang", 1.0)
    assert change.wrong is not None
    assert "stopped" in change.wrong
    assert held.looked >= now


def test_a_fault_that_is_in_force_is_looked_at_in_silence(held: Held, process: psutil.Process) -> None:
    held.set_all(IN_FAULT)
    held.looked = time.monotonic() - 10.01
    assert held.set_all(IN_FAULT + 11) == []
    assert process.status() == psutil.STATUS_STOPPED
    assert held.set_all(IN_FAULT + 400) == [StrengthChange("hang", 0.0)]


def test_a_fault_that_was_undone_meanwhile_is_told_where_it_ends(held: Held, process: psutil.Process) -> None:
    held.set_all(IN_FAULT)
    process.resume()
    (change,) = held.set_all(IN_FAULT + 400)
    assert change.strength == 0.0
    assert change.wrong is not None

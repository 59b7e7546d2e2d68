"""Faults put in force on a real process as scenario time goes by."""

import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace

import psutil
import pytest

from driftdrill.harness.drive.injection import Injection, StrengthChange, injected
from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seams.seam import Site
from driftdrill.harness.setup.target import from_url
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
def injection(process: psutil.Process) -> Iterator[Injection]:
    target = replace(from_url("http://127.0.0.1:9"), process=LocalProcess(process.pid))
    with injected(scenario(), Site(target)) as entered:
        yield entered


def test_a_fault_that_somebody_undid_is_told_at_the_next_look_which_comes_every_ten_seconds(
    injection: Injection, process: psutil.Process
) -> None:
    """The seconds between two looks are taken off the moment of the last one, in place of waiting for them."""
    assert injection.set_all(IN_FAULT - 200) == []
    assert injection.set_all(IN_FAULT) == [StrengthChange("hang", 1.0, processes=1)]
    process.resume()
    injection.looked = time.monotonic() + 3600
    assert injection.set_all(IN_FAULT + 1) == []
    injection.looked = (now := time.monotonic()) - 10.01
    (change,) = injection.set_all(IN_FAULT + 11)
    assert (change.name, change.strength) == ("hang", 1.0)
    assert change.wrong is not None
    assert "stopped" in change.wrong
    assert injection.looked >= now


def test_a_fault_that_is_in_force_is_looked_at_in_silence(injection: Injection, process: psutil.Process) -> None:
    injection.set_all(IN_FAULT)
    injection.looked = time.monotonic() - 10.01
    assert injection.set_all(IN_FAULT + 11) == []
    assert process.status() == psutil.STATUS_STOPPED
    assert injection.set_all(IN_FAULT + 400) == [StrengthChange("hang", 0.0)]


def test_a_fault_that_was_undone_meanwhile_is_told_where_it_ends(injection: Injection, process: psutil.Process) -> None:
    injection.set_all(IN_FAULT)
    process.resume()
    (change,) = injection.set_all(IN_FAULT + 400)
    assert change.strength == 0.0
    assert change.wrong is not None

"""A hang is looked at from outside: nobody answers at the target's address while it lasts, and somebody does after."""

import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import psutil
import pytest

from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.seams.seam import Site
from driftdrill.harness.setup.target import Listens, from_url
from driftdrill.stack.faults.process import Hang, LocalProcess
from tests.stack.test_listeners import WORKERS, Service, running

HANG = Fault("hang", Hang())


@pytest.fixture
def service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Service]:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", None)
    with running("shared", tmp_path) as made:
        yield made


def entered(service: Service, process: object) -> Any:
    """The hang as a drill holds it, in this process of the service."""
    return HANG.seam.enter(HANG, Site(replace(from_url(f"http://127.0.0.1:{service.port}"), process=process)))


def test_all_that_listen_are_silent_while_it_lasts_and_answer_after(service: Service) -> None:
    with entered(service, Listens()) as held:
        held.set(1)
        assert held.verify() is None
        assert held.processes() == 1 + WORKERS
        assert not service.answers()
        held.set(0)
        assert held.back() is None
    assert service.answers()


def test_one_worker_of_several_that_hangs_is_no_hang_of_the_service(service: Service) -> None:
    with entered(service, LocalProcess(max(service.workers))) as held:
        held.set(1)
        assert "expected no answer from 127.0.0.1" in str(held.verify() or held.verify())


def test_a_service_that_answers_no_more_once_it_was_continued_is_told(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("driftdrill.stack.faults.process.answers.AGAIN", 0.2)
    with entered(service, Listens()) as held:
        held.set(1)
        held.set(0)
        for pid in (service.parent.pid, *service.workers):
            psutil.Process(pid).suspend()
        assert "expected an answer from 127.0.0.1" in str(held.back())

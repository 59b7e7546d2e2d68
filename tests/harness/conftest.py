"""What the harness's tests share: the command line, the toy model, the demo model."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from stack.model_service import Service, serve
from tests.harness import toy
from tests.harness.command import Cli


@pytest.fixture
def cli(tmp_path: Path, prometheus_binary: str) -> Iterator[Cli]:
    """The command line in an empty folder. Binaries are taken, not containers: those have tests of their own."""
    folder = tmp_path / "here"
    folder.mkdir()
    binaries = {"DRIFTDRILL_PROMETHEUS": prometheus_binary, "DRIFTDRILL_PROMTOOL": "promtool"}
    made = Cli(folder, binaries)
    yield made
    for running in made.started:
        if not running.ended:
            running.popen.kill()
            running.popen.wait(10)


@pytest.fixture
def model() -> Iterator[toy.Toy]:
    """The toy model, honest."""
    with toy.serve(toy.Toy()) as served:
        yield served


@pytest.fixture(scope="session")
def demo() -> Iterator[Service]:
    """The demo model, once a session."""
    with serve() as service:
        yield service

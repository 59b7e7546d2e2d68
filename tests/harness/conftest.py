"""What the harness's tests share: the command line, the toy model, a Prometheus that was there before."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from driftdrill.stack.prometheus.api import Server
from tests.harness import scenarios, toy
from tests.harness.command import Cli, prometheus_for
from tests.harness.toy import Toy


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
def watched(prometheus_binary: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Toy, Server]]:
    """A toy and a Prometheus that was there before the drill: it scrapes the toy and has the rules."""
    folder = tmp_path_factory.mktemp("watched")
    scenarios.write(folder, scenarios.WALL)
    with toy.serve(Toy()) as model, prometheus_for(model, prometheus_binary, folder / "toy.yml") as server:
        yield model, server

"""`locust --processes N`: together the workers send the single-process schedule; one that dies is told."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import psutil
import pytest

from driftdrill.harness.recording.reader import open_recording
from driftdrill.harness.scenario.scenario import Scenario, load
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Blocks
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.harness.traffic.schedule import schedule
from driftdrill.stack.model_service import Service, serve
from driftdrill.stack.prometheus.promtool import find_binary

ROOT = Path(__file__).parents[3]

FILE = """
from driftdrill import Fault, ModelUser, Scenario, constant, quiet
from driftdrill.shift_generators import rescale
from driftdrill.stack.model_service import flights

drill = Scenario(
    name="several processes", story="The delay arrives in seconds.", rows=flights.held_out, truth="late",
    rate=constant(60), warm_up=1, baseline=3, fault=4, recovery=1, clock="wall",
    scrape_interval=1, evaluation_interval=1,
    faults=[Fault("dep_delay x60", rescale("dep_delay", by=60))],
    expect=[quiet("Busy")], rules=["{rules}"],
)

class Load(ModelUser):
    scenario = drill
"""
SEED = 5
"""Not the scenario's own: the workers hear of it from their master."""
RULES = """
groups:
  - name: load
    rules:
      - alert: Busy
        expr: sum(rate(http_requests_total[2s])) > 10000
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serve() as running:
        yield running


@dataclass
class Running:
    popen: "subprocess.Popen[str]"
    out: Path
    scenario: Scenario

    def ended(self) -> tuple[int, str]:
        output, _ = self.popen.communicate(timeout=120)
        return self.popen.returncode, output


def started(folder: Path, service: Service, binary: str, *options: str) -> Running:
    rules, file = folder / "rules.yml", folder / "drill.py"
    rules.write_text(RULES)
    file.write_text(FILE.format(rules=rules))
    out = folder / "x.drill"
    promtool = find_binary("promtool")
    assert promtool
    env = {k: v for k, v in os.environ.items() if k != "LOCUST_SKIP_MONKEY_PATCH"}
    env |= {"PYTHONPATH": str(ROOT), "DRIFTDRILL_PROMETHEUS": binary}
    command = [sys.executable, "-m", "locust", "-f", str(file), "--headless", "--host", service.url, "--only-summary"]
    port = str(_free_port())
    command += ["--seed", str(SEED)]
    command += ["--master-bind-port", port, "--master-port", port, "--prometheus", "binary", "--engine", promtool]
    popen = subprocess.Popen(
        [*command, "--out", str(out), *options],
        env=env, cwd=folder, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, start_new_session=True,
    )  # fmt: skip
    return Running(popen, out, replace(load(file), seed=SEED))


def _free_port() -> int:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as free:
        port: int = free.getsockname()[1]
        return port


def lose_a_worker(drill: Running) -> None:
    """Kill one worker when the drill has begun."""
    deadline = time.monotonic() + 90
    while not (drill.out / "meta.json").exists():
        assert time.monotonic() < deadline
        assert drill.popen.poll() is None, drill.ended()
        time.sleep(0.1)
    workers = [p for p in psutil.Process(drill.popen.pid).children() if "locust" in " ".join(p.cmdline())]
    workers[0].kill()


@pytest.fixture(scope="module")
def drills(
    tmp_path_factory: pytest.TempPathFactory, service: Service, prometheus_binary: str
) -> Iterator[list[Running]]:
    """Two drills at once, to save time: one with four workers, and one that loses one of three."""
    running: list[Running] = []
    try:
        for n in ("4", "3"):
            drill = started(tmp_path_factory.mktemp(n), service, prometheus_binary, "--processes", n)
            running.append(drill)
        lose_a_worker(running[1])
        yield running
    finally:
        for drill in running:
            if drill.popen.poll() is None:
                os.killpg(drill.popen.pid, signal.SIGKILL)
                drill.popen.wait(10)


def test_four_workers_send_the_single_process_schedule_row_for_row(drills: list[Running]) -> None:
    code, output = drills[0].ended()
    assert code == 0, output
    assert "VALID" in output
    scenario, requests = drills[0].scenario, open_recording(drills[0].out).requests()
    times = schedule(scenario)
    blocks = Blocks(scenario, protocol(ProtocolOptions()), times)
    blocks = [blocks.block(i) for i in range(-(-len(times) // BLOCK_ROWS))]
    assert requests.slot.tolist() == list(range(len(times)))
    np.testing.assert_allclose(requests.intended, times, atol=1e-5)
    truth = np.concatenate([b.truth for b in blocks if b.truth is not None])
    assert requests.truth is not None
    np.testing.assert_array_equal(requests.truth[:, 0], truth)
    changed = np.concatenate([b.changed["dep_delay x60"] for b in blocks])
    np.testing.assert_array_equal(requests.changed["dep_delay x60"], changed)
    assert changed.any()
    assert not (requests.failure != "").any()
    # Locust's own table has every request of all.
    assert re.search(rf"POST\s+predict\s+{len(times)}\s+0\(", output), output


def test_a_worker_that_dies_makes_the_drill_invalid(drills: list[Running]) -> None:
    drill = drills[1]
    code, output = drill.ended()
    assert code == 3, output
    assert "INVALID" in output
    assert "load not sent" in output
    recorded = open_recording(drill.out)
    assert len(recorded.requests()) < 0.9 * recorded.meta.planned
    assert [e["what"] for e in recorded.events() if e["event"] == "worker_lost"]


def test_the_virtual_clock_with_several_processes_is_refused(
    tmp_path: Path, service: Service, prometheus_binary: str
) -> None:
    code, output = started(tmp_path, service, prometheus_binary, "--processes", "2", "--clock", "virtual").ended()
    assert code == 2, output
    assert "the virtual clock runs in one process" in output

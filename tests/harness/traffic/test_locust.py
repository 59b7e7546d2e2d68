"""The same scenario file under `driftdrill run` and under plain `locust`, on the real demo model."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftdrill.stack.model_service import Service, serve
from driftdrill.stack.prometheus.promtool import find_binary

ROOT = Path(__file__).parents[3]

FILE = """
from driftdrill import Fault, ModelUser, Scenario, constant, fires, minutes, quiet
from driftdrill.shift_generators import rescale
from driftdrill.stack.model_service import flights

drill = Scenario(
    name="delays in seconds, short", story="The delay arrives in seconds.",
    rows=flights.held_out, truth="late", smallest_harm=0.02, rate=constant(2),
    warm_up=2 * minutes, baseline=2 * minutes, fault=6 * minutes, recovery=1 * minutes,
    faults=[Fault("dep_delay x60", rescale("dep_delay", by=60))],
    expect=[{expect}],
    rules=["{rules}"],
)

class Load(ModelUser):
    scenario = drill
"""

RULES = """
groups:
  - name: load
    rules:
      - alert: Busy
        expr: sum(rate(http_requests_total[1m])) > 100
"""


@pytest.fixture(scope="module")
def service() -> Iterator[Service]:
    with serve() as running:
        yield running


def drilled(tmp_path: Path, command: list[str], expect: str = 'quiet("Busy")') -> tuple[int, str, Path]:
    """Exit code, output and recording of one command on a scenario file with this expectation."""
    file = tmp_path / "drill.py"
    rules = tmp_path / "rules.yml"
    rules.write_text(RULES)
    file.write_text(FILE.format(expect=expect, rules=rules))
    out = tmp_path / f"{len(list(tmp_path.glob('*.drill')))}.drill"
    promtool = find_binary("promtool")
    assert promtool is not None
    # A child must patch as plain Locust does; the variable is this test process's own.
    env = {k: v for k, v in os.environ.items() if k != "LOCUST_SKIP_MONKEY_PATCH"} | {"PYTHONPATH": str(ROOT)}
    whole = [sys.executable, "-m", *command, "--engine", promtool, "--out", str(out)]
    whole = [str(file) if part == "FILE" else part for part in whole]
    done = subprocess.run(whole, env=env, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False)
    return done.returncode, done.stdout + done.stderr, out


def judged(output: str) -> str:
    """The verdict as printed, less the recording's own name."""
    start = re.search(r"^(VALID|INVALID)", output, re.MULTILINE)
    assert start, output
    return re.sub(r"\\S*\\.drill", "", output[start.start() : output.index("seed 0")])


def by_locust(service: Service) -> list[str]:
    return ["locust", "-f", "FILE", "--headless", "--host", service.url]


def by_run(service: Service) -> list[str]:
    return ["driftdrill.harness.cli", "run", "FILE", "--target", service.url]


@pytest.mark.parametrize(
    ("expect", "code"),
    [('quiet("Busy")', 0), ('fires("Busy", within=60)', 1)],
    ids=["held", "failed"],
)
def test_locust_ends_by_itself_with_the_verdict_and_exit_code_of_driftdrill_run(
    service: Service, tmp_path: Path, expect: str, code: int
) -> None:
    ours, by_us, _ = drilled(tmp_path, by_run(service), expect)
    theirs, by_them, _ = drilled(tmp_path, by_locust(service), expect)
    assert (ours, theirs) == (code, code), by_us + by_them
    assert judged(by_us) == judged(by_them)


def test_locusts_statistics_count_every_request_of_the_recording(service: Service, tmp_path: Path) -> None:
    stats = tmp_path / "stats"
    code, output, out = drilled(tmp_path, [*by_locust(service), "--json-file", str(stats), "-u", "7"])
    assert code == 0, output
    entry = next(e for e in json.loads(stats.with_suffix(".json").read_text()) if e["name"] == "predict")
    planned = json.loads((out / "meta.json").read_text())["planned"]
    assert entry["num_requests"] == planned
    assert entry["num_failures"] == 0
    assert entry["total_content_length"] > 0


def test_a_target_that_is_not_there_ends_locust_at_once_with_exit_code_2(tmp_path: Path) -> None:
    command = ["locust", "-f", "FILE", "--headless", "--host", "http://127.0.0.1:9"]
    code, output, _ = drilled(tmp_path, command)
    assert code == 2, output
    assert "driftdrill:" in output
    assert "Traceback" not in output

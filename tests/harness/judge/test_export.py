"""Recordings in other people's formats are read by those who made the formats."""

import subprocess
import sys
import time
from pathlib import Path

import pytest
import requests

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.judge.engine.unit_test import unit_test
from driftdrill.harness.judge.judge import recorded_rules
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.export import openmetrics
from driftdrill.stack.prometheus.promtool import find_promtool, run
from tests.harness.judge.test_judge import hot, step
from tests.harness.made import make

ROOT = Path(__file__).resolve().parents[3]


def test_promtool_makes_blocks_of_an_exported_recording(tmp_path: Path) -> None:
    labels = {(("path", 'a"b\\c\nd'),): (lambda t: float("nan") if t > 100 else float("inf"))}
    recording = make(tmp_path, {"heat": step(1000, 20), "odd": labels}, hot())
    (tmp_path / "x.om").write_text("".join(openmetrics(recording)), encoding="utf-8")
    done = run(find_promtool("binary"), ["tsdb", "create-blocks-from", "openmetrics", "x.om", "out"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / "out").glob("*/meta.json"))


def test_an_exported_unit_test_passes_and_fails_with_other_rules(tmp_path: Path) -> None:
    recording = make(tmp_path, {"heat": step(1000, 20, back=1700)}, hot())
    promtool = find_promtool()
    made = unit_test(recording, Rules(tuple(recorded_rules(recording))), promtool)
    (tmp_path / "rules.yml").write_text(made.rules, encoding="utf-8")
    (tmp_path / "test.yml").write_text(made.test, encoding="utf-8")
    assert run(promtool, ["test", "rules", "test.yml"], cwd=tmp_path).returncode == 0
    (tmp_path / "rules.yml").write_text(made.rules.replace("> 10", "> 30"), encoding="utf-8")
    assert run(promtool, ["test", "rules", "test.yml"], cwd=tmp_path).returncode == 1


def test_an_exported_unit_test_carries_names_that_prometheus_2_does_not_know(tmp_path: Path) -> None:
    promtool = find_promtool("binary")
    heat = {(("my.label", "\x01\x7f\ufffe"),): step(1000, 20, back=1700)}
    recording = make(tmp_path, {"heat": heat}, hot())
    made = unit_test(recording, Rules(tuple(recorded_rules(recording))), promtool)
    (tmp_path / "rules.yml").write_text(made.rules)
    (tmp_path / "test.yml").write_text(made.test)
    done = run(promtool, ["test", "rules", "test.yml"], cwd=tmp_path)
    assert done.returncode == 0, done.stderr + done.stdout


def test_a_rule_that_errors_is_not_exported_as_a_unit_test_which_would_end_there(tmp_path: Path) -> None:
    rules = "groups:\n- {name: g, rules: [{alert: B, expr: heat * on (job) sides > 0}]}\n"
    sides = {(("side", s),): (lambda t: 1.0) for s in "ab"}
    recording = make(tmp_path, {"heat": lambda t: 1.0, "sides": sides}, rules)
    with pytest.raises(RecordingError, match=r"B cannot be evaluated"):
        unit_test(recording, Rules(tuple(recorded_rules(recording))), find_promtool("binary"))


def test_up_opens_a_recording_in_a_real_prometheus_at_its_virtual_times(tmp_path: Path) -> None:
    recording = make(
        tmp_path, {"heat": step(1000, 20, back=1700)}, hot(), meta={"started_at": time.time() - 86_400 * 40}
    )
    command = [
        sys.executable,
        "-m",
        "driftdrill.harness.cli",
        "up",
        "--recording",
        str(recording.path),
        "--prometheus",
        "binary",
    ]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as child:
        try:
            assert child.stdout is not None
            url = child.stdout.readline().split()[-1].removesuffix("/graph")
            moment = recording.meta.started_at + 1200
            query = {"query": "heat", "time": f"{moment:.3f}"}
            answer = requests.get(f"{url}/api/v1/query", params=query, timeout=10).json()
            assert answer["data"]["result"][0]["value"][1] == "20"
        finally:
            child.send_signal(2)
            assert child.wait(20) == 130

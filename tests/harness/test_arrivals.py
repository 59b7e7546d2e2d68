"""Logs as traces: their forms, their errors with the line, and what a scenario may not combine with them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.arrivals import even, trace
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.blocks import Blocks
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.harness.traffic.schedule import schedule
from tests.harness.traffic.test_blocks import SCENARIO

BARE = replace(SCENARIO, truth=None, faults=[])


def log(tmp_path: Path, name: str, text: str) -> Path:
    file = tmp_path / name
    file.write_text(text)
    return file


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "time\n100.5\n101\n200.5\n"),
        ("a.csv", "id,time\n1,2024-05-01T12:00:00Z\n2,2024-05-01T12:00:00.5Z\n3,2024-05-01T12:01:40Z\n"),
        ("a.jsonl", '{"time": 7}\n\n{"time": 7.5}\n{"time": "1970-01-01T00:01:47+00:00"}\n'),
    ],
)
def test_a_log_gives_seconds_from_its_first_line(tmp_path: Path, name: str, text: str) -> None:
    assert trace(log(tmp_path, name, text)).times == (0.0, 0.5, 100.0)
    assert trace(log(tmp_path, name, text), speed=10).times == (0.0, 0.05, 10.0)


def test_bodies_are_sent_as_they_are(tmp_path: Path) -> None:
    lines = ['{"time": 0, "body": {"x": 1}}', '{"time": 70, "body": "raw NaN"}', '{"time": 80, "body": [2]}']
    scenario = replace(BARE, arrivals=trace(log(tmp_path, "a.jsonl", "\n".join(lines))))
    blocks = Blocks(scenario, protocol(ProtocolOptions()), schedule(scenario))
    assert blocks.block(0).bodies == [b'{"x": 1}', b"raw NaN", b"[2]"]
    quoted = log(tmp_path, "a.csv", 'time,body\n0,"{""x"": 1}"\n70,two\n')
    assert trace(quoted).bodies == (b'{"x": 1}', b"two")


def test_times_alone_send_the_scenarios_rows(tmp_path: Path) -> None:
    scenario = replace(SCENARIO, arrivals=trace(log(tmp_path, "a.csv", "time\n0\n65\n90\n9999\n")))
    times = schedule(scenario)
    assert times.tolist() == [0, 65, 90]
    block = Blocks(scenario, protocol(ProtocolOptions()), times).block(0)
    assert len(block.bodies) == 3
    assert block.truth is not None


def test_even_arrivals_are_the_scenarios_choice() -> None:
    gaps = np.diff(schedule(replace(SCENARIO, arrivals=even)))
    np.testing.assert_allclose(gaps, 0.1)


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("a.csv", "time\n1\nx\n", r"a\.csv:3: time must be seconds or ISO 8601, not 'x'"),
        ("a.csv", "time\n1\nnan\n", r"a\.csv:3: "),
        ("a.csv", "time,body\n5,\n4,\n", r"a\.csv:3: time '4' is before the line above"),
        ("a.csv", "when\n1\n", r"a\.csv:1: the header line names no column 'time'"),
        ("a.csv", 'time\n1\n"2\n', r"a\.csv:\d: not CSV"),
        ("a.csv", "time\n", "at least one line"),
        ("a.csv", "time,body\n1,a\n2,\n", r"a\.csv:3: either every line has a body or none"),
        ("a.jsonl", '{"time": 1}\n{"time": 2\n', r"a\.jsonl:2: not JSON"),
        ("a.jsonl", '{"time": 1}\n[2]\n', r"a\.jsonl:2: expected an object"),
        ("a.jsonl", '{"time": 1}\n{"at": 2}\n', r"a\.jsonl:2: time must be"),
        ("a.jsonl", '{"time": true}\n', r"a\.jsonl:1: time must be"),
    ],
)
def test_a_bad_line_is_told_with_its_number(tmp_path: Path, name: str, text: str, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        trace(log(tmp_path, name, text))


def test_a_log_that_is_not_there_or_not_text_is_told(tmp_path: Path) -> None:
    with pytest.raises(ScenarioError, match="No such file"):
        trace(tmp_path / "none.csv")
    (tmp_path / "b.jsonl").write_bytes(b'{"time": 1}\n\xff\xfe\n')
    with pytest.raises(ScenarioError, match="not UTF-8"):
        trace(tmp_path / "b.jsonl")


def test_what_cannot_go_with_a_trace_is_refused(tmp_path: Path) -> None:
    bodies = trace(log(tmp_path, "a.jsonl", '{"time": 0, "body": 1}\n{"time": 99, "body": 2}\n'))
    for scenario in (SCENARIO, replace(SCENARIO, faults=[])):
        with pytest.raises(ScenarioError, match="no truth, and no fault of rows"):
            replace(scenario, arrivals=bodies)
    with pytest.raises(ScenarioError, match="ends before the fault phase"):
        replace(SCENARIO, arrivals=trace(log(tmp_path, "s.csv", "time\n0\n1\n")))
    with pytest.raises(ScenarioError, match="speed must be above 0"):
        trace(tmp_path / "s.csv", speed=0)

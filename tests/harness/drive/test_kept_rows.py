"""Rows in a recording: only where they were asked for, as they were sent, and never what is redacted."""

import base64
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.recording.reader import Recording, open_recording
from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.blocks import Blocks
from driftdrill.harness.traffic.payload import Charset, Text
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.shift_generators import rescale
from tests.harness import scenarios
from tests.harness.command import Cli, assert_told
from tests.harness.made import make
from tests.harness.toy import Toy

ROWS = {
    "x": np.array([1.0, np.nan, 3.0]),
    "name": np.array(["a", "b", "c"], dtype=object),
    "label": np.array([0, 1, 0]),
}


def kept(folder: Path, *faults: Fault, redact: tuple[str, ...] = (), numbered: bool = False) -> list[dict[str, Any]]:
    """What is kept of 600 requests, a second each; the fault phase is from second 200 to 400."""
    scenario = Scenario(
        name="kept", story="kept", rows=lambda: ROWS, truth="label", rate=constant(1), warm_up=0, baseline=200,
        fault=200, recovery=200, faults=faults, expect=[],
    )  # fmt: skip
    blocks = Blocks(scenario, protocol(ProtocolOptions()), np.arange(600.0), numbered=numbered, keep=True)
    from driftdrill.harness.drive.kept_rows import KeptRows
    from driftdrill.harness.recording.writer import Writer

    template = make(folder, {}, "groups: []", name="template.drill")
    writer, writes = Writer(folder / "kept.drill", template.meta), KeptRows(blocks, redact)
    for at in (0.0, 300.0, 600.0):
        writes.write(writer, at)
    return list(open_recording(folder / "kept.drill").blocks("rows"))


def test_features_are_kept_as_they_were_sent_and_the_truth_is_not_among_them(tmp_path: Path) -> None:
    found = kept(tmp_path, Fault("x10", rescale("x", by=10)))
    assert [b["first"] for b in found] == [0, 256, 512]
    assert [len(b["columns"]["x"]) for b in found] == [256, 256, 88]
    assert set(found[0]["columns"]) == {"x", "name"}
    assert set(found[0]["columns"]["x"][:200]) == {1.0, None, 3.0}
    assert set(found[1]["columns"]["x"][:100]) == {10.0, None, 30.0}
    assert all(b["bodies"] == {} for b in found)


def test_bodies_are_kept_of_requests_that_a_fault_of_the_payload_changed(tmp_path: Path) -> None:
    text = Fault("text", Text("name", text="é", charset="latin-1"), strength=constant(0.5))
    found = kept(tmp_path, text, numbered=True)
    bodies = {int(slot): body for b in found for slot, body in b["bodies"].items()}
    assert 50 < len(bodies) < 150
    assert all(200 <= slot < 400 for slot in bodies)
    assert b"\xe9" in base64.b64decode(next(iter(bodies.values()))["base64"])


def test_what_is_redacted_is_nowhere(tmp_path: Path) -> None:
    found = kept(tmp_path, Fault("utf-16", Charset("utf-16")), redact=("name",))
    assert set(found[0]["columns"]["name"]) == {None}
    assert set(found[0]["columns"]["x"]) == {1.0, None, 3.0}
    assert all(b["bodies"] == {} for b in found)


def test_a_column_to_redact_that_there_is_not_is_told_with_the_nearest(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="rows have no column 'nam'") as told:
        kept(tmp_path, redact=("nam",))
    assert told.value.hint == "did you mean name?"


def values(recording: Recording) -> list[float | None]:
    return [v for b in recording.blocks("rows") for v in b["columns"]["x"]]


def test_a_drill_keeps_rows_only_where_it_is_asked_to(cli: Cli, model: Toy) -> None:
    file = scenarios.write(cli.folder)
    assert cli("record", file, "--target", model.url, "--out", "without.drill").code == 0
    assert cli("record", file, "--target", model.url, "--out", "with.drill", "--keep-rows").code == 0

    assert list(open_recording(cli.folder / "without.drill").blocks("rows")) == []
    one = open_recording(cli.folder / "with.drill")
    requests = one.requests()
    # The toy answers min(x, 1): what was kept is what was sent, slot by slot.
    assert np.allclose(np.minimum(np.array(values(one), dtype=float), 1.0), requests.prediction[:, 0])
    assert_told(cli("record", file, "--target", model.url, "--keep-rows", "--redact", "y").refused(), "'y'", "x")


def test_a_traces_bodies_are_kept_only_where_it_is_asked_to(cli: Cli, model: Toy) -> None:
    lines = [json.dumps({"time": t, "body": {"x": 0.25, "who": "somebody"}}) for t in range(0, 440, 2)]
    (cli.folder / "log.jsonl").write_text("\n".join(lines))
    file = scenarios.write(
        cli.folder, imports="from driftdrill import trace", arrivals="trace('log.jsonl')", truth="None",
        smallest_harm="None", faults="[]",
    )  # fmt: skip
    assert cli("record", file, "--target", model.url, "--out", "without.drill").code == 0
    assert cli("record", file, "--target", model.url, "--out", "with.drill", "--keep-rows").code == 0

    everything = b"".join(p.read_bytes() for p in (cli.folder / "without.drill").rglob("*") if p.is_file())
    assert b"somebody" not in everything
    without = open_recording(cli.folder / "without.drill")
    assert "somebody" not in json.dumps([list(without.blocks(s)) for s in ("requests", "events", "samples")])
    bodies = [b for block in open_recording(cli.folder / "with.drill").blocks("rows") for b in block["bodies"].values()]
    assert len(bodies) == 220
    assert json.loads(bodies[0]) == {"x": 0.25, "who": "somebody"}

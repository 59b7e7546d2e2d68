"""The format's promise: a recording of a version that is read is judged to the same words by every later driftdrill.

``every_seam.drill`` was driven against the demo model with a fault of each seam that virtual time has, all at once. The
examples of the documentation are older: their faults do not say a seam.
"""

import json
import shutil
from pathlib import Path

import pytest

from driftdrill import judge
from driftdrill.harness.errors import RecordingError
from driftdrill.harness.recording.gzip_members import member
from driftdrill.harness.recording.meta import SCHEMA
from driftdrill.harness.recording.reader import open_recording
from driftdrill.reports.data.verdict import Verdict

ROOT = Path(__file__).resolve().parents[2]
RECORDING = ROOT / "tests" / "recordings" / "every_seam.drill"
EXAMPLES = ROOT / "docs" / "example" / "recordings"

FIRED = ("InputDrift", "MissingValues", "PredictionDrift")
WORDS = {
    RECORDING: (True, FIRED, dict.fromkeys(("rows", "payload", "load", "network", "switch"), "HARMFUL"), True),
    EXAMPLES / "delays_in_seconds.drill": (
        True,
        ("DecisionShift", "InputDrift", "PredictionDrift"),
        {"dep_delay x60": "HARMFUL"},
        True,
    ),
    EXAMPLES / "wrong_join.drill": (True, (), {"wrong join of dep_delay": "HARMFUL"}, True),
}


def said(verdict: Verdict) -> tuple[bool, tuple[str, ...], dict[str, str], bool]:
    """(valid, alerts that fired, each fault's harm, whether every expectation held)."""
    words = {r.word for r in verdict.responses}
    assert words <= {"FIRED", "SILENT", "NOT_JUDGED"}, words
    fired = tuple(sorted(r.alert for r in verdict.responses if r.word == "FIRED"))
    return verdict.validity.valid, fired, {h.fault: h.word for h in verdict.harms}, not verdict.failures


@pytest.mark.parametrize("recording", WORDS, ids=lambda path: path.name)
def test_a_recording_of_the_first_version_is_judged_to_the_words_that_it_had(recording: Path) -> None:
    assert open_recording(recording).meta.schema == 1
    assert said(judge(recording)) == WORDS[recording]


def test_a_fault_that_touched_nothing_is_told_at_each_seam(tmp_path: Path) -> None:
    """The same recording, but its events and columns say that the faults changed nothing."""
    copy = tmp_path / "idle.drill"
    shutil.copytree(RECORDING, copy)
    events = open_recording(RECORDING).events()
    idle = [e | ({"touched": 0} if "touched" in e else {}) for e in events]
    (copy / "events.jsonl.gz").write_bytes(b"".join(member(json.dumps(e).encode() + b"\n") for e in idle))
    blocks = [b | {"changed": {}} for b in open_recording(RECORDING).blocks("requests")]
    (copy / "requests.jsonl.gz").write_bytes(b"".join(member(json.dumps(b).encode() + b"\n") for b in blocks))

    reasons = judge(copy).validity.reasons

    silent = ("rows", "payload", "page", "network", "switch")
    assert [name for name in silent if any(f"fault {name!r} was" in r for r in reasons)] == list(silent)


def test_a_recording_of_another_version_is_refused_by_name_with_the_way_out(tmp_path: Path) -> None:
    copy = tmp_path / "later.drill"
    shutil.copytree(RECORDING, copy)
    meta = json.loads((copy / "meta.json").read_text(encoding="utf-8"))
    (copy / "meta.json").write_text(json.dumps(meta | {"schema": SCHEMA + 1}), encoding="utf-8")

    with pytest.raises(RecordingError, match=f"recording of schema {SCHEMA + 1}; this version reads {SCHEMA}") as told:
        open_recording(copy)
    assert told.value.hint == "use the driftdrill that recorded it, or record it again"

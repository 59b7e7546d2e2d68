"""Recordings on a real disk: what was written reads back, whatever ended the writer or changed the files."""

import json
import os
import resource
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.judge import judge
from driftdrill.harness.recording.reader import Recording, open_recording
from driftdrill.harness.recording.stale import STALE, STALE_BITS
from driftdrill.harness.recording.writer import Writer
from tests.harness.made import make

RULES = "groups:\n- {name: g, rules: [{alert: Hot, expr: heat > 10}]}\n"
STREAM = "samples.jsonl.gz"


@pytest.fixture
def recording(tmp_path: Path) -> Recording:
    return make(tmp_path, {"heat": lambda t: 1.0}, RULES)


def written(tmp_path: Path, ended: bool) -> tuple[Path, list[int]]:
    """A recording with three blocks of samples at 0, 1 and 2 s, and where each begins in its file."""
    empty = make(tmp_path, {}, RULES, end=False, name="template.drill")
    writer = Writer(tmp_path / "three.drill", empty.meta)
    starts = []
    for second in range(3):
        file = writer.path / STREAM
        starts.append(file.stat().st_size if file.exists() else 0)
        values = {i: [(float(second), 10.0 * second + i)] for i in range(4)}
        writer.samples("samples", lambda i: {"__name__": "m", "i": str(i)}, values)
    if ended:
        writer.event("end", 3.0, complete=True, why="", sent=0, ended=0)
    return writer.path, starts


def seconds_read(path: Path) -> list[int]:
    """The moments of series 0, and all series have them."""
    found = open_recording(path).samples()
    assert len({tuple(s.times) for s in found}) <= 1
    return [int(t) // 1000 for s in found[:1] for t in s.times]


def test_every_value_reads_back_bit_for_bit(tmp_path: Path) -> None:
    """Integers beyond 2**53, the smallest floats, negative zero, NaN, infinities and stale markers."""
    rng = np.random.default_rng(0)
    odd = [0.0, -0.0, 1.0, -3.0, 0.1, 1 / 3, 5e-324, 1.8e308, 2.0**53, 2.0**53 + 2, 1e300, float("inf"), -float("inf")]
    values = np.array([*odd, float("nan"), STALE, *rng.integers(0, 2**63, 300).view(np.float64)])
    values = np.where(np.isnan(values) & (values.view(np.uint64) != STALE_BITS), np.nan, values)
    empty = make(tmp_path, {}, RULES)
    writer = Writer(tmp_path / "values.drill", empty.meta)
    moments = np.arange(len(values)) / 1000 - 0.1
    for chunk in np.array_split(np.arange(len(values)), 7):
        points = [(float(moments[k]), float(values[k])) for k in chunk]
        writer.samples("samples", lambda i: {"__name__": "m", "i": str(i)}, {0: points, 1: points[::2]})
    everything, half = open_recording(writer.path).samples()
    assert everything.times.tolist() == list(range(-100, len(values) - 100))
    assert everything.values.view(np.uint64).tolist() == values.view(np.uint64).tolist()
    assert everything.stale.sum() == 1
    assert set(half.times.tolist()) < set(everything.times.tolist())
    at = np.searchsorted(everything.times, half.times)
    assert half.values.view(np.uint64).tolist() == values[at].view(np.uint64).tolist()


WRITES_FOREVER = """
import sys
from pathlib import Path
from driftdrill.harness.recording.reader import open_recording
from driftdrill.harness.recording.writer import Writer
template, path = map(Path, sys.argv[1:])
writer = Writer(path, open_recording(template).meta)
print("writing", flush=True)
second = 0
while True:
    points = {i: [(float(second), float(second))] for i in range(400)}
    writer.samples("samples", lambda i: {"__name__": "m", "i": str(i)}, points)
    writer.event("scraped", second)
    second += 1
"""


@pytest.mark.parametrize("after", [0.0, 0.02, 0.05, 0.11, 0.2])
def test_a_killed_writer_leaves_a_readable_recording(tmp_path: Path, after: float) -> None:
    template = make(tmp_path, {}, RULES, end=False, name="template.drill")
    path = tmp_path / "killed.drill"
    command = [sys.executable, "-c", WRITES_FOREVER, str(template.path), str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as writing:
        assert writing.stdout is not None
        assert writing.stdout.readline() == b"writing\n"
        with pytest.raises(subprocess.TimeoutExpired):
            writing.wait(after)
        writing.send_signal(signal.SIGKILL)
    recording = open_recording(path)
    told = len(recording.events())
    samples = recording.samples()
    assert all(s.times.tolist() == (1000 * s.values).tolist() for s in samples)
    if samples:
        # An event follows each block; the kill came before one of the two.
        assert len(samples) == 400
        assert len(samples[0].times) - told in (0, 1)
    assert not recording.ended


def test_a_block_torn_at_any_byte_is_dropped_and_those_before_are_kept(tmp_path: Path) -> None:
    path, starts = written(tmp_path, ended=False)
    whole = (path / STREAM).read_bytes()
    for length in range(starts[2], len(whole) + 1):
        (path / STREAM).write_bytes(whole[:length])
        assert seconds_read(path) == ([0, 1, 2] if length == len(whole) else [0, 1]), length


def test_a_recording_that_was_cut_off_after_its_drill_ended_is_told_with_file_and_offset(tmp_path: Path) -> None:
    path, starts = written(tmp_path, ended=True)
    whole = (path / STREAM).read_bytes()
    for length in (starts[1] + 1, starts[2] + 5, len(whole) - 1):
        (path / STREAM).write_bytes(whole[:length])
        begins = max(s for s in starts if s < length)
        with pytest.raises(RecordingError, match=f"block at byte {begins} is cut off") as told:
            open_recording(path).samples()
        assert str(path / STREAM) in str(told.value)


def test_a_changed_byte_is_told_with_file_and_offset(tmp_path: Path) -> None:
    path, starts = written(tmp_path, ended=True)
    whole = (path / STREAM).read_bytes()
    before = [(s.times.tolist(), s.values.tolist()) for s in open_recording(path).samples()]
    unnoticed = []
    for at in range(len(whole)):
        (path / STREAM).write_bytes(whole[:at] + bytes([whole[at] ^ 0x10]) + whole[at + 1 :])
        told = ""
        try:
            assert [(s.times.tolist(), s.values.tolist()) for s in open_recording(path).samples()] == before
        except RecordingError as e:
            told = str(e)
        begins = max(s for s in starts if s <= at)
        if not told:
            unnoticed.append(at)
        elif f"{path / STREAM}: " not in told or f"at byte {begins}" not in told:
            pytest.fail(f"byte {at}: {told}")
    # Where nothing was told nothing was lost: the compressor's name in a header, bits that fill up a byte.
    assert len(unnoticed) <= 4 * len(starts)


@pytest.mark.parametrize(
    ("block", "reason"),
    [
        (b"[]", "Expected `object`"),
        (b'{"series": {}, "times": [0], "values": {"9": [1]}}', "series 9 does not fit"),
        (b'{"series": {"0": {}}, "times": [0], "values": {"0": [1, 2]}}', "series 0 does not fit"),
        (b'{"series": {"0": {}}, "times": [0], "values": {"0": ["hot"]}}', "'hot' is no sample value"),
        (b"{", "truncated"),
    ],
)
def test_a_block_that_is_none_of_ours_is_told_with_its_offset(tmp_path: Path, block: bytes, reason: str) -> None:
    from driftdrill.harness.recording.gzip_members import member

    path, _ = written(tmp_path, ended=True)
    file = path / STREAM
    size = file.stat().st_size
    file.write_bytes(file.read_bytes() + member(block))
    with pytest.raises(RecordingError, match=reason) as told:
        open_recording(path).samples()
    assert f"byte {size}" in str(told.value)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda meta: meta | {"schema": 99}, "schema 99; this version reads 1"),
        (lambda meta: {k: v for k, v in meta.items() if k != "schema"}, "schema None"),
        (lambda meta: meta | {"phases": "none"}, r"damaged: .*\$\.phases"),
        (lambda meta: {k: v for k, v in meta.items() if k != "scenario"}, "damaged: .*scenario"),
        (lambda meta: [meta], "schema None"),
    ],
)
def test_meta_of_another_version_or_damaged_is_told(
    recording: Recording, change: Callable[[dict], object], reason: str
) -> None:
    file = recording.path / "meta.json"
    file.write_text(json.dumps(change(json.loads(file.read_text()))))
    with pytest.raises(RecordingError, match=reason):
        open_recording(recording.path)


def test_meta_cut_off_anywhere_is_told(recording: Recording) -> None:
    file = recording.path / "meta.json"
    whole = file.read_bytes()
    for length in range(0, len(whole), 7):
        file.write_bytes(whole[:length])
        with pytest.raises(RecordingError, match=r"meta\.json"):
            open_recording(recording.path)


@contextmanager
def file_size_limit(limit: int) -> Iterator[None]:
    """No file of this process may grow beyond ``limit`` bytes: a write fails half-way, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_full_disk_is_told_and_leaves_whole_blocks_that_may_be_followed_by_others(tmp_path: Path) -> None:
    path, _ = written(tmp_path, ended=False)
    size = (path / STREAM).stat().st_size
    shutil.move(path, tmp_path / "old.drill")
    writer = Writer(path, open_recording(tmp_path / "old.drill").meta)
    os.replace(tmp_path / "old.drill" / STREAM, path / STREAM)
    noise = np.random.default_rng(0).random(1000)
    with file_size_limit(size + 40), pytest.raises(RecordingError, match=f"cannot write {STREAM}: File too large"):
        writer.samples(
            "samples", lambda i: {"__name__": "noise"}, {9: [(3.0 + i, v) for i, v in enumerate(noise.tolist())]}
        )
    assert seconds_read(path) == [0, 1, 2]
    writer.samples("samples", lambda i: {"__name__": "noise"}, {9: [(3.0, 1.0)]})
    assert [s.labels for s in open_recording(path).samples()][-1] == {"__name__": "noise"}


def test_an_hour_of_100_series_takes_300_kb_at_most(tmp_path: Path) -> None:
    """Counters that grow at random, gauges, and histograms' buckets, written every 2 s of real time as drives do."""
    rng = np.random.default_rng(0)
    ticks = 240
    values = np.vstack(
        [
            rng.poisson(30, (60, ticks)).cumsum(axis=1),  # counters, histogram buckets, bins
            rng.gamma(9, 1 / 3, (20, ticks)).cumsum(axis=1),  # sums of floats
            np.full((18, ticks), 0.25),  # reference shares and other constants
            rng.gamma(3, 0.001, (2, ticks)),  # durations
        ]
    )
    empty = make(tmp_path, {}, RULES, end=False)
    writer = Writer(tmp_path / "hour.drill", empty.meta)
    labels = {"job": "model", "instance": "127.0.0.1:8000"}
    for chunk in np.array_split(np.arange(ticks), 5):
        points = {i: [(15.0 * k + 7, float(values[i, k])) for k in chunk] for i in range(100)}
        writer.samples("samples", lambda i: {"__name__": "model_feature_values_total", "bin": str(i), **labels}, points)
    shutil.copy(empty.path / "requests.jsonl.gz", writer.path)
    assert len(open_recording(writer.path).samples()) == 100
    assert sum(f.stat().st_size for f in writer.path.rglob("*") if f.is_file()) <= 300_000


def test_streams_and_fields_that_a_reader_does_not_know_are_kept(tmp_path: Path, recording: Recording) -> None:
    from driftdrill.harness.recording.gzip_members import member

    said = {"at": 1000.0, "alert": "Hot", "new": ["field"]}
    for stream in ("notifications", "events"):
        with (recording.path / f"{stream}.jsonl.gz").open("ab") as f:
            f.write(member(json.dumps(said | {"event": "notified"}).encode()))
    meta = json.loads((recording.path / "meta.json").read_text())
    (recording.path / "meta.json").write_text(json.dumps(meta | {"invented_later": {"a": 1}}))
    again = open_recording(recording.path)
    assert list(again.blocks("notifications")) == [said | {"event": "notified"}]
    assert judge(again, promtool=None).validity.valid
    assert list(open_recording(recording.path).blocks("notifications")) == [said | {"event": "notified"}]

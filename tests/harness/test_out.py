"""Where a recording goes, a disk that fills up, and what is no recording."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftdrill.harness.recording.reader import open_recording
from tests.harness import scenarios
from tests.harness.command import Cli, assert_told
from tests.harness.toy import Toy


def test_an_out_that_exists_is_not_overwritten(cli: Cli, model: Toy) -> None:
    (cli.folder / "mine.drill").mkdir()
    (cli.folder / "mine.drill" / "kept").write_text("kept")

    told = cli("run", scenarios.write(cli.folder), "--target", model.url, "--out", "mine.drill").refused()

    assert_told(told, "mine.drill: there is one already", "another --out")
    assert (cli.folder / "mine.drill" / "kept").read_text() == "kept"
    assert model.requests == 0


def test_an_out_that_cannot_be_written_is_told_before_the_drill(cli: Cli, model: Toy) -> None:
    (cli.folder / "file").write_text("")

    told = cli("run", scenarios.write(cli.folder), "--target", model.url, "--out", "file/x.drill").refused()

    assert_told(told, "file/x.drill: cannot write a recording: Not a directory", "--out")
    assert model.requests == 0


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 32 kB, where this machine allows one to be mounted."""
    mount, folder = shutil.which("mount"), tmp_path / "disk"
    folder.mkdir()
    command = [str(mount), "-t", "tmpfs", "-o", "size=32k", "tmpfs", str(folder)]
    if mount is None or subprocess.run(command, capture_output=True, check=False, timeout=10).returncode:
        pytest.skip("no file system can be mounted here; the limit on file sizes stands in for a full disk")
    yield folder
    subprocess.run(["umount", str(folder)], check=True, timeout=10)


def test_a_full_disk_ends_the_drill_and_keeps_what_was_written(cli: Cli, model: Toy, small_disk: Path) -> None:
    out = small_disk / "full.drill"
    file = scenarios.write(cli.folder, rate="constant(10)")

    told = cli("run", file, "--target", model.url, "--out", out).refused()

    assert_told(told, "full.drill: cannot write .*: No space left on device", "kept")
    check_readable(out)


def test_a_limit_on_file_sizes_ends_the_drill_like_a_full_disk(cli: Cli, model: Toy) -> None:
    """A stand-in for a full disk where none can be mounted: RLIMIT_FSIZE makes a write fail half-way."""
    file = scenarios.write(cli.folder, rate="constant(10)")
    limited = (
        "import resource, runpy, sys; resource.setrlimit(resource.RLIMIT_FSIZE, (14000, 14000)); "
        "sys.argv[0] = 'driftdrill'; runpy.run_module('driftdrill.harness.cli', run_name='__main__')"
    )
    running = cli.start(
        "run", file, "--target", model.url, "--out", "full.drill", program=(sys.executable, "-c", limited)
    )

    assert_told(running.wait().refused(), "full.drill: cannot write .*: File too large", "kept")
    check_readable(cli.folder / "full.drill")


def check_readable(path: Path) -> None:
    """A recording that ended early reads back."""
    recording = open_recording(path)
    assert 0 < len(recording.requests()) < recording.meta.planned
    recording.samples()
    recording.events()


@pytest.mark.parametrize("name", ["no-such.drill", "empty.drill", "broken.drill", "old.drill"])
def test_what_is_no_recording_is_told(cli: Cli, name: str) -> None:
    for other, text in (("empty", None), ("broken", "{"), ("old", json.dumps({"schema": 0}))):
        (cli.folder / f"{other}.drill").mkdir()
        if text is not None:
            (cli.folder / f"{other}.drill" / "meta.json").write_text(text)

    assert_told(cli("judge", name).refused(), name)

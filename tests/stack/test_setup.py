"""The set-up's scripts: what they find, and what they tell a newcomer who lacks something."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(script: str, *arguments: str, path: Path, **variables: str) -> "subprocess.CompletedProcess[str]":
    """Run one of tools/ with nothing on PATH but that folder."""
    return subprocess.run(
        ["/bin/sh", str(ROOT / "tools" / script), *arguments],
        env={"PATH": str(path), **variables},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def program(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


OLD = 'case "$2" in *version_info*) exit 1 ;; esac'
WITHOUT_VENV = 'case "$2" in *ensurepip*) exit 1 ;; esac'


def test_a_python_of_311_or_newer_with_venv_is_found(tmp_path: Path) -> None:
    for name, script in (("python3", OLD), ("python3.12", WITHOUT_VENV), ("python3.11", "exit 0")):
        program(tmp_path, name, script)
    assert run("find-python", path=tmp_path).stdout.strip() == str(tmp_path / "python3.11")


def test_the_python_that_was_asked_for_goes_first(tmp_path: Path) -> None:
    program(tmp_path, "python3", "exit 0")
    program(tmp_path, "mine", "exit 0")
    assert run("find-python", path=tmp_path, PYTHON="mine").stdout.strip() == str(tmp_path / "mine")


@pytest.mark.parametrize(
    ("pythons", "told"),
    [
        ({}, "apt install python3 python3-venv"),
        ({"python3": OLD}, "older than Python 3.11"),
        ({"python3": WITHOUT_VENV}, "apt install python3-venv"),
    ],
)
def test_a_missing_python_or_venv_is_told_with_the_remedy(tmp_path: Path, pythons: dict[str, str], told: str) -> None:
    for name, script in pythons.items():
        program(tmp_path, name, script)
    done = run("find-python", path=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert told in done.stderr


def test_where_no_package_manager_has_prometheus_the_ways_are_named(tmp_path: Path) -> None:
    done = run("get-prometheus", str(tmp_path / "bin"), path=tmp_path)
    assert done.returncode == 1
    assert all(way in done.stderr for way in ("container engine", "on PATH", "--prometheus URL"))


def test_on_macos_homebrew_is_asked(tmp_path: Path) -> None:
    program(tmp_path, "brew", "echo brew $*")
    assert run("get-prometheus", str(tmp_path / "bin"), path=tmp_path).stdout == "brew install prometheus\n"


def test_every_target_of_the_help_exists() -> None:
    make = shutil.which("make")
    if make is None:
        pytest.skip("no make")
    told = subprocess.run([make, "-C", str(ROOT)], capture_output=True, text=True, timeout=30, check=True).stdout
    targets = [line.split()[1] for line in told.splitlines() if line.startswith("make ")]
    assert {"demo", "test", "check"} <= set(targets)
    text = (ROOT / "Makefile").read_text()
    assert all(f".PHONY: {target}\n" in text for target in targets)


def test_the_scripts_can_be_run() -> None:
    scripts = [*(ROOT / "tools").iterdir(), ROOT / ".ci" / "run"]
    assert [script.name for script in scripts if not os.access(script, os.X_OK)] == []
    for script in scripts:
        first = script.read_text().splitlines()[0]
        if first.endswith("python3"):
            compile(script.read_bytes(), str(script), "exec")
            continue
        subprocess.run(["bash" if "bash" in first else "sh", "-n", str(script)], check=True, timeout=20)

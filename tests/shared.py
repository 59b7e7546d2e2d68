"""What several files look at and is slow to make: made once for all workers, by whoever comes first."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
OWN_VENV = Path(sys.prefix) == ROOT / ".venv"
"""Whether this is the environment of the checkout, which `make` uses."""
DEMO = "--only wrong_join"
"""One of the demo's four drills."""


def once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """The folder ``name`` that all workers share, filled by ``make``; what raised is tried again by the next.

    The others wait for it, at most as long as a test may take.
    """
    base = factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    folder.mkdir(exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not (folder / ".made").exists():
            make(folder)
            (folder / ".made").touch()
    return folder


def demo_of_wrong_join(factory: pytest.TempPathFactory) -> Path:
    """The recording of the demo's drill of a wrong join: its report lies beside it."""
    command = f"make demo ARGS='{DEMO} --out {{}}/report'" if OWN_VENV else f"driftdrill demo {DEMO} --out {{}}/report"
    made = once(factory, "wrong_join", lambda folder: run(command.format(folder), folder, ROOT))
    (recording,) = made.glob("report/*/wrong_join.drill")
    return recording


def environment(folder: Path) -> dict[str, str]:
    """The commands of this very Python first on PATH."""
    bin_ = folder / "bin"
    bin_.mkdir(exist_ok=True)
    command = bin_ / "driftdrill"
    command.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m driftdrill.harness.cli "$@"\n', encoding="utf-8")
    command.chmod(0o755)
    path = os.pathsep.join([str(bin_), str(Path(sys.executable).parent), os.environ["PATH"]])
    outside = {k: v for k, v in os.environ.items() if k != "LOCUST_SKIP_MONKEY_PATCH"}
    temporary = folder / "tmp"
    temporary.mkdir(exist_ok=True)  # what other drills of this machine left in its own is not the README's
    return {**outside, "PATH": path, "PYTHONPATH": str(ROOT), "TMPDIR": str(temporary)}


def run(command: str, folder: Path, cwd: Path, code: int = 0) -> None:
    """Run a line of a console; its exit code is ``code``."""
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=cwd,
        env=environment(folder),
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert done.returncode == code, f"$ {command}\n{done.stdout[-2000:]}\n{done.stderr[-2000:]}"

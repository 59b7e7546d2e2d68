"""One virtual environment a model server, cached in build/servers: their pins contradict each other and ours."""

import fcntl
import hashlib
import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

CACHE = Path(__file__).parents[2] / "build" / "servers"
INSTALL_SECONDS = 600


class NotInstalled(Exception):
    """The environment cannot be made here; the text is the installer's own last words."""


def environment(name: str, requirements: Sequence[str]) -> Path:
    """The Python of an environment that holds ``requirements``, made if it is not there yet.

    Raises :class:`NotInstalled`.
    """
    text = "\n".join([sys.version, *requirements])
    folder = CACHE / f"{name}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # two test processes may want the same one
        if not (folder / "installed").exists():
            for old in CACHE.glob(f"{name}-*"):
                shutil.rmtree(old)
            _make(folder, requirements)
            (folder / "installed").touch()
    return folder / "bin" / "python"


def _make(folder: Path, requirements: Sequence[str]) -> None:
    python = str(folder / "bin" / "python")
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])
    if importlib.util.find_spec("uv") is not None:
        install = [sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python]
    else:
        install = [sys.executable, "-m", "pip", "--python", python, "install", "--quiet"]
    _run([*install, *requirements])


def _run(command: list[str]) -> None:
    # The tests' own environment would otherwise be where uv installs to.
    env = {k: v for k, v in os.environ.items() if k not in ("VIRTUAL_ENV", "PYTHONPATH")}
    try:
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=INSTALL_SECONDS, check=False)
    except subprocess.TimeoutExpired as e:
        raise NotInstalled(f"not within {INSTALL_SECONDS} s: {' '.join(command)}") from e
    if done.returncode:
        raise NotInstalled(" | ".join((done.stderr or done.stdout).strip().splitlines()[-4:]))

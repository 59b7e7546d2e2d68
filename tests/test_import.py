"""`import driftdrill`: what it names, what it does not load, and who else may have packages of our names."""

import subprocess
import sys
from pathlib import Path

import pytest

import driftdrill

ROOT = Path(__file__).resolve().parents[1]


def python(code: str, cwd: Path, *path: Path) -> "subprocess.CompletedProcess[str]":
    """Run code in a fresh interpreter, with these folders first on sys.path."""
    start = f"import sys; sys.path[:0] = {[str(p) for p in path]!r}\n"
    command = [sys.executable, "-P", "-c", start + code]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def test_the_public_names_are_these() -> None:
    """A name that is added or taken away is a decision: it is written here too."""
    assert sorted(driftdrill.__all__) == NAMES
    assert all(getattr(driftdrill, name) is not None or name == "everything_else" for name in NAMES)


NAMES = [
    "Batch",
    "Canary",
    "Curve",
    "DriftdrillError",
    "Fault",
    "ModelUser",
    "Scenario",
    "accuracy",
    "auc",
    "brier",
    "close_to",
    "constant",
    "control",
    "diurnal",
    "even",
    "everything_else",
    "exists",
    "fires",
    "hours",
    "judge",
    "ladder",
    "load",
    "log_loss",
    "loss_of",
    "macro_f1",
    "mae",
    "minutes",
    "moves",
    "percent",
    "piecewise",
    "pinball",
    "poisson",
    "pulse",
    "quiet",
    "ramp",
    "recorded",
    "recurring",
    "resolves",
    "rmse",
    "seasonal",
    "seconds",
    "sigmoid",
    "silent",
    "sine",
    "soak",
    "spike",
    "stays",
    "steady",
    "step",
    "trace",
]


def test_a_name_that_is_not_there_is_told_as_of_any_module() -> None:
    with pytest.raises(AttributeError, match="'driftdrill' has no attribute 'Scenarios'"):
        _ = driftdrill.Scenarios


HEAVY = ("locust", "gevent", "numpy", "scipy", "requests", "testcontainers", "rich", "click", "sklearn", "fastapi")


@pytest.mark.parametrize(
    "module", ["driftdrill", "driftdrill.faults", "driftdrill.pytest_plugin", "driftdrill.harness.cli.main"]
)
def test_importing_loads_nothing_heavy(module: str, tmp_path: Path) -> None:
    """That is why it takes a few hundredths of a second; `driftdrill --help` too."""
    allowed = ("click",) if module == "driftdrill.harness.cli.main" else ()
    done = python(f"import {module}; print(*(m for m in {HEAVY!r} if m in sys.modules))", tmp_path, ROOT)

    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == set(allowed)


def test_what_a_scenario_is_written_with_loads_numpy_and_nothing_else_that_is_heavy(tmp_path: Path) -> None:
    """Its faults' seams reach networks, processes and Prometheus only when a drill puts them in."""
    written = "from driftdrill import Fault, Scenario, control, fires; from driftdrill.faults import rescale"
    done = python(f"{written}; print(*(m for m in {HEAVY!r} if m in sys.modules))", tmp_path, ROOT)

    assert done.returncode == 0, done.stderr
    assert set(done.stdout.split()) == {"numpy"}


@pytest.mark.parametrize("verb", [["--help"], ["list"], ["judge", "--help"], ["run", "--help"]], ids=" ".join)
def test_a_verb_that_sends_nothing_loads_no_locust(verb: list[str], tmp_path: Path) -> None:
    """`list` runs the scenario files, which name Locust's user class; that may load it, the others may not."""
    code = (
        f"from driftdrill.harness.cli.main import _run\n_run({verb!r}, False)\n"
        "print('loaded:', *(m for m in ('locust', 'scipy') if m in sys.modules))"
    )
    done = python(code, tmp_path, ROOT)

    assert done.returncode == 0, done.stderr
    loaded = done.stdout.splitlines()[-1].split()[1:]
    assert not loaded or verb == ["list"]


@pytest.mark.parametrize("name", ["harness", "reports", "stack", "scenarios", "shift_generators"])
def test_a_package_of_somebody_elses_hides_nothing_of_ours(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()
    (tmp_path / name / "__init__.py").write_text("mine = True\n")

    done = python(f"import {name}, driftdrill.{name}; print({name}.mine)", tmp_path, tmp_path, ROOT)

    assert done.stdout == "True\n", done.stderr


@pytest.mark.parametrize("name", ["harness", "reports", "stack", "scenarios", "shift_generators"])
def test_a_room_is_no_package_of_its_own(name: str) -> None:
    """At the top of a checkout it would be a second copy, with classes of its own; an sdist has none there."""
    if not (ROOT / name).is_dir():
        pytest.skip("in an sdist the rooms are below driftdrill/ only")
    done = python(f"import {name}", ROOT, ROOT)

    assert done.returncode == 1
    assert f"this is driftdrill.{name}; it must not be imported as {name}" in done.stderr

"""The wheel, installed where there is no checkout: it runs, and carries what it needs and nothing else."""

import os
import subprocess
import sys
import sysconfig
import tarfile
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.shared import ROOT, demo_of_wrong_join

pytestmark = pytest.mark.install
ARGUMENTS = ["-m", "pip", "--disable-pip-version-check", "--quiet"]


def run(command: Sequence[object], cwd: Path, timeout: float = 120) -> "subprocess.CompletedProcess[str]":
    """Run a command without any of this process's Python variables, bounded."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LOCUST", "VIRTUAL_ENV"))}
    return subprocess.run(
        [str(c) for c in command], cwd=cwd, env=env, capture_output=True, text=True, timeout=timeout, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the checkout."""
    out = tmp_path_factory.mktemp("wheel")
    done = run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT], out)
    assert done.returncode == 0, done.stdout + done.stderr
    (found,) = out.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """bin/ of an empty environment with the wheel in it; what it depends on is borrowed from this one."""
    venv = tmp_path_factory.mktemp("venv")
    assert run([sys.executable, "-m", "venv", "--without-pip", venv], venv).returncode == 0
    python = venv / "bin" / "python"
    done = run([sys.executable, *ARGUMENTS, "--python", python, "install", "--no-deps", "--no-index", wheel], venv)
    assert done.returncode == 0, done.stderr
    (site,) = venv.glob("lib/python*/site-packages")
    # Only the folder: the .pth files in it, such as an editable install's, are not read.
    (site / "borrowed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    return venv / "bin"


def test_the_wheel_holds_one_package_and_its_data(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()

    assert {name.split("/")[0].partition("-")[0] for name in names} == {"driftdrill"}
    assert {"driftdrill/scenarios/rules/demo.yml", "driftdrill/scenarios/wrong_join.py"} <= set(names)
    assert not [name for name in names if "/tests/" in name or name.endswith((".pyc", ".drill"))]
    rooms = ("harness", "reports", "scenarios", "shift_generators", "stack")
    here = {str(p.relative_to(ROOT)) for room in rooms for p in (ROOT / "driftdrill" / room).rglob("*.py")}
    assert here
    assert here <= set(names), "every module of the checkout is in it"


def test_an_sdist_makes_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    """In it the rooms are folders below driftdrill/, not links."""
    done = run([sys.executable, "-m", "build", "--sdist", "--no-isolation", "--outdir", tmp_path, ROOT], tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    (packed,) = tmp_path.glob("*.tar.gz")
    with tarfile.open(packed) as archive:
        assert not [member.name for member in archive if member.issym() or member.islnk()]
    # Debian's Python 3.11.2 has no filters of tarfile yet.
    assert run(["tar", "-xzf", packed, "-C", tmp_path], tmp_path).returncode == 0
    (unpacked,) = tmp_path.glob("driftdrill-*/")
    done = run([sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", tmp_path, unpacked], tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    (again,) = tmp_path.glob("*.whl")
    assert sorted(zipfile.ZipFile(again).namelist()) == sorted(zipfile.ZipFile(wheel).namelist())
    here = [p for folder in ("tests", "docs", "benchmarks", "tools") for p in (ROOT / folder).rglob("*.py")]
    assert not [p for p in here if not (unpacked / p.relative_to(ROOT)).is_file()]


def test_it_is_the_installed_one_that_runs(installed: Path, tmp_path: Path) -> None:
    done = run([installed / "python", "-c", "import driftdrill; print(driftdrill.__file__)"], tmp_path)

    assert Path(done.stdout.strip()).is_relative_to(installed.parent)


def test_the_built_in_scenarios_are_listed_outside_the_checkout(installed: Path, tmp_path: Path) -> None:
    done = run([installed / "driftdrill", "list"], tmp_path)

    assert done.returncode == 0, done.stderr
    assert "wrong_join: each flight gets another flight's delay" in done.stdout


@pytest.mark.slow
def test_the_demo_runs_outside_the_checkout(installed: Path, tmp_path: Path, prometheus_binary: str) -> None:
    """One of its shortest drills: its model, its rules and its report are in the wheel."""
    done = run([installed / "driftdrill", "demo", "--only", "trap_label_mismatch", "--prometheus", "binary"], tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    (report,) = tmp_path.glob("driftdrill-report/*/report.html")
    assert "labels that do not match" in report.read_text(encoding="utf-8")


@pytest.mark.slow
def test_a_recording_of_the_checkout_is_judged_by_the_wheel(
    installed: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    recording = demo_of_wrong_join(tmp_path_factory)
    done = run([installed / "driftdrill", "judge", recording, "--html", "report.html"], tmp_path)

    assert done.returncode == 0, done.stdout + done.stderr
    assert "each flight gets another flight" in (tmp_path / "report.html").read_text(encoding="utf-8")


@pytest.fixture
def neighbours(tmp_path: Path) -> Path:
    """A project with packages of its own that are called as our rooms are, a scenario that imports one, and a test."""
    for name in ("harness", "reports", "stack"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text("whose = 'mine'\n")
    (tmp_path / "load.py").write_text(
        "from driftdrill import ModelUser\nfrom driftdrill.scenarios.wrong_join import wrong_join_of_delays\n"
        "import harness, reports, stack\n\nassert {harness.whose, reports.whose, stack.whose} == {'mine'}\n\n\n"
        "class Load(ModelUser):\n    scenario = wrong_join_of_delays\n"
    )
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_mine.py").write_text(
        "import reports, stack\nfrom driftdrill.pytest_plugin import drills\n\n\n"
        "def test_mine():\n    assert reports.whose == stack.whose == 'mine'\n"
    )
    return tmp_path


@pytest.mark.parametrize(
    ("command", "code", "told"),
    [
        (["driftdrill", "run", "load.py", "--target", "http://127.0.0.1:9"], 2, "no answer from http://127.0.0.1:9"),
        (
            ["locust", "-f", "load.py", "--headless", "--host", "http://127.0.0.1:9"],
            2,
            "no answer from http://127.0.0.1:9",
        ),
        (["pytest", "-q", "tests", "-p", "no:cacheprovider"], 0, "1 passed"),
    ],
    ids=["driftdrill", "locust", "pytest"],
)
def test_a_project_has_packages_of_our_rooms_names(
    installed: Path, neighbours: Path, command: list[str], code: int, told: str
) -> None:
    """What it runs imports its own; nothing of ours is in their place, nor theirs in ours."""
    program, *rest = command
    start = [installed / "driftdrill"] if program == "driftdrill" else [installed / "python", "-m", program]
    done = run([*start, *rest], neighbours)

    assert (done.returncode, told in done.stdout + done.stderr) == (code, True), done.stdout + done.stderr


@pytest.mark.slow
@pytest.mark.timeout(700)
def test_pip_installs_everything_that_the_demo_needs(wheel: Path, tmp_path: Path) -> None:
    """With the dependencies that the wheel names, from a package index: a minute, and half a gigabyte."""
    if os.environ.get("DRIFTDRILL_REQUIRE_INDEX") != "1":
        pytest.skip("an installation from a package index; DRIFTDRILL_REQUIRE_INDEX=1 runs it")
    venv = tmp_path / "venv"
    assert run([sys.executable, "-m", "venv", "--without-pip", venv], tmp_path).returncode == 0
    pip = [sys.executable, *ARGUMENTS, "--python", venv / "bin" / "python"]
    done = run([*pip, "install", f"{wheel}[demo]"], tmp_path, timeout=600)
    assert done.returncode == 0, done.stderr

    assert run([*pip, "check"], tmp_path).returncode == 0
    doctor = run([venv / "bin" / "driftdrill", "doctor"], tmp_path)
    assert "its packages are installed" in doctor.stdout, doctor.stdout + doctor.stderr
    serves = "from driftdrill.stack.model_service import serve\nwith serve() as s: print(s.auc > 0.9)"
    assert run([venv / "bin" / "python", "-c", serves], tmp_path).stdout.strip() == "True"

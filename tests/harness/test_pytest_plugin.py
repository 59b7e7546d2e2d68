"""The pytest plug-in in a team's own suite: a real pytest, real recordings, a real promtool."""

import os
import subprocess
import sys
from importlib.metadata import entry_points
from pathlib import Path

from driftdrill.harness.scenario.expect import fires
from tests.harness.judge.test_judge import hot, step
from tests.harness.made import make

ROOT = Path(__file__).resolve().parents[2]
SUITE = """
from driftdrill.pytest_plugin import drills

@drills("recordings/*.drill", rules="rules/*.yml")
def test_the_rules_still_catch_it(drill):
    assert drill.judge().failures == []
"""


def team(folder: Path, rules: str) -> None:
    """A team's checkout: two recordings, rules, one test."""
    (folder / "recordings").mkdir()
    (folder / "rules").mkdir()
    (folder / "rules" / "hot.yml").write_text(rules, encoding="utf-8")
    (folder / "test_rules.py").write_text(SUITE, encoding="utf-8")
    for name in ("one", "two"):
        series = {"heat": step(1000, 20, back=1700)}
        make(folder / "recordings", series, hot(), expect=[fires("Hot", within=300)], name=f"{name}.drill")


# Where driftdrill is installed, pytest finds the plug-in by itself.
INSTALLED = any(e.value == "driftdrill.pytest_plugin" for e in entry_points(group="pytest11"))
PLUGIN = [] if INSTALLED else ["-p", "driftdrill.pytest_plugin"]


def outside() -> dict[str, str]:
    """The variables of a pytest that this one does not steer."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST", "LOCUST"))}
    return {**environment, "PYTHONPATH": str(ROOT)}


def pytest_in(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "pytest", *PLUGIN, "-q", *arguments]
    return subprocess.run(
        command,
        cwd=folder,
        env=outside(),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_a_folder_of_recordings_is_one_test_each(tmp_path: Path) -> None:
    team(tmp_path, hot())
    done = pytest_in(tmp_path, "-n", "2")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "2 passed" in done.stdout


def test_a_failure_is_told_as_the_finding(tmp_path: Path) -> None:
    team(tmp_path, hot().replace("> 10", "> 30"))
    done = pytest_in(tmp_path, "-k", "one")
    assert done.returncode == 1
    for text in ("fires(Hot, within=5m)  [fires.silent]", "peaked at 67% of its threshold", "rules/hot.yml:5"):
        assert text in done.stdout


def test_a_glob_that_finds_nothing_is_not_green(tmp_path: Path) -> None:
    team(tmp_path, hot())
    (tmp_path / "test_rules.py").write_text(SUITE.replace("recordings/", "nowhere/"), encoding="utf-8")
    done = pytest_in(tmp_path)
    assert done.returncode == 1
    assert "no recording matches" in done.stdout


def test_an_empty_run_loads_nothing_of_ours_but_the_plug_in(tmp_path: Path) -> None:
    """Every project in an environment with driftdrill pays for it, whether it has drills or not."""
    code = (
        "import sys, pytest; code = pytest.main(sys.argv[1:]);"
        "print(code.name, *sorted(name for name in sys.modules if name.startswith('driftdrill')))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *PLUGIN, "-q", "-p", "no:cacheprovider"],
        cwd=tmp_path,
        env=outside(),
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "NO_TESTS_COLLECTED driftdrill driftdrill.pytest_plugin", done.stdout


def test_collection_imports_nothing_heavy(tmp_path: Path) -> None:
    code = (
        "import sys, driftdrill.pytest_plugin as p; p.drills('*.drill');"
        "heavy = set(sys.modules) & {'numpy', 'scipy', 'locust', 'gevent', 'requests', 'promql_parser'};"
        "assert not heavy"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, timeout=60)

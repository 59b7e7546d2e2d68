"""How a scenario file is run: from its source, with what lies beside it, and what it is told of imports of before."""

import os
import py_compile
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.scenario import load
from tests.harness import scenarios
from tests.harness.command import ROOT


@pytest.fixture(autouse=True)
def own_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What a test imports, and the folders that it adds, are forgotten after it."""
    monkeypatch.setattr(sys, "path", [*sys.path])
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        if not name.startswith("driftdrill"):
            del sys.modules[name]


def written(folder: Path, name: str, imports: str = "") -> Path:
    """A scenario file whose scenario has that name."""
    return scenarios.write(folder, name=repr(name), imports=imports)


def caches(folder: Path) -> list[Path]:
    return [*folder.rglob("__pycache__"), *folder.rglob("*.pyc")]


def test_a_scenario_file_imports_what_lies_beside_it_and_leaves_no_bytecode(tmp_path: Path) -> None:
    (tmp_path / "beside_it").mkdir()
    (tmp_path / "beside_it" / "__init__.py").write_text("from beside_it.inner import value\n")
    (tmp_path / "beside_it" / "inner.py").write_text("value = 1\n")

    load(written(tmp_path, "one", imports="import beside_it\nassert beside_it.value == 1"))

    assert "beside_it.inner" in sys.modules
    assert caches(tmp_path) == []


def test_a_scenario_file_that_changed_within_the_same_second_and_size_runs_as_its_new_self(tmp_path: Path) -> None:
    file = written(tmp_path, "old")
    os.utime(file, (1e9, 1e9))
    py_compile.compile(str(file))  # as running it by Python, Locust or pytest does
    before = file.stat()
    written(tmp_path, "new")
    os.utime(file, (1e9, 1e9))

    assert (file.stat().st_size, file.stat().st_mtime) == (before.st_size, before.st_mtime)
    assert load(file).name == "new"


OLD = [
    ("from harness import Fault, minutes as m", "from driftdrill import Fault, minutes as m"),
    ("from harness import (\n    Fault,\n    Scenario,\n)", "from driftdrill import Fault, Scenario"),
    ("from harness import *", "from driftdrill import *"),
    ("import harness", "import driftdrill as harness"),
    ("from harness.curve import step", "from driftdrill import step"),
    ("from harness.scenario import load", "from driftdrill.harness.scenario.scenario import load"),
    ("from shift_generators import rescale, sized", "from driftdrill.faults import rescale, sized"),
    ("from harness.traffic.payload import MergePatch, Null", "from driftdrill.faults import MergePatch, Null"),
    (
        "from stack.proxy import Latency, MergePatch",
        "from driftdrill.faults import Latency, Patch as MergePatch",
    ),
    ("from stack.scrape.pagefaults import WrongType", "from driftdrill.faults import WrongMetricType as WrongType"),
    ("from stack.model_service import flights", "from driftdrill.stack.model_service import flights"),
    ("import stack.proxy as p, os", "import driftdrill.stack.faults.network as p; import os"),
    ("import stack.proxy", "import driftdrill.stack.faults.network; from driftdrill import stack"),
    ("from scenarios import wrong_join", "from driftdrill.scenarios import wrong_join"),
]


@pytest.mark.parametrize("place", ["elsewhere", "in a checkout"])
@pytest.mark.parametrize(("old", "new"), OLD, ids=[old for old, _ in OLD])
def test_an_import_of_before_there_was_one_package_says_the_new_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str, old: str, new: str
) -> None:
    """In a checkout's root `import harness` finds a second copy, which refuses; elsewhere it finds nothing."""
    others = [p for p in sys.path if Path(p).absolute() not in (ROOT, ROOT / ".editable")]
    monkeypatch.setattr(sys, "path", others if place == "elsewhere" else [str(ROOT), *others])

    with pytest.raises(ScenarioError) as caught:
        load(written(tmp_path, "one", imports=old))

    assert caught.value.hint == f"write: {new}"
    exec(new, {})


def test_of_a_package_that_is_the_users_own_only_our_names_are_said_anew(tmp_path: Path) -> None:
    (tmp_path / "reports").mkdir()
    (tmp_path / "reports" / "__init__.py").write_text("mine = 1\n")

    for line, told in (("from reports import mien", "did you mean mine?"), ("import reports.x", "--debug")):
        with pytest.raises(ScenarioError) as caught:
            load(written(tmp_path, "one", imports=line))
        assert told in caught.value.hint


def test_under_locust_the_second_copy_in_a_checkout_says_what_to_write(tmp_path: Path) -> None:
    """Locust runs the file itself. Where there is no copy to be found, all that can be said is Python's own word."""
    if not (ROOT / "harness").is_dir():
        pytest.skip("in an sdist the rooms are below driftdrill/ only")
    file = written(tmp_path, "one", imports="from harness import Fault")
    done = subprocess.run(
        [sys.executable, "-m", "locust", "-f", str(file), "--headless"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode != 0
    assert "it must not be imported as harness: write `from driftdrill import …`" in done.stderr

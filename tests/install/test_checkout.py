"""A checkout as it is built and installed from: with links, without them, and in place."""

import shutil
import sys
from pathlib import Path

import pytest

from tests.install.test_wheel import ARGUMENTS, ROOT, run

pytestmark = pytest.mark.install
ROOMS = ("harness", "reports", "scenarios", "shift_generators", "stack")
BUILD = [sys.executable, "-m", "build", "--no-isolation"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of what a package is made from."""
    copy = tmp_path / "checkout"
    copy.mkdir()
    for name in ("pyproject.toml", "hatch_build.py", "Makefile", "README.md", "LICENSE", ".gitignore"):
        shutil.copy(ROOT / name, copy)
    for name in ("driftdrill", *ROOMS):
        if (ROOT / name).is_dir():  # in an sdist the rooms are below driftdrill/
            shutil.copytree(ROOT / name, copy / name, symlinks=True, ignore=shutil.ignore_patterns("__pycache__"))
    return copy


def without_links(checkout: Path) -> None:
    """What git with core.symlinks=false makes of a link, and most programs that unpack a zip: a text file."""
    for room in ROOMS:
        place = checkout / "driftdrill" / room
        if not place.is_symlink():
            place.rename(checkout / room)
        place.unlink(missing_ok=True)
        place.write_text(f"../{room}")


@pytest.mark.parametrize(
    "command",
    [
        [*BUILD, "--wheel", "."],
        [*BUILD, "--sdist", "."],
        [sys.executable, *ARGUMENTS, "install", "--no-build-isolation", "--no-deps", "--target", "there", "-e", "."],
        ["make"],
    ],
    ids=["wheel", "sdist", "editable", "make"],
)
def test_a_checkout_without_links_is_refused_with_the_way_out(checkout: Path, command: list[str]) -> None:
    """It would make a wheel of 15 files. The way out is one command, and then it is a checkout like any other."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"no {command[0]}")
    without_links(checkout)

    done = run(command, checkout)
    told = done.stdout + done.stderr

    assert done.returncode != 0, told
    assert "by a zip download or by git with core.symlinks=false" in told
    assert not list(checkout.rglob("*.whl"))
    assert not (checkout / ".venv").exists()
    (remedy,) = {line.strip(" │") for line in told.splitlines() if "ln -sf" in line}
    assert run(["sh", "-c", remedy], checkout).returncode == 0
    assert [room for room in ROOMS if not (checkout / "driftdrill" / room / "__init__.py").is_file()] == []
    if command == ["make"]:
        assert run(command, checkout).returncode == 0


def test_an_editable_install_shows_driftdrill_and_nothing_that_lies_beside_it(checkout: Path, tmp_path: Path) -> None:
    """`import reports` in somebody's project must not find our folder, nor `import tests` ours."""
    venv = tmp_path / "venv"
    assert run([sys.executable, "-m", "venv", "--without-pip", venv], tmp_path).returncode == 0
    python = venv / "bin" / "python"
    build = [sys.executable, "-m", "hatchling", "build", "--target", "wheel:editable", "--directory", tmp_path]
    done = run(build, checkout)  # as `pip install -e` does; the empty environment has no hatchling
    assert done.returncode == 0, done.stderr
    (wheel,) = tmp_path.glob("*.whl")
    done = run([sys.executable, *ARGUMENTS, "--python", python, "install", "--no-deps", "--no-index", wheel], tmp_path)
    assert done.returncode == 0, done.stderr

    code = f"""if True:
        from importlib.util import find_spec
        import driftdrill.faults, driftdrill.stack
        print([name for name in {[*ROOMS, "tests", "hatch_build"]} if find_spec(name)])
        print(driftdrill.stack.__file__)
    """
    done = run([python, "-c", code], tmp_path)

    beside, file = done.stdout.splitlines()
    assert beside == "[]"
    assert Path(file).samefile(checkout / "driftdrill" / "stack" / "__init__.py")
    (checkout / "driftdrill" / "__init__.py").write_text("edited = True\n")
    assert run([python, "-c", "import driftdrill; print(driftdrill.edited)"], tmp_path).stdout == "True\n"

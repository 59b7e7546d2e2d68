"""ARCHITECTURE.md leads a stranger to a concept: each file that it names exists, and defines what it says."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
TEXT = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
WHERE = re.findall(r"^\| [^|]+ \| `([^`|]+\.py)` \| `([^`|]+)` \|$", TEXT, re.MULTILINE)
ROOMS = ("harness", "shift_generators", "stack", "reports", "scenarios")


def place(name: str) -> Path:
    """A file of the checkout; in an sdist the rooms lie below driftdrill/."""
    found = ROOT / name
    return found if found.exists() else ROOT / "driftdrill" / name


def test_the_table_has_the_concepts_that_a_stranger_asks_for() -> None:
    assert len(WHERE) >= 30
    assert len({(file, name) for file, name in WHERE}) == len(WHERE)


@pytest.mark.parametrize(("file", "name"), WHERE, ids=[name for _, name in WHERE])
def test_a_concept_is_defined_where_the_table_says(file: str, name: str) -> None:
    defined = set[str]()
    for node in ast.parse(place(file).read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef | ast.AsyncFunctionDef):
            defined.add(node.name)
        elif isinstance(node, ast.Assign):
            defined.update(t.id for t in node.targets if isinstance(t, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            defined.add(node.target.id)

    assert name in defined


def test_every_module_of_the_rooms_is_named() -> None:
    """By its own name, or in a folder below the room's own that is named."""
    named = set(re.findall(r"\w+", TEXT))
    for room in ROOMS[:-1]:
        for entry in place(room).iterdir():
            if (entry.suffix == ".py" and not entry.name.startswith("_")) or (entry / "__init__.py").exists():
                assert entry.stem in named, f"ARCHITECTURE.md does not name {room}/{entry.name}"


def test_no_two_classes_have_one_name() -> None:
    script = ROOT / "tools" / "homonyms.py"
    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)

    assert done.returncode == 0, done.stdout


def test_a_class_of_a_name_that_is_taken_is_listed(tmp_path: Path) -> None:
    """Seen to fail: two modules, one name."""
    for folder in ("tools", "driftdrill", *ROOMS[:-1]):
        (tmp_path / folder).mkdir()
    script = tmp_path / "tools" / "homonyms.py"
    script.write_text((ROOT / "tools" / "homonyms.py").read_text(encoding="utf-8"), encoding="utf-8")
    (tmp_path / "stack" / "a.py").write_text("class Answer: ...\n", encoding="utf-8")
    (tmp_path / "reports" / "b.py").write_text("\n\nclass Answer: ...\n", encoding="utf-8")

    done = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=60, check=False)

    assert (done.returncode, done.stdout) == (1, "Answer: stack/a.py:1, reports/b.py:3\n")

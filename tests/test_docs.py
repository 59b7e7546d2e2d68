"""Documentation that tests keep true: every command of the README is run, every page that it links exists."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line[2:]
    for block in re.findall(r"```console\n(.*?)```", README, re.DOTALL)
    for line in block.splitlines()
    if line.startswith("$ ")
]
NOT_RUN_HERE = {"make test"}  # it is what runs this
SLOW = {"make demo": "make demo ARGS='--only wrong_join --out {folder}/report'"}  # one of its four drills


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A newcomer's folder: the README's scenario as drill.py, and the demo's rules in rules/."""
    folder = tmp_path_factory.mktemp("readme")
    (python,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Scenario(" in block]
    (folder / "drill.py").write_text(python, encoding="utf-8")
    (folder / "rules").mkdir()
    shutil.copy(ROOT / "driftdrill" / "scenarios" / "rules" / "demo.yml", folder / "rules")
    return folder


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


def test_the_readme_has_commands() -> None:
    assert "make demo" in COMMANDS
    assert len(COMMANDS) >= 6


NEEDS_THE_MODEL = re.compile(r"drill\.py|first\.drill|127\.0\.0\.1")


def test_every_command_of_the_readme_that_drills_the_demo_model_works(folder: Path) -> None:
    from driftdrill.stack.model_service import serve

    with serve() as service:
        for command in COMMANDS:
            if NEEDS_THE_MODEL.search(command):
                code = 1 if " edge " in command else 0  # it has findings
                run(command.replace("http://127.0.0.1:8000", service.url), folder, folder, code)
    assert (folder / "second.drill" / "meta.json").is_file()


@pytest.mark.parametrize("command", [c for c in COMMANDS if not NEEDS_THE_MODEL.search(c)])
def test_every_other_command_of_the_readme_works(command: str, folder: Path) -> None:
    if command in NOT_RUN_HERE:
        return
    in_checkout = command.startswith("make")
    if in_checkout and Path(sys.prefix) != ROOT / ".venv":
        pytest.skip("make demo makes a .venv of its own, and these tests run in another one")
    run(SLOW.get(command, command).format(folder=folder), folder, ROOT if in_checkout else folder)


def test_the_faults_of_the_readme_are_faults() -> None:
    (python,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "faults = [" in block]
    names: dict[str, object] = {}
    exec(python, names)
    assert len(names["faults"]) == 7  # type: ignore[arg-type]


def test_every_page_that_is_linked_exists() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for link in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            assert (page.parent / link).exists(), f"{page.relative_to(ROOT)} links {link}"


def test_every_verb_is_in_the_readme_or_in_docs() -> None:
    from driftdrill.harness.cli.main import VERBS

    text = README + "".join(p.read_text(encoding="utf-8") for p in (ROOT / "docs").rglob("*.md"))
    missing = [verb for verb in VERBS if f"driftdrill {verb}" not in text and f"`{verb}`" not in text]
    assert not missing


def test_the_example_repository_passes_and_fails_when_its_rules_go_blind(folder: Path) -> None:
    example = folder / "example"
    shutil.copytree(ROOT / "docs" / "example", example)
    commands = re.findall(r"^\$ (.*)$", (example / "README.md").read_text(encoding="utf-8"), re.MULTILINE)
    for command in commands:
        run(command, folder, example)
    rules = example / "rules" / "demo.yml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.replace("job_feature:model_feature_psi:10m > 0.25", "job_feature:model_feature_psi:10m > 6"))
    assert rules.read_text(encoding="utf-8") != text
    with pytest.raises(AssertionError, match=r"fires\.silent"):
        run(commands[0], folder, example)

"""Every command that the README and the example repository print works as it stands there, in a fresh clone."""

import contextlib
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import sysconfig
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.shared import ROOT

pytestmark = pytest.mark.install
README = (ROOT / "README.md").read_text(encoding="utf-8")


def printed(page: str) -> list[str]:
    """The commands of a page, in order."""
    blocks = re.findall(r"```console\n(.*?)```", page, re.DOTALL)
    return [line[2:] for block in blocks for line in block.splitlines() if line.startswith("$ ")]


COMMANDS = printed(README)
NOT_RUN_HERE = {"make test"}  # all other tests
SHORTER = {"make demo": "make demo ARGS='--only wrong_join'"}  # one of its four drills
HAS_FINDINGS = "driftdrill edge"  # exit code 1, as the README says
PORT = "8000"


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the checkout, with the README's scenario saved as it says, and the environment that make makes in it.

    What that environment holds is borrowed from this one: installing it takes a minute and an index.
    """
    clone = tmp_path_factory.mktemp("readme") / "driftdrill"
    made = shutil.ignore_patterns(
        ".*cache*", ".git", ".venv", ".hypothesis", "__pycache__", "dist", "driftdrill-report"
    )
    shutil.copytree(ROOT, clone, symlinks=True, ignore=made)
    (scenario,) = [block for block in re.findall(r"```python\n(.*?)```", README, re.DOTALL) if "Scenario(" in block]
    (clone / "drill.py").write_text(scenario, encoding="utf-8")
    venv = clone / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True, timeout=60)
    (site,) = venv.glob("lib/python*/site-packages")
    (site / "borrowed.pth").write_text(f"{clone}\n{sysconfig.get_path('purelib')}\n", encoding="utf-8")
    for name, home in {
        "driftdrill": "driftdrill.harness.cli.main",
        "locust": "locust.main",
        "pytest": "pytest",
    }.items():
        script = venv / "bin" / name
        script.write_text(f"#!{venv}/bin/python\nimport sys\nfrom {home} import main\nsys.exit(main())\n")
        script.chmod(0o755)
    (venv / "installed-demo").touch()
    return clone


def environment(clone: Path) -> dict[str, str]:
    """A terminal's: nothing of this Python on PATH, but a Prometheus and a promtool where this machine has them."""
    own = Path(sys.executable).parent
    programs = clone.parent / "programs"
    programs.mkdir(exist_ok=True)
    for name in ("prometheus", "promtool"):
        if (own / name).exists() and not (programs / name).exists():
            (programs / name).symlink_to(own / name)
    others = [p for p in os.environ["PATH"].split(os.pathsep) if Path(p) != own]
    temporary = clone.parent / "tmp"
    temporary.mkdir(exist_ok=True)  # what other drills of this machine left in its own is not the README's
    outside = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "LOCUST", "VIRTUAL_ENV", "PIP"))}
    # Of what the index has, all is there: wheels are built with what is installed, and installed alone.
    alone = {"PIP_NO_BUILD_ISOLATION": "0", "PIP_NO_INDEX": "1", "PIP_NO_DEPS": "1"}
    path = os.pathsep.join([*others, str(programs)])
    return {**outside, **alone, "PATH": path, "TMPDIR": str(temporary), "COLUMNS": "100"}


def run(commands: Sequence[tuple[str, int]], clone: Path, cwd: Path, timeout: float = 170) -> None:
    """Type these commands into one shell, each with the exit code that it must have."""
    script = ""
    for command, code in commands:
        script += f"echo {shlex.quote('$ ' + command)}\n{command}\n"
        script += f"code=$?; [ $code = {code} ] || {{ echo exit code $code, not {code}; exit 1; }}\n"
    shell = subprocess.Popen(
        ["bash", "-c", script],
        cwd=cwd,
        env=environment(clone),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        out, _ = shell.communicate(timeout=timeout)
    finally:
        with contextlib.suppress(ProcessLookupError):  # what it left in the background
            os.killpg(shell.pid, signal.SIGKILL)
    assert shell.returncode == 0, out[-4000:]


@pytest.mark.timeout(900)
def test_every_command_of_the_readme_works_in_order_as_it_is_printed(clone: Path) -> None:
    """But for the port, which somebody may have: another that is free takes its place."""
    assert "make demo" in COMMANDS
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    ready = f"""python -c 'import urllib.request as u; u.urlopen("http://127.0.0.1:{port}/metrics", timeout=60)'"""
    typed = []
    for command in COMMANDS:
        if command in NOT_RUN_HERE:
            continue
        typed.append((SHORTER.get(command, command).replace(PORT, port), int(command.startswith(HAS_FINDINGS))))
        if command.endswith("&"):  # the reader waits for its address, as the README says
            typed.append((f"for i in $(seq 300); do {ready} 2>/dev/null && break; sleep 0.2; done", 0))
    run(typed, clone, clone, timeout=880)
    assert (clone / "second.drill" / "meta.json").is_file()
    assert list(clone.glob("driftdrill-report/*/report.html"))
    assert (clone.parent / "own-project" / ".venv" / "bin" / "driftdrill").is_file()


@pytest.mark.timeout(400)
def test_the_example_repository_passes_and_fails_when_its_rules_go_blind(clone: Path) -> None:
    example = clone / "docs" / "example"
    activate = (". ../../.venv/bin/activate", 0)
    commands = printed((example / "README.md").read_text(encoding="utf-8"))
    run([activate, *((command, 0) for command in commands)], clone, example)
    rules = example / "rules" / "demo.yml"
    text = rules.read_text(encoding="utf-8")
    rules.write_text(text.replace("job_feature:model_feature_psi:10m > 0.25", "job_feature:model_feature_psi:10m > 6"))
    assert rules.read_text(encoding="utf-8") != text
    with pytest.raises(AssertionError, match=r"fires\.silent"):
        run([activate, (commands[0], 0)], clone, example)

"""promtool from a binary and from a container: found, bounded, and its complaints told at the author's own line."""

import os
import secrets
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from driftdrill.stack import container
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus import promtool as stack_promtool
from driftdrill.stack.prometheus.promtool import Promtool, check_rules, find_engine, find_promtool, run

GOOD = "groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up == 0\n"
BAD = "groups:\n- name: g\n  rules:\n  - alert: Good\n    expr: up == 0\n\n  - alert: Bad\n    expr: rate(up)\n"
TEST = """\
rule_files: [rules/g.yml]
tests:
- interval: 1m
  input_series: [{series: up, values: '0 0'}]
  promql_expr_test: [{expr: ALERTS, eval_time: 1m, exp_samples: []}]
"""


@pytest.fixture(params=["binary", "container", "prometheus3"])
def promtool(request: pytest.FixtureRequest) -> Promtool:
    """promtool by each way, and that of Prometheus 3."""
    if request.param == "prometheus3":
        return find_promtool(binary=str(request.getfixturevalue("prometheus3") / "promtool"))
    if request.param == "container":
        return find_promtool("container", image=request.getfixturevalue("prometheus_image"))
    request.getfixturevalue("prometheus_binary")
    return find_promtool("binary")


def test_it_says_its_version_and_how_it_runs(promtool: Promtool) -> None:
    assert promtool.version.split(".")[0] in ("2", "3")
    assert promtool.how in ("binary", "container")
    assert len(promtool.argv) == 1


def test_it_reads_the_files_of_its_folder_and_its_status_and_output_are_returned(
    promtool: Promtool, tmp_path: Path
) -> None:
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "g.yml").write_text(GOOD)
    (tmp_path / "test.yml").write_text(TEST)
    done = run(promtool, ["test", "rules", "test.yml"], cwd=tmp_path)
    assert done.returncode == 1
    assert 'alertname="A", alertstate="firing"} 1E+00' in done.stdout + done.stderr
    assert run(promtool, ["check", "rules", "rules/g.yml"], cwd=tmp_path).returncode == 0


def test_a_good_rule_file_passes_and_is_returned(promtool: Promtool, tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text(GOOD)
    (rule_file,) = check_rules(promtool, [tmp_path / "*.yml"])
    assert rule_file.path == tmp_path / "good.yml"


def test_a_rule_that_promtool_rejects_is_told_with_file_and_line(promtool: Promtool, tmp_path: Path) -> None:
    (tmp_path / "good.yml").write_text(GOOD)
    (tmp_path / "bad.yml").write_text(BAD)
    with pytest.raises(StackError) as told:
        check_rules(promtool, [tmp_path / "good.yml", tmp_path / "bad.yml"])
    file, _, line = (told.value.where or "").rpartition(":")
    assert file == f"{tmp_path}/bad.yml"
    assert "rate(up)" in BAD.splitlines()[int(line) - 1] or "Bad" in BAD.splitlines()[int(line) - 1]
    assert "expected type range vector" in told.value.cause


def test_a_field_that_this_version_does_not_know_is_named_with_its_line(prometheus_binary: str, tmp_path: Path) -> None:
    """What YAML refuses stands on a line of its own in promtool's answer; of version 2 it is a label of a group."""
    (tmp_path / "new.yml").write_text("groups:\n- name: g\n  labels: {team: ml}\n  rules: []\n")
    found = find_promtool("binary")
    if not found.version.startswith("2."):
        pytest.skip("version 3 knows it")
    with pytest.raises(StackError) as told:
        check_rules(found, [tmp_path / "new.yml"])
    assert told.value.where == f"{tmp_path}/new.yml:3"
    assert "field labels not found" in told.value.cause


def test_a_rule_inside_a_prometheus_rule_is_told_at_the_line_of_the_object(promtool: Promtool, tmp_path: Path) -> None:
    spec = "".join(f"    {line}\n" for line in BAD.replace("\n\n", "\n").splitlines())
    (tmp_path / "crd.yml").write_text(f"kind: PrometheusRule\nmetadata:\n  name: x\nspec:\n{spec}")
    with pytest.raises(StackError) as told:
        check_rules(promtool, [tmp_path / "crd.yml"])
    assert told.value.where == f"{tmp_path}/crd.yml:10"
    assert "alert: Bad" in (tmp_path / "crd.yml").read_text().splitlines()[9]


def test_more_than_one_complaint_is_counted(prometheus_binary: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yml").write_text(BAD.replace("up == 0", "up =="))
    with pytest.raises(StackError, match=r"unexpected end of input \(and 1 more\)"):
        check_rules(find_promtool("binary"), [tmp_path / "bad.yml"])


def program(path: Path, script: str) -> str:
    """A stand-in for what promtool does only under stress: it hangs, is killed, says nothing."""
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(path.stat().st_mode | stat.S_IXUSR)
    return str(path)


def test_one_that_takes_too_long_is_ended_and_told(tmp_path: Path) -> None:
    slow = program(tmp_path / "promtool", "sleep 61.5 & echo $! > pid; wait")
    begun = time.monotonic()
    with pytest.raises(StackError, match=r"promtool test rules took more than 500ms"):
        run(Promtool((slow,), "0", "binary"), ["test", "rules"], cwd=tmp_path, timeout=0.5)
    assert time.monotonic() - begun < 10
    wait_until(lambda: not alive((tmp_path / "pid").read_text()))


def test_one_that_takes_too_long_in_a_container_is_ended_and_told(
    prometheus_image: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tool = find_promtool("container", image=prometheus_image)
    named = []
    monkeypatch.setattr(secrets, "token_hex", lambda n: named.append(os.urandom(n).hex()) or named[-1])
    with pytest.raises(StackError, match="took more than 0s"):
        run(tool, ["check", "config", "prometheus.yml"], cwd=tmp_path, timeout=0)
    assert named
    assert container.engine().containers.list(all=True, filters={"name": f"driftdrill-{named[-1]}"}) == []


def test_one_that_is_killed_is_told(tmp_path: Path) -> None:
    killed = program(tmp_path / "promtool", "kill -9 $$")
    with pytest.raises(StackError, match=r"was killed \(status 137\)"):
        run(Promtool((killed,), "0", "binary"), ["test", "rules"], cwd=tmp_path)


def test_one_that_cannot_be_started_is_told(tmp_path: Path) -> None:
    with pytest.raises(StackError, match="No such file"):
        run(Promtool((str(tmp_path / "none"),), "0", "binary"), ["check"], cwd=tmp_path)


def test_a_program_that_is_no_promtool_is_told(tmp_path: Path) -> None:
    other = program(tmp_path / "promtool", "echo hello")
    with pytest.raises(StackError, match="hello"):
        find_promtool(binary=other)


def test_a_killed_judge_leaves_no_promtool_behind(tmp_path: Path) -> None:
    slow = program(tmp_path / "promtool", "echo $$ > pid.new; mv pid.new pid; exec sleep 61.5")
    code = (
        "import sys; from pathlib import Path; from driftdrill.stack.prometheus.promtool import Promtool, run\n"
        "run(Promtool((sys.argv[1],), '0', 'binary'), ['x'], cwd=Path(sys.argv[2]))"
    )
    with subprocess.Popen([sys.executable, "-c", code, slow, str(tmp_path)]) as judge:
        wait_until((tmp_path / "pid").exists)
        judge.kill()
        judge.wait(10)
    wait_until(lambda: not alive((tmp_path / "pid").read_text()))


def test_a_killed_guard_takes_its_promtool_along(tmp_path: Path) -> None:
    """Even the guard may be killed, by the kernel for memory say; on Linux its command dies with it."""
    if sys.platform != "linux":
        pytest.skip("only Linux ends a process with its parent")
    slow = program(tmp_path / "promtool", "echo $PPID $$ > pid.new; mv pid.new pid; exec sleep 61.5")
    guarded = stack_promtool.launch([slow], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd=tmp_path)
    try:
        wait_until((tmp_path / "pid").exists)
        guard, command = (tmp_path / "pid").read_text().split()
        assert int(guard) == guarded.guard.pid
        guarded.guard.kill()
        wait_until(lambda: not alive(command))
    finally:
        guarded.finish()


def wait_until(met: Callable[[], bool], within: float = 20.0) -> None:
    """Wait for a condition, bounded."""
    deadline = time.monotonic() + within
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def alive(pid: str) -> bool:
    """Whether the process runs; one that its new parent has not yet reaped does not."""
    try:
        return Path(f"/proc/{pid.strip()}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_auto_takes_the_image_that_is_here_before_a_binary_but_pulls_none(
    prometheus_image: str, prometheus_binary: str
) -> None:
    assert find_promtool(image=prometheus_image).how == "container"
    assert find_promtool(image="127.0.0.1:1/nobody/prometheus:v0").how == "binary"


def test_what_is_to_be_had_nowhere_is_told_with_all_remedies(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    monkeypatch.setattr(sys, "prefix", "/nonexistent")
    with pytest.raises(StackError) as told:
        find_promtool(image="127.0.0.1:1/nobody/prometheus:v0")
    assert "promtool is not on PATH" in told.value.cause
    assert all(way in (told.value.hint or "") for way in ("container engine", "install the binaries", "--prometheus"))


def test_a_binary_that_the_environment_names_goes_before_everything(
    prometheus_binary: str, prometheus_image: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(Path(prometheus_binary).with_name("promtool"))
    monkeypatch.setenv("DRIFTDRILL_PROMTOOL", path)
    assert find_promtool(image=prometheus_image).argv == (path,)


def test_a_binary_given_relative_to_this_folder_is_found_from_its_own(
    prometheus_binary: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "tool").symlink_to(Path(prometheus_binary).with_name("promtool"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    done = run(find_promtool(binary="./tool"), ["--version"], cwd=tmp_path / "elsewhere")
    assert done.returncode == 0


def versions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A PATH with programs that say that they are promtools of these versions."""
    for folder, name, said in (
        ("a", "promtool", "promtool, version 2.42.0+ds (branch: x)"),
        ("b", "promtool", "promtool, version 3.5.3 (branch: x)"),
        ("b", "promtool-3.5.0-rc.1", "promtool, version 3.5.0-rc.1 (branch: x)"),
        ("b", "promtool-broken", "hello"),
    ):
        (tmp_path / folder).mkdir(exist_ok=True)
        program(tmp_path / folder / name, f"echo '{said}'")
    monkeypatch.setenv("PATH", f"{tmp_path}/a{os.pathsep}{tmp_path}/b")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.delenv("DRIFTDRILL_PROMTOOL", raising=False)


@pytest.mark.parametrize(
    ("engine", "where", "version"),
    [
        ("2.42", "a/promtool", "2.42.0"),
        ("2.42.0", "a/promtool", "2.42.0"),
        ("v3.5.3", "b/promtool", "3.5.3"),
        ("3.5.0-rc.1", "b/promtool-3.5.0-rc.1", "3.5.0-rc.1"),
        ("promtool-3.5.0-rc.1", "b/promtool-3.5.0-rc.1", "3.5.0-rc.1"),
        ("{}/b/promtool", "b/promtool", "3.5.3"),
    ],
)
def test_an_engine_is_named_by_its_version_or_its_path(
    engine: str, where: str, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions(tmp_path, monkeypatch)

    found = find_engine(engine.format(tmp_path), image="127.0.0.1:1/nobody/prometheus:v0")

    assert (found.argv, found.version) == ((f"{tmp_path}/{where}",), version)


@pytest.mark.parametrize("engine", [None, "promtool"])
def test_the_engine_promtool_is_the_one_that_is_found_without_a_name(
    engine: str | None, prometheus_binary: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = str(Path(prometheus_binary).with_name("promtool"))
    monkeypatch.setenv("DRIFTDRILL_PROMTOOL", path)

    assert find_engine(engine) == find_promtool()
    assert find_engine(engine).argv == (path,)


@pytest.mark.parametrize("engine", ["3.4", "2.4", "3.5.0"])
def test_a_version_that_is_not_here_is_told_with_those_that_are_and_where(
    engine: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    versions(tmp_path, monkeypatch)

    with pytest.raises(StackError) as told:
        find_engine(engine, image="127.0.0.1:1/nobody/prometheus:v0")

    assert f"no promtool of version {engine}" in told.value.cause
    for version, where in (("2.42.0", "a/promtool"), ("3.5.3", "b/promtool"), ("3.5.0-rc.1", "b/promtool-3.5.0-rc.1")):
        assert f"{version} ({tmp_path}/{where})" in told.value.cause
    assert "--engine" in (told.value.hint or "")


def test_running_it_costs_little_more_than_promtool_itself(prometheus_binary: str, tmp_path: Path) -> None:
    (tmp_path / "g.yml").write_text(GOOD)
    tool = find_promtool("binary")

    def took(call: Callable[[], object]) -> float:
        begun = time.monotonic()
        call()
        return time.monotonic() - begun

    args = ["check", "rules", "g.yml"]
    bare = [took(lambda: subprocess.run([tool.argv[0], *args], cwd=tmp_path, capture_output=True, check=True))]
    # The machine may be busy with other tests: of twenty runs one is undisturbed.
    assert any(took(lambda: run(tool, args, cwd=tmp_path)) - min(bare) < 0.25 for _ in range(20))

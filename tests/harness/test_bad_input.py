"""Bad input ends with one line of cause, one of remedy and the documented exit code; nothing is left behind."""

import os
import site
import socket
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from tests.harness import scenarios, toy
from tests.harness.command import ROOT, Cli, assert_told
from tests.harness.toy import Answer, Toy

HTML = Answer("<!doctype html><title>Login</title>", headers={"Content-Type": "text/html"})


@contextmanager
def deaf() -> Iterator[str]:
    """The URL of a server that accepts connections and never answers."""
    held: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def accept() -> None:
            with suppress(OSError):
                while True:
                    held.append(listener.accept()[0])

        threading.Thread(target=accept, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    for one in held:
        one.close()


# The scenario file.


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("import driftdrill\ndrill = (\n", r"drill.py:2: '\(' was never closed: drill = \(", ""),
        ("x = 1\n", "drill.py: no scenario in this file", "drill = Scenario"),
        ("x = 1\nraise ValueError('no rows today')\n", "drill.py:2: ValueError: no rows today", "--debug"),
        ("from driftdrill import Sceanrio\n", "drill.py:1: ImportError: cannot import name 'Sceanrio'", "Scenario"),
        (
            "from harness import Fault\n",
            "drill.py:1: (ImportError|ModuleNotFoundError): ",
            "^write: from driftdrill import Fault$",
        ),
        ("import nosuchmodule\n", "drill.py:1: ModuleNotFoundError: No module named 'nosuchmodule'", ""),
        ("import sys\nsys.exit('bye')\n", "drill.py:2: SystemExit: bye", ""),
        ("x = '\\x00'\n\x00", "drill.py: .*null bytes", ""),
        (b"x = '\xe9'\n", "drill.py.*utf-8", ""),
    ],
    ids=[
        "syntax",
        "no scenario",
        "raises",
        "unknown name",
        "old name",
        "unknown module",
        "exits",
        "null byte",
        "not utf-8",
    ],
)
def test_a_scenario_file_that_cannot_be_loaded_is_told_with_file_and_line(
    cli: Cli, text: str | bytes, cause: str, remedy: str
) -> None:
    (cli.folder / "drill.py").write_bytes(text if isinstance(text, bytes) else text.encode())

    told = cli("run", "drill.py", "--target", "http://127.0.0.1:9").refused()

    assert_told(told, cause, remedy)


def test_a_scenario_file_that_does_not_exist_names_the_way_to_those_that_do(cli: Cli) -> None:
    assert_told(cli("run", "nowhere/drill.py").refused(), "nowhere/drill.py: no such scenario file", "driftdrill list")


def test_a_folder_is_no_scenario_file(cli: Cli) -> None:
    assert_told(cli("run", ".").refused(), r"\.: not a file", "driftdrill list")


def test_two_scenarios_of_one_name_are_refused(cli: Cli) -> None:
    file = scenarios.write(cli.folder)
    file.write_text(file.read_text() + "\nimport dataclasses\nother = dataclasses.replace(drill)\n")

    assert_told(cli("run", file).refused(), "drill.py: two scenarios are named 'x moves'", "its own name")


def test_of_two_scenarios_one_must_be_picked_and_its_name_known(cli: Cli) -> None:
    file = scenarios.write(cli.folder)
    file.write_text(file.read_text() + "\nimport dataclasses\nother = dataclasses.replace(drill, name='x stays')\n")

    assert_told(cli("run", file).refused(), "2 scenarios: 'x moves', 'x stays'", "--scenario NAME")
    assert_told(cli("run", file, "--scenario", "x stay").refused(), "no scenario is named 'x stay'", "x stays")


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"rate": "5"}, "rate must be a Curve"),
        ({"baseline": "0"}, "baseline must be seconds"),
        ({"late_after": "0"}, "late_after must be seconds, 0.001 or more"),
        ({"rate": "constant(0)"}, "sends nothing"),
        ({"rows": "dict"}, "rows must answer a dict"),
        ({"truth": "'lable'"}, "no column 'lable'"),
        ({"faults": "[Fault('x', moved), Fault('x', moved)]"}, "two faults have one name"),
        ({"recovery": "30"}, r"resolves\(HighMean\) needs a recovery of 1m30s"),
    ],
    ids=["rate", "baseline", "late after", "no load", "rows", "truth", "fault names", "recovery"],
)
def test_a_scenario_that_says_something_impossible_is_refused_by_the_field(
    cli: Cli, model: Toy, fields: dict[str, str], cause: str
) -> None:
    file = scenarios.write(cli.folder, **fields)

    assert_told(cli("run", file, "--target", model.url).refused(), cause)
    assert model.requests == 0


# Rules.


def test_an_alert_that_no_rule_file_has_is_told_with_the_nearest_names(cli: Cli, model: Toy) -> None:
    file = scenarios.write(cli.folder, expect="[fires('HihgMean')]")

    told = cli("run", file, "--target", model.url).refused()

    assert_told(told, "no rule is named 'HihgMean'", "did you mean HighMean")
    assert model.requests == 0


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("groups: [\n  {name: a\n", "rules.yml:[23].*"),
        ("", "rules.yml"),
        ("- just\n- a list\n", "rules.yml"),
        ("groups: []\n", "rules.yml|no alert"),
        (
            "groups:\n- name: a\n  rules:\n  - alert: HighMean\n    expr: rate(toy_x_sum[1m]\n",
            "rules.yml:[45]: promtool check rules: .*pars",
        ),
        ("groups:\n- name: a\n  rules:\n  - {alert: HighMean, expr: up, fro: 1m}\n", "rules.yml:4.*fro"),
    ],
    ids=["not YAML", "empty", "no mapping", "no groups", "bad expression", "unknown key"],
)
def test_a_rule_file_that_prometheus_would_refuse_is_told_with_file_and_line(
    cli: Cli, model: Toy, text: str, cause: str
) -> None:
    file = scenarios.write(cli.folder)
    (cli.folder / "rules.yml").write_text(text)

    assert_told(cli("run", file, "--target", model.url, "--rules", "rules.yml").refused(), cause)
    assert model.requests == 0


def test_a_pattern_that_matches_no_rule_file_is_refused(cli: Cli, model: Toy) -> None:
    told = cli("run", scenarios.write(cli.folder), "--target", model.url, "--rules", "rules/*.yml").refused()

    assert_told(told, r"rules/\*\.yml")


def test_a_scenario_without_rule_files_asks_for_them(cli: Cli, model: Toy) -> None:
    told = cli("run", scenarios.write(cli.folder, rules="[]"), "--target", model.url).refused()

    assert_told(told, "no rule files", "--rules")


# The target.


def test_no_target_at_all_asks_for_one(cli: Cli) -> None:
    assert_told(cli("run", scenarios.write(cli.folder)).refused(), "no target", "--target http")


def test_a_target_that_refuses_connections_is_told_before_the_drill(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"

    told = cli("run", scenarios.write(cli.folder), "--target", url).refused()

    assert_told(told, f"no answer from {url}/predict: refused", "running")
    assert not list(cli.folder.glob("*.drill"))


def test_a_target_that_accepts_and_never_answers_is_told_within_its_time_out(cli: Cli) -> None:
    with deaf() as url:
        (cli.folder / "driftdrill.toml").write_text(f"[targets.deaf]\nurl = '{url}'\ntimeout = 1.0\n")
        told = cli("run", scenarios.write(cli.folder), timeout=20).refused()

    assert_told(told, f"no answer from {url}/predict: timeout", "does not answer")


@pytest.mark.parametrize(
    ("answer", "cause", "remedy"),
    [
        (HTML, "answered 200, but no prediction: .*<!doctype html>", "result"),
        (Answer("{}"), "answered 200, but no prediction", "result"),
        (Answer('{"prediction": null}'), "answered 200, but no prediction", "result"),
        (Answer('{"prediction": "late"}'), "answered 200, but no prediction: expected a number", "result"),
        (Answer('{"prediction": [0.1, 0.2]}'), "expected 1 predictions, found 2", "result"),
        (Answer("", 200), "answered 200, but no prediction: .*an empty body", "result"),
        (Answer("moved", 302, {"Location": "http://192.0.2.1/login"}), "302.*http://192.0.2.1/login", "redirect"),
        (Answer('{"detail": "no such row"}', 422), 'answered 422 to a clean row: {"detail"', "path and body"),
        (Answer("who are you?", 401), "answered 401", "bearer"),
        (Answer("broken", 500), "answered 500 to a clean row: broken", ""),
    ],
    ids=["HTML", "nothing", "null", "text", "too many", "empty", "redirect", "refusal", "login", "error"],
)
def test_a_target_that_answers_no_prediction_is_told_with_what_it_answered(
    cli: Cli, answer: Answer, cause: str, remedy: str
) -> None:
    with toy.serve(Toy(predict=lambda number, asked: answer)) as model:
        told = cli("run", scenarios.write(cli.folder), "--target", model.url).refused()

    assert_told(told, cause, remedy)
    assert not list(cli.folder.glob("*.drill"))


@pytest.mark.parametrize("clock", ["virtual", "wall"])
def test_a_target_beyond_this_machine_is_never_contacted_unless_it_is_allowed(cli: Cli, clock: str) -> None:
    """The machine's own outer address stands for a foreign host: a listener there sees every contact."""
    with foreign() as (listener, url):
        told = cli("run", scenarios.write(cli.folder), "--target", url, "--clock", clock).refused()

        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert_told(told, "is not this machine", "--allow-host")


def test_a_metrics_page_beyond_this_machine_is_never_contacted_unless_it_is_allowed(cli: Cli, model: Toy) -> None:
    with foreign() as (listener, url):
        (cli.folder / "driftdrill.toml").write_text(
            f"[targets.toy]\nurl = '{model.url}'\nmetrics = [{{ url = '{url}/metrics' }}]\n"
        )
        told = cli("run", scenarios.write(cli.folder, scenarios.WALL)).refused()

        listener.setblocking(False)
        with pytest.raises(BlockingIOError):
            listener.accept()
    assert_told(told, "is not this machine", "--allow-host")


@contextmanager
def foreign() -> Iterator[tuple[socket.socket, str]]:
    """A listener on an address of this machine that is not loopback, and its URL."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # documentation address; a datagram socket sends nothing here
        except OSError:
            pytest.skip("this machine has no address but loopback")
        host = probe.getsockname()[0]
    with socket.create_server((host, 0)) as listener:
        yield listener, f"http://{host}:{listener.getsockname()[1]}"


def test_an_allowed_host_is_contacted(cli: Cli) -> None:
    with foreign() as (listener, url):
        listener.close()
        told = cli("run", scenarios.write(cli.folder), "--target", url, "--allow-host", url[7:].split(":")[0]).refused()

    assert_told(told, "no answer from")


@pytest.mark.parametrize(
    ("url", "cause"),
    [
        ("127.0.0.1:8000", "no target is named"),
        ("ftp://127.0.0.1/", "is not an http:// or https:// URL"),
        ("http://user:hunter2@127.0.0.1:9", "carries credentials"),
        ("http://127.0.0.1:99999", "not a URL"),
        ("http://no-such-host.invalid/", "cannot be resolved"),
    ],
)
def test_a_target_that_is_no_address_is_refused(cli: Cli, url: str, cause: str) -> None:
    done = cli("run", scenarios.write(cli.folder), "--target", url)

    assert_told(done.refused(), cause)
    assert "hunter2" not in done.err


def test_a_metrics_page_that_cannot_be_scraped_is_told_before_the_drill(cli: Cli) -> None:
    with toy.serve(Toy(page=lambda number: Answer("gone", 404))) as model:
        told = cli("run", scenarios.write(cli.folder), "--target", model.url).refused()

    assert_told(told, f"{model.url}/metrics cannot be scraped: .*404", "metrics endpoint")


# The rig.


@pytest.mark.parametrize("path", ["", None], ids=["empty", "unset"])
@pytest.mark.parametrize("clock", ["virtual", "wall"])
def test_no_prometheus_and_no_promtool_to_be_had_names_all_three_remedies(
    cli: Cli, model: Toy, clock: str, path: str | None
) -> None:
    cli.env.clear()
    cli.env |= {"DOCKER_HOST": f"unix://{cli.folder}/no-engine.sock"}
    # Programs beside this Python count as on PATH, and `make test` may have put some there: the one below is asked.
    beneath = (str(Path(sys.base_prefix) / "bin" / f"python3.{sys.version_info.minor}"), "-m", "driftdrill.harness.cli")
    packages = os.pathsep.join([str(ROOT), *site.getsitepackages()])
    arguments = ("run", scenarios.write(cli.folder), "--target", model.url, "--clock", clock)
    running = cli.start(*arguments, env={"PATH": path, "PYTHONPATH": packages}, program=beneath)

    cause, remedy = running.wait().refused()

    assert "to be had" in cause
    assert all(f"({n})" in remedy for n in (1, 2, 3)), remedy


def test_a_promtool_that_is_no_program_is_told(cli: Cli, model: Toy) -> None:
    file = scenarios.write(cli.folder)

    told = cli("run", file, "--target", model.url, "--engine", cli.folder / "toy.yml").refused()

    assert_told(told, "toy.yml is no program that can be run", "promtool")


def test_a_prometheus_flag_that_is_neither_word_nor_url_is_refused(cli: Cli, model: Toy) -> None:
    told = cli("run", scenarios.write(cli.folder), "--target", model.url, "--prometheus", "dcoker").refused()

    assert_told(told, "--prometheus must be auto, container, binary or a URL, not 'dcoker'")


def test_a_port_in_use_is_told(cli: Cli) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        running = cli.start("--port", port, program=(sys.executable, "-m", "driftdrill.stack.model_service"))
        done = running.wait()

    assert done.code == 2
    assert f"error: cannot listen on 127.0.0.1:{port}: Address already in use" in done.err
    assert "hint: choose another port" in done.err


# The command line itself.


@pytest.mark.parametrize(
    "args",
    [("runn",), ("run",), ("run", "x.py", "--rlues", "y"), ("run", "x.py", "--clock", "sundial"), ("judge",)],
)
def test_a_command_line_that_cannot_be_read_exits_2_with_help_at_hand(cli: Cli, args: tuple[str, ...]) -> None:
    done = cli(*args)

    assert done.code == 2, done
    assert "Error:" in done.err
    assert "Traceback" not in done.err


def test_debug_shows_the_traceback(cli: Cli) -> None:
    done = cli("--debug", "run", "nowhere.py")

    assert done.code != 0
    assert "Traceback" in done.err

"""However a drill ends early, what it recorded reads back, and nothing that it started is left."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from driftdrill.harness.recording.reader import Recording
from driftdrill.stack.prometheus.api import Server
from driftdrill.stack.prometheus.promtool import find_binary
from tests.harness import scenarios, toy
from tests.harness.command import Cli, Done, Running, eventually, prometheus_for
from tests.harness.toy import Answer, Toy

SIGNALS = [signal.SIGINT, signal.SIGTERM]
NAMES = ["Ctrl-C", "SIGTERM"]


@contextmanager
def held_up(request: int) -> Iterator[tuple[Toy, threading.Event]]:
    """A toy that does not answer the given request before the test ends; the event tells that it was asked."""
    asked, released = threading.Event(), threading.Event()

    def predict(number: int, body: object) -> Answer | None:
        if number == request:
            asked.set()
            released.wait(60)
        return None

    with toy.serve(Toy(predict=predict)) as model:
        try:
            yield model, asked
        finally:
            released.set()


def check_interrupted(done: Done, number: signal.Signals) -> Recording:
    """Exit code 130, who ended it, and a recording that reads back to its end."""
    cause, remedy = done.refused(130)
    assert cause == f"interrupted by {number.name}"
    assert "driftdrill judge" in remedy
    (path,) = done.folder.glob("*.drill")
    assert f"recorded so far: {path.name}" in done.err
    last = done.recording.events()[-1]
    assert (last["event"], last["complete"], last["why"]) == ("end", False, cause)
    assert done.recording.samples()
    return done.recording


SWALLOWED = """
import os, signal, sys, time
from driftdrill.harness.cli import main

class Library:
    def __del__(self):
        os.kill(os.getpid(), signal.{signal})
        time.sleep(60)  # the handler raises here, and Python drops it

def command(*_, **__):
    Library()
    time.sleep(60)

main.cli.main = command
main.main([])
"""


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
def test_a_signal_while_a_finalizer_runs_is_not_lost(cli: Cli, number: signal.Signals) -> None:
    cause, _ = cli.start(program=(sys.executable, "-c", SWALLOWED.format(signal=number.name))).wait(30).refused(130)

    assert cause == "interrupted"


# Ctrl-C and SIGTERM, phase by phase.


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
@pytest.mark.parametrize(
    ("phase", "request_number"), [("warm_up", 50), ("baseline", 230), ("fault", 480), ("recovery", 760)]
)
def test_a_signal_in_any_phase_of_virtual_time_ends_the_drill_and_keeps_it(
    cli: Cli, phase: str, request_number: int, number: signal.Signals
) -> None:
    with held_up(request_number) as (model, asked):
        running = cli.start("run", scenarios.write(cli.folder), "--target", model.url)
        assert asked.wait(60), running.err
        running.send(number)
        recording = check_interrupted(running.wait(30), number)

    requests = recording.requests()
    (during,) = [p for p in recording.meta.phases if p[0] == phase]
    assert during[1] <= requests.intended.max() < during[2]
    assert len(requests) >= request_number - 10


@pytest.mark.parametrize(
    ("phase", "number"),
    [
        ("warm-up", signal.SIGTERM),
        ("baseline", signal.SIGINT),
        ("fault", signal.SIGTERM),
        ("recovery", signal.SIGINT),
    ],
)
def test_a_signal_in_any_phase_of_a_wall_drill_ends_it_and_keeps_it(
    cli: Cli, watched: tuple[Toy, Server], phase: str, number: signal.Signals
) -> None:
    model, server = watched
    file = scenarios.write(cli.folder, scenarios.WALL, faults="[Fault('x + 2', moved)]")
    running = cli.start("run", file, "--target", model.url, "--prometheus", server.connection.url)

    running.says(rf"\b{phase}\b")
    running.send(number)

    recording = check_interrupted(running.wait(30), number)
    assert len(recording.requests()) > 0


@pytest.mark.slow
def test_a_prometheus_that_the_drill_started_ends_with_it(cli: Cli, model: Toy) -> None:
    running = cli.start("run", scenarios.write(cli.folder, scenarios.WALL), "--target", model.url)

    running.says("baseline")
    assert any("prometheus" in command for command in running.children().values())
    running.send(signal.SIGINT)

    check_interrupted(running.wait(30), signal.SIGINT)


# Before the drive and after it.


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
def test_a_signal_while_the_target_is_probed_ends_at_once(cli: Cli, number: signal.Signals) -> None:
    with held_up(1) as (model, asked):
        running = cli.start("run", scenarios.write(cli.folder), "--target", model.url)
        assert asked.wait(60), running.err
        running.send(number)
        cause, _ = running.wait(30).refused(130)

    assert cause == f"interrupted by {number.name}"
    assert not list(cli.folder.glob("*.drill"))


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
def test_a_signal_while_prometheus_has_not_yet_scraped_the_target_ends_at_once(
    cli: Cli, number: signal.Signals
) -> None:
    scraped = threading.Event()
    with toy.serve(Toy(page=lambda scrape: scraped.set() or Answer("down", 503))) as model:
        running = cli.start("run", scenarios.write(cli.folder, scenarios.WALL), "--target", model.url)
        assert scraped.wait(60), running.err
        running.send(number)
        cause, _ = running.wait(30).refused(130)

    assert cause == f"interrupted by {number.name}"


@pytest.fixture
def slow_promtool(cli: Cli) -> Path:
    """A promtool that takes very long for the subcommand in $SLOW; it makes the file `reached` first."""
    program = cli.folder / "promtool"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = "$SLOW" ]; then touch "$REACHED"; sleep 100; fi\nexec {find_binary("promtool")} "$@"\n'
    )
    program.chmod(0o755)
    cli.env |= {"DRIFTDRILL_PROMTOOL": str(program), "REACHED": str(cli.folder / "reached")}
    return program


def reached(running: Running) -> None:
    """Wait until the slow promtool runs."""
    eventually(lambda: (running.folder / "reached").exists() or running.ended, "promtool runs")
    assert not running.ended, running.err


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
def test_a_signal_while_promtool_checks_the_rules_ends_at_once(
    cli: Cli, model: Toy, slow_promtool: Path, number: signal.Signals
) -> None:
    running = cli.start("run", scenarios.write(cli.folder), "--target", model.url, env={"SLOW": "check"})

    reached(running)
    running.send(number)

    cause, _ = running.wait(30).refused(130)
    assert cause == f"interrupted by {number.name}"


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
def test_a_signal_while_the_drill_is_judged_keeps_the_whole_recording(
    cli: Cli, model: Toy, slow_promtool: Path, number: signal.Signals
) -> None:
    running = cli.start("run", scenarios.write(cli.folder), "--target", model.url, env={"SLOW": "test"})

    reached(running)
    running.send(number)
    done = running.wait(30)

    assert done.refused(130)[0] == f"interrupted by {number.name}"
    assert done.recording.events()[-1]["complete"] is True
    assert cli("judge", done.recording.path.name).code == 0


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
def test_a_signal_ends_the_judge_verb_too(cli: Cli, model: Toy, slow_promtool: Path, number: signal.Signals) -> None:
    assert cli("record", scenarios.write(cli.folder), "--target", model.url, "--out", "a.drill").code == 0
    running = cli.start("judge", "a.drill", env={"SLOW": "test"})

    reached(running)
    running.send(number)

    assert running.wait(30).refused(130)[0] == "interrupted"


def test_a_second_signal_does_not_wait_for_the_first(cli: Cli) -> None:
    """A metrics page that hangs holds the drive up for its whole scrape time-out; who asks twice need not wait."""
    asked, released = threading.Event(), threading.Event()

    def page(scrape: int) -> Answer | None:
        if scrape == 8:
            asked.set()
            released.wait(60)
        return None

    with toy.serve(Toy(page=page)) as model:
        running = cli.start("run", scenarios.write(cli.folder), "--target", model.url)
        assert asked.wait(60), running.err
        running.send(signal.SIGINT)
        running.says("once more ends it at once")
        running.send(signal.SIGTERM)
        done = running.wait(9)  # the scrape's time-out is 10 s
        released.set()

    assert done.refused(130)[0] == "interrupted by SIGTERM"
    assert len(done.recording.requests()) > 0


@pytest.mark.parametrize("number", SIGNALS, ids=NAMES)
def test_locust_ends_a_drill_the_same_way(cli: Cli, number: signal.Signals) -> None:
    file = scenarios.write(cli.folder)
    file.write_text(
        file.read_text() + "\nfrom driftdrill import ModelUser\n\n\nclass Load(ModelUser):\n    scenario = drill\n"
    )
    with held_up(230) as (model, asked):
        running = cli.start(*("-f", file, "--headless", "--host", model.url), program=(sys.executable, "-m", "locust"))
        assert asked.wait(60), running.err
        running.send(number)
        done = running.wait(30)

    assert done.code == 130, done
    assert f"driftdrill: interrupted by {number.name}" in done.err
    assert "Traceback" not in done.err
    assert done.recording.events()[-1]["complete"] is False


# What goes away in mid-drill.


def test_a_model_that_dies_in_mid_drill_makes_the_drill_invalid(cli: Cli) -> None:
    with toy.dying(request=400) as url:
        done = cli("run", scenarios.write(cli.folder), "--target", url)

    reasons = done.invalid()
    assert "was up at" in reasons
    failed = done.recording.requests().failure != ""
    assert failed[450:].all()


def test_a_model_that_dies_under_a_fault_that_is_held_makes_the_drill_invalid_too(cli: Cli) -> None:
    file = scenarios.write(
        cli.folder,
        imports="from driftdrill.stack.faults.pages import RenameMetric",
        faults="[Fault('renamed', RenameMetric(metric='toy_x', to='toy_y'))]",
        expect="[fires('Down')]",
    )
    with toy.dying(request=400) as url:
        done = cli("run", file, "--target", url)

    # Renaming a metric takes no page down: whatever does is no part of the drill.
    assert "was up at" in " ".join(done.invalid().split())


@pytest.mark.slow
def test_a_model_that_dies_in_a_wall_drill_makes_the_drill_invalid(cli: Cli) -> None:
    file = scenarios.write(cli.folder, scenarios.WALL, warm_up="2", fault="3", recovery="1", expect="[]")
    with toy.dying(request=80) as url:
        done = cli("run", file, "--target", url)

    assert "was up at" in done.invalid()
    assert done.recording.events()[-1]["complete"] is True


@pytest.mark.slow
def test_a_prometheus_that_dies_in_mid_drill_ends_it_and_keeps_what_was_recorded(cli: Cli, model: Toy) -> None:
    running = cli.start("run", scenarios.write(cli.folder, scenarios.WALL), "--target", model.url)

    running.says("baseline")
    (pid,) = [pid for pid, command in running.children().items() if Path(command.split()[0]).name == "prometheus"]
    os.kill(pid, signal.SIGKILL)
    done = running.wait(30)

    assert "Prometheus ended with status 137" in done.refused()[0]
    check_kept(done)


def test_an_existing_prometheus_that_dies_in_mid_drill_ends_it_and_keeps_what_was_recorded(
    cli: Cli, model: Toy, prometheus_binary: str
) -> None:
    file = scenarios.write(cli.folder, scenarios.WALL)
    with prometheus_for(model, prometheus_binary, cli.folder / "toy.yml") as server:
        running = cli.start("run", file, "--target", model.url, "--prometheus", server.connection.url)
        running.says("baseline")
    done = running.wait(30)

    assert "no Prometheus answers there" in done.refused()[0]
    check_kept(done)


def check_kept(done: Done) -> None:
    """The recording says that it is not whole, and the judge calls it INVALID."""
    assert "recorded so far" in done.err
    assert done.recording.events()[-1]["complete"] is False
    assert len(done.recording.requests()) > 0


@pytest.mark.slow
def test_a_killed_drill_leaves_a_readable_recording_and_no_child(cli: Cli, model: Toy) -> None:
    running = cli.start("run", scenarios.write(cli.folder, scenarios.WALL), "--target", model.url)

    running.says(r"\bfault\b")
    running.send(signal.SIGKILL)
    done = running.wait(30)

    assert done.code == -signal.SIGKILL
    assert len(done.recording.requests()) > 20
    assert "it was killed" in cli("judge", done.recording.path.name).invalid()


def test_a_drill_that_is_killed_in_virtual_time_leaves_a_readable_recording(cli: Cli) -> None:
    with held_up(500) as (model, asked):
        running = cli.start("run", scenarios.write(cli.folder), "--target", model.url)
        assert asked.wait(60), running.err
        running.send(signal.SIGKILL)
        done = running.wait(30)

    assert len(done.recording.requests()) > 300
    assert done.recording.samples()
    assert "it was killed" in cli("judge", done.recording.path.name).invalid()

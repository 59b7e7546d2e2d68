"""However a Locust test ends, its exit code is no lie: the drill's, or 3, or 1 where the user's own code broke."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from tests.harness import scenarios
from tests.harness.command import Cli, Done, Running, eventually
from tests.harness.test_interruption import held_up
from tests.harness.toy import Toy
from tests.stack.services import free_port

LOCUST = (sys.executable, "-m", "locust")
LOAD = """
import sys
from driftdrill import ModelUser
from locust import User, between, events, task

class Load(ModelUser):
    scenario = drill
"""
EXTRA = """
class Extra(User):
    fixed_count = 1
    wait_time = between(0.05, 0.1)
    @task
    def step(self):
        {}
"""
ON_START = "\n    def on_start(self):\n        raise RuntimeError('no API key')\n"
LISTENER = "\n@events.test_start.add_listener\ndef begin(**_):\n    raise KeyError('hook')\n"
QUIT = """
@events.init.add_listener
def begin(environment, **_):
    events.request.add_listener(lambda **_: environment.runner.quit())
"""


def written(cli: Cli, more: str = "", base: dict[str, str] = scenarios.VIRTUAL, **fields: str) -> Path:
    """drill.py, with a user class that carries the scenario and ``more`` code of the user's own."""
    file = scenarios.write(cli.folder, base, **fields)
    file.write_text(file.read_text() + LOAD + more)
    return file


def locust(cli: Cli, file: Path, url: str, *args: object) -> Done:
    return cli.start("-f", file, "--headless", "--host", url, *args, program=LOCUST).wait()


# Early ends


def test_on_the_wall_clock_a_run_time_shorter_than_the_drill_is_refused_at_the_start(cli: Cli, model: Toy) -> None:
    done = locust(cli, written(cli, base=scenarios.WALL), model.url, "-t", "16")

    assert done.code == 2, done
    assert "driftdrill: -t 16s would end the drill early: it takes 17s on the wall clock" in done.err
    assert not list(cli.folder.glob("*.drill"))


def test_in_virtual_time_a_run_time_that_is_long_enough_changes_nothing(cli: Cli, model: Toy) -> None:
    assert locust(cli, written(cli), model.url, "-t", "300").code == 0


def test_a_run_time_that_ends_a_drill_early_makes_it_invalid(cli: Cli) -> None:
    with held_up(230) as (model, _):
        done = locust(cli, written(cli), model.url, "-t", "8")

    assert "Locust stopped the test" in done.invalid()


def test_a_test_that_the_users_own_code_quits_is_invalid(cli: Cli, model: Toy) -> None:
    assert "Locust stopped the test" in locust(cli, written(cli, QUIT), model.url).invalid()


@pytest.mark.parametrize(
    "more",
    [
        "\n    def on_start(self):\n        sys.exit(0)\n",
        EXTRA.format("sys.exit(0)"),
        "\n@events.request.add_listener\ndef told(**_):\n    sys.exit(0)\n",
        "\n@events.test_start.add_listener\ndef begin(**_):\n    sys.exit(0)\n",
    ],
    ids=["on_start", "a task", "a listener of requests", "a listener of the start"],
)
def test_users_code_that_exits_ends_the_test_and_never_the_process_with_its_own_code(
    cli: Cli, model: Toy, more: str
) -> None:
    model.predict = lambda number, asked: time.sleep(0.002)

    assert "Locust stopped the test" in locust(cli, written(cli, more), model.url).invalid()


# What users' code raises


@pytest.mark.parametrize(
    "more",
    [EXTRA.format("raise ValueError('broken')"), ON_START, LISTENER],
    ids=["a task", "on_start", "a listener"],
)
def test_what_the_users_own_code_raises_keeps_locusts_exit_code(cli: Cli, model: Toy, more: str) -> None:
    done = locust(cli, written(cli, more), model.url)

    assert done.code == 1, done
    assert "VALID · HELD" in done.out
    assert "the locustfile's own tasks or hooks raised exceptions" in done.err


def test_a_worse_exit_code_of_the_drill_outranks_what_users_code_raises(cli: Cli) -> None:
    assert locust(cli, written(cli, ON_START), "http://127.0.0.1:9").code == 2


def test_a_user_who_raises_nothing_changes_nothing_and_numbers_of_users_are_told_once_to_have_no_effect(
    cli: Cli, model: Toy
) -> None:
    done = locust(cli, written(cli, EXTRA.format("pass")), model.url, "-u", "3", "-r", "2")

    assert done.code == 0, done
    assert done.err.count("-u and -r change nothing") == 1


def test_a_scenario_is_chosen_by_its_name(cli: Cli, model: Toy) -> None:
    other = "\nfrom dataclasses import replace\nclass Other(ModelUser):\n    scenario = replace(drill, name='other')\n"
    file = written(cli, other)

    assert locust(cli, file, model.url, "--scenario", "other", "--out", "a.drill").recording.meta.scenario == "other"
    assert "no user class has the scenario 'third'" in locust(cli, file, model.url, "--scenario", "third").err


# The web interface


class Page:
    """Locust's web interface, as its page talks to it."""

    def __init__(self, running: Running, url: str) -> None:
        self._running, self._url = running, url

    def start(self, **form: str) -> Any:
        answer = requests.post(f"{self._url}/swarm", {"user_count": "1", "spawn_rate": "1", **form}, timeout=10)
        return answer.json()

    def stop(self) -> None:
        requests.post(f"{self._url}/stop", timeout=10)

    def tab(self) -> str:
        """What the tab shows."""
        told = requests.get(f"{self._url}/stats/requests", timeout=10).json()["extended_stats"]
        (drill,) = [entry["data"] for entry in told if entry["key"] == "drill"]
        return "\n".join(f"{row['what']}: {row['said']}" for row in drill)

    def shows(self, text: str) -> None:
        eventually(lambda: text in self.tab(), f"{text} in the tab", every=0.1)

    def report(self) -> requests.Response:
        return requests.get(f"{self._url}/drill/report", timeout=10)

    def arguments(self) -> Any:
        """What its script begins with."""
        text = requests.get(self._url, timeout=10).text
        return json.loads(text.split("window.templateArgs = ", 1)[1].split("\n", 1)[0].rstrip().rstrip(";"))


@contextmanager
def opened(cli: Cli, file: Path, url: str, *args: object) -> Iterator[Page]:
    port = free_port()
    at = ("--web-host", "127.0.0.1", "--web-port", port)
    running = cli.start("-f", file, "--host", url, *at, *args, program=LOCUST)
    address = f"http://127.0.0.1:{port}"
    eventually(lambda: _answers(address) or running.ended, "the web interface")
    try:
        yield Page(running, address)
    finally:
        running.popen.terminate()  # type: ignore[union-attr]
        running.wait()


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=1).ok
    except requests.RequestException:
        return False


def test_the_page_shows_the_verdict_and_a_second_start_plays_the_drill_again(cli: Cli, model: Toy) -> None:
    with opened(cli, written(cli), model.url) as page:
        assert "not started yet" in page.tab()
        assert "Drill" in str(page.arguments())
        assert page.report().status_code == 404
        for number in (1, 2):
            assert page.start()["success"]
            eventually(lambda n=number: len(list(cli.folder.glob("*.drill"))) == n, "a recording")
            page.shows("verdict: VALID · HELD")
            assert "HighMean" in page.report().text
            eventually(lambda: "verdict" in page.tab(), "its end")


def test_a_start_that_cannot_begin_is_refused_on_the_page_with_the_reason(cli: Cli, model: Toy) -> None:
    (cli.folder / "a.drill").mkdir()
    with opened(cli, written(cli, base=scenarios.WALL), model.url, "--out", "a.drill") as page:
        told = page.start()
        assert (told["success"], "a.drill: there is one already" in told["message"]) == (False, True)
        assert "takes 17s on the wall clock" in page.start(run_time="5")["message"]
        assert "takes 17s" in page.tab()


def test_the_stop_button_leaves_an_invalid_verdict_on_the_page(cli: Cli) -> None:
    with held_up(230) as (model, asked), opened(cli, written(cli), model.url) as page:
        page.start()
        assert asked.wait(60)
        page.stop()
        page.shows("verdict: INVALID")
        assert "Locust stopped the test" in page.tab()

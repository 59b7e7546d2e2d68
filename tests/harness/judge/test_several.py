"""Several recordings judged by one command, in processes that end with it."""

import re
import signal
from pathlib import Path
from typing import Any

import pytest

from driftdrill import fires
from driftdrill.stack.prometheus.promtool import find_binary
from tests.harness.command import Cli, eventually
from tests.harness.made import make

RULES = "groups:\n- {name: g, rules: [{alert: Hot, expr: heat > 10}]}\n"


def how(i: int) -> dict[str, Any]:
    return {"name": f"{i}.drill", "expect": [fires("Hot")]}


@pytest.fixture
def four(cli: Cli) -> list[Path]:
    """Four recordings; the alert fires at another time in each."""
    return [
        make(cli.folder, {"heat": lambda t, i=i: 20.0 if t > 1000 + 100 * i else 1.0}, RULES, **how(i)).path
        for i in range(4)
    ]


def test_verdicts_come_in_the_order_of_the_recordings(cli: Cli, four: list[Path]) -> None:
    done = cli("judge", *reversed(four))
    assert done.code == 0, done
    assert re.findall(r"(\d)\.drill", done.out) == ["3", "2", "1", "0"]


def test_one_that_cannot_be_read_is_told_like_a_single_one(cli: Cli, four: list[Path]) -> None:
    (four[2] / "meta.json").write_text("{")
    cause, remedy = cli("judge", *four).refused()
    assert "2.drill: meta.json is damaged" in cause
    assert remedy


@pytest.mark.parametrize(
    "number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL], ids=["SIGINT", "SIGTERM", "SIGKILL"]
)
def test_no_process_is_left_when_the_command_is_ended(cli: Cli, four: list[Path], number: signal.Signals) -> None:
    program = cli.folder / "promtool"
    real = find_binary("promtool")
    program.write_text(f'#!/bin/sh\nif [ "$1" = test ]; then touch "$REACHED"; sleep 100; fi\nexec {real} "$@"\n')
    program.chmod(0o755)
    reached = cli.folder / "reached"
    running = cli.start("judge", *four, env={"DRIFTDRILL_PROMTOOL": str(program), "REACHED": str(reached)})
    eventually(reached.exists, "promtool runs")
    running.send(number)
    done = running.wait(15, left=number == signal.SIGKILL)
    assert "Traceback" not in done.err
    assert done.code == (-9 if number == signal.SIGKILL else 130)

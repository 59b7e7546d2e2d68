"""What tests share: what this machine has, and naming what it has not."""

import os
import signal
import sys
from collections import Counter
from pathlib import Path
from typing import NoReturn

import pytest

from driftdrill.stack import container
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.promtool import IMAGE, find_binary
from tests.images import make_prometheus_image

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # In the background of a shell script Ctrl-C is ignored, and children inherit that: tests send it to them.
    signal.signal(signal.SIGINT, signal.default_int_handler)

# `make test` puts promtool beside this Python where the machine has none.
os.environ["PATH"] += os.pathsep + str(Path(sys.prefix) / "bin")

LONGEST_FIRST = (
    "test_readme",
    "test_interruption",
    "test_faults",
    "test_demo_rules",
    "test_planted_lies",
    "test_traps",
    "test_conformance",
    "test_model_service",
    "test_secrets",
    "test_wheel",
    "test_proxy",
    "test_mutate",
    "test_clocks",
    "test_html",
    "test_laws",
    "test_locust",
    "test_processes",
    "test_cli",
    "test_held",
    "test_model_switches",
    "test_bad_input",
    "test_prometheus",
    "test_config",
)
"""Files that take longer than the rest: begun last, one of them would be what everybody waits for at the end."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; `make test` hands files out in this order."""
    place = {name: at for at, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.stem, len(place)))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name at the end what was left out, each reason once."""
    reasons = Counter(report.longrepr[2] for report in terminalreporter.stats.get("skipped", []))
    if reasons:
        terminalreporter.section("left out")
    for reason, count in reasons.most_common():
        terminalreporter.line(f"{count:5} tests: {reason.removeprefix('Skipped: ')}")


def leave_out(reason: str, demanded_by: str) -> NoReturn:
    """Skip, naming the reason; fail where the variable ``demanded_by`` is 1, as CI sets it."""
    if os.environ.get(demanded_by) == "1":
        pytest.fail(f"{reason}; {demanded_by}=1 demands it")
    pytest.skip(reason)


@pytest.fixture(scope="session")
def prometheus_image() -> str:
    """A container image with Prometheus: made from this machine's binaries, else the default one."""
    try:
        return make_prometheus_image()
    except StackError as made:
        try:
            container.obtain(IMAGE)
        except StackError as pulled:
            reasons = "; ".join(dict.fromkeys([made.cause, pulled.cause]))
            leave_out(f"no container with Prometheus: {reasons}", "DRIFTDRILL_REQUIRE_CONTAINER")
        return IMAGE


@pytest.fixture(scope="session")
def prometheus_binary() -> str:
    """The path of a prometheus with promtool beside it; `make test` provides one unless there is a container."""
    found = find_binary("prometheus")
    if found is None:
        leave_out("no prometheus on PATH", "DRIFTDRILL_REQUIRE_CONTAINER")
    return found


@pytest.fixture(scope="session")
def prometheus3() -> Path:
    """A folder with prometheus and promtool 3.x, as tools/get-prometheus3 makes it."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    folder = Path(os.environ.get("DRIFTDRILL_PROMETHEUS3", cache / "driftdrill" / "prometheus3"))
    if not (folder / "promtool").exists():
        leave_out("no Prometheus 3; tools/get-prometheus3 fetches it", "DRIFTDRILL_REQUIRE_PROMETHEUS3")
    return folder

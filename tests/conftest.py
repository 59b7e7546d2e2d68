"""What tests share: what this machine has, and naming what it has not."""

import os
import shutil
from pathlib import Path
from typing import NoReturn

import pytest

from stack import container
from stack.errors import StackError
from stack.promtool import IMAGE
from tests.images import make_prometheus_image


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
            leave_out(f"no container with Prometheus: {made.cause}; {pulled.cause}", "DRIFTDRILL_REQUIRE_CONTAINER")
        return IMAGE


@pytest.fixture(scope="session")
def prometheus_binary() -> str:
    """The path of a prometheus on PATH with promtool beside it; `make test` provides it unless there is a container."""
    found = shutil.which("prometheus")
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

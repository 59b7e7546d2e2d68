"""What is fetched from a real Prometheus into a recording. Its samples come by remote write, so that the test says
when each arrives: a scrape that is stored late cannot be had on demand."""

import math
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from driftdrill.harness.drive.prometheus_fetch import PrometheusFetch
from driftdrill.harness.recording.reader import Recording, open_recording
from driftdrill.harness.recording.writer import Writer
from driftdrill.stack.prometheus.api import Server
from driftdrill.stack.prometheus.server import prometheus
from tests.harness.drive.remote_read import Labels, store_samples
from tests.harness.made import make

BEGAN = round(time.time()) - 300.0
"""Unix time of scenario second 0: what follows lies in the past."""


@pytest.fixture(scope="module")
def server(prometheus_binary: str) -> Iterator[Server]:
    flags = ["--web.enable-remote-write-receiver"]
    with prometheus(how="binary", binary=prometheus_binary, extra_flags=flags) as ours:
        yield ours


def store(server: Server, job: str, points: dict[str, dict[float, float]]) -> None:
    """Metric name -> scenario second -> value, of the one target of a job."""
    series: dict[Labels, list[tuple[float, float]]] = {
        (("__name__", name), ("instance", "i"), ("job", job)): [(BEGAN + t, v) for t, v in at.items()]
        for name, at in points.items()
    }
    store_samples(server.connection.url, series)


def recorded(recording: Recording) -> dict[str, list[tuple[float, float]]]:
    """Metric name -> (scenario second, value), stale markers left out."""
    return {
        s.labels["__name__"]: list(zip((s.times / 1000).tolist(), s.values.tolist(), strict=True))
        for s in recording.samples()
    }


def test_a_sample_that_was_stored_after_its_moment_was_fetched_is_in_the_recording_once(
    server: Server, tmp_path: Path
) -> None:
    """The scrape of second 99 is stored after the fetch at 100; that of another metric 25 s after its moment."""
    template = make(tmp_path, {}, "groups: []", end=False, name="template.drill")
    writer = Writer(tmp_path / "fetched.drill", template.meta)
    fetcher = PrometheusFetch(server, frozenset({"late"}), frozenset(), BEGAN)
    store(server, "late", {"up": {84: 1, 99: 1}, "heat": {69: 1, 84: 2}})
    fetcher.step(writer, 100.0)
    store(server, "late", {"heat": {99: 3}, "pushed": {75: 7}})
    store(server, "late", {"up": {114: 1}, "heat": {114: 4}})
    fetcher.step(writer, 115.0)
    fetcher.step(writer, 120.0)
    found = recorded(open_recording(writer.path))
    assert found["pushed"] == [(75.0, 7.0)]
    heat = [(t, v) for t, v in found["heat"] if not math.isnan(v)]
    assert heat == [
        (69.0, 1.0),
        (84.0, 2.0),
        (99.0, 3.0),
        (114.0, 4.0),
    ]
    assert found["up"] == [(84.0, 1.0), (99.0, 1.0), (114.0, 1.0)]

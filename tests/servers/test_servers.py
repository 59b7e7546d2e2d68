"""Every protocol on the real servers that speak it: predictions, errors, metrics, and counts to the request."""

import time
from collections.abc import Iterator
from dataclasses import replace

import gevent
import numpy as np
import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from driftdrill.harness.drive.clock import VirtualClock
from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.scenario.expect import quiet
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seeds import generator
from driftdrill.harness.setup.target import Target
from driftdrill.harness.traffic.blocks import Blocks
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.player import Player
from driftdrill.harness.traffic.protocols.base import Protocol
from driftdrill.harness.traffic.protocols.detect import detect, other_protocol, settled
from driftdrill.harness.traffic.records import Records
from driftdrill.harness.traffic.schedule import arrivals
from driftdrill.stack.connection import Connection
from tests.conftest import leave_out
from tests.servers.catalogue import SERVERS, Served, Server, serve
from tests.servers.environments import NotInstalled

# All tests run on one server before the next one starts; two at once would gain nothing on two processors.
NAMED = [pytest.param(s, id=s.name.partition("_")[0]) for s in SERVERS]
pytestmark = [
    pytest.mark.servers,
    pytest.mark.timeout(900),  # installing counts to the first test
    pytest.mark.parametrize("served", NAMED, indirect=True, scope="module"),
]


@pytest.fixture(scope="module")
def served(request: pytest.FixtureRequest) -> Iterator[Served]:
    """One server at a time; every test runs on it before the next one starts."""
    server: Server = request.param
    try:
        with serve(server) as running:
            yield running
    except NotInstalled as e:
        leave_out(f"{server.name} cannot be installed on this Python: {e}", "DRIFTDRILL_REQUIRE_SERVERS")


def spoken(served: Served) -> tuple[Target, Protocol]:
    return settled(Target(served.server.name, Connection(served.url), served.server.said))


def ask(served: Served, protocol: Protocol, rows_per_request: int) -> "list[float]":
    client = Client(Connection(served.url), protocol.path, protocol.content_type)
    out: list[float] = []
    total = len(served.predictions)
    for i, body in enumerate(protocol.encode(served.rows, rows_per_request)):
        reply = client.post(body)
        assert reply.status == 200, reply.body[:500]
        out += protocol.decode(reply.body, min(rows_per_request, total - i * rows_per_request))
    client.close()
    return out


def play(served: Served, protocol: Protocol, requests_: int) -> Records:
    """``requests_`` requests by the player on the virtual clock."""
    scenario = Scenario(
        name="count", story="rows", rows=lambda: served.rows, rate=constant(1), warm_up=0,
        baseline=requests_ / 2, fault=requests_ / 2, recovery=0, faults=[], expect=[quiet("Nothing")],
    )  # fmt: skip
    times = arrivals(scenario.rate, scenario.duration, generator(0, "schedule"), "even")
    clock = VirtualClock()
    player = Player(
        Blocks(scenario, protocol, times),
        [Client(Connection(served.url), protocol.path, protocol.content_type)],
        clock,
        slots=np.arange(len(times)),
        report=lambda *_: None,
        connections=4,
    )
    player.start()
    clock.open(scenario.duration)
    assert player.wait_ended(scenario.duration, timeout=60)
    player.stop()
    return player.take()


def counters(url: str) -> dict[str, float]:
    """Every sample's name -> its sum over labels, of requests to anything but the page itself."""
    out: dict[str, float] = {}
    for family in text_string_to_metric_families(requests.get(url, timeout=5).text):
        for sample in family.samples:
            if "/metrics" not in sample.labels.values():
                out[sample.name] = out.get(sample.name, 0.0) + sample.value
    return out


def test_its_own_answers_tell_its_protocol(served: Served) -> None:
    found = detect(Connection(served.url))
    assert found is not None
    assert found.options == served.server.detected


def test_predictions_are_the_models_own(served: Served) -> None:
    target, protocol = spoken(served)
    assert target.protocol.name == served.server.detected.name
    for rows_per_request in (1, 7) if served.server.many else (1,):
        assert ask(served, protocol, rows_per_request) == served.predictions.tolist()


def test_the_other_protocols_that_it_speaks_give_the_same(served: Served) -> None:
    for options in served.server.also:
        _, protocol = settled(Target("also", Connection(served.url), options))
        assert ask(served, protocol, 5) == served.predictions.tolist()


def test_a_row_that_lacks_features_is_a_failed_request_with_its_status(served: Served) -> None:
    _, protocol = spoken(served)
    two = {name: served.rows[name] for name in list(served.rows)[:2]}
    body = protocol.encode(two, 1)[0]
    records = play(replace(served, rows=two), protocol, 3)
    assert set(records.failure) == {"status"}, body
    assert set(records.status) <= set(served.server.wrong)
    assert np.isnan(records.prediction).all()


def test_a_path_that_is_not_there_is_a_failed_request_and_the_hint_names_the_protocol(served: Served) -> None:
    wrong = Target("wrong", Connection(served.url), replace(served.server.detected, name="json", path="/nowhere"))
    _, protocol = settled(wrong)
    assert set(play(served, protocol, 2).failure) == {"status"}
    hint = other_protocol(wrong)
    assert hint is not None
    assert served.server.detected.name in hint


def test_requests_recorded_agree_with_its_own_counter_to_the_request(served: Served) -> None:
    if not served.server.metrics:
        return  # MLflow and LitServe have no metrics page
    _, protocol = spoken(served)
    play(served, protocol, 1)
    before = counters(served.metrics_url)
    records = play(served, protocol, 120)
    assert records.failure == [""] * 120
    deadline = time.monotonic() + 5
    while True:  # some servers count after they have answered
        after = counters(served.metrics_url)
        grown = {n for n, v in after.items() if v - before.get(n, 0.0) == 120}
        if served.server.counts in grown or time.monotonic() > deadline:
            break
        gevent.sleep(0.05)
    assert served.server.counts in grown, after

"""How Locust is told of requests: its statistics are the same told many at once, and listeners see each."""

import os
from collections.abc import Iterator
from typing import Any

os.environ.setdefault("LOCUST_SKIP_MONKEY_PATCH", "1")

import gevent
import locust.stats
import pytest
from locust import User
from locust.env import Environment
from locust.exception import StopUser

from driftdrill.harness.traffic.latency import bucket
from driftdrill.harness.traffic.locust_user import LocustReport

TOLD: list[tuple[str, float, int, Exception | None]] = [
    *[("predict", 0.0012 * (i % 40 + 1), 30 + i % 7, None) for i in range(500)],
    ("predict", 0.5, 12, ValueError("HTTP 500")),
    ("predict", 0.25, 0, ValueError("reset: closed")),
    ("dropped", 30.0, 0, ValueError("no connection")),
    ("time to first token", 0.125, 0, None),
]


class Idle(User):
    abstract = False


@pytest.fixture
def environment(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    monkeypatch.setattr(locust.stats, "bucket_response_time", bucket)
    made = Environment(user_classes=[Idle])
    made.create_local_runner()
    yield made
    made.runner.quit()


def figures(environment: Any) -> dict[tuple[str, str], dict[str, Any]]:
    """Every entry of Locust's table but for when it was made."""
    entries = {**environment.stats.entries, ("", "total"): environment.stats.total}
    out = {}
    for key, entry in entries.items():
        whole = dict(entry.serialize())
        for name in ("start_time", "last_request_timestamp"):
            whole.pop(name)
        for name in ("num_reqs_per_sec", "num_fail_per_sec"):
            whole[name] = sum(whole[name].values())
        whole["total_response_time"] = pytest.approx(whole["total_response_time"])
        out[key] = whole
    return out


def test_statistics_told_many_at_once_are_those_of_one_request_at_a_time(environment: Any) -> None:
    report = LocustReport(environment)
    for one in TOLD:
        report(*one)
    report.flush()
    at_once = figures(environment)
    errors = {e.error: e.occurrences for e in environment.stats.errors.values()}
    environment.stats.clear_all()
    for name, seconds, size, failure in TOLD:
        environment.events.request.fire(
            request_type="POST", name=name, response_time=seconds * 1000, response_length=size,
            exception=failure, context={},
        )  # fmt: skip
    assert at_once == figures(environment)
    assert sorted(errors.values()) == [1, 1, 1]


def test_a_slow_listener_sees_each_request_in_order_before_the_end(environment: Any) -> None:
    seen: list[tuple[str, float, int, Exception | None]] = []

    def listen(*, name: str, response_time: float, response_length: int, exception: Any, **_: Any) -> None:
        gevent.sleep(0.0001)
        seen.append((name, response_time / 1000, response_length, exception))

    environment.events.request.add_listener(listen)
    report = LocustReport(environment)
    for one in TOLD[:250]:
        report(*one)
    gevent.spawn(report.flush)
    gevent.sleep(0)
    for one in TOLD[250:]:
        report(*one)
    report.flush()
    assert [(n, pytest.approx(s), b, e) for n, s, b, e in TOLD] == seen
    assert environment.stats.total.num_requests == len(TOLD)


def test_a_listener_that_stops_the_test_stops_it_and_no_request_is_lost(environment: Any) -> None:
    def stop(**_: Any) -> None:
        raise StopUser

    environment.events.request.add_listener(stop)
    stopped: list[bool] = []
    environment.events.test_stop.add_listener(lambda **_: stopped.append(True))
    environment.runner.start(1, spawn_rate=1)
    report = LocustReport(environment)
    for one in TOLD:
        report(*one)
    report.flush()
    assert stopped == [True]
    assert environment.stats.total.num_requests == len(TOLD)


def test_locust_knows_of_a_request_soon_and_unasked(environment: Any) -> None:
    LocustReport(environment)(*TOLD[0])
    with gevent.Timeout(10):
        while not environment.stats.total.num_requests:
            gevent.sleep(0.01)

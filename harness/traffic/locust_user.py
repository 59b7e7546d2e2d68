"""The only module that imports Locust: a User that carries a scenario, and the hooks around a test.

Locust patches the standard library when it is imported; that breaks whatever was imported before (requests, ssl).
Unless Locust runs already, it is told not to: gevent's own sockets cooperate without.
"""

import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, TypeVar

if "locust" not in sys.modules:
    os.environ.setdefault("LOCUST_SKIP_MONKEY_PATCH", "1")

import gevent
import locust.stats
from gevent.event import AsyncResult
from gevent.lock import RLock
from locust import User, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import StatsEntry

from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.traffic.latency import bucket

T = TypeVar("T")
FLUSH = 0.25
"""Seconds after which Locust's statistics know of an answer at the latest."""


class ModelUser(User):
    """Put ``scenario`` on a subclass, and `locust -f FILE` plays it; Locust's users idle, the player sends.

    The number of users (``-u``) changes nothing: load is the scenario's rate, open loop.
    """

    abstract = True
    scenario: ClassVar[Scenario]

    @task
    def idle(self) -> None:
        """The player sends; a Locust user only keeps the test alive."""
        gevent.sleep(1.0)


@dataclass(frozen=True)
class Hosted:
    """One Locust process in which a drill runs."""

    environment: Any
    scenario: Scenario

    @property
    def host(self) -> str:
        """--host, or empty."""
        return str(self.environment.host or "")

    @property
    def is_master(self) -> bool:
        """Whether other processes play, and this one only leads."""
        return isinstance(self.environment.runner, MasterRunner)

    @property
    def workers(self) -> tuple[str, ...]:
        """A master's workers that are alive, in the order in which they came."""
        nodes = self.environment.runner.clients
        return tuple(node.id for node in nodes.ready + nodes.spawning + nodes.running)

    def send(self, kind: str, data: Mapping[str, Any], worker: str | None = None) -> None:
        """A message to a worker, or from a worker to its master."""
        self.environment.runner.send_message(kind, dict(data), worker)

    def listen(self, kind: str, handler: Callable[[str, Mapping[str, Any]], None]) -> None:
        """Call ``handler(sender, data)`` for every message of a kind, one after another, in the order of sending."""
        runner = self.environment.runner
        runner.register_message(kind, lambda environment, msg, **_: handler(msg.node_id, msg.data))

    def option(self, name: str, default: Any = None) -> Any:
        """A command-line option of ours."""
        return getattr(self.environment.parsed_options, name, default)

    @cached_property
    def report(self) -> "LocustReport":
        """How one request is reported to Locust's statistics."""
        return LocustReport(self.environment)

    def report_all(self) -> None:
        """Locust's statistics know of every request so far; a worker's are on their way to its master.

        A master that ends the test waits half a second for its workers' last statistics, whatever the machine's load.
        """
        self.report.flush()
        if isinstance(self.environment.runner, WorkerRunner):
            self.environment.runner._send_stats()

    def quit(self, exit_code: int) -> None:
        """End the test; failed requests are observations and do not decide the exit code."""
        self.report_all()
        self.environment.process_exit_code = exit_code
        if self.environment.runner is not None:
            self.environment.runner.quit()


class LocustReport:
    """Tells Locust of each request, as ``events.request``, within ``FLUSH`` seconds.

    Listeners are called in a greenlet of their own, so that a slow one holds no request back. As long as Locust's
    own statistics alone listen, answers are added to them many at once, as a master adds what its workers tell it:
    that takes a tenth of the time.
    """

    def __init__(self, environment: Any) -> None:
        self._environment = environment
        self._told: list[tuple[str, float, int, Exception | None]] = []
        self._telling = RLock()

    def __call__(self, name: str, seconds: float, size: int, failure: Exception | None) -> None:
        """Tell of one request; ``seconds`` are from the intended start."""
        if not self._told:
            gevent.spawn_later(FLUSH, self.flush)
        self._told.append((name, seconds * 1000, size, failure))

    def flush(self) -> None:
        """Tell of all requests so far; returns when each listener has heard of them."""
        with self._telling:
            told, self._told = self._told, []
            self._tell(told)

    def _tell(self, told: list[tuple[str, float, int, Exception | None]]) -> None:
        hook, many, stop = self._environment.events.request, dict[str, list[tuple[float, int]]](), False
        listeners: list[Any] = getattr(hook, "_handlers", [])
        alone = len(listeners) == 1 and getattr(listeners[0], "__module__", "") == "locust.runners"
        for name, milliseconds, size, failure in told:
            if alone and failure is None:
                many.setdefault(name, []).append((milliseconds, size))
                continue
            try:
                hook.fire(
                    request_type="POST",
                    name=name,
                    response_time=milliseconds,
                    response_length=size,
                    exception=failure,
                    context={},
                )
            except Exception:  # a listener's StopTest, or StopUser: Locust swallows all others
                stop = True
        for name, answers in many.items():
            _add(self._environment.stats, name, answers)
        if stop:
            self._environment.runner.stop()


def _add(stats: Any, name: str, answers: list[tuple[float, int]]) -> None:
    """Add many answers, (milliseconds, bytes) each, to Locust's statistics at once."""
    times, now = [milliseconds for milliseconds, _ in answers], time.time()
    part: Any = StatsEntry(stats, name, "POST")
    part.num_requests, part.last_request_timestamp = len(times), now
    part.num_reqs_per_sec[int(now)] = len(times)
    part.total_response_time, part.min_response_time, part.max_response_time = sum(times), min(times), max(times)
    part.total_content_length = sum(size for _, size in answers)
    part.response_times.update(Counter(map(bucket, times)))
    stats.get(name, "POST").extend(part)
    stats.total.extend(part)


def hosted(environment: Any) -> Hosted | None:
    """The drill of a Locust environment: its first user class with a scenario, if any."""
    for user in environment.user_classes:
        scenario = getattr(user, "scenario", None)
        if isinstance(scenario, Scenario):
            return Hosted(environment, scenario)
    return None


def install(
    arguments: Callable[[Any], None],
    start: Callable[[Hosted], None],
    stop: Callable[[], None],
    serve: Callable[[Hosted], None],
) -> None:
    """Add our options to Locust's parser, and our hooks: ``start`` when a test starts, ``stop`` when it is stopped.

    A worker does neither: ``serve`` makes it listen to its master as soon as it exists.
    """

    def begin(environment: Any, **_: Any) -> None:
        found = hosted(environment)
        if found is not None:
            locust.stats.bucket_response_time = bucket  # type: ignore[assignment]
            if not isinstance(environment.runner, WorkerRunner):
                gevent.spawn(getattr(environment, "driftdrill", start), found)

    def exist(environment: Any, **_: Any) -> None:
        found = hosted(environment)
        if found is not None and isinstance(environment.runner, WorkerRunner):
            serve(found)

    hooks: Any = events
    hooks.init_command_line_parser.add_listener(lambda parser, **_: arguments(parser))
    hooks.init.add_listener(exist)
    hooks.test_start.add_listener(begin)
    hooks.test_stop.add_listener(lambda **_: stop())


def in_locust(scenario: Scenario, host: str, run: Callable[[Hosted], T]) -> T:
    """Host one test in this process, as Locust does: its environment, statistics and events around ``run``.

    Answers what ``run`` answers, and raises what it raises.
    """
    user = type("Load", (ModelUser,), {"scenario": scenario, "abstract": False})
    environment = Environment(user_classes=[user], events=events, host=host or None)
    runner = environment.create_local_runner()
    locust.stats.bucket_response_time = bucket  # type: ignore[assignment]
    ended: Any = AsyncResult()

    def told(found: Hosted) -> None:
        try:
            ended.set(run(found))
        except BaseException as e:
            ended.set_exception(e)

    vars(environment)["driftdrill"] = told
    runner.start(1, spawn_rate=1)
    try:
        answer: T = ended.get()
    finally:
        runner.quit()
    return answer

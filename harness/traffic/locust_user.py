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
from typing import Any, ClassVar, TypeVar, cast

if "locust" not in sys.modules:
    os.environ.setdefault("LOCUST_SKIP_MONKEY_PATCH", "1")

import gevent
import locust.log
import locust.stats
from gevent.event import AsyncResult
from gevent.lock import RLock
from locust import User, events, task
from locust.env import Environment
from locust.runners import MasterRunner, WorkerRunner
from locust.stats import StatsEntry
from locust.util.timespan import parse_timespan

from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.traffic.latency import bucket
from driftdrill.harness.traffic.locust_web import Row, Tab

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
        """Call ``handler(sender, data)`` for every message of a kind, one after another, in the order of sending.

        It takes the place of the handler before, which was an earlier drill's.
        """
        runner = self.environment.runner
        runner.custom_messages.pop(kind, None)
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

    @property
    def run_time(self) -> float | None:
        """Seconds after which Locust ends the test (``-t``, or the form of its page); None is never."""
        given = self.option("run_time")
        return None if given is None else float(given)

    def show(self, rows: tuple[Row, ...], page: bytes = b"") -> None:
        """Tell in the tab of Locust's web interface, if there is one, how the drill stands; ``page`` is its report."""
        tab = getattr(self.environment, "driftdrill_tab", None)
        if tab is not None:
            tab.rows, tab.page = rows, page

    def end(self, exit_code: int, *, interrupted: bool = False) -> None:
        """End the test; failed requests are observations and do not decide the exit code.

        The web interface stays, for a look at the verdict and another start, unless a signal ``interrupted`` the drill,
        or ``--autoquit`` says for how long.
        """
        self.environment.process_exit_code = exit_code  # first: a listener that is told of requests may quit Locust
        self.report_all()
        runner, web_ui = self.environment.runner, self.environment.web_ui
        if runner is None:
            return
        if web_ui is None:
            runner.quit()
            return
        runner.stop()
        stays = self.option("autoquit", -1) if self.option("autostart") else -1
        if interrupted or stays != -1:
            gevent.sleep(0 if interrupted else stays)
            runner.quit()
            web_ui.stop()

    def users_raised(self) -> int:
        """Locust's exit code for exceptions of the user's own tasks, hooks and listeners; 0 where there were none."""
        runner = self.environment.runner
        if runner is not None and runner.exceptions:
            return int(self.option("exit_code_on_error", 1))
        return int(locust.log.unhandled_greenlet_exception)


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
            except (Exception, SystemExit):  # a listener's StopTest, StopUser or exit: Locust swallows all others
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
    """The drill of a Locust environment: its user class with the ``--scenario`` of this name, or else its first."""
    scenarios = [getattr(user, "scenario", None) for user in environment.user_classes]
    found = [Hosted(environment, scenario) for scenario in scenarios if isinstance(scenario, Scenario)]
    wanted = getattr(environment.parsed_options, "drill_scenario", None)
    return next((h for h in found if h.scenario.name == wanted), found[0] if found else None)


@dataclass(frozen=True)
class Hooks:
    """What we do in Locust."""

    arguments: Callable[[Any], None]
    """Adds our options to its parser."""
    start: Callable[[Hosted], Callable[[], None]]
    """What plays one drill in a greenlet of its own, which can be stopped from now on."""
    stop: Callable[[], None]
    """Asks a drill that runs to end."""
    serve: Callable[[Hosted], None]
    """Makes a worker, which plays no drill by itself, listen to its master."""
    refused: Callable[[Hosted, float | None], str | None]
    """Why a start from the web interface, with so many seconds of run time, cannot begin."""
    exit_code: Callable[[int | None, int], int]
    """The process's, of the last drill's (None: there was none) and of Locust's for what users' code raised."""


NO_VERDICT = 3
"""The exit code of a test that proves nothing."""
LOAD = "driftdrill: -u and -r change nothing: a drill's load is its scenario's rate, whatever the number of users"


class _Hosting:
    """Our listeners to Locust's events, for the drills of one process."""

    def __init__(self, hooks: Hooks) -> None:
        self._hooks = hooks
        self._drill: Any = None
        self._quitting = False

    def initialized(self, environment: Any, web_ui: Any = None, **_: Any) -> None:
        """Locust has read its command line."""
        found = hosted(environment)
        if found is None:
            return
        if isinstance(environment.runner, WorkerRunner):
            self._hooks.serve(found)
            return
        if found.option("num_users") is not None or found.option("spawn_rate") is not None:
            print(LOAD, file=sys.stderr, flush=True)
        if web_ui is not None:
            vars(environment)["driftdrill_tab"] = Tab(web_ui, lambda form: self._refused(found, form))

    def _refused(self, found: Hosted, form: Mapping[str, str]) -> str | None:
        if found.environment.runner.state in ("spawning", "running"):
            return None  # a change of the number of users, which changes nothing
        if self._drill is not None and not self._drill.dead:
            return "the drill before is still ending: start again once the tab Drill shows its verdict"
        try:
            given = parse_timespan(form["run_time"]) if form.get("run_time") else found.run_time
        except ValueError:
            return None  # Locust says so
        return self._hooks.refused(found, given)

    def begin(self, environment: Any, **_: Any) -> None:
        """A test starts."""
        found = hosted(environment)
        if found is None or isinstance(environment.runner, WorkerRunner):
            return
        if self._drill is not None and not self._drill.dead:
            print("driftdrill: a test started while a drill was ending: it is no drill", file=sys.stderr, flush=True)
            return
        locust.stats.bucket_response_time = bucket  # type: ignore[assignment]
        environment.process_exit_code = NO_VERDICT  # whatever ends this process before there is one
        own = getattr(environment, "driftdrill", None)
        if own is None:
            self._hold_exits(environment)
        self._drill = gevent.spawn(own, found) if own is not None else gevent.spawn(self._hooks.start(found))

    def _hold_exits(self, environment: Any) -> None:
        """Let ``sys.exit`` in the user's own greenlets end the test, as ``runner.quit()`` does.

        gevent would end the process at once, with their exit code and without a verdict.
        """
        hub: Any = gevent.get_hub()
        if getattr(hub.handle_system_error, "ours", False):
            return
        ends_process = hub.handle_system_error

        def handle(kind: type[BaseException], *about: Any) -> None:
            if self._quitting or not issubclass(kind, SystemExit):
                ends_process(kind, *about)
            else:
                gevent.spawn(environment.runner.quit)

        handle.ours = True  # type: ignore[attr-defined]
        hub.handle_system_error = handle

    def quitting(self, environment: Any, **_: Any) -> None:
        """Locust ends, whoever asked for it: a drill is given the time for its verdict, and then decides how."""
        self._quitting = True
        found = hosted(environment)
        if found is None or isinstance(environment.runner, WorkerRunner):
            return
        self._hooks.stop()
        if self._drill is not None:
            self._drill.join()
        if self._drill is not None or found.option("headless"):
            code = self._hooks.exit_code(environment.process_exit_code, found.users_raised())
            environment.process_exit_code = code


def install(hooks: Hooks) -> None:
    """Add our options to Locust's parser, and our listeners to its events."""
    ours, known = _Hosting(hooks), cast("Any", events)
    known.init_command_line_parser.add_listener(lambda parser, **_: hooks.arguments(parser))
    known.init.add_listener(ours.initialized)
    known.test_start.add_listener(ours.begin)
    known.test_stop.add_listener(lambda **_: hooks.stop())
    known.quitting.add_listener(ours.quitting)


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

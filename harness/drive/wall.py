"""Real time: Prometheus scrapes and evaluates; this watches, fetches and sets faults."""

import contextlib
from collections.abc import Iterator

import gevent

from driftdrill.harness.drive.clock import WallClock
from driftdrill.harness.drive.metrics_page import MetricsPage
from driftdrill.harness.drive.plan import Run
from driftdrill.harness.drive.prometheus_fetch import PrometheusFetch
from driftdrill.harness.drive.rule_polls import RulePolls
from driftdrill.harness.errors import MonitoringError, RigError
from driftdrill.harness.scenario.canary import Canary
from driftdrill.stack.prometheus.api import Server, died, query

FETCH_EVERY = 10.0
"""Real seconds between fetches: a killed drill loses no more samples than that."""


def drive_wall(run: Run, clock: WallClock) -> None:
    """Real time: Prometheus scrapes and evaluates; this watches, fetches and sets faults."""
    plan, scenario = run.plan, run.plan.scenario
    server = plan.server
    if server is None:
        raise RigError("a drive on the wall clock needs a Prometheus", hint="`driftdrill doctor` says what is missing")
    names = {r.name for f in plan.rules for g in f.groups for r in g.rules if r.kind == "record"}
    fetcher = PrometheusFetch(server, plan.jobs, frozenset(names), clock.started_at)
    groups = frozenset(g.name for f in plan.rules for g in f.groups)
    polls = RulePolls(server, clock.started_at, groups)
    fetched = 0.0
    tick = min(1.0, scenario.evaluation_interval)
    try:
        with _canary(plan.metrics_page, scenario.canary, clock) as canary:
            while (now := clock.now()) < scenario.duration:
                if now - fetched > FETCH_EVERY:
                    fetcher.step(run.writer, now)
                    fetched = now
                pending, firing = _active(server)
                polls.step(run.writer, now)
                run.step(now, pending=pending, firing=firing)
                for failure in (run.player.failure, canary.exception):
                    if failure is not None:
                        raise failure
                clock.wait_until(min(now + tick, scenario.duration))
    except Exception:
        with contextlib.suppress(Exception):  # what ended the drill is what is told
            fetcher.step(run.writer, clock.now())
        raise
    run.set_faults(scenario.duration)
    # The last scrape and evaluation of the drill end after it.
    clock.wait_until(scenario.duration + 0.5)
    fetcher.step(run.writer, scenario.duration + 0.5)
    if fetcher.not_recorded:
        run.writer.event("not_recorded", scenario.duration, names=sorted(fetcher.not_recorded))


@contextlib.contextmanager
def _canary(metrics_page: MetricsPage | None, canary: Canary | None, clock: WallClock) -> Iterator[gevent.Greenlet]:
    """Golden requests one after another, beside all else: one that waits for its answer holds nothing up."""

    def ask() -> None:
        due = 0.0
        while metrics_page is not None and canary is not None:
            clock.wait_until(due)
            metrics_page.tick()
            due = max(due + canary.every, clock.now())

    asking = gevent.spawn(ask)
    try:
        yield asking
    finally:
        asking.kill()


def _active(server: Server) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The alerts that are pending and firing now."""
    if (end := died(server)) is not None:
        raise MonitoringError(end.splitlines()[0], hint="the drill cannot be judged without it; see its log")
    states: dict[str, set[str]] = {"pending": set(), "firing": set()}
    for series in query(server, "ALERTS"):
        states.setdefault(series.labels.get("alertstate", ""), set()).add(series.labels.get("alertname", ""))
    return tuple(sorted(states["pending"])), tuple(sorted(states["firing"]))

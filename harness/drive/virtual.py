"""Virtual time: open the gate from event to event, and scrape at virtual times."""

import heapq
import math
import time
from collections.abc import Iterator

import numpy as np

from driftdrill.durations import format_duration
from driftdrill.harness.drive.clock import VirtualClock
from driftdrill.harness.drive.metrics_page import JOB
from driftdrill.harness.drive.plan import Run
from driftdrill.harness.drive.request_counters import Counters
from driftdrill.harness.drive.scraping.scrape_loop import ScrapeTarget
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.errors import MonitoringError, RigError, TargetError
from driftdrill.harness.scenario.scenario import Scenario

FLUSH_SECONDS = 2.0
"""Real seconds after which what is held is written."""
STALL = 5.0
"""Real seconds beyond a request's own time-out without any request ending, after which a drive gives up."""
GOLDEN = "golden request"


def first_scrape(scraper: Scraper) -> None:
    """Refuse to begin where a metrics page cannot be scraped, or holds nothing."""
    for target in scraper.targets:
        found = scraper.scrape(target, target.offset - target.interval)
        if found.error:
            raise MonitoringError(
                f"{target.url} cannot be scraped: {found.error}",
                hint="a drill whose target is not scraped proves nothing; set its metrics endpoint in driftdrill.toml",
            )


def drive_virtual(run: Run, clock: VirtualClock) -> None:
    """Open the gate from event to event: scrapes, golden requests, and changes of faults."""
    plan, scenario = run.plan, run.plan.scenario
    scraper, metrics_page = plan.scraper, plan.metrics_page
    if scraper is None:
        raise RigError("a drive in virtual time needs a metrics page", hint="give the target a metrics endpoint")
    counters = Counters(run, scraper)
    since = time.monotonic()
    for at, target in _events(scraper, scenario):
        clock.open(at)
        _wait(run, at)
        run.set_faults(at)
        if target == GOLDEN and metrics_page is not None:
            metrics_page.tick()
        elif isinstance(target, ScrapeTarget):
            _scrape(run, scraper, counters, target, at)
        if time.monotonic() - since > FLUSH_SECONDS or target is None:
            since = time.monotonic()
            run.step(at)
    for page in scraper.targets:
        if names := sorted(scraper.refused(page)):
            run.writer.event("timestamps_refused", scenario.duration, target=dict(page.labels), names=names)
        if behind := scraper.behind(page):
            run.writer.event("timestamps_behind", scenario.duration, target=dict(page.labels), names=behind)
    if run.player.ended:
        run.writer.event("counter", scenario.duration, **counters.told())
        if (late := counters.late(scenario.duration, run.moves_idle)) is not None:
            run.writer.event("refreshed_late", scenario.duration, **late)


def _scrape(run: Run, scraper: Scraper, counters: Counters, target: ScrapeTarget, at: float) -> None:
    # The drill's own page lags behind nobody.
    own = run.plan.metrics_page is not None and target.labels.get("job") == JOB
    clean = scraper.scrape(target, at) if own else counters.settled(target, at)
    found = scraper.stored(target, clean)
    times = found.times if found.times is not None else np.full(len(found.ids), np.nan)
    for i, v, t in zip(found.ids.tolist(), found.values.tolist(), times.tolist(), strict=True):
        run.scraped.setdefault(i, []).append((at if math.isnan(t) else t, v))
    if found.error:
        run.writer.event("scrape_failed", at, target=dict(target.labels), why=found.error)


def _events(scraper: Scraper, scenario: Scenario) -> Iterator[tuple[float, ScrapeTarget | str | None]]:
    """(scenario seconds, what is due) in order of time: a scrape target, a golden request, or None, a change of phase
    or of a fault. Scrapes come first at one moment; when a target is scraped next is asked after each scrape.
    """
    end = scenario.duration
    moments: list[tuple[float, int, int, ScrapeTarget | str | None]] = []
    for n, target in enumerate(scraper.targets):
        # Before the first arrival: counters that are first seen with a value lose what they counted so far.
        moments += [(target.offset - target.interval, 0, n, target), (target.offset, 0, n, target)]
    if scenario.canary is not None:
        moments += [(float(t), 1, 0, GOLDEN) for t in np.arange(0.5, end, scenario.canary.every)]
    changes = {*(p.start for p in scenario.phases[1:]), end}
    phase = scenario.phases[2]
    for fault in scenario.faults:
        if not fault.seam.per_request:
            grid = np.arange(phase.start, phase.end, scenario.evaluation_interval)
            knots = phase.start + fault.strength.knots(phase.end - phase.start)
            changes |= {float(t) for t in (*grid, *knots)}
    moments += [(t, 2, 0, None) for t in changes]
    heapq.heapify(moments)
    while moments:
        at, kind, n, due = heapq.heappop(moments)
        if at > end or (at == end and isinstance(due, ScrapeTarget)):
            continue
        yield at, due
        if isinstance(due, ScrapeTarget) and at >= due.offset:
            heapq.heappush(moments, (scraper.due(due, at), kind, n, due))


def _wait(run: Run, at: float) -> None:
    """Wait until all that was due before ``at`` has ended, as long as requests go on ending."""
    patience = max(c.timeout for c in run.plan.target.all) + STALL
    ended, since = run.player.ended, time.monotonic()
    while not run.player.wait_ended(at, timeout=0.25):
        run.steering.check()
        if run.player.ended != ended:
            ended, since = run.player.ended, time.monotonic()
        elif time.monotonic() - since > patience:
            raise TargetError(f"no request ended in {format_duration(patience)}", hint="the service hangs; see its log")

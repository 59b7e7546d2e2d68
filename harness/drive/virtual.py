"""Virtual time: open the gate from event to event, and scrape at virtual times."""

import math
import time

import gevent
import numpy as np

from harness.drive.clock import VirtualClock
from harness.drive.plan import Playing, Run
from harness.drive.scrape import Scrape, Scraper, ScrapeTarget
from harness.errors import MonitoringError, RigError, TargetError
from harness.scenario import Scenario

FLUSH_SECONDS = 2.0
"""Real seconds after which what is held is written."""
STALL = 5.0
"""Real seconds beyond a request's own time-out without any request ending, after which a drive gives up."""
LAG = 0.5
"""Real seconds to wait for a target's own counter to catch up with what it answered."""


def first_scrape(scraper: Scraper) -> None:
    """Refuse to begin where a metrics page cannot be scraped, or holds nothing."""
    for target in scraper.targets:
        found = scraper.scrape(target, target.offset - target.interval)
        if found.error:
            raise MonitoringError(
                f"{target.url} cannot be scraped: {found.error}",
                hint="a drill whose target is not scraped proves nothing; set its metrics endpoint in driftdrill.toml",
            )


def play(run: Run, clock: VirtualClock) -> None:
    """Open the gate from event to event: scrapes, and changes of held faults."""
    plan, scenario = run.plan, run.plan.scenario
    scraper = plan.scraper
    if scraper is None:
        raise RigError("a drive in virtual time needs a metrics page", hint="give the target a metrics endpoint")
    counters = _Counters()
    since = time.monotonic()
    for at, target in _events(scraper, scenario):
        clock.open(at)
        _wait(run, at)
        run.set_held(at)
        if target is not None:
            found = counters.settled(scraper, target, at, run.player)
            times = found.times if found.times is not None else np.full(len(found.ids), np.nan)
            for i, v, t in zip(found.ids.tolist(), found.values.tolist(), times.tolist(), strict=True):
                run.scraped.setdefault(i, []).append((at if math.isnan(t) else t, v))
            if found.error:
                run.writer.event("scrape_failed", at, target=dict(target.labels), why=found.error)
        if time.monotonic() - since > FLUSH_SECONDS or target is None:
            since = time.monotonic()
            run.step(at)
    if run.player.ended:
        run.writer.event("counter", scenario.duration, name=counters.name, unsettled=counters.unsettled)


def _events(scraper: Scraper, scenario: Scenario) -> list[tuple[float, ScrapeTarget | None]]:
    """(scenario seconds, scrape target or None) in order of time; None is a change of phase or of a held fault."""
    end = scenario.duration
    out: list[tuple[float, ScrapeTarget | None]] = []
    for target in scraper.targets:
        # Before the first arrival: counters that are first seen with a value lose what they counted so far.
        out.append((target.offset - target.interval, target))
        out += [(float(t), target) for t in np.arange(target.offset, end, target.interval)]
    out += [(p.start, None) for p in scenario.phases[1:]] + [(end, None)]
    if any(f.held for f in scenario.faults):
        phase = scenario.phases[2]
        out += [(float(t), None) for t in np.arange(phase.start, phase.end, scenario.evaluation_interval)]
    return sorted(out, key=lambda event: event[0])


def _wait(run: Run, at: float) -> None:
    """Wait until all that was due before ``at`` has ended, as long as requests go on ending."""
    patience = max(c.timeout for c in run.plan.target.all) + STALL
    ended, since = run.player.ended, time.monotonic()
    while not run.player.wait_ended(at, timeout=0.25):
        run.steering.check()
        if run.player.ended != ended:
            ended, since = run.player.ended, time.monotonic()
        elif time.monotonic() - since > patience:
            raise TargetError(f"no request ended in {patience:g} s", hint="the service hangs; see its log")


class _Counters:
    """Finds the target's own count of requests, and scrapes again (bounded) until it has caught up.

    A server answers before it counts; a scrape in between would move a request to the next sample and make two
    drills of one seed differ. The counter is found, not configured: after the first requests, the first counter
    whose sum grew by exactly what was answered.
    """

    def __init__(self) -> None:
        self.name = ""
        self.base: dict[str, float] = {}
        self.unsettled = 0
        self._tried = False

    def settled(self, scraper: Scraper, target: ScrapeTarget, at: float, player: Playing) -> Scrape:
        """One scrape, repeated for at most half a second while the counter lags behind."""
        found = scraper.scrape(target, at)
        if not self.base:
            self.base = self._sums(found, scraper)
            return found
        if player.ended == 0 or found.error or (self._tried and not self.name):
            return found
        deadline = time.monotonic() + LAG
        while True:
            sums = self._sums(found, scraper)
            if not self.name:
                grown = [n for n, v in sums.items() if v - self.base.get(n, 0.0) == player.ended]
                self.name = min(grown, key=lambda n: ("request" not in n, n), default="")
            if self.name and sums.get(self.name, 0.0) - self.base.get(self.name, 0.0) >= player.ended:
                break
            if time.monotonic() > deadline:
                self.unsettled += 1
                break
            gevent.sleep(0.002)
            found = scraper.scrape(target, at)
        self._tried = True
        return found

    def _sums(self, found: Scrape, scraper: Scraper) -> dict[str, float]:
        sums: dict[str, float] = {}
        for i, v in zip(found.ids.tolist(), found.values.tolist(), strict=True):
            labels = scraper.table.labels(i)
            name = labels["__name__"]
            if not name.endswith("_total") or "/metrics" in labels.values():
                continue
            sums[name] = sums.get(name, 0.0) + v
        return sums

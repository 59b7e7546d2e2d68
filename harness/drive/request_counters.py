"""Virtual time: each page's own count of requests is found, and waited for until it has caught up.

A server answers before it counts; a scrape in between would move a request to the next sample, and make two drills of
one seed differ.
"""

import math
import time
from collections.abc import Callable
from urllib.parse import urlsplit

import gevent

from driftdrill.harness.drive.plan import Run
from driftdrill.harness.drive.scraping.scrape_loop import Scrape, ScrapeTarget
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.setup.target import Target

LAG = 0.5
"""Real seconds to wait for a counter to catch up with what its server answered."""
VAIN = 3
"""Waits in vain after which a counter that does not catch up is waited for no longer: a fault may keep it behind."""


class Counters:
    """The counters of all that is scraped. :attr:`name` is "" while none is found."""

    def __init__(self, run: Run, scraper: Scraper) -> None:
        whole = run.plan.site.target
        self._scraper = scraper
        self._counters: dict[ScrapeTarget, _Counter] = {}
        for target in scraper.targets:
            address = address_of(whole, target)
            if address is not None:
                self._counters[target] = _Counter(_answered(run, address))

    @property
    def name(self) -> str:
        """A counter that moves with the requests."""
        return next((c.name for c in self._counters.values() if c.name), "")

    @property
    def unsettled(self) -> int:
        """Scrapes at which a counter had not caught up."""
        return sum(c.unsettled for c in self._counters.values() if c.name)

    def settled(self, target: ScrapeTarget, at: float) -> Scrape:
        """One scrape, repeated for at most half a second while the page's counter lags behind what was answered."""
        counter = self._counters.get(target)
        if counter is None:
            return self._scraper.scrape(target, at)
        return counter.settled(lambda: self._scraper.scrape(target, at), self._sums)

    def _sums(self, found: Scrape) -> dict[str, float]:
        """Counter name -> sum over its series; those of the page itself, and NaN as stale markers are, left out."""
        sums: dict[str, float] = {}
        for i, v in zip(found.ids.tolist(), found.values.tolist(), strict=True):
            labels = self._scraper.table.labels(i)
            name = labels["__name__"]
            if name.endswith("_total") and "/metrics" not in labels.values() and not math.isnan(v):
                sums[name] = sums.get(name, 0.0) + v
        return sums


def address_of(target: Target, page: ScrapeTarget) -> int | None:
    """Which of the target's addresses a page belongs to; None where that cannot be told.

    With one address any page is its; of several that which has the page's host and port, or its place in ``metrics``.
    """
    if len(target.all) == 1:
        return 0
    netloc = urlsplit(page.url).netloc
    for number, address in enumerate(target.all):
        if f"{address.host}:{address.port}" == netloc:
            return number
    if len(target.metrics) == len(target.all):
        instances = [m.instance for m in target.metrics]
        instance = page.labels.get("instance", "")
        return instances.index(instance) if instance in instances else None
    return None


def _answered(run: Run, address: int) -> Callable[[], int]:
    """What counts the requests that reached an address since the drill began, golden ones among them.

    The player asks addresses in turn, slot by slot, and all that was due has ended whenever something is scraped.
    """
    plan, player, n = run.plan, run.player, len(run.plan.target.all)
    if plan.forwarded is not None:
        forwarded, before = plan.forwarded, plan.forwarded()[address]
        return lambda: forwarded()[address] - before

    def answered() -> int:
        golden = 0 if plan.metrics_page is None else plan.metrics_page.answered[address]
        return len(range(address, player.ended, n)) + golden

    return answered


class _Counter:
    """One page's: not configured but found, after the first requests: the first counter whose sum grew by exactly what
    was answered."""

    def __init__(self, answered: Callable[[], int]) -> None:
        self.name, self.unsettled = "", 0
        self._answered = answered
        self._base: dict[str, float] | None = None
        self._tried = False
        self._vain = 0
        """Scrapes in a row whose wait was in vain."""

    def settled(self, scrape: Callable[[], Scrape], sums_of: Callable[[Scrape], dict[str, float]]) -> Scrape:
        """Scrape until the counter has caught up, for a bounded time."""
        answered, found = self._answered(), scrape()
        if self._base is None:
            self._base = sums_of(found)
            return found
        if answered == 0 or found.error or (self._tried and not self.name):
            return found
        deadline = time.monotonic() + (LAG if self._vain < VAIN else 0.0)
        while not self._caught_up(sums_of(found), self._base, answered):
            if time.monotonic() > deadline:
                self.unsettled += 1
                self._vain += 1
                break
            gevent.sleep(0.002)
            found = scrape()
        else:
            self._vain = 0
        self._tried = True
        return found

    def _caught_up(self, sums: dict[str, float], base: dict[str, float], answered: int) -> bool:
        if not self.name:
            grown = [n for n, v in sums.items() if v - base.get(n, 0.0) == answered]
            self.name = min(grown, key=lambda n: ("request" not in n, n), default="")
        return bool(self.name) and sums.get(self.name, 0.0) - base.get(self.name, 0.0) >= answered

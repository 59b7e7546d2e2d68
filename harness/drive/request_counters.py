"""Virtual time: each page's own count of requests is found, and waited for until it has caught up.

A server answers before it counts; a scrape in between would move a request to the next sample, and make two drills of
one seed differ. A page that is refreshed on an interval of its own lags by more than can be waited for at each scrape:
virtual time is false for it, which is found by waiting once, when all requests have been answered.
"""

import math
import re
import time
from collections import Counter
from collections.abc import Callable, Collection, Mapping
from urllib.parse import urlsplit

import gevent

from driftdrill.harness.drive.plan import Run
from driftdrill.harness.drive.scraping.scrape_loop import REPORTED, Scrape, ScrapeTarget
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.setup.target import Target

LAG = 0.5
"""Real seconds to wait for a counter to catch up with what its server answered."""
VAIN = 3
"""Waits in vain after which a counter that does not catch up is waited for no longer: a fault may keep it behind."""
AGREED = 3
"""Scrapes in a row at which a counter must have grown by exactly what was answered: one may be a coincidence."""
REFRESH = 30.0
"""Real seconds without a request after which a page that stood still is taken to stand still for good."""
LAGGED = 0.05
"""Share of the scrapes up to which a counter may have been behind."""
_RUNTIME = re.compile(r"(process|python|go|jvm|node|container|machine)_.*")
"""Counters of what runs the service: they may well stand still while requests are answered."""
_NO_COUNT = ("_bucket", "_sum", "_created")


class Counters:
    """The counters of all that is scraped. :attr:`name` is "" while none is found."""

    def __init__(self, run: Run, scraper: Scraper) -> None:
        whole = run.plan.site.target
        self._scraper, self._run = scraper, run
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

    def told(self) -> dict[str, float | int | str]:
        """What a recording keeps: over all pages, what was answered, by how much the counters grew meanwhile."""
        found = [c for c in self._counters.values() if c.name]
        return {
            "name": self.name,
            "unsettled": self.unsettled,
            "looked": max((c.looked for c in self._counters.values()), default=0),
            "answered": sum(c.answered for c in found),
            "grown": sum(c.grown(c.name) for c in found),
        }

    def settled(self, target: ScrapeTarget, at: float) -> Scrape:
        """One scrape, repeated for at most half a second while the page's counter lags behind what was answered."""
        counter = self._counters.get(target)
        if counter is None:
            return self._scraper.scrape(target, at)
        return counter.settled(lambda: self._scraper.scrape(target, at), self._sums)

    def late(self, at: float, moves_idle: Collection[str]) -> dict[str, object] | None:
        """What tells that a page is refreshed on an interval of its own; None where none is.

        ``names`` are the counters that stood still while requests were answered and moved ``after`` seconds without
        one; ``counter`` is the one among them that then had all requests, if there is one. Nothing is waited for
        where no counter stood still. ``at`` is the last scenario second.
        """
        still = {t: self._suspects(t, c, at) - set(moves_idle) for t, c in self._counters.items() if c.looked > 1}
        begun, names, after, answered = time.monotonic(), set[str](), 0.0, 0
        while any(still.values()) and (waited := time.monotonic() - begun) < REFRESH:
            self._run.steering.check()
            for target in [t for t, left in still.items() if left]:
                counter = self._counters[target]
                moved = counter.moved(self._sums(self._scraper.scrape(target, at))) & still[target]
                if moved:
                    names, after, answered = names | moved, after or round(waited, 1), answered + counter.answered
                    still[target] -= moved
                # What was asked before the drill may have been counted since, too.
                whole = {n for n in moved if abs(counter.grown(n) - counter.answered) <= 5 + 0.05 * counter.answered}
                if whole:
                    name = min(whole, key=_likely)
                    return {"names": sorted(names), "counter": name, "after": after, "answered": counter.answered}
            gevent.sleep(0.2)
        return {"names": sorted(names), "counter": "", "after": after, "answered": answered} if names else None

    def _suspects(self, target: ScrapeTarget, counter: "_Counter", at: float) -> set[str]:
        """The counters of a page that stood still at most scrapes before which something was answered."""
        if counter.name:
            return {counter.name} if counter.unsettled > 1 + LAGGED * counter.looked else set()
        names = self._scraper.counter_names(target, at)
        return {n for n in names if counter.stood_still(n) and not _RUNTIME.fullmatch(n)}

    def _sums(self, found: Scrape) -> dict[str, float]:
        """Metric name -> sum over its series, without NaN as stale markers are, and without those that scraping moves:
        asked again and again, they would agree with whatever was answered."""
        sums: dict[str, float] = {}
        for i, v in zip(found.ids.tolist(), found.values.tolist(), strict=True):
            labels = self._scraper.table.labels(i)
            name = labels["__name__"]
            counts_scrapes = i in self._run.moved_by_scraping or "/metrics" in labels.values()
            if not (counts_scrapes or name.endswith(_NO_COUNT) or math.isnan(v)):
                sums[name] = sums.get(name, 0.0) + v
        return {name: v for name, v in sums.items() if name not in REPORTED}


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
    """One page's: not configured but found, after the first requests: the metric whose sum grows by exactly what was
    answered, scrape after scrape, whatever its name."""

    def __init__(self, answered: Callable[[], int]) -> None:
        self.unsettled = self.looked = self.answered = 0
        """``looked``: scrapes before which something was answered."""
        self._answered = answered
        self._base: dict[str, float] | None = None
        self._sums: dict[str, float] = {}
        self._last: tuple[dict[str, float], int] | None = None
        """Sums and what was answered at the drill's last scrape, once it is over."""
        self._still: Counter[str] = Counter()
        """Of those scrapes, how many showed a metric as it was."""
        self._agreeing: set[str] = set()
        self._agreed = 0
        """Scrapes in a row at which those agreed."""
        self._vain = 0
        """Scrapes in a row whose wait was in vain."""
        self._short = 0.0
        """By how much the counter fell short after the last wait in vain: of what it never counts, as requests that
        got no answer or all before a restart, the next scrape need not wait for."""

    @property
    def name(self) -> str:
        """The metric that counts requests; "" while none has agreed often enough."""
        if self._agreed < min(AGREED, max(2, self.looked)):
            return ""
        return min(self._agreeing, key=_likely)

    def grown(self, name: str) -> float:
        """By how much the sum of a metric grew since the first scrape, as far as it is known."""
        return self._sums.get(name, 0.0) - (self._base or {}).get(name, 0.0)

    def shown(self, sums: Mapping[str, float]) -> bool:
        """Whether a page with these sums has the counter, once that is known."""
        return not self.name or self.name in sums

    def stood_still(self, name: str) -> bool:
        """Whether it stood still at half of the scrapes before which something was answered."""
        return 2 * self._still[name] >= self.looked

    def moved(self, sums: dict[str, float]) -> set[str]:
        """What moved since the drill's last scrape, now that nothing is asked any more.

        The counter of requests may have counted what was answered since then; one that counts no failure lags for good.
        """
        if self._last is None:
            self._last = self._sums, self.answered
        before, answered = self._last
        self._sums, self.answered = sums, self._answered()
        since = {self.name: self.answered - answered}
        return {
            n for n, v in sums.items() if v != before.get(n, 0.0) and v - before.get(n, 0.0) > since.get(n, -math.inf)
        }

    def settled(self, scrape: Callable[[], Scrape], sums_of: Callable[[Scrape], dict[str, float]]) -> Scrape:
        """Scrape until the counter has caught up, for a bounded time."""
        answered, found = self._answered(), scrape()
        if self._base is None:
            self._base = self._sums = sums_of(found)
            return found
        if answered == self.answered or found.error or not self.shown(sums_of(found)):
            return found
        before, self.answered = self._sums, answered
        waits = self._vain < VAIN and (bool(self._agreeing) or not self.looked)
        deadline = time.monotonic() + (LAG if waits else 0.0)
        while True:
            self._sums = sums_of(found)
            agreeing = self._caught_up()
            if agreeing and not self._agreeing:
                gevent.sleep(0.002)
                # Another counter of the page may be a moment behind; one that moves on counts scrapes, or others'.
                found = scrape()
                self._sums = sums_of(found)
                agreeing = self._caught_up()
            if (agreeing >= (self._agreeing or agreeing) and agreeing) or time.monotonic() >= deadline:
                break
            gevent.sleep(0.002)
            found = scrape()
        self.looked += 1
        self._still.update(n for n, v in self._sums.items() if v == before.get(n, 0.0))
        self._judge(agreeing, fell=self._sums.get(self.name, 0.0) < before.get(self.name, 0.0))
        return found

    def _caught_up(self) -> set[str]:
        """The metrics that agree with what was answered; once the counter is known, it may have grown by more."""
        if self.name:
            return self._agreeing if self.grown(self.name) >= self.answered - self._short else set()
        return {n for n in self._agreeing or self._sums if self.grown(n) == self.answered}

    def _judge(self, agreeing: set[str], *, fell: bool) -> None:
        if agreeing:
            self._agreeing, self._vain = agreeing, 0
            self._agreed += 1
            self._short = max(0.0, min(self._short, self.answered - self.grown(min(agreeing, key=_likely))))
        elif self.name:
            self.unsettled += not fell  # a service that was started again counts from 0
            self._vain += 1
            self._short = self.answered - self.grown(self.name)
        elif self._agreeing:  # what agreed before was a coincidence, or lags by more than can be waited for
            self._agreeing, self._agreed = set(), 0
            self._vain += 1


def _likely(name: str) -> tuple[bool, str]:
    """Of several metrics that count alike, the first one that says so by its name."""
    return "request" not in name, name

"""Series that move although no request is sent: what virtual time cannot show, found before the drill."""

import math
from collections.abc import Callable

import gevent

from driftdrill.harness.drive.scraping.scrape_loop import Scrape
from driftdrill.harness.drive.scraping.scraper import Scraper

WAIT = 0.5
"""Real seconds without a request."""


def moving(scraper: Scraper, wait: Callable[[float], None] = gevent.sleep) -> tuple[frozenset[str], frozenset[int]]:
    """(names of metrics that move in real time alone, the numbers of series that scraping itself moves).

    Two scrapes at once show what scraping itself moves (a counter of requests for the metrics page); one after a wait
    shows what time moves. What only the wait moved is of real time.
    """
    names, scraped = set[str](), set[int]()
    for target in scraper.targets:
        at = target.offset - target.interval
        first, second = scraper.scrape(target, at), scraper.scrape(target, at)
        wait(WAIT)
        third = scraper.scrape(target, at)
        by_scraping = _moved(first, second)
        names |= _names(_moved(second, third), scraper) - _names(by_scraping, scraper)
        scraped |= by_scraping
    return frozenset(names), frozenset(scraped)


def _names(ids: set[int], scraper: Scraper) -> set[str]:
    return {scraper.table.labels(i)["__name__"] for i in ids}


def _moved(before: Scrape, after: Scrape) -> set[int]:
    old = dict(zip(before.ids.tolist(), before.values.tolist(), strict=True))
    return {
        i
        for i, value in zip(after.ids.tolist(), after.values.tolist(), strict=True)
        if i in old and old[i] != value and not math.isnan(value)
    }

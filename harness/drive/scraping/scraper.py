"""The scraper of virtual time: what Prometheus would store, at times that drive chooses.

Targets are discovered once. Faults of pages and of the scrape configuration change what a scrape finds, not when time
passes.
"""

import hashlib
import math
from collections.abc import Callable, Iterable, Sequence
from functools import reduce

import numpy as np

from driftdrill.durations import format_duration
from driftdrill.harness.drive.scraping.scrape_loop import Ids, Loop, Scrape, ScrapeTarget, SeriesTable, Spoil, goes_on
from driftdrill.stack.errors import StackError
from driftdrill.stack.exposition.samples import counters, read
from driftdrill.stack.scrape.discovery import DiscoveredTarget, discover
from driftdrill.stack.scrape.fetch import Fetcher
from driftdrill.stack.scrape.job import ScrapeJob

GRIDS = (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)  # milliseconds; coarse offsets make promtool's work small


class Scraper:
    """Scrapes the targets of jobs; one thread or greenlet at a time. Close it, or use it as a context manager."""

    def __init__(
        self,
        jobs: Sequence[ScrapeJob],
        *,
        evaluation_intervals: Iterable[float],
        table: SeriesTable | None = None,
    ) -> None:
        """Discovers the targets. ``evaluation_intervals`` are those of the rule groups, in seconds.

        Raises :class:`StackError` for a discovery that cannot be asked or a target that cannot be scraped at all.
        """
        self.table = table if table is not None else SeriesTable()
        evaluations = tuple(evaluation_intervals)
        self._evaluations = [round(1000 * seconds) for seconds in evaluations]
        self._clean: dict[ScrapeTarget, Loop] = {}
        self._fetchers: list[Fetcher] = []
        for job in jobs:
            found, fetcher = discover(job), Fetcher(job.access)
            self._fetchers.append(fetcher)
            limit, forced = job.limits.targets, None
            if limit and len(found) > limit:
                forced = f"target_limit exceeded (number of targets: {len(found)}, limit: {limit})"
            for number, (one, offset) in enumerate(zip(found, offsets(found, evaluations), strict=True)):
                target = _placed(one, offset, number)
                self._clean[target] = Loop(target, self.table, fetcher, forced)
        # What is stored now: of a changed job another loop, or none where it has no such target.
        self._loops: dict[ScrapeTarget, Loop | None] = {**self._clean}
        self._spoils: dict[ScrapeTarget, dict[str, Spoil]] = {target: {} for target in self._clean}
        self._ended: dict[ScrapeTarget, list[Ids]] = {target: [] for target in self._clean}

    @property
    def targets(self) -> tuple[ScrapeTarget, ...]:
        """In the order of jobs and of their discovery."""
        return tuple(self._clean)

    def scrape(self, target: ScrapeTarget, at: float) -> Scrape:
        """Scrapes a target now, no fault in the way, and dates the samples ``at`` scenario seconds.

        Returns within the target's scrape time-out, whatever the target does; its failures are ``up`` = 0 and
        ``error``, never an exception. Scraping again for the same ``at`` replaces the result before it.
        """
        return self._clean[target].scrape(at)

    def counter_names(self, target: ScrapeTarget, at: float) -> frozenset[str]:
        """The names of the counters that a target's page shows now, by their type or, without one, by their name."""
        names: set[str] = set()

        def look(page: bytes) -> bytes:
            counter = counters(page)
            names.update(sample.name for _, sample in read(page)[1] if counter(sample))
            return page

        self._clean[target].scrape(at, look)
        return frozenset(names)

    def stored(self, target: ScrapeTarget, clean: Scrape) -> Scrape:
        """What Prometheus stores of a target at the time of a ``clean`` scrape of it, with the faults in force.

        Series of a target that a changed configuration no longer has become stale.
        """
        loop, spoils, found = self._loops[target], self._spoils[target], clean
        if loop is None:
            found = Scrape(clean.at, np.empty(0, np.int64), np.empty(0))
        elif spoils or loop is not self._clean[target]:
            found = loop.scrape(clean.at, lambda page: reduce(lambda p, spoil: spoil(p), spoils.values(), page))
        ended, self._ended[target] = self._ended[target], []
        gone = np.setdiff1d(np.concatenate([*ended, found.ids[:0]]), found.ids)
        return found.with_stale(gone) if len(gone) else found

    def refused(self, target: ScrapeTarget) -> frozenset[str]:
        """Names of the metrics of which samples were not taken, no fault in the way, for their own timestamps."""
        return frozenset(self.table.labels(i)["__name__"] for i in self._clean[target].refused)

    def behind(self, target: ScrapeTarget) -> dict[str, float]:
        """Metric -> the most scenario seconds by which its own timestamps lay before their scrapes, no fault in the
        way; of those metrics alone where that was more than a scrape interval."""
        out: dict[str, float] = {}
        for i, seconds in self._clean[target].behind.items():
            name = self.table.labels(i)["__name__"]
            out[name] = max(out.get(name, 0.0), seconds)
        return {name: round(seconds, 3) for name, seconds in out.items() if seconds > target.interval}

    def spoil(self, target: ScrapeTarget, name: str, spoil: Spoil | None) -> None:
        """Put a page fault of that name in force for a target, or end it."""
        self._spoils[target].pop(name, None)
        if spoil is not None:
            self._spoils[target][name] = spoil

    def change(self, target: ScrapeTarget, faults: Sequence[Callable[[ScrapeJob], ScrapeJob]]) -> None:
        """From now on scrape a target as its job says with these faults in it; none is the job as it was.

        As when Prometheus loads a configuration (scrape/scrape.go and manager.go): with another interval, time-out or
        sample limit alone a target goes on; else the series that its new configuration does not have become stale at
        the next scrape; those of a job whose name is gone just end, without a marker.
        """
        before, clean = self._loops[target], self._clean[target]
        job = reduce(lambda job, fault: fault(job), faults, target.job)
        after: Loop | None = clean
        if faults:
            found = discover(job)
            new = _placed(found[target.number], target.offset, target.number) if target.number < len(found) else None
            after = None if new is None else Loop(new, self.table, clean.fetcher, None)
        if before is not None and after is not None and goes_on(before.target, after.target):
            after.adopt(before)
        else:
            if after is clean:
                clean.end()
            if before is not None and before.target.job.name == job.name:
                self._ended[target].append(before.end())
        self._loops[target] = after

    def now(self, target: ScrapeTarget) -> ScrapeTarget | None:
        """The target as it is scraped now; None where the configuration has no such target."""
        loop = self._loops[target]
        return None if loop is None else loop.target

    def due(self, target: ScrapeTarget, after: float) -> float:
        """When a target is scraped next after a scrape at ``after``, scenario seconds; never at an evaluation."""
        now = self.now(target) or target
        moment = round(1000 * (after + now.interval))
        while not all(moment % evaluation for evaluation in self._evaluations):
            moment += 1000 if now.interval >= 2 else 1
        return moment / 1000

    def close(self) -> None:
        """Closes the connections."""
        for fetcher in self._fetchers:
            fetcher.close()

    def __enter__(self) -> "Scraper":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def _placed(one: DiscoveredTarget, offset: float, number: int) -> ScrapeTarget:
    return ScrapeTarget(one.job, one.labels, one.url, one.interval, one.timeout, offset, number)


def offsets(targets: Sequence[DiscoveredTarget], evaluation_intervals: Iterable[float]) -> tuple[float, ...]:
    """When each target is first scraped, in seconds: above 0, below its interval, hashed from its labels.

    On whole seconds where intervals allow, so that no scrape ever meets an evaluation (at k * evaluation interval).
    Raises :class:`StackError` where intervals leave no room between evaluations.
    """
    evaluations = [round(1000 * seconds) for seconds in evaluation_intervals]
    return tuple(_offset(target, evaluations) / 1000 for target in targets)


def _offset(target: DiscoveredTarget, evaluations: Sequence[int]) -> int:
    interval = round(1000 * target.interval)
    meets = [math.gcd(interval, evaluation) for evaluation in evaluations]
    text = "\0".join(f"{name}\0{value}" for name, value in sorted(target.labels.items()))
    drawn = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    for grid in GRIDS:
        places = (interval - 1) // grid  # grid, 2 grid, ... below the interval
        for step in range(places):
            offset = grid * (1 + (drawn + step) % places)
            if all(offset % period for period in meets):
                return offset
    raise StackError(
        f"a scrape interval of {format_duration(target.interval)} leaves no moment between evaluations",
        hint="lengthen scrape_interval or evaluation_interval",
    )

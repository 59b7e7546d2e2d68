"""The scrape configuration of a drill while faults change it, of the virtual scraper or of a Prometheus of ours."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

from driftdrill.durations import format_duration
from driftdrill.harness.drive.scraping.scrape_loop import ScrapeTarget
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.seams.seam import InForce, Injected
from driftdrill.stack.prometheus.api import Server, targets
from driftdrill.stack.prometheus.server import reconfigure
from driftdrill.stack.scrape.discovery import discover
from driftdrill.stack.scrape.job import ScrapeJob

TAKEN = 20.0
"""Real seconds in which Prometheus must scrape as a configuration says that it loaded: discovery looks every five."""


class ChangedJobs:
    """Faults of the scrape configuration on the virtual clock. All of a drill share this: one file has them all."""

    def __init__(self, scraper: Scraper) -> None:
        self._scraper = scraper
        self._active: dict[ScrapeTarget, dict[str, Any]] = {}

    @contextmanager
    def hold(self, fault: Injected, chosen: Sequence[ScrapeTarget]) -> Iterator[InForce]:
        """Hold one. Raises :class:`StackError` for a job that cannot have it."""
        for target in chosen:
            fault.how(target.job)
        yield _OneOf(self, fault, chosen)
        # The scraper ends with the drill, and with it whatever it was told.

    def put(self, fault: Injected, chosen: Sequence[ScrapeTarget], *, on: bool) -> None:
        """Load the configuration with or without a fault."""
        for target in chosen:
            active = self._active.setdefault(target, {})
            active.pop(fault.name, None)
            if on:
                active[fault.name] = fault.how
            self._scraper.change(target, list(active.values()))


class _OneOf:
    """One fault of the scrape configuration while it is held."""

    def __init__(self, jobs: "ChangedJobs | LoadedJobs", fault: Injected, chosen: Sequence[Any]) -> None:
        self._jobs, self._fault, self._chosen = jobs, fault, chosen
        self._on = False

    def set(self, strength: float) -> None:
        """In force as a whole above 0."""
        if (strength > 0) != self._on:
            self._jobs.put(self._fault, self._chosen, on=strength > 0)
            self._on = strength > 0

    def verify(self) -> str | None:
        """On the wall clock: what Prometheus itself says that it scrapes."""
        return self._jobs.wrong() if isinstance(self._jobs, LoadedJobs) else None


class LoadedJobs:
    """Faults of the scrape configuration on the wall clock, in a Prometheus of ours that reads ``jobs``."""

    def __init__(self, server: Server, jobs: Sequence[ScrapeJob]) -> None:
        self._server, self._jobs = server, list(jobs)
        self._active: dict[int, dict[str, Any]] = {i: {} for i in range(len(jobs))}

    @contextmanager
    def hold(self, fault: Injected, chosen: Sequence[int]) -> Iterator[InForce]:
        """Hold one on the jobs of these places; leaving loads the configuration without it."""
        for i in chosen:
            fault.how(self._jobs[i])
        held = _OneOf(self, fault, chosen)
        try:
            yield held
        finally:
            held.set(0.0)

    def put(self, fault: Injected, chosen: Sequence[int], *, on: bool) -> None:
        """Load the configuration with or without a fault. Raises :class:`StackError` where Prometheus refuses it."""
        for i in chosen:
            self._active[i].pop(fault.name, None)
            if on:
                self._active[i][fault.name] = fault.how
        reconfigure(self._server, self._now())

    def _now(self) -> list[ScrapeJob]:
        return [reduce(lambda j, how: how(j), self._active[i].values(), job) for i, job in enumerate(self._jobs)]

    def wrong(self) -> str | None:
        """None once Prometheus scrapes as the configuration of now says, else what it scrapes after some seconds."""
        wanted = {(t.url, tuple(sorted(t.labels.items()))) for job in self._now() for t in discover(job)}
        deadline = time.monotonic() + TAKEN
        while True:
            seen = {(t.url, tuple(sorted(t.labels.items()))) for t in targets(self._server)}
            if seen == wanted:
                return None
            if time.monotonic() > deadline:
                urls = ", ".join(sorted(url for url, _ in seen)) or "nothing"
                return f"expected Prometheus to scrape as changed; after {format_duration(TAKEN)} it scrapes {urls}"
            time.sleep(0.1)

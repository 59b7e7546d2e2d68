"""Faults of scraping: metrics pages and scrape configurations that are spoiled, on either clock.

On the virtual clock the scraper stores what Prometheus would; on the wall clock a proxy before the page changes it,
and Prometheus itself loads the changed configuration.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import reduce
from typing import Any

from driftdrill.harness.drive.scraping.scrape_loop import ScrapeTarget
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.scenario.fault import Fault, InForce
from driftdrill.harness.traffic.schedule import generator
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.api import Server, targets
from driftdrill.stack.prometheus.server import reconfigure
from driftdrill.stack.scrape.discovery import discover
from driftdrill.stack.scrape.job import ScrapeJob

TAKEN = 20.0
"""Real seconds in which Prometheus must scrape as a configuration says that it loaded: discovery looks every five."""


class SpoiledPages:
    """A fault of metrics pages on the virtual clock: what the scraper reads is changed before it is parsed."""

    def __init__(self, scraper: Scraper, chosen: Sequence[ScrapeTarget], fault: Fault, seed: int) -> None:
        self._scraper, self._chosen, self._fault, self._seed = scraper, chosen, fault, seed
        self._how: Any = fault.how
        self._strength = 0.0
        self._begun: dict[ScrapeTarget, Any] = {}
        self._pages = self._changed = 0

    def set(self, strength: float) -> None:
        """Change the strength of the next scrapes."""
        self._strength = strength
        if not strength:
            self._begun.clear()
        for target in self._chosen:
            self._scraper.spoil(target, self._fault.name, self._spoiler(target) if strength else None)

    def _spoiler(self, target: ScrapeTarget) -> Any:
        def spoil(page: bytes) -> bytes:
            now = self._scraper.now(target) or target
            rng = generator(self._seed, "faults", self._fault.name, self._pages)
            self._pages += 1
            if (late := self._how.delay_at(self._strength)) > now.timeout:
                self._changed += 1
                raise StackError(f"no complete answer within {now.timeout:g} s")
            if target not in self._begun:  # as the page was when the fault began
                self._begun[target] = self._how.starting(page)
            spoiled: bytes = self._begun[target](page, self._strength, rng)
            self._changed += spoiled != page or late > 0
            return spoiled

        return spoil

    def verify(self) -> str | None:
        """Nothing can be wrong before the next scrape; whether any page changed is told at the end."""
        return None

    def touched(self) -> int:
        """Pages that it changed."""
        return self._changed


class ChangedJobs:
    """Faults of the scrape configuration on the virtual clock. All of a drill share this: one file has them all."""

    def __init__(self, scraper: Scraper) -> None:
        self._scraper = scraper
        self._active: dict[ScrapeTarget, dict[str, Any]] = {}

    @contextmanager
    def hold(self, fault: Fault, chosen: Sequence[ScrapeTarget]) -> Iterator[InForce]:
        """Hold one. Raises :class:`StackError` for a job that cannot have it."""
        for target in chosen:
            fault.how(target.job)
        yield _OneOf(self, fault, chosen)
        # The scraper ends with the drill, and with it whatever it was told.

    def put(self, fault: Fault, chosen: Sequence[ScrapeTarget], *, on: bool) -> None:
        """Load the configuration with or without a fault."""
        for target in chosen:
            active = self._active.setdefault(target, {})
            active.pop(fault.name, None)
            if on:
                active[fault.name] = fault.how
            self._scraper.change(target, list(active.values()))


class _OneOf:
    """One fault of the scrape configuration while it is held."""

    def __init__(self, jobs: "ChangedJobs | LoadedJobs", fault: Fault, chosen: Sequence[Any]) -> None:
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
    def hold(self, fault: Fault, chosen: Sequence[int]) -> Iterator[InForce]:
        """Hold one on the jobs of these places; leaving loads the configuration without it."""
        for i in chosen:
            fault.how(self._jobs[i])
        held = _OneOf(self, fault, chosen)
        try:
            yield held
        finally:
            held.set(0.0)

    def put(self, fault: Fault, chosen: Sequence[int], *, on: bool) -> None:
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
                return f"expected Prometheus to scrape as changed; after {TAKEN:g} s it scrapes {urls}"
            time.sleep(0.1)

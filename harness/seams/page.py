"""Faults of metrics pages: what Prometheus reads is changed on its way."""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, ClassVar

from driftdrill.durations import format_duration
from driftdrill.harness.errors import RigError
from driftdrill.harness.seams.seam import (
    Ground,
    InForce,
    Injected,
    Seam,
    Site,
    chosen,
    refuse_foreign_prometheus,
    together,
)
from driftdrill.harness.seeds import generator
from driftdrill.stack.errors import StackError


class PageSeam(Seam):
    """Values of :mod:`driftdrill.stack.faults.pages`: in the virtual scraper, else in a proxy before the page."""

    name: ClassVar[str] = "page"
    harms_predictions: ClassVar[bool] = False

    def check(self, fault: Injected, ground: Ground) -> None:
        """One replica must have a page of its own."""
        super().check(fault, ground)
        refuse_foreign_prometheus(fault, ground)
        target = ground.target
        if fault.replica is not None and len(target.metrics) != len(target.all):
            raise RigError(f"fault {fault.name!r}: replica {fault.replica} has no metrics page of its own")

    def enter(self, fault: Injected, site: Site) -> AbstractContextManager[InForce]:
        """On the pages of the target that the fault acts on."""
        if site.scraper is not None:
            return _in_scraper(SpoiledPages(site.scraper, chosen(fault, site.scraped), fault, site.seed))
        from driftdrill.stack.faults.network import Page

        pages = chosen(fault, site.page_proxies)
        return together(proxy.hold(Page(fault=fault.how, name=fault.name, path=path)) for path, proxy in pages)


@contextmanager
def _in_scraper(pages: "SpoiledPages") -> Iterator[InForce]:
    """The scraper ends with the drill, and with it whatever it was told."""
    yield pages


class SpoiledPages:
    """A fault of metrics pages on the virtual clock: what the scraper reads is changed before it is parsed."""

    def __init__(self, scraper: Any, targets: Sequence[Any], fault: Injected, seed: int) -> None:
        self._scraper, self._targets, self._fault, self._seed = scraper, targets, fault, seed
        self._strength = 0.0
        self._begun: dict[Any, Any] = {}
        self._pages = self._changed = 0

    def set(self, strength: float) -> None:
        """Change the strength of the next scrapes."""
        self._strength = strength
        if not strength:
            self._begun.clear()
        for target in self._targets:
            self._scraper.spoil(target, self._fault.name, self._spoiler(target) if strength else None)

    def _spoiler(self, target: Any) -> Any:
        def spoil(page: bytes) -> bytes:
            now = self._scraper.now(target) or target
            rng = generator(self._seed, "faults", self._fault.name, self._pages)
            self._pages += 1
            if (late := self._fault.how.delay_at(self._strength)) > now.timeout:
                self._changed += 1
                raise StackError(f"no complete answer within {format_duration(now.timeout)}")
            if target not in self._begun:  # as the page was when the fault began
                self._begun[target] = self._fault.how.starting(page)
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

"""Faults of the scrape configuration: somebody's edit of prometheus.yml, loaded and taken back."""

from contextlib import AbstractContextManager
from typing import ClassVar

from driftdrill.harness.seams.seam import Ground, InForce, Injected, Seam, Site, chosen, refuse_foreign_prometheus


class ScrapeJobSeam(Seam):
    """Values of :mod:`driftdrill.stack.faults.jobs`. In force as a whole while strength is above 0."""

    name: ClassVar[str] = "scrape job"
    harms_predictions: ClassVar[bool] = False
    reloads_prometheus: ClassVar[bool] = True

    def check(self, fault: Injected, ground: Ground) -> None:
        """The configuration must be ours to change."""
        super().check(fault, ground)
        refuse_foreign_prometheus(fault, ground)

    def enter(self, fault: Injected, site: Site) -> AbstractContextManager[InForce]:
        """In the one configuration that all such faults of a drill change."""
        entered: AbstractContextManager[InForce] = site.configuration.hold(fault, chosen(fault, site.scraped))
        return entered

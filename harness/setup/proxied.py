"""The target of a drill with proxies before it, where faults act there."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import combinations
from urllib.parse import urlsplit

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seams.seam import Ground, Site
from driftdrill.harness.setup.target import Target
from driftdrill.stack.faults.network import Proxy, proxy, toxiproxy


@dataclass(frozen=True)
class Proxied:
    """``target`` is what the load talks to and what Prometheus scrapes; faults act at the ``site``."""

    target: Target
    site: Site

    @property
    def forwarded(self) -> Callable[[], Sequence[int]] | None:
        """What counts the requests that the proxy before each address let through; None where nobody counts."""
        if not self.site.proxies or self.site.target.toxiproxy is not None:
            return None
        return lambda: [proxy.ledger().forwarded for proxy in self.site.proxies]


def check(scenario: Scenario, ground: Ground) -> None:
    """Raise :class:`ScenarioError` or :class:`RigError` for a fault that cannot be in force, before anything starts."""
    if any(fault.id is not None for fault in scenario.faults):
        from driftdrill.harness.seams.catalogue import check_ids

        check_ids(scenario.faults)
    _refuse_one_place_twice(scenario)
    for fault in scenario.faults:
        if fault.replica is not None:
            ground.target.address(fault.replica)
        fault.seam.check(fault, ground)


def _refuse_one_place_twice(scenario: Scenario) -> None:
    """Two faults that need one place of the same address would undo each other."""
    for first, second in combinations(scenario.faults, 2):
        place = first.seam.place(first)
        apart = None not in (first.replica, second.replica) and first.replica != second.replica
        if place is not None and place == second.seam.place(second) and not apart:
            raise ScenarioError(
                f"faults {first.name!r} and {second.name!r} are the same {place}: two faults fight for one place",
                hint="leave one of them out, or give each a replica of its own",
            )


@contextmanager
def proxied(scenario: Scenario, target: Target, clock: str) -> Iterator[Proxied]:
    """The target with a proxy before each of its addresses, and pages, where a fault acts there; all end with this.

    Raises :class:`StackError` where nothing answers.
    """
    site = Site(target, scenario.seed)
    with ExitStack() as stack:
        if on_the_way := scenario.faults_of("network"):
            # In virtual time what it let through is waited for, so it must read what passes.
            http = clock == "virtual" or any(f.seam.reads_http(f) for f in on_the_way)
            proxies = tuple(stack.enter_context(_before(a, http, scenario.seed)) for a in site.addresses)
            site = replace(site, proxies=proxies)
            first, *others = (p.address for p in proxies)
            target = replace(target, connection=first, replicas=tuple(others))
        if clock == "wall" and scenario.faults_of("page"):
            pages = [stack.enter_context(proxy(m.connection, seed=scenario.seed)) for m in target.metrics]
            paths = [urlsplit(m.connection.url).path for m in target.metrics]
            site = replace(site, page_proxies=tuple(zip(paths, pages, strict=True)))
            # ``instance`` stays what it is without a proxy.
            spoiled = (replace(m, connection=p.address) for m, p in zip(target.metrics, pages, strict=True))
            target = replace(target, metrics=tuple(spoiled))
        yield Proxied(target, site)


def _before(address: Target, http: bool, seed: int) -> AbstractContextManager[Proxy]:
    if address.toxiproxy is not None:
        return toxiproxy(address.connection, server=address.toxiproxy)
    return proxy(address.connection, http=http, seed=seed)

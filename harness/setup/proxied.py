"""How a drill reaches its target with its faults in the way: the proxies before it, and how each fault is held."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from itertools import combinations
from typing import Any, TypeVar
from urllib.parse import urlsplit

from driftdrill.harness.drive.injection import Hold
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.drive.scraping.spoiled import ChangedJobs, LoadedJobs, SpoiledPages
from driftdrill.harness.errors import RigError, ScenarioError
from driftdrill.harness.scenario.fault import Control, Fault, InForce
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.target import Listens, Target
from driftdrill.stack.faults.network import Page, Proxy, proxy, toxiproxy
from driftdrill.stack.faults.network.http_faults import HttpFault
from driftdrill.stack.faults.network.toxics import Holdable
from driftdrill.stack.prometheus.api import Server
from driftdrill.stack.scrape.job import ScrapeJob

T = TypeVar("T")


@dataclass(frozen=True)
class Reach:
    """``target`` is what the load talks to, and what Prometheus scrapes.

    Faults act on its ``addresses``, or on the ``whole``: as they are without proxies, which are told beside them.
    """

    target: Target
    whole: Target
    addresses: tuple[Target, ...]
    pages: tuple[Proxy, ...] = ()
    """Wall clock: the proxies before the target's metrics pages, if a fault spoils any."""

    @property
    def forwarded(self) -> Callable[[], Sequence[int]] | None:
        """What counts the requests that the proxy before each address let through; None where nobody counts."""
        proxies = [a.fault_proxy for a in self.addresses if a.fault_proxy is not None]
        if not proxies or self.whole.toxiproxy is not None:
            return None
        return lambda: [proxy.ledger().forwarded for proxy in proxies]


def check(scenario: Scenario, target: Target, clock: str, *, ours: bool) -> None:
    """Raise :class:`ScenarioError` or :class:`RigError` for a fault that cannot be held here, before anything starts.

    ``ours``: Prometheus is one that this drill starts.
    """
    from driftdrill.harness.seams.catalogue import check_ids
    from driftdrill.stack.faults.process import ProcessFault

    if any(fault.id is not None for fault in scenario.faults):
        check_ids(scenario.faults)
    if len(scenario.faults) > 1:
        _refuse_one_switch_twice(scenario)
    for fault in scenario.faults:
        if fault.replica is not None:
            target.address(fault.replica)
        if isinstance(fault.how, ProcessFault) and fault.how.each and target.process is None:
            raise RigError(
                f"fault {fault.name!r} acts on a process or container, and target {target.name!r} names none",
                hint=f"[targets.{target.name}.process] in driftdrill.toml: listens = true, pid, pid_file or container",
            )
        if isinstance(fault.how, Control):
            fault.how.hook(target)
        if clock == "virtual" and getattr(fault.how, "real_time", False):
            raise ScenarioError(
                f"fault {fault.name!r} takes real time, and this drill is in virtual time",
                hint="--clock wall, or clock='wall' in the scenario, with phases of seconds and rules written for them",
            )
        if clock == "wall" and not ours and fault.seam in ("page", "scrape"):
            raise RigError(
                f"fault {fault.name!r} acts on the scraping, and a Prometheus of yours is not ours to change",
                hint="drill it in virtual time, or against a Prometheus of ours: --prometheus auto",
            )
        if isinstance(fault.how, Holdable) and target.connection.proxy is not None:
            raise RigError(
                f"fault {fault.name!r} acts before the target, whose requests go through the proxy "
                f"{target.connection.proxy}",
                hint="leave proxy out of the target for this drill",
            )
        if isinstance(fault.how, HttpFault) and target.toxiproxy is not None:
            raise RigError(
                f"fault {fault.name!r} is an HTTP fault, and toxiproxy knows none",
                hint="leave toxiproxy out of the target: our own proxy takes its place",
            )
        if fault.seam == "page" and fault.replica is not None and len(target.metrics) != len(target.all):
            raise RigError(f"fault {fault.name!r}: replica {fault.replica} has no metrics page of its own")


def _refuse_one_switch_twice(scenario: Scenario) -> None:
    """A switch of the demo model is one place of each replica, whatever its parameters."""
    from driftdrill.stack.model_service.switches import SWITCHES

    switches = [f for f in scenario.faults if isinstance(f.how, tuple(SWITCHES.values()))]
    for first, second in combinations(switches, 2):
        apart = None not in (first.replica, second.replica) and first.replica != second.replica
        if first.how.id == second.how.id and not apart:
            raise ScenarioError(
                f"faults {first.name!r} and {second.name!r} are the same switch: two faults fight for one place",
                hint="leave one of them out, or give each a replica of its own",
            )


@contextmanager
def reached(scenario: Scenario, target: Target, clock: str) -> Iterator[Reach]:
    """The target with a proxy before each of its addresses, and pages, where a fault acts there; all end with this.

    Raises :class:`StackError` where nothing answers.
    """
    plain = tuple(target.address(i) for i in range(len(target.all)))
    with ExitStack() as stack:
        whole, addresses, pages = target, plain, tuple[Proxy, ...]()
        proxied = [f for f in scenario.faults if isinstance(f.how, Holdable)]
        if proxied:
            # In virtual time what it let through is waited for, so it must read what passes.
            http = clock == "virtual" or any(isinstance(f.how, HttpFault) for f in proxied)
            proxies = [stack.enter_context(_before(a, http, scenario.seed)) for a in plain]
            addresses = tuple(replace(a, fault_proxy=p) for a, p in zip(plain, proxies, strict=True))
            whole = replace(target, fault_proxy=proxies[0])
            reachable = [p.address for p in proxies]
            target = replace(target, connection=reachable[0], replicas=tuple(reachable[1:]))
        if clock == "wall" and any(f.seam == "page" for f in scenario.faults):
            pages = tuple(stack.enter_context(proxy(m.connection, seed=scenario.seed)) for m in target.metrics)
            # ``instance`` stays what it is without a proxy.
            spoiled = (replace(m, connection=p.address) for m, p in zip(target.metrics, pages, strict=True))
            target = replace(target, metrics=tuple(spoiled))
        yield Reach(target, whole, addresses, pages)


def _before(address: Target, http: bool, seed: int) -> AbstractContextManager[Proxy]:
    if address.toxiproxy is not None:
        return toxiproxy(address.connection, server=address.toxiproxy)
    return proxy(address.connection, http=http, seed=seed)


def holds_of(
    scenario: Scenario, reach: Reach, on: Scraper | Server, jobs: Sequence[ScrapeJob], more: Sequence[ScrapeJob] = ()
) -> Mapping[str, Hold]:
    """Fault name -> how it is entered, for every fault that drive sets as time goes by.

    ``on`` scrapes ``jobs``, which are the target's, and ``more``, which no fault touches.
    """
    scraping = _virtual(on, jobs, scenario.seed) if isinstance(on, Scraper) else _wall(on, reach, jobs, more)
    out: dict[str, Hold] = {}
    for fault in scenario.faults:
        if fault.seam == "held":
            out[fault.name] = partial(_held, fault, reach)
        elif fault.seam == "load":
            out[fault.name] = partial(_always, _Planned())
        elif fault.seam in ("page", "scrape"):
            out[fault.name] = scraping(fault)
    return out


def _virtual(scraper: Scraper, jobs: Sequence[ScrapeJob], seed: int) -> Callable[[Fault], Hold]:
    """How faults of pages and of the scrape configuration are entered on the virtual clock."""
    configuration = ChangedJobs(scraper)
    ours = [target for target in scraper.targets if any(target.job is job for job in jobs)]

    def hold(fault: Fault) -> Hold:
        chosen = _chosen(fault, ours)
        if fault.seam == "scrape":
            return partial(configuration.hold, fault, chosen)
        return partial(_always, SpoiledPages(scraper, chosen, fault, seed))

    return hold


def _wall(
    server: Server, reach: Reach, jobs: Sequence[ScrapeJob], more: Sequence[ScrapeJob]
) -> Callable[[Fault], Hold]:
    """The same on the wall clock."""
    configuration = LoadedJobs(server, [*jobs, *more])

    def hold(fault: Fault) -> Hold:
        if fault.seam == "scrape":
            return partial(configuration.hold, fault, _chosen(fault, list(range(len(jobs)))))
        return partial(_proxied_pages, fault, reach)

    return hold


@contextmanager
def _always(in_force: InForce) -> Iterator[InForce]:
    """What needs no undoing: it ends with the drill."""
    yield in_force


def asks_golden(fault: Fault, reach: Reach) -> bool:
    """Whether only golden answers can tell that a fault is in force: one that is a hook without a check."""
    from driftdrill.stack.faults.process import Hook

    hook = fault.how.hook(reach.whole) if isinstance(fault.how, Control) else fault.how
    return isinstance(hook, Hook) and hook.check is None


class _Planned:
    """A fault of traffic: the schedule has it already, and whether that was sent is told by the load."""

    def set(self, strength: float) -> None:
        """The schedule follows the strength by itself."""

    def verify(self) -> str | None:
        """Nothing can be wrong with a plan."""
        return None


def _chosen(fault: Fault, places: list[T]) -> list[T]:
    """All, or the one of the fault's replica."""
    if fault.replica is None:
        return places
    if fault.replica >= len(places):
        raise RigError(f"fault {fault.name!r}: replica {fault.replica} is not among the {len(places)} that are scraped")
    return [places[fault.replica]]


def _proxied_pages(fault: Fault, reach: Reach) -> AbstractContextManager[InForce]:
    """A fault of metrics pages on the wall clock, in the proxies before them."""
    how: Any = fault.how
    pages = _chosen(fault, list(zip(reach.target.metrics, reach.pages, strict=True)))
    held = (proxy.hold(Page(fault=how, name=fault.name, path=urlsplit(m.connection.url).path)) for m, proxy in pages)
    return _together(held)


def _held(fault: Fault, reach: Reach) -> AbstractContextManager[InForce]:
    """A held fault, once, or once on each address that it acts on."""
    how: Any = fault.how
    if not getattr(how, "each", False):
        whole: AbstractContextManager[InForce] = how.hold(reach.whole)
        return whole
    chosen = reach.addresses if fault.replica is None else (reach.addresses[fault.replica],)
    return _together(how.hold(_found(address)) for address in chosen)


def _found(address: Target) -> Target:
    """With the process that listens there now, if that is how its process is known. Raises :class:`StackError`."""
    if not isinstance(address.process, Listens):
        return address
    from driftdrill.stack.faults.process import listening

    return replace(address, process=listening(address.connection.port, address.process.restart))


@contextmanager
def _together(each: Iterable[AbstractContextManager[InForce]]) -> Iterator[InForce]:
    """Several holds as one."""
    with ExitStack() as stack:
        yield _All([stack.enter_context(one) for one in each])


class _All:
    """One fault in several places."""

    def __init__(self, each: Sequence[InForce]) -> None:
        self._each = each

    def set(self, strength: float) -> None:
        """Set all; should one fail, leaving undoes the others."""
        for one in self._each:
            one.set(strength)

    def verify(self) -> str | None:
        """The first that is wrong."""
        return next((wrong for one in self._each if (wrong := one.verify())), None)

    def touched(self) -> int | None:
        """What all changed together; None where one does not count."""
        counts = [getattr(one, "touched", lambda: None)() for one in self._each]
        return None if None in counts else sum(count or 0 for count in counts)

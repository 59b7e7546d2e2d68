"""What every seam answers: what may be drilled there, how a fault is put in and undone, whether it was in force."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar

from driftdrill.harness.errors import RigError, ScenarioError
from driftdrill.stack.faults.kind import ANYTHING

if TYPE_CHECKING:  # which loads an HTTP client, and a scenario needs none
    from driftdrill.harness.setup.target import Target

T = TypeVar("T")


class Injected(Protocol):
    """What a seam needs to know of a :class:`~driftdrill.harness.scenario.fault.Fault`."""

    @property
    def name(self) -> str: ...

    @property
    def how(self) -> Any: ...

    @property
    def replica(self) -> int | None: ...


class InForce(Protocol):
    """A fault that was put in, and is not undone yet.

    It may have ``touched() -> int | None``: how many connections, requests, rows or pages it changed so far;
    ``processes() -> int``: how many it acts on now; ``back() -> str | None``: once it was set to 0, what is not as it
    was before. Where its attribute ``unchecked`` is true, ``verify`` cannot tell by itself, and drive looks whether
    golden answers change.
    """

    def set(self, strength: float) -> None:
        """Change the strength; raises if the fault cannot be put in force."""

    def verify(self) -> str | None:
        """None if the fault is in force as set, else what was expected and what was seen; keeps a TTL alive."""


@dataclass(frozen=True)
class Ground:
    """What a drill is to be driven on, as far as faults must know it before anything starts."""

    target: "Target"
    clock: str
    own_prometheus: bool
    """Whether Prometheus is one that this drill starts."""


@dataclass(frozen=True)
class Site:
    """Where the faults of a drill are put in, once what it needs runs."""

    target: "Target"
    """As it is, without proxies of this drill."""
    seed: int = 0
    proxies: tuple[Any, ...] = ()
    """The proxy before each of its addresses, where a fault acts there."""
    page_proxies: tuple[tuple[str, Any], ...] = ()
    """Wall clock: (path, proxy) of each of its metrics pages, where a fault acts there."""
    scraper: Any = None
    """Virtual clock: what scrapes."""
    scraped: Sequence[Any] = ()
    """What is scraped of the target: targets of ``scraper``, or the places of its jobs in the configuration."""
    configuration: Any = None
    """What changes the scrape configuration; see :mod:`driftdrill.harness.drive.scraping.configuration`."""

    @property
    def addresses(self) -> "tuple[Target, ...]":
        """The target as if it had one of its addresses only, for each."""
        return tuple(self.target.address(i) for i in range(len(self.target.all)))


class Seam:
    """One place where faults go in. Facts first; what differs from seam to seam is overridden."""

    name: ClassVar[str]
    per_request: ClassVar[bool] = False
    """Whether strength is each request's own; that of other seams is set as time goes by, and told by events."""
    changes_requests: ClassVar[bool] = False
    """Whether it changes what is sent, or when: nothing that can be done to a trace with bodies of its own."""
    by_replica: ClassVar[bool] = True
    """Whether one address of the target can have a fault by itself."""
    on_pages: ClassVar[frozenset[str]] = ANYTHING
    """What a fault of this seam may do to the target's metrics pages, where its kind does not say so itself, in an
    ``on_pages`` of its own: words of :mod:`driftdrill.stack.faults.kind`. Whatever else befalls a page, the drill did
    not do, and what reads it is not judged."""
    breaks_connections: ClassVar[bool] = False
    """Whether it may close connections: then a closed one is a failure, and no accident of virtual time."""
    harms_predictions: ClassVar[bool] = True
    """Whether predictions may suffer; those of monitoring itself do not."""
    reloads_prometheus: ClassVar[bool] = False
    """Whether a Prometheus of ours must be able to read its configuration anew."""

    def check(self, fault: Injected, ground: Ground) -> None:
        """Raise :class:`ScenarioError` or :class:`RigError` for a fault that cannot be in force on this ground.

        A fault whose ``real_time`` is true takes time, which only the wall clock has.
        """
        if ground.clock == "virtual" and getattr(fault.how, "real_time", False):
            raise ScenarioError(
                f"fault {fault.name!r} takes real time, and this drill is in virtual time",
                hint="--clock wall, or clock='wall' in the scenario, with phases of seconds and rules written for them",
            )

    def place(self, fault: Injected) -> str | None:
        """What only one fault can have at a time in an address of the target; None where any number can."""
        return None

    def reads_http(self, fault: Injected) -> bool:
        """Whether it acts on HTTP messages on their way, so that requests must tell their number."""
        return False

    def asks_golden(self, fault: Injected, target: "Target") -> bool:
        """Whether only golden answers can tell that it is in force."""
        return False

    def enter(self, fault: Injected, site: Site) -> AbstractContextManager[InForce]:
        """Put the fault in with strength 0; leaving undoes it, whatever happened. Not for faults of requests."""
        raise NotImplementedError

    def was_in_force(self, name: str, strength: Any, changed: Any, events: Iterable[Mapping[str, Any]]) -> str | None:
        """None if a recording shows that the fault ``name`` was in force, else why it was not.

        ``strength`` float64 and ``changed`` bool, both (requests,), are those of a fault of requests, else None.
        """
        sets = [e for e in events if e["event"] == "fault" and e["name"] == name]
        wrong = [e["wrong"] for e in sets if e["wrong"]]
        touched = [e["touched"] for e in sets if "touched" in e]
        if wrong:
            return f"was not really in force: {wrong[0]}"
        if not any(e["strength"] > 0 for e in sets):
            return "was never in force: its strength stayed 0"
        if touched and not any(touched):
            return "was not really in force: it changed nothing that passed"
        return None


def refuse_foreign_prometheus(fault: Injected, ground: Ground) -> None:
    """For faults of scraping: raise :class:`RigError` where the Prometheus is not one that this drill may change."""
    if ground.clock == "wall" and not ground.own_prometheus:
        raise RigError(
            f"fault {fault.name!r} acts on the scraping, and a Prometheus of yours is not ours to change",
            hint="drill it in virtual time, or against a Prometheus of ours: --prometheus auto",
        )


def chosen(fault: Injected, places: Sequence[T]) -> Sequence[T]:
    """All places, or the one of the fault's replica. Raises :class:`RigError` where it has none."""
    if fault.replica is None:
        return places
    if fault.replica >= len(places):
        raise RigError(f"fault {fault.name!r}: replica {fault.replica} is not among the {len(places)} that are scraped")
    return [places[fault.replica]]


@contextmanager
def together(each: Iterable[AbstractContextManager[InForce]]) -> Iterator[InForce]:
    """One fault that is put in at several places."""
    with ExitStack() as stack:
        yield _Together([stack.enter_context(one) for one in each])


class _Together:
    def __init__(self, each: Sequence[InForce]) -> None:
        self._each = each

    @property
    def unchecked(self) -> bool:
        """Whether any of them cannot tell by itself."""
        return any(getattr(one, "unchecked", False) for one in self._each)

    def set(self, strength: float) -> None:
        """Set all; should one fail, leaving undoes the others."""
        for one in self._each:
            one.set(strength)

    def verify(self) -> str | None:
        """The first that is wrong."""
        return next((wrong for one in self._each if (wrong := one.verify())), None)

    def processes(self) -> int:
        """Those of all together."""
        return sum(getattr(one, "processes", lambda: 0)() for one in self._each)

    def back(self) -> str | None:
        """The first that is not as it was."""
        return next((wrong for one in self._each if (wrong := getattr(one, "back", lambda: None)())), None)

    def touched(self) -> int | None:
        """What all changed together; None where one does not count."""
        counts = [_touched(one) for one in self._each]
        return None if None in counts else sum(count or 0 for count in counts)


def _touched(one: InForce) -> int | None:
    count: Callable[[], int | None] = getattr(one, "touched", lambda: None)
    return count()

"""Faults of the process or container that serves the target, and burners beside it."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import TYPE_CHECKING, Any, ClassVar

from driftdrill.durations import format_duration
from driftdrill.harness.errors import RigError
from driftdrill.harness.seams.seam import Ground, InForce, Injected, Seam, Site, chosen, together

if TYPE_CHECKING:  # which loads an HTTP client, and a scenario needs none
    from driftdrill.harness.setup.target import Target
    from driftdrill.stack.connection import Connection
    from driftdrill.stack.faults.process.answers import Knock
    from driftdrill.stack.faults.process.hold import Held

KNOCKS = 3
"""Connections at most that are left waiting at a server that hangs, one a look: some servers hold few."""


class ProcessSeam(Seam):
    """Held by a guardian (:mod:`driftdrill.stack.faults.process`)."""

    name: ClassVar[str] = "process"
    breaks_connections: ClassVar[bool] = True

    def check(self, fault: Injected, ground: Ground) -> None:
        """A fault of the target's process needs to know which one that is."""
        if fault.how.each and ground.target.process is None:
            raise RigError(
                f"fault {fault.name!r} acts on a process or container, and target {ground.target.name!r} names none",
                hint=f"[targets.{ground.target.name}.process] in driftdrill.toml: "
                "listens = true, pid, pid_file or container",
            )
        super().check(fault, ground)

    def enter(self, fault: Injected, site: Site) -> AbstractContextManager[InForce]:
        """In the process of each address, or once on this machine."""
        from driftdrill.stack.faults.process.hold import hold

        if not fault.how.each:
            return hold(fault.how)
        return together(_held(fault.how, address) for address in chosen(fault, site.addresses))


def _held(how: Any, address: "Target") -> AbstractContextManager[InForce]:
    """The fault in what serves one address; a hang is looked at from outside, too."""
    from driftdrill.stack.faults.process import Hang
    from driftdrill.stack.faults.process.hold import hold

    process, connection = _process(address), address.connection
    held = hold(how, process)
    if not isinstance(how, Hang) or connection.proxy is not None or not _listens(process, connection):
        return held
    return _silent(held, connection.host, connection.port)


def _listens(process: Any, connection: "Connection") -> bool:
    """Whether it is the process itself that takes the target's connections, and no server in front of it."""
    from driftdrill.stack.errors import StackError
    from driftdrill.stack.faults.process.listeners import holders
    from driftdrill.stack.faults.process.members import Members
    from driftdrill.stack.faults.process.targets import LocalProcess

    if not isinstance(process, LocalProcess):
        return False
    try:
        return not holders(connection.port, connection.host).isdisjoint(Members(process).pids())
    except StackError:
        return False


def _process(address: "Target") -> Any:
    """What serves an address: those that listen there now, if that is how it is known."""
    from driftdrill.harness.setup.target import Listens

    if not isinstance(address.process, Listens):
        return address.process
    from driftdrill.stack.faults.process.targets import listening

    return listening(address.connection.port, address.process.restart, address.connection.host)


@contextmanager
def _silent(held: "AbstractContextManager[Held]", host: str, port: int) -> Iterator[InForce]:
    with held as inner:
        silent = _Silent(inner, host, port)
        try:
            yield silent
        finally:
            silent.leave()


class _Silent:
    """A hang at full strength: nobody answers at the target's address as long as it lasts, and somebody does after."""

    def __init__(self, held: "Held", host: str, port: int) -> None:
        from driftdrill.stack.faults.process.answers import KNOWN, answers

        self._held, self._host, self._port = held, host, port
        # A server that leaves such a thing unanswered while it runs cannot be asked this way.
        self._can_be_asked = answers(host, port, KNOWN)
        self._whole = False
        self._knocks: list[Knock] = []

    def processes(self) -> int:
        """How many processes are held."""
        return self._held.processes()

    def set(self, strength: float) -> None:
        """Stop or continue."""
        self._held.set(strength)
        self.leave()
        self._whole = strength == 1

    def verify(self) -> str | None:
        """The kernel's word, and then the server's silence since it was stopped."""
        from driftdrill.stack.faults.process.answers import LOOK, Knock

        wrong = self._held.verify()
        if self._whole and self._can_be_asked and len(self._knocks) < KNOCKS:
            self._knocks.append(Knock(self._host, self._port))
        if wrong is None and any(knock.answered(LOOK / KNOCKS) for knock in self._knocks):
            return (
                f"expected no answer from {self._host}:{self._port} while processes that listen there are stopped "
                f"({self._held.processes()} with their descendants); seen: one, of another process"
            )
        return wrong

    def back(self) -> str | None:
        """Whether the server answers once it was continued."""
        from driftdrill.stack.faults.process.answers import AGAIN, answers

        if not self._can_be_asked or answers(self._host, self._port, AGAIN):
            return None
        took = format_duration(AGAIN)
        return f"expected an answer from {self._host}:{self._port} once it was continued; seen: none within {took}"

    def leave(self) -> None:
        """Close the connections that were left waiting."""
        while self._knocks:
            self._knocks.pop().close()

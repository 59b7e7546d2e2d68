"""Holding a fault of a process: the parent's side of its guardian."""

from collections.abc import Iterator
from contextlib import contextmanager

import msgspec

from driftdrill.stack.child import ANSWER, Child
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.kind import unit_interval
from driftdrill.stack.faults.process.faults import ProcessFault
from driftdrill.stack.faults.process.hooks import Hook
from driftdrill.stack.faults.process.journal import leftovers
from driftdrill.stack.faults.process.orders import GuardianOrder, GuardianReport, GuardianSettings
from driftdrill.stack.faults.process.targets import AnyTarget

RELEASE = 60.0
"""Seconds in which a fault must be undone: a restarted model may load for long."""


class Held:
    """One fault while its guardian holds it."""

    def __init__(self, child: Child, fault: ProcessFault) -> None:
        self._child, self._fault = child, fault

    @property
    def pid(self) -> int:
        """The process that it acts on now: a crash loop's changes with each restart; 0 for a container."""
        return next(iter(self._pids()), 0)

    def processes(self) -> int:
        """How many processes it acts on now, with their descendants; 0 for a container."""
        return len(self._pids())

    def _pids(self) -> list[int]:
        return self._child.ask(GuardianOrder("check"), GuardianReport).pids

    @property
    def unchecked(self) -> bool:
        """Whether only the service's answers can tell that it is in force: a hook without a check."""
        return isinstance(self._fault, Hook) and self._fault.check is None

    def set(self, strength: float) -> None:
        """Put the fault in force at ``strength`` in [0, 1]. Raises :class:`StackError`."""
        self._child.ask(
            GuardianOrder("set", unit_interval(strength)), GuardianReport, within=ANSWER + self._fault.takes
        )

    def verify(self) -> str | None:
        """None if the fault is in force as set, else what was expected and what was seen."""
        try:
            return self._child.ask(GuardianOrder("check"), GuardianReport, within=ANSWER + self._fault.takes).wrong
        except StackError as e:
            return f"expected {self._fault.type} in force; seen: {e}"


@contextmanager
def hold(fault: ProcessFault, target: AnyTarget | None = None) -> Iterator[Held]:
    """Hold ``fault`` in ``target``, at strength 0 to begin with.

    Its guardian undoes it when this block is left or this process ends.

    Raises :class:`StackError` where it cannot be held, and on leaving where it could not be undone: the hint says
    what to do by hand.
    """
    if fault.each and not isinstance(target, AnyTarget):
        raise StackError(
            f"{fault.type} acts on a process or container, not on {target!r}",
            hint="LocalProcess(pid), listening(port) or Container(name)",
        )
    settings = GuardianSettings(fault, target if fault.each else None)  # type: ignore[arg-type]
    child = Child("driftdrill.stack.faults.process.guardian", settings, what=f"the guardian of {fault.type}")
    try:
        yield Held(child, fault)
    finally:
        place = msgspec.json.decode(child.ready, type=str)
        try:
            child.ask(GuardianOrder("release"), GuardianReport, within=RELEASE + fault.takes)
        except StackError as e:
            if child.alive:
                raise StackError(f"{fault.type} on {place} could not be undone: {e}", hint=e.hint) from e
            for left in leftovers():  # the guardian itself was killed
                if left.note.place == place:
                    left.undo()
        finally:
            child.close()

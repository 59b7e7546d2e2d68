"""Faults that are set as time goes by: entered before the drill, verified, kept alive, undone on every exit path."""

import time
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from driftdrill.harness.drive.golden import Golden
from driftdrill.harness.drive.in_thread import in_thread
from driftdrill.harness.errors import NotUndone
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seams.seam import InForce, Site
from driftdrill.stack.errors import StackError

LOOK = 10.0
"""Real seconds between two looks whether a fault is still in force; each also keeps its time to live."""


@dataclass(frozen=True)
class StrengthChange:
    """A fault was set to ``strength``. ``wrong``: what is not as it should be, now or until now; None where nothing is.

    ``touched`` is told where it ended: how much it changed, None where nobody counts. ``processes`` is how many are
    held, 0 where the fault acts on none.
    """

    name: str
    strength: float
    wrong: str | None = None
    touched: int | None = None
    processes: int = 0


@dataclass
class Injection:
    """The faults of a drill that are not each request's own, in force at the strength of the last :meth:`set_all`."""

    scenario: Scenario
    faults: Mapping[str, tuple[Fault, InForce]]
    golden: Golden | None = None
    """Shows that a fault is in force which cannot show it itself: the service answers golden requests otherwise."""
    strengths: dict[str, float] = field(default_factory=dict)
    looked: float = 0.0
    """When all were looked at last, monotonic seconds."""

    @property
    def breaks_connections(self) -> bool:
        """Whether a fault is in force now that may close connections."""
        return any(self.strengths.get(n, 0.0) > 0 and f.seam.breaks_connections for n, (f, _) in self.faults.items())

    def set_all(self, at: float) -> list[StrengthChange]:
        """Set every fault to its strength at scenario second ``at``; what changed, and what went wrong meanwhile.

        Raises what a fault raises that cannot be put in force.
        """
        changes = []
        look = time.monotonic() - self.looked > LOOK
        if look:
            self.looked = time.monotonic()
        for name, (fault, in_force) in self.faults.items():
            strength = float(self.scenario.strength(fault, np.array([at]))[0])
            before = self.strengths.get(name, 0.0)
            if strength == before:
                wrong = self._verify(in_force) if look and before else None
                changes += [StrengthChange(name, before, wrong)] if wrong else []
                continue
            changes.append(self._set(name, in_force, before, strength))
        return changes

    def _set(self, name: str, in_force: InForce, before: float, strength: float) -> StrengthChange:
        wrong = touched = None
        if not strength:  # it must have been in force up to now
            wrong = self._verify(in_force)
            touched = in_thread(getattr(in_force, "touched", lambda: None))
        in_thread(in_force.set, strength)
        self.strengths[name] = strength
        if strength:
            wrong = self._verify(in_force)
            return StrengthChange(name, strength, wrong, processes=in_thread(getattr(in_force, "processes", lambda: 0)))
        wrong = wrong or in_thread(getattr(in_force, "back", lambda: None))
        if wrong is None and (golden := self._asked_of(in_force)) is not None and golden.changed():
            wrong = "expected the answers to golden requests as before once it was undone; seen: others"
        return StrengthChange(name, strength, wrong, touched)

    def _asked_of(self, in_force: InForce) -> Golden | None:
        return self.golden if getattr(in_force, "unchecked", False) else None

    def _verify(self, in_force: InForce) -> str | None:
        wrong = in_thread(in_force.verify)
        if wrong is None and (golden := self._asked_of(in_force)) is not None and not golden.changed():
            return "expected the answers to golden requests to change; seen: the same"
        return wrong


@contextmanager
def injected(scenario: Scenario, site: Site, golden: Golden | None = None) -> Iterator[Injection]:
    """Put in, with strength 0, every fault that is not each request's own; undo them all, whatever happens."""
    over_time = [fault for fault in scenario.faults if not fault.seam.per_request]
    with ExitStack() as stack:
        entered: dict[str, tuple[Fault, InForce]] = {}
        for fault in over_time:
            entered[fault.name] = fault, stack.enter_context(_Undoing(fault.name, fault.seam.enter(fault, site)))
        yield Injection(scenario, entered, golden)


class _Undoing:
    """A fault in force. If it cannot be undone, that is printed before whatever ended the drill."""

    def __init__(self, name: str, entered: AbstractContextManager[InForce]) -> None:
        self._name, self._entered = name, entered

    def __enter__(self) -> InForce:
        return self._entered.__enter__()

    def __exit__(self, *exc: Any) -> bool | None:
        try:
            return self._entered.__exit__(*exc)
        except StackError as e:
            if e is exc[1]:
                raise
            before = f" (before that: {exc[1]})" if isinstance(exc[1], StackError) else ""
            raise NotUndone(
                f"FAULT NOT UNDONE: {self._name!r}: {e}{before}", hint=f"DO BY HAND: {e.hint}" if e.hint else None
            ) from e

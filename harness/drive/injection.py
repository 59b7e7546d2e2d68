"""Faults that are set as time goes by: entered before the drill, verified, kept alive, undone on every exit path."""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from driftdrill.harness.drive.golden import Golden
from driftdrill.harness.drive.in_thread import aside
from driftdrill.harness.errors import NotUndone
from driftdrill.harness.scenario.fault import Fault, InForce
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.stack.errors import StackError

Hold = Callable[[], AbstractContextManager[InForce]]
"""Enters a fault with strength 0; leaving undoes it."""

LOOK = 10.0
"""Real seconds between two looks whether a fault is still in force; each also keeps its time to live."""


@dataclass(frozen=True)
class Change:
    """A fault was set to ``strength``. ``wrong``: what is not as it should be, now or until now; None where nothing is.

    ``touched`` is told where it ended: how much it changed, None where nobody counts.
    """

    name: str
    strength: float
    wrong: str | None = None
    touched: int | None = None


@dataclass
class Held:
    """The faults of a drill that are not each request's own, in force at the strength of the last :meth:`set_all`."""

    scenario: Scenario
    faults: Mapping[str, tuple[Fault, InForce]]
    golden: Golden | None = None
    """What tells that a fault is in force which cannot tell it itself: its answers change."""
    strengths: dict[str, float] = field(default_factory=dict)
    looked: float = 0.0
    """When all were looked at last, monotonic seconds."""

    def set_all(self, at: float) -> list[Change]:
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
                changes += [Change(name, before, wrong)] if wrong else []
                continue
            changes.append(self._set(name, in_force, before, strength))
        return changes

    def _set(self, name: str, in_force: InForce, before: float, strength: float) -> Change:
        wrong = touched = None
        if not strength:  # it must have been in force up to now
            wrong = self._verify(in_force)
            touched = aside(getattr(in_force, "touched", lambda: None))
        aside(in_force.set, strength)
        self.strengths[name] = strength
        if strength:
            return Change(name, strength, self._verify(in_force))
        if wrong is None and (golden := self._asked_of(in_force)) is not None and golden.changed():
            wrong = "expected the answers to golden requests as before once it was undone; seen: others"
        return Change(name, strength, wrong, touched)

    def _asked_of(self, in_force: InForce) -> Golden | None:
        return self.golden if getattr(in_force, "unchecked", False) else None

    def _verify(self, in_force: InForce) -> str | None:
        wrong = aside(in_force.verify)
        if wrong is None and (golden := self._asked_of(in_force)) is not None and not golden.changed():
            return "expected the answers to golden requests to change; seen: the same"
        return wrong


@contextmanager
def hold(scenario: Scenario, holds: Mapping[str, Hold], golden: Golden | None = None) -> Iterator[Held]:
    """Enter every fault of ``holds`` (by name) with strength 0; leave them all, whatever happens."""
    by_name = {fault.name: fault for fault in scenario.faults}
    with ExitStack() as stack:
        entered = {n: (by_name[n], stack.enter_context(_Undoing(n, enter()))) for n, enter in holds.items()}
        yield Held(scenario, entered, golden)


class _Undoing:
    """A fault being held; that it could not be undone is told louder than whatever ended the drill."""

    def __init__(self, name: str, held: AbstractContextManager[InForce]) -> None:
        self._name, self._held = name, held

    def __enter__(self) -> InForce:
        return self._held.__enter__()

    def __exit__(self, *exc: Any) -> bool | None:
        try:
            return self._held.__exit__(*exc)
        except StackError as e:
            if e is exc[1]:
                raise
            before = f" (before that: {exc[1]})" if isinstance(exc[1], StackError) else ""
            raise NotUndone(
                f"FAULT NOT UNDONE: {self._name!r}: {e}{before}", hint=f"DO BY HAND: {e.hint}" if e.hint else None
            ) from e

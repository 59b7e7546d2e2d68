"""Held faults: entered before the drill, set as time goes by, verified, and undone on every exit path."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from harness.errors import RigError
from harness.fault import Fault, InForce
from harness.scenario import Scenario
from harness.target import Target
from harness.traffic.blocks import strength_at


@dataclass
class Held:
    """The held faults of a drill, in force at the strength of the last :meth:`set_all`."""

    scenario: Scenario
    faults: dict[str, tuple[Fault, InForce]]
    strengths: dict[str, float] = field(default_factory=dict)

    def set_all(self, at: float) -> list[tuple[str, float, str | None]]:
        """Set every fault to its strength at scenario second ``at``.

        Answers (name, strength, what is wrong) for each that changed; None where it verified.
        """
        changes = []
        for name, (fault, in_force) in self.faults.items():
            strength = float(strength_at(fault, self.scenario, np.array([at]))[0])
            if strength != self.strengths.get(name, 0.0):
                in_force.set(strength)
                self.strengths[name] = strength
                changes.append((name, strength, in_force.verify() if strength > 0 else None))
        return changes


@contextmanager
def hold(scenario: Scenario, target: Target) -> Iterator[Held]:
    """Enter every held fault with strength 0; leave them all, whatever happens."""
    with ExitStack() as stack:
        entered: dict[str, tuple[Fault, InForce]] = {}
        for fault in scenario.faults:
            if fault.held:
                how: Any = fault.how
                try:
                    entered[fault.name] = (fault, stack.enter_context(how.hold(target)))
                except (AttributeError, NotImplementedError) as e:
                    raise RigError(f"fault {fault.name!r} cannot be held on target {target.name!r}: {e}") from e
        yield Held(scenario, entered)

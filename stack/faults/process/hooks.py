"""Control hooks: how any service is misconfigured and put right again, in the words of whoever runs it."""

import math
from typing import ClassVar

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.kind import within
from driftdrill.stack.faults.process.faults import ProcessFault
from driftdrill.stack.faults.process.steps import Step, step
from driftdrill.stack.faults.process.undo import Revert


class Hook(ProcessFault, frozen=True, repr_omit_defaults=True, tag="hook"):
    """``apply`` makes the service wrong, ``revert`` makes it right; ``check``, if given, succeeds while it is wrong.

    A hook is in force as a whole while its strength is above 0. Each step may take ``timeout`` seconds. Build one with
    :func:`hook`.
    """

    seam: ClassVar[str] = "hook"
    visible_from: ClassVar[str] = "server"
    each: ClassVar[bool] = False
    real_time: ClassVar[bool] = False

    apply: Step
    revert: Step
    check: Step | None = None
    timeout: float = 30.0

    def __post_init__(self) -> None:
        ProcessFault.__post_init__(self)
        within(self, "timeout", 0.1, 3600, unit="seconds")

    @property
    def takes(self) -> float:
        """Seconds that one of its steps may take."""
        return self.timeout


def hook(*, apply: object, revert: object, check: object = None, timeout: float = 30.0, ttl: float = 3600.0) -> Hook:
    """A hook of steps: a command (list of words, no shell), a function at the top level of a file, or a
    :class:`Call`, :class:`Command`, :class:`Operate`.

    ``revert`` runs when the fault ends, whatever ends the drill, and ``ttl`` seconds after the drill was last heard of.
    Without ``check`` drive asks golden requests: their answers must change. Raises :class:`StackError`.
    """
    return Hook(
        apply=step(apply, "apply"),
        revert=step(revert, "revert"),
        check=None if check is None else step(check, "check"),
        timeout=timeout,
        ttl=ttl,
    )


class Applied:
    """A hook in the guardian."""

    def __init__(self, fault: Hook) -> None:
        self._fault = fault
        self.place = f"the hook {fault.apply}"
        self.undo = Revert(fault.revert, fault.timeout)
        self._applied = False

    def pids(self) -> list[int]:
        """It acts on no process that is known here."""
        return []

    def set(self, strength: float) -> None:
        """Apply or revert; raises where the step fails."""
        if strength and not self._applied:
            self._applied = True  # one that failed half-way is reverted too
            self._fault.apply.run(self._fault.timeout)
        elif not strength:
            self.end()

    def work(self) -> float:
        """Nothing is ever due."""
        return math.inf

    def check(self) -> str | None:
        """The author's check, if there is one."""
        if not self._applied or self._fault.check is None:
            return None
        try:
            self._fault.check.run(self._fault.timeout)
        except StackError as e:
            return f"expected {self._fault.apply} to be in force; seen: {e}"
        return None

    def end(self) -> None:
        """Revert what was applied."""
        if self._applied:
            self.undo.undo()
            self._applied = False

"""A crash loop's clock: when to kill, and when to start again; the same for a process and a container."""

import math
import time
from collections.abc import Callable

from driftdrill.stack.faults.process.faults import CrashLoop


class Crashes:
    """``kill`` and ``start`` are called when they are due; ``kill`` adds to ``count`` as soon as it has killed."""

    def __init__(self, fault: CrashLoop, kill: Callable[[], None], start: Callable[[], None]) -> None:
        self._fault, self._kill, self._start = fault, kill, start
        self.strength, self.count = 0.0, 0
        self._kill_at = self._start_at = math.inf

    @property
    def down(self) -> bool:
        """Whether it was killed and is not yet to be started again."""
        return self._start_at < math.inf

    def set(self, strength: float) -> None:
        """The first crash comes at once."""
        before, self.strength = self.strength, strength
        if strength == 0:
            self._kill_at = math.inf
        elif not before:
            self._kill_at = 0.0
            self.work()
        else:
            self._kill_at = min(self._kill_at, time.monotonic() + self._fault.period / strength)

    def work(self) -> float:
        """Kill or start when it is time; seconds until something is due again."""
        now = time.monotonic()
        if now >= self._start_at:
            self._start_at = math.inf
            self._start()
        elif now >= self._kill_at:
            self._kill()
            self._kill_at = now + self._fault.period / self.strength
            self._start_at = time.monotonic() + self._fault.down
        return max(0.0, min(self._kill_at, self._start_at) - time.monotonic())

    def stop(self) -> None:
        """Nothing is due any more."""
        self._kill_at = self._start_at = math.inf

"""What edge cases leave on a service's metrics page for good: samples that are NaN, and counters that stand still."""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import pairwise

import requests

from driftdrill.harness.errors import DriftdrillError
from driftdrill.harness.setup.target import Target
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.exposition.samples import read

COUNTED = ("_sum", "_count", "_total")
"""How the names of what grows with requests end; which bucket grows depends on what is observed."""

COUNTING = 0.05
"""Seconds after an answer within which it is counted: some count after they answer."""
SWALLOWS = 2.0**43
"""From here on a float swallows a thousandth that is added to it."""

Page = dict[str, float]
"""Series -> value, of all the target's pages together."""


@dataclass
class Traces:
    """Looks at the pages after each case; ``page`` answers None where they cannot be read: then nothing is known."""

    page: Callable[[], Page | None]
    moving: set[str] = field(default_factory=set)
    """What grew with every valid row before the first case."""
    stands: dict[str, str] = field(default_factory=dict)
    """What of that grows no more -> the case with which it did not."""
    jumped: dict[str, str] = field(default_factory=dict)
    """What became so large that it swallows what is added -> the case that made it so."""
    last: Page | None = None

    def settle(self, ask: Callable[[], object], times: int) -> None:
        """Ask the valid row so many times, and see which counters grow each time."""
        pages = [self.page()]
        for _ in range(times):
            ask()
            time.sleep(COUNTING)
            pages.append(self.page())
        known = [page for page in pages if page is not None]
        if len(known) == len(pages):
            self.moving = set.intersection(*(_grew(a, b) for a, b in pairwise(known)))
        self.last = pages[-1]

    def after(self, case: str) -> list[str]:
        """The series that are NaN since this case; which counters stand still is known at the end."""
        now, before = self.page(), self.last
        if now is None or before is None:
            return []
        self.last = now
        grew = _grew(before, now)
        for series in self.moving:
            if series in grew:
                self.stands.pop(series, None)
            else:
                self.stands.setdefault(series, case)
            if abs(now.get(series, 0.0)) >= SWALLOWS > abs(before.get(series, 0.0)):
                self.jumped[series] = case
        return sorted(s for s, value in now.items() if math.isnan(value) and not math.isnan(before.get(s, 0.0)))

    def still(self, ask: Callable[[], object], times: int) -> dict[str, list[str]]:
        """Case -> the counters that stand still since then, also when the valid row is asked so many times again."""
        if not self.stands and not self.jumped:
            return {}
        for _ in range(times):
            ask()
            time.sleep(COUNTING)
            self.after("")
        found: dict[str, list[str]] = {}
        for series in sorted(self.stands):
            case = self.jumped.get(series) or self.stands[series]
            if case and self.last is not None and not math.isnan(self.last.get(series, 0.0)):
                found.setdefault(case, []).append(series)
        return found


def _grew(before: Page, now: Page) -> set[str]:
    return {s for s, value in now.items() if value > before.get(s, math.inf) and _counter(s)}


def _counter(series: str) -> bool:
    return series.partition("{")[0].endswith(COUNTED)


def pages_of(target: Target) -> Callable[[], Page | None]:
    """Reads the target's metrics pages."""

    def page() -> Page | None:
        together: Page = {}
        try:
            for number, endpoint in enumerate(target.metrics):
                _, found = read(_get(endpoint.connection))
                together |= {f"{s.series.decode()}{number * ' '}": s.number() for _, s in found}
        except (requests.RequestException, DriftdrillError, StackError, UnicodeDecodeError):
            return None
        return together or None

    return page


def _get(connection: Connection) -> bytes:
    with connection.session() as session:
        reply = session.get(connection.url, timeout=connection.timeout, allow_redirects=False)
        reply.raise_for_status()
        return reply.content

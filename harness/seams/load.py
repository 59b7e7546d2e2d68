"""Faults of the load itself: the schedule has them already."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import ClassVar

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.seams.seam import InForce, Injected, Seam, Site
from driftdrill.stack.faults.kind import DOWN, REPLACED


@dataclass(frozen=True)
class LoadFault:
    """A fault of the load itself: the rate is ``times`` what the scenario says; 0 is no traffic at all.

    Strength s makes it 1 + s (times - 1) as high. Overload is such a fault: ``load(times=20)``.
    """

    seam: ClassVar[str] = "load"
    id: ClassVar[str] = "sys.overload"
    visible_from: ClassVar[str] = "server"

    times: float

    def __post_init__(self) -> None:
        number = isinstance(self.times, (int, float)) and not isinstance(self.times, bool)
        if not number or not 0 <= self.times < 1e6 or self.times == 1:
            raise ScenarioError(f"load: times must be 0 or more and not 1, not {self.times!r}")

    def __repr__(self) -> str:
        return f"load(times={self.times:g})"


def load(*, times: float) -> LoadFault:
    """A fault that makes the scenario's rate ``times`` as high, for ``Fault("overload", load(times=20))``."""
    return LoadFault(times)


class LoadSeam(Seam):
    """The rate of requests."""

    name: ClassVar[str] = "load"
    changes_requests: ClassVar[bool] = True
    on_pages: ClassVar[frozenset[str]] = frozenset({DOWN, REPLACED})
    by_replica: ClassVar[bool] = False

    @contextmanager
    def enter(self, fault: Injected, site: Site) -> Iterator[InForce]:
        """Nothing to put in: whether the schedule was sent is told by the load."""
        yield _Scheduled()


class _Scheduled:
    def set(self, strength: float) -> None:
        """The schedule follows the strength by itself."""

    def verify(self) -> str | None:
        """Nothing can be wrong with a schedule."""
        return None

"""Faults of an author's own: anything that can be held."""

from contextlib import AbstractContextManager
from typing import ClassVar

from driftdrill.harness.seams.seam import InForce, Injected, Seam, Site, chosen, together


class OwnSeam(Seam):
    """A value with ``hold(target)``, a context manager that yields what has ``set(strength)`` and ``verify()``.

    Where its class attribute ``each`` is true it is held once for each address of the target, which is then all that
    the target has.
    """

    name: ClassVar[str] = "own"
    breaks_connections: ClassVar[bool] = True

    def enter(self, fault: Injected, site: Site) -> AbstractContextManager[InForce]:
        """By its own ``hold``."""
        if not getattr(fault.how, "each", False):
            whole: AbstractContextManager[InForce] = fault.how.hold(site.target)
            return whole
        return together(fault.how.hold(address) for address in chosen(fault, site.addresses))

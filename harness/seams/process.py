"""Faults of the process or container that serves the target, and burners beside it."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, ClassVar

from driftdrill.harness.errors import RigError
from driftdrill.harness.seams.seam import Ground, InForce, Injected, Seam, Site, chosen, together

if TYPE_CHECKING:  # which loads an HTTP client, and a scenario needs none
    from driftdrill.harness.setup.target import Target


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
        return together(hold(fault.how, _process(address)) for address in chosen(fault, site.addresses))


def _process(address: "Target") -> Any:
    """The process of an address: the one that listens there now, if that is how it is known."""
    from driftdrill.harness.setup.target import Listens

    if not isinstance(address.process, Listens):
        return address.process
    from driftdrill.stack.faults.process.targets import listening

    return listening(address.connection.port, address.process.restart)

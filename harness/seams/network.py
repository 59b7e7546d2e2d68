"""Faults of the network and of HTTP messages on their way, in a proxy before each address of the target."""

from contextlib import AbstractContextManager
from typing import ClassVar

from driftdrill.harness.errors import RigError
from driftdrill.harness.seams.seam import Ground, InForce, Injected, Seam, Site, chosen, together
from driftdrill.stack.faults.kind import DOWN, STILL


class NetworkSeam(Seam):
    """Toxics and HTTP faults (:mod:`driftdrill.stack.faults.network`)."""

    name: ClassVar[str] = "network"
    on_pages: ClassVar[frozenset[str]] = frozenset({DOWN, STILL})  # a proxy answers by itself, or holds what serves
    breaks_connections: ClassVar[bool] = True

    def check(self, fault: Injected, ground: Ground) -> None:
        """A proxy of the drill cannot stand before another one, and a toxiproxy knows toxics only."""
        super().check(fault, ground)
        if ground.target.connection.proxy is not None:
            raise RigError(
                f"fault {fault.name!r} acts before the target, whose requests go through the proxy "
                f"{ground.target.connection.proxy}",
                hint="leave proxy out of the target for this drill",
            )
        if self.reads_http(fault) and ground.target.toxiproxy is not None:
            raise RigError(
                f"fault {fault.name!r} is an HTTP fault, and toxiproxy knows none",
                hint="leave toxiproxy out of the target: our own proxy takes its place",
            )

    def reads_http(self, fault: Injected) -> bool:
        """HTTP faults do, toxics act on bytes."""
        return bool(fault.how.reads_http)

    def enter(self, fault: Injected, site: Site) -> AbstractContextManager[InForce]:
        """In the proxy before each address that the fault acts on."""
        return together(proxy.hold(fault.how) for proxy in chosen(fault, site.proxies))

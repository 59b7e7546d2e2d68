"""Switches of the demo model: misconfigurations that its admin interface puts in force."""

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, ClassVar

from driftdrill.harness.errors import RigError
from driftdrill.harness.seams.seam import InForce, Injected, Seam, Site, chosen, together
from driftdrill.stack.faults.kind import DOWN

if TYPE_CHECKING:  # which loads an HTTP client, and a scenario needs none
    from driftdrill.harness.setup.target import Target


class SwitchSeam(Seam):
    """A value of :mod:`driftdrill.stack.model_service.switches`, in each address of the target."""

    name: ClassVar[str] = "switch"
    on_pages: ClassVar[frozenset[str]] = frozenset({DOWN})

    def place(self, fault: Injected) -> str | None:
        """A switch is one place, whatever its parameters."""
        return f"switch {fault.how.id}"

    def enter(self, fault: Injected, site: Site) -> AbstractContextManager[InForce]:
        """Through the admin interface of each address, changing no row yet."""
        return together(_switched(fault, address) for address in chosen(fault, site.addresses))


def _switched(fault: Injected, address: "Target") -> AbstractContextManager[InForce]:
    from driftdrill.stack.model_service.control import misconfigured

    if address.admin is None:
        raise RigError(
            f"{fault.how.id} is a switch of the demo model's admin interface, and {address.name} names no token of one",
            hint='start it with --admin, and say in driftdrill.toml: admin = { env = "DRIFTDRILL_ADMIN_TOKEN" }',
        )
    return misconfigured(address.connection.at("").rstrip("/"), address.admin.reveal(), fault.how, share=0.0)

"""Every kind of fault of this layer, for listings: of the network, processes, services, pages and scrapes."""

from driftdrill.stack.faults.jobs import JOB_FAULTS
from driftdrill.stack.faults.kind import Kind, kind
from driftdrill.stack.faults.network import HTTP_FAULTS, TOXICS, Page
from driftdrill.stack.faults.pages import PAGE_FAULTS
from driftdrill.stack.faults.process import PROCESS_FAULTS
from driftdrill.stack.model_service.switches import SWITCHES

FACE = "driftdrill.faults"
"""Where an author imports every kind from."""


def kinds() -> tuple[Kind, ...]:
    """All of them, by seam."""
    http = tuple(fault for fault in HTTP_FAULTS if fault is not Page)  # it only carries a page fault
    return (
        *(kind(fault, "network (proxy, TCP)", FACE) for fault in TOXICS),
        *(kind(fault, "network (proxy, HTTP)", FACE) for fault in http),
        *(kind(fault, "process or container", FACE) for fault in PROCESS_FAULTS),
        *(kind(switch, "demo model", FACE) for switch in SWITCHES.values()),
        *(kind(fault, "metrics page", FACE) for fault in PAGE_FAULTS),
        *(kind(fault, "scrape configuration", FACE) for fault in JOB_FAULTS),
    )

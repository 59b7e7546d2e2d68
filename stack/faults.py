"""Every kind of fault of this layer, for listings: of the network, processes, services, pages and scrapes."""

from driftdrill.stack.held import PROCESS_FAULTS
from driftdrill.stack.kinds import Kind, kind
from driftdrill.stack.model_service.switches import SWITCHES
from driftdrill.stack.proxy import HTTP_FAULTS, TOXICS, Page
from driftdrill.stack.scrape.jobfaults import JOB_FAULTS
from driftdrill.stack.scrape.pagefaults import PAGE_FAULTS


def kinds() -> tuple[Kind, ...]:
    """All of them, by seam."""
    http = tuple(fault for fault in HTTP_FAULTS if fault is not Page)  # it only carries a page fault
    return (
        *(kind(fault, "network (proxy, TCP)", "driftdrill.stack.proxy") for fault in TOXICS),
        *(kind(fault, "network (proxy, HTTP)", "driftdrill.stack.proxy") for fault in http),
        *(kind(fault, "process or container", "driftdrill.stack.held") for fault in PROCESS_FAULTS),
        *(kind(switch, "demo model", "driftdrill.stack.model_service.switches") for switch in SWITCHES.values()),
        *(kind(fault, "metrics page", "driftdrill.stack.scrape.pagefaults") for fault in PAGE_FAULTS),
        *(kind(fault, "scrape configuration", "driftdrill.stack.scrape.jobfaults") for fault in JOB_FAULTS),
    )

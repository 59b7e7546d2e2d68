"""Every kind of fault of this layer, for listings: of the network, processes, services, pages and scrapes."""

from stack.held import PROCESS_FAULTS
from stack.kinds import Kind, kind
from stack.model_service.switches import SWITCHES
from stack.proxy import HTTP_FAULTS, TOXICS, Page
from stack.scrape.jobfaults import JOB_FAULTS
from stack.scrape.pagefaults import PAGE_FAULTS


def kinds() -> tuple[Kind, ...]:
    """All of them, by seam."""
    http = tuple(fault for fault in HTTP_FAULTS if fault is not Page)  # it only carries a page fault
    return (
        *(kind(fault, "network (proxy, TCP)", "stack.proxy") for fault in TOXICS),
        *(kind(fault, "network (proxy, HTTP)", "stack.proxy") for fault in http),
        *(kind(fault, "process or container", "stack.held") for fault in PROCESS_FAULTS),
        *(kind(switch, "demo model", "stack.model_service.switches") for switch in SWITCHES.values()),
        *(kind(fault, "metrics page", "stack.scrape.pagefaults") for fault in PAGE_FAULTS),
        *(kind(fault, "scrape configuration", "stack.scrape.jobfaults") for fault in JOB_FAULTS),
    )

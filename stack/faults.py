"""Every kind of fault of this layer, for listings: what ``driftdrill list faults`` prints of the network, of processes
and of metrics pages."""

from stack.held import PROCESS_FAULTS
from stack.kinds import Kind, kind
from stack.proxy import HTTP_FAULTS, TOXICS, Page
from stack.scrape.jobfaults import JOB_FAULTS
from stack.scrape.pagefaults import PAGE_FAULTS

ALSO = {
    "sys.jitter": "latency with a jitter",
    "sys.overload": "no fault of the rig: a rate Curve past the capacity",
    "mis.cache_stuck": "replace, with a body that was captured",
}
"""Catalogue ids that are a way to use a kind, rather than a kind of their own."""


def kinds() -> tuple[Kind, ...]:
    """All of them, by seam."""
    http = tuple(fault for fault in HTTP_FAULTS if fault is not Page)  # it only carries a page fault
    return (
        *(kind(fault, "proxy, TCP") for fault in TOXICS),
        *(kind(fault, "proxy, HTTP") for fault in http),
        *(kind(fault, "process or container") for fault in PROCESS_FAULTS),
        *(kind(fault, "metrics page") for fault in PAGE_FAULTS),
        *(kind(fault, "scrape configuration") for fault in JOB_FAULTS),
    )

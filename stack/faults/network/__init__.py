"""A proxy that injects faults on its way between clients and a service: TCP toxics, HTTP faults.

with proxy(Connection("http://127.0.0.1:8000")) as p:
    send_load_to(p.address)
    p.set(Latency(300, jitter=50), Status(503, path="/v2/*", share=0.1))
    p.set()  # nothing injected
    p.ledger()

Why no ready-made proxy: a request through this one costs 55 to 60 microseconds of CPU (30 to 32 as plain TCP), through
haproxy, in C, 14.6. But haproxy has no toxics, and neither it nor toxiproxy, a Go binary that pip cannot install, keeps
a ledger of what was hit, edits JSON answers or undoes its faults when the drill is killed. A toxiproxy of yours is
spoken to, see :mod:`driftdrill.stack.faults.network.toxiproxy`.
"""

from driftdrill.stack.faults.network.client import HeldToxic, Proxy, proxy, toxic
from driftdrill.stack.faults.network.http_faults import (
    EXCLUDED,
    HTTP_FAULTS,
    Delay,
    HttpFault,
    Page,
    Patch,
    Replace,
    Status,
    merge_patch,
)
from driftdrill.stack.faults.network.ledger import Ledger, Touched
from driftdrill.stack.faults.network.toxics import (
    TOXICS,
    Bandwidth,
    Down,
    Latency,
    LimitData,
    ResetPeer,
    Slicer,
    SlowClose,
    Timeout,
    Toxic,
)
from driftdrill.stack.faults.network.toxiproxy import toxiproxy

__all__ = [
    "EXCLUDED",
    "HTTP_FAULTS",
    "TOXICS",
    "Bandwidth",
    "Delay",
    "Down",
    "HeldToxic",
    "HttpFault",
    "Latency",
    "Ledger",
    "LimitData",
    "Page",
    "Patch",
    "Proxy",
    "Replace",
    "ResetPeer",
    "Slicer",
    "SlowClose",
    "Status",
    "Timeout",
    "Touched",
    "Toxic",
    "merge_patch",
    "proxy",
    "toxic",
    "toxiproxy",
]

"""Faults of the encoded request: what a client could send and no encoder of ours would, as ``fault(request, rng)``.

They change bytes, and only those that they speak of. A cell is found wherever the protocol puts it (layout.py), in the
first row of the request; ``column`` "" is the first column. A fault that cannot be in a body says so when a drill
begins, where each is tried on the first requests. The share of requests that are hit is the Fault's strength.
"""

from driftdrill.harness.traffic.payload.base import PayloadFault, try_on
from driftdrill.harness.traffic.payload.batches import BatchShape, WrongDatatype, WrongShape
from driftdrill.harness.traffic.payload.bodies import Charset, ContentType, Gzip, MergePatch, Padding, Truncated
from driftdrill.harness.traffic.payload.cells import DuplicateKey, Missing, Null, Number, Text, UnknownKey, WrongType

__all__ = [
    "PAYLOAD_FAULTS",
    "BatchShape",
    "Charset",
    "ContentType",
    "DuplicateKey",
    "Gzip",
    "MergePatch",
    "Missing",
    "Null",
    "Number",
    "Padding",
    "PayloadFault",
    "Text",
    "Truncated",
    "UnknownKey",
    "WrongDatatype",
    "WrongShape",
    "WrongType",
    "try_on",
]

PAYLOAD_FAULTS: tuple[type[PayloadFault], ...] = (
    Number,
    Null,
    Missing,
    WrongType,
    WrongDatatype,
    DuplicateKey,
    UnknownKey,
    BatchShape,
    WrongShape,
    Padding,
    Text,
    Charset,
    ContentType,
    Gzip,
    Truncated,
    MergePatch,
)

"""What a protocol is: functions from rows to bodies and from responses to predictions, and how it is recognised."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.body_layout.layout import Layout

Predictions = list[float] | list[str]
"""One a row: numbers, or labels where those were asked for."""


class Undecodable(ValueError):
    """A response that holds no predictions for the rows sent; the request counts as failed."""


@dataclass(frozen=True)
class Request:
    """An encoded request that is not sent as its protocol would: ``content_type`` "" is none at all.

    ``parts`` make the body; what requests share of it is one object in memory. ``layout`` says where its rows are, and
    is None once they are not there any more.
    """

    parts: tuple[bytes, ...]
    content_type: str
    headers: tuple[tuple[str, str], ...] = ()
    layout: Layout | None = field(default=None, repr=False)

    @property
    def body(self) -> bytes:
        """The whole body."""
        return b"".join(self.parts)

    @property
    def seen(self) -> tuple[bytes, str, tuple[tuple[str, str], ...]]:
        """What the server sees of it: body, content type, headers."""
        return self.body, self.content_type, self.headers


@dataclass(frozen=True)
class Protocol:
    """How one endpoint is spoken to.

    ``path`` is below the target's URL. ``encode(batch, rows_per_request)`` makes request bodies: rows
    i * rows_per_request onward make body i, which depends on them and on the columns' types alone.
    ``decode(body, rows)`` answers one number a row, ``decode(body, rows, True)`` one label; both raise
    :class:`Undecodable`. ``measure(body, pieces)`` reads more from a response: name -> number; pieces are (seconds
    since sending, bytes so far), in order, as they arrived.
    """

    path: str
    encode: Callable[[Batch, int], list[bytes]]
    decode: Callable[..., Predictions]
    content_type: str = "application/json"
    measure: Callable[[bytes, tuple[tuple[float, int], ...]], Mapping[str, float]] | None = None


@dataclass(frozen=True)
class DetectAnswer:
    """What one GET said; status 0 where nothing did."""

    status: int
    text: str = ""

    @property
    def json(self) -> Any:
        """The body of a 200 as JSON, None if it is none."""
        if self.status != 200:
            return None
        try:
            return msgspec.json.decode(self.text)
        except msgspec.DecodeError:
            return None

    def has(self, key: str) -> bool:
        """Whether the answer is a JSON object with ``key``."""
        return isinstance(self.json, dict) and key in self.json


Ask = Callable[[str], DetectAnswer]
"""GET a path below the target's URL."""


@dataclass(frozen=True)
class Detected:
    """What a server's own answers say it speaks; ``why`` names the answer."""

    options: ProtocolOptions
    why: str


@dataclass(frozen=True)
class Family:
    """One entry of PROTOCOLS. ``make`` may ask the server what the options leave open (``ask`` is None offline).

    ``health`` is a path that answers 200 when the server is ready.
    """

    make: Callable[[ProtocolOptions, Ask | None], Protocol]
    detect: Callable[[Ask], Detected | None]
    health: str = ""

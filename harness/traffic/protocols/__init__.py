"""Model-serving protocols: rows to request bodies, responses to predictions. One file and one entry each."""

from collections.abc import Callable
from typing import Protocol as TypingProtocol

import numpy as np
import numpy.typing as npt

from harness.errors import ConfigError, nearest
from harness.fault import Batch
from harness.target import ProtocolOptions

Predictions = npt.NDArray[np.float64]


class Undecodable(ValueError):
    """A response that holds no predictions for the rows sent; the request counts as failed."""


class Protocol(TypingProtocol):
    """How one family of model servers is spoken to."""

    @property
    def path(self) -> str:
        """Below the target's URL."""
        ...

    @property
    def content_type(self) -> str:
        """The media type of its bodies."""
        ...

    def encode(self, batch: Batch, rows_per_request: int = 1) -> list[bytes]:
        """Request bodies: rows i * rows_per_request onward make body i. The truth column is already gone."""
        ...

    def decode(self, body: bytes, rows: int) -> Predictions:
        """One number a row, float64 (rows,). Raises :class:`Undecodable`."""
        ...


def _json(options: ProtocolOptions) -> Protocol:
    from harness.traffic.protocols.generic import GenericJson

    return GenericJson.of(options)


PROTOCOLS: dict[str, Callable[[ProtocolOptions], Protocol]] = {"json": _json}


def protocol(options: ProtocolOptions) -> Protocol:
    """The protocol that ``options`` name. Raises :class:`ConfigError` with the nearest names."""
    make = PROTOCOLS.get(options.name)
    if make is None:
        raise ConfigError(f"no protocol is named {options.name!r}", hint=nearest(options.name, PROTOCOLS))
    return make(options)

"""The TCP toxics: toxiproxy's names and parameters, as frozen values.

``stream`` is ``downstream`` (from the server to the client, the default) or ``upstream``; ``toxicity`` is the
share of connections that are hit; a toxic's name is ``<type>_<stream>`` unless one is given, and a proxy holds a
name once. ``at(strength)`` is the same toxic at a strength in [0, 1]: None at 0, as stated at 1; between them a
toxic with a size scales the size, any other scales the share of connections.
"""

from typing import ClassVar, Literal, Self

import msgspec
from msgspec.structs import replace

from driftdrill.stack.faults.kind import one_of, unit_interval, within

MS = "milliseconds"


class ProxyFault(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True):
    """A fault that a proxy holds. ``real_time``: what it does takes time, which only a wall clock has.

    ``reads_http``: it acts on messages, so the proxy must read what passes.
    """

    seam: ClassVar[str] = "network"
    real_time: ClassVar[bool] = False
    reads_http: ClassVar[bool] = False


class Toxic(ProxyFault, frozen=True, kw_only=True, repr_omit_defaults=True, tag_field="type"):
    """What all toxics share: direction, share of connections, name."""

    id: ClassVar[str] = ""
    visible_from: ClassVar[str] = "client"

    stream: Literal["downstream", "upstream"] = "downstream"
    toxicity: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        one_of(self, "stream", ("downstream", "upstream"))
        within(self, "toxicity", 0, 1)

    @property
    def type(self) -> str:
        """Toxiproxy's name for this type."""
        return str(self.__struct_config__.tag)

    @property
    def key(self) -> str:
        """The name under which a proxy holds it."""
        return self.name or f"{self.type}_{self.stream}"

    def at(self, strength: float) -> Self | None:
        """This toxic at ``strength``: the share of connections is scaled, unless the toxic says otherwise."""
        strength = unit_interval(strength)
        return replace(self, toxicity=self.toxicity * strength) if strength else None

    def _scaled(self, strength: float, *fields: str) -> Self | None:
        strength = unit_interval(strength)
        return replace(self, **{f: getattr(self, f) * strength for f in fields}) if strength else None


class Latency(Toxic, frozen=True, repr_omit_defaults=True, tag="latency"):
    """Delay all data by ``latency`` plus or minus ``jitter`` milliseconds; strength scales both."""

    id: ClassVar[str] = "sys.latency"
    real_time: ClassVar[bool] = True
    latency: float
    jitter: float = 0.0

    def __post_init__(self) -> None:
        Toxic.__post_init__(self)
        within(self, "latency", 0, 3_600_000, unit=MS)
        within(self, "jitter", 0, 3_600_000, unit=MS)

    def at(self, strength: float) -> Self | None:
        """Milliseconds are scaled."""
        return self._scaled(strength, "latency", "jitter")


class Bandwidth(Toxic, frozen=True, repr_omit_defaults=True, tag="bandwidth"):
    """Let at most ``rate`` kilobytes (1000 bytes) a second through; strength s lets rate/s through."""

    id: ClassVar[str] = "sys.bandwidth"
    real_time: ClassVar[bool] = True
    rate: float

    def __post_init__(self) -> None:
        Toxic.__post_init__(self)
        within(self, "rate", 0.001, unit="kilobytes a second")

    def at(self, strength: float) -> Self | None:
        """The rate is divided by the strength."""
        strength = unit_interval(strength)
        return replace(self, rate=self.rate / strength) if strength else None


class SlowClose(Toxic, frozen=True, repr_omit_defaults=True, tag="slow_close"):
    """Close a connection ``delay`` milliseconds late; strength scales the delay."""

    id: ClassVar[str] = "sys.slow_close"
    real_time: ClassVar[bool] = True
    delay: float

    def __post_init__(self) -> None:
        Toxic.__post_init__(self)
        within(self, "delay", 0, 3_600_000, unit=MS)

    def at(self, strength: float) -> Self | None:
        """Milliseconds are scaled."""
        return self._scaled(strength, "delay")


class Timeout(Toxic, frozen=True, repr_omit_defaults=True, tag="timeout"):
    """Drop all data, and close the connection after ``timeout`` milliseconds; with 0, when the toxic is removed.

    Strength scales the share of connections.
    """

    id: ClassVar[str] = "sys.timeout"
    real_time: ClassVar[bool] = True
    timeout: float = 0.0

    def __post_init__(self) -> None:
        Toxic.__post_init__(self)
        within(self, "timeout", 0, 3_600_000, unit=MS)


class ResetPeer(Toxic, frozen=True, repr_omit_defaults=True, tag="reset_peer"):
    """Reset the connection (TCP RST) ``timeout`` milliseconds after data arrives; strength scales the share hit."""

    id: ClassVar[str] = "sys.reset"
    timeout: float = 0.0

    def __post_init__(self) -> None:
        Toxic.__post_init__(self)
        within(self, "timeout", 0, 3_600_000, unit=MS)


class Slicer(Toxic, frozen=True, repr_omit_defaults=True, tag="slicer"):
    """Cut data into pieces of ``average_size`` plus or minus ``size_variation`` bytes, ``delay`` microseconds apart.

    Strength scales the share of connections.
    """

    id: ClassVar[str] = "sys.slicer"
    real_time: ClassVar[bool] = True
    average_size: int
    size_variation: int = 0
    delay: float = 0.0

    def __post_init__(self) -> None:
        Toxic.__post_init__(self)
        within(self, "average_size", 1, unit="bytes")
        within(self, "size_variation", 0, self.average_size - 1, unit="bytes")
        within(self, "delay", 0, 3_600_000_000, unit="microseconds")


class LimitData(Toxic, frozen=True, repr_omit_defaults=True, tag="limit_data"):
    """Close the connection after ``bytes`` bytes; strength scales the share of connections."""

    id: ClassVar[str] = "sys.truncated"
    bytes: int

    def __post_init__(self) -> None:
        Toxic.__post_init__(self)
        within(self, "bytes", 0, unit="bytes")


class Down(Toxic, frozen=True, repr_omit_defaults=True, tag="down"):
    """Refuse connections and cut those that are open; below strength 1 a share of them is reset instead.

    In toxiproxy it is a proxy that is not enabled, so a toxiproxy server knows it at strength 1 only.
    """

    id: ClassVar[str] = "sys.refuse"

    @property
    def key(self) -> str:
        """It has no direction."""
        return self.name or "down"


TcpToxic = Latency | Bandwidth | SlowClose | Timeout | ResetPeer | Slicer | LimitData | Down

TOXICS: tuple[type[Toxic], ...] = (Latency, Bandwidth, SlowClose, Timeout, ResetPeer, Slicer, LimitData, Down)

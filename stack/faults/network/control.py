"""What parent and child say to each other."""

from typing import Literal

import msgspec

from driftdrill.stack.faults.network.http_faults import HttpToxic
from driftdrill.stack.faults.network.ledger import Ledger
from driftdrill.stack.faults.network.toxics import TcpToxic


class ProxySettings(msgspec.Struct, frozen=True):
    """What a proxy is started with; the answer is its port."""

    upstream: str
    ca: str | None
    cert: str | None
    key: str | None
    host: str
    port: int
    http: bool
    seed: int
    ttl: float


class Remote(msgspec.Struct, frozen=True):
    """A proxy to be made in a toxiproxy server at ``server``; the answer is the address that it listens on."""

    server: str
    name: str
    upstream: str
    listen: str
    ttl: float


class ProxyOrder(msgspec.Struct, frozen=True):
    """``set`` puts exactly these faults in force; ``state`` only asks. The answer is a :class:`ProxyState`."""

    do: Literal["set", "state"]
    toxics: tuple[TcpToxic, ...] = ()
    http: tuple[HttpToxic, ...] = ()


class ProxyState(msgspec.Struct, frozen=True):
    """The names of what is in force, and what was counted; ``withdrawn``: the time to live has run out."""

    ledger: Ledger
    names: tuple[str, ...]
    withdrawn: bool = False

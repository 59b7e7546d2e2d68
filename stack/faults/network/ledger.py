"""What a proxy counted, and the draw that decides which connection or request a share hits."""

import hashlib
from typing import Any

import msgspec


class Touched(msgspec.Struct, frozen=True):
    """One fault's count: connections for a toxic, requests for an HTTP fault.

    ``passed``: those that passed while it was in force; ``matched``: those that its selector fitted; ``touched``:
    those that it changed; ``skipped``: hit, but impossible to change (a body that is no JSON). What a ``down`` at
    full strength keeps from connecting is refused by the kernel, uncounted.
    """

    name: str
    type: str
    passed: int = 0
    matched: int = 0
    touched: int = 0
    skipped: int = 0


class Ledger(msgspec.Struct, frozen=True):
    """What passed a proxy since it started, and what each fault touched, also those that are removed by now.

    ``refused`` connections found no upstream or were refused by ``down``. ``requests`` were read from clients,
    ``forwarded`` were sent upstream; ``opaque`` connections carry something other than HTTP/1.x.
    """

    connections: int = 0
    open: int = 0
    refused: int = 0
    opaque: int = 0
    requests: int = 0
    forwarded: int = 0
    bytes_upstream: int = 0
    bytes_downstream: int = 0
    faults: tuple[Touched, ...] = ()

    def of(self, name: str) -> Touched:
        """The count of the fault of that name; zeros if it has not been in force."""
        return next((f for f in self.faults if f.name == name), Touched(name, ""))


class Count(msgspec.Struct):
    """A :class:`Touched` while it grows."""

    type: str
    passed: int = 0
    matched: int = 0
    touched: int = 0
    skipped: int = 0
    begun: Any = None
    """A page fault, and the same as it began: with what it remembers of the first page."""

    def pass_(self, connections: int) -> None:
        """So many connections passed a toxic; it has no selector."""
        self.passed += connections
        self.matched += connections

    def frozen(self, name: str) -> Touched:
        """As it stands."""
        return Touched(name, self.type, self.passed, self.matched, self.touched, self.skipped)


def draw(seed: int, name: str, index: int) -> float:
    """A number in [0, 1) that only these three decide: a share hits where it is below the share."""
    digest = hashlib.blake2b(f"{seed}\0{name}\0{index}".encode(), digest_size=7).digest()
    return int.from_bytes(digest, "big") / (1 << 56)

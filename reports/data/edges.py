"""What edge cases did to a service, as data: JSON in and out. docs/edge.md lists the codes."""

from dataclasses import dataclass

import msgspec

SCHEMA = 1

SENT = ("rejected", "same", "different", "crashed", "undecodable", "lost", "hung")
"""The outcomes of a case that was sent; the other two are "not_applicable" and "not_sent"."""


@dataclass(frozen=True)
class EdgeCase:
    """One case, as it went."""

    case: str
    """Id and name, stable: "edge.nan.infinity"."""
    column: str
    what: str
    outcome: str
    status: int = 0
    seconds: float = 0.0
    size: int = 0
    """Bytes of the body sent."""
    prediction: float | None = None
    note: str = ""
    """Why it was not sent, or what was wrong with the answer."""


@dataclass(frozen=True)
class EdgeFinding:
    """Something to repair. ``code`` is stable: case and what happened, "edge.nan.infinity.crashed"."""

    code: str
    column: str
    seen: str
    advice: str
    accepted: bool = False


@dataclass(frozen=True)
class EdgeReport:
    """The whole table."""

    target: str
    source: str
    """Where the valid row came from."""
    prediction: float
    """Of the valid row."""
    cases: tuple[EdgeCase, ...]
    findings: tuple[EdgeFinding, ...]
    why: str = ""
    """Why not all cases were sent; empty where they were."""
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA

    @property
    def open(self) -> list[EdgeFinding]:
        """The findings that are not accepted."""
        return [f for f in self.findings if not f.accepted]

    @property
    def exit_code(self) -> int:
        """0 no finding, 1 findings, 2 not all cases could be sent."""
        return 1 if self.open else 2 if self.why else 0

    def to_json(self) -> bytes:
        """Versioned, UTF-8, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


@dataclass(frozen=True)
class Broken:
    """The smallest request found that breaks a property."""

    change: str
    """What is different from the valid row."""
    seen: str
    status: int
    curl: str
    """Sends it again; credentials stand in it as variables."""


@dataclass(frozen=True)
class EdgeSearch:
    """A search for a request that breaks a property."""

    target: str
    name: str
    holds: str
    """The property in words."""
    seed: int
    tried: int
    """Different requests sent."""
    breaking: int
    """How many of them broke it."""
    broken: Broken | None
    why: str = ""
    """Why the search ended early; empty where it did not."""
    schema: int = SCHEMA

    @property
    def exit_code(self) -> int:
        """0 nothing found, 1 broken, 2 nothing found in a search that ended early."""
        return 1 if self.broken else 2 if self.why else 0

    def to_json(self) -> bytes:
        """Versioned, UTF-8, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)

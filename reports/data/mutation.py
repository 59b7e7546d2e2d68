"""What mutants of the rules came to: how well recorded drills pin the rules. Frozen; JSON in and out."""

from collections import Counter
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from driftdrill.reports.data.verdict import UnknownSchema

SCHEMA = 1
Fate = Literal["KILLED", "SURVIVED", "NOT_COVERED", "INVALID"]


@dataclass(frozen=True)
class MutantResult:
    """One mutant and what became of it."""

    rule: str
    where: str
    """rules.yml:17."""
    operator: str
    was: str
    now: str
    """"" where it was dropped."""
    fate: Fate
    id: str = ""
    """Of the fault catalogue, where the mistake is in it."""
    recording: str = ""
    """The one that killed it, or that shows a difference which no expectation minds."""
    seen: str = ""
    """The expectation that fails and what it sees; the difference; why it is INVALID or NOT_COVERED."""
    remedy: str = ""
    """The drill that would kill a survivor, where one is known."""
    blind: bool = False
    """Whether it takes the rule away altogether."""


@dataclass(frozen=True)
class Mutation:
    """All mutants of some rules under some recordings."""

    mutants: tuple[MutantResult, ...]
    rules: tuple[str, ...]
    recordings: tuple[str, ...]
    engine: str
    left_out: dict[str, str] = field(default_factory=dict)
    """Rule -> why it has no mutants."""
    schema: int = SCHEMA

    @property
    def counts(self) -> dict[Fate, int]:
        """Mutants of each fate."""
        counted = Counter(m.fate for m in self.mutants)
        return {fate: counted[fate] for fate in ("KILLED", "SURVIVED", "NOT_COVERED", "INVALID")}

    @property
    def share(self) -> float:
        """KILLED of all but the INVALID ones; 0 where there are none."""
        count = self.counts
        valid = len(self.mutants) - count["INVALID"]
        return count["KILLED"] / valid if valid else 0.0

    def to_json(self) -> bytes:
        """The versioned JSON form, UTF-8, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


def from_json(text: bytes) -> Mutation:
    """Read a report. Raises :class:`UnknownSchema` for another version and for what is none."""
    try:
        found = msgspec.json.decode(text, type=Mutation)
    except msgspec.DecodeError as e:
        raise UnknownSchema(f"not a report on mutants: {e}") from e
    if found.schema != SCHEMA:
        raise UnknownSchema(f"mutation schema {found.schema!r}; this version reads schema {SCHEMA}")
    return found

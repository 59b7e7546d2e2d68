"""What a page of a fault says beyond what the catalogue knows of it."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Entry:
    """One id. All texts are Markdown, without a final newline."""

    id: str
    life: str
    """How it comes about where nobody drills."""
    how: str
    """The example: the ``how`` of a Fault as Python; empty where it is a way to use what there is."""
    seen: str
    """Who sees it, and who does not."""
    rule: str = ""
    """An expression that catches it, as PromQL; empty where none can."""
    note: str = ""
    """What else a user should know: traps of the fault itself, how it is undone, what it needs."""
    clock: Literal["virtual", "wall", ""] = "virtual"
    """How measure.py drives the example against the demo model; empty: not at all, and ``note`` says why."""
    replica: int | None = None
    """Of two, where the example names one."""
    example: str = ""
    """A code block in place of the one made of ``how``, such as a command; with its fence."""

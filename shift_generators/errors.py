"""Every error that a generator raises on purpose, drawn as a tree.

ShiftError                a request that cannot be met; cause, hint
├── UnknownColumn         the batch has no such column
├── WrongKind             the column holds values that this generator cannot change
├── BadValue              a number, or a batch, that means nothing here
├── Unreachable           no setting of the generator has the size asked for; attainable, alternative
└── TooFewEffective       a resampling that would lean on too few rows; effective
"""

from collections.abc import Iterable
from difflib import get_close_matches
from typing import Any


class ShiftError(ValueError):
    """A request that cannot be met, told in one line of cause and one of remedy (``hint``, a note in tracebacks)."""

    def __init__(self, cause: str, *, hint: str | None = None) -> None:
        super().__init__(cause)
        self.cause, self.hint = cause, hint
        if hint:
            self.add_note(hint)


class UnknownColumn(ShiftError):
    """The batch has no column of that name."""

    def __init__(self, name: str, known: Iterable[str], *, asked_by: str) -> None:
        super().__init__(f"{asked_by}: no column {name!r} in the batch", hint=nearest(name, known))
        self.name = name


class WrongKind(ShiftError):
    """The column holds values that this generator cannot change."""


class BadValue(ShiftError):
    """A number, or a batch, that means nothing here."""


class Unreachable(ShiftError):
    """No setting of the generator has the size asked for.

    ``attainable`` is the (smallest, largest) size next to the one asked for; ``alternative`` is a solved
    generator that does reach it, or None if none was found.
    """

    def __init__(
        self, cause: str, *, attainable: tuple[float, float], alternative: Any = None, hint: str | None = None
    ) -> None:
        super().__init__(cause, hint=hint)
        self.attainable, self.alternative = attainable, alternative


class TooFewEffective(ShiftError):
    """A resampling that would lean on too few rows; ``effective`` is the effective sample size in rows."""

    def __init__(self, cause: str, *, effective: float, hint: str) -> None:
        super().__init__(cause, hint=hint)
        self.effective = effective


def nearest(name: str, known: Iterable[str]) -> str | None:
    """A hint that names what ``name`` may have meant, or lists what there is; None if there is nothing."""
    names = sorted(set(known))
    if close := get_close_matches(name, names, n=3, cutoff=0.5):
        return f"did you mean {' or '.join(close)}?"
    if not names:
        return None
    more = f" and {len(names) - 12} more" if len(names) > 12 else ""
    return f"known: {', '.join(names[:12])}{more}"

"""Fault: what is broken, how strongly, for whom, and where it can be seen."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from harness.curve import Curve, constant
from harness.errors import ScenarioError

Batch = dict[str, npt.NDArray[Any]]
"""Column name -> 1-d array, all of one length; the truth column is never sent."""

RowsFault = Callable[[Batch, npt.NDArray[np.float64], np.random.Generator], Batch]
"""``how(batch, strength, rng) -> batch``; strength is float64 (n,) in [0, 1], 1 = the stated size."""

RequestsFault = Callable[[Any, np.random.Generator], Any]
"""``how(request, rng) -> request`` on encoded requests; its attribute ``seam`` is "payload"."""

Seam = Literal["rows", "payload", "held"]
"""Where drive puts a fault in: into rows before they are encoded, into encoded requests, or held around the drill.

A ``how`` that is no function on rows says its seam as its attribute ``seam``, unless it can be held.
"""

Vantage = Literal["client", "proxy", "server", "scrape", "nowhere"]
"""Where the fault can be seen at the earliest; "nowhere" is nowhere without labels."""

VANTAGES: tuple[str, ...] = ("client", "proxy", "server", "scrape", "nowhere")


class InForce(Protocol):
    """A held fault while it is held."""

    def set(self, strength: float) -> None:
        """Change the strength; raises if the fault cannot be put in force."""

    def verify(self) -> str | None:
        """None if the fault is in force as set, else what was expected and what was seen."""


@runtime_checkable
class HeldFault(Protocol):
    """A fault of the network or the service: held for the fault phase and undone on every exit path."""

    def hold(self, target: Any) -> AbstractContextManager[InForce]:
        """Enter with strength 0; leaving reverts, whatever happened."""
        ...


@dataclass(frozen=True)
class Fault:
    """One thing that is broken in a drill.

    ``how`` is a pure function on rows (see :data:`RowsFault`) or on encoded requests (see :data:`RequestsFault`), or a
    :class:`HeldFault`. ``strength`` is a :class:`Curve` over seconds from the start of the fault phase. ``where``
    limits a fault of rows to the rows for which ``where(batch)`` is true, bool (n,), and one of the payload to requests
    with such a row. ``id`` is the catalogue's, if it has one.

    Raises :class:`ScenarioError` for a field that no drill could carry out.
    """

    name: str
    how: RowsFault | RequestsFault | HeldFault
    strength: Curve = field(default_factory=constant, kw_only=True)
    where: Callable[[Batch], npt.NDArray[np.bool_]] | None = field(default=None, kw_only=True)
    visible_from: Vantage = field(default="server", kw_only=True)
    id: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ScenarioError(f"Fault: name must be a non-empty text, not {self.name!r}")
        if not isinstance(self.how, HeldFault) and not callable(self.how):
            raise ScenarioError(f"Fault {self.name!r}: how must be a generator or a held fault, not {self.how!r}")
        if not isinstance(self.strength, Curve):
            raise ScenarioError(
                f"Fault {self.name!r}: strength must be a Curve, not {self.strength!r}",
                hint="wrap a number: strength=constant(0.5)",
            )
        if self.visible_from not in VANTAGES:
            raise ScenarioError(
                f"Fault {self.name!r}: visible_from must be one of {', '.join(VANTAGES)}, not {self.visible_from!r}"
            )

    @property
    def seam(self) -> Seam:
        """Where drive puts it in."""
        found: Seam = "held" if isinstance(self.how, HeldFault) else getattr(self.how, "seam", "rows")
        return found

    @property
    def held(self) -> bool:
        """Whether drive must hold this fault around the drill."""
        return self.seam == "held"

    def describe(self) -> Mapping[str, Any]:
        """What a recording says of this fault: plain JSON values, no rows, no credentials."""
        how_id = self.id or getattr(self.how, "id", None)
        return {
            "name": self.name,
            "id": how_id,
            "how": repr(self.how),
            "strength": self.strength.name,
            "visible_from": self.visible_from,
            "seam": self.seam,
            "held": self.held,
            "where": None if self.where is None else getattr(self.where, "__name__", repr(self.where)),
        }

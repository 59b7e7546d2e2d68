"""Fault: what is broken, how strongly, for whom, and where it can be seen."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import Curve, constant
from driftdrill.harness.seams import seam_of
from driftdrill.harness.seams.seam import Seam

Batch = dict[str, npt.NDArray[Any]]
"""Column name -> 1-d array, all of one length; the truth column is never sent."""

Vantage = Literal["client", "proxy", "server", "scrape", "nowhere"]
"""Where the fault can be seen at the earliest; "nowhere" is nowhere without labels."""

VANTAGES: tuple[str, ...] = ("client", "proxy", "server", "scrape", "nowhere")


@dataclass(frozen=True)
class Fault:
    """One thing that is broken in a drill.

    ``how`` says where it goes in: a pure function on rows, ``how(batch, strength, rng) -> batch``; a value of a kind of
    :mod:`driftdrill.faults`; or anything with ``hold(target)``. ``strength`` is a :class:`Curve` over seconds from the
    start of the fault phase. ``where`` limits a fault of rows to the rows for which ``where(batch)`` is true, bool
    (n,), and one of the payload to requests with such a row; ``replica`` limits any fault to one address of the
    target, from 0 on. ``visible_from`` and ``id`` (the catalogue's) are what ``how`` says unless they are given here.

    Raises :class:`ScenarioError` for a field that no drill could carry out.
    """

    name: str
    how: Any
    strength: Curve = field(default_factory=constant, kw_only=True)
    where: Callable[[Batch], npt.NDArray[np.bool_]] | None = field(default=None, kw_only=True)
    replica: int | None = field(default=None, kw_only=True)
    visible_from: Vantage | None = field(default=None, kw_only=True)
    id: str | None = field(default=None, kw_only=True)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not self.name.strip():
            raise ScenarioError(f"Fault: name must be a non-empty text, not {self.name!r}")
        seam = seam_of(self.how)
        if seam is None:
            raise ScenarioError(
                f"Fault {self.name!r}: {self.how!r} acts at {self.how.seam!r}, which drive does not know"
            )
        if seam.name == "rows" and not callable(self.how):
            raise ScenarioError(f"Fault {self.name!r}: how must be a generator or a held fault, not {self.how!r}")
        if not isinstance(self.strength, Curve):
            raise ScenarioError(
                f"Fault {self.name!r}: strength must be a Curve, not {self.strength!r}",
                hint="wrap a number: strength=constant(0.5)",
            )
        if self.where is not None and not seam.per_request:
            raise ScenarioError(f"Fault {self.name!r}: where chooses rows, and this fault acts at {seam.name!r}")
        number = isinstance(self.replica, int) and not isinstance(self.replica, bool)
        if self.replica is not None and (not number or self.replica < 0 or not seam.by_replica):
            raise ScenarioError(
                f"Fault {self.name!r}: replica must be an address of the target, 0 or more, not {self.replica!r}"
            )
        if self.visible_from not in (None, *VANTAGES):
            raise ScenarioError(
                f"Fault {self.name!r}: visible_from must be one of {', '.join(VANTAGES)}, not {self.visible_from!r}"
            )

    @property
    def seam(self) -> Seam:
        """Where it goes in."""
        found = seam_of(self.how)
        assert found is not None
        return found

    def describe(self) -> Mapping[str, Any]:
        """What a recording says of this fault: plain JSON values, no rows, no credentials."""
        return {
            "name": self.name,
            "id": self.id or getattr(self.how, "id", None),
            "how": repr(self.how),
            "strength": self.strength.name,
            "visible_from": self.visible_from or getattr(self.how, "visible_from", "server"),
            "seam": self.seam.name,
            "held": not self.seam.per_request,
            "on_pages": sorted(getattr(self.how, "on_pages", self.seam.on_pages)),
            "replica": self.replica,
            "where": None if self.where is None else getattr(self.where, "__name__", repr(self.where)),
        }

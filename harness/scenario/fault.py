"""Fault: what is broken, how strongly, for whom, and where it can be seen."""

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol, get_args, runtime_checkable

import numpy as np
import numpy.typing as npt

from driftdrill.harness.errors import RigError, ScenarioError, nearest
from driftdrill.harness.scenario.curve import Curve, constant

Batch = dict[str, npt.NDArray[Any]]
"""Column name -> 1-d array, all of one length; the truth column is never sent."""

RowsFault = Callable[[Batch, npt.NDArray[np.float64], np.random.Generator], Batch]
"""``how(batch, strength, rng) -> batch``; strength is float64 (n,) in [0, 1], 1 = the stated size."""

RequestsFault = Callable[[Any, np.random.Generator], Any]
"""``how(request, rng) -> request`` on encoded requests; its attribute ``seam`` is "payload"."""

Seam = Literal["rows", "payload", "load", "page", "scrape", "held"]
"""Where drive puts a fault in: into rows before they are encoded, encoded requests, the schedule, metrics pages, the
scrape configuration; or held around the drill, for networks, processes and services.

A ``how`` that is no function on rows says its seam as its attribute ``seam``, unless it can be held.
"""

PER_REQUEST: tuple[Seam, ...] = ("rows", "payload")
"""Seams whose strength is each request's own; that of the others is told by events of the recording."""

Vantage = Literal["client", "proxy", "server", "scrape", "nowhere"]
"""Where the fault can be seen at the earliest; "nowhere" is nowhere without labels."""

VANTAGES: tuple[str, ...] = ("client", "proxy", "server", "scrape", "nowhere")


class InForce(Protocol):
    """A fault while it is held.

    It may have ``touched() -> int | None``: how many connections, requests, rows or pages it changed so far. Where its
    attribute ``unchecked`` is true, ``verify`` cannot tell by itself, and drive looks whether golden answers change.
    """

    def set(self, strength: float) -> None:
        """Change the strength; raises if the fault cannot be put in force."""

    def verify(self) -> str | None:
        """None if the fault is in force as set, else what was expected and what was seen; keeps a TTL alive."""


@runtime_checkable
class HeldFault(Protocol):
    """A fault of the network or the service: held for the fault phase and undone on every exit path.

    ``hold`` gets a :class:`~driftdrill.harness.target.Target`. Where the class attribute ``each`` is true it is
    held once for each address of the target, which is then all that the target has.
    """

    def hold(self, target: Any) -> AbstractContextManager[InForce]:
        """Enter with strength 0; leaving reverts, whatever happened."""
        ...


@dataclass(frozen=True)
class Control:
    """A control hook that the target offers, by its name; see :func:`control`."""

    name: str

    def hold(self, target: Any) -> AbstractContextManager[InForce]:
        """Hold the target's hook of that name. Raises :class:`RigError` where it has none."""
        held: AbstractContextManager[InForce] = self.hook(target).hold(target)
        return held

    def hook(self, target: Any) -> Any:
        """The target's hook of that name. Raises :class:`RigError` where it has none."""
        hook = target.hooks.get(self.name)
        if hook is None:
            raise RigError(
                f"target {target.name!r} offers no control hook {self.name!r}",
                hint=nearest(self.name, target.hooks)
                or f"[targets.{target.name}.hooks.{self.name}] in driftdrill.toml",
            )
        return hook

    def __repr__(self) -> str:
        return f"control({self.name!r})"


def control(name: str) -> Control:
    """A fault that the target's own control hook of that name puts in force (driftdrill.toml, ``hooks``)."""
    if not isinstance(name, str) or not name.strip():
        raise ScenarioError(f"control: name must be a non-empty text, not {name!r}")
    return Control(name)


@dataclass(frozen=True)
class Fault:
    """One thing that is broken in a drill.

    ``how`` is a pure function on rows (see :data:`RowsFault`), a value that says another seam (see
    :data:`RequestsFault`), or a :class:`HeldFault`. ``strength`` is a :class:`Curve` over seconds from the start of the
    fault phase. ``where`` limits a fault of rows to the rows for which ``where(batch)`` is true, bool (n,), and one of
    the payload to requests with such a row; ``replica`` limits any fault to one of the target's addresses, counted from
    0. ``visible_from`` and ``id`` (the catalogue's) are what ``how`` says unless they are given.

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
        if self.seam == "rows" and not callable(self.how):
            raise ScenarioError(f"Fault {self.name!r}: how must be a generator or a held fault, not {self.how!r}")
        if not isinstance(self.strength, Curve):
            raise ScenarioError(
                f"Fault {self.name!r}: strength must be a Curve, not {self.strength!r}",
                hint="wrap a number: strength=constant(0.5)",
            )
        if self.seam not in get_args(Seam):
            raise ScenarioError(f"Fault {self.name!r}: {self.how!r} acts at {self.seam!r}, which drive does not know")
        if self.where is not None and not self.per_request:
            raise ScenarioError(f"Fault {self.name!r}: where chooses rows, and this fault acts at {self.seam!r}")
        number = isinstance(self.replica, int) and not isinstance(self.replica, bool)
        if self.replica is not None and (not number or self.replica < 0 or self.seam == "load"):
            raise ScenarioError(
                f"Fault {self.name!r}: replica must be an address of the target, 0 or more, not {self.replica!r}"
            )
        if self.visible_from not in (None, *VANTAGES):
            raise ScenarioError(
                f"Fault {self.name!r}: visible_from must be one of {', '.join(VANTAGES)}, not {self.visible_from!r}"
            )

    @property
    def seam(self) -> Seam:
        """Where drive puts it in."""
        found: Seam = "held" if isinstance(self.how, HeldFault) else getattr(self.how, "seam", "rows")
        return found

    @property
    def per_request(self) -> bool:
        """Whether its strength is each request's own, rather than one that drive sets as time goes by."""
        return self.seam in PER_REQUEST

    def describe(self) -> Mapping[str, Any]:
        """What a recording says of this fault: plain JSON values, no rows, no credentials."""
        how_id = self.id or getattr(self.how, "id", None)
        return {
            "name": self.name,
            "id": how_id,
            "how": repr(self.how),
            "strength": self.strength.name,
            "visible_from": self.visible_from or getattr(self.how, "visible_from", "server"),
            "seam": self.seam,
            "held": not self.per_request,
            "replica": self.replica,
            "where": None if self.where is None else getattr(self.where, "__name__", repr(self.where)),
        }

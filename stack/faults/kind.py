"""What every fault of this layer says of itself, and how a parameter out of range is refused."""

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec

from driftdrill.stack.errors import StackError

DOWN, EMPTIED, STILL, REPLACED = "down", "emptied", "still", "replaced"
"""What can happen to a metrics page: no scrape succeeds (or fewer do), series are missing or others are there, counters
stand still while they should count, counters fall or the process that shows them is another one."""
ANYTHING = frozenset({DOWN, EMPTIED, STILL, REPLACED})


@dataclass(frozen=True)
class Kind:
    """One kind of fault. ``name`` is what an author writes, imported from ``home``; empty where it is no code."""

    id: str
    """The catalogue's."""
    name: str
    home: str
    acts: str
    """Where it is put in."""
    visible_from: str
    """The earliest place where it is seen."""
    parameters: tuple[str, ...]
    description: str


def kind(fault: type[Any], acts: str, home: str) -> Kind:
    """The kind that a fault class describes: its docstring is the description, its fields are the parameters."""
    id_ = fault.id if isinstance(fault.id, str) else str(fault.__struct_config__.tag)
    fields = tuple(f for f in fault.__struct_fields__ if f not in _INNER)
    text = " ".join((fault.__doc__ or "").split("\n\n")[0].split()).replace("``", "`")
    return Kind(id_, fault.__name__, home, acts, fault.visible_from, fields, text)


_INNER = ("values",)
"""Fields that a fault fills in by itself."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A hint that names the nearest of the ``known`` names, or all of them."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    return f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names)}"


def within(fault: msgspec.Struct, field: str, low: float, high: float = math.inf, *, unit: str = "") -> None:
    """Refuse a number outside [low, high]. Raises :class:`StackError` that names fault, field and range."""
    value = getattr(fault, field)
    if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
        bounds = f"at least {low:g}" if high == math.inf else f"in [{low:g}, {high:g}]"
        raise StackError(f"{type(fault).__name__}: {field} must be {bounds}{unit and ' ' + unit}, not {value!r}")


def one_of(fault: msgspec.Struct, field: str, allowed: Sequence[str]) -> None:
    """Refuse a word that is not among ``allowed``. Raises :class:`StackError` with the nearest."""
    value = getattr(fault, field)
    if value not in allowed:
        raise StackError(
            f"{type(fault).__name__}: {field} must be one of {', '.join(allowed)}, not {value!r}",
            hint=nearest(str(value), allowed),
        )


def parse(kinds: Sequence[type[Any]], name: str, parameters: dict[str, Any]) -> Any:
    """The fault of the given name and parameters, as a command line or a file writes them.

    Raises :class:`StackError` for an unknown name or parameter (with the nearest), a missing one, a wrong type.
    """
    by_name = {str(k.__struct_config__.tag): k for k in kinds} | {k.__name__: k for k in kinds}
    if name not in by_name:
        raise StackError(f"unknown fault {name!r}", hint=nearest(name, (str(k.__struct_config__.tag) for k in kinds)))
    fault = by_name[name]
    for given in parameters:
        if given not in fault.__struct_fields__:
            raise StackError(f"{name} has no parameter {given!r}", hint=nearest(given, fault.__struct_fields__))
    try:
        return msgspec.convert({**parameters, "type": fault.__struct_config__.tag}, type=fault)
    except msgspec.ValidationError as e:
        raise StackError(f"{name}: {e}") from e


def unit_interval(strength: float) -> float:
    """A strength, checked. Raises :class:`StackError` where it is no number in [0, 1]."""
    if isinstance(strength, bool) or not isinstance(strength, int | float) or not 0 <= strength <= 1:
        raise StackError(f"strength must be a number in [0, 1], not {strength!r}")
    return float(strength)

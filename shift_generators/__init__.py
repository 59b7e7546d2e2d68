"""Every kind of shift, to an exact size, at numpy speed.

A generator is a pure function ``(batch, strength, rng) -> batch``; see :class:`Generator`. Needs numpy and scipy only.
"""

from shift_generators.errors import BadValue, ShiftError, TooFewEffective, UnknownColumn, Unreachable, WrongType
from shift_generators.generator import Batch, Generator
from shift_generators.joint import wrong_join
from shift_generators.maps import affine, mean_shift, rescale, scale

__all__ = [
    "BadValue",
    "Batch",
    "Generator",
    "ShiftError",
    "TooFewEffective",
    "UnknownColumn",
    "Unreachable",
    "WrongType",
    "affine",
    "mean_shift",
    "rescale",
    "scale",
    "wrong_join",
]

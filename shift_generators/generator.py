"""Generator: one kind of shift, as a pure function on a batch of rows."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Any, Literal, ParamSpec

import numpy as np
import numpy.typing as npt

from driftdrill.shift_generators.errors import BadValue, UnknownColumn, WrongKind

Column = npt.NDArray[Any]
"""Shape (n,): float, int or bool, datetime64, or text (unicode or object; None is missing)."""

Batch = dict[str, Column]
"""Column name -> 1-d array, all of one length n; the truth is one of the columns."""

Floats = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
Rng = np.random.Generator
Scales = Literal["size", "share"]
Kind = Literal["number", "text", "time", "any"]

P = ParamSpec("P")

Kernel = Callable[[Batch, Floats, Rng, Any], Batch]
"""``kernel(batch, strength, rng, state) -> the columns that changed``; ``state`` is what ``prepare`` made."""

_KINDS: dict[Kind, tuple[str, str]] = {
    "number": ("iuf", "numbers"),
    "text": ("UO", "text"),
    "time": ("MiufUO", "timestamps"),
    "any": ("biufMmUSOc", "values"),
}


def _nothing(reference: Batch) -> None:
    return None


@dataclass(frozen=True, eq=False, repr=False)
class Generator:
    """One kind of shift: ``generator(batch, strength, rng) -> batch``, with no state between batches.

    ``strength`` is float64 (n,) in [0, 1]; 1 is the stated size, and a row with strength 0 keeps its bytes.
    ``scales`` says what strength scales: the "size" of the change in every row, or the "share" of rows that are
    hit at full size (the drift literature's incremental and gradual drift). The input is never changed; columns
    that are not touched are shared with it.

    ``columns`` are changed (empty: whole rows are), ``reads`` are only looked at; ``truth`` names the truth column
    of a generator that moves or weighs it, in which no value may be missing. ``id`` is the catalogue's. Build one with
    the functions of this package.

    Some generators need a reference (quantiles, a spread, rows to draw from). :meth:`solve` fixes it; until then
    each batch is its own reference.
    """

    call: str
    columns: tuple[str, ...]
    scales: Scales
    kernel: Kernel
    kind: Kind = "any"
    reads: tuple[str, ...] = ()
    truth: str | None = None
    prepare: Callable[[Batch], Any] = _nothing
    # What sizing.py needs: see times(), and the laws there.
    mixture: bool = True
    limit: float = 1.0
    resize: Callable[[float], "Generator"] | None = None
    monotone: Callable[[Column, float, Any], Column] | None = None
    weigh: Callable[[Batch], Floats] | None = None
    distort: Callable[[Floats], Floats] | None = None
    settle: Callable[[Batch, Rng], "Generator"] | None = None
    gain: float = 1.0
    state: Any = None
    solved: bool = False
    id: str = ""

    def __call__(self, batch: Batch, strength: npt.ArrayLike, rng: Rng) -> Batch:
        """The batch with the shift in it; raises :class:`ShiftError` for a batch or a strength that it cannot take."""
        n = self.check(batch, values=not self.solved)
        s = check_strength(strength, n, self.call)
        if not (s[0] if is_level(s) else s.any()):
            return dict(batch)
        if not self.solved and self.settle is not None:
            return self.solve(batch)(batch, s, rng)
        state = self.state if self.solved else self.prepare(batch)
        return {**batch, **self.kernel(batch, share(s, self.gain), rng, state)}

    def solve(self, reference: Batch, rng: Rng | None = None) -> "Generator":
        """This generator with all that depends on a reference fixed; raises :class:`ShiftError` if it cannot be.

        A solved generator trusts its batches to be like the reference: a block in which a column happens to be
        missing throughout is no error to it. ``rng`` (seed 0 unless given) serves sizes that must be simulated.
        """
        if self.solved:
            return self
        self.check(reference, values=True)
        if self.settle is not None:
            return self.settle(reference, rng or np.random.default_rng(0))
        return replace(self, state=self.prepare(reference), solved=True)

    def times(self, factor: float) -> "Generator":
        """The same shift, ``factor`` times as large: its knob where it has one (``resize``), else its strength.

        ``factor`` is in (0, ``limit``]: beyond that the map would not be monotone, or the share above 1.
        """
        return self.resize(factor) if self.resize else replace(self, gain=self.gain * factor)

    def check(self, batch: Batch, *, values: bool) -> int:
        """The number of rows; raises if the batch lacks a column, is empty, or (``values``) a column has none."""
        needed = (*self.columns, *self.reads, *((self.truth,) if self.truth else ()))
        for name in needed:
            if name not in batch:
                raise UnknownColumn(name, batch, asked_by=self.call)
        lengths = {len(column) for column in batch.values()}
        if not lengths or lengths == {0}:
            raise BadValue(f"{self.call}: the batch is empty", hint="give it at least one row")
        if len(lengths) > 1:
            sizes = ", ".join(f"{name}: {len(column)}" for name, column in batch.items())
            raise BadValue(f"{self.call}: the columns differ in length ({sizes})")
        for name in self.columns:
            check_kind(batch[name], name, self.kind, self.call)
        if self.truth and missing(batch[self.truth]).any():
            row = int(np.flatnonzero(missing(batch[self.truth]))[0])
            raise BadValue(
                f"{self.call}: the truth column {self.truth!r} has no value in row {row} ({batch[self.truth][row]})",
                hint="leave out rows whose truth is not known",
            )
        if values:
            for name in needed:
                if missing(batch[name]).all():
                    raise BadValue(f"{self.call}: every value of column {name!r} is missing", hint="choose another")
        return lengths.pop()

    def __repr__(self) -> str:
        return self.call if self.gain == 1.0 else f"{self.call} at {self.gain:.6g} times its size"


def check_kind(column: Column, name: str, kind: Kind, asked_by: str) -> None:
    """Raises :class:`WrongKind` if the column cannot hold values of that kind."""
    codes, what = _KINDS[kind]
    if column.ndim != 1:
        raise WrongKind(f"{asked_by}: column {name!r} must be one-dimensional, not {column.shape}")
    if column.dtype.kind not in codes:
        first = column[:1].tolist()
        raise WrongKind(f"{asked_by}: column {name!r} must hold {what}, but its dtype is {column.dtype}, as in {first}")


def check_strength(strength: npt.ArrayLike, n: int, asked_by: str) -> Floats:
    """The strength as float64 (n,); a number stands for all rows. Raises :class:`BadValue` outside [0, 1].

    Where all rows share one strength, the answer repeats one number in memory (:func:`is_level`): later passes over
    it cost nothing.
    """
    s = np.asarray(strength, dtype=np.float64)
    if s.ndim == 0:
        s = np.broadcast_to(s, (n,))
    if s.shape != (n,):
        raise BadValue(f"{asked_by}: strength has shape {s.shape}, but the batch has {n} rows")
    if not is_level(s) and s[0] == s[-1] and bool((s == s[0]).all()):
        s = np.broadcast_to(s[0], (n,))
    least, most = (s[0], s[0]) if is_level(s) else (s.min(), s.max())
    if not (least >= 0.0 and most <= 1.0):  # written so that NaN fails
        wrong = int(np.flatnonzero(~((s >= 0.0) & (s <= 1.0)))[0])
        raise BadValue(f"{asked_by}: strength must be in [0, 1], but strength[{wrong}] is {s[wrong]}")
    return s


def is_level(strength: Floats) -> bool:
    """Whether the array is one number, repeated by a stride of 0."""
    return strength.strides == (0,)


def share(strength: Floats, rate: float) -> Floats:
    """strength * rate, one number staying one number."""
    if rate == 1.0:
        return strength
    return np.broadcast_to(strength[0] * rate, strength.shape) if is_level(strength) else strength * rate


def missing(column: Column) -> Mask:
    """Where a value is missing: NaN, NaT, or None; bool (n,)."""
    if column.dtype.kind in "fc":
        return np.isnan(column)
    if column.dtype.kind in "Mm":
        return np.isnat(column)
    if column.dtype.kind == "O":
        # Only None and NaN differ from themselves or are None; strings are the common case.
        return np.fromiter((v is None or v != v for v in column), dtype=np.bool_, count=len(column))  # noqa: PLR0124
    return np.zeros(len(column), dtype=np.bool_)


def hits(p: Floats, rng: Rng) -> Mask:
    """Rows that are hit, bool (n,): row i with probability p[i], and sum(p) of them, rounded up or down at random.

    Inclusion probabilities are exact, and the count of a batch does not scatter as independent draws would.
    """
    if is_level(p) or (p[0] == p[-1] and bool((p == p[0]).all())):
        return _simple_sample(len(p), min(float(p[0]), 1.0), rng)
    # Systematic sampling in random order (Madow 1949).
    order = rng.permutation(len(p))
    steps = np.floor(np.cumsum(np.minimum(p[order], 1.0)) + rng.random())
    out = np.zeros(len(p), dtype=np.bool_)
    out[order] = np.diff(steps, prepend=0.0) > 0
    return out


def _simple_sample(n: int, p: float, rng: Rng) -> Mask:
    """n * p of n rows, every set of that many as likely as any other.

    Independent draws of a byte a row, of which the few too many are taken back at random, or the few that lack are
    added: a tenth of the time of a permutation.
    """
    count = int(np.floor(n * p + rng.random()))
    if count in (0, n):
        return np.full(n, count > 0)
    out = np.frombuffer(rng.bytes(n), dtype=np.uint8) < np.uint8(p * 256)
    while excess := int(np.count_nonzero(out)) - count:
        tried = rng.integers(0, n, 2 * abs(excess))
        fitting = tried[out[tried] == (excess > 0)]
        out[fitting[: abs(excess)]] = excess < 0
    return out


def written(function: str, *args: object, **options: object) -> str:
    """A call as an author would write it; options that are None are left out."""
    told = [_told(a) for a in args] + [f"{k}={_told(v)}" for k, v in options.items() if v is not None]
    return f"{function}({', '.join(told)})"


def _told(value: object) -> str:
    return getattr(value, "__name__", repr(value)) if callable(value) else repr(value)


def shift(id: str, *, visible_from: str = "server") -> Callable[[Callable[P, Generator]], Callable[P, Generator]]:
    """Make a function one of the catalogue's kinds: what it makes has that ``id``, and so has the function itself.

    ``visible_from`` is the earliest place where such a shift is seen; "nowhere" is nowhere without labels.
    """

    def named(make: Callable[P, Generator]) -> Callable[P, Generator]:
        @wraps(make)
        def made(*args: P.args, **kwargs: P.kwargs) -> Generator:
            return replace(make(*args, **kwargs), id=id)

        vars(made).update(id=id, visible_from=visible_from)
        return made

    return named

"""Categories that are new, misspelt, in another case, merged, or gone. Strength is the share of the rows concerned."""

from collections.abc import Callable, Mapping

import numpy as np

from driftdrill.shift_generators.errors import BadValue, TooFewEffective
from driftdrill.shift_generators.generator import Batch, Column, Floats, Generator, Rng, hits, missing, shift, written
from driftdrill.shift_generators.kinds.missing import check_rate

Levels = Callable[[Column, Rng], Column]
"""The new levels of the hit rows, from their old ones: text (k,) -> text (k,)."""


@shift("cat.novel")
def novel_category(column: str, *, level: str = "NEW", rate: float = 1.0) -> Generator:
    """``rate`` of the rows come with a level that the reference does not have; raises :class:`BadValue` if it has."""
    call = written("novel_category", column, level=level, rate=rate)
    check_rate(call, rate)

    def prepare(reference: Batch) -> None:
        if (reference[column] == level).any():
            raise BadValue(f"{call}: {level!r} is a level of column {column!r} already", hint="choose another level")

    return _hit_levels(call, column, lambda old, rng: np.full(len(old), level), prepare=prepare, rate=rate)


@shift("cat.typo")
def typo_category(column: str) -> Generator:
    """The hit rows' levels are misspelt: two neighbouring letters change places, or the only letter is doubled."""
    return _hit_levels(written("typo_category", column), column, _by_level(_misspell))


@shift("cat.case")
def case_category(column: str) -> Generator:
    """The hit rows' levels come in the other case: upper for lower and lower for upper."""
    return _hit_levels(written("case_category", column), column, _by_level(lambda text, rng: text.swapcase()))


@shift("cat.merge")
def merge_categories(column: str, into: Mapping[str, str]) -> Generator:
    """Levels are merged, as ``merge_categories("carrier", {"US": "AA", "HP": "AA"})``; strength is the share of the
    rows with such a level.
    """
    call = written("merge_categories", column, dict(into))
    if not into:
        raise BadValue(f"{call}: name at least one level and what it becomes")
    return _hit_levels(call, column, _by_level(lambda text, rng: into.get(text, text)), levels=tuple(into))


@shift("cat.knockout")
def knockout_category(column: str, *levels: str) -> Generator:
    """Levels go: their rows carry another level instead, drawn as the reference's other rows have them.

    To lose the rows themselves, use :func:`~driftdrill.shift_generators.selection`.
    """
    call = written("knockout_category", column, *levels)
    if not levels:
        raise BadValue(f"{call}: name at least one level")

    def prepare(reference: Batch) -> Column:
        values = reference[column]
        others = values[~np.isin(values.astype(str), levels) & ~missing(values)]
        if len(others) == 0:
            raise TooFewEffective(
                f"{call}: column {column!r} has no other level in the reference",
                effective=0.0,
                hint="leave at least one level",
            )
        return others

    def kernel(batch: Batch, strength: Floats, rng: Rng, others: Column) -> Batch:
        x = batch[column]
        rows = np.flatnonzero(hits(strength * np.isin(x.astype(str), levels), rng))
        out = x.astype(np.result_type(x, others))
        out[rows] = others[rng.integers(0, len(others), len(rows))]
        return {column: out}

    return Generator(call, (column,), "share", kernel, kind="text", prepare=prepare)


def _hit_levels(
    call: str,
    column: str,
    renamed: Levels,
    *,
    prepare: Callable[[Batch], None] = lambda reference: None,
    rate: float = 1.0,
    levels: tuple[str, ...] = (),
) -> Generator:
    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        x = batch[column]
        p = strength * (rate * ~missing(x))
        if levels:
            p *= np.isin(x.astype(str), levels)
        rows = np.flatnonzero(hits(p, rng))
        return {column: put_text(x, rows, renamed(x[rows].astype(str), rng))}

    return Generator(call, (column,), "share", kernel, kind="text", prepare=prepare, limit=1.0 / rate)


def put_text(column: Column, rows: Column, values: Column) -> Column:
    """A copy of a text column with ``values`` in ``rows``, as wide as it must be."""
    out = column.astype(np.result_type(column, values)) if column.dtype.kind == "U" else column.copy()
    out[rows] = values
    return out


def _by_level(change: Callable[[str, Rng], str]) -> Levels:
    """Changes each different level once, and looks the rest up: a column has few levels and many rows."""

    def renamed(old: Column, rng: Rng) -> Column:
        levels, codes = np.unique(old, return_inverse=True)
        return np.array([change(str(level), rng) for level in levels], dtype=str)[codes] if len(levels) else old

    return renamed


def _misspell(text: str, rng: Rng) -> str:
    places = [i for i in range(len(text) - 1) if text[i] != text[i + 1]]
    if not places:
        return text + (text[-1:] or "?")
    i = places[int(rng.integers(len(places)))]
    return text[:i] + text[i + 1] + text[i] + text[i + 2 :]

"""What an application of a generator came to: its size under every metric, and how many rows it leans on."""

from dataclasses import dataclass

import numpy as np

from driftdrill.shift_generators.errors import BadValue, UnknownColumn
from driftdrill.shift_generators.generator import Batch, Column, Generator, missing
from driftdrill.shift_generators.kinds.resample import effective
from driftdrill.shift_generators.size.distances import METRICS, distance


@dataclass(frozen=True)
class ColumnSize:
    """How far one column is from the reference, by every metric; ``ks`` and ``wasserstein`` are None for text.

    ``changed`` is the share of rows whose value is another than in the reference's row, None if rows were drawn anew.
    """

    column: str
    psi: float
    hellinger: float
    jensen_shannon: float
    auc: float
    ks: float | None
    wasserstein: float | None
    missing: float
    changed: float | None


@dataclass(frozen=True)
class Realised:
    """The sizes by column, Kish's effective sample size in rows, and the largest weight of a row (1 = unweighted)."""

    columns: tuple[ColumnSize, ...]
    effective: float
    largest_weight: float

    def __getitem__(self, column: str) -> ColumnSize:
        for size in self.columns:
            if size.column == column:
                return size
        raise UnknownColumn(column, [size.column for size in self.columns], asked_by="Realised")


def realised(
    generator: Generator,
    reference: Batch,
    batch: Batch,
    *,
    strength: float = 1.0,
    bins: int = 10,
    smoothing: float = 0.5,
) -> Realised:
    """What ``batch``, made by ``generator`` from (rows like) ``reference``, came to.

    Columns are those that the generator changes; of one that draws whole rows, all. ``strength`` is the mean strength
    that it was applied with: rows drawn by weight are that share. Raises :class:`ShiftError` for an unknown column.
    """
    if not 0 <= strength <= 1:
        raise BadValue(f"realised: strength must be in [0, 1], not {strength!r}")
    generator.check(reference, values=False)
    names = [name for name in (generator.columns or tuple(batch)) if not missing(reference[name]).all()]
    weights = np.ones(len(next(iter(reference.values()))))
    if generator.weigh is not None:
        share = min(strength * generator.gain, 1.0)
        drawn = generator.weigh(reference)
        weights = (1.0 - share) + share * drawn / drawn.mean()
    same_rows = bool(generator.columns)
    return Realised(
        tuple(_size(name, reference[name], batch[name], bins, smoothing, same_rows=same_rows) for name in names),
        effective(weights),
        float(weights.max()),
    )


def _size(name: str, old: Column, new: Column, bins: int, smoothing: float, *, same_rows: bool) -> ColumnSize:
    text = old.dtype.kind in "UO"
    gone = missing(new)
    sizes: dict[str, float | None] = {}
    for metric in METRICS:
        if metric in ("ks", "wasserstein") and (text or bool(gone.all())):
            sizes[metric] = None
        else:
            sizes[metric] = distance(metric, old, bins=bins, smoothing=smoothing)(new)
    changed = None
    if same_rows and len(old) == len(new):
        changed = float(np.mean((old != new) & ~(missing(old) & gone)))
    return ColumnSize(column=name, missing=float(gone.mean()), changed=changed, **sizes)  # type: ignore[arg-type]

"""Shifts of the joint law that leave every marginal as it is: wrong joins and broken correlations."""

import numpy as np

from shift_generators.errors import BadValue
from shift_generators.generator import Batch, Floats, Generator, Rng, hits, written


def wrong_join(*columns: str) -> Generator:
    """Give each hit row another row's values of ``columns``, all of one other row, as a join on a wrong key does.

    The hit rows pass their values round in one random ring, so that none keeps its own and every marginal stays
    exactly as it was. Strength is the share of rows; a ring of one row is the identity.
    """
    call = written("wrong_join", *columns)
    _some(call, columns)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        ring = rng.permutation(np.flatnonzero(hits(strength, rng)))
        if len(ring) < 2:
            return {}
        giver = np.roll(ring, 1)
        changed = {}
        for name in columns:
            out = batch[name].copy()
            out[ring] = batch[name][giver]
            changed[name] = out
        return changed

    return Generator("shift.wrong_join", call, columns, "share", kernel)


def _some(call: str, columns: tuple[str, ...]) -> None:
    if not columns or any(not isinstance(c, str) for c in columns) or len(set(columns)) != len(columns):
        raise BadValue(f"{call}: name one or more different columns")

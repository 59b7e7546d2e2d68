"""Shifts of the joint law: wrong joins and broken correlations leave every marginal as it is, a rotation does not."""

import math

import numpy as np

from driftdrill.shift_generators.errors import BadValue
from driftdrill.shift_generators.generator import Batch, Column, Floats, Generator, Rng, hits, shift, written
from driftdrill.shift_generators.kinds.maps import finite, keep_unhit, like


@shift("shift.wrong_join")
def wrong_join(*columns: str) -> Generator:
    """Give each hit row another row's values of ``columns``, all of one other row, as a join on a wrong key does.

    The hit rows pass their values round in one random ring, so that none keeps its own and every marginal stays
    exactly as it was. Strength is the share of rows; a ring of one row is the identity.
    """
    call = written("wrong_join", *columns)
    _some(call, columns)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        ring = rng.permutation(np.flatnonzero(hits(strength, rng)))
        return {name: _pass_round(batch[name], ring) for name in columns}

    return Generator(call, columns, "share", kernel)


@shift("shift.correlation_break")
def correlation_break(*columns: str) -> Generator:
    """Pass each column's values round among the hit rows on a ring of its own: marginals stay, their joint law goes.

    At strength 1 each column is independent of every other one. Strength is the share of rows.
    """
    call = written("correlation_break", *columns)
    _some(call, columns)

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: None) -> Batch:
        rows = np.flatnonzero(hits(strength, rng))
        return {name: _pass_round(batch[name], rng.permutation(rows)) for name in columns}

    return Generator(call, columns, "share", kernel)


@shift("shift.rotation")
def rotation(first: str, second: str, *, degrees: float = 30.0) -> Generator:
    """Turn two columns, measured in standard deviations from their means, by an angle: their correlation moves.

    Means and standard deviations are the reference's; strength scales the angle. A row with either value missing or
    infinite stays. Both marginals stay only if the two are normal, of equal spread, and uncorrelated.
    """
    call = written("rotation", first, second, degrees=degrees)
    finite(call, degrees=degrees)
    _some(call, (first, second))
    if degrees % 360 == 0:
        raise BadValue(f"{call}: degrees must not be a whole turn, or nothing moves")

    def prepare(reference: Batch) -> list[tuple[float, float]]:
        return [_centre_and_spread(reference[name], name, call) for name in (first, second)]

    def kernel(batch: Batch, strength: Floats, rng: Rng, state: list[tuple[float, float]]) -> Batch:
        (centre_a, spread_a), (centre_b, spread_b) = state
        a, b = (batch[first] - centre_a) / spread_a, (batch[second] - centre_b) / spread_b
        # Multiplying strength by 0 where a value is missing keeps that row's bytes.
        angle = math.radians(degrees) * strength
        turned = np.where(np.isfinite(a) & np.isfinite(b), strength, 0.0)
        with np.errstate(invalid="ignore"):
            new_a = centre_a + spread_a * (a * np.cos(angle) - b * np.sin(angle))
            new_b = centre_b + spread_b * (a * np.sin(angle) + b * np.cos(angle))
        return {
            name: keep_unhit(like(np.where(turned > 0, new, 0.0), batch[name]), batch[name], turned)
            for name, new in ((first, new_a), (second, new_b))
        }

    # Beyond a half turn the shift would come back.
    limit = max(1.0, 180.0 / abs(degrees))
    return Generator(call, (first, second), "size", kernel, kind="number", prepare=prepare, limit=limit)


def _pass_round(column: Column, ring: Column) -> Column:
    out = column.copy()
    out[ring] = column[np.roll(ring, 1)]
    return out


def _centre_and_spread(column: Column, name: str, call: str) -> tuple[float, float]:
    values = column[np.isfinite(column)].astype(np.float64)
    spread = float(values.std()) if len(values) else 0.0
    if spread == 0.0:
        raise BadValue(f"{call}: column {name!r} is constant, so it has no spread to turn by")
    return float(values.mean()), spread


def _some(call: str, columns: tuple[str, ...]) -> None:
    if not columns or any(not isinstance(c, str) for c in columns) or len(set(columns)) != len(columns):
        raise BadValue(f"{call}: name one or more different columns")

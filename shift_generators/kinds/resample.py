"""Shifts that draw whole rows by weight, truth included: tilting, subgroup and selection, prior shift.

Every weight is a function of one score, group or class, so the law within each of its values stays exactly.
"""

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from driftdrill.shift_generators.errors import BadValue, TooFewEffective, UnknownColumn
from driftdrill.shift_generators.generator import (
    Batch,
    Column,
    Floats,
    Generator,
    Mask,
    Rng,
    check_kind,
    hits,
    shift,
    written,
)
from driftdrill.shift_generators.kinds.maps import finite
from driftdrill.shift_generators.kinds.slices import Where, mask_of

Score = Callable[[Batch], Column]

SMALLEST_EFFECTIVE = 0.05
"""The smallest effective sample size, as a share of the reference's rows, that a resampling may lean on."""


@dataclass(frozen=True)
class Pool:
    """The rows to draw from, and the running sum of their weights, ending at 1."""

    rows: Batch
    cumulative: Floats


def effective(weights: Floats) -> float:
    """Kish's effective sample size in rows: (sum w)^2 / sum w^2."""
    return float(weights.sum() ** 2 / np.square(weights).sum()) if weights.any() else 0.0


def linear(coefficients: Mapping[str, float]) -> Score:
    """A score to tilt by: the sum of coefficient times column."""

    def score(batch: Batch) -> Column:
        for name in coefficients:
            if name not in batch:
                raise UnknownColumn(name, batch, asked_by=score.__name__)
            check_kind(batch[name], name, "number", score.__name__)
        return np.asarray(sum(c * batch[name] for name, c in coefficients.items()), dtype=np.float64)

    score.__name__ = written("linear", dict(coefficients))
    return score


@shift("shift.tilt")
def tilt(score: str | Score, *, theta: float = 1.0) -> Generator:
    """Draw rows with weight exp(theta * rank), the rank of ``score`` being in [0, 1]: p(x) moves, p(y given x) stays.

    ``score`` is a column of numbers, or a function of the batch that gives float (n,): :func:`linear`, a model's
    prediction, a group's flag. Ranks make one ``theta`` mean one size for every continuous column: the effective
    sample is a share (2 / theta) tanh(theta / 2) of the rows, and PSI .25 by deciles is theta 1.786. Tied rows share
    one weight; a row whose score is missing keeps weight 1. Strength is the share of rows that are drawn anew.
    """
    call = written("tilt", score, theta=theta)
    finite(call, theta=theta)
    if theta == 0:
        raise BadValue(f"{call}: theta must not be 0, or nothing is tilted")

    def weigh(reference: Batch) -> Floats:
        if isinstance(score, str):
            check_kind(reference[score], score, "number", call)
        values = reference[score] if isinstance(score, str) else np.asarray(score(reference))
        return rank_weights(values.astype(np.float64), theta)

    generator = _resampler(call, weigh, reads=(score,) if isinstance(score, str) else ())
    return replace(
        generator,
        resize=lambda factor: tilt(score, theta=theta * factor),
        # (2 / theta) tanh(theta / 2) is the smallest effective share there.
        limit=2.0 / SMALLEST_EFFECTIVE / abs(theta),
        distort=lambda rank: np.asarray(np.expm1(theta * rank) / math.expm1(theta)),
    )


def rank_weights(score: Floats, theta: float) -> Floats:
    """Weights with mean 1, float64 (n,): each row's share of the integral of exp(theta * rank) over [0, 1]."""
    order = np.argsort(score)
    n = len(score) - int(np.isnan(score).sum())  # NaN sorts last
    order, out = order[:n], np.ones(len(score))
    if n == 0:
        return out
    # Where each group of ties ends, as a rank.
    ends = np.arange(1, n + 1) / n
    ordered = score[order]
    last = np.append(ordered[1:] != ordered[:-1], True)
    if not last.all():
        ends = ends[last]
    scaled = np.exp(theta * (ends - max(np.sign(theta), 0.0)))  # largest weight 1: never overflows
    start = math.exp(-theta) if theta > 0 else 1.0
    mass = np.abs(np.diff(scaled, prepend=start)) / abs(scaled[-1] - start)
    size = np.diff(ends * n, prepend=0.0)
    out[order] = mass * n if last.all() else np.repeat(mass / size * n, np.rint(size).astype(np.int64))
    return out


@shift("shift.subgroup")
def subgroup(where: Where, *, share: float) -> Generator:
    """Make the rows of a slice the given share of all rows, in (0, 1); the law within and without it stays.

    Raises :class:`TooFewEffective` if the reference has too few such rows to draw that many from.
    """
    call = written("subgroup", where, share=share)
    if not 0 < share < 1:
        raise BadValue(f"{call}: share must be in (0, 1), not {share!r}", hint="to remove a slice, use selection")

    def weigh(reference: Batch) -> Floats:
        inside = mask_of(where, reference, call)
        return _group_weights(call, len(inside), [(inside, share), (~inside, 1.0 - share)])

    return _resampler(call, weigh)


@shift("shift.selection")
def selection(where: Where, *, keep: float = 0.0) -> Generator:
    """Lose the rows of a slice but for the share ``keep`` of them, in [0, 1): segments that vanish from traffic."""
    call = written("selection", where, keep=keep)
    if not 0 <= keep < 1:
        raise BadValue(f"{call}: keep must be in [0, 1), not {keep!r}")

    def weigh(reference: Batch) -> Floats:
        return np.where(mask_of(where, reference, call), keep, 1.0)

    return _resampler(call, weigh)


@shift("shift.prior")
def prior(truth: str, shares: Mapping[object, float]) -> Generator:
    """Give classes of the truth the shares named, as ``prior("late", {1: 0.3})``; p(x given y) stays.

    Classes that are not named share the rest as they did before; strength moves every share in a straight line.
    """
    call = written("prior", truth, dict(shares))
    total = math.fsum(shares.values())
    if not shares or any(not 0 <= s <= 1 for s in shares.values()) or total > 1 + 1e-9:
        raise BadValue(f"{call}: shares must be in [0, 1] and sum to at most 1, but sum to {total:g}")

    def weigh(reference: Batch) -> Floats:
        y = reference[truth]
        groups = [(np.asarray(y == value, dtype=np.bool_), share) for value, share in shares.items()]
        rest = ~np.logical_or.reduce([inside for inside, _ in groups])
        if not rest.any() and total < 1 - 1e-9:
            raise BadValue(f"{call}: every class is named, but the shares sum to {total:g}", hint="make them sum to 1")
        return _group_weights(call, len(y), [*groups, (rest, max(1.0 - total, 0.0))])

    return _resampler(call, weigh, truth=truth)


def _group_weights(call: str, n: int, groups: list[tuple[Mask, float]]) -> Floats:
    out = np.zeros(n)
    for inside, share in groups:
        count = int(np.count_nonzero(inside))
        if share > 0 and count == 0:
            raise TooFewEffective(
                f"{call}: no row of the reference is in a group that should be {share:g} of the rows",
                effective=0.0,
                hint="check the value's spelling and type, or give a reference that has such rows",
            )
        if count:
            np.putmask(out, inside, share * n / count)
    return out


def _resampler(
    call: str,
    weigh: Callable[[Batch], Floats],
    *,
    reads: tuple[str, ...] = (),
    truth: str | None = None,
) -> Generator:
    def prepare(reference: Batch) -> Pool:
        weights = weigh(reference)
        enough(call, weights)
        cumulative = np.cumsum(weights)
        return Pool(dict(reference), cumulative / cumulative[-1])

    def kernel(batch: Batch, strength: Floats, rng: Rng, pool: Pool) -> Batch:
        rows = np.flatnonzero(hits(strength, rng))
        drawn = draw(pool.cumulative, len(rows), rng)
        changed = {}
        for name, column in batch.items():
            if name not in pool.rows:
                raise UnknownColumn(name, pool.rows, asked_by=f"{call}, drawing from its reference")
            source = pool.rows[name]
            if len(rows) == len(column):
                changed[name] = source.take(drawn)
            else:
                changed[name] = column.astype(np.result_type(column, source))
                changed[name][rows] = source[drawn]
        return changed

    return Generator(call, (), "share", kernel, reads=reads, truth=truth, prepare=prepare, weigh=weigh)


def enough(call: str, weights: Floats) -> None:
    """Raises :class:`TooFewEffective` if the weights lean on fewer than 5 % of the rows."""
    rows, n = effective(weights), len(weights)
    if rows < SMALLEST_EFFECTIVE * n:
        raise TooFewEffective(
            f"{call}: the draw would lean on {rows:.1f} effective rows of {n} ({rows / n:.1%}), the largest weight "
            f"being {weights.max() if n else 0:.3g}",
            effective=rows,
            hint=f"ask for less, until {SMALLEST_EFFECTIVE:.0%} are effective, or use a map such as mean_shift, "
            "which needs no weights",
        )


def draw(cumulative: Floats, count: int, rng: Rng) -> npt.NDArray[np.int64]:
    """Row numbers, int64 (count,), each row expected count * weight times.

    Stratified: one draw from each of ``count`` equal parts, so that a sum scatters less than under independent draws
    and no period in the rows' order can resonate. The result is shuffled within windows of 4,096 draws: wide enough
    for a block of traffic, and narrow enough for the gather that follows to stay in the cache.
    """
    if count == 0:
        return np.empty(0, dtype=np.int64)
    points = (np.arange(count) + rng.random(count)) / count
    drawn = np.minimum(np.searchsorted(cumulative, points, side="right"), len(cumulative) - 1)
    window = min(count, 4096)
    whole = count - count % window
    order = rng.permutation(window)
    drawn[:whole] = drawn[:whole].reshape(-1, window)[:, order].ravel()
    rng.shuffle(drawn[whole:])
    return drawn

"""95 % intervals of a difference of two phases, whose requests are clusters of rows and depend on each other in time.

A phase is cut into eight blocks of requests in order of time. Blocks are longer than most dependence and hold whole
requests, so that the sums of influence over blocks may be taken as independent, and Student's t with 7 degrees of
freedom makes up for their small number: batch means (Schmeiser, Operations Research 30, 1982), and t from few groups
(Ibragimov and Müller, Journal of Business & Economic Statistics 28, 2010). docs/harm.md says what that covers.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from driftdrill.harness.judge.harm.measures import Estimate
from driftdrill.harness.judge.harm.rows import Floats

BLOCKS = 8
TAIL = 0.025
"""What each end of a 95 % interval leaves out."""
BY_CHANCE = 0.001
"""How often chance alone may pass for a trend."""
RARE = 20
"""Requests with a class below which an AUC's interval is Newcombe's method 5."""

ROUNDING = 1e-12
"""Of influences: block sums that are no larger, beside all influence there is, are 0."""

Interval = tuple[float, float]


@dataclass(frozen=True)
class Spread:
    """The variance of an estimate, and with how many degrees of freedom it is known."""

    variance: float
    df: float


def spread(of: Estimate) -> Spread:
    """From the sums of influence over eight blocks of requests.

    Where the fault's strength varies, requests are first freed of a line in it: what follows the strength is no noise.
    """
    sums, lost = _without_line(of), 1 if varies(of.strength) else 0
    if len(sums) < BLOCKS:
        return Spread(math.nan, 1)
    blocks = _blocks(sums)
    blocks = np.where(np.abs(blocks) <= ROUNDING * np.abs(of.influence).sum(), 0.0, blocks)
    return Spread(float(BLOCKS / (BLOCKS - 1 - lost) * (blocks**2).sum()), BLOCKS - 1 - lost)


def _blocks(sums: Floats) -> Floats:
    """The sums over eight blocks of requests of equal count, in order of time."""
    edges = [g * len(sums) // BLOCKS for g in range(BLOCKS + 1)]
    return np.array([sums[a:b].sum() for a, b in pairwise(edges)])


def trend(of: Estimate, ahead: float) -> float:
    """How far a value moves within ``ahead`` requests if what it did over the eight blocks goes on: the slope of their
    means, or 0 where chance makes as steep a one in 1 of 1,000 phases (Student's t)."""
    means = BLOCKS * _blocks(of.influence)  # less the phase's own
    x = np.arange(BLOCKS) - (BLOCKS - 1) / 2
    slope = float(x @ means / (x @ x))
    error = math.sqrt(float(((means - slope * x) ** 2).sum()) / (BLOCKS - 2) / float(x @ x))
    return slope * ahead * BLOCKS / of.requests if abs(slope) > student(BLOCKS - 2, BY_CHANCE / 2) * error else 0.0


def varies(strength: Floats | None) -> bool:
    """Whether a fault's strength is not the same at all requests."""
    return strength is not None and len(strength) > 2 and float(np.ptp(strength)) > 1e-9


def _without_line(of: Estimate) -> Floats:
    if not varies(of.strength):
        return of.influence
    assert of.strength is not None
    s = of.strength - of.strength.mean()
    centred = of.influence - of.influence.mean()
    return np.asarray(centred - s * float(s @ centred / (s @ s)))


def student(df: float, tail: float = TAIL) -> float:
    """What Student's t exceeds with probability ``tail``."""
    from scipy.special import stdtrit  # a fifth of a second, which not every command needs

    return float(-stdtrit(df, tail))


def joint_df(one: Spread, other: Spread) -> float:
    """Degrees of freedom of the sum of two variances (Welch 1947, Satterthwaite 1946)."""
    total = one.variance + other.variance
    if total <= 0:
        return min(one.df, other.df)
    return total**2 / (one.variance**2 / one.df + other.variance**2 / other.df)


def of_means(before: Estimate, during: Estimate, tail: float = TAIL) -> Interval:
    """Of before - during, for means and what is smooth in them: d +- t sqrt(V1 + V2)."""
    one, other = spread(before), spread(during)
    d = before.value - during.value
    half = student(joint_df(one, other), tail) * math.sqrt(one.variance + other.variance)
    return d - half, d + half


def of_bounded_means(before: Estimate, during: Estimate, tail: float = TAIL) -> Interval:
    """As :func:`of_means`, of what lies in [0, 1]. A phase in which it is 0 or 1 throughout says no more than as many
    right rows would (Wilson), of a request one."""
    one, other = spread(before), spread(during)
    q = student(joint_df(one, other), tail)
    low, high = mover(before.value, _bounded_limits(before, one, q), during.value, _bounded_limits(during, other, q))
    return within_bounds((low, high))


def _bounded_limits(of: Estimate, own: Spread, q: float) -> Interval:
    if own.variance <= 0 and of.value in (0.0, 1.0):
        return wilson(of.value, max(1, of.requests if of.trials is None else of.trials), q)
    half = q * math.sqrt(own.variance)
    return of.value - half, of.value + half


def ratio(before: Estimate, during: Estimate, tail: float = TAIL) -> Interval | None:
    """Of during / before (Fieller 1954): every k for which during - k before may be 0; None where that is unbounded.

    Degrees of freedom are those of that difference at the ratio itself.
    """
    one, other = spread(before), spread(during)
    if before.value == 0:
        return None
    scaled = Spread((during.value / before.value) ** 2 * one.variance, one.df)
    q2 = student(joint_df(scaled, other), tail) ** 2
    a = before.value**2 - q2 * one.variance
    b, c = before.value * during.value, during.value**2 - q2 * other.variance
    if a <= 0 or b * b < a * c:
        return None
    root = math.sqrt(b * b - a * c)
    return (b - root) / a, (b + root) / a


def wilson(p: float, n: float, q: float) -> Interval:
    """Wilson's score interval (1927) of a proportion ``p`` of ``n`` independent trials, ``q`` the normal's quantile."""
    centre = (p + q * q / (2 * n)) / (1 + q * q / n)
    half = q * math.sqrt(p * (1 - p) / n + q * q / (4 * n * n)) / (1 + q * q / n)
    return max(0.0, centre - half), min(1.0, centre + half)


def mover(p1: float, one: Interval, p2: float, other: Interval) -> Interval:
    """Of p1 - p2 from the interval of each: the square-and-add of Newcombe's method 10 (1998), as Zou and Donner (2008)
    have it for any two quantities."""
    d = p1 - p2
    return d - math.hypot(p1 - one[0], other[1] - p2), d + math.hypot(one[1] - p1, p2 - other[0])


def within_bounds(found: Interval) -> Interval:
    """Of two values in [0, 1]: the last bit must not leave [-1, 1]."""
    return max(-1.0, found[0]), min(1.0, found[1])


def newcombe(p1: float, n1: float, p2: float, n2: float, q: float) -> Interval:
    """Of p1 - p2, two proportions of n1 and n2 independent trials (Newcombe 1998, method 10)."""
    return mover(p1, wilson(p1, n1, q), p2, wilson(p2, n2, q))


def of_shares(before: Estimate, during: Estimate, tail: float = TAIL) -> Interval:
    """Of before - during, two shares of rows: Newcombe's method 10 on the numbers of independent rows that would vary
    as much (effective sizes after Korn and Graubard, Survey Methodology 24, 1998), with t in place of the normal's z.
    """
    one, other = spread(before), spread(during)
    q = student(joint_df(one, other), tail)
    n1, n2 = (
        each.rows / _design(each, own, second, by)
        for each, own, second, by in ((before, one, during, other), (during, other, before, one))
    )
    return within_bounds(newcombe(before.value, n1, during.value, n2, q))


def _design(of: Estimate, own: Spread, other: Estimate, others: Spread) -> float:
    """How many rows count as one (the design effect). Where a share does not vary at all, it is taken to be that of the
    other phase, at least 1; where neither does, a request counts as one."""
    if (found := _measured_design(of, own)) is not None:
        return found
    second = _measured_design(other, others)
    return of.rows / of.requests if second is None else max(1.0, second)


def _measured_design(of: Estimate, own: Spread) -> float | None:
    scale = of.value * (1 - of.value)
    return own.variance * of.rows / scale if scale > 0 and own.variance > 0 else None


def of_areas(before: Estimate, during: Estimate, tail: float = TAIL) -> Interval:
    """Of before - during, two AUCs: the interval of each, joined as shares are."""
    q = student(joint_df(spread(before), spread(during)), tail)
    limits = score_area if _rare(before) or _rare(during) else logit_area
    return within_bounds(mover(before.value, limits(before, q), during.value, limits(during, q)))


def of_area(area: Estimate, tail: float = TAIL) -> Interval:
    """Of one AUC."""
    return (score_area if _rare(area) else logit_area)(area, student(spread(area).df, tail))


def _rare(of: Estimate) -> bool:
    """Whether the logit does not do: too few requests have one of the classes, or nothing is told apart wrongly."""
    return (of.rarest or 0) < RARE or not 0 < of.value < 1


def logit_area(of: Estimate, q: float) -> Interval:
    """Of an AUC strictly between 0 and 1: symmetric on the scale of log(A / (1 - A))."""
    a = of.value
    half = q * math.sqrt(spread(of).variance) / (a * (1 - a))
    centre = math.log(a / (1 - a))
    return _expit(centre - half), _expit(centre + half)


def _expit(x: float) -> float:
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def score_area(of: Estimate, q: float) -> Interval:
    """Of an AUC: Newcombe's method 5 (Statistics in Medicine 25, 2006), which solves for the areas whose own variance
    explains the one seen. Widened where requests vary more than independent rows would."""
    v = spread(of).variance
    own = hanley_mcneil(of.value, *of.pairs)
    design = max(1.0, v / own) if own > 0 and math.isfinite(v) else 1.0
    return method_5(of.value, *of.pairs, q * math.sqrt(design))


def hanley_mcneil(area: float, positives: int, negatives: int) -> float:
    """Variance of an AUC (Hanley and McNeil 1982), both classes taken to be of their mean size, as method 5 has it."""
    half = (positives + negatives) / 2 - 1
    shape = 1 + half * ((1 - area) / (2 - area) + area / (1 + area))
    return area * (1 - area) * shape / (positives * negatives)


def method_5(area: float, positives: int, negatives: int, q: float) -> Interval:
    """The areas x with abs(area - x) <= q sqrt(variance of x)."""

    def beyond(x: float) -> float:
        return abs(area - x) - q * math.sqrt(hanley_mcneil(x, positives, negatives))

    tiny = 1e-12
    low = 0.0 if area <= tiny else _root(beyond, 0.0, min(area, 1 - tiny))
    high = 1.0 if area >= 1 - tiny else _root(lambda x: beyond(1 - x), 0.0, min(1 - area, 1 - tiny))
    return low, high if area >= 1 - tiny else 1 - high


def _root(f: Callable[[float], float], outside: float, inside: float) -> float:
    """Where ``f`` falls through 0 between a place where it is positive and one where it is not."""
    for _ in range(100):
        middle = (outside + inside) / 2
        outside, inside = (middle, inside) if f(middle) > 0 else (outside, middle)
    return (outside + inside) / 2


def lag_1(of: Estimate) -> float:
    """The correlation of a request's influence with that of the next; 0 where nothing varies."""
    x = _without_line(of)
    x = x - x.mean()
    total = float(x @ x)
    return float(x[1:] @ x[:-1]) / total if total > 0 else 0.0


def outlasts_blocks(of: Estimate) -> bool:
    """Whether requests depend on each other for longer than a block holds: then its sums do too, and no interval is
    honest. A dependence r^k of requests k apart has about (1 + r) / (1 - r) requests that say as much as one."""
    r, m = lag_1(of), of.requests
    return r > 2 / math.sqrt(m) and (r >= 1 or m / BLOCKS < 6 * (1 + r) / (1 - r))


def skewness(before: Estimate, during: Estimate) -> float:
    """Of before - during, from its requests: how far a few of them make it up."""
    squares = float((before.influence**2).sum() + (during.influence**2).sum())
    cubes = float((before.influence**3).sum() - (during.influence**3).sum())
    return cubes / squares**1.5 if squares > 0 else 0.0

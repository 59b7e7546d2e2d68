"""The law of a column under a generator, at every setting of its knob: computed where the generator says how.

A monotone map moves the edges of the bins, a tilt distorts ranks, a share of hit rows mixes two laws; what is left is
simulated, with the same draws at every setting.
"""

from collections.abc import Callable
from dataclasses import replace

import numpy as np

from driftdrill.shift_generators.generator import Batch, Floats, Generator, Rng
from driftdrill.shift_generators.size.distances import Distance, Law, as_numbers, law_of_values, mixture, thinned

THIN = 20_000
"""Points at which a distribution function of more rows is compared, for KS: an error of 1 / 20,000 at most."""

_SIMULATED = 400_000  # rows that are drawn to know the law of a random generator


def mixes(generator: Generator) -> bool:
    """Whether ``times(factor)`` at strength 1 is (1 - factor) of the old rows and factor of the new."""
    return generator.scales == "share" and generator.mixture and generator.resize is None


def law_at(
    generator: Generator, on: str, measure: Distance, old: Law, reference: Batch, rng: Rng
) -> Callable[[float], Law]:
    """``law(factor)``: the law of column ``on`` under ``generator.times(factor)`` at strength 1; ``old`` is it at 0."""
    if generator.monotone is not None and generator.columns == (on,):
        return _moved(generator, reference, on, old)
    if generator.distort is not None and generator.reads == (on,):
        return lambda factor: replace(old, cdf=_distorted(generator.times(factor), old), ranked=False)
    if mixes(generator):
        new = _law_of(generator.times(generator.limit), on, measure, reference, rng)
        both = np.union1d(old.support, new.support) if measure.metric is None else old.support[:0]
        return lambda factor: mixture(old, new, factor / generator.limit, both)
    seed = int(rng.integers(2**63))
    return lambda factor: _law_of(generator.times(factor), on, measure, reference, np.random.default_rng(seed))


def _distorted(generator: Generator, old: Law) -> Callable[[Floats], Floats]:
    distort = generator.distort
    assert distort is not None
    return lambda points: distort(old.cdf(points))


def _moved(generator: Generator, reference: Batch, on: str, old: Law) -> Callable[[float], Law]:
    values = old.support.astype(reference[on].dtype, copy=False)
    shown = thinned(old, THIN).support.astype(reference[on].dtype, copy=False)
    state = generator.prepare(reference)

    def law(factor: float) -> Law:
        map_ = generator.times(factor)
        move = map_.monotone
        assert move is not None

        def cdf(points: Floats) -> Floats:
            """Bisection over the sorted rows for all points at once: the inverse of any increasing map."""
            low, high = np.zeros(len(points), dtype=np.int64), np.full(len(points), len(values), dtype=np.int64)
            for _ in range(len(values).bit_length()):
                middle = (low + high) // 2
                below = move(values[np.minimum(middle, len(values) - 1)], map_.gain, state) <= points
                below &= middle < high
                low, high = np.where(below, middle + 1, low), np.where(below, high, middle)
            return low / len(values)

        return Law(cdf, old.missing, as_numbers(move(shown, map_.gain, state), on), ranked=True)

    return law


def _law_of(generator: Generator, on: str, measure: Distance, reference: Batch, rng: Rng) -> Law:
    """The law of a column after the generator: by its weights if it draws rows, else from as many draws as need be."""
    if generator.weigh is not None:
        return law_of_values(measure.encode(reference[on]), generator.weigh(reference))
    outs = simulated(generator.solve(reference), reference, rng)
    return law_of_values(np.concatenate([measure.encode(out[on]) for out in outs]))


def simulated(solved: Generator, reference: Batch, rng: Rng, *, repeats: int | None = None) -> list[Batch]:
    """The reference after a solved generator at strength 1, as often as 400,000 rows take (at most 64 times)."""
    n = len(next(iter(reference.values())))
    times = repeats or int(np.clip(_SIMULATED // n, 1, 64))
    # Not through the generator's call, which refuses what a gain makes of strength: more than 1.
    strength = np.full(n, solved.gain)
    return [{**reference, **solved.kernel(reference, strength, rng, solved.state)} for _ in range(times)]

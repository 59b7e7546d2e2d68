"""sized: a shift asked for by its size, solved against a reference: reached to 1 % in population, or refused.

The knob is the generator's own (:meth:`Generator.times`); the size is made to rise with it from 0 until it is met.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from driftdrill.shift_generators.errors import BadValue, ShiftError, Unreachable, nearest
from driftdrill.shift_generators.generator import Batch, Column, Floats, Generator, Rng, missing, written
from driftdrill.shift_generators.kinds.compose import on_fraction
from driftdrill.shift_generators.kinds.maps import finite, mean_shift
from driftdrill.shift_generators.kinds.resample import tilt
from driftdrill.shift_generators.size.classifier import domain_auc as auc_of_classifier
from driftdrill.shift_generators.size.distances import Distance, Metric, distance, law_of_values, thinned
from driftdrill.shift_generators.size.laws import THIN, law_at, mixes, simulated

TOLERANCE = 0.01
"""The relative error that a solved size may have in population."""

_CLOSE = 1e-4  # where the search stops, relative


@dataclass(frozen=True)
class Size:
    """A size asked for: ``metric`` of column ``on`` ("" if it is not of one column) is to be ``target``."""

    metric: str
    target: float
    on: str
    of: Callable[[Generator, Batch, Rng], Callable[[float], float]]
    """``of(generator, reference, rng)(factor)``: the size of ``generator.times(factor)``."""


def sized(
    generator: Generator,
    *,
    psi: float | None = None,
    ks: float | None = None,
    wasserstein: float | None = None,
    hellinger: float | None = None,
    jensen_shannon: float | None = None,
    auc: float | None = None,
    domain_auc: float | None = None,
    accuracy_drop: float | None = None,
    on: str | None = None,
    bins: int = 10,
    smoothing: float = 0.5,
    scorer: Callable[[Batch], Column] | None = None,
    truth: str | None = None,
) -> Generator:
    """The generator, as large as it must be for one stated size at strength 1.

    Name exactly one size. ``psi`` to ``auc`` are of column ``on`` (the generator's first unless given) by ``bins``
    frozen quantiles; ``domain_auc`` is of a classifier that sees all columns of numbers; ``accuracy_drop`` is the loss
    of the share of rows where ``scorer(batch)`` (labels, (n,)) equals ``truth``. A size of 0 or less is refused.

    :meth:`Generator.solve` fixes it against a reference and raises :class:`Unreachable`, with the attainable range
    and a solved alternative, if no setting comes within 1 %. Unsolved, it solves against each batch.
    """
    asked = {
        "psi": psi, "ks": ks, "wasserstein": wasserstein, "hellinger": hellinger, "jensen_shannon": jensen_shannon,
        "auc": auc, "domain_auc": domain_auc, "accuracy_drop": accuracy_drop,
    }  # fmt: skip
    named = {name: value for name, value in asked.items() if value is not None}
    call = written("sized", generator, **named, on=on)
    if len(named) != 1:
        raise BadValue(f"{call}: name exactly one size, not {len(named)}", hint=f"one of {', '.join(asked)}")
    metric, target = next(iter(named.items()))
    check_target(call, metric, target)
    if metric == "accuracy_drop":
        return _sized(generator, call, _by_accuracy(call, target, scorer, truth or generator.truth))
    if metric == "domain_auc":
        return _sized(generator, call, Size(metric, target, "", _by_classifier))
    column = on or column_of(generator, call)
    return _sized(
        generator,
        call,
        by_distance(metric, column, target, lambda c: distance(metric, c, bins=bins, smoothing=smoothing)),
    )


def sized_by(generator: Generator, measure: Distance | Metric, target: float, *, on: str | None = None) -> Generator:
    """As :func:`sized`, by a distance with its own reference and bins, or by a function of the bins' shares."""
    name = measure.name if isinstance(measure, Distance) else str(getattr(measure, "__name__", "custom"))
    call = written("sized_by", generator, name, target, on=on)
    check_target(call, name, target)

    def frozen(reference: Column) -> Distance:
        return measure if isinstance(measure, Distance) else distance(measure, reference)

    return _sized(generator, call, by_distance(name, on or column_of(generator, call), target, frozen))


def check_target(call: str, metric: str, target: float) -> None:
    """Raises :class:`BadValue` for a size that nothing can have."""
    finite(call, **{metric: target})
    low, high = {"auc": (0.5, 1.0), "domain_auc": (0.5, 1.0)}.get(metric, (0.0, math.inf))
    if metric in ("ks", "hellinger", "jensen_shannon", "accuracy_drop"):
        high = 1.0
    if not low < target <= high:
        raise BadValue(f"{call}: {metric} must be above {low:g} and at most {high:g}, not {target!r}")


def column_of(generator: Generator, call: str) -> str:
    """The column that a size is of, unless one is named."""
    truth = (generator.truth,) if generator.truth else ()
    names: tuple[str, ...] = (*generator.columns, *generator.reads, *truth)
    if not names:
        raise BadValue(f"{call}: the generator draws whole rows", hint="name the column to measure: on='...'")
    return names[0]


def by_distance(metric: str, on: str, target: float, frozen: Callable[[Column], Distance]) -> Size:
    """The size by a distance of one column."""

    def of(generator: Generator, reference: Batch, rng: Rng) -> Callable[[float], float]:
        if on not in reference:
            raise BadValue(f"{generator.call}: no column {on!r} to measure", hint=nearest(on, reference))
        measure = frozen(reference[on])
        own = measure.source is reference[on]  # else it has a reference of its own
        old = measure.reference if own else law_of_values(measure.encode(reference[on]))
        if metric == "ks" or (metric == "wasserstein" and generator.monotone is not None):
            measure = replace(measure, reference=thinned(measure.reference, THIN))
        law = law_at(generator, on, measure, old, reference, rng)
        return lambda factor: measure.of(law(factor))

    return Size(metric, target, on, of)


def _by_classifier(generator: Generator, reference: Batch, rng: Rng) -> Callable[[float], float]:
    seed = int(rng.integers(2**63))
    names = tuple(n for n, c in reference.items() if c.dtype.kind in "iuf" and n != generator.truth)

    def size(factor: float) -> float:
        own = np.random.default_rng(seed)
        (moved,) = simulated(generator.times(factor).solve(reference), reference, own, repeats=1)
        return auc_of_classifier(reference, moved, columns=names, rng=own)

    if mixes(generator):
        # One classifier, of old rows against hit ones: its area over a half is in proportion to their share.
        whole = size(generator.limit) - 0.5
        return lambda factor: 0.5 + whole * factor / generator.limit
    return size


def _by_accuracy(call: str, target: float, scorer: Callable[[Batch], Column] | None, truth: str | None) -> Size:
    if scorer is None or truth is None:
        raise BadValue(f"{call}: accuracy_drop needs scorer= (batch -> labels) and truth= (a column's name)")

    def right(batch: Batch) -> Floats:
        if truth not in batch:
            raise BadValue(f"{call}: no truth column {truth!r}", hint=nearest(truth, batch))
        if missing(batch[truth]).any():
            raise BadValue(f"{call}: the truth column {truth!r} has missing values", hint="leave those rows out")
        return np.asarray(scorer(batch) == batch[truth], dtype=np.float64)

    def of(generator: Generator, reference: Batch, rng: Rng) -> Callable[[float], float]:
        before = right(reference)

        def after(whole: Generator, draws: Rng) -> float:
            if whole.weigh is not None:
                return float(np.average(before, weights=whole.weigh(reference)))
            return float(np.mean([right(out).mean() for out in simulated(whole.solve(reference), reference, draws)]))

        if mixes(generator):
            drop = float(before.mean()) - after(generator.times(generator.limit), rng)
            return lambda factor: factor / generator.limit * drop
        seed = int(rng.integers(2**63))
        return lambda factor: float(before.mean()) - after(generator.times(factor), np.random.default_rng(seed))

    return Size("accuracy_drop", target, "", of)


def _sized(generator: Generator, call: str, size: Size) -> Generator:
    if generator.settle is not None or generator.solved:
        raise BadValue(f"{call}: the generator has a size already", hint="give sized the generator itself")

    def settle(reference: Batch, rng: Rng) -> Generator:
        found = search(SizeQuestion(generator, call, size, reference, rng)).solve(reference)
        return replace(found, call=call if found.gain != 1.0 else f"{call} = {found.call}")

    return replace(generator, call=call, settle=settle)


@dataclass(frozen=True)
class SizeQuestion:
    """What is searched for: a setting of ``generator`` at which ``size`` is met; errors speak of it as ``call``."""

    generator: Generator
    call: str
    size: Size
    reference: Batch
    rng: Rng


def search(ask: SizeQuestion, *, alternatives: bool = True) -> Generator:
    at = ask.size.of(ask.generator, ask.reference, ask.rng)
    target, floor = ask.size.target, 0.5 if ask.size.metric in ("auc", "domain_auc") else 0.0
    # A fitted classifier's area scatters too much to be met to 1 % of what is over a half.
    unit = target if ask.size.metric == "domain_auc" else target - floor

    def off(factor: float) -> float:
        return (at(factor) - target) / unit

    def size(error: float) -> float:
        return target + error * unit

    low, high, largest = _bracket(ask.generator, ask.reference, off)
    if largest < -TOLERANCE:
        raise _unreachable(ask, (floor, size(largest)), high, alternatives)
    error_low, error_high = (off(low) if low > 0 else -1.0), off(high)
    for step in range(100):
        if min(abs(error_low), abs(error_high)) < _CLOSE or high - low <= 1e-6 * high:
            break
        # False position, kept off the ends; every third step halves, for sizes that jump.
        share = 0.5 if step % 3 == 2 else float(np.clip(error_low / (error_low - error_high), 0.02, 0.98))
        middle = low + share * (high - low)
        error = off(middle)
        if error < 0:
            low, error_low = middle, error
        else:
            high, error_high = middle, error
    best, error = (low, error_low) if abs(error_low) < abs(error_high) else (high, error_high)
    if abs(error) > TOLERANCE:
        raise _unreachable(ask, (size(error_low), size(error_high)), high, alternatives)
    return ask.generator.times(best)


def _bracket(generator: Generator, reference: Batch, off: Callable[[float], float]) -> tuple[float, float, float]:
    """(low, high, largest error seen): the first factors, doubling, between which the size asked for is passed."""
    if mixes(generator):
        return 0.0, generator.limit, off(generator.limit)
    low, factor, largest = 0.0, _first_step(generator, reference), -1.0
    for _ in range(60):
        error = off(factor)
        largest = max(largest, error)
        if error >= 0 or factor >= generator.limit:
            break
        low, factor = factor, min(2.0 * factor, generator.limit)
    return low, factor, largest


def _first_step(generator: Generator, reference: Batch) -> float:
    """A factor that is small for this column: a map by a hundredth of the column's range, else the knob's limit."""
    if generator.monotone is not None and generator.resize is None:
        column = reference[generator.columns[0]]
        values = column[np.isfinite(column)].astype(np.float64)[:10_000]
        moved = generator.monotone(values, 1.0, None)
        step, span = float(np.abs(moved - values).mean()), float(np.ptp(values)) or abs(float(values[0])) or 1.0
        return min(span / 100.0 / step, generator.limit) if step > 0 else 1.0
    return min(generator.limit, 1.0) / 1024.0


def _unreachable(ask: SizeQuestion, attainable: tuple[float, float], factor: float, alternatives: bool) -> Unreachable:
    low, high = attainable
    what = f"{ask.call}: {ask.size.metric}" + (f" on column {ask.size.on!r}" if ask.size.on else "")
    jumps = high > ask.size.target
    other = _alternative(ask, factor, jumps) if alternatives else None
    return Unreachable(
        f"{what} jumps from {low:.4g} to {high:.4g}, past {ask.size.target:g}"
        if jumps
        else f"{what} reaches {high:.4g} at most, not {ask.size.target:g}",
        attainable=attainable,
        alternative=other,
        hint=f"{other!r} reaches it" if other else "ask for a size in that range, or shift another column",
    )


def _alternative(ask: SizeQuestion, factor: float, jumps: bool) -> Generator | None:
    """The first that does reach the size: the jump itself on a fraction of the rows, a tilt, a shift of the mean."""
    others = []
    if jumps and ask.generator.scales == "size":
        others.append(on_fraction(ask.generator if factor < 1 else ask.generator.times(factor)))
    if ask.size.on and ask.reference[ask.size.on].dtype.kind in "iuf":
        others += [tilt(ask.size.on), mean_shift(ask.size.on)]
    for other in others:
        try:
            return search(replace(ask, generator=other), alternatives=False).solve(ask.reference)
        except ShiftError:
            continue
    return None

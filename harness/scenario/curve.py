"""Curves: pure functions of seconds, for rates (from scenario start) and fault strengths (from fault start).

A curve is called with an array of seconds, float64 (n,), and answers a float64 array (n,). Nothing here holds
a clock. Strength curves are clipped to [0, 1] and are 0 outside the fault phase; that is the drive's doing.
"""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from driftdrill.durations import format_duration
from driftdrill.harness.errors import ScenarioError

seconds = 1.0
minutes = 60.0
hours = 3600.0

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A named, pure function of seconds; build one with the functions below.

    ``points`` are (seconds, value) knots, linear between them, constant before the first and after the last;
    two knots at one time make a step that already has its new value at that time. ``period`` > 0 repeats the
    knots; ``sine`` adds (amplitude, period, phase in radians).
    """

    name: str
    points: tuple[tuple[float, float], ...]
    period: float = 0.0
    sine: tuple[float, float, float] | None = None

    def __call__(self, at: npt.ArrayLike) -> Floats:
        """Values at ``at`` seconds, shape as given, float64."""
        t = np.asarray(at, dtype=np.float64)
        local = np.mod(t, self.period) if self.period > 0 else t
        times = np.array([p[0] for p in self.points])
        values = np.array([p[1] for p in self.points])
        # The knot at or before t, its successor, and the line between: np.interp cannot step.
        right = np.searchsorted(times, local, side="right")
        lo, hi = np.clip(right - 1, 0, len(times) - 1), np.clip(right, 0, len(times) - 1)
        width = times[hi] - times[lo]
        share = np.where(width > 0, (local - times[lo]) / np.where(width > 0, width, 1.0), 0.0)
        out = values[lo] + np.clip(share, 0.0, 1.0) * (values[hi] - values[lo])
        if self.sine is not None:
            amplitude, period, phase = self.sine
            out = out + amplitude * np.sin(2 * math.pi * t / period + phase)
        return np.asarray(out, dtype=np.float64)

    def times(self, factor: float) -> "Curve":
        """The same curve, ``factor`` times as high."""
        sine = None if self.sine is None else (self.sine[0] * factor, *self.sine[1:])
        points = tuple((t, v * factor) for t, v in self.points)
        return replace(self, name=f"{self.name} x{factor:g}", points=points, sine=sine)

    def knots(self, until: float) -> Floats:
        """The moments in [0, until] at which it bends or steps, every period's, float64 (n,)."""
        times = np.array([t for t, _ in self.points])
        if self.period > 0:
            starts = np.arange(0.0, until, self.period)
            times = (starts[:, None] + times[None, :]).ravel()
        return np.asarray(np.unique(times[(times >= 0) & (times <= until)]))

    def largest(self, until: float) -> float:
        """The largest value in [0, until], to the resolution of 1,000 points and every knot."""
        knots = [p[0] for p in self.points if 0 <= p[0] <= until]
        return float(self(np.concatenate([np.linspace(0.0, until, 1001), np.array(knots)])).max())


def _finite(curve: str, **values: float) -> None:
    for field, value in values.items():
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value):
            raise ScenarioError(f"{curve}: {field} must be a finite number, not {value!r}")


def _positive(curve: str, **values: float) -> None:
    _finite(curve, **values)
    for field, value in values.items():
        if value <= 0:
            raise ScenarioError(f"{curve}: {field} must be above 0, not {value!r}")


def constant(value: float = 1.0) -> Curve:
    """The same value at every time."""
    _finite("constant", value=value)
    return Curve(f"constant({value:g})", ((0.0, float(value)),))


def step(*, at: float = 0.0, to: float = 1.0, start: float = 0.0) -> Curve:
    """``start`` before ``at`` seconds, ``to`` from then on ("sudden" in the drift literature)."""
    _finite("step", at=at, to=to, start=start)
    return Curve(f"step(at={format_duration(at)})", ((at, start), (at, to)))


def ramp(*, over: float, to: float = 1.0, start: float = 0.0, at: float = 0.0) -> Curve:
    """A straight line from ``start`` to ``to`` in [at, at + over]; all of the change is inside that width."""
    _positive("ramp", over=over)
    _finite("ramp", to=to, start=start, at=at)
    return Curve(f"ramp(over={format_duration(over)})", ((at, start), (at + over, to)))


def sigmoid(*, over: float, to: float = 1.0, start: float = 0.0, at: float = 0.0) -> Curve:
    """An S from ``start`` to ``to`` in [at, at + over]; all of the change is inside that width, whatever it is.

    A logistic curve from -5 to 5, stretched so that it begins and ends exactly; 128 straight pieces, which are within
    0.0002 of it. (A bare logistic never arrives, and overflows where the width is short.)
    """
    _positive("sigmoid", over=over)
    _finite("sigmoid", to=to, start=start, at=at)
    share = np.linspace(0.0, 1.0, 129)
    rise = 0.5 + 0.5 * np.tanh(5.0 * (share - 0.5)) / math.tanh(2.5)
    times, values = at + share * over, start + rise * (to - start)
    return Curve(f"sigmoid(over={format_duration(over)})", tuple(zip(times.tolist(), values.tolist(), strict=True)))


def pulse(*, width: float, at: float = 0.0, height: float = 1.0) -> Curve:
    """``height`` in [at, at + width), 0 elsewhere ("blip")."""
    _positive("pulse", width=width)
    _finite("pulse", at=at, height=height)
    return Curve(f"pulse({format_duration(width)})", ((at, 0.0), (at, height), (at + width, height), (at + width, 0.0)))


def sine(*, mean: float, amplitude: float, period: float, phase: float = 0.0) -> Curve:
    """mean + amplitude * sin(2 pi t / period + phase), phase in radians ("seasonal", "diurnal")."""
    _positive("sine", period=period)
    _finite("sine", mean=mean, amplitude=amplitude, phase=phase)
    return Curve(f"sine({mean:g}±{amplitude:g})", ((0.0, mean),), sine=(amplitude, period, phase))


def seasonal(*, period: float, low: float = 0.0, high: float = 1.0) -> Curve:
    """A sine between ``low`` and ``high`` that begins at ``low``: a shift that comes with the season."""
    _positive("seasonal", period=period)
    _finite("seasonal", low=low, high=high)
    wave = sine(mean=(low + high) / 2, amplitude=(high - low) / 2, period=period, phase=-math.pi / 2)
    return replace(wave, name=f"seasonal(period={format_duration(period)})")


def recurring(*, period: float, duty: float = 0.5, height: float = 1.0) -> Curve:
    """``height`` in the first ``duty`` share, in (0, 1], of every ``period`` seconds, 0 in the rest of it."""
    _positive("recurring", period=period, duty=duty)
    _finite("recurring", height=height)
    if duty > 1:
        raise ScenarioError(f"recurring: duty must be in (0, 1], not {duty!r}")
    on = duty * period
    knots = ((0.0, height), (on, height), (on, 0.0), (period, 0.0)) if duty < 1 else ((0.0, height),)
    return Curve(f"recurring(period={format_duration(period)}, duty={duty:g})", knots, period=period)


def ladder(levels: Sequence[float], *, every: float) -> Curve:
    """One level after the other, ``every`` seconds each, staying on the last."""
    _positive("ladder", every=every)
    if not levels:
        raise ScenarioError("ladder: at least one level is needed")
    for level in levels:
        _finite("ladder", level=level)
    knots = [(0.0, float(levels[0]))]
    for i, (before, after) in enumerate(itertools.pairwise(levels), start=1):
        knots += [(i * every, float(before)), (i * every, float(after))]
    return Curve(f"ladder({len(levels)} levels)", tuple(knots))


def piecewise(points: Sequence[tuple[float, float]]) -> Curve:
    """Straight lines through (seconds, value) knots in order of time; equal times make a step."""
    knots = tuple((float(t), float(v)) for t, v in points)
    if not knots:
        raise ScenarioError("piecewise: at least one (seconds, value) knot is needed")
    for t, v in knots:
        _finite("piecewise", seconds=t, value=v)
    if any(b[0] < a[0] for a, b in itertools.pairwise(knots)):
        raise ScenarioError("piecewise: knots must be in order of time")
    return Curve(f"piecewise({len(knots)} knots)", knots)


def recorded(times: Sequence[float], values: Sequence[float]) -> Curve:
    """A measured series, replayed with straight lines between its samples (seconds, value)."""
    if len(times) != len(values):
        raise ScenarioError(f"recorded: {len(times)} times but {len(values)} values")
    curve = piecewise(list(zip(times, values, strict=True)))
    return Curve(f"recorded({len(times)} samples)", curve.points)

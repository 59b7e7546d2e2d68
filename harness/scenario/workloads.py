"""Rates ready to use: what a service's traffic looks like, as Curves of requests per second over scenario seconds."""

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import Curve, constant, hours, piecewise, sine


def steady(rate: float) -> Curve:
    """The same rate all the time."""
    return constant(rate)


def soak(rate: float) -> Curve:
    """A steady rate, for the leaks that only hours show: let the scenario's phases be long."""
    return constant(rate)


def diurnal(*, mean: float, swing: float = 0.6, day: float = 24 * hours, peak: float = 14 * hours) -> Curve:
    """A day's wave of ``mean`` requests/s, ``swing`` of it up and down, highest ``peak`` seconds into the day.

    A shorter ``day`` makes a model of one: ``day=10 * minutes, peak=6 * minutes``.
    """
    if not 0 <= swing <= 1:
        raise ScenarioError(f"diurnal: swing must be in [0, 1], not {swing!r}")
    quarter = 6.283185307179586 * (0.25 - peak / day)
    return sine(mean=mean, amplitude=mean * swing, period=day, phase=quarter)


def spike(*, rate: float, to: float, at: float, over: float = 5.0, hold: float = 60.0) -> Curve:
    """``rate``, then within ``over`` seconds from ``at`` up ``to``, held for ``hold`` seconds, and down again."""
    if over <= 0 or hold < 0:
        raise ScenarioError(f"spike: over must be above 0 and hold 0 or more, not {over!r} and {hold!r}")
    return piecewise([(at, rate), (at + over, to), (at + over + hold, to), (at + 2 * over + hold, rate)])

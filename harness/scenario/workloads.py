"""Rates ready to use: what a service's traffic looks like, as Curves of requests per second over scenario seconds."""

from dataclasses import dataclass
from typing import ClassVar

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


@dataclass(frozen=True)
class LoadFault:
    """A fault of the load itself: the rate is ``times`` what the scenario says; 0 is no traffic at all.

    Strength s makes it 1 + s (times - 1) as high. Overload is such a fault: ``load(times=20)``.
    """

    seam: ClassVar[str] = "load"
    id: ClassVar[str] = "sys.overload"
    visible_from: ClassVar[str] = "server"

    times: float

    def __post_init__(self) -> None:
        number = isinstance(self.times, (int, float)) and not isinstance(self.times, bool)
        if not number or not 0 <= self.times < 1e6 or self.times == 1:
            raise ScenarioError(f"load: times must be 0 or more and not 1, not {self.times!r}")

    def __repr__(self) -> str:
        return f"load(times={self.times:g})"


def load(*, times: float) -> LoadFault:
    """A fault that makes the scenario's rate ``times`` as high, for ``Fault("overload", load(times=20))``."""
    return LoadFault(times)

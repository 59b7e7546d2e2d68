"""Temporal profiles at their edges: where a change begins, where it is complete, and that nothing lies outside."""

import numpy as np
import pytest

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import (
    Curve,
    constant,
    ladder,
    piecewise,
    pulse,
    ramp,
    recorded,
    recurring,
    seasonal,
    sigmoid,
    sine,
    step,
)


def at(curve: Curve, *times: float) -> list[float]:
    return curve(np.array(times)).tolist()


@pytest.mark.parametrize("profile", [ramp, sigmoid])
@pytest.mark.parametrize("over", [1e-6, 1.0, 3.0, 300.0, 1e9])
def test_all_of_a_change_is_inside_its_stated_width(profile: object, over: float) -> None:
    curve = profile(over=over, at=100.0)  # type: ignore[operator]
    assert at(curve, 0.0, 100.0) == [0.0, 0.0]
    assert at(curve, 100.0 + over, 100.0 + 2 * over + 1.0) == [1.0, 1.0]
    inside = curve(np.linspace(100.0, 100.0 + over, 1000))
    assert (np.diff(inside) >= 0).all()
    assert inside.min() == 0.0
    assert inside.max() == 1.0


def test_a_change_of_width_one_neither_overflows_nor_warns() -> None:
    """A bare logistic in the width overflows at a width of 1: river's ConceptDriftStream does."""
    with np.errstate(all="raise"):
        assert at(sigmoid(over=1.0, at=50_000.0), 0.0, 50_000.0, 50_000.5, 50_001.0, 1e9) == [0, 0, 0.5, 1, 1]


def test_a_sigmoid_is_steepest_in_its_middle_and_symmetric_about_it() -> None:
    curve = sigmoid(over=10.0, start=2.0, to=6.0)
    t = np.linspace(0.0, 10.0, 101)
    values = curve(t)
    np.testing.assert_allclose(values + values[::-1], 8.0, atol=1e-12)
    slopes = np.diff(values)
    assert 45 <= int(np.argmax(slopes)) <= 54
    assert slopes[0] < slopes[49] / 10


def test_a_step_has_its_new_value_at_its_time() -> None:
    assert at(step(at=5.0), 4.999999, 5.0, 6.0) == [0.0, 1.0, 1.0]


def test_a_pulse_ends_before_its_width_is_over() -> None:
    assert at(pulse(width=2.0, at=1.0), 0.0, 1.0, 2.999999, 3.0) == [0.0, 1.0, 1.0, 0.0]


def test_a_recurring_shift_is_on_for_its_duty_in_every_period() -> None:
    curve = recurring(period=10.0, duty=0.3, height=0.5)
    assert at(curve, 0.0, 2.9, 3.0, 9.9, 10.0, 12.9, 13.0, 1000.0, 1003.0) == [0.5, 0.5, 0, 0, 0.5, 0.5, 0, 0.5, 0]
    assert curve(np.arange(0.0, 10_000.0, 0.1)).mean() == pytest.approx(0.15, abs=1e-3)
    assert curve.largest(10_000.0) == 0.5


def test_a_recurring_shift_of_full_duty_is_constant() -> None:
    assert at(recurring(period=10.0, duty=1.0), 0.0, 5.0, 10.0, 99.0) == [1.0, 1.0, 1.0, 1.0]


def test_a_seasonal_strength_begins_at_its_lowest_and_stays_within_its_bounds() -> None:
    curve = seasonal(period=24.0, low=0.2, high=0.8)
    np.testing.assert_allclose(curve(np.array([0.0, 12.0, 24.0])), [0.2, 0.8, 0.2], atol=1e-12)
    values = curve(np.linspace(0, 240, 10_001))
    assert values.min() >= 0.2 - 1e-12
    assert values.max() <= 0.8 + 1e-12


def test_a_ladder_climbs_one_level_at_a_time_and_stays_on_the_last() -> None:
    curve = ladder([0.1, 0.5, 1.0], every=60.0)
    assert at(curve, 0.0, 59.9, 60.0, 119.9, 120.0, 1e6) == [0.1, 0.1, 0.5, 0.5, 1.0, 1.0]


def test_piecewise_and_recorded_are_linear_between_knots_and_constant_outside() -> None:
    assert at(piecewise([(0, 0), (10, 1)]), -5.0, 5.0, 20.0) == [0.0, 0.5, 1.0]
    assert at(recorded([0.0, 10.0], [2.0, 4.0]), 5.0) == [3.0]


def test_constant_and_sine_are_what_they_say() -> None:
    assert at(constant(0.25), -1.0, 1e9) == [0.25, 0.25]
    np.testing.assert_allclose(sine(mean=1.0, amplitude=2.0, period=4.0)(np.array([0.0, 1.0, 3.0])), [1.0, 3.0, -1.0])


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: ramp(over=0.0),
        lambda: sigmoid(over=-1.0),
        lambda: sigmoid(over=float("nan")),
        lambda: recurring(period=10.0, duty=0.0),
        lambda: recurring(period=10.0, duty=1.5),
        lambda: seasonal(period=0.0),
        lambda: ladder([], every=1.0),
        lambda: ladder([1.0], every=0.0),
        lambda: ladder([float("inf")], every=1.0),
        lambda: piecewise([(1.0, 0.0), (0.0, 1.0)]),
        lambda: recorded([0.0], [1.0, 2.0]),
    ],
)
def test_a_profile_that_means_nothing_is_refused(wrong: object) -> None:
    with pytest.raises(ScenarioError):
        wrong()  # type: ignore[operator]

"""Workloads are curves with the shape that their names say."""

import numpy as np
import pytest

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import hours
from driftdrill.harness.scenario.workloads import diurnal, soak, spike, steady


def test_steady_and_soak_are_constant() -> None:
    at = np.linspace(0, 1e6, 50)
    assert set(steady(7)(at)) == set(soak(7)(at)) == {7.0}


def test_a_day_peaks_when_it_should_and_keeps_its_mean() -> None:
    at = np.arange(0, 24 * hours, 60.0)
    values = diurnal(mean=100)(at)
    assert at[values.argmax()] == 14 * hours
    assert values.mean() == pytest.approx(100)
    assert values.max() == pytest.approx(160)
    assert (diurnal(mean=5, swing=1.0)(at) >= -1e-9).all()


def test_a_spike_goes_up_holds_and_comes_down() -> None:
    rate = spike(rate=10, to=100, at=60, over=5, hold=30)
    assert rate([0, 60, 65, 95, 100, 500]).tolist() == [10, 10, 100, 100, 10, 10]


def test_shapes_that_cannot_be_are_refused() -> None:
    with pytest.raises(ScenarioError, match="swing"):
        diurnal(mean=1, swing=2)
    with pytest.raises(ScenarioError, match="over"):
        spike(rate=1, to=2, at=0, over=0)

"""Noise floors and windows, against windows that are really drawn."""

import numpy as np
import pytest

from driftdrill.shift_generators import BadValue, distance, domain_auc, mean_shift, noise_floor, sized, window
from tests.shift_generators.examples import rng

REFERENCE = rng(0).standard_normal(100_000)


@pytest.mark.parametrize("metric", ["psi", "hellinger", "jensen_shannon", "auc", "ks", "wasserstein"])
@pytest.mark.parametrize("rows", [500, 2000])
def test_nine_windows_in_ten_stay_below_the_floor_of_one_in_ten(metric: str, rows: int) -> None:
    measure, draws = distance(metric, REFERENCE), rng(1)
    floor = noise_floor(metric, rows, quantile=0.9)
    below = np.mean([measure(draws.standard_normal(rows)) <= floor for _ in range(150)])
    assert 0.8 <= below <= 0.98


def test_a_quarter_of_psi_is_measured_as_the_published_figures_say() -> None:
    """.272 +- .052 in windows of 500, .249 +- .022 in windows of 2,000."""
    found = sized(mean_shift("x"), psi=0.25).solve({"x": REFERENCE})
    measure, draws = distance("psi", REFERENCE), rng(2)
    for rows, mean, scatter in ((500, 0.268, 0.052), (2000, 0.255, 0.022)):
        sizes = [measure(found({"x": draws.standard_normal(rows)}, 1.0, draws)["x"]) for _ in range(200)]
        assert np.mean(sizes) == pytest.approx(mean, abs=0.012)
        assert np.std(sizes) == pytest.approx(scatter, rel=0.25)


@pytest.mark.parametrize(
    ("metric", "size"),
    [("psi", 0.25), ("hellinger", 0.175), ("jensen_shannon", 0.2), ("auc", 0.62), ("ks", 0.2), ("wasserstein", 0.3)],
)
def test_the_window_shows_the_size_as_often_as_it_promises(metric: str, size: float) -> None:
    rows = window(metric, size, power=0.9, quantile=0.99)
    floor = noise_floor(metric, rows, quantile=0.99)
    found = sized(mean_shift("x"), **{metric: size}).solve({"x": REFERENCE})  # type: ignore[arg-type]
    measure, draws = distance(metric, REFERENCE), rng(3)
    seen = [measure(found({"x": draws.standard_normal(rows)}, 1.0, draws)["x"]) > floor for _ in range(200)]
    assert 0.82 <= np.mean(seen) <= 0.99


def test_a_classifiers_area_and_an_accuracy_have_windows_too() -> None:
    draws = rng(4)
    floor = noise_floor("domain_auc", 1000, reference_rows=1000, quantile=0.9)
    areas = [domain_auc(*({"x": draws.standard_normal(1000)} for _ in range(2)), rng=draws) for _ in range(40)]
    assert np.mean(np.array(areas) <= floor) > 0.75
    rows = window("accuracy_drop", 0.05, accuracy=0.9)
    lost = (draws.random((4000, rows)) < 0.85).mean(axis=1)
    assert np.mean(0.9 - lost > noise_floor("accuracy_drop", rows, accuracy=0.9)) == pytest.approx(0.9, abs=0.03)
    assert window("domain_auc", 0.6) < window("domain_auc", 0.55)


def test_a_small_reference_sets_a_floor_that_no_window_can_pass() -> None:
    assert noise_floor("psi", 1000, reference_rows=200) > 2 * noise_floor("psi", 1000)
    with pytest.raises(BadValue, match="the reference having 100 rows") as refused:
        window("psi", 0.1, reference_rows=100)
    assert "larger reference" in str(refused.value.hint)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: noise_floor("psy", 100),
        lambda: noise_floor("psi", 0),
        lambda: noise_floor("psi", 100, quantile=1.0),
        lambda: window("psi", 0.0),
        lambda: window("psi", 0.1, power=1.0),
    ],
)
def test_a_window_that_means_nothing_is_refused(wrong: object) -> None:
    with pytest.raises(BadValue):
        wrong()  # type: ignore[operator]

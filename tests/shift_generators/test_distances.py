"""Distances against scipy and against arithmetic by hand: small columns, whose shares can be written down."""

import math

import numpy as np
import pytest
from scipy.spatial.distance import jensenshannon
from scipy.stats import ks_2samp, mannwhitneyu, wasserstein_distance

from driftdrill.shift_generators import METRICS, BadValue, WrongKind, distance
from driftdrill.shift_generators.size.distances import Law, as_numbers, frozen_edges, law_of_values, mixture, thinned
from tests.shift_generators.examples import rng

OLD = np.repeat([1.0, 2.0, 3.0, 4.0], [40, 30, 20, 10])
NEW = np.repeat([1.0, 2.0, 3.0, 4.0], [10, 20, 30, 40])
P, Q = np.array([0.4, 0.3, 0.2, 0.1]), np.array([0.1, 0.2, 0.3, 0.4])


def unsmoothed(metric: str, old: np.ndarray = OLD, new: np.ndarray = NEW, bins: int = 10) -> float:
    return distance(metric, old, bins=bins, smoothing=0.0)(new)


def test_binned_distances_are_those_of_the_bins_shares() -> None:
    """Every value fills a bin of its own, so that the shares are 0.4, 0.3, 0.2, 0.1 and the same backwards."""
    assert unsmoothed("psi") == pytest.approx(float(((Q - P) * np.log(Q / P)).sum()), rel=1e-12)
    assert unsmoothed("hellinger") == pytest.approx(math.sqrt(1 - np.sqrt(P * Q).sum()), rel=1e-9)
    assert unsmoothed("jensen_shannon") == pytest.approx(jensenshannon(P, Q, base=2), rel=1e-12)
    ranked = mannwhitneyu(NEW, OLD).statistic / (len(OLD) * len(NEW))
    assert unsmoothed("auc") == pytest.approx(ranked, rel=1e-12)
    # The best classifier is as good whichever of the two the reference is.
    assert unsmoothed("auc", NEW, OLD) == pytest.approx(ranked, rel=1e-12)


def test_smoothing_adds_so_many_rows_to_every_bin_and_to_what_is_missing() -> None:
    """As many bins as there are edges, one beyond the last, and one for what is missing."""
    measure = distance("psi", OLD, smoothing=2.0)
    bins = len(measure.edges) + 2

    def smoothed(column: np.ndarray) -> np.ndarray:
        counts = [*np.histogram(column, [-np.inf, *np.nextafter(measure.edges, np.inf), np.inf])[0], 0]
        return (np.array(counts) + 2.0) / (len(column) + 2.0 * bins)

    # Twice the rows are smoothed half as much.
    for new in (NEW, np.tile(NEW, 2)):
        p, q = smoothed(OLD), smoothed(new)
        assert measure(new) == pytest.approx(float(((q - p) * np.log(q / p)).sum()), rel=1e-12)
    assert measure(OLD) == 0.0


def test_distances_on_values_are_those_of_scipy_whatever_the_sizes() -> None:
    for seed, (n, m) in enumerate([(50, 50), (50, 71), (7, 3)]):
        a, b = np.round(rng(seed).normal(size=n), 1), np.round(rng(seed + 9).normal(0.5, 2.0, size=m), 1)
        assert unsmoothed("ks", a, b) == pytest.approx(ks_2samp(a, b).statistic, rel=1e-12)
        assert unsmoothed("ks", b, a) == pytest.approx(ks_2samp(a, b).statistic, rel=1e-12)
        assert unsmoothed("wasserstein", a, b) == pytest.approx(wasserstein_distance(a, b), rel=1e-12)
        gone = np.append(b, [np.nan, np.nan])
        assert unsmoothed("ks", a, gone) == pytest.approx(ks_2samp(a, b).statistic, rel=1e-12)
        assert unsmoothed("wasserstein", a, gone) == pytest.approx(wasserstein_distance(a, b), rel=1e-12)
        assert unsmoothed("wasserstein", gone, a) == pytest.approx(wasserstein_distance(a, b), rel=1e-12)


def test_distances_on_laws_that_are_no_rows_are_those_of_their_weights() -> None:
    values, weights = np.array([2.0, 1.0, np.nan, 4.0]), np.array([1.0, 2.0, 1.0, 1.0])
    law = law_of_values(values, weights)
    assert law.missing == 0.2
    assert law.cdf(np.array([0.0, 1.0, 1.5, 2.0, 4.0])).tolist() == [0.0, 0.5, 0.5, 0.75, 1.0]
    assert law.support.tolist() == [1.0, 2.0, 4.0]
    plain = np.array([1.0, 3.0, 5.0])
    expected = wasserstein_distance(plain, [2.0, 1.0, 4.0], v_weights=[1.0, 2.0, 1.0])
    assert distance("wasserstein", plain).of(law) == pytest.approx(expected, rel=1e-12)
    assert distance("ks", plain).of(law) == pytest.approx(1 / 2 - 1 / 3 + 1 / 4, abs=1e-12)
    half = mixture(law_of_values(plain), law, 0.5, np.union1d(plain, law.support))
    assert half.missing == pytest.approx(0.1)
    # Half of the rows are the three (0.5), half are the weighted four of which a fifth is missing (0.4).
    assert half.cdf(np.array([1.0]))[0] == pytest.approx((0.5 / 3 + 0.4 * 0.5) / 0.9)
    quarter = mixture(law, law_of_values(plain), 0.25, plain)
    assert quarter.missing == pytest.approx(0.75 * 0.2)
    assert quarter.cdf(np.array([1.0]))[0] == pytest.approx((0.75 * 0.8 * 0.5 + 0.25 / 3) / 0.85)
    gone = Law(np.zeros_like, 1.0, plain[:0])
    assert mixture(gone, gone, 0.5, plain).cdf(plain).tolist() == [0.0, 0.0, 0.0]
    with pytest.raises(BadValue, match="every value is missing"):
        distance("ks", plain)(np.array([np.nan, np.nan]))
    assert distance("psi", plain)(np.array([np.nan, np.nan])) > 0.9


def test_bins_are_the_references_quantiles_and_a_value_that_fills_one_has_its_own() -> None:
    assert frozen_edges(np.arange(1.0, 101.0), 4).tolist() == [25.0, 50.0, 75.0]
    assert frozen_edges(np.arange(1.0, 8.0), 3).tolist() == [3.0, 5.0]
    below = float(np.nextafter(0.0, -np.inf))
    assert frozen_edges(np.repeat([0.0, 1.0, 2.0], [6, 2, 2]), 5).tolist() == [below, 0.0, 1.0]
    assert frozen_edges(np.repeat([0.0, 1.0, 2.0, 3.0], [4, 2, 2, 2]), 5).tolist() == [below, 0.0, 1.0, 2.0]
    assert frozen_edges(np.full(9, 3.0), 4).tolist() == [float(np.nextafter(3.0, -np.inf)), 3.0]
    assert frozen_edges(np.array([1.0, 2.0]), 2).tolist() == [float(np.nextafter(1.0, -np.inf)), 1.0]


def test_a_law_is_thinned_to_the_middles_of_equal_shares() -> None:
    law = law_of_values(np.arange(100.0))
    assert thinned(law, 4).support.tolist() == [12.0, 37.0, 62.0, 87.0]
    assert thinned(law, 100) is law
    assert thinned(law, 99) is not law


def test_text_has_its_most_frequent_levels_the_rest_and_what_was_never_seen() -> None:
    """Of 20 rows, 10 are a, 6 b, 3 c, 1 d: two bins for a and b, one for the rest, one for the unseen, one missing."""
    old = np.array(["a"] * 10 + ["b"] * 6 + ["c"] * 3 + ["d"], dtype=object)
    measure = distance("psi", old, bins=2, smoothing=1.0)
    new = np.array(["a"] * 2 + ["b"] * 3 + ["d"] * 4 + ["new"] * 5 + [None] * 6, dtype=object)
    p = (np.array([10, 6, 4, 0, 0]) + 1.0) / 25
    q = (np.array([2, 3, 4, 5, 6]) + 1.0) / 25
    assert measure(new) == pytest.approx(float(((q - p) * np.log(q / p)).sum()), rel=1e-12)
    assert (measure.levels, measure.rest) == (("a", "b"), ("c", "d"))
    for metric in ("ks", "wasserstein"):
        with pytest.raises(WrongKind, match="text has no order"):
            distance(metric, old)
    with pytest.raises(WrongKind, match="holds text"):
        measure(np.arange(3.0))
    with pytest.raises(WrongKind, match="holds numbers"):
        distance("psi", OLD)(old)


def test_times_and_truths_are_numbers_and_what_is_not_a_time_is_missing() -> None:
    at = np.array(["1970-01-01T00:00:01", "NaT"], dtype="datetime64[s]")
    found = as_numbers(at, "psi")
    assert found[0] == 1.0
    assert math.isnan(found[1])
    assert as_numbers(np.array([True, False]), "psi").tolist() == [1.0, 0.0]


@pytest.mark.parametrize("metric", METRICS)
def test_a_column_is_no_distance_from_itself(metric: str) -> None:
    assert unsmoothed(metric, OLD, OLD) == pytest.approx(0.5 if metric == "auc" else 0.0, abs=1e-12)


def test_the_recipe_of_a_distance_is_checked() -> None:
    assert distance("psi", OLD, bins=2, smoothing=0.0)(OLD) == 0.0
    for wrong in ({"bins": 1}, {"smoothing": -0.1}):
        with pytest.raises(BadValue, match="bins must be 2 or more and smoothing 0 or more"):
            distance("psi", OLD, **wrong)
    for empty in (np.array([]), np.array([np.nan]), np.array([None], dtype=object)):
        with pytest.raises(BadValue, match="no values"):
            distance("psi", empty)

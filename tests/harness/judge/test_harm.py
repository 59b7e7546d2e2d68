"""Harm's statistics against what was published or what another library computes, and its words at their limits."""

import math

import numpy as np
import pytest
from scipy.stats import binomtest, norm

from driftdrill.harness.judge.findings.harm import (
    Z95,
    auc,
    auc_low,
    correct,
    harms,
    is_binary,
    log_loss,
    newcombe,
    quality,
    wilson,
)
from tests.harness.judge.by_hand import BY_NAME, meta, requests

TABLE_II = [
    ((56, 70), (48, 80), (0.0524, 0.3339)),
    ((9, 10), (3, 10), (0.1705, 0.8090)),
    ((6, 7), (2, 7), (0.0582, 0.8062)),
    ((5, 56), (0, 29), (-0.0381, 0.1926)),
    ((0, 10), (0, 20), (-0.1611, 0.2775)),
    ((0, 10), (0, 10), (-0.2775, 0.2775)),
    ((10, 10), (0, 20), (0.6791, 1.0000)),
    ((10, 10), (0, 10), (0.6075, 1.0000)),
]
"""Newcombe, Statistics in Medicine 17 (1998), 873-890, table II (a) to (h): the 95 % limits of method 10."""


@pytest.mark.parametrize(("one", "other", "limits"), TABLE_II)
def test_newcombes_interval_is_that_of_his_own_table(
    one: tuple[int, int], other: tuple[int, int], limits: tuple[float, float]
) -> None:
    assert newcombe(*one, *other) == pytest.approx(limits, abs=5.1e-5)
    assert newcombe(*other, *one) == pytest.approx((-limits[1], -limits[0]), abs=5.1e-5)


def test_newcombes_interval_near_one_is_what_statsmodels_computes() -> None:
    """statsmodels 0.15, confint_proportions_2indep(98, 100, 80, 100, method="newcomb")."""
    assert newcombe(98, 100, 80, 100) == pytest.approx((0.09668646697212537, 0.27000451991368757), rel=1e-12)


@pytest.mark.parametrize("n", [1, 7, 100])
def test_wilsons_interval_is_what_scipy_computes(n: int) -> None:
    for k in range(n + 1):
        theirs = binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert wilson(k, n) == pytest.approx((theirs.low, theirs.high), rel=1e-12, abs=1e-15)
        assert 0.0 <= wilson(k, n)[0] < wilson(k, n)[1] <= 1.0
    assert pytest.approx(norm.ppf(0.975), rel=1e-15) == Z95


def scored(seed: int, n: int = 500) -> tuple[np.ndarray, np.ndarray]:
    """Scores with many ties that know something of their truth."""
    rng = np.random.default_rng(seed)
    truth = (rng.random(n) < 0.3).astype(float)
    return np.round(np.clip(rng.normal(0.4 + 0.2 * truth, 0.2), 0.0, 1.0), 1), truth


@pytest.mark.parametrize("seed", range(3))
def test_auc_and_log_loss_are_what_scikit_learn_computes(seed: int) -> None:
    from sklearn import metrics  # a second, which only the worker that runs this need spend

    score, truth = scored(seed)
    assert auc(score, truth) == pytest.approx(metrics.roc_auc_score(truth, score), rel=1e-12)
    inside = np.clip(score, 0.05, 0.95)
    assert log_loss(inside, truth) == pytest.approx(metrics.log_loss(truth, inside), rel=1e-12)
    gone = np.where(np.arange(len(score)) % 7 == 0, np.nan, inside)
    there = ~np.isnan(gone)
    assert auc(gone.reshape(-1, 2), truth.reshape(-1, 2)) == pytest.approx(
        metrics.roc_auc_score(truth[there], inside[there])
    )
    assert log_loss(gone, truth) == pytest.approx(metrics.log_loss(truth[there], inside[there]))


def test_what_has_no_auc_or_no_log_loss_has_none() -> None:
    score = np.array([0.1, 0.9])
    assert auc(score, np.zeros(2)) is None
    assert auc(score, np.ones(2)) is None
    assert log_loss(np.array([np.nan]), np.ones(1)) is None
    for beyond in (-0.1, 1.1):
        assert log_loss(np.array([0.5, beyond]), np.ones(2)) is None
    # Sure and wrong costs as much as the clipping lets it, 1e-15; sure and right nothing.
    assert log_loss(np.array([0.0]), np.ones(1)) == pytest.approx(-math.log(1e-15))
    assert log_loss(np.array([1.0]), np.zeros(1)) == pytest.approx(-math.log(1e-15), rel=0.01)
    assert log_loss(np.array([0.0, 1.0]), np.array([0.0, 1.0])) == pytest.approx(0.0, abs=1e-14)


def test_the_interval_of_an_auc_is_that_of_hanley_and_mcneils_own_example() -> None:
    """Radiology 143 (1982), 29-36: an area of 0.893 from 51 abnormal and 58 normal images has an error of 0.032."""
    assert (0.893 - auc_low(0.893, 51, 58)) / norm.ppf(0.975) == pytest.approx(0.032, abs=0.0006)


@pytest.mark.parametrize(("area", "positives", "negatives"), [(0.7, 5, 400), (0.7, 400, 5), (0.95, 30, 90)])
def test_the_interval_of_an_auc_follows_from_exponential_scores(area: float, positives: int, negatives: int) -> None:
    """Hanley and McNeil's model, integrated: negatives are Exp(1), positives exponential with the same area."""
    rate = (1 - area) / area
    from scipy.integrate import quad

    two_positives, _ = quad(lambda x: math.exp(-x) * math.exp(-rate * x) ** 2, 0, math.inf)
    two_negatives, _ = quad(lambda y: rate * math.exp(-rate * y) * (1 - math.exp(-y)) ** 2, 0, math.inf)
    variance = (
        area * (1 - area) + (positives - 1) * (two_positives - area**2) + (negatives - 1) * (two_negatives - area**2)
    )
    error = math.sqrt(variance / (positives * negatives))
    assert auc_low(area, positives, negatives) == pytest.approx(area - norm.ppf(0.975) * error, rel=1e-9)


def test_what_is_told_apart_without_an_error_has_no_interval() -> None:
    assert auc_low(1.0, 3, 5) == 1.0


def test_a_decision_is_taken_at_the_threshold_and_an_unanswered_row_is_wrong() -> None:
    nan = np.nan
    binary = correct(np.array([0.5, 0.49, 0.5, 0.49, nan, nan]), np.array([1.0, 1.0, 0.0, 0.0, 0.0, 1.0]), 0.5)
    assert binary.tolist() == [True, False, False, True, False, False]
    other = correct(np.array([2.0, 2.5, nan, 0.0]), np.array([2.0, 2.0, 2.0, 0.0]), 0.5)
    assert other.tolist() == [True, False, False, True]
    assert is_binary(np.array([0.0, 1.0]))
    assert not is_binary(np.array([0.0, 2.0]))


def drilled(right_before: int, right_during: int, n: int = 100, **given: object):
    """The harm of a drill with n rows in the baseline and n under the fault, of which so many are right."""
    at = np.concatenate([np.linspace(300, 899, n), np.linspace(900, 1799, n)])
    right = np.concatenate([np.arange(n) < right_before, np.arange(n) < right_during])
    truth = np.tile([0.0, 1.0], n)
    (harm,) = harms(meta(**given), BY_NAME, requests(at, np.where(right, truth, 1 - truth), truth))
    return harm


def test_harm_is_its_interval_against_the_smallest_that_matters() -> None:
    """98 and 80 of 100: the interval is 0.0967 to 0.2700, so that its ends are where the word changes."""
    harm = drilled(98, 80, smallest_harm=0.0966)
    assert (harm.word, harm.before, harm.during, harm.smallest) == ("HARMFUL", 0.98, 0.80, 0.0966)
    assert harm.drop == pytest.approx((0.0967, 0.2700), abs=5e-5)
    assert (harm.rows_before, harm.rows_during, harm.unanswered) == (100, 100, 0)
    assert drilled(98, 80, smallest_harm=0.0968).word == "INCONCLUSIVE"
    assert drilled(98, 80, smallest_harm=0.2699).word == "INCONCLUSIVE"
    assert drilled(98, 80, smallest_harm=0.2701).word == "HARMLESS"
    low, high = newcombe(98, 100, 80, 100)
    assert drilled(98, 80, smallest_harm=low).word == drilled(98, 80, smallest_harm=high).word == "INCONCLUSIVE"


def test_only_requests_that_the_fault_could_hit_are_compared_with_the_baseline() -> None:
    """A row of each phase's first and last moments, and one in the fault phase that the fault left alone."""
    at = [299.9, 300.0, 899.9, 900.0, 1000.0, 1799.9, 1800.0]
    truth = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    prediction = np.array([1.0, 1.0, 0.0, 0.0, 0.0, np.nan, 1.0])  # wrong: the first, the 900 s, the last two
    strength = np.array([0.0, 0.0, 0.0, 0.01, 0.0, 1.0, 1.0])
    (harm,) = harms(meta(), BY_NAME, requests(at, prediction, truth, strength=strength))
    assert (harm.rows_before, harm.rows_during, harm.unanswered) == (2, 2, 1)
    assert (harm.before, harm.during) == (1.0, 0.0)
    assert harm.drop == pytest.approx(newcombe(2, 2, 0, 2))
    # A fault that is held has no strength of its own for each request: the whole phase counts.
    held = [{"name": n, "held": True, "seam": n} for n in ("page", "scrape")]
    held.append({"name": "outage", "held": True, "seam": "held"})
    (harm,) = harms(meta(faults=held), BY_NAME, requests(at, prediction, truth, strength=strength))
    assert (harm.fault, harm.rows_during, harm.during) == ("outage", 3, 1 / 3)


def test_several_rows_a_request_count_each() -> None:
    from sklearn import metrics

    at, truth = [400.0, 1000.0], [[0.0, 1.0, 1.0], [0.0, 1.0, 1.0]]
    prediction = [[0.1, 0.9, 0.8], [0.9, 0.9, np.nan]]
    (harm,) = harms(meta(rows_per_request=3), BY_NAME, requests(at, prediction, truth))
    assert (harm.rows_before, harm.rows_during, harm.unanswered) == (3, 3, 1)
    assert (harm.before, harm.during) == (1.0, 1 / 3)
    assert harm.drop == pytest.approx(newcombe(3, 3, 1, 3))
    assert harm.details["AUC"] == (1.0, 0.5)
    before, during = harm.details["log loss"]
    assert before == pytest.approx(metrics.log_loss([0, 1, 1], [0.1, 0.9, 0.8]))
    assert during == pytest.approx(metrics.log_loss([0, 1], [0.9, 0.9]))


def test_harm_is_unknown_without_truth_without_a_smallest_harm_and_without_rows() -> None:
    at, answers = [400.0, 1000.0], [0.0, np.nan]
    (harm,) = harms(meta(truth=None), BY_NAME, requests(at, answers))
    assert (harm.word, harm.note, harm.unanswered) == ("UNKNOWN", "the scenario names no truth", 1)
    (harm,) = harms(meta(smallest_harm=None), BY_NAME, requests(at, answers, [0.0, 0.0]))
    assert (harm.word, harm.note) == ("UNKNOWN", "the scenario states no smallest_harm")
    for alone in (400.0, 1000.0):
        (harm,) = harms(meta(), BY_NAME, requests([alone], [0.0], [0.0]))
        assert (harm.word, harm.note, harm.unanswered) == ("UNKNOWN", "no rows to compare", 0)
    (harm,) = harms(meta(), BY_NAME, requests(at, [2.0, 2.0], [2.0, 2.0]))
    assert harm.details == {}


def test_accuracy_is_drawn_over_sixty_windows_with_gaps() -> None:
    at, truth = [0.0, 10.0, 44.9, 45.0, 2699.9, 2700.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    (drawn,) = quality(meta(), requests(at, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0], truth), 2700.0)
    assert (len(drawn.times), drawn.times[0], drawn.times[-1]) == (60, 22.5, 2677.5)
    assert drawn.values[0] == pytest.approx(1 / 3)
    assert drawn.values[1] == 1.0
    assert drawn.values[2:59] == (None,) * 57
    assert drawn.values[59] == 0.5
    assert quality(meta(), requests(at, [1.0] * 6), 2700.0) == ()
    assert quality(meta(), requests([], [], []), 2700.0) == ()

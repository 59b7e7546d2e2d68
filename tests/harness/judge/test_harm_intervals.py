"""Harm's intervals against values that were computed independently, published, or that another library computes."""

from dataclasses import replace
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from scipy import stats

from driftdrill.harness.judge.harm import intervals
from driftdrill.harness.judge.harm.measures import Estimate, Standard, auc, estimate, macro_f1
from driftdrill.harness.judge.harm.rows import Rows
from driftdrill.harness.scenario.measure import Measure

Z95 = float(stats.norm.ppf(0.975))
EXACT: dict[str, Any] = {"abs": 5.1e-11}
"""Ten digits."""


def rows(truth: Any, prediction: Any, strength: Any = None) -> Rows:
    t, p = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    return Rows(np.nan_to_num(t), p, np.isfinite(t), binary=bool(np.isin(t, (0.0, 1.0)).all()), strength=strength)


def measured(name: str, truth: Any, prediction: Any, strength: Any = None) -> Estimate:
    found = rows(truth, prediction, strength)
    return estimate(found, Standard(Measure(name), 0.5, 0.0, np.unique(found.truths)))


def shares(right: Any) -> Estimate:
    """Of rows of truth 1."""
    return measured("accuracy", np.ones(np.shape(right)), right)


def losses(each: Any, strength: Any = None, name: str = "mae") -> Estimate:
    """Of errors."""
    return measured(name, np.zeros(np.shape(each)), each, strength)


I1, J1 = np.meshgrid(np.arange(32), np.arange(2), indexing="ij")
I2, J2 = np.meshgrid(np.arange(24), np.arange(2), indexing="ij")
RIGHT_1 = (7 * I1 + 3 * J1) % 10 < 9
RIGHT_2 = ((7 * I2 + 3 * J2) % 10 < 7) & (I2 != 5) & (I2 != 17)
LOSS_1 = (13 * I1 + 5 * J1) % 11 / 4
LOSS_2 = (13 * I2 + 5 * J2) % 11 / 4 * 1.5 + (I2 % 6 == 0) * 2


@pytest.mark.parametrize(
    ("of", "limits"),
    [
        ((56, 70, 48, 80), (0.0524314724, 0.3338726540)),
        ((9, 10, 3, 10), (0.1705227239, 0.8090179735)),
        ((6, 7, 2, 7), (0.0582279275, 0.8062496375)),
        ((5, 56, 0, 29), (-0.0381371479, 0.1925600139)),
        ((0, 10, 0, 20), (-0.1611251581, 0.2775327999)),
        ((10, 10, 0, 10), (0.6075093504, 1.0)),
        ((600, 600, 594, 600), (0.0016495891, 0.0216435448)),
    ],
)
def test_newcombes_interval_is_what_statsmodels_computes(
    of: tuple[int, int, int, int], limits: tuple[float, float]
) -> None:
    """confint_proportions_2indep(method="newcomb"); the first six, to four digits, are of Newcombe (1998), table II."""
    a, m, b, n = of
    assert intervals.newcombe(a / m, m, b / n, n, Z95) == pytest.approx(limits, **EXACT)
    assert intervals.newcombe(b / n, n, a / m, m, Z95) == pytest.approx((-limits[1], -limits[0]), **EXACT)


@pytest.mark.parametrize("n", [1, 7, 100])
def test_wilsons_interval_is_what_scipy_computes(n: int) -> None:
    for k in range(n + 1):
        theirs = stats.binomtest(k, n).proportion_ci(0.95, method="wilson")
        assert intervals.wilson(k / n, n, Z95) == pytest.approx((theirs.low, theirs.high), rel=1e-12, abs=1e-15)
    assert intervals.wilson(81 / 263, 263, Z95) == pytest.approx((0.2552885199, 0.3662095770), **EXACT)


def test_shares_of_clustered_rows() -> None:
    before, during = shares(RIGHT_1), shares(RIGHT_2)
    assert before.value - during.value == pytest.approx(0.2395833333, **EXACT)
    assert intervals.spread(before) == intervals.Spread(pytest.approx(0.0009765625, **EXACT), 7)
    assert intervals.spread(during) == intervals.Spread(pytest.approx(0.0019841270, **EXACT), 7)
    df = intervals.joint_df(intervals.spread(before), intervals.spread(during))
    assert df == pytest.approx(12.5468972633, **EXACT)
    assert intervals.of_shares(before, during) == pytest.approx((0.1135835912, 0.3520888083), **EXACT)
    assert intervals.of_means(before, during) == pytest.approx((0.1215998971, 0.3575667696), **EXACT)


def test_shares_without_an_error_on_one_side_or_both() -> None:
    before, during = shares(RIGHT_1), shares(RIGHT_2)
    all_1, all_2, none_2 = shares(np.ones((32, 2))), shares(np.ones((24, 2))), shares(np.zeros((24, 2)))
    assert intervals.of_shares(all_1, all_2) == pytest.approx((-0.1487425511, 0.1889548588), **EXACT)
    assert intervals.of_shares(all_1, during) == pytest.approx((0.2087792553, 0.4443573929), **EXACT)
    assert intervals.of_shares(before, before) == pytest.approx((-0.1009866321, 0.1009866321), **EXACT)
    assert intervals.of_shares(before, none_2) == pytest.approx((0.7615606199, 0.9574305668), **EXACT)


def blocks(each: Any, edges: list[int]) -> list[float]:
    return [float(np.mean(each[a:b])) for a, b in pairwise(edges)]


def test_means_are_welchs_t_on_the_means_of_eight_blocks() -> None:
    before, during = losses(LOSS_1), losses(LOSS_2)
    assert intervals.of_means(before, during) == pytest.approx((-1.3243230958, -0.5142185709), **EXACT)
    theirs = stats.ttest_ind(
        blocks(LOSS_1, list(range(0, 33, 4))), blocks(LOSS_2, list(range(0, 25, 3))), equal_var=False
    ).confidence_interval()
    assert intervals.of_means(before, during) == pytest.approx((theirs.low, theirs.high), rel=1e-12)
    # Twenty requests are no eight equal blocks.
    assert intervals.of_means(losses(LOSS_1[:20]), during) == pytest.approx((-1.3206469868, -0.5022696798), **EXACT)


def test_what_follows_the_strength_is_no_noise() -> None:
    ramp = losses(LOSS_2, np.minimum(1.0, np.arange(24) / 12))
    assert intervals.spread(ramp) == intervals.Spread(pytest.approx(0.0329962493, **EXACT), 6)
    assert intervals.of_means(losses(LOSS_1), ramp) == pytest.approx((-1.3661736202, -0.4723680465), **EXACT)
    assert intervals.spread(losses(LOSS_2, np.ones(24))) == intervals.spread(losses(LOSS_2))


def test_root_mean_squares_and_ratios() -> None:
    before, during = losses(LOSS_1, name="rmse"), losses(LOSS_2, name="rmse")
    assert before.value - during.value == pytest.approx(-1.0587833251, **EXACT)
    assert intervals.of_means(before, during) == pytest.approx((-1.4322610581, -0.6853055921), **EXACT)
    assert intervals.ratio(losses(LOSS_1), losses(LOSS_2)) == pytest.approx((1.4126621062, 2.0967764988), **EXACT)
    assert intervals.ratio(losses(LOSS_1 * 0), losses(LOSS_2)) is None
    noise = np.where(I1 < 4, 100.0, 0.0)
    assert intervals.ratio(losses(noise), losses(LOSS_2)) is None, "a baseline that may be 0 bounds no ratio"


TRUTH_1, TRUTH_2 = (5 * I1 + 2 * J1) % 7 < 2, (5 * I2 + 2 * J2) % 7 < 2
SCORE_1, SCORE_2 = (3 * I1 + 4 * J1) % 9 + 3 * TRUTH_1, (3 * I2 + 4 * J2) % 9 + np.floor(1.5 * TRUTH_2)


def both(before: Estimate, during: Estimate, limits: Any) -> tuple[float, float]:
    q = intervals.student(intervals.joint_df(intervals.spread(before), intervals.spread(during)))
    return intervals.mover(before.value, limits(before, q), during.value, limits(during, q))


def test_areas_on_the_logit_and_by_newcombes_method_5() -> None:
    before = auc(rows(TRUTH_1, SCORE_1))
    assert (before.value, before.pairs, before.rarest) == (pytest.approx(0.7432748538011696), (19, 45), 19)
    whole = auc(rows(TRUTH_2, SCORE_2))
    gone = auc(rows(TRUTH_2, np.where(I2 == 4, np.nan, SCORE_2)))
    assert whole.value == pytest.approx(0.6239495798319328, rel=1e-12)
    assert gone.value == pytest.approx(0.5357142857142857, rel=1e-12)
    for during, limits, expected in (
        (whole, intervals.logit_area, (-0.0958855610, 0.3149036540)),
        (whole, intervals.score_area, (-0.1117612770, 0.3456055488)),
        (gone, intervals.logit_area, (-0.0661609163, 0.4640819428)),
        (gone, intervals.score_area, (-0.0582653737, 0.4532846100)),
    ):
        assert both(before, during, limits) == pytest.approx(expected, **EXACT)
    # Both phases have a class in fewer than 20 requests.
    assert intervals.of_areas(before, gone) == pytest.approx((-0.0582653737, 0.4532846100), **EXACT)
    many = replace(before, rarest=20), replace(whole, rarest=20)
    assert intervals.of_areas(*many) == pytest.approx((-0.0958855610, 0.3149036540), **EXACT)


def test_method_5_of_one_area() -> None:
    assert intervals.method_5(1.0, 12, 20, Z95) == pytest.approx((0.8651232424, 1.0), **EXACT)
    assert intervals.method_5(0.8, 12, 20, Z95) == pytest.approx((0.5947515853, 0.9105717667), **EXACT)
    assert intervals.method_5(0.0, 12, 20, Z95) == pytest.approx((0.0, 1 - 0.8651232424), **EXACT)


def test_the_influences_on_an_area_are_delongs() -> None:
    """Rows as independent: the variance of DeLong, DeLong and Clarke-Pearson (1988)."""
    one = auc(rows(TRUTH_1.reshape(-1, 1), SCORE_1.reshape(-1, 1)))
    of = [one.influence[TRUTH_1.ravel() == t] for t in (True, False)]
    variance = sum(float((x**2).sum()) * len(x) / (len(x) - 1) for x in of)
    assert variance == pytest.approx(0.0043267392, **EXACT)
    assert one.influence.sum() == pytest.approx(0.0, abs=1e-15)


def test_macro_f1_of_three_classes() -> None:
    t1, t2 = (5 * I1 + 2 * J1) % 3, (5 * I2 + 2 * J2) % 3
    p1 = np.where((7 * I1 + 3 * J1) % 10 >= 9, (t1 + 1) % 3, t1)
    p2 = np.where((7 * I2 + 3 * J2) % 10 >= 7, (t2 + 1) % 3, t2)
    before = macro_f1(rows(t1, p1), np.arange(3.0))
    during = macro_f1(rows(t2, np.where(I2 == 4, np.nan, p2)), np.arange(3.0))
    assert before.value == pytest.approx(0.9062049062049061, rel=1e-12)
    assert during.value == pytest.approx(0.7012056044314109, rel=1e-12)
    assert intervals.spread(before).variance == pytest.approx(0.0009715070, **EXACT)
    assert intervals.spread(during).variance == pytest.approx(0.0008812623, **EXACT)
    assert intervals.of_means(before, during) == pytest.approx((0.1126589669, 0.2973396366), **EXACT)


@pytest.mark.parametrize("df", [1.0, 6.0, 7.5, 14.0])
def test_students_t_is_scipys(df: float) -> None:
    assert intervals.student(df) == pytest.approx(float(stats.t.ppf(0.975, df)), rel=1e-12)
    assert intervals.student(df, 0.001) == pytest.approx(float(stats.t.ppf(0.999, df)), rel=1e-9)


def test_dependence_longer_than_a_block_is_seen() -> None:
    slow = np.repeat([0.0, 1.0, 0.0, 1.0], 30)[:, None]
    assert intervals.lag_1(losses(slow)) > 0.9
    assert intervals.outlasts_blocks(losses(slow))
    assert not intervals.outlasts_blocks(losses(LOSS_1))
    assert intervals.lag_1(losses(slow * 0)) == 0.0
    assert not intervals.outlasts_blocks(losses(slow * 0))


def test_a_few_requests_that_make_up_the_loss_are_seen() -> None:
    burst = np.ones((200, 1))
    burst[7] = 1000.0
    assert abs(intervals.skewness(losses(burst), losses(np.ones((200, 1))))) > 0.9
    assert intervals.skewness(losses(burst), losses(burst)) == 0.0
    assert intervals.skewness(losses(burst * 0), losses(burst * 0)) == 0.0

"""Sizes: reached to 1 % in population, or refused with what can be reached and what would reach it."""

import math

import numpy as np
import pytest
from scipy.stats import norm

from driftdrill.shift_generators import (
    METRICS,
    BadValue,
    Generator,
    TooFewEffective,
    Unreachable,
    affine,
    clipped,
    correlation_break,
    distance,
    domain_auc,
    equals,
    gaussian_noise,
    in_order,
    mcar,
    mean_shift,
    novel_category,
    on_fraction,
    on_slice,
    outliers,
    prior,
    quantile_warp,
    realised,
    rescale,
    scale,
    selection,
    sized,
    sized_by,
    subgroup,
    tilt,
    wrong_join,
)
from driftdrill.shift_generators.size.laws import simulated
from tests.shift_generators.examples import rng

N = 40_000
R = rng(42)
X = R.standard_normal(N)
ROWS = {
    "x": X,
    "money": np.exp(X),
    "gaps": np.where(R.random(N) < 0.2, np.nan, R.normal(5.0, 2.0, N)),
    "whole": np.rint(R.normal(5000.0, 1000.0, N)).astype(np.int64),
    "few": R.integers(0, 8, N),
    "zeros": np.where(R.random(N) < 0.5, 0.0, R.exponential(10.0, N)),
    "constant": np.full(N, 3.0),
    "level": R.choice(["a", "b", "c"], N, p=[0.6, 0.3, 0.1]),
    "y": (R.random(N) < 1 / (1 + np.exp(-2 * X))).astype(np.int64),
}
TARGETS = {"psi": 0.25, "ks": 0.15, "wasserstein": 0.4, "hellinger": 0.15, "jensen_shannon": 0.15, "auc": 0.6}
MAPS = [
    mean_shift("x"), mean_shift("x", by=-1.0), scale("x"), scale("money", by=0.9), affine("money", by=1.1, offset=0.5),
    quantile_warp("money"), mean_shift("gaps"), quantile_warp("gaps", power=0.5), mean_shift("whole", by=100.0),
]  # fmt: skip
SHARES = [
    on_fraction(mean_shift("x", by=3.0)), rescale("money", by=60), outliers("x", rate=0.05), clipped("x", upper=-1.0),
    on_slice(clipped("x", upper=-2.0), where=equals("level", "a", "b")),
]  # fmt: skip


@pytest.mark.parametrize("generator", MAPS, ids=repr)
@pytest.mark.parametrize("metric", METRICS)
def test_a_map_reaches_every_size_on_its_reference(generator: Generator, metric: str) -> None:
    column = generator.columns[0]
    if (metric, column) == ("wasserstein", "whole"):
        target = 12.0
    elif metric == "wasserstein" and repr(generator).startswith("scale('money'"):
        target = 0.05
    else:
        target = TARGETS[metric]
    if repr(generator).startswith("scale('money', by=0.9") and metric == "auc":
        target = 0.55
    found = sized(generator, **{metric: target}).solve(ROWS)
    size = distance(metric, ROWS[column])(found(ROWS, 1.0, rng(1))[column])
    assert _off(metric, size, target) < 0.01


@pytest.mark.parametrize("generator", SHARES, ids=repr)
@pytest.mark.parametrize("metric", METRICS)
def test_a_share_reaches_every_size_in_population(generator: Generator, metric: str) -> None:
    """Sampling aside: twenty applications together are as near as their scatter lets them be."""
    column, target = generator.columns[0], TARGETS[metric]
    found = sized(generator, **{metric: target}).solve(ROWS)
    many = np.concatenate([out[column] for out in simulated(found, ROWS, rng(2), repeats=20)])
    assert _off(metric, distance(metric, ROWS[column], smoothing=0.0)(many), target) < 0.02


def _off(metric: str, size: float, target: float) -> float:
    floor = 0.5 if metric == "auc" else 0.0
    return abs(size - target) / (target - floor)


def test_a_mean_shift_of_a_normal_column_has_the_analytic_size() -> None:
    """The solved shift, put into the normal's own formula, gives the size that was asked for."""
    edges = np.concatenate([[-np.inf], norm.ppf(np.arange(1, 10) / 10), [np.inf]])
    by = sized(mean_shift("x"), psi=0.25).solve(ROWS).gain
    q = np.diff(norm.cdf(edges - by))
    assert float(((q - 0.1) * np.log(q / 0.1)).sum()) == pytest.approx(0.25, rel=0.03)
    by = sized(mean_shift("x"), ks=0.2).solve(ROWS).gain
    assert 2 * norm.cdf(by / 2) - 1 == pytest.approx(0.2, rel=0.03)
    assert sized(mean_shift("x"), wasserstein=0.3).solve(ROWS).gain == pytest.approx(0.3, rel=1e-3)


def test_the_best_classifiers_area_under_a_tilt_has_its_closed_form() -> None:
    found = sized(tilt("x", theta=1.0), auc=0.6, bins=200).solve(ROWS)
    theta = float(repr(found).rsplit("theta=")[-1].rstrip(")"))
    assert 1 / (1 - math.exp(-theta)) - 1 / theta == pytest.approx(0.6, rel=0.002)


@pytest.mark.parametrize("metric", METRICS)
def test_a_tilt_reaches_every_size(metric: str) -> None:
    for column in ("x", "gaps", "few", "zeros"):
        scatter = 0.05 if column in ("few", "zeros") else 0.03
        target = TARGETS[metric] if metric != "auc" else 0.58
        found = sized(tilt(column), **{metric: target}).solve(ROWS)
        many = np.concatenate([out[column] for out in simulated(found, ROWS, rng(3), repeats=10)])
        assert _off(metric, distance(metric, ROWS[column])(many), target) < scatter


def test_a_tilt_of_one_column_can_be_sized_on_another() -> None:
    found = sized(tilt("x"), psi=0.25, on="money").solve(ROWS)
    assert distance("psi", ROWS["money"])(found(ROWS, 1.0, rng(4))["money"]) == pytest.approx(0.25, rel=0.05)


def test_noise_and_compositions_are_solved_by_simulation() -> None:
    for generator in (gaussian_noise("x"), in_order(mean_shift("x", by=2.0), mcar("x", rate=0.1))):
        found = sized(generator, psi=0.2, on="x").solve(ROWS)
        assert distance("psi", ROWS["x"])(found(ROWS, 1.0, rng(5))["x"]) == pytest.approx(0.2, rel=0.03)


def test_resamplings_and_categories_are_sized_by_their_share() -> None:
    cases = [
        (prior("y", {1: 0.95}), "y"), (selection(equals("level", "a")), "level"),
        (subgroup(equals("level", "c"), share=0.9), "level"), (novel_category("level"), "level"),
        (mcar("level"), "level"),
    ]  # fmt: skip
    for generator, column in cases:
        found = sized(generator, psi=0.25, on=column).solve(ROWS)
        assert distance("psi", ROWS[column])(found(ROWS, 1.0, rng(6))[column]) == pytest.approx(0.25, rel=0.06)


@pytest.mark.parametrize("column", ["few", "zeros", "constant"])
def test_a_map_that_jumps_over_the_size_is_refused_with_a_mixture_that_reaches_it(column: str) -> None:
    with pytest.raises(Unreachable, match=f"psi on column '{column}' jumps from .* to .*, past 0.25") as refused:
        sized(mean_shift(column), psi=0.25).solve(ROWS)
    low, high = refused.value.attainable
    assert low < 0.25 * 0.99
    assert high > 0.25 * 1.01
    assert refused.value.hint is not None
    assert "on_fraction(mean_shift" in refused.value.hint
    out = refused.value.alternative(ROWS, np.ones(N), rng(7))
    assert distance("psi", ROWS[column])(out[column]) == pytest.approx(0.25, rel=0.05)


def test_a_size_beyond_the_generators_reach_is_refused_with_its_largest_and_another_generator() -> None:
    with pytest.raises(Unreachable, match=r"ks on column 'x' reaches 0\.5\d* at most") as refused:
        sized(outliers("x", rate=0.01), ks=0.9).solve({**ROWS, "x": np.where(X > 2.3, X, -50.0 + X)})
    assert refused.value.attainable[0] == 0.0
    assert "reaches it" in str(refused.value.hint)


def test_a_size_is_met_to_one_percent_and_what_comes_no_nearer_is_refused() -> None:
    """Every row shifted by 3 is 3 away: more of it cannot be had, and 1 % less than was asked for is near enough."""
    generator = on_fraction(mean_shift("x", by=3.0))
    reach = 3.0
    found = sized(generator, wasserstein=reach / 0.9905).solve(ROWS)
    assert distance("wasserstein", ROWS["x"])(found(ROWS, 1.0, rng(13))["x"]) == pytest.approx(reach, rel=1e-6)
    for target in (reach / 0.9895, reach / 0.95):
        with pytest.raises(Unreachable, match=r"reaches 3\S* at most") as refused:
            sized(generator, wasserstein=target).solve(ROWS)
        assert refused.value.attainable == pytest.approx((0.0, reach), rel=1e-4)


def test_a_size_between_two_jumps_is_met_to_one_percent_or_refused() -> None:
    """Eight values of equal share: a shift of less than one step is a KS of 1/8, of more 2/8; nothing lies between."""
    rows = {"step": np.repeat(np.arange(8.0), 1000)}
    away = distance("ks", rows["step"])
    for target in (0.125 / 1.0095, 0.125 / 0.9905, 0.25 / 1.0095):
        found = sized(mean_shift("step"), ks=target).solve(rows)
        assert away(found(rows, 1.0, rng(14))["step"]) == pytest.approx(target, rel=0.01)
    for target in (0.125 / 0.9895, 0.125 / 0.95, 0.25 / 1.05, 0.25 / 1.0105):
        with pytest.raises(Unreachable, match=r"jumps from 0\.125 to 0\.25") as refused:
            sized(mean_shift("step"), ks=target).solve(rows)
        assert refused.value.attainable == pytest.approx((0.125, 0.25), abs=1e-3)


def test_an_effective_sample_that_is_too_small_is_an_error_that_names_the_remedy() -> None:
    rare = {"flag": np.arange(N) < 40, "x": X}
    with pytest.raises(TooFewEffective, match="effective rows of 40000") as refused:
        subgroup(equals("flag", True), share=0.9).solve(rare)
    assert "use a map" in str(refused.value.hint)
    assert refused.value.effective < 0.05 * N
    with pytest.raises(TooFewEffective):
        tilt("x", theta=60.0).solve(ROWS)
    with pytest.raises(TooFewEffective, match="no row of the reference"):
        prior("y", {2: 0.5}).solve(ROWS)


def test_the_accuracy_that_is_asked_for_is_lost() -> None:
    def scorer(batch: dict[str, np.ndarray]) -> np.ndarray:
        return (batch["x"] > 0).astype(np.int64)

    before = (scorer(ROWS) == ROWS["y"]).mean()
    for generator in (mean_shift("x"), wrong_join("x"), tilt("x", theta=-1.0), gaussian_noise("x")):
        drop = 0.002 if generator.id == "shift.tilt" else 0.05
        try:
            found = sized(generator, accuracy_drop=drop, scorer=scorer, truth="y").solve(ROWS)
        except Unreachable:
            assert generator.id == "shift.tilt"
            continue
        out = found(ROWS, 1.0, rng(8))
        assert before - (scorer(out) == out["y"]).mean() == pytest.approx(drop, rel=0.15)


def test_a_domain_classifier_sees_a_wrong_join_that_no_marginal_shows() -> None:
    rows = {"x": X, "twin": X + R.normal(0, 0.3, N), "other": R.normal(0, 1, N)}
    assert domain_auc(rows, {name: column[::-1] for name, column in rows.items()}) == pytest.approx(0.5, abs=0.02)
    for generator in (wrong_join("x"), correlation_break("x", "twin")):
        found = sized(generator, domain_auc=0.7).solve(rows)
        out = found(rows, 1.0, rng(9))
        assert distance("psi", rows["x"])(out["x"]) == 0.0
        assert domain_auc(rows, out) == pytest.approx(0.7, abs=0.02)


def test_a_distance_of_ones_own_with_its_own_reference_can_be_asked_for() -> None:
    last_year = R.normal(0.2, 1.0, 50_000)
    measure = distance("psi", last_year, bins=20)
    found = sized_by(mean_shift("x"), measure, 0.3).solve(ROWS)
    assert measure(found(ROWS, 1.0, rng(10))["x"]) == pytest.approx(0.3, rel=0.01)

    def total_variation(p: np.ndarray, q: np.ndarray) -> float:
        return float(np.abs(p - q).sum() / 2)

    found = sized_by(scale("x"), total_variation, 0.1).solve(ROWS)
    assert distance(total_variation, ROWS["x"])(found(ROWS, 1.0, rng(10))["x"]) == pytest.approx(0.1, rel=0.01)


def test_an_unsolved_size_solves_against_the_batch_it_is_given() -> None:
    out = sized(mean_shift("x"), psi=0.25)(ROWS, np.ones(N), rng(11))
    assert distance("psi", ROWS["x"])(out["x"]) == pytest.approx(0.25, rel=0.01)


def test_an_application_reports_its_size_under_every_metric() -> None:
    found = sized(tilt("x"), psi=0.25).solve(ROWS)
    report = realised(found, ROWS, found(ROWS, 1.0, rng(12)))
    assert report["x"].psi == pytest.approx(0.25, rel=0.05)
    assert report["x"].ks == pytest.approx(0.213, abs=0.01)
    assert report["x"].hellinger == pytest.approx(0.175, abs=0.01)
    assert report["level"].ks is None
    assert report["gaps"].missing == pytest.approx(0.2, abs=0.01)
    assert report.effective / N == pytest.approx(0.80, abs=0.01)
    assert report.largest_weight == pytest.approx(2.15, abs=0.05)
    hit = realised(mcar("x", rate=0.1), ROWS, mcar("x", rate=0.1)(ROWS, 1.0, rng(12)))
    assert hit["x"].missing == hit["x"].changed == 0.1
    assert hit.effective == N
    assert hit.largest_weight == 1.0


def test_a_value_that_fills_a_bin_is_left_to_either_side() -> None:
    for column in ("constant", "zeros", "few"):
        away = distance("psi", ROWS[column])
        assert away(ROWS[column]) < 1e-6
        assert away(ROWS[column] - 0.01) > 1
        assert away(ROWS[column] + 0.01) > 1


def test_missing_values_are_a_bin_and_unseen_levels_too() -> None:
    gone = distance("psi", ROWS["x"])(np.full(100, np.nan))
    assert gone > 5
    level = distance("psi", ROWS["level"])
    assert level(np.array(["a", "new"] * 50)) > level(np.array(["a", "a", "a", "a", "a", "a", "b", "b", "b", "c"] * 10))
    assert level(np.array(["a", None] * 50, dtype=object)) > 1


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: sized(mean_shift("x")),
        lambda: sized(mean_shift("x"), psi=0.1, ks=0.1),
        lambda: sized(mean_shift("x"), psi=-0.1),
        lambda: sized(mean_shift("x"), psi=0.0),
        lambda: sized(mean_shift("x"), psi=float("nan")),
        lambda: sized(mean_shift("x"), ks=1.5),
        lambda: sized(mean_shift("x"), auc=0.4),
        lambda: sized(mean_shift("x"), accuracy_drop=0.1),
        lambda: sized(sized(mean_shift("x"), psi=0.1), psi=0.2),
        lambda: sized(selection(equals("level", "a")), psi=0.1),
        lambda: sized(mean_shift("x"), psi=0.1, on="wat").solve(ROWS),
        lambda: distance("pis", X),
        lambda: distance("psi", X, bins=1),
        lambda: distance("psi", np.full(3, np.nan)),
        lambda: distance("psi", X)(X[:0]),
    ],
)
def test_a_size_that_means_nothing_is_refused(wrong: object) -> None:
    with pytest.raises(BadValue):
        wrong()  # type: ignore[operator]


def test_bins_and_smoothing_are_those_that_were_asked_for() -> None:
    for asked in ({"bins": 3}, {"smoothing": 4000.0}):
        found = sized(mean_shift("x"), psi=0.25, **asked).solve(ROWS)  # type: ignore[arg-type]
        (new,) = (out["x"] for out in simulated(found, ROWS, rng(), repeats=1))
        assert distance("psi", X, **asked)(new) == pytest.approx(0.25, rel=0.01)  # type: ignore[arg-type]
        assert distance("psi", X)(new) != pytest.approx(0.25, rel=0.05)


def test_a_share_or_a_tilt_lowers_accuracy_as_asked_by_the_rows_own_weights() -> None:
    """Accuracy falls from 1 by the share of rows whose level is new, and under a tilt by the weights alone."""

    def knows_a(batch: dict[str, np.ndarray]) -> np.ndarray:
        return np.where(batch["level"] == "a", batch["y"], 1 - batch["y"])

    found = sized(novel_category("level"), accuracy_drop=0.3, scorer=knows_a, truth="y").solve(ROWS)
    assert found.gain == pytest.approx(0.3 / np.mean(ROWS["level"] == "a"), rel=0.01)

    def knows_1(batch: dict[str, np.ndarray]) -> np.ndarray:
        return np.ones(len(batch["y"]), np.int64)

    tilted = sized(tilt("x", theta=-1.0), accuracy_drop=0.1, scorer=knows_1, truth="y").solve(ROWS)
    assert tilted.weigh is not None
    weights = tilted.weigh(ROWS)
    assert np.mean(ROWS["y"]) - np.average(ROWS["y"], weights=weights) == pytest.approx(0.1, rel=0.01)

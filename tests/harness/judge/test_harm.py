"""Harm's words at their limits: what is compared with what, what counts as unanswered, and when nothing can be told."""

import math
from typing import Any

import numpy as np
import pytest

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.judge.harm.harm import harms, quality
from driftdrill.harness.judge.harm.intervals import newcombe
from driftdrill.harness.judge.harm.measures import constant_estimate, correct, estimate, midranks, standard
from driftdrill.harness.judge.harm.right_model import checked
from driftdrill.harness.judge.harm.rows import Rows
from driftdrill.harness.judge.harm.segments import holm
from driftdrill.harness.scenario.measure import (
    Measure,
    brier,
    close_to,
    log_loss,
    macro_f1,
    mae,
    percent,
    pinball,
    rmse,
)
from driftdrill.reports.data.verdict import Harm
from tests.harness.judge.by_hand import BY_NAME, meta, requests

MEASURES = {"mae": mae, "rmse": rmse, "brier": brier, "log loss": log_loss, "close": close_to(10 * percent)}


def rows(truth: Any, prediction: Any) -> Rows:
    t, p = np.asarray(truth, dtype=np.float64), np.asarray(prediction, dtype=np.float64)
    shape = (-1, 1) if t.ndim == 1 else t.shape
    known = np.isfinite(t.reshape(shape))
    binary = bool(np.isin(t[np.isfinite(t)], (0.0, 1.0)).all())
    return Rows(np.nan_to_num(t.reshape(shape)), p.reshape(shape), known, binary=binary)


def value(measure: Measure, truth: Any, prediction: Any, threshold: float = 0.5) -> float:
    found = rows(truth, prediction)
    return estimate(found, standard(measure, found, threshold)).value


def constant(measure: Measure, truth: Any) -> float:
    """What the best constant scores."""
    found = rows(truth, truth)
    return constant_estimate(found, standard(measure, found, 0.5)).value


def test_measures_are_what_scikit_learn_computes() -> None:
    from sklearn import metrics  # a second, which only the worker that runs this need spend

    rng = np.random.default_rng(3)
    truth = (rng.random(500) < 0.3).astype(float)
    score = np.clip(np.round(rng.normal(0.4 + 0.2 * truth, 0.2), 1), 0.05, 0.95)
    size, guess = rng.lognormal(2, 1, 500), rng.lognormal(2, 1, 500)
    kind, said = rng.integers(0, 4, 500), rng.integers(0, 4, 500)
    assert value(Measure("auc"), truth, score) == pytest.approx(metrics.roc_auc_score(truth, score), rel=1e-12)
    assert value(log_loss, truth, score) == pytest.approx(metrics.log_loss(truth, score), rel=1e-12)
    assert value(brier, truth, score) == pytest.approx(metrics.brier_score_loss(truth, score), rel=1e-12)
    assert value(mae, size, guess) == pytest.approx(metrics.mean_absolute_error(size, guess), rel=1e-12)
    assert value(rmse, size, guess) == pytest.approx(metrics.mean_squared_error(size, guess) ** 0.5, rel=1e-12)
    assert value(pinball(0.9), size, guess) == pytest.approx(metrics.mean_pinball_loss(size, guess, alpha=0.9))
    assert value(macro_f1, kind, said) == pytest.approx(metrics.f1_score(kind, said, average="macro"), rel=1e-12)
    assert value(Measure("accuracy"), kind, said) == pytest.approx(metrics.accuracy_score(kind, said))
    assert value(pinball(0.9), [5, 7, 9], [6, 6, 9]) == pytest.approx(1 / 3)


@pytest.mark.parametrize(
    ("measure", "truth", "prediction", "expected"),
    [
        (Measure("accuracy"), [0, 1], [0, np.nan], 0.5),
        (Measure("auc"), [0, 1, 1], [0.1, 0.9, np.nan], 0.5),
        (Measure("auc"), [0, 0, 1], [0.1, np.nan, 0.9], 0.5),
        (brier, [0, 1], [0, np.nan], 0.5),
        (brier, [0, 1], [0, 700], 0.5),
        (close_to(1), [5, 5], [5.9, np.nan], 0.5),
        (mae, [0, 2, 10], [0, 2, np.nan], 8 / 3),
        (log_loss, [0, 1], [0, np.nan], math.log(2) / 2),
        (log_loss, [0, 1], [0, 700], math.log(2) / 2),
        (macro_f1, [0, 1, 1], [0, 1, np.nan], (1 + 2 / 3) / 2),
        (macro_f1, [0, 2, 2], [0, 2, 7], (1 + 2 / 3) / 2),
    ],
)
def test_what_an_unanswered_row_counts_as(measure: Measure, truth: Any, prediction: Any, expected: float) -> None:
    """Wrong, ranked last, a Brier score of 1, or what the best constant costs: 2 is the median of 0, 2, 10."""
    assert value(measure, truth, prediction) == pytest.approx(expected, abs=1e-9)


def test_a_percentage_of_a_truth_of_0_is_0_and_the_last_bit_decides_nothing() -> None:
    near = close_to(10 * percent)
    assert [value(near, [t], [p]) for t, p in ((0, 0), (0, 1e-9), (10, 11), (10, 11.1), (-10, -9))] == [1, 0, 1, 0, 1]
    assert value(close_to(0.1), [1.0], [1.1]) == 1.0


@pytest.mark.parametrize(
    ("measure", "truth", "expected"),
    [
        (Measure("accuracy"), [2, 2, 5], 2 / 3),
        (Measure("accuracy"), [0, 0, 1], 2 / 3),
        (mae, [0, 2, 10], 10 / 3),
        (rmse, [0, 4], 2.0),
        (brier, [0, 0, 0, 1], 3 / 16),
        (log_loss, [0, 1], math.log(2)),
        (close_to(1), [0, 1, 2, 9], 3 / 4),
        (close_to(10 * percent), [9, 11, 100], 2 / 3),
        (macro_f1, [0, 0, 1], 0.4),
        (pinball(0.5), [0, 2, 10], 5 / 3),
    ],
)
def test_the_best_constant_of_each_measure(measure: Measure, truth: Any, expected: float) -> None:
    assert constant(measure, truth) == pytest.approx(expected)


def test_a_decision_is_taken_at_the_threshold_and_an_unanswered_row_is_wrong() -> None:
    nan = np.nan
    scores, truth = np.array([0.5, 0.49, 0.5, 0.49, nan, nan]), np.array([1.0, 1.0, 0.0, 0.0, 0.0, 1.0])
    assert correct(scores, truth, 0.5, binary=True).tolist() == [True, False, False, True, False, False]
    other = correct(np.array([2.0, 2.5, nan, 0.0]), np.array([2.0, 2.0, 2.0, 0.0]), 0.5, binary=False)
    assert other.tolist() == [True, False, False, True]
    # A recording holds seven digits of what is no whole number, and every digit of what is.
    seven = correct(np.array([0.1234568, 12345678.0]), np.array([0.12345678, 12345679.0]), 0.5, binary=False)
    assert seven.tolist() == [True, False]
    assert midranks(np.array([3.0, 1.0, 3.0])).tolist() == [2.5, 1.0, 2.5]


def drilled(right_before: int, right_during: int, n: int = 104, **given: object) -> Harm:
    """The harm of a drill with n rows in each phase, so many of them right, spread evenly over eight blocks."""
    at = np.concatenate([np.linspace(300, 899, n), np.linspace(900, 1799, n)])
    right = np.concatenate([np.arange(n) * k // n != (np.arange(n) + 1) * k // n for k in (right_before, right_during)])
    truth = np.tile([0.0, 1.0], n)
    (harm,) = harms(meta(**given), BY_NAME, requests(at, np.where(right, truth, 1 - truth), truth))
    return harm


def test_harm_is_its_interval_against_the_smallest_that_matters() -> None:
    """Neither share varies between blocks, so that a request counts as one: Newcombe's interval with t for z."""
    harm = drilled(96, 80, smallest_harm=0.02)
    assert (harm.word, harm.smallest, harm.unit, harm.score) == ("HARMFUL", 0.02, "share", True)
    assert (harm.before, harm.during) == (96 / 104, 80 / 104)
    assert (harm.rows_before, harm.rows_during, harm.unanswered) == (104, 104, 0)
    low, high = harm.drop or (0.0, 0.0)
    assert (low, high) == pytest.approx(newcombe(96 / 104, 104, 80 / 104, 104, 2.3646), abs=1e-4)
    for smallest, word in ((low, "INCONCLUSIVE"), (low - 1e-6, "HARMFUL"), (high, "INCONCLUSIVE")):
        assert drilled(96, 80, smallest_harm=smallest).word == word
    assert drilled(96, 80, smallest_harm=high + 1e-6).word == "HARMLESS"


def test_only_requests_that_the_fault_could_hit_are_compared_with_the_baseline() -> None:
    """A row of each phase's first and last moments, and one in the fault phase that the fault left alone."""
    at = [299.9, 300.0, 899.9, 900.0, 1000.0, 1799.9, 1800.0]
    truth = np.array([0.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.0])
    prediction = np.array([1.0, 1.0, 0.0, 0.0, 0.0, np.nan, 1.0])  # wrong: the first, the 900 s, the last two
    strength = np.array([0.0, 0.0, 0.0, 0.01, 0.0, 1.0, 1.0])
    (harm,) = harms(meta(), BY_NAME, requests(at, prediction, truth, strength=strength))
    assert (harm.rows_before, harm.rows_during, harm.unanswered) == (2, 2, 1)
    assert (harm.word, harm.before, harm.during) == ("INCONCLUSIVE", 1.0, 0.0)
    assert harm.note == "a phase has 2 requests with known truth; at least 8 are needed for an interval"
    # A fault that is held has no strength of its own for each request: the whole phase counts.
    held = [{"name": n, "held": True, "seam": n} for n in ("page", "scrape")]
    held.append({"name": "outage", "held": True, "seam": "held"})
    (harm,) = harms(meta(faults=held), BY_NAME, requests(at, prediction, truth, strength=strength))
    assert (harm.fault, harm.rows_during, harm.during) == ("outage", 3, 1 / 3)


def phases(n: int = 200) -> tuple[Any, Any]:
    """Moments of n requests in the baseline and n under the fault, and which are under it."""
    at = np.concatenate([np.linspace(300, 899, n), np.linspace(900, 1799, n)])
    return at, at >= 900


def harm_of(truth: Any, prediction: Any, measure: Measure | None = None, smallest: float = 0.05, **given: Any) -> Harm:
    at, _ = phases(len(truth) // 2)
    about = {"measure": measure.describe() if measure else {}, "smallest_harm": smallest, **given.pop("about", {})}
    (harm,) = harms(meta(**about), BY_NAME, requests(at, prediction, truth, **given))
    return harm


def test_answers_a_thousand_times_too_large_are_harmful_whatever_measures_them() -> None:
    rng = np.random.default_rng(0)
    _, faulty = phases()
    truth = rng.lognormal(3, 0.5, 400)
    answer = truth * rng.lognormal(0, 0.1, 400)
    wrong = np.where(faulty, answer * 1000, answer)
    for measure in (None, mae, rmse, close_to(20 * percent), close_to(5), pinball(0.9)):
        assert harm_of(truth, wrong, measure, 0.5).word == "HARMFUL"
        assert harm_of(truth, answer, measure, 0.5 if measure and measure.bounded else 3.0).word == "HARMLESS"
    harm = harm_of(truth, wrong, None, 0.5)
    assert (harm.measure, harm.unit, harm.score) == ("mean absolute error of truth", "truth", False)
    assert (harm.drop or (0.0, 0.0))[0] > 1000, "positive is worse, for a loss too"
    assert harm_of(truth, np.where(faulty, np.nan, answer), mae, 0.5).word == "HARMFUL", "nothing answered costs skill"


def test_a_smallest_harm_may_be_a_share_of_the_baselines_loss() -> None:
    rng = np.random.default_rng(1)
    _, faulty = phases(2000)
    truth = rng.normal(100, 20, 4000)
    error = rng.normal(0, 1, 4000)
    for factor, word in ((1.0, "HARMLESS"), (1.1, "INCONCLUSIVE"), (1.3, "HARMFUL")):
        relative = {"smallest_relative": True}
        harm = harm_of(truth, truth + np.where(faulty, factor, 1) * error, mae, 0.1, about=relative)
        assert harm.word == word
        assert harm.smallest == pytest.approx(0.1 * (harm.before or 0.0))
        low, high = harm.ratio or (0.0, 0.0)
        assert low < factor < high
    harm = harm_of(truth, np.where(faulty, truth + 1, truth), mae, 0.1, about={"smallest_relative": True})
    assert (harm.word, harm.note) == (
        "UNKNOWN",
        "the baseline's mean absolute error is 0: no share of it is a harm; give smallest_harm in its unit",
    )


def test_a_harm_that_no_fault_could_do_is_not_told() -> None:
    harm = harm_of(np.tile([0.0, 1.0], 200), np.tile([0.0, 0.0], 200), smallest=0.5)
    assert harm.word == "UNKNOWN"
    assert harm.note == "smallest_harm of 0.5 cannot be reached: accuracy is 0.500 in the baseline"


def test_an_authors_own_loss_is_read_from_the_recording() -> None:
    _, faulty = phases()
    truth = np.tile([0.0, 1.0, 5.0, 9.0], 100)
    losses = {"model": np.where(faulty, 9.0, 1.0)[:, None], "constant": np.full((400, 1), 4.0)}
    losses["model"][::7] = np.nan
    own = Measure("own", title="cost", unit="euros")
    harm = harm_of(truth, truth, own, 1.0, losses=losses)
    assert (harm.measure, harm.unit, harm.word) == ("cost", "euros", "HARMFUL")
    gone = 29 / 200  # unanswered, of which each costs what the constant does
    assert (harm.before, harm.during) == pytest.approx((1 + 3 * gone, 9 - 5 * gone))


def test_labels_are_compared_as_texts() -> None:
    labels = np.array(["late", "early", "on time", None], dtype=object)[np.arange(400) % 4].reshape(-1, 1)
    answer = labels.copy()
    answer[200::3] = None
    answer[201::5] = "no label at all"
    at, _ = phases()
    sent = requests(at, answer, labels)
    (harm,) = harms(meta(labels=True), BY_NAME, sent)
    assert (harm.measure, harm.before, harm.word) == ("accuracy", 1.0, "HARMFUL")
    assert (harm.rows_before, harm.rows_during) == (150, 150), "rows without a truth drop out"
    assert harm.unanswered == 40


def test_harm_is_unknown_without_truth_without_a_smallest_harm_without_rows_and_with_one_truth() -> None:
    at, answers = [400.0, 1000.0], [0.0, np.nan]
    (harm,) = harms(meta(truth=None), BY_NAME, requests(at, answers))
    assert (harm.word, harm.note, harm.unanswered) == ("UNKNOWN", "the scenario names no truth", 1)
    (harm,) = harms(meta(smallest_harm=None), BY_NAME, requests(at, answers, [0.0, 0.0]))
    assert (harm.word, harm.note) == ("UNKNOWN", "the scenario states no smallest_harm")
    for alone in (400.0, 1000.0):
        (harm,) = harms(meta(), BY_NAME, requests([alone], [0.0], [0.0]))
        assert (harm.word, harm.note, harm.unanswered) == ("UNKNOWN", "no rows to compare", 0)
    harm = harm_of(np.zeros(400), np.where(phases()[1], 1.0, 0.0))
    assert (harm.word, harm.note) == ("UNKNOWN", "the truth has one value only: any model that says it is right")


def test_too_few_of_a_class_is_inconclusive() -> None:
    truth = np.zeros(400)
    truth[[10, 60, 110, 160, 210, 260, 310, 360]] = 1.0
    harm = harm_of(truth, truth, Measure("auc"))
    assert (harm.word, harm.note) == (
        "INCONCLUSIVE",
        "a class occurs in 4 requests of a phase; AUC needs each in at least 5",
    )
    truth[[30, 230]] = 1.0
    assert harm_of(truth, truth, Measure("auc")).word == "INCONCLUSIVE", "an AUC of 1 from 5 positives is not sure"
    assert harm_of(truth, np.where(phases()[1], 1 - truth, truth), Measure("auc")).word == "HARMFUL"


def test_spells_longer_than_a_block_are_inconclusive_unless_the_fault_made_them() -> None:
    truth = np.tile([0.0, 1.0], 200)
    slow = (np.arange(400) // 50) % 2 == 0
    harm = harm_of(truth, np.where(slow, 1 - truth, truth), smallest=0.4)
    assert harm.word == "INCONCLUSIVE"
    assert harm.note == (
        "in the baseline and the fault phase, requests depend on each other for longer than an eighth of the phase: "
        "lengthen it"
    )
    # A baseline that has a long bad spell by itself tells nothing of a fault, however bad.
    spell = (np.arange(400) >= 40) & (np.arange(400) < 70)
    harm = harm_of(truth, np.where(spell | (np.arange(400) >= 200), 1 - truth, truth), smallest=0.02)
    assert harm.word == "INCONCLUSIVE"
    assert harm.note.startswith("in the baseline, requests depend on each other")
    # Dead for the second half of the fault phase, in a drill whose baseline does not vary.
    now_and_then = np.where(np.random.default_rng(0).random(400) < 0.1, 1 - truth, truth)
    harm = harm_of(truth, np.where(np.arange(400) >= 300, np.nan, now_and_then), smallest=0.02)
    assert (harm.word, harm.note) == (
        "HARMFUL",
        "it came and went in long spells: that it did harm is sure, how much is not",
    )


def test_what_harmless_does_not_exclude_is_told_with_it() -> None:
    truth = np.tile([0.0, 1.0], (60, 25))
    at, _ = phases(30)
    right = truth.copy()
    right[::6, :5] = 1 - right[::6, :5]
    (harm,) = harms(meta(rows_per_request=50), BY_NAME, requests(at, right, truth))
    assert (harm.word, harm.note) == ("HARMLESS", "whole requests that fail more rarely than 3 in 30 are not excluded")
    truth = np.tile([0.0, 1.0], 2000)
    gone = np.where((np.arange(4000) >= 3000) & (np.arange(4000) < 3003), np.nan, truth)
    harm = harm_of(truth, gone, smallest=0.2)
    assert (harm.word, harm.note) == (
        "HARMLESS",
        "1 outage was seen: how often they come is not known from so few",
    )
    burst = np.where(np.arange(4000) == 3000, 1e6, truth + 1.0)
    harm = harm_of(truth + np.arange(4000) % 50, burst + np.arange(4000) % 50, mae, 1e5)
    assert (harm.word, harm.note) == (
        "INCONCLUSIVE",
        "a few requests make up most of the loss: too few to say that it is harmless",
    )


def by_country(dead: str, size: int = 1000) -> Harm:
    """A whole of four countries, one of them 3 %, in which one country's rows are all wrong under the fault."""
    rng = np.random.default_rng(1)
    _, faulty = phases(size)
    country = rng.choice(["at", "ch", "de", "fr"], 2 * size, p=[0.3, 0.03, 0.37, 0.3])
    truth = rng.integers(0, 2, 2 * size)
    wrong = (rng.random(2 * size) < 0.1) | ((country == dead) & faulty)
    segments = {"country": country.astype(object).reshape(-1, 1)}
    return harm_of(truth, np.where(wrong, 1 - truth, truth), smallest=0.08, segments=segments)


def test_a_segment_of_3_percent_that_dies_is_harmful_under_a_harmless_whole() -> None:
    harm = by_country("ch")
    assert harm.word == "HARMLESS"
    assert [s.value for s in harm.segments] == ["at", "ch", "de", "fr"]
    assert [s.value for s in harm.harmed] == ["ch"]
    assert harm.did_harm
    assert [s.during for s in harm.harmed] == [0.0]
    assert not by_country("nowhere").did_harm


def test_a_segment_that_one_phase_has_no_row_of_is_unknown() -> None:
    _, faulty = phases()
    value = np.where(faulty, "new", "old").astype(object).reshape(-1, 1)
    truth = np.tile([0.0, 1.0], 200)
    harm = harm_of(truth, truth, segments={"version": value})
    assert [(s.value, s.word, s.note) for s in harm.segments] == [
        ("new", "UNKNOWN", "no rows to compare"),
        ("old", "UNKNOWN", "no rows to compare"),
    ]


def test_holm_steps_down() -> None:
    """Holm (1979): the clearest of three at a third of the level, the next at a half, and none after one that fails."""
    assert holm([(0.001, 1.0), (0.012, 1.0), (0.5, 1.0)], 0.025) == pytest.approx([0.025 / 3, 0.0125, 0.025 / 3])
    assert holm([(0.009, 1.0), (0.009, 1.0)], 0.025) == pytest.approx([0.0125, 0.025])
    assert holm([(1.0, 0.001)], 0.025) == [0.025]
    assert holm([], 0.025) == []


def test_accuracy_is_drawn_over_sixty_windows_with_gaps() -> None:
    at, truth = [0.0, 10.0, 44.9, 45.0, 2699.9, 2700.0], [1.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    (drawn,) = quality(meta(), BY_NAME, requests(at, [1.0, 0.0, 0.0, 1.0, 1.0, 0.0], truth), 2700.0)
    assert (drawn.name, drawn.unit) == ("accuracy", "ratio")
    assert (len(drawn.times), drawn.times[0], drawn.times[-1]) == (60, 22.5, 2677.5)
    assert drawn.values[0] == pytest.approx(1 / 3)
    assert drawn.values[1] == 1.0
    assert drawn.values[2:59] == (None,) * 57
    assert drawn.values[59] == 0.5
    assert quality(meta(), BY_NAME, requests(at, [1.0] * 6), 2700.0) == ()
    assert quality(meta(), BY_NAME, requests([], [], []), 2700.0) == ()
    (drawn,) = quality(
        meta(measure=rmse.describe()), BY_NAME, requests(at, [0.0, 4.0, 1.0, 1, 1, 1], [0.0] * 6), 2700.0
    )
    assert (drawn.name, drawn.unit) == ("root mean squared error of truth", "truth")
    assert drawn.values[0] == pytest.approx((17 / 3) ** 0.5)


def test_a_measure_that_this_version_does_not_know_is_refused() -> None:
    for described in ({"name": "poisson"}, {"name": "mae", "power": 2}):
        with pytest.raises(RecordingError, match="a measure that this version does not know"):
            harm_of(np.tile([0.0, 1.0], 20), np.zeros(40), about={"measure": described})


def test_what_has_no_interval_is_never_harmless() -> None:
    """Numbers near the largest of floats, and an author's loss that answers infinity or NaN for answered rows."""
    _, faulty = phases()
    truth = np.random.default_rng(0).lognormal(3, 0.5, 400)
    assert harm_of(truth, np.where(faulty, 1e308, truth + 1), mae, 2.0).word == "HARMFUL"
    assert harm_of(truth, np.where(faulty, -1e308, truth + 1), rmse, 2.0).word == "HARMFUL"
    with np.errstate(all="ignore"):
        harm = harm_of(truth * 1e300, truth * np.where(faulty, 1.1e300, 1e300), mae, 1e303)
    assert (harm.word, harm.drop) == ("INCONCLUSIVE", None)
    assert "in another unit" in harm.note
    losses = {"model": np.where(faulty, np.inf, 1.0)[:, None], "constant": np.full((400, 1), 1.1)}
    harm = harm_of(truth, truth, Measure("own", title="cost"), 1.0, losses=losses)
    assert harm.word == "INCONCLUSIVE"
    assert harm.note.startswith("cost of 200 rows that were answered is no finite number")


def test_a_measure_that_no_constant_can_fail_says_so_and_not_harmless() -> None:
    _, faulty = phases()
    truth = np.random.default_rng(0).lognormal(3, 0.5, 400)
    harm = harm_of(truth, truth + 1, mae, 1e6)
    assert harm.word == "HARMLESS"
    assert "one constant for every row would pass for HARMLESS too" in harm.note
    for during in (1000 * truth, np.nan):
        harm = harm_of(truth, np.where(faulty, during, truth + 1), mae, 1e9)
        assert harm.word == "INCONCLUSIVE"
        assert "is smallest_harm in mean absolute error's unit?" in harm.note
    # Scores of 0 to 100 under a threshold of 0.5: every decision is yes, whatever the fault does to their order.
    classes = (np.random.default_rng(1).random(400) < 0.3).astype(float)
    per_cent = 5 + 90 * classes
    harm = harm_of(classes, np.where(faulty, 100 - per_cent, per_cent))
    assert (harm.word, harm.before) == ("INCONCLUSIVE", harm.before)
    assert "one constant's" in harm.note


@pytest.mark.parametrize("measure", [Measure("accuracy"), macro_f1, brier, Measure("auc")])
def test_a_measure_at_its_best_is_no_surer_than_its_rows(measure: Measure) -> None:
    """Ten right rows in each phase do not show that all are: an interval of no width would."""
    truth = np.tile([0.0, 1.0], 10)
    harm = harm_of(truth, truth, measure, 0.05)
    assert harm.word == "INCONCLUSIVE"
    low, high = harm.drop or (0.0, 0.0)
    assert -1 <= low < -0.05
    assert 0.05 < high <= 1
    assert harm_of(np.tile([0.0, 1.0], 200), np.tile([0.0, 1.0], 200), measure, 0.05).word == "HARMLESS"
    gone = harm_of(
        np.tile([0.0, 1.0], 200), np.where(phases()[1], np.tile([1.0, 0.0], 200), np.tile([0.0, 1.0], 200)), measure
    )
    assert gone.word == "HARMFUL"
    assert (gone.drop or (0.0, 9.0))[1] <= 1


def test_what_the_baseline_does_by_itself_is_no_harm_of_the_fault() -> None:
    """Errors that grow all through the drill, and a model that recovers while the fault takes it back."""
    rng = np.random.default_rng(3)
    truth = rng.normal(100, 20, 2000)
    error = rng.normal(0, 1, 2000) * np.linspace(1, 4, 2000)
    harm = harm_of(truth, truth + error, mae, 0.2)
    assert harm.word == "INCONCLUSIVE"
    assert harm.note.startswith("mean absolute error grew worse in the baseline already")
    assert harm_of(truth, truth + rng.normal(0, 1, 2000), mae, 0.2).word == "HARMLESS"
    assert harm_of(truth, np.where(phases(1000)[1], truth + 50, truth + error), mae, 0.2).word == "HARMFUL"


def test_the_picture_has_the_measure_of_the_verdict() -> None:
    """An AUC where windows have rows enough, and what an unanswered row costs, which the baseline says."""
    at, faulty = phases(1200)
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 2400).astype(float)
    score = np.where(faulty, 0.9 - 0.1 * truth, 0.1 + 0.1 * truth)
    (drawn,) = quality(meta(measure={"name": "auc"}), BY_NAME, requests(at, score, truth), 2700.0)
    assert drawn.name == "AUC"
    assert (drawn.values[10], drawn.values[30]) == (1.0, 0.0)
    (drawn,) = quality(meta(measure={"name": "auc"}), BY_NAME, requests(at[::20], score[::20], truth[::20]), 2700.0)
    assert drawn.name == "accuracy", "a window has two rows"
    moved = np.where(faulty, 1000.0, rng.normal(0, 1, 2400))
    sent = requests(at, np.where(faulty, np.nan, moved), moved)
    (harm,) = harms(meta(measure=mae.describe(), smallest_harm=1.0), BY_NAME, sent)
    (drawn,) = quality(meta(measure=mae.describe()), BY_NAME, sent, 2700.0)
    assert drawn.values[30] == pytest.approx(harm.during, rel=1e-6)


def test_answers_that_are_no_probabilities_are_another_model() -> None:
    rng = np.random.default_rng(0)
    truth = rng.integers(0, 2, 400).astype(float)
    logit = rng.normal(3 * truth - 1.5, 1.0)
    check = checked(rows(truth, logit), log_loss, 0.5)
    assert "log loss is of probabilities, and" in check.reasons[0]
    probability = 1 / (1 + np.exp(-logit))
    assert checked(rows(truth, probability), log_loss, 0.5).reasons == ()
    assert value(log_loss, [1.0, 0.0], [1.0 + 1e-7, -1e-7]) == pytest.approx(0.0, abs=1e-6), "sums in single precision"

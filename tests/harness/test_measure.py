"""What an author may compare predictions by, and what is compared where nothing is said."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from driftdrill import accuracy, auc, brier, close_to, log_loss, loss_of, macro_f1, mae, percent, pinball, rmse
from driftdrill.harness.drive.own_loss import OwnLoss
from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.recording.columns import request_block
from driftdrill.harness.scenario.measure import Measure, default_measure, refuse_predictions, settled
from driftdrill.harness.traffic.records import Records

TEXTS = np.array(["a", "b", None], dtype=object)


@pytest.mark.parametrize(
    ("truth", "name"),
    [
        (np.array([0.0, 1.0, np.nan]), "accuracy"),
        (np.array([True, False]), "accuracy"),
        (np.array([2.5, 7.5] * 9), "accuracy"),
        (np.arange(20), "accuracy"),
        (np.arange(21), "mae"),
        (np.array([1.0, 2.0, 2.5]), "mae"),
        (TEXTS, "accuracy"),
    ],
)
def test_the_measure_follows_the_truth(truth: Any, name: str) -> None:
    assert default_measure(truth).name == name


@pytest.mark.parametrize(
    ("measure", "smallest", "truth", "says"),
    [
        (mae, 0.1, TEXTS, "mean absolute error needs a truth of numbers"),
        (close_to(5), 0.1, TEXTS, "share within 5 of the truth needs a truth of numbers"),
        (log_loss, 0.1, np.arange(3), "log loss needs a truth of 0 and 1; this one holds 0, 1, 2"),
        (macro_f1, 0.1, np.arange(101), "macro F1 needs a truth of classes; this one has 101 values"),
        (None, 1.5, np.arange(2), r"smallest_harm of accuracy must be in \(0, 1\]"),
        (brier, 10 * percent, np.arange(2), "must be in its own unit"),
        (mae, 0 * percent, np.arange(2), "above 0 percent"),
        (mae, True, np.arange(2), "must be a number above 0"),
        (mae, float("nan"), np.arange(2), "must be a number above 0"),
    ],
)
def test_what_does_not_fit_is_refused(measure: Any, smallest: Any, truth: Any, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        settled(measure, smallest, truth)


def test_what_fits_is_taken() -> None:
    for measure in (accuracy, macro_f1):
        assert settled(measure, 0.1, TEXTS) is measure
    for measure in (auc, log_loss, brier, mae, rmse, pinball(0.9), close_to(10 * percent)):
        assert settled(measure, 0.1, np.array([0, 1])) is measure
    assert settled(None, 150.0, np.linspace(0, 1, 50)) == mae
    assert settled(None, 10 * percent, np.linspace(0, 1, 50)) == mae


def test_the_parameters_of_measures_are_checked() -> None:
    for wrong in (0, -1, True, "5", 0 * percent, float("inf")):
        with pytest.raises(ScenarioError, match="close_to: tolerance"):
            close_to(wrong)  # type: ignore[arg-type]
    for quantile in (0, 1, 1.5):
        with pytest.raises(ScenarioError, match="pinball: quantile"):
            pinball(quantile)
    with pytest.raises(ScenarioError, match="takes a function"):
        loss_of(3)  # type: ignore[arg-type]
    assert close_to(10 * percent).called("minutes") == "share within 10 % of minutes"
    assert (2.5 * percent).share == 0.025


def test_a_recording_holds_a_measure_without_its_function() -> None:
    own = loss_of(lambda truth, prediction: truth, unit="euros", unanswered=3.0)
    described = own.describe()
    assert described == {"name": "own", "unit": "euros", "unanswered": 3.0, "title": "lambda"}
    assert Measure(**described) == replace(own, loss=None)
    assert accuracy.describe() == {"name": "accuracy"}


def test_first_answers_that_are_no_classes_and_no_probabilities_are_refused() -> None:
    stars = np.arange(1, 6)
    refuse_predictions(accuracy, False, stars, [3.0, float("nan")])
    with pytest.raises(ScenarioError, match=r"5 values, and the model predicts 3\.4"):
        refuse_predictions(accuracy, False, stars, [3.0, 3.4])
    refuse_predictions(accuracy, True, stars, [3.4])
    refuse_predictions(accuracy, False, np.array([0, 1]), [3.4])
    refuse_predictions(accuracy, False, TEXTS, ["c"])
    for measure in (log_loss, brier):
        with pytest.raises(ScenarioError, match=r"is of probabilities, and the model answers 3\.4"):
            refuse_predictions(measure, True, np.array([0, 1]), [0.4, 3.4])


def test_labels_in_another_spelling_and_numbers_for_labels_are_refused() -> None:
    labels = np.array(["Yes", "No", None], dtype=object)
    refuse_predictions(accuracy, False, labels, ["No"])
    refuse_predictions(accuracy, False, labels, ["unknown"])
    with pytest.raises(ScenarioError, match="answers ' yes', and the truth says 'Yes'"):
        refuse_predictions(accuracy, False, labels, [" yes"])
    with pytest.raises(ScenarioError, match=r"the truth holds labels .* and the model answers 0\.7"):
        refuse_predictions(accuracy, False, labels, ["0.7"])


def test_numbers_of_numpy_are_numbers() -> None:
    assert close_to(np.int64(5)) == close_to(5)
    assert pinball(np.float32(0.5)) == pinball(0.5)
    assert loss_of(absolute, unanswered=np.float32(3)).unanswered == 3.0
    settled(mae, np.float32(0.1), np.linspace(0, 1, 50))
    for wrong in (np.bool_(True), np.float64("nan"), 1 + 0j):
        with pytest.raises(ScenarioError, match="tolerance"):
            close_to(wrong)  # type: ignore[arg-type]


def test_a_tolerance_that_an_answer_of_0_always_meets_is_refused() -> None:
    for size in (100, 150):
        with pytest.raises(ScenarioError, match="lies an answer of 0"):
            close_to(size * percent)
    close_to(99 * percent)


def absolute(truth: Any, prediction: Any) -> Any:
    return np.abs(truth - prediction)


def test_an_own_loss_is_that_of_each_row_beside_that_of_the_best_constant() -> None:
    own = OwnLoss(loss_of(absolute), np.array([0.0, 2.0, 10.0, np.nan]))
    assert own.constant == 2.0
    records = Records(truth=[0.0, 2.0, np.nan, 10.0], prediction=[1.0, np.nan, 1.0, 7.0])
    own.write(records)
    assert records.losses["model"] == pytest.approx([1.0, np.nan, np.nan, 3.0], nan_ok=True)
    assert records.losses["constant"] == pytest.approx([2.0, 0.0, np.nan, 8.0], nan_ok=True)
    OwnLoss(loss_of(absolute, unanswered=9.0), np.arange(3.0)).write(records)
    assert records.losses["model"] == pytest.approx([1.0, 9.0, np.nan, 3.0], nan_ok=True)


def test_an_own_loss_that_writes_into_what_it_is_given_changes_nothing_else() -> None:
    def careless(truth: Any, prediction: Any) -> Any:
        truth -= prediction
        return np.abs(truth)

    known = np.array([0.0, 2.0, 10.0])
    assert OwnLoss(loss_of(careless), known).constant == OwnLoss(loss_of(absolute), known).constant == 2.0
    assert known.tolist() == [0.0, 2.0, 10.0]


def test_an_own_loss_of_labels_gets_texts() -> None:
    def unlike(truth: Any, prediction: Any) -> Any:
        return np.array([t != p for t, p in zip(truth, prediction, strict=True)])

    own = OwnLoss(loss_of(unlike), np.array(["a", "b", "b", None], dtype=object))
    assert own.constant == "b"
    records = Records(truth=["a", "b", None], prediction=["b", "b", "b"])
    own.write(records)
    assert records.losses["model"] == pytest.approx([1.0, 0.0, np.nan], nan_ok=True)


def test_an_own_loss_that_fails_is_told_with_its_name() -> None:
    def broken(truth: Any, prediction: Any) -> Any:
        raise ZeroDivisionError("no")

    for function, says in ((broken, "measure broken: ZeroDivisionError: no"), (np.mean, "must|Error")):
        with pytest.raises(ScenarioError, match=says):
            OwnLoss(loss_of(function), np.arange(3.0))


def test_a_recording_holds_classes_and_counts_to_the_last_digit() -> None:
    records = Records(truth=[12345678.0, np.nan, 0.1], prediction=[12345679.0, np.inf, 0.123456789])
    block = request_block(records)
    assert block["prediction"] == [12345679.0, None, 0.1234568]
    assert block["truth"] == [12345678, None, 0.1]

"""An author's own loss, computed as requests end: a recording holds numbers, and judge runs nobody's code."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.measure import Losses, Measure, is_text, values_of
from driftdrill.harness.traffic.records import Records

CANDIDATES, TRIED = 200, 2000
"""Most truths that are tried as the best constant, and the rows on which each of them is tried."""


class OwnLoss:
    """The loss of each row, and of the best constant in its place. Raises :class:`ScenarioError` for what it answers.

    The best constant is that of the scenario's truths, of numbers at most 200 quantiles, which costs least.
    """

    def __init__(self, measure: Measure, truth: npt.NDArray[Any]) -> None:
        assert measure.loss is not None
        self._loss: Losses = measure.loss
        self._unanswered = measure.unanswered
        known = truth[[t is not None for t in truth.tolist()]] if is_text(truth) else truth[np.isfinite(truth)]
        some = known[np.linspace(0, len(known) - 1, min(len(known), TRIED)).astype(int)]
        values = values_of(known)
        values = values[np.linspace(0, len(values) - 1, min(len(values), CANDIDATES)).astype(int)]
        costs = [float(np.mean(self._of(some, _column([value] * len(some))))) for value in values.tolist()]
        if not any(map(math.isfinite, costs)):
            raise ScenarioError(f"measure {measure.title}: the loss of every constant prediction is not finite")
        self.constant = values.tolist()[int(np.nanargmin(costs))]

    def write(self, records: Records) -> None:
        """Put both losses into ``records``: not finite in the rows that are unanswered or whose truth is not known, and
        where the function says so."""
        rows = len(records.truth)
        model, constant = [math.nan] * rows, [math.nan] * rows
        known = [i for i, t in enumerate(records.truth) if _there(t)]
        answered = [i for i in known if _there(records.prediction[i])]
        for out, chosen, predicted in (
            (model, answered, [records.prediction[i] for i in answered]),
            (constant, known, [self.constant] * len(known)),
        ):
            if chosen:
                truths = _column([records.truth[i] for i in chosen])
                for i, found in zip(chosen, self._of(truths, _column(predicted)).tolist(), strict=True):
                    out[i] = found
        if self._unanswered is not None:
            for i in set(known) - set(answered):
                model[i] = self._unanswered
        records.losses = {"model": model, "constant": constant}

    def _of(self, truth: npt.NDArray[Any], prediction: npt.NDArray[Any]) -> npt.NDArray[np.float64]:
        name = getattr(self._loss, "__name__", "loss")
        try:
            # Copies: a function that writes into its arguments must not change what is compared next.
            found = np.asarray(self._loss(truth.copy(), prediction.copy()), dtype=np.float64)
        except Exception as e:  # the author's function may raise anything
            raise ScenarioError(f"measure {name}: {type(e).__name__}: {e}") from e
        if found.shape != truth.shape:
            raise ScenarioError(
                f"measure {name} must answer a number for each row, shape {truth.shape}, not {found.shape}",
                hint="return one loss a row, not their mean",
            )
        return found


def _there(value: Any) -> bool:
    return isinstance(value, str) or (value is not None and math.isfinite(value))


def _column(values: list[Any]) -> npt.NDArray[Any]:
    if any(isinstance(v, str) for v in values):
        out = np.empty(len(values), dtype=object)
        out[:] = values
        return out
    return np.array(values, dtype=np.float64)

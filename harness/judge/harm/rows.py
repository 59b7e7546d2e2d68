"""Rows: what is compared, as numbers, whatever truth and predictions are."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.harness.recording.columns import Requests
from driftdrill.reports.data.timeline import Phase

Floats = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]
NO_CLASS = -1.0
"""The code of a predicted label that no truth has."""
FARTHEST = 1e70
"""What a prediction or loss beyond it counts as: its fourth power is still a number, and as wrong as can be."""


@dataclass(frozen=True)
class Rows:
    """The rows of some requests in order of time; arrays are (requests, rows a request)."""

    truth: Floats
    """Numbers, or the codes of labels; whatever where it is not known."""
    prediction: Floats
    """Numbers, or the codes of labels; NaN where unanswered."""
    known: Bools
    """Which rows count: whose truth is known, and that are of the segment in question."""
    names: tuple[str, ...] = ()
    """Of labels: the code's label."""
    losses: Mapping[str, Floats] = field(default_factory=dict)
    """An author's own: "model" and "constant"."""
    segments: Mapping[str, npt.NDArray[Any]] = field(default_factory=dict)
    """Column -> value as text, shape as ``truth``."""
    binary: bool = False
    """Whether every truth of the recording is 0 or 1, so that a prediction is a score and not a class."""
    strength: Floats | None = None
    """Of a fault, (requests,), where it varies."""

    def __len__(self) -> int:
        return len(self.truth)

    @property
    def count(self) -> int:
        """How many rows count."""
        return int(self.known.sum())

    @property
    def unanswered(self) -> int:
        """How many of them have no answer."""
        return int((np.isnan(self.prediction) & self.known).sum())

    @property
    def truths(self) -> Floats:
        """The truths of the rows that count, (n,)."""
        return self.truth[self.known]

    def at(self, chosen: Bools) -> "Rows":
        """The rows of some requests, bool (requests,), without those of which no row counts."""
        kept = chosen & self.known.any(axis=1)
        return replace(
            self,
            truth=self.truth[kept],
            prediction=self.prediction[kept],
            known=self.known[kept],
            losses={name: loss[kept] for name, loss in self.losses.items()},
            segments={name: texts[kept] for name, texts in self.segments.items()},
            strength=None if self.strength is None else self.strength[kept],
        )

    def segment(self, column: str, value: str) -> "Rows":
        """The rows of a segment, and the requests that have one."""
        own = np.asarray(self.segments[column] == value, dtype=np.bool_)
        return replace(self, known=self.known & own).at(np.ones(len(self), dtype=np.bool_))


def rows_of(requests: Requests) -> Rows:
    """All rows of a recording that has truth."""
    assert requests.truth is not None
    truth: npt.NDArray[Any] = requests.truth
    prediction: npt.NDArray[Any] = requests.prediction
    names: tuple[str, ...] = ()
    if truth.dtype == object:
        names = tuple(sorted({t for t in truth.ravel().tolist() if t is not None}))
        truth, prediction = _coded(truth, names), _coded(prediction, names)
    known = np.isfinite(truth)
    binary = not names and bool(np.isin(truth[known], (0.0, 1.0)).all())
    given = np.where(np.isfinite(prediction), np.clip(prediction, -FARTHEST, FARTHEST), np.nan)
    losses = {name: np.where(np.isfinite(x), np.clip(x, -FARTHEST, FARTHEST), x) for name, x in requests.losses.items()}
    return Rows(np.where(known, truth, 0.0), given, known, names, losses, requests.segments, binary)


def _coded(labels: npt.NDArray[Any], names: tuple[str, ...]) -> Floats:
    codes: dict[Any, float] = {name: float(i) for i, name in enumerate(names)}
    codes[None] = np.nan
    found = [codes.get(label, NO_CLASS) for label in labels.ravel().tolist()]
    return np.array(found, dtype=np.float64).reshape(labels.shape)


def answered(prediction: npt.NDArray[Any]) -> Bools:
    """Which predictions there are, shape as given: finite numbers, or labels."""
    if prediction.dtype == object:
        return np.array([p is not None for p in prediction.ravel().tolist()], dtype=np.bool_).reshape(prediction.shape)
    return np.asarray(np.isfinite(prediction))


def within(requests: Requests, phase: Phase) -> Bools:
    """Which requests were to be sent in a phase, bool (n,)."""
    return np.asarray((requests.intended >= phase.start) & (requests.intended < phase.end))

"""The demo model: a logistic regression as a table of coefficients, answered in plain Python.

Nothing on the request path imports numpy, pandas or scikit-learn, so a row costs a few microseconds and the server
starts at once. scikit-learn runs once, in a process of its own (training.py); the table is cached.
"""

import math
import subprocess
from bisect import bisect_left
from collections.abc import Mapping
from typing import NamedTuple

import msgspec

from driftdrill.durations import format_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.model_service import cache
from driftdrill.stack.model_service.own_process import Failed, command

VERSION = "2013-06"
"""The model's version: the last month that it was trained on."""
EARLIER_VERSION = "2013-01"
"""An older artefact of the same model, which no service should answer with."""

Value = float | str | None
Row = Mapping[str, Value]
"""Feature name -> value; a feature that is null or not there is missing, and is imputed."""

TRAINING_SECONDS = 60

MISSING, UNSEEN, OTHER = "missing", "unseen", "other"


class Bins(msgspec.Struct, frozen=True):
    """How one quantity is counted for drift monitoring, and the share of each bin in the training rows.

    A number has inner ``edges``; its bins are named by their upper edge, the last one ``+Inf``. A category has a
    bin for each level that training saw (``other`` for a rare one); any other level is ``unseen``.
    """

    ratios: dict[str, float]
    edges: tuple[float, ...] = ()
    bin_of: dict[str, str] = {}

    def of(self, value: Value) -> str:
        """The name of the bin that ``value`` falls in."""
        if value is None:
            return MISSING
        if isinstance(value, str):
            return self.bin_of.get(value, UNSEEN)
        at = bisect_left(self.edges, value)
        return name_of(self.edges[at]) if at < len(self.edges) else "+Inf"


class NumberFeature(msgspec.Struct, frozen=True, tag="number"):
    """A numeric feature: standardised, then weighted; ``default`` stands in where it is missing."""

    mean: float
    deviation: float
    weight: float
    default: float


class Category(msgspec.Struct, frozen=True, tag="category"):
    """A one-hot feature: a weight per level, none for an unseen one; ``default`` stands in where it is missing."""

    weights: dict[str, float]
    default: str


class Model(msgspec.Struct, frozen=True):
    """The table: coefficients, and what the training rows looked like."""

    version: str
    intercept: float
    features: dict[str, NumberFeature | Category]
    bins: dict[str, Bins]  # of the monitored features; calendar columns are not monitored
    prediction_bins: Bins
    late_ratio: float  # share of the training rows that the model calls late
    auc: float  # on September, which it was not trained on
    threshold: float = 0.5

    def predict(self, row: Row) -> float:
        """The probability that the flight arrives 15 minutes late or more, 0 to 1."""
        score = self.intercept
        for name, feature in self.features.items():
            value = row.get(name)
            if isinstance(feature, NumberFeature):
                number = feature.default if value is None else float(value)
                score += feature.weight * (number - feature.mean) / feature.deviation
            else:
                level = feature.default if value is None else name_of(value)
                score += feature.weights.get(level, 0.0)
        return sigmoid(score)

    def is_late(self, probability: float) -> bool:
        """The decision."""
        return probability >= self.threshold


class ModelAnswer(NamedTuple):
    """The answer to one row, and what the metrics need to know of it."""

    row: Row
    """As the model was given it."""
    probability: float
    late: bool
    version: str
    asked: bool = True
    """False where a cache answered and the model was not asked."""


def answer(model: Model, row: Row) -> ModelAnswer:
    """Ask the model."""
    probability = model.predict(row)
    return ModelAnswer(row, probability, model.is_late(probability), model.version)


def sigmoid(score: float) -> float:
    """1 / (1 + exp(-score)), without overflow."""
    if score >= 0:
        return 1 / (1 + math.exp(-score))
    power = math.exp(score)
    return power / (1 + power)


def name_of(value: float | str) -> str:
    """A level or an edge as text: 7 and 7.0 are both "7"."""
    return value if isinstance(value, str) else f"{value:.6g}"


def load(version: str = VERSION) -> Model:
    """The trained model, from the cache, or trained now (a few seconds). Raises :class:`StackError`."""
    if (model := cached(version)) is not None:
        return model
    table = _train(version)
    cache.write(_name(version), table)
    return msgspec.json.decode(table, type=Model)


def cached(version: str = VERSION) -> Model | None:
    """The model as it was trained before; None if it was not, or if the file is damaged."""
    kept = cache.read(_name(version))
    try:
        return msgspec.json.decode(kept, type=Model) if kept is not None else None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None


def _name(version: str) -> str:
    return f"model-{version}-{cache.digest('flights.py', 'model.py', 'training.py')}.json"


def _train(version: str) -> bytes:
    """Train in a process of its own, so that this one never holds scikit-learn and its thread pools."""
    try:
        done = subprocess.run(
            command("driftdrill.stack.model_service.training", version),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=TRAINING_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired as e:
        raise StackError(f"training the demo model took longer than {format_duration(TRAINING_SECONDS)}") from e
    if done.returncode == 0:
        return done.stdout
    try:
        told = msgspec.json.decode(done.stdout, type=Failed)
    except msgspec.DecodeError:
        lines = done.stderr.decode(errors="replace").strip().splitlines()[-5:]
        raise StackError("training the demo model failed: " + " | ".join(lines)) from None
    raise StackError(told.error, hint=told.hint)

"""The demo model: a logistic regression as a table of coefficients, answered in plain Python.

Nothing on the request path imports numpy, pandas or scikit-learn, so a row costs a few microseconds and the server
starts at once. scikit-learn runs once, in a process of its own (training.py); the table is cached.
"""

import hashlib
import json
import math
import os
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Mapping
from pathlib import Path

import msgspec

from stack.errors import StackError
from stack.model_service import cache

VERSION = "2013-06"
"""The model's version: the last month that it was trained on."""

Value = float | str | None
Row = Mapping[str, Value]
"""Feature name -> value; a feature that is null or not there is missing, and is imputed."""

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


class Number(msgspec.Struct, frozen=True, tag="number"):
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
    features: dict[str, Number | Category]
    bins: dict[str, Bins]  # of the monitored features; calendar columns are not monitored
    prediction_bins: Bins
    late_ratio: float  # share of the training rows that the model calls late
    auc: float  # on September, which it was not trained on
    threshold: float = 0.5

    def predict(self, row: Row) -> float:
        """The probability that the flight arrives 15 minutes late or more, in (0, 1)."""
        score = self.intercept
        for name, feature in self.features.items():
            value = row.get(name)
            if isinstance(feature, Number):
                number = feature.default if value is None else float(value)
                score += feature.weight * (number - feature.mean) / feature.deviation
            else:
                level = feature.default if value is None else name_of(value)
                score += feature.weights.get(level, 0.0)
        return sigmoid(score)

    def is_late(self, probability: float) -> bool:
        """The decision."""
        return probability >= self.threshold


def sigmoid(score: float) -> float:
    """1 / (1 + exp(-score)), without overflow."""
    if score >= 0:
        return 1 / (1 + math.exp(-score))
    power = math.exp(score)
    return power / (1 + power)


def name_of(value: float | str) -> str:
    """A level or an edge as text: 7 and 7.0 are both "7"."""
    return value if isinstance(value, str) else f"{value:.6g}"


def load() -> Model:
    """The trained model, from the cache, or trained now (a few seconds). Raises :class:`StackError`."""
    name = f"model-{VERSION}-{_recipe()}.json"
    if (kept := cache.read(name)) is not None:
        try:
            return msgspec.json.decode(kept, type=Model)
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass  # damaged: made again below
    table = _train()
    cache.write(name, table)
    return msgspec.json.decode(table, type=Model)


def _recipe() -> str:
    """Changes whenever the sources that make the table do."""
    here = Path(__file__).parent
    sources = b"".join((here / name).read_bytes() for name in ("flights.py", "model.py", "training.py"))
    return hashlib.blake2b(sources, digest_size=6).hexdigest()


def _train() -> bytes:
    """Train in a process of its own, so that this one never holds scikit-learn and its thread pools."""
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, "-P", "-m", "stack.model_service.training"]
    try:
        done = subprocess.run(
            command, capture_output=True, timeout=120, check=False, env={**environment(), **one_thread}
        )
    except subprocess.TimeoutExpired as e:
        raise StackError("training the demo model took longer than 120 s") from e
    if done.returncode == 0:
        return done.stdout
    try:
        told = json.loads(done.stdout)
        raise StackError(told["error"], hint=told["hint"])
    except (ValueError, KeyError):
        lines = done.stderr.decode(errors="replace").strip().splitlines()[-5:]
        raise StackError("training the demo model failed: " + " | ".join(lines)) from None


def environment() -> dict[str, str]:
    """The environment of a child that must import this very ``stack`` package, wherever it lies."""
    root = str(Path(__file__).resolve().parents[2])
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH", "")]))
    dropped = {"PROMETHEUS_MULTIPROC_DIR", "prometheus_multiproc_dir", "ENABLE_METRICS"}
    return {**{k: v for k, v in os.environ.items() if k not in dropped}, "PYTHONPATH": path}

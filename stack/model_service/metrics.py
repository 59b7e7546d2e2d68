"""The metrics of the demo model, about its requests and about itself, as docs/model-metrics.md lists them.

Every series is there from the start, at 0: a counter born at its first increment hides that increment from
``increase()``. No ``_created`` series, no buckets that nobody asks for: about 180 series in all.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    ProcessCollector,
    Summary,
    disable_created_metrics,
)
from prometheus_fastapi_instrumentator.metrics import Info

from driftdrill.stack.model_service.model import Model, ModelAnswer

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SCORE_BUCKETS = tuple(tenths / 10 for tenths in range(1, 11))
DECISIONS = {True: "late", False: "on_time"}


def registry() -> CollectorRegistry:
    """A registry of its own, with the process metrics of this process (Linux)."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    return made


class ModelMetrics:
    """The model's metrics in ``registry``; ``models`` are those that can answer, all with the same bins."""

    def __init__(self, models: Sequence[Model], registry: CollectorRegistry) -> None:
        self._model = model = models[0]
        self._info = Gauge("model_info", "1 for a model that answers.", ["version"], registry=registry)
        self._references = _references(registry)
        values = Counter("model_feature_values", "Rows by feature and bin.", ["feature", "bin"], registry=registry)
        missing = Counter("model_feature_missing", "Rows without a value, imputed.", ["feature"], registry=registry)
        self._scores = Histogram(
            "model_prediction_probability", "Predicted probability.", buckets=SCORE_BUCKETS, registry=registry
        )
        score_bins = Counter("model_prediction_values", "Predictions by bin.", ["bin"], registry=registry)
        self._invalid = Counter("model_predictions_invalid", "Predictions that are not a number.", registry=registry)
        decisions = Counter("model_decisions", "Predictions by decision.", ["decision"], registry=registry)
        predictions = Counter("model_predictions", "Rows predicted.", ["version"], registry=registry)
        self.refused = Counter("model_requests_refused", "Requests that are no rows, answered 422.", registry=registry)

        self._values = {f: {name: values.labels(f, name) for name in bins.ratios} for f, bins in model.bins.items()}
        self._missing = {feature: missing.labels(feature) for feature in model.features}
        self._score_bins = {name: score_bins.labels(name) for name in model.prediction_bins.ratios}
        self._decisions = {late: decisions.labels(name) for late, name in DECISIONS.items()}
        self._predictions = {m.version: predictions.labels(m.version) for m in models}
        self.tell([model])

    def observe(self, answers: Iterable[ModelAnswer]) -> None:
        """Count rows and what was predicted for them; what a cache answered never came here."""
        for row, probability, late, version, asked in answers:
            if not asked:
                continue
            for feature, counter in self._missing.items():
                if row.get(feature) is None:
                    counter.inc()
            for feature, bins in self._model.bins.items():
                self._values[feature][bins.of(row.get(feature))].inc()
            self._scores.observe(probability)
            if math.isnan(probability):
                self._invalid.inc()
            else:
                self._score_bins[self._model.prediction_bins.of(probability)].inc()
            self._decisions[late].inc()
            self._predictions[version].inc()

    def tell(self, models: Iterable[Model]) -> None:
        """Say which models answer now, and what their training rows looked like: the other half of every drift rule."""
        features, scores, decisions = self._references
        for gauge in (self._info, features, scores, decisions):
            gauge.clear()
        for model in models:
            self._info.labels(model.version).set(1)
            for feature, bins in model.bins.items():
                for name, ratio in bins.ratios.items():
                    features.labels(feature, name, model.version).set(ratio)
            for name, ratio in model.prediction_bins.ratios.items():
                scores.labels(name, model.version).set(ratio)
            for late, name in DECISIONS.items():
                decisions.labels(name, model.version).set(model.late_ratio if late else 1 - model.late_ratio)


def _references(registry: CollectorRegistry) -> tuple[Gauge, Gauge, Gauge]:
    """Shares of the training rows: by feature and bin, by bin of the prediction, by decision."""
    described = {
        "feature": ["feature", "bin", "version"],
        "prediction": ["bin", "version"],
        "decision": ["decision", "version"],
    }
    made = (
        Gauge(f"model_{name}_reference_ratio", "Share of the training rows.", labels, registry=registry)
        for name, labels in described.items()
    )
    features, scores, decisions = made
    return features, scores, decisions


def http_metrics(registry: CollectorRegistry) -> Callable[[Info], None]:
    """Throughput, errors, latency and body sizes, as an instrumentation of prometheus-fastapi-instrumentator.

    Its ready-made ones are born at the first request and group 400, 422 and 429 into 4xx.
    """
    requests = Counter("http_requests", "Requests.", ["handler", "method", "status"], registry=registry)
    latency = Histogram(
        "http_request_duration_seconds", "Latency.", ["handler"], buckets=LATENCY_BUCKETS, registry=registry
    )
    asked = Summary("http_request_size_bytes", "Size of request bodies.", ["handler"], registry=registry)
    answered = Summary("http_response_size_bytes", "Size of response bodies.", ["handler"], registry=registry)
    for status in ("200", "400", "422", "500"):
        requests.labels("/predict", "POST", status)
    for metric in (latency, asked, answered):
        metric.labels("/predict")

    def instrument(info: Info) -> None:
        requests.labels(info.modified_handler, info.method, info.modified_status).inc()
        latency.labels(info.modified_handler).observe(info.modified_duration)
        asked.labels(info.modified_handler).observe(_length(info.request.headers))
        answered.labels(info.modified_handler).observe(_length(info.response.headers if info.response else {}))

    return instrument


def _length(headers: Mapping[str, str]) -> int:
    length = headers.get("content-length", "")
    return int(length) if length.isdecimal() else 0

"""What the demo model tells Prometheus, about the requests and about the model: docs/model-metrics.md.

Every series is there from the start, at 0: a counter born at its first increment hides that increment from
``increase()``. No ``_created`` series, no buckets that nobody asks for: about 180 series in all.
"""

from collections.abc import Callable, Iterable, Mapping

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

from stack.model_service.model import Model, Row

LATENCY_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
SCORE_BUCKETS = tuple(tenths / 10 for tenths in range(1, 11))
DECISIONS = {True: "late", False: "on_time"}

Observe = Callable[[Iterable[Row], Iterable[float]], None]


def registry() -> CollectorRegistry:
    """A registry of its own, with the process metrics of this process (Linux)."""
    disable_created_metrics()  # type: ignore[no-untyped-call]
    made = CollectorRegistry()
    ProcessCollector(registry=made)
    return made


def model_metrics(model: Model, registry: CollectorRegistry) -> Observe:
    """Register the model's metrics; the function returned counts rows as they came, and what was predicted."""
    _tell_reference(model, registry)
    values = Counter("model_feature_values", "Rows by feature and bin.", ["feature", "bin"], registry=registry)
    missing = Counter("model_feature_missing", "Rows without a value, imputed.", ["feature"], registry=registry)
    scores = Histogram(
        "model_prediction_probability", "Predicted probability.", buckets=SCORE_BUCKETS, registry=registry
    )
    score_bins = Counter("model_prediction_values", "Predictions by bin.", ["bin"], registry=registry)
    decisions = Counter("model_decisions", "Predictions by decision.", ["decision"], registry=registry)
    predictions = Counter("model_predictions", "Rows predicted.", ["version"], registry=registry).labels(model.version)

    value_counters = {
        feature: {name: values.labels(feature, name) for name in bins.ratios} for feature, bins in model.bins.items()
    }
    missing_counters = {feature: missing.labels(feature) for feature in model.features}
    score_counters = {name: score_bins.labels(name) for name in model.prediction_bins.ratios}
    decision_counters = {late: decisions.labels(name) for late, name in DECISIONS.items()}

    def observe(rows: Iterable[Row], probabilities: Iterable[float]) -> None:
        for row, probability in zip(rows, probabilities, strict=True):
            for feature, counter in missing_counters.items():
                if row.get(feature) is None:
                    counter.inc()
            for feature, bins in model.bins.items():
                value_counters[feature][bins.of(row.get(feature))].inc()
            scores.observe(probability)
            score_counters[model.prediction_bins.of(probability)].inc()
            decision_counters[model.is_late(probability)].inc()
            predictions.inc()

    return observe


def _tell_reference(model: Model, registry: CollectorRegistry) -> None:
    """What the training rows looked like: the other half of every drift rule."""
    Gauge("model_info", "The model that answers.", ["version"], registry=registry).labels(model.version).set(1)
    features = Gauge(
        "model_feature_reference_ratio",
        "Share of the training rows by feature and bin.",
        ["feature", "bin", "version"],
        registry=registry,
    )
    for feature, bins in model.bins.items():
        for name, ratio in bins.ratios.items():
            features.labels(feature, name, model.version).set(ratio)
    scores = Gauge(
        "model_prediction_reference_ratio",
        "Share of the training rows' predictions by bin.",
        ["bin", "version"],
        registry=registry,
    )
    for name, ratio in model.prediction_bins.ratios.items():
        scores.labels(name, model.version).set(ratio)
    decisions = Gauge(
        "model_decision_reference_ratio",
        "Share of the training rows by decision.",
        ["decision", "version"],
        registry=registry,
    )
    for late, name in DECISIONS.items():
        decisions.labels(name, model.version).set(model.late_ratio if late else 1 - model.late_ratio)


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

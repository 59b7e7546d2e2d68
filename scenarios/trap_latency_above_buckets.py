"""Trap: a quantile never rises above the top bucket, however slow the service is."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, fires, minutes, pulse, resolves, silent
from driftdrill.faults import BucketCoverage, Slow
from driftdrill.stack.model_service import flights

latency_above_buckets = Scenario(
    name="latency above the top bucket",
    story="Buckets above 100 ms were cut to save series; then the service becomes slow.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(0.2),
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=9 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("buckets end at 0.1 s", BucketCoverage(metric="http_request_duration_seconds", top=0.1)),
        Fault("0.2 s slower", Slow(delay=0.2), strength=pulse(at=3 * minutes, width=4 * minutes)),
    ],
    expect=[
        fires("LatencyBeyondBuckets", within=6 * minutes),
        resolves("LatencyBeyondBuckets"),
        silent("LatencyByQuantile", because="above_top_bucket"),
    ],
    rules=[Path(__file__).parent / "rules" / "trap_latency_above_buckets.yml"],
)


class Load(ModelUser):
    scenario = latency_above_buckets

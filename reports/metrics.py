"""The harness's own metrics in Prometheus's text format: what a drill is doing now, and what the last ones found.

Plain functions from values to text; whoever drives a drill serves the text at ``/metrics``.
Every name starts with ``driftdrill_``; units are Prometheus's base units.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, get_args

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, InfoMetricFamily, Metric
from prometheus_client.registry import Collector

from driftdrill.reports import words as wording
from driftdrill.reports.data.verdict import Verdict

PhaseName = Literal["warm_up", "baseline", "fault", "recovery"]
PHASES: tuple[str, ...] = get_args(PhaseName)


@dataclass(frozen=True)
class CanaryState:
    """A golden request: a known input whose answer is known.

    ``deviation`` is abs(answer - expected) of the last answer, in the prediction's own unit; None before the
    first. ``answered`` and ``failed`` count its requests: a canary that no longer answers keeps its last
    deviation, and only ``failed`` tells.
    """

    name: str
    deviation: float | None
    answered: int = 0
    failed: int = 0


@dataclass(frozen=True)
class DrillState:
    """A drill as it runs. ``phase`` is None before it starts and after it ends."""

    scenario: str
    clock: Literal["virtual", "wall"]
    seed: int
    version: str
    phase: PhaseName | None
    requests: Mapping[str, int]
    """Outcome (answered, failed, missed ...) to count; a count never falls while the drill runs."""
    strength: Mapping[str, float]
    """Fault to its strength now, in [0, 1]."""
    canaries: Sequence[CanaryState] = ()


def render(drill: DrillState | None = None, *, judged: Sequence[tuple[Verdict, float]] = ()) -> str:
    """The page for a drill that runs, and for verdicts, each with when it was judged (Unix time, seconds).

    Of several verdicts of one scenario, the latest is shown.
    """
    registry = CollectorRegistry()
    families = [*(_drill(drill) if drill is not None else ()), *(_judged(judged) if judged else ())]
    registry.register(_Collecting(lambda: families))
    return generate_latest(registry).decode("utf-8")


def collector(now: Callable[[], DrillState]) -> Collector:
    """For a prometheus_client registry: at each scrape, what ``now`` answers about the drill."""
    return _Collecting(lambda: _drill(now()))


class _Collecting(Collector):
    """What prometheus_client wants to render: somebody to collect from."""

    def __init__(self, families: Callable[[], Iterable[Metric]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families()


def _drill(drill: DrillState) -> Iterator[Metric]:
    facts = {"scenario": drill.scenario, "clock": drill.clock, "seed": str(drill.seed), "version": drill.version}
    safe = {key: wording.plain(value) for key, value in facts.items()}
    yield InfoMetricFamily("driftdrill_drill", "The drill that is running.", value=safe)

    text = "1 for the phase that the drill is in, 0 for the others."
    phase = GaugeMetricFamily("driftdrill_phase", text, labels=["phase"])
    for name in PHASES:
        phase.add_metric([name], float(name == drill.phase))
    yield phase

    text = "Requests of the drill by what became of them."
    requests = CounterMetricFamily("driftdrill_requests", text, labels=["outcome"])
    for outcome, count in sorted(drill.requests.items()):
        requests.add_metric([wording.plain(outcome)], count)
    yield requests

    text = "How strongly a fault is injected now, 1 being its stated size."
    strength = GaugeMetricFamily("driftdrill_fault_strength_ratio", text, labels=["fault"])
    for fault, value in sorted(drill.strength.items()):
        strength.add_metric([wording.plain(fault)], value)
    yield strength
    if drill.canaries:
        yield from _canaries(drill.canaries)


def _canaries(canaries: Sequence[CanaryState]) -> Iterator[Metric]:
    text = "How far the last answer to a golden request was from the known one, in the prediction's unit."
    deviation = GaugeMetricFamily("driftdrill_canary_deviation", text, labels=["canary"])
    text = "Golden requests by what became of them."
    requests = CounterMetricFamily("driftdrill_canary_requests", text, labels=["canary", "outcome"])
    for canary in canaries:
        name = wording.plain(canary.name)
        if canary.deviation is not None:
            deviation.add_metric([name], canary.deviation)
        requests.add_metric([name, "answered"], canary.answered)
        requests.add_metric([name, "failed"], canary.failed)
    yield from (deviation, requests)


def _judged(judged: Sequence[tuple[Verdict, float]]) -> Iterator[Metric]:
    latest = {wording.plain(v.scenario): (v, at) for v, at in sorted(judged, key=lambda pair: pair[1])}
    text = "When the last drill of a scenario was judged, by its loudest word."
    labels = ["scenario", "verdict"]
    when = GaugeMetricFamily("driftdrill_last_verdict_timestamp_seconds", text, labels=labels)
    text = "Alert series by what they did in the last drill of a scenario."
    labels = ["scenario", "alert", "response"]
    response = GaugeMetricFamily("driftdrill_alert_response", text, labels=labels)
    for scenario, (verdict, at) in sorted(latest.items()):
        when.add_metric([scenario, wording.headline(verdict).loudest], at)
        did = [(wording.plain(r.alert), r.word) for r in verdict.responses]
        for alert, word in sorted(set(did)):
            response.add_metric([scenario, alert, word], did.count((alert, word)))
    yield from (when, response)

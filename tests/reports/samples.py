"""Verdicts as drills leave them: one for each thing that a view must be able to say."""

import functools
import math
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from driftdrill.reports.data.timeline import AlertTrack, Interval, Phase, Timeline, Track, Watched
from driftdrill.reports.data.verdict import Finding, Harm, HarmWord, LatencyPercentiles, Response, Validity, Verdict

HOSTILE = (
    "<script>alert(1)</script>\"'&]]>\x00\x1b[31m\x07\ud800\u202egnp.exe\u202c`|*_[x](http://evil.example)@team #1\n# h"
)


def timeline_of(
    *,
    step: float = 15.0,
    phases: tuple[float, float, float, float] = (600, 600, 1440, 960),
    accuracy: tuple[float, float] = (0.899, 0.776),
    watched: tuple[Watched, ...] = (),
    alerts: tuple[AlertTrack, ...] = (),
    ramp: float = 300.0,
    rate: float = 2.0,
    failing: float = 0.0,
    fault: str = "dep_delay x60",
    seed: int = 0,
) -> Timeline:
    """A timeline with noise as real samples have it; accuracy is measured over 60 requests or one step."""
    rng = random.Random(seed)
    starts = [sum(phases[:i]) for i in range(5)]
    times = tuple(step * i for i in range(int(starts[4] / step) + 1))
    strength = tuple(strength_at(t, starts[2], starts[3], ramp) for t in times)
    rows = max(60.0, rate * step)

    def right(s: float) -> float:
        mean = accuracy[0] + s * (accuracy[1] - accuracy[0])
        return min(1.0, max(0.0, rng.gauss(mean, math.sqrt(mean * (1 - mean) / rows))))

    answered = tuple(max(0.0, rng.gauss(rate, math.sqrt(rate / step))) for _ in times)
    failed = tuple(a * failing * s for a, s in zip(answered, strength, strict=True))
    names = ("warm_up", "baseline", "fault", "recovery")
    return Timeline(
        phases=tuple(Phase(n, starts[i], starts[i + 1]) for i, n in enumerate(names)),  # type: ignore[arg-type]
        rate=(Track("answered", "1/s", times, answered), Track("failed", "1/s", times, failed)),
        strength=(Track(fault, "ratio", times, strength),),
        quality=(Track("accuracy", "ratio", times, tuple(right(s) for s in strength)),),
        watched=watched,
        alerts=alerts,
    )


def strength_at(t: float, start: float, end: float, ramp: float) -> float:
    """A ramp inside the fault phase, 0 outside."""
    if not start <= t < end:
        return 0.0
    return min(1.0, (t - start) / ramp) if ramp else 1.0


def psi(
    alert: str,
    threshold: float,
    peak: float,
    *,
    labels: dict[str, str] | None = None,
    step: float = 15.0,
    end: float = 3600.0,
    fault: tuple[float, float] = (1200.0, 2640.0),
    window: float = 600.0,
    floor: float = 0.02,
    seed: int = 1,
) -> Watched:
    """A windowed drift measure that rises through the fault and falls after it."""
    rng = random.Random(seed)
    times = tuple(step * i for i in range(int(end / step) + 1))

    def value(t: float) -> float | None:
        if t < window / 2:
            return None
        inside = max(0.0, min(t, fault[1]) - max(t - window, fault[0])) / window
        return floor * (0.6 + 0.8 * rng.random()) + peak * inside**1.5

    track = Track(alert, "", times, tuple(value(t) for t in times), labels or {})
    return Watched(alert, f"max by(feature)(feature:{alert.lower()}:psi10m)", ">", threshold, (track,))


BASE = Verdict(
    scenario="departure delays arrive in seconds",
    story="An upstream service is rewritten; its delay field changes from minutes to seconds.",
    clock="virtual",
    validity=Validity(True),
    responses=(),
    harms=(),
    findings=(),
    timeline=Timeline(()),
    engine="promtool 2.42.0",
    started_at="2026-03-02T09:14:07Z",
    seed=0,
    target="http://127.0.0.1:8000/predict",
    requests={"planned": 7214, "sent": 7214, "answered": 7214, "failed": 0, "missed": 0},
    rules=("stack/rules/model.yml",),
    versions={"driftdrill": "0.1.0", "locust": "2.47.0", "python": "3.11.9"},
    recording="drills/delays_in_seconds.drill",
)
"""What the samples below have in common."""

INPUT = {"feature": "dep_delay"}


def in_accuracy(
    fault: str,
    word: HarmWord,
    values: tuple[float, float],
    drop: tuple[float, float],
    rows: tuple[int, int] = (1198, 2891),
    **more: Any,
) -> Harm:
    """Accuracy before and during a fault, of which a drop of 0.02 matters."""
    (before, during), (rows_before, rows_during) = values, rows
    return Harm(
        fault=fault, word=word, measure="accuracy", smallest=0.02, before=before, during=during, drop=drop,
        rows_before=rows_before, rows_during=rows_during, **more,
    )  # fmt: skip


def caught() -> Verdict:
    """The good drill: harm, and the alert in time."""
    drift = psi("InputDrift", 0.25, 3.4, labels=INPUT)
    others = tuple(
        replace(psi("InputDrift", 0.25, p, labels={"feature": f}, seed=i).tracks[0])
        for i, (f, p) in enumerate((("carrier", 0.0), ("origin", 0.0), ("dest", 0.03), ("distance", 0.01)))
    )
    output = psi("PredictionDrift", 0.2, 0.11, seed=5)
    tracks = (
        AlertTrack(
            "InputDrift",
            {**INPUT, "severity": "page"},
            (Interval(1545, 1845, "pending"), Interval(1845, 3165, "firing")),
            {"summary": "dep_delay has drifted: PSI 0.31"},
        ),
        AlertTrack("Watchdog", {"severity": "none"}, (Interval(0, 3600, "firing"),)),
    )
    return replace(
        BASE,
        responses=(
            Response(
                "InputDrift", "FIRED", "stack/rules/model.yml:17", INPUT, True, 1545, 1845, 3165, (640, 655), 900, 13.2
            ),
            Response("HighErrorRate", "SILENT", "stack/rules/model.yml:5", expected=True, peak=0.0),
            Response("PredictionDrift", "SILENT", "stack/rules/model.yml:31", peak=0.65),
            Response("HighLatency", "SILENT", "stack/rules/model.yml:44", peak=0.02, marks=("wall clock only",)),
            Response("ModelAbsent", "SILENT", "stack/rules/model.yml:52"),
        ),
        harms=(
            in_accuracy(
                "dep_delay x60", "HARMFUL", (0.899, 0.776), (0.104, 0.142),
                details={"AUC": (0.909, 0.854), "log loss": (0.277, 2.71)},
            ),
        ),
        findings=(
            Finding("fires(InputDrift{feature=\"dep_delay\"}, within=15m)", True, "fires.fired",
                    "firing within 15m", "fired after 10m40s to 10m55s", "stack/rules/model.yml:17", "4m5s to spare"),
            Finding("quiet(HighErrorRate)", True, "quiet.quiet", "never firing", "never fired"),
        ),
        listed=("Watchdog: always fires",),
        timeline=timeline_of(watched=(replace(drift, tracks=drift.tracks + others), output), alerts=tracks),
    )  # fmt: skip


def silent() -> Verdict:
    """The headline: harm, and no alert. No expectation failed."""
    drift, output = psi("InputDrift", 0.25, 0.02, labels=INPUT), psi("PredictionDrift", 0.2, 0.05, seed=3)
    return replace(
        BASE,
        scenario="a wrong join gives each flight another flight's delay",
        story="A feature pipeline joins on the wrong key: every column keeps its distribution, no row its meaning.",
        responses=(
            Response("InputDrift", "SILENT", "stack/rules/model.yml:17", peak=0.21,
                     note="peaked at 21 % of its threshold in the fault phase"),
            Response("PredictionDrift", "SILENT", "stack/rules/model.yml:31", peak=0.34),
            Response("HighErrorRate", "SILENT", "stack/rules/model.yml:5", expected=True, peak=0.0),
            Response("ModelAbsent", "SILENT", "stack/rules/model.yml:52"),
        ),
        harms=(
            in_accuracy("wrong join of dep_delay", "HARMFUL", (0.899, 0.640), (0.236, 0.282),
                     details={"AUC": (0.909, 0.551), "log loss": (0.277, 1.398)}),
        ),
        findings=(Finding("quiet(HighErrorRate)", True, "quiet.quiet", "never firing", "never fired"),),
        timeline=timeline_of(
            accuracy=(0.899, 0.640), watched=(drift, output), ramp=0, fault="wrong join of dep_delay", seed=2
        ),
        recording="drills/wrong_join.drill",
    )  # fmt: skip


def harmless() -> Verdict:
    """Nothing moved that matters and nothing fired: right."""
    return replace(
        BASE,
        scenario="a harmless shift below the thresholds",
        story="A new route brings somewhat longer flights; the model serves them as well as the old ones.",
        responses=(
            Response("InputDrift", "SILENT", "stack/rules/model.yml:17", expected=True, peak=0.44),
            Response("PredictionDrift", "SILENT", "stack/rules/model.yml:31", expected=True, peak=0.12),
        ),
        harms=(in_accuracy("distance tilted", "HARMLESS", (0.899, 0.902), (-0.016, 0.012)),),
        findings=(Finding("quiet(everything_else)", True, "quiet.quiet", "no alert", "no alert"),),
        timeline=timeline_of(
            accuracy=(0.899, 0.902), watched=(psi("InputDrift", 0.25, 0.09), psi("PredictionDrift", 0.2, 0.01)),
            fault="distance tilted", seed=3,
        ),
    )  # fmt: skip


def wall() -> Verdict:
    """A drill of 80 seconds on a real Prometheus, with failed requests."""
    watched = psi(
        "HighErrorRate", 0.05, 0.3, step=1, end=80, fault=(25, 55), window=15, floor=0.0, labels={"job": "model"}
    )
    track = AlertTrack("HighErrorRate", {"job": "model"}, (Interval(28, 33, "pending"), Interval(33, 66, "firing")))
    return replace(
        BASE,
        scenario="the model answers 500 to a third",
        story="",
        clock="wall",
        engine="prometheus 2.42.0 at http://127.0.0.1:9090",
        validity=Validity(True, observations=("312 of 4,000 requests failed: status 500",)),
        responses=(
            Response("HighErrorRate", "FIRED", "quick.yml:4", {"job": "model"}, True, 28, 33, 66, (8, 9.2), 20, 6.0),
        ),
        harms=(in_accuracy("status 500", "HARMFUL", (0.9, 0.63), (0.24, 0.30), (750, 1500), unanswered=312),),
        findings=(Finding("fires(HighErrorRate, within=20s)", True, "fires.fired", "within 20s", "after 8s to 9.2s"),),
        timeline=timeline_of(
            step=1, phases=(10, 15, 30, 25), rate=50, failing=0.3, ramp=0, accuracy=(0.9, 0.63),
            watched=(watched,), alerts=(track,), fault="status 500", seed=4,
        ),
        requests={"planned": 4000, "sent": 4000, "answered": 3688, "failed": 312, "missed": 0, "in flight at most": 17},
        latency=(
            LatencyPercentiles("baseline", "intended", 750, ((50.0, 0.001234), (99.99, 0.0125))),
            LatencyPercentiles("baseline", "send", 750, ((50.0, 0.0011), (99.99, 0.009))),
            LatencyPercentiles("fault", "intended", 1500, ((50.0, 1.432107), (99.99, 2.75))),
            LatencyPercentiles("fault", "send", 1500, ((50.0, 0.25), (99.99, 1.1))),
        ),
    )  # fmt: skip


def failed() -> Verdict:
    """Two expectations failed: one alert late and unresolved, one a false alarm, one could not be judged."""
    late = psi("InputDrift", 0.25, 0.31, labels=INPUT)
    track = AlertTrack("InputDrift", INPUT, (Interval(1900, 2200, "pending"), Interval(2200, 3600, "firing")))
    noise = AlertTrack("HighLatency", {}, (Interval(700, 760, "pending"), Interval(760, 900, "firing")))
    return replace(
        caught(),
        responses=(
            Response("InputDrift", "LATE", "stack/rules/model.yml:17", INPUT, True, 1900, 2200, None, (1000, 1015),
                     900, 1.24),
            Response("HighLatency", "FALSE_ALARM", "stack/rules/model.yml:44", fired_at=760, resolved_at=900,
                     note="fired in the baseline at 12m40s", marks=("wall clock only",)),
            Response("SlowDrift", "NOT_JUDGED", "stack/rules/model.yml:60", expected=True,
                     note="its look-back + for (1d) is longer than warm-up + baseline (20m); give --history"),
            Response("PredictionDrift", "SILENT", "stack/rules/model.yml:31", peak=0.65),
            Response("HighErrorRate", "SILENT", "stack/rules/model.yml:5", peak=0.0),
        ),
        findings=(
            Finding("fires(InputDrift{feature=\"dep_delay\"}, within=15m)", False, "fires.late", "firing within 15m",
                    "first fired 16m40s to 16m55s after the fault began", "stack/rules/model.yml:17",
                    "1m40s too late",
                    "its `for: 5m` and 10m window leave no time: shorten one of them"),
            Finding("quiet(HighLatency)", False, "quiet.fired", "never firing",
                    "firing from 12m40s to 15m in the baseline",
                    "stack/rules/model.yml:44", "", "raise the threshold, or add `for: 5m`"),
            Finding("quiet(HighErrorRate)", True, "quiet.quiet", "never firing", "never fired"),
        ),
        timeline=timeline_of(watched=(late,), alerts=(track, noise)),
    )  # fmt: skip


def invalid() -> Verdict:
    """A drill that proves nothing."""
    return replace(
        caught(),
        validity=Validity(
            False,
            ("the fault dep_delay x60 was never in force: strength stayed 0",
             "InputDrift was already firing in the baseline"),
            ("the target held back 12 requests for more than 1s",),
        ),
    )  # fmt: skip


def false_alarm() -> Verdict:
    """An alert fired although the fault did no harm."""
    return replace(
        caught(),
        scenario="unseen carriers",
        harms=(in_accuracy("unseen carriers", "HARMLESS", (0.899, 0.897), (-0.012, 0.016)),),
    )


def accepted() -> Verdict:
    """What failed is known, and the team has said why it lives with it."""
    why = "the rule is replaced in May"
    return replace(failed(), findings=tuple(replace(f, accepted="" if f.held else why) for f in failed().findings))


def not_judged() -> Verdict:
    """No truth and no alert whose look-back fits."""
    return replace(
        BASE,
        responses=(
            Response("SlowDrift", "NOT_JUDGED", "model.yml:60", expected=True,
                     note="its look-back (1d) is longer than 20m"),
        ),
        harms=(Harm(fault="dep_delay x60", word="UNKNOWN", measure="accuracy", note="the scenario names no truth"),),
        findings=(Finding("fires(SlowDrift, within=15m)", False, "fires.not_judged", "firing within 15m", "not judged",
                          "model.yml:60", hint="give clean history with --history"),),
        timeline=replace(timeline_of(), quality=()),
    )  # fmt: skip


@functools.cache
def many_alerts() -> Verdict:
    """Forty alerts with twelve series each, long names, six faults."""
    features = [f"feature_number_{i}" for i in range(12)]
    watched, tracks, responses = [], [], []
    for n in range(40):
        alert = f"FeatureDistributionDriftOfServiceNumber{n}"
        series = [
            psi(
                alert,
                0.25,
                (0.6 if f == "feature_number_3" and n < 8 else 0.05),
                labels={"feature": f},
                seed=n * 100 + i,
            ).tracks[0]
            for i, f in enumerate(features)
        ]
        watched.append(Watched(alert, f'max by(feature)(feature:psi10m{{service="{n}"}})', ">", 0.25, tuple(series)))
        for f in features[:6] if n < 8 else ():
            labels = {"feature": f, "namespace": "flights-production-eu-west-1", "severity": "page", "team": "ml"}
            tracks.append(
                AlertTrack(alert, labels, (Interval(1800 + n * 15, 2100, "pending"), Interval(2100, 3000, "firing")))
            )
            responses.append(
                Response(
                    alert,
                    "FIRED",
                    f"very/long/path/to/the/rule/files/of/the/team/drift_{n}.yml:17",
                    labels,
                    n < 2,
                    1800 + n * 15,
                    2100,
                    3000,
                    (900, 915),
                    1200,
                    2.1,
                )
            )
        if n >= 8:
            responses.append(Response(alert, "SILENT", f"drift_{n}.yml:17", peak=0.2))
    harms = tuple(
        in_accuracy(f"fault number {i}", "INCONCLUSIVE" if i else "HARMFUL", (0.9, 0.8), (0.01, 0.15), (100, 200))
        for i in range(6)
    )
    base = timeline_of(watched=tuple(watched), alerts=tuple(tracks))
    strength = tuple(replace(base.strength[0], name=f"fault number {i}") for i in range(6))
    timeline = replace(base, strength=strength)
    return replace(caught(), responses=tuple(responses), harms=harms, timeline=timeline)  # fmt: skip


def empty() -> Verdict:
    """A drill that ended before it had a timeline."""
    return replace(BASE, validity=Validity(False, ("the target went away after 3s",)))


@functools.cache
def a_day() -> Verdict:
    """24 hours of samples every 15 seconds, ten alerts of twelve series."""
    phases = (3600.0, 28800.0, 28800.0, 25200.0)
    fault = (32400.0, 61200.0)
    features = [f"feature_{i}" for i in range(12)]
    watched = []
    for n in range(10):
        series = [
            psi(
                f"Drift{n}",
                0.25,
                0.5 if i == n == 0 else 0.03,
                end=86400,
                fault=fault,
                window=3600,
                labels={"feature": f},
                seed=n * 50 + i,
            ).tracks[0]
            for i, f in enumerate(features)
        ]
        watched.append(Watched(f"Drift{n}", f'feature:psi1h{{group="{n}"}}', ">", 0.25, tuple(series)))
    track = AlertTrack(
        "Drift0", {"feature": "feature_0"}, (Interval(34800, 35400, "pending"), Interval(35400, 63000, "firing"))
    )
    responses = [
        Response(
            "Drift0", "FIRED", "day.yml:3", {"feature": "feature_0"}, True, 34800, 35400, 63000, (3000, 3015), 7200, 2.1
        )
    ]
    responses += [Response(f"Drift{n}", "SILENT", f"day.yml:{3 + n}", peak=0.2) for n in range(1, 10)]
    return replace(
        caught(),
        scenario="a day with a slow ramp",
        responses=tuple(responses),
        timeline=timeline_of(phases=phases, ramp=7200, watched=tuple(watched), alerts=(track,), seed=9),
    )  # fmt: skip


def hostile() -> Verdict:
    """Every text that others write is an attack."""
    h = HOSTILE
    labels = {h: h, "feature": "x" * 3000}
    return replace(
        caught(),
        scenario=h,
        story=h * 20,
        target=h,
        engine=h,
        recording=h,
        rules=(h,),
        listed=(h,),
        versions={h: h},
        requests={h: 1},
        started_at=h,
        validity=Validity(True, observations=(h,)),
        responses=(
            Response(h, "FIRED", h, labels, True, 1545, 1845, 3165, (640, 655), 900, 13.2, h, (h,)),
            Response("ملف", "SILENT", "規則.yml:1", {"名前": "値" * 40}, True, peak=float("inf"), note="ab\u2028c"),
        ),
        harms=(
            replace(
                in_accuracy(h, "HARMFUL", (0.9, 0.7), (0.1, 0.2), (1, 2)), measure=h, note=h, details={h: (0.1, None)}
            ),
        ),
        findings=(Finding(h, False, h, h, h, h, h, h),),
        timeline=replace(
            timeline_of(fault=h),
            watched=(replace(psi(h, 0.25, 3.4, labels=labels), expr=h, comparison=h),),
            alerts=(AlertTrack(h, labels, (Interval(1845, 3165, "firing"),), {h: h}),),
        ),
    )


SAMPLES: dict[str, Callable[[], Verdict]] = {
    f.__name__: functools.cache(f)
    for f in (
        caught, silent, harmless, wall, failed, accepted, invalid, false_alarm, not_judged, many_alerts, empty, a_day,
        hostile,
    )
}  # fmt: skip
"""Name -> the verdict, made once."""

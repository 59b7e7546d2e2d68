"""Recordings made by hand: known samples, known requests, so that a judgement can be checked against arithmetic."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Recording, open_recording
from driftdrill.harness.recording.writer import Writer
from driftdrill.harness.scenario.expect import Expectation

PHASES = (("warm_up", 0.0, 300.0), ("baseline", 300.0, 900.0), ("fault", 900.0, 1800.0), ("recovery", 1800.0, 2700.0))
Value = Callable[[float], float | None]


def make(
    folder: Path,
    series: Mapping[str, Value | Mapping[tuple[tuple[str, str], ...], Value]],
    rules: str,
    *,
    expect: Sequence[Expectation] = (),
    accuracy: tuple[float, float] = (0.9, 0.9),
    strength: float = 1.0,
    changed: bool = True,
    every: float = 15.0,
    offset: float = 7.0,
    interval: float = 15.0,
    end: bool = True,
    up: Value = lambda t: 1.0,
    meta: Mapping[str, Any] | None = None,
    name: str = "made.drill",
    requests: Mapping[str, Any] | None = None,
) -> Recording:
    """A virtual drill of 45 minutes: ``series`` maps metric names to functions of scenario seconds.

    ``requests`` are columns in place of the usual ones, 2,700 long.
    """
    path = folder / name
    rule_name = "rules.yml"
    fields: dict[str, Any] = {
        "scenario": "made",
        "story": "made by hand",
        "clock": "virtual",
        "phases": list(PHASES),
        "expect": [msgspec.to_builtins(e) for e in expect],
        "faults": [{"name": "fault", "held": False}],
        "truth": "truth",
        "smallest_harm": 0.05,
        "threshold": 0.5,
        "seed": 0,
        "planned": 2700,
        "rows_per_request": 1,
        "scrape_interval": every,
        "evaluation_interval": interval,
        "started_at": 1.8e9,
        "target": {"name": "made"},
        "targets": [{"job": "m", "instance": "i"}],
        "rules": [("00.yml", rule_name)],
        "engine": "promtool",
        "versions": {},
    }
    writer = Writer(path, Meta(**(fields | dict(meta or {}))))
    writer.rules("00.yml", rules.encode())
    _samples(writer, {"up": up, **series}, every, offset)
    _requests(writer, accuracy, strength, changed, requests or {})
    if end:
        writer.event("end", 2700.0, complete=True, why="", sent=2700, ended=2700)
    return open_recording(path)


def _samples(writer: Writer, series: Mapping[str, Any], every: float, offset: float) -> None:
    labels: list[dict[str, str]] = []
    points: dict[int, list[tuple[float, float]]] = {}
    for name, value in series.items():
        for extra, function in value.items() if isinstance(value, Mapping) else [((), value)]:
            i = len(labels)
            labels.append({"__name__": name, "job": "m", "instance": "i", **dict(extra)})
            moments = np.arange(offset - every, 2700.0, every).tolist()
            points[i] = [(t, float(v)) for t in moments if (v := function(t)) is not None]
    writer.samples("samples", labels.__getitem__, points)


def _requests(
    writer: Writer, accuracy: tuple[float, float], strength: float, changed: bool, given: Mapping[str, Any]
) -> None:
    rng = np.random.default_rng(0)
    slots = np.arange(2700)
    inside = (slots >= 900) & (slots < 1800)
    truth = rng.integers(0, 2, 2700)
    right = rng.random(2700) < np.where(inside, accuracy[1], accuracy[0])
    writer.block(
        "requests",
        {
            "slot": slots.tolist(),
            "intended": (slots * 1000).tolist(),
            "late": [0] * 2700,
            "took": [1000] * 2700,
            "status": [200] * 2700,
            "size": [10] * 2700,
            "failure": [""] * 2700,
            "prediction": np.where(right, truth, 1 - truth).astype(float).tolist(),
            "truth": truth.tolist(),
            "strength": {"fault": np.where(inside, strength, 0.0).tolist()},
            "changed": {"fault": (inside & changed).astype(int).tolist()},
            "missed": 0,
            **given,
        },
    )

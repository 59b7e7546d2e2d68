"""What a judgement is made from, as plain values without a file or a program: a test says only what matters to it."""

from typing import Any

import numpy as np

from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import AlertTrack, Interval, Phase
from tests.harness.made import PHASES

BY_NAME = {name: Phase(name, start, end) for name, start, end in PHASES}  # type: ignore[arg-type]


def meta(**given: Any) -> Meta:
    """A virtual drill of the phases of :mod:`tests.harness.made`, with one fault on rows."""
    fields: dict[str, Any] = {
        "scenario": "by hand",
        "story": "by hand",
        "clock": "virtual",
        "phases": list(PHASES),
        "expect": [],
        "faults": [{"name": "fault", "held": False, "seam": "rows"}],
        "truth": "truth",
        "smallest_harm": 0.05,
        "threshold": 0.5,
        "seed": 0,
        "planned": 0,
        "rows_per_request": 1,
        "scrape_interval": 15.0,
        "evaluation_interval": 15.0,
        "started_at": 1.8e9,
        "target": {"name": "by hand"},
        "targets": [{"job": "m", "instance": "i"}],
        "rules": [],
        "engine": "none",
        "versions": {},
    }
    return Meta(**(fields | given))


def requests(intended: Any, prediction: Any, truth: Any = None, **given: Any) -> Requests:
    """Requests at ``intended`` seconds, answered at once; ``prediction`` and ``truth`` are (n,) or (n, rows)."""
    at = np.asarray(intended, dtype=np.float64)
    n = len(at)
    strength = given.pop("strength", np.where((at >= 900) & (at < 1800), 1.0, 0.0))
    columns: dict[str, Any] = {
        "slot": np.arange(n),
        "intended": at,
        "late": np.zeros(n),
        "took": np.full(n, 0.001),
        "status": np.full(n, 200),
        "size": np.full(n, 10),
        "failure": np.full(n, "", dtype=np.str_),
        "prediction": _by_row(prediction, n),
        "truth": None if truth is None else _by_row(truth, n),
        "strength": strength if isinstance(strength, dict) else {"fault": strength},
        "changed": {} if isinstance(strength, dict) else {"fault": strength > 0},
        "missed": 0,
    }
    return Requests(**(columns | given))


def _by_row(values: Any, n: int) -> Any:
    """Numbers, or labels where it is an array of objects."""
    labels = isinstance(values, np.ndarray) and values.dtype.kind == "O"
    return np.asarray(values, dtype=object if labels else np.float64).reshape(n, -1 if n else 1)


def samples(name: str, points: dict[float, float], **labels: str) -> Samples:
    """One series: scenario seconds -> value."""
    times = np.round(np.array(list(points), dtype=np.float64) * 1000).astype(np.int64)
    named = {"__name__": name, "job": "m", "instance": "i", **labels}
    return Samples(named, times, np.array(list(points.values()), dtype=np.float64))


def track(alert: str, *spans: tuple[float, float, str], **labels: str) -> AlertTrack:
    """An alert that was pending or firing in each of the spans (start, end, state)."""
    return AlertTrack(alert, labels, tuple(Interval(*span) for span in spans))  # type: ignore[arg-type]

"""Recordings as OpenMetrics, for a Prometheus."""

import math
from collections.abc import Iterator

from driftdrill.harness.recording.reader import Recording, Samples


def openmetrics(recording: Recording, epoch: float | None = None) -> Iterator[str]:
    """OpenMetrics text (1.0) in lines, for `promtool tsdb create-blocks-from openmetrics`.

    ``epoch`` is the Unix time of scenario second 0, by default that of the drill. Stale markers have no form in
    OpenMetrics and are left out. All families are of type unknown, because a name's suffix is part of the name here.
    """
    zero = recording.meta.started_at if epoch is None else epoch
    streams = [*recording.samples(), *recording.samples("alerts")]
    by_name: dict[str, list[Samples]] = {}
    for s in streams:
        by_name.setdefault(s.labels.get("__name__", ""), []).append(s)
    for name in sorted(by_name):
        yield f"# TYPE {name} unknown\n"
        for s in by_name[name]:
            labels = ",".join(f'{k}="{_escaped(v)}"' for k, v in sorted(s.labels.items()) if k != "__name__")
            head = f"{name}{{{labels}}}" if labels else name
            for at, value, gone in zip(s.times.tolist(), s.values.tolist(), s.stale.tolist(), strict=True):
                if not gone:
                    yield f"{head} {_number(value)} {zero + at / 1000:.3f}\n"
    yield "# EOF\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)

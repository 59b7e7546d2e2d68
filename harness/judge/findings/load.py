"""What a drill's load was: how many requests, how many at once, how long they took."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.traffic.latency import percentiles
from driftdrill.harness.traffic.player import UNSENT
from driftdrill.reports.data.timeline import Phase
from driftdrill.reports.data.verdict import LatencyPercentiles, Since

TOKENS: Mapping[Since, str] = {"to first token": "time_to_first_token", "between tokens": "inter_token_time"}
"""What a streamed answer of a language model has besides, and how a recording calls it."""


def counts(meta: Meta, requests: Requests) -> dict[str, int]:
    """Requests by what became of them, and on the wall clock the most that were in flight at once."""
    answered = int((requests.failure == "").sum())
    out = {
        "planned": meta.planned,
        "sent": len(requests),
        "answered": answered,
        "failed": len(requests) - answered,
        "missed": requests.missed,
    }
    if meta.clock == "wall":
        out["in flight at most"] = most_in_flight(requests)
    return out


def most_in_flight(requests: Requests) -> int:
    """The most requests that were sent and not ended at one time."""
    sent = requests.failure != "dropped"
    begun = (requests.intended + requests.late)[sent]
    moments = np.concatenate([begun, begun + requests.took[sent]])
    change = np.repeat([1, -1], len(begun))
    # At one moment what ends goes before what begins: a connection is free before it is taken again.
    return int(np.cumsum(change[np.lexsort((change, moments))]).max(initial=0))


def latencies(meta: Meta, phases: Mapping[str, Phase], requests: Requests) -> tuple[LatencyPercentiles, ...]:
    """Percentiles of the baseline and of the fault phase, where time was real.

    From the intended start every request counts that was due, from the send every one that was sent; one that failed
    counts with the time until it did. What the end of the drill cut off does not count.
    Of streamed tokens those answers count that had them.
    """
    if meta.clock != "wall":
        return ()
    whole = {"intended": requests.late + requests.took, "send": requests.took}
    left_out: Mapping[Since, tuple[str, ...]] = {"intended": ("unfinished",), "send": UNSENT}
    out = []
    for phase in (phases["baseline"], phases["fault"]):
        inside = (requests.intended >= phase.start) & (requests.intended < phase.end)
        for since, kinds in left_out.items():
            seconds = whole[since][inside & ~np.isin(requests.failure, kinds)]
            if len(seconds):
                out.append(LatencyPercentiles(phase.name, since, len(seconds), _rounded(seconds)))
        for since, name in TOKENS.items():
            seconds = requests.measured.get(name, np.empty(0))[inside if name in requests.measured else slice(0)]
            seconds = seconds[~np.isnan(seconds)]
            if len(seconds):
                out.append(LatencyPercentiles(phase.name, since, len(seconds), _rounded(seconds)))
    return tuple(out)


def _rounded(seconds: npt.NDArray[np.float64]) -> tuple[tuple[float, float], ...]:
    return tuple((q, round(value, 6)) for q, value in percentiles(seconds).items())

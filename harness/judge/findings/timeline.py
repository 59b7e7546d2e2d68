"""The timeline of a verdict: requests, strengths, quality and watched metrics on one axis."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from driftdrill.harness.judge.harm.harm import quality
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.seams import recorded_seam
from driftdrill.reports.data.timeline import AlertTrack, Phase, Timeline, Track, Watched

POINTS = 120
CORNERS = 400


def timeline(
    meta: Meta,
    phases: Mapping[str, Phase],
    requests: Requests,
    events: Sequence[Mapping[str, Any]],
    rules: Rules,
    left: Mapping[str, tuple[Track, ...]],
    alerts: tuple[AlertTrack, ...],
) -> Timeline:
    """Everything that the views draw. ``left`` maps a threshold's left side to its series."""
    end = phases["recovery"].end
    watched = []
    for known in rules.alerts:
        t = known.analysed.threshold
        if t is not None and math.isfinite(t.number) and left.get(t.left):
            watched.append(Watched(known.rule.name, t.left, t.comparison, t.number, left[t.left]))
    return Timeline(
        phases=tuple(phases.values()),
        rate=_rates(requests, end),
        strength=_strengths(meta, requests, events, end),
        quality=quality(meta, phases, requests, end),
        watched=tuple(watched),
        alerts=alerts,
    )


def _rates(requests: Requests, end: float) -> tuple[Track, ...]:
    edges = np.linspace(0.0, end, POINTS + 1)
    width = end / POINTS
    middle = tuple(((edges[1:] + edges[:-1]) / 2).tolist())
    good = requests.failure == ""
    out = []
    for name, chosen in (("answered", good), ("failed", ~good)):
        counts, _ = np.histogram(requests.intended[chosen], edges)
        out.append(Track(name, "requests/s", middle, tuple((counts / width).tolist())))
    return tuple(out)


def _strengths(meta: Meta, requests: Requests, events: Sequence[Mapping[str, Any]], end: float) -> tuple[Track, ...]:
    out = []
    for fault in meta.faults:
        name = fault["name"]
        if not recorded_seam(fault).per_request:
            sets = [(e["at"], e["strength"]) for e in events if e["event"] == "fault" and e["name"] == name]
            knots = [(0.0, 0.0)]
            for at, strength in sets:
                knots += [(at, knots[-1][1]), (at, strength)]
            knots.append((end, knots[-1][1]))
            times, values = [k[0] for k in knots], [float(k[1]) for k in knots]
        else:
            own = np.full(len(requests), True)
            if fault.get("replica") is not None:  # requests to the others have strength 0
                own = requests.slot % len(meta.target["connections"]) == fault["replica"]
            strengths, intended = requests.strength[name][own], requests.intended[own]
            keep = _corners(strengths)
            times, values = intended[keep].tolist(), strengths[keep].tolist()
        out.append(Track(name, "ratio", tuple(times), tuple(values)))
    return tuple(out)


def _corners(values: Any) -> Any:
    """Indices where a long column of strengths bends; the straight rest is left out."""
    if len(values) < 3:
        return np.arange(len(values))
    flat = (np.diff(values[:-1]) == 0) & (np.diff(values[1:]) == 0)
    index = np.flatnonzero(np.concatenate([[True], ~flat, [True]]))
    return index if len(index) <= CORNERS else index[np.linspace(0, len(index) - 1, CORNERS).astype(int)]

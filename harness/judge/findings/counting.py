"""What the target's own count of requests tells: a page refreshed late, requests sent twice, others' traffic.

On the virtual clock drive finds the counter (:mod:`driftdrill.harness.drive.request_counters`) and records what it saw;
on the wall clock, and where others' traffic hides it, the request counters among the samples tell.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from driftdrill.harness.judge.findings.scraped_page import OURS, counts_requests
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Samples

Events = Sequence[Mapping[str, Any]]

FAR_MORE = 1.5
"""How many times what was sent a counter must have grown by until others are taken to send, too."""
FALLS = 3
"""Falls of a counter from which on its growth says nothing."""
SLACK = 20
"""Requests beyond that: a probe, health checks, golden requests."""
SERVER_READ = 0.5
"""Share of the requests sent twice from which on the server is taken to have read the first of them."""


def refreshed_late(events: Events, reads: frozenset[str] | None) -> list[str]:
    """The reason for INVALID where a page is refreshed on an interval of its own. ``reads`` are the metrics that the
    judged rules read; None is everything."""
    out = []
    for e in events:
        if e["event"] != "refreshed_late":
            continue
        name = e["counter"] or next((n for n in e["names"] if reads is None or n in reads), "")
        if name:
            out.append(
                f"{name} stood still while {e['answered']} requests were answered, and moved {e['after']:g}s after the "
                "last of them: the metrics page is refreshed on an interval of its own, which virtual time does not "
                "wait for; drill it with --clock wall"
            )
    return out


def sent_twice(events: Events) -> tuple[list[str], list[str]]:
    """(reasons for INVALID, observations) on requests that went out once more on a new connection, in virtual time."""
    again = sum(e["requests"] for e in events if e["event"] == "resent")
    if not again:
        return [], []
    said = f"{again} requests were sent again: the server had closed a kept connection before it answered"
    counter = next((e for e in events if e["event"] == "counter" and e.get("name")), None)
    more = 0 if counter is None else round(counter.get("grown", 0) - counter.get("answered", 0))
    if counter is None or more < max(2, SERVER_READ * again) or more > again + SLACK:
        return [], [said]
    why = f"{counter['name']} counted {more} of them twice, so they had arrived: drill it with --clock wall"
    return [f"{said}, but {why}"], []


def others_traffic(meta: Meta, requests: Requests, samples: Sequence[Samples], events: Events) -> list[str]:
    """The observation that others send requests to the target, with the numbers."""
    sent = int((requests.status > 0).sum()) + sum(e["answered"] for e in events if e["event"] == "golden")
    found = next((e for e in events if e["event"] == "counter" and e.get("name") and "grown" in e), None)
    if found is not None:
        name, grown, sent = found["name"], float(found["grown"]), max(sent, int(found["answered"]))
    else:
        growth = {n: g for n, g in _growth(meta, samples).items() if g >= 0.9 * sent}
        if not growth or not sent:
            return []
        name = min(growth, key=lambda n: (growth[n], n))
        grown = growth[name]
    if grown <= FAR_MORE * meta.rows_per_request * sent + SLACK:
        return []
    return [f"others send requests to the target: {name} grew by {grown:.0f} while {sent} of this drill were answered"]


def _growth(meta: Meta, samples: Sequence[Samples]) -> dict[str, float]:
    """Name of a request counter -> by how much its series grew, resets left out; those of the page itself are."""
    named = meta.target.get("request_counter")
    out: dict[str, float] = {}
    for s in samples:
        name = s.labels.get("__name__", "")
        if (name != named if named else not counts_requests(name)) or s.labels.get("job") == OURS:
            continue
        if "/metrics" not in s.labels.values():
            shown = s.values[~np.isnan(s.values)]
            if int((np.diff(shown) < 0).sum()) >= FALLS:  # several processes answer in turn: each fall is no restart
                out[name] = -np.inf
            born = float(shown[0]) if len(shown) and s.times[0] > 0 else 0.0  # first seen with a value in the drill
            out[name] = out.get(name, 0.0) + born + float(np.clip(np.diff(shown), 0.0, None).sum())
    return out

"""Validity: whether a drill proves anything. What the target held back is an observation, not a reason."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.judge.findings.harm import auc, auc_low, correct, is_binary
from driftdrill.harness.judge.findings.left_behind import left_behind
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.seams import recorded_seam
from driftdrill.reports.data.timeline import AlertTrack, Phase
from driftdrill.reports.data.verdict import Validity

SENT = 0.99
"""Share of the planned requests that must have been sent in time."""
SCRAPED = 0.95
"""Share of a phase's scrapes that must have found the target up."""
COUNTED = 0.5
"""Share of the requests answered that the target's own counter must have seen."""
ANSWERED = 0.5
"""Share of the baseline's rows that must have got a prediction."""


def validity(
    meta: Meta,
    phases: Mapping[str, Phase],
    requests: Requests,
    samples: Sequence[Samples],
    events: Sequence[Mapping[str, Any]],
    must_fire: frozenset[str],
    alerts: Sequence[AlertTrack],
    read: frozenset[str] = frozenset(),
) -> Validity:
    """All reasons for which the drill is INVALID, and what else a reader should know.

    ``read`` are the names of the metrics that judged rules read.
    """
    reasons = [
        *_ended(events),
        *_load(meta, requests),
        *(str(e["what"]) for e in events if e["event"] == "worker_lost"),
        *_in_force(meta, requests, events),
        *_scraped(meta, phases, samples),
        *_counted(meta, requests, samples),
        *clean_start(phases, must_fire, alerts),
        *_right_model(meta, phases, requests),
    ]
    return Validity(
        not reasons,
        tuple(reasons),
        (*_observations(meta, requests, events), *left_behind(read, samples, phases["baseline"])),
    )


def _ended(events: Sequence[Mapping[str, Any]]) -> list[str]:
    last = next((e for e in events if e["event"] == "end"), None)
    if last is None:
        return ["the drill did not run to its end: it was killed"]
    return [] if last["complete"] else [f"the drill did not run to its end: {last['why']}"]


def _load(meta: Meta, requests: Requests) -> list[str]:
    sent = len(requests) - requests.missed
    if sent >= SENT * meta.planned:
        return []
    after = f"more than {format_duration(meta.late_after)} late by the generator itself"
    late = f", {requests.missed} of them {after}" if requests.missed else ""
    return [f"load not sent: {len(requests)} of {meta.planned} planned requests{late}; at least {SENT:.0%} are needed"]


def _in_force(meta: Meta, requests: Requests, events: Sequence[Mapping[str, Any]]) -> list[str]:
    out = []
    for fault in meta.faults:
        name = str(fault["name"])
        columns = requests.strength.get(name), requests.changed.get(name)
        why = recorded_seam(fault).was_in_force(name, *columns, events)
        out += [f"fault {name!r} {why}"] if why else []
    return out


def _scraped(meta: Meta, phases: Mapping[str, Phase], samples: Sequence[Samples]) -> list[str]:
    ups = {
        (s.labels.get("job", ""), s.labels.get("instance", "")): s for s in samples if s.labels.get("__name__") == "up"
    }
    # A fault may take the target down, and that is the drill; in the baseline nothing may.
    stays_up = all(recorded_seam(f).target_stays_up for f in meta.faults)
    checked = ["baseline", "fault", "recovery"] if stays_up else ["baseline"]
    out = []
    intervals = meta.scrape_intervals or [meta.scrape_interval] * len(meta.targets)
    for target, interval in zip(meta.targets, intervals, strict=False):
        key = (target.get("job", ""), target.get("instance", ""))
        up = ups.get(key)
        name = f"target job={key[0]!r} instance={key[1]!r}"
        if up is None:
            out.append(f"{name} was never scraped")
            continue
        for phase in (phases[p] for p in checked):
            length = phase.end - phase.start
            expected = length / interval
            inside = (up.times >= phase.start * 1000) & (up.times < phase.end * 1000)
            good = int((up.values[inside] == 1).sum())
            if expected >= 1 and good < SCRAPED * expected - 1:
                out.append(f"{name} was up at {good} of {round(expected)} scrapes in the {phase.name} phase")
        recovered = up.values[
            (up.times >= phases["recovery"].start * 1000) & (up.times < phases["recovery"].end * 1000)
        ]
        if not stays_up and len(recovered) and recovered[-1] != 1:
            out.append(f"{name} was down when the recovery ended: it died, or a fault took it down for good")
    if not meta.targets:
        out.append("no target was scraped")
    return out


def _counted(meta: Meta, requests: Requests, samples: Sequence[Samples]) -> list[str]:
    """Whether the target's own counter, where driftdrill.toml names one, saw what was answered."""
    name, answered = meta.target.get("request_counter"), int((requests.status > 0).sum())
    if not name:
        return []
    grown = 0.0
    for s in samples:
        if s.labels.get("__name__") == name:
            values = s.values[~np.isnan(s.values)]
            grown += float(np.clip(np.diff(values), 0.0, None).sum())
    if grown >= COUNTED * answered:
        return []
    return [f"is this the model's metrics page? {name} grew by {grown:g} while {answered} requests were answered"]


def clean_start(phases: Mapping[str, Phase], must_fire: frozenset[str], alerts: Sequence[AlertTrack]) -> list[str]:
    """The alerts that must fire, and were firing or about to when the fault began."""
    start, begin = phases["fault"].start, phases["baseline"].start
    out = []
    for track in alerts:
        if track.alert not in must_fire:
            continue
        for i in track.intervals:
            if i.state == "firing" and i.start < start and i.end > begin:
                out.append(f"{track.alert}, which must fire, was firing in the baseline already")
                break
            if i.state == "pending" and i.start < start < i.end:
                out.append(f"{track.alert}, which must fire, was pending when the fault began")
                break
    return sorted(set(out))


def _right_model(meta: Meta, phases: Mapping[str, Phase], requests: Requests) -> list[str]:
    phase = phases["baseline"]
    inside = (requests.intended >= phase.start) & (requests.intended < phase.end)
    if not inside.any():
        return ["no request was sent in the baseline"]
    prediction = requests.prediction[inside]
    answered = float(np.mean(~np.isnan(prediction)))
    if answered < ANSWERED:
        return [f"the target answered only {answered:.0%} of the baseline's clean rows"]
    if requests.truth is None:
        return []
    truth = requests.truth[inside]
    if is_binary(requests.truth):
        area = auc(prediction, truth)
        positives = int((truth == 1).sum())
        if area is not None and auc_low(area, positives, truth.size - positives) <= 0.5:
            return [f"is this the right model? on clean rows its predictions say nothing of the truth (AUC {area:.2f})"]
        return []
    right = float(correct(prediction, truth, meta.threshold).mean())
    _, counts = np.unique(truth, return_counts=True)
    most = float(counts.max() / truth.size)
    if right <= most:
        return [f"is this the right model? on clean rows it is right for {right:.0%}; one constant is for {most:.0%}"]
    return []


def _observations(meta: Meta, requests: Requests, events: Sequence[Mapping[str, Any]]) -> list[str]:
    out = []
    failed = requests.failure[requests.failure != ""]
    if len(failed):
        kinds, counts = np.unique(failed, return_counts=True)
        shown = ", ".join(f"{n} {k}" for k, n in zip(kinds.tolist(), counts.tolist(), strict=True))
        out.append(f"{len(failed)} of {len(requests)} requests failed: {shown}")
    if len(requests) and meta.clock == "wall":
        late = float(np.percentile(requests.late, 99))
        if late > 0.05:
            out.append(f"the target held requests back: lateness p99 {rounded_duration(late)}")
    unseen = meta.clock == "virtual" and any(e["event"] == "counter" and not e["name"] for e in events)
    if unseen:
        out.append("no counter of the metrics page moved with the requests: is it the model's?")
    left_out = [name for e in events if e["event"] == "not_recorded" for name in e["names"]]
    if left_out:
        out.append(f"native histograms are not recorded: {', '.join(left_out)}")
    held = {str(e["name"]): int(e["processes"]) for e in events if e["event"] == "fault" and e.get("processes")}
    out += [f"fault {name!r} held {number} process{'es' * (number > 1)} of the target" for name, number in held.items()]
    lagged = [e for e in events if e["event"] == "counter" and e["unsettled"]]
    out += [f"{e['name']} lagged behind the requests answered at {e['unsettled']} scrapes" for e in lagged]
    return out

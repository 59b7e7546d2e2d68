"""Validity: whether a drill proves anything. What the target held back is an observation, not a reason."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.judge.findings import counting, evaluations, pages
from driftdrill.harness.judge.findings.left_behind import left_behind
from driftdrill.harness.judge.findings.load import most_in_flight
from driftdrill.harness.judge.findings.scraped_page import page_key
from driftdrill.harness.judge.harm.right_model import BaselineCheck, right_model
from driftdrill.harness.judge.harm.rows import answered, within
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.seams import recorded_seam
from driftdrill.harness.traffic.player import UNSENT
from driftdrill.reports.data.timeline import AlertTrack, Phase
from driftdrill.reports.data.verdict import Validity

SENT = 0.99
"""Share of the planned requests that must have been sent in time."""
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
    awaited: Sequence[AlertTrack],
    failed: Sequence[pages.PageFailure],
    reads: frozenset[str] | None = frozenset(),
    look_back: Mapping[str, float] | None = None,
) -> Validity:
    """All reasons for which the drill is INVALID, and what else a reader should know.

    ``awaited`` are the instances of alerts that must fire, ``failed`` is what befell pages, ``reads`` are the metrics
    that the judged rules read; None is everything. ``look_back`` is that of
    :func:`clean_start`.
    """
    unread = [f.why for f in failed]
    twice, sent_twice = counting.sent_twice(events)
    late = counting.refreshed_late(events, reads)
    model = _right_model(meta, phases, requests)
    reasons = [
        *_ended(events),
        *_load(meta, requests),
        *(str(e["what"]) for e in events if e["event"] == "worker_lost"),
        *evaluations.reasons(events),
        *_in_force(meta, requests, events),
        *_scraped(meta, samples),
        *(of_pages := pages.reasons(meta, failed)),
        *late,
        *twice,
        *_counted(meta, requests, samples),
        *clean_start(phases, awaited, look_back),
        *model.reasons,
    ]
    observations = [
        *(f"{why}: rules that read it are not judged" for why in unread if why not in of_pages),
        *pages.several_processes(meta, phases, samples),
        *_observations(meta, requests, [e for e in events if not late or e["event"] != "counter"]),
        *sent_twice,
        *evaluations.observations(events),
        *counting.others_traffic(meta, requests, samples, events),
        *left_behind(reads, samples, phases["baseline"]),
        *model.observations,
    ]
    return Validity(not reasons, tuple(reasons), tuple(observations))


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


def _scraped(meta: Meta, samples: Sequence[Samples]) -> list[str]:
    scraped = {page_key(s.labels) for s in samples if s.labels.get("__name__") == "up"}
    missing = [t for t in map(page_key, meta.targets) if t not in scraped]
    out = [f"target job={job!r} instance={instance!r} was never scraped" for job, instance in missing]
    return out or ([] if meta.targets else ["no target was scraped"])


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


def clean_start(
    phases: Mapping[str, Phase], awaited: Sequence[AlertTrack], look_back: Mapping[str, float] | None = None
) -> list[str]:
    """Those of the alerts that must fire which were firing or about to when the fault began.

    ``look_back`` are the seconds of an alert by its name, less those of a clean history: what it does before so many
    have passed, it does for want of samples.
    """
    start = phases["fault"].start
    out = []
    for track in awaited:
        begin = max(phases["baseline"].start, (look_back or {}).get(track.alert, 0.0))
        for i in track.intervals:
            if i.state == "firing" and i.start < start and i.end > begin:
                out.append(f"{track.alert}, which must fire, was firing in the baseline already")
                break
            if i.state == "pending" and i.start < start < i.end:
                out.append(f"{track.alert}, which must fire, was pending when the fault began")
                break
    return sorted(set(out))


def _right_model(meta: Meta, phases: Mapping[str, Phase], requests: Requests) -> BaselineCheck:
    inside = within(requests, phases["baseline"])
    if not inside.any():
        return BaselineCheck(("no request was sent in the baseline",))
    share = float(answered(requests.prediction[inside]).mean())
    if share < ANSWERED:
        why = _unsent(requests, inside) or f"the target answered only {share:.0%} of the baseline's clean rows"
        return BaselineCheck((why,))
    return right_model(meta, phases, requests)


def _scrapes(number: int) -> str:
    return f"{number} scrape{'s' * (number != 1)}"


def _unsent(requests: Requests, inside: npt.NDArray[np.bool_]) -> str:
    """That most of the requests of ``inside`` that failed were never sent, or cut off by the end of the drill; empty
    where the target failed them."""
    failure = requests.failure[inside]
    unsent = int(np.isin(failure, UNSENT).sum())
    if 2 * unsent <= int((failure != "").sum()):
        return ""
    late = float(np.median(requests.late[inside]))
    most = most_in_flight(requests)
    return (
        f"load not sent: {unsent} of the baseline's {len(failure)} requests were not sent in their time, or cut off by "
        f"the drill's end: half of all began more than {rounded_duration(late)} late, with {most} in flight at most; "
        "lower the rate, or lengthen the phases"
    )


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
    unseen = meta.clock == "virtual" and any(
        e["event"] == "counter" and not e["name"] and e.get("looked", 2) > 1 for e in events
    )
    if unseen:
        out.append("no counter of the metrics page moved with the requests: is it the model's?")
    left_out = [name for e in events if e["event"] == "not_recorded" for name in e["names"]]
    if left_out:
        out.append(f"native histograms are not recorded: {', '.join(left_out)}")
    held = {str(e["name"]): int(e["processes"]) for e in events if e["event"] == "fault" and e.get("processes")}
    out += [f"fault {name!r} held {number} process{'es' * (number > 1)} of the target" for name, number in held.items()]
    lagged = [e for e in events if e["event"] == "counter" and e["unsettled"]]
    out += [f"{e['name']} lagged behind the requests answered at {_scrapes(e['unsettled'])}" for e in lagged]
    return out

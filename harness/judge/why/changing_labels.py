"""Labels that change from evaluation to evaluation: each makes another alert, and ``for`` begins anew."""

import re
from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise

from driftdrill.durations import format_duration
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.phrases import several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.timeline import AlertTrack
from driftdrill.reports.data.verdict import Reason

_VALUE = re.compile(r"\$value|\.Value\b")
_INSTANCES = 3


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    if not rule.rule.for_:
        return None
    tracks = [t for t in seen.tracks if t.alert == rule.rule.name and _short_lived(t, rule, seen)]
    labels = {name for t in tracks for name in t.labels}
    for label in sorted(labels):
        series = max(_by_the_rest(tracks, label), key=len)
        if len(series) < _INSTANCES or not _in_turn(series):
            continue
        values = [t.labels.get(label, "") for t in series]
        says = f"label {label} took {len(set(values))} values ({several(values, 3)}), each of them another alert: none "
        says += f"was pending for `for: {format_duration(rule.rule.for_)}`"
        template = (rule.group.labels | rule.rule.labels).get(label, "")
        hint = "put the value into an annotation" if _VALUE.search(template) else f"aggregate {label} away"
        return Reason("changing_labels", says, hint, cannot_fire=True)
    return None


def _short_lived(track: AlertTrack, rule: KnownRule, seen: Seen) -> bool:
    """Whether an instance was pending in the fault, and never long enough to fire."""
    start, end = seen.fault or (0.0, float("inf"))
    spans = [i for i in track.intervals if i.end > start and i.start <= end]
    return bool(spans) and all(i.state == "pending" and i.end - i.start <= rule.rule.for_ for i in spans)


def _by_the_rest(tracks: Sequence[AlertTrack], label: str) -> list[list[AlertTrack]]:
    groups: dict[tuple[tuple[str, str], ...], list[AlertTrack]] = defaultdict(list)
    for track in tracks:
        groups[tuple(sorted((k, v) for k, v in track.labels.items() if k != label))].append(track)
    return list(groups.values()) or [[]]


def _in_turn(tracks: Sequence[AlertTrack]) -> bool:
    """Whether one instance ends where the next begins."""
    spans = sorted((i.start, i.end) for t in tracks for i in t.intervals)
    return all(after[0] >= before[1] - 1e-3 for before, after in pairwise(spans))

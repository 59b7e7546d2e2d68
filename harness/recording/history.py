"""Clean history before a drill, for rules that look back further than its warm-up and baseline."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.recording.reader import Recording, Samples


@dataclass(frozen=True)
class History:
    """Samples before scenario second 0, and how many seconds of them there are."""

    samples: tuple[Samples, ...]
    seconds: float
    name: str


def before(recording: Recording, clean: Recording) -> History:
    """The clean part of ``clean`` (all of it without faults, else up to its fault phase), moved before second 0.

    Its targets take the place of this recording's, in order: an instance's port differs from drill to drill.
    Raises :class:`RecordingError` where the two recordings have not the same number of targets.
    """
    ours, theirs = recording.meta.targets, clean.meta.targets
    if len(ours) != len(theirs):
        raise RecordingError(
            f"history has {len(theirs)} targets, this recording has {len(ours)}", where=str(clean.path)
        )
    phases = {name: (start, end) for name, start, end in clean.meta.phases}
    start = phases["baseline"][0]
    end = phases["fault"][0] if clean.meta.faults else phases["recovery"][1]
    out = []
    for s in clean.samples():
        keep = (s.times >= start * 1000) & (s.times < end * 1000)
        if keep.any():
            times = s.times[keep] - round(end * 1000)
            out.append(Samples(_renamed(s.labels, theirs, ours), times, s.values[keep]))
    return History(tuple(out), end - start, clean.path.name)


def _renamed(
    labels: dict[str, str], theirs: Sequence[dict[str, str]], ours: Sequence[dict[str, str]]
) -> dict[str, str]:
    for old, new in zip(theirs, ours, strict=True):
        if all(labels.get(k) == v for k, v in old.items()):
            return {**labels, **new}
    return labels


def joined(history: History, samples: Sequence[Samples]) -> list[Samples]:
    """History and drill as one set of series."""
    later = {tuple(sorted(s.labels.items())): s for s in samples}
    out = []
    for early in history.samples:
        late = later.pop(tuple(sorted(early.labels.items())), None)
        if late is None:
            out.append(early)
        else:
            times, values = np.concatenate([early.times, late.times]), np.concatenate([early.values, late.values])
            out.append(Samples(late.labels, times, values))
    return [*out, *later.values()]

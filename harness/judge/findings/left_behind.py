"""What was in the target's metrics before the fault and spoils a rule: a series that is NaN, or can no longer move.

A counter of floats keeps one NaN or infinity for the life of its process, and a very large value swallows what is
added after it: an earlier drill, or one odd request, leaves a rule that can never fire again.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from driftdrill.durations import format_duration
from driftdrill.harness.judge.findings.scraped_page import counts_requests
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import Phase

SHOWN = 3
"""Series that are named; the rest are counted."""
REMEDY = "rules that read it may never fire: restart the target before the next drill"
NOTHING_SEEN = "rules that read it saw nothing of the drill's requests"

Key = tuple[tuple[str, str], ...]


def left_behind(read: Collection[str] | None, samples: Sequence[Samples], baseline: Phase) -> list[str]:
    """A sentence for all that is NaN in the ``baseline``, and for all that stands still though it should move.

    ``read`` are the names of the metrics that judged rules read; None is everything.
    """
    chosen = [s for s in samples if read is None or s.labels.get("__name__") in read]
    inside = {_key(s): values for s in chosen if len(values := _in(s, baseline))}
    sums = {_name(s) for s in samples}
    counts = {
        _key(s): values
        for s in samples
        if (f"{_name(s)[:-6]}_sum" in sums if _name(s).endswith("_count") else counts_requests(_name(s)))
        and len(values := _in(s, baseline))
    }
    is_nan = [key for key, values in inside.items() if np.isnan(values[-1])]
    still = [key for key, values in inside.items() if _stuck(key, values, counts)]
    frozen = _frozen(inside, counts)
    length = format_duration(baseline.end - baseline.start)
    return [
        *_told(is_nan, "NaN at the end of the baseline"),
        *_told(still, f"the same in all {length} of the baseline, though what is counted went on"),
        *_told(frozen, f"nothing was counted in all {length} of the baseline, though others counted", NOTHING_SEEN),
    ]


def _frozen(read: Mapping[Key, npt.NDArray[np.float64]], counts: Mapping[Key, npt.NDArray[np.float64]]) -> list[Key]:
    """Of what is read, the counts of which every series stands still above zero while requests are counted elsewhere.

    A service that fails to observe, or a family whose exporter froze: a page that stands still as a whole is another
    finding.
    """
    moving, families = set[str](), dict[str, list[Key]]()
    for key, values in counts.items():
        name = dict(key)["__name__"]
        families.setdefault(name, []).append(key)
        moving |= {name} if (values != values[0]).any() else set()
    if not moving:
        return []
    still = {name for name, keys in families.items() if name not in moving and any(counts[k][0] > 0 for k in keys)}
    return [key for key in read if dict(key)["__name__"] in still and read[key][0] > 0]


def _told(keys: Sequence[Key], what: str, remedy: str = REMEDY) -> Iterator[str]:
    if keys:
        more = f" and {len(keys) - SHOWN} more" if len(keys) > SHOWN else ""
        names = ", ".join(map(_shown, sorted(keys)[:SHOWN]))
        yield f"{names}{more}: {what}; {remedy}"


def _stuck(key: Key, values: npt.NDArray[np.float64], counts: Mapping[Key, npt.NDArray[np.float64]]) -> bool:
    """Whether a sum stands still while its count grows, and does not only add up zeros."""
    labels = dict(key)
    name = labels["__name__"]
    counted = counts.get(_sorted(labels | {"__name__": f"{name[:-4]}_count"})) if name.endswith("_sum") else None
    if counted is None or min(len(counted), len(values)) < 2 or np.isnan(values).any():
        return False
    return bool(counted[-1] > counted[0] and values[0] != 0 and (values == values[0]).all())


def _in(s: Samples, phase: Phase) -> npt.NDArray[np.float64]:
    inside = (s.times >= phase.start * 1000) & (s.times < phase.end * 1000) & ~s.stale
    return s.values[inside]


def _name(s: Samples) -> str:
    return s.labels.get("__name__", "")


def _key(s: Samples) -> Key:
    return _sorted(s.labels)


def _sorted(labels: Mapping[str, str]) -> Key:
    return tuple(sorted(labels.items()))


def _shown(key: Key) -> str:
    labels = [f'{name}="{value}"' for name, value in key if name != "__name__"]
    return dict(key)["__name__"] + (f"{{{','.join(labels)}}}" if labels else "")

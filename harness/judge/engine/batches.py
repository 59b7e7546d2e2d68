"""Which rule groups one run of promtool evaluates: it takes all of a run at one interval and one phase."""

from collections.abc import Sequence
from dataclasses import dataclass

from driftdrill.harness.judge.rules.analysed import ALERTS
from driftdrill.harness.judge.rules.reading import union
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.stack.rules.files import Group


@dataclass(frozen=True)
class Batch:
    """The groups of one run, in the order of their evaluation."""

    interval: float
    """Seconds."""
    phase: float
    """A moment of evaluation, scenario seconds."""
    groups: tuple[Group, ...]
    reads: frozenset[str] | None
    """Names of the series that the rules read; None is all."""

    @property
    def makes(self) -> frozenset[str]:
        """Names of the series that the rules record, and ALERTS."""
        return _makes(self.groups)


def batched(rules: Rules, interval: float, phases: Sequence[float] = ()) -> list[Batch]:
    """The runs: every group after those whose recorded series it reads, in few runs.

    ``interval`` is that of groups without their own, seconds; ``phases`` has a moment of evaluation for each of
    ``rules.groups``, 0 without it.
    """
    groups = rules.groups
    paces = [(g.interval or interval, p) for g, p in zip(groups, phases or [0.0] * len(groups), strict=True)]
    reads = [union(k.analysed.metrics for k in rules.known if k.group is group) for group in groups]
    makes = [_makes([group]) for group in groups]

    def waits(i: int, left: Sequence[int]) -> bool:
        read = reads[i]
        return any(j != i and bool(makes[j] if read is None else read & makes[j]) for j in left)

    left, out = list(range(len(groups))), list[list[int]]()
    while left:
        # Groups that wait for one another in a circle keep the order of the files.
        ready = [i for i in left if not waits(i, left)] or left[:1]
        same = [i for i in ready if out and paces[i] == paces[out[-1][0]]]
        if same:
            out[-1] += same
        else:
            same = [i for i in ready if paces[i] == paces[ready[0]]]
            out.append(same)
        left = [i for i in left if i not in same]
    return [Batch(*paces[run[0]], tuple(groups[i] for i in run), union(reads[i] for i in run)) for run in out] or [
        Batch(interval, 0.0, (), frozenset())
    ]


def _makes(groups: Sequence[Group]) -> frozenset[str]:
    return frozenset(r.name if r.kind == "record" else ALERTS for g in groups for r in g.rules)

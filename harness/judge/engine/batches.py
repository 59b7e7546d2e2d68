"""Which rule groups one run of promtool evaluates: it takes all of a run at one interval and one phase."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES, analyse
from driftdrill.harness.judge.rules.reading import circles, read_rules, union
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
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
        """Names of the series that the rules make, those of alerts among them."""
        return frozenset(
            n for g in self.groups for r in g.rules for n in ((r.name,) if r.kind == "record" else ALERT_SERIES)
        )


def batched(rules: Rules, interval: float, phases: Sequence[float] = ()) -> list[Batch]:
    """The runs: every group after those whose recorded series it reads, in few runs.

    ``interval`` is that of groups without their own, seconds; ``phases`` has a moment of evaluation for each of
    ``rules.groups``, 0 without it.
    """
    groups, paces, awaited = _units(rules, interval, phases)
    reads = [union(analyse(r.expr).metrics for r in group.rules) for group in groups]

    def waits(i: int, left: Sequence[int]) -> bool:
        return any(j != i and j in awaited[i] for j in left)

    left, out = list(range(len(groups))), list[list[int]]()
    while left:
        # Rules that wait for one another in a circle keep the order of the files.
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


Pace = tuple[float, float]
"""(interval, a moment of evaluation), seconds."""


def _units(
    rules: Rules, interval: float, phases: Sequence[float]
) -> tuple[list[Group], list[Pace], list[frozenset[int]]]:
    """What is evaluated in one go, at which pace, and for which others each waits: groups, but for those of several
    paces that read one another, which are taken rule by rule."""
    own = [(g.interval or interval, p) for g, p in zip(rules.groups, phases or [0.0] * len(rules.groups), strict=True)]
    read = read_rules([k.rule for k in rules.known])
    of_group = [k.group_index for k in rules.known]
    between = [
        sorted({of_group[j] for k in rules.known if k.group_index == i for j in read[k.index]} - {i})
        for i in range(len(own))
    ]
    split = {i for circle in circles(between) if len({own[i] for i in circle}) > 1 for i in circle}
    members: list[list[KnownRule]] = []
    for i in range(len(own)):
        inside = [k for k in rules.known if k.group_index == i]
        members += [[k] for k in inside] if i in split else [inside] if inside else []
    unit = {k.index: u for u, inside in enumerate(members) for k in inside}
    return (
        [replace(inside[0].group, rules=tuple(k.rule for k in inside)) for inside in members],
        [own[inside[0].group_index] for inside in members],
        [frozenset(unit[j] for k in inside for j in read[k.index]) - {u} for u, inside in enumerate(members)],
    )

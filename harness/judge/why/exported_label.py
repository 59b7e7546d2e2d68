"""A rule that asks for ``job`` where the series' own was renamed to ``exported_job``, or the reverse."""

from driftdrill.harness.judge.rules.promql import Matcher, kind, matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import dry
from driftdrill.harness.judge.why.labels import NAME, Sets, matches, select
from driftdrill.harness.judge.why.phrases import and_through, series, several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason

_PREFIX = "exported_"


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for d in dry(rule, seen.sets):
        if kind(d.node) != "VectorSelector" or not (found := seen.sets.named(metric(d.node))):
            continue
        given = [m for m in matchers(d.node) if m[0] != NAME]
        for m in given:
            other = "" if select(found, [m]) else moved(m, found)
            if other:
                values = {value for s in found for label, value in s if label == m[0]}
                was = f"{m[0]} was {several(values)}" if values else f"there was no {m[0]}"
                taken = {value for s in found for label, value in s if label == other and matches(m, value)}
                says = f"no scrape had {series(metric(d.node), given)}; {was}, and {other} was {several(taken)}"
                return Reason("exported_label", and_through(says, d.through), _hint(m[0], other))
    return None


def moved(m: Matcher, found: Sets) -> str:
    """The label that has what the matcher looks for under another name; "" of none."""
    other = m[0].removeprefix(_PREFIX) if m[0].startswith(_PREFIX) else _PREFIX + m[0]
    if matches(m, "") or m[1] in ("!=", "!~"):
        return ""
    return other if any(label == other and matches(m, value) for s in found for label, value in s) else ""


def _hint(asked: str, other: str) -> str:
    if other.startswith(_PREFIX):
        return f"ask for {other}, or set `honor_labels: true` in the scrape job: its target has a {asked} of its own"
    return f"ask for {other}: the scrape job has `honor_labels: true`, or the target's page has no {other} of its own"

"""A rule that reads a native histogram: the recording has none, which says nothing of the rule."""

from collections.abc import Collection

from driftdrill.harness.judge.rules.promql import kind
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import dry
from driftdrill.harness.judge.why.phrases import several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason

_HINT = "read NAME_bucket by `le`, or judge this rule where Prometheus scrapes the protobuf format"


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    read = sorted((rule.metrics or frozenset()) & set(seen.not_recorded))
    if read:
        says = f"{several(read)}: a native histogram was there and is not recorded, so the rule had nothing to read"
        return Reason("native_histogram", says, _HINT.replace("NAME", read[0]))
    for d in dry(rule, seen.sets):
        name = metric(d.node) if kind(d.node) == "VectorSelector" else None
        if name and classic(name, seen.named):
            says = f"{name} is read as a native histogram, which is not recorded; the pages have the classic "
            says += f"{name}_bucket"
            return Reason("native_histogram", says, _HINT.replace("NAME", name))
    return None


def classic(name: str, names: Collection[str]) -> bool:
    """Whether the name is that of a histogram which was there with classic buckets only."""
    return name not in names and f"{name}_bucket" in names

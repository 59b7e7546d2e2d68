"""A histogram_quantile over series without ``le``: an aggregation below it dropped the label."""

from driftdrill.harness.judge.rules.promql import kind
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import dry, selectors
from driftdrill.harness.judge.why.phrases import and_through, code
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for d in dry(rule, seen.sets):
        if kind(d.node) != "Call" or d.node.func.name != "histogram_quantile":
            continue
        found = seen.sets.of(d.node.args[1])
        if found and not any("le" in dict(s) for s in found):
            buckets = [n for n in map(metric, selectors(d.node.args[1])) if n and n.endswith("_bucket")]
            read = code(d.node.args[1])
            says = f"histogram_quantile has no buckets to read: no series of {read} has the label le"
            hint = "keep it: sum by (le) (...)" if buckets else "read the series that end in _bucket"
            return Reason("no_le", and_through(says, d.through), hint, cannot_fire=d.whole)
    return None

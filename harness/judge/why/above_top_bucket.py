"""A threshold above the highest finite bucket: histogram_quantile never answers more than that bucket's bound."""

from typing import Any

from driftdrill.harness.judge.rules.analysed import AlertThreshold
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.bounds import Values
from driftdrill.harness.judge.why.out_of_range import comparisons, never
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    found = (_of_comparison(node, threshold, seen) for node, threshold in comparisons(rule))
    return next((reason for reason in found if reason is not None), None)


def _of_comparison(node: Any, threshold: AlertThreshold, seen: Seen) -> Reason | None:
    whole = Values(seen, seen.sets).of(node)
    if whole.by != "bucket":
        return None
    start, end = seen.fault or (0.0, 0.0)
    faulty = Values(seen, seen.within((start + end) / 2, end)).of(node) if seen.fault else whole
    for bounds in (whole, faulty):
        if bounds.by == "bucket" and never(bounds, threshold):
            top = f"{bounds.high:g}"
            says = f"the threshold ({threshold.comparison} {threshold.number:g}) lies above the highest finite bucket: "
            says += f"the quantile is never above {top}, however slow all is"
            if bounds is not whole:
                says += f"; that is so in the fault, before it {whole.high:g} was the highest"
            hint = f"add buckets above {threshold.number:g}, or watch the share beyond {top}: 1 - bucket / count"
            return Reason("above_top_bucket", says, hint, cannot_fire=bounds is whole)
    return None

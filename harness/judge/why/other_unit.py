"""A threshold in another unit than its left side: a share against per cent, seconds against milliseconds."""

import re

from driftdrill.durations import format_duration
from driftdrill.harness.judge.rules.analysed import AlertThreshold
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.bounds import Values, quantile_in
from driftdrill.harness.judge.why.dry import selectors
from driftdrill.harness.judge.why.label_sets import metric
from driftdrill.harness.judge.why.nan import is_nan
from driftdrill.harness.judge.why.out_of_range import is_share, left_of
from driftdrill.harness.judge.why.readings import points, readings, series_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason

_LATENCY = re.compile(
    r"(.*[_:])?(latency|duration|req|request|response|call|first_token|output_token|token|predict(ion)?|inference|http|rpc|grpc|query|e2e"
    r"|queue)([_:].*)?"
)
_LONG = re.compile(r".*(job|batch|backup|cron|uptime|age|timestamp|train|start|created|expir|lag).*")


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    node, threshold = left_of(rule), rule.analysed.threshold
    if node is None or threshold is None or not seen.sets.of(node):
        return None
    bounds = Values(seen, seen.sets).of(node)
    if is_share(bounds, threshold):
        says = f"{bounds.why}, and the threshold is {threshold.number:g}: it is never reached"
        hint = f"write {threshold.comparison} {threshold.number / 100:g}, or multiply the left side by 100"
        return Reason("other_unit", says, hint, cannot_fire=True)
    return _milliseconds(rule, seen, threshold) or _bytes(rule, seen, threshold)


def _milliseconds(rule: KnownRule, seen: Seen, threshold: AlertThreshold) -> Reason | None:
    node, number = left_of(rule), threshold.number
    names = [n for n in (metric(s) for s in selectors(node)) if n]
    names += [r.name for r in readings(rule, seen.rules) if r.name]
    seconds = [n for n in names if _is_latency(n)]
    found = [v for t in seen.left.get(threshold.left, ()) for v in t.values if v is not None and not is_nan(v)]
    most = max(found, default=None)
    if threshold.comparison not in (">", ">=") or not seconds or most is None or most <= 0 or number % 50:
        return None
    if not ((number >= 1000 and number >= 5 * most) or (number >= 250 and number >= 50 * most)):
        return None
    if quantile_in(node, seen) is None and not _is_mean(node, names):
        return None
    says = f"{seconds[0]} is in seconds: the threshold of {number:g} is {format_duration(number)}, and at most "
    says += f"{most:.3g} s was seen"
    return Reason("other_unit", says, f"if {number:g} ms are meant, write {number / 1000:g}")


def _is_latency(name: str) -> bool:
    bare = re.sub(r"_(bucket|sum|count|total)$", "", name)
    return bare.endswith("_seconds") and bool(_LATENCY.fullmatch(name)) and not _LONG.fullmatch(name)


def _is_mean(node: object, names: list[str]) -> bool:
    """Whether an expression is one metric, or a sum by its count."""
    bare = {re.sub(r"_(sum|count)$", "", n) for n in names}
    return len(bare) == 1


def _bytes(rule: KnownRule, seen: Seen, threshold: AlertThreshold) -> Reason | None:
    """``node_filesystem_avail_bytes < 10`` means per cent, or gigabytes."""
    found = [r for r in readings(rule, seen.rules) if r.name and r.name.endswith("_bytes")]
    if threshold.comparison not in ("<", "<=") or not 0 < threshold.number <= 100 or len(found) != 1:
        return None
    if any(a in ("/", "*", "-", "rate", "irate", "deriv", "delta", "count", "changes") for a in found[0].around):
        return None
    values = [v for s in series_of(found[0], seen) for v in points(s)[1].tolist()]
    if not values or min(values) < 1e5:
        return None
    says = f"{found[0].name} is in bytes: the threshold is {threshold.number:g} of them, and at least "
    says += f"{min(values):.3g} were seen"
    return Reason("other_unit", says, "divide by the whole for a share, or write the threshold in bytes")

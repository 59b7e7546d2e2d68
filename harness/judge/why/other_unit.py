"""A threshold in another unit than its left side: a share against per cent, seconds against milliseconds."""

import re
from typing import Any

from driftdrill.durations import format_duration
from driftdrill.harness.judge.rules.analysed import AlertThreshold
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.bounds import Values, quantile_in
from driftdrill.harness.judge.why.dry import selectors
from driftdrill.harness.judge.why.nan import is_nan
from driftdrill.harness.judge.why.out_of_range import comparisons, is_share
from driftdrill.harness.judge.why.readings import points, read_by, series_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason

_LATENCY = re.compile(
    r"(.*[_:])?(latency|duration|req|request|response|call|first_token|output_token|token|predict(ion)?|inference|http|rpc|grpc|query|e2e"
    r"|queue)([_:].*)?"
)
_LEAVE_UNIT = {"max", "min", "avg", "sum", "max_over_time", "min_over_time", "avg_over_time", "last_over_time"}
_LONG = re.compile(r".*(job|batch|backup|cron|uptime|age|timestamp|train|start|created|expir|lag).*")


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for node, threshold in comparisons(rule):
        if seen.sets.of(node):
            reason = (
                _share(node, threshold, seen) or _milliseconds(node, threshold, seen) or _bytes(node, threshold, seen)
            )
            if reason is not None:
                return reason
    return None


def _share(node: Any, threshold: AlertThreshold, seen: Seen) -> Reason | None:
    bounds = Values(seen, seen.sets).of(node)
    if not is_share(bounds, threshold):
        return None
    says = f"{bounds.why}, and the threshold is {threshold.number:g}: it is never reached"
    hint = f"write {threshold.comparison} {threshold.number / 100:g}, or multiply the left side by 100"
    return Reason("other_unit", says, hint, cannot_fire=True)


def _milliseconds(node: Any, threshold: AlertThreshold, seen: Seen) -> Reason | None:
    number = threshold.number
    names = [n for n in map(metric, selectors(quantile_in(node, seen) or node)) if n]
    seconds = [n for n in names if _is_latency(n)]
    found = [v for t in seen.left.get(threshold.left, ()) for v in t.values if v is not None and not is_nan(v)]
    most = max(found, default=None)
    if threshold.comparison not in (">", ">=") or not seconds or most is None or most <= 0 or number % 50:
        return None
    if not ((number >= 1000 and number >= 5 * most) or (number >= 250 and number >= 50 * most)):
        return None
    if quantile_in(node, seen) is None and len({re.sub(r"_(sum|count)$", "", n) for n in names}) > 1:
        return None
    says = f"{seconds[0]} is in seconds: the threshold of {number:g} is {format_duration(number)}, and at most "
    says += f"{most:.3g} s was seen"
    return Reason("other_unit", says, f"if {number:g} ms are meant, write {number / 1000:g}")


def _is_latency(name: str) -> bool:
    bare = re.sub(r"_(bucket|sum|count|total)$", "", name)
    return bare.endswith("_seconds") and bool(_LATENCY.fullmatch(name)) and not _LONG.fullmatch(name)


def _bytes(node: Any, threshold: AlertThreshold, seen: Seen) -> Reason | None:
    """``node_filesystem_avail_bytes < 10`` means per cent, or gigabytes."""
    found = read_by(node, seen.rules)
    if threshold.comparison not in ("<", "<=") or not 0 < threshold.number <= 100 or len(found) != 1:
        return None
    if not (found[0].name or "").endswith("_bytes") or set(found[0].around) - _LEAVE_UNIT:
        return None
    values = [v for s in series_of(found[0], seen) for v in points(s)[1].tolist()]
    if not values or min(values) < 1e5:
        return None
    says = f"{found[0].name} is in bytes: the threshold is {threshold.number:g} of them, and at least "
    says += f"{min(values):.3g} were seen"
    return Reason("other_unit", says, "divide by the whole for a share, or write the threshold in bytes")

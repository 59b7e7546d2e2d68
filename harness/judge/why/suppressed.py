"""One side of an ``and`` or ``unless`` was true in the fault, and the other kept the alert back."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from driftdrill.durations import rounded_duration
from driftdrill.harness.judge.rules.operands import joins
from driftdrill.harness.judge.rules.promql import show, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import contradiction, never_joins, no_such_metric
from driftdrill.harness.judge.why.label_joins import Matching
from driftdrill.harness.judge.why.labels import LabelSet
from driftdrill.harness.judge.why.phrases import code, labels_text, one_series
from driftdrill.harness.judge.why.readings import between, points, read_by, series_of
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.timeline import Track
from driftdrill.reports.data.verdict import Reason

_AT = "it may be silent at this time of day only: judge it at another, with --at"
Keys = Mapping[float, frozenset[LabelSet]]
"""Second of an evaluation -> the labels of a side's series, as far as the operator matches them."""


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    root = tree(rule.rule.expr)
    if root is None or seen.fault is None:
        return None
    if any(check.find(rule, seen) for check in (contradiction, never_joins, no_such_metric)):
        return None
    for node in joins(root):
        reason = _of(node, seen, rule)
        if reason is not None:
            return replace(reason, hint=_AT) if rule.reads_clock else reason
    return None


def _of(node: Any, seen: Seen, rule: KnownRule) -> Reason | None:
    """Of one operator, whose sides were evaluated beside the rule."""
    ours, theirs = seen.left.get(show(node.lhs)), seen.left.get(show(node.rhs))
    if ours is None or theirs is None or seen.fault is None:
        return None
    how, unless = Matching.of(node), str(node.op) == "unless"
    left, right = _keys(ours, how, *seen.fault), _keys(theirs, how, *seen.fault)
    if not unless and not right:
        return _waiting(node.lhs, ours, left, node.rhs, seen)
    if not unless and not left:
        return _waiting(node.rhs, theirs, right, node.lhs, seen)
    kept = [t for t in left if any((key in right.get(t, ())) != unless for key in left[t])]
    if _longest(kept, seen) >= rule.rule.for_ or _longest(list(left), seen) < rule.rule.for_:
        return None
    if not unless:
        return _apart(node, left, right, seen)
    whole = _keys(theirs, how, 0.0, float("inf"))
    says = f"its left side {code(node.lhs)} was true {_when(left, seen)} and would have fired, but "
    says += f"{code(node.rhs)} was there {_when(whole, seen)}{_values(node.rhs, seen)}: `unless` takes it away then"
    hint = f"drill it while {code(node.rhs)} is not there; if it is meant, say silent(...)"
    return Reason("suppressed", says, hint)


def _waiting(true: Any, tracks: Sequence[Track], when: Keys, other: Any, seen: Seen) -> Reason | None:
    """One side was true in the fault and not before; the other never was."""
    assert seen.fault is not None
    before = seen.phases.get("baseline")
    if not when or before is None or _keys(tracks, Matching(True, ()), before.start, seen.fault[0]):
        return None
    says = f"{code(true)} was true {_when(when, seen)}, but {code(other)} never was in the fault"
    says += f"{_values(other, seen)}: `and` asks for both"
    hint = f"see to it that {code(other)} is true in the drill, or watch {code(true)} alone"
    return Reason("suppressed", says, hint)


def _apart(node: Any, left: Keys, right: Keys, seen: Seen) -> Reason:
    """Both sides of an ``and`` were true, and not together."""
    ones, others = ({key for keys in side.values() for key in keys} for side in (left, right))
    says = f"{code(node.lhs)} was true {_when(left, seen)}, {code(node.rhs)} {_when(right, seen)}: "
    if ones & others:
        hint = "ask for each over a longer range, such as max_over_time(...[10m])"
        return Reason("suppressed", f"{says}never both for as long as it takes", hint)
    apart = f"left {labels_text(min(ones, key=sorted))}, right {labels_text(min(others, key=sorted))}"
    return Reason("suppressed", f"{says}never with equal labels, {apart}", "say which labels count: `and on (...)`")


def _keys(tracks: Sequence[Track], how: Matching, start: float, end: float) -> Keys:
    """What a side had at the evaluations between two moments."""
    out: dict[float, set[LabelSet]] = {}
    for track in tracks:
        key = how.key(frozenset(track.labels.items()))
        for t, v in zip(track.times, track.values, strict=True):
            if v is not None and start <= t < end:
                out.setdefault(t, set()).add(key)
    return {t: frozenset(keys) for t, keys in sorted(out.items())}


def _longest(times: Sequence[float], seen: Seen) -> float:
    """How long without a gap something was true, seconds; -1 if never."""
    longest, since, before = -1.0, 0.0, -math.inf
    for t in times:
        since = since if t - before <= 1.5 * seen.step else t
        longest, before = max(longest, t - since), t
    return longest


def _when(found: Keys, seen: Seen) -> str:
    times = list(found)
    end = min(times[-1] + seen.step, max(phase.end for phase in seen.phases.values()))
    said = f"from {rounded_duration(max(times[0], 0.0))} to {rounded_duration(end)}"
    return said if _longest(times, seen) >= times[-1] - times[0] else f"at times {said}"


def _values(node: Any, seen: Seen) -> str:
    """What the first series that an expression reads was in the fault."""
    assert seen.fault is not None
    for reading in read_by(node, seen.rules):
        for series in series_of(reading, seen):
            found = [v for v in between(points(series), *seen.fault)[1].tolist() if not math.isnan(v)]
            if found:
                many = f"{min(found):g}" if min(found) == max(found) else f"{min(found):g} to {max(found):g}"
                return f" ({one_series(series.labels)} was {many})"
    return ""

"""A matcher that takes none of the values that its label had."""

import difflib
from collections.abc import Sequence

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.promql import Matcher, kind, matchers, tree
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import escaped_name, exported_label, le_spelling
from driftdrill.harness.judge.why.dry import Dry, dry, selectors
from driftdrill.harness.judge.why.label_values import (
    OF_THE_TARGET,
    hint,
    impossible,
    may_be_born,
    needs_value,
    only_without,
)
from driftdrill.harness.judge.why.labels import ANY, NAME, Sets, select
from driftdrill.harness.judge.why.phrases import and_through, series, several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for d in dry(rule, seen.sets):
        if kind(d.node) != "VectorSelector" or metric(d.node) in (None, *ALERT_SERIES):
            continue
        found = seen.sets.named(metric(d.node))
        if not found:
            continue
        reason = _of_selector(d, found, seen)
        if reason is not None:
            return reason
    return None


def _of_selector(d: Dry, found: Sets, seen: Seen) -> Reason | None:
    given = [m for m in matchers(d.node) if m[0] != NAME]
    name, selector = metric(d.node), series(metric(d.node), given)
    culprits = [m for m in given if not select(found, [m]) and not _told_elsewhere(m, found)]
    for m in culprits:
        values = values_of(found, m[0])
        if not values and needs_value(m):
            there = several(_labels(found)) or "none"
            says = f"no scrape had {selector}: no {name} has the label {m[0]}; it has {there}"
            near = [n for n in _labels(found) if n.lower() == m[0].lower()]
            near = near or difflib.get_close_matches(m[0], _labels(found), n=1)
            to_do = f"did you mean {near[0]}?" if near else f"leave {m[0]} out, or add it where the metric is made"
            dropped = "" if near else dropped_by(name, m[0], seen)
            to_do = f"{dropped} drops it: aggregate `by ({m[0]}, ...)` there" if dropped else to_do
            return Reason("nothing_matches", and_through(says, d.through), to_do, cannot_fire=d.whole)
        if impossible(m) or only_without(m) or not may_be_born(m, values):
            says = f"no scrape had {selector}; {m[0]} was {several(values)}"
            return Reason("nothing_matches", and_through(says, d.through), hint(m, values))
    if not culprits and len(given) > 1:
        return _together(d, given, found, selector)
    return None


def _together(d: Dry, given: Sequence[Matcher], found: Sets, selector: str) -> Reason | None:
    """Matchers of which each takes some series, but no series is taken by all."""
    if any(not select(found, [m]) or not OF_THE_TARGET.fullmatch(m[0]) for m in given):
        return None
    for m in given:
        others = [o for o in given if o is not m]
        rest = select(found, others)
        if rest:
            values = several(values_of(rest, m[0])) or "not there"
            says = f"no scrape had {selector}; with {series('', others)} {m[0]} was {values}"
            return Reason("nothing_matches", and_through(says, d.through), "each matcher alone matches, never together")
    return None


def _told_elsewhere(m: Matcher, found: Sets) -> bool:
    return (
        exported_label.moved(m, found) != ""
        or (le_spelling.bound(m) is not None and values_of(found, m[0]) != [])
        or bool(escaped_name.twins(m[0], _labels(found)))
    )


def values_of(found: Sets, label: str) -> list[str]:
    """The values that a label had, sorted."""
    return sorted({value for s in found for name, value in s if name == label and value != ANY})


def _labels(found: Sets) -> list[str]:
    return sorted({name for s in found for name, _ in s} - {NAME})


def dropped_by(name: str | None, label: str, seen: Seen, inside: frozenset[str] = frozenset()) -> str:
    """The recording rule that leaves a label out which what it reads has; "" of none."""
    if name is None or name in inside:
        return ""
    for known in seen.rules.makers(name):
        root = tree(known.rule.expr)
        for read in [] if root is None else selectors(root):
            if any(label in dict(s) for s in seen.sets.of(read) or ()):
                return f"{name} ({known.where})"
            if found := dropped_by(metric(read), label, seen, inside | {name}):
                return found
    return ""

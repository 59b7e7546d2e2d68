"""Mutants of rules: each one a plausible mistake, made on the syntax tree. Pure: a rule in, its mutants out.

Where no recorded drill tells a mutant from the rule, the drills do not pin that part of the rule.
"""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from driftdrill.durations import format_duration
from driftdrill.harness.judge.rules.promql import (
    COMPARISONS,
    binary,
    children,
    clause,
    constant,
    grouped,
    kind,
    matchers,
    matches,
    number,
    quoted,
    ranged,
    selector,
    show,
    tree,
)
from driftdrill.stack.rules.files import Rule

NEVER = "absent(vector(1))"
"""An expression without a value, ever."""
FLIPPED = {">": "<", "<": ">", ">=": "<=", "<=": ">=", "==": "!=", "!=": "=="}
AT_THE_BORDER = {">": ">=", ">=": ">", "<": "<=", "<=": "<"}
NEGATED = {"=": "!=", "!=": "=", "=~": "!~", "!~": "=~"}
SMOOTHING = {"avg_over_time", "min_over_time", "max_over_time", "last_over_time", "quantile_over_time"}
FOR_WHERE_NONE_IS = 300.0


@dataclass(frozen=True)
class Operator:
    """One kind of mistake."""

    name: str
    """Stable."""
    does: str
    id: str = ""
    """Of the fault catalogue, where the mistake is in it."""


OPERATORS = {
    operator.name: operator
    for operator in (
        Operator("comparison.flip", "> becomes <, == becomes !=", "mon.threshold"),
        Operator("comparison.border", "> becomes >=, < becomes <=, and back", "mon.threshold"),
        Operator("threshold.double", "the right side is twice as large; 0 becomes 1", "mon.threshold"),
        Operator("threshold.halve", "the right side is half as large; 0 becomes -1", "mon.threshold"),
        Operator("for.lengthen", "`for` is twice as long; 5m where there is none", "mon.for_too_long"),
        Operator("for.drop", "`for` is dropped"),
        Operator("keep_firing.drop", "`keep_firing_for` is dropped"),
        Operator("range.shorten", "a range is a quarter as long", "mon.range_too_short"),
        Operator("smoothing.drop", "avg_over_time(x[5m]) and its like become x", "mon.flapping"),
        Operator("selector.negate", "a label matcher selects all that it did not"),
        Operator("selector.drop", "a label matcher is dropped"),
        Operator("aggregation.drop", "by (...) or without (...) is dropped, le kept", "mon.replica_masked"),
        Operator("matching.drop", "on (...) or ignoring (...) is dropped", "mon.vector_mismatch"),
        Operator("guard.drop", "what follows `and` or `unless` is dropped"),
        Operator("absent.drop", "absent(x) becomes nothing", "mon.absent_missing"),
        Operator("rule.drop", "the rule is not loaded", "mon.rule_not_loaded"),
    )
}


@dataclass(frozen=True)
class Mutant:
    """One changed rule."""

    original: Rule
    rule: Rule
    operator: Operator
    was: str
    """What was changed, as PromQL or YAML."""
    now: str
    """What it became; "" where it was dropped."""


@dataclass(frozen=True)
class _Change:
    operator: str
    was: str
    now: str
    text: str
    """The whole expression, changed."""


def mutants(rule: Rule) -> list[Mutant]:
    """The mutants of a rule, none equal to it or to another one; none where its expression cannot be read."""
    root = tree(rule.expr)
    if root is None:
        return []
    changed = [(replace(rule, expr=c.text), c) for c in _changes(root)] + list(_of_times(rule))
    changed.append((replace(rule, expr=NEVER), _Change("rule.drop", f"{rule.kind}: {rule.name}", "", NEVER)))
    seen = [replace(rule, expr=show(root))]
    out = []
    for mutated, change in changed:
        if mutated not in seen and tree(mutated.expr) is not None:
            seen.append(mutated)
            out.append(Mutant(rule, mutated, OPERATORS[change.operator], change.was, change.now))
    return out


def _of_times(rule: Rule) -> Iterator[tuple[Rule, _Change]]:
    if rule.kind != "alert":
        return
    lengthened = 2 * rule.for_ or FOR_WHERE_NONE_IS
    was = f"for: {format_duration(rule.for_)}" if rule.for_ else "no for"
    now = f"for: {format_duration(lengthened)}"
    yield replace(rule, for_=lengthened), _Change("for.lengthen", was, now, rule.expr)
    if rule.for_:
        yield replace(rule, for_=0.0), _Change("for.drop", was, "", rule.expr)
    if rule.keep_firing_for:
        was = f"keep_firing_for: {format_duration(rule.keep_firing_for)}"
        yield replace(rule, keep_firing_for=0.0), _Change("keep_firing.drop", was, "", rule.expr)


def _changes(node: Any) -> Iterator[_Change]:
    """Every change of one place at or below the node; ``text`` is the whole node, changed."""
    below = children(node)
    parts = [show(child) for child in below]
    yield from _OWN.get(kind(node), _none)(node, parts)
    for i, child in enumerate(below):
        for change in _changes(child):
            yield replace(change, text=show(node, [*parts[:i], change.text, *parts[i + 1 :]]))


def _none(node: Any, parts: Sequence[str]) -> Iterator[_Change]:
    yield from ()


def _binary(node: Any, parts: Sequence[str]) -> Iterator[_Change]:
    op = str(node.op)
    if op in COMPARISONS and not all(constant(side) is not None for side in (node.lhs, node.rhs)):
        yield from _comparison(node, parts, op)
    if matches(node):
        text = binary(node, parts, matching="ignoring ()" if grouped(node) else "")
        yield _Change("matching.drop", f"{op} {matches(node)}", op, text)
    if op in ("and", "unless"):
        yield _Change("guard.drop", binary(node, ["", parts[1]]).strip(), "", parts[0])


def _comparison(node: Any, parts: Sequence[str], op: str) -> Iterator[_Change]:
    on_the_left = constant(node.lhs) is not None

    def change(operator: str, now: str, side: str | None = None) -> _Change:
        left, right = parts if side is None else (side, parts[1]) if on_the_left else (parts[0], side)
        was, is_now = (f"{parts[0]} {op}", f"{left} {now}") if on_the_left else (f"{op} {parts[1]}", f"{now} {right}")
        return _Change(operator, was, is_now, binary(node, [left, right], op=now))

    yield change("comparison.flip", FLIPPED[op])
    if op in AT_THE_BORDER:
        yield change("comparison.border", AT_THE_BORDER[op])
    value = constant(node.lhs if on_the_left else node.rhs)
    if value is None and op in AT_THE_BORDER:
        yield change("threshold.double", op, f"2 * ({parts[1]})")
        yield change("threshold.halve", op, f"0.5 * ({parts[1]})")
    elif value is not None and math.isfinite(value):
        yield change("threshold.double", op, number(value * 2 if value else 1.0))
        yield change("threshold.halve", op, number(value / 2 if value else -1.0))


def _aggregation(node: Any, parts: Sequence[str]) -> Iterator[_Change]:
    if not (was := clause(node).strip()):
        return
    labels = set(node.modifier.labels)
    if was.startswith("by") and labels <= {"le"}:
        return
    # Without le a histogram is none, and any drill would tell.
    kept = " by (le) " if was.startswith("by") and "le" in labels else ""
    yield _Change(
        "aggregation.drop", f"{node.op} {was}", f"{node.op}{kept}".strip(), f"{node.op}{kept}({', '.join(parts)})"
    )


def _call(node: Any, parts: Sequence[str]) -> Iterator[_Change]:
    name = node.func.name
    if name in ("absent", "absent_over_time"):
        yield _Change("absent.drop", show(node, parts), "", NEVER)
    if name in SMOOTHING and node.args:
        smoothed = node.args[-1]
        if kind(smoothed) == "MatrixSelector" or (kind(smoothed) == "SubqueryExpr" and not _is_moved(smoothed)):
            plain = show(children(smoothed)[0])
            yield _Change("smoothing.drop", show(node, parts), plain, plain)


def _is_moved(node: Any) -> bool:
    return node.offset is not None or node.at is not None


def _range(node: Any, parts: Sequence[str]) -> Iterator[_Change]:
    short = node.range / 4
    of = (node.vector_selector.name or "") if kind(node) == "MatrixSelector" else ""
    was, now = (f"{of}[{format_duration(span.total_seconds())}]" for span in (node.range, short))
    yield _Change("range.shorten", was, now, ranged(node, parts, short))


def _selector(node: Any, parts: Sequence[str]) -> Iterator[_Change]:
    given = matchers(node)
    for i, (label, op, value) in enumerate(given):
        if label == "__name__":
            continue
        was, now = (f"{label}{o}{quoted(value)}" for o in (op, NEGATED[op]))
        others = given[:i], given[i + 1 :]
        negated = selector(node, given=[*others[0], (label, NEGATED[op], value), *others[1]])
        yield _Change("selector.negate", was, now, negated)
        yield _Change("selector.drop", was, "", selector(node, given=[*others[0], *others[1]]))


_OWN = {
    "BinaryExpr": _binary,
    "AggregateExpr": _aggregation,
    "Call": _call,
    "MatrixSelector": _range,
    "SubqueryExpr": _range,
    "VectorSelector": _selector,
}

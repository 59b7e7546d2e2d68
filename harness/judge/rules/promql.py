"""PromQL as a syntax tree: its nodes' children, its constants, and printing it with some parts put otherwise.

promql-parser's nodes hold no place in the source, and its own ``str`` loses escapes, milliseconds and the colon of a
subquery. So a changed expression is printed anew, here; comments and line ends are lost.
"""

import math
import operator
import re
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import lru_cache
from typing import Any

import promql_parser

from driftdrill.durations import format_duration

COMPARISONS = {">", ">=", "<", "<=", "==", "!="}
_MATCHES = {"MatchOp.Equal": "=", "MatchOp.NotEqual": "!=", "MatchOp.Re": "=~", "MatchOp.NotRe": "!~"}
_GROUPS = {"VectorMatchCardinality.ManyToOne": "group_left", "VectorMatchCardinality.OneToMany": "group_right"}
_OPERATOR = re.compile(r"\b(and|or|unless)\b|[-+*/%^<>=!]=?", re.IGNORECASE)
DEEPEST = 100
_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*")
_ESCAPES = {"\\": "\\\\", '"': '\\"', "\n": "\\n"}

Matcher = tuple[str, str, str]
"""(label, one of = != =~ !~, value)."""
Change = Callable[[Any, list[str]], str | None]
"""(a node, its children as PromQL) -> the node otherwise; None leaves it."""


def parsed(expr: str) -> Any:
    """The syntax tree of an expression. Raises :class:`ValueError` for what promql-parser cannot read, and for what is
    nested more than :data:`DEEPEST`, at which it, and whoever walks the tree, would run out of stack."""
    open_ = deepest = 0
    for c in expr:
        open_ += (c in "([") - (c in ")]")
        deepest = max(deepest, open_)
    if deepest > DEEPEST or _OPERATOR.subn("", expr)[1] > 100 * DEEPEST:
        raise ValueError("nested too deep")
    root = promql_parser.parse(expr)
    level = [root]
    for _ in range(DEEPEST):
        level = [child for node in level for child in children(node)]
        if not level:
            return root
    raise ValueError("nested too deep")


@lru_cache(maxsize=10_000)
def tree(expr: str) -> Any | None:
    """The syntax tree of an expression; None where it cannot be read, or not be printed without a change."""
    try:
        found = parsed(expr)
        again = promql_parser.parse(show(found))
    except ValueError:
        return None
    return found if repr(again) == repr(found) else None


def kind(node: Any) -> str:
    """Such as BinaryExpr."""
    return type(node).__name__


def children(node: Any) -> list[Any]:
    """The nodes right below one, in the order of their text."""
    match kind(node):
        case "BinaryExpr":
            return [node.lhs, node.rhs]
        case "Call":
            return list(node.args)
        case "MatrixSelector":
            return [node.vector_selector]
        case "AggregateExpr":
            return [node.expr] if node.param is None else [node.param, node.expr]
    inner = getattr(node, "expr", None)
    return [] if inner is None else [inner]


def bare(node: Any) -> Any:
    """The node without the parentheses around it."""
    while kind(node) == "ParenExpr":
        node = node.expr
    return node


def has_bool(node: Any) -> bool:
    """Whether a binary expression answers 0 or 1 (``bool``), in place of filtering."""
    return node.modifier is not None and bool(node.modifier.return_bool)


def constant(node: Any) -> float | None:
    """The value of an expression of numbers alone, else None."""
    match kind(node):
        case "NumberLiteral":
            return float(node.val)
        case "ParenExpr":
            return constant(node.expr)
        case "BinaryExpr":
            a, b = constant(node.lhs), constant(node.rhs)
            return None if a is None or b is None else _computed(str(node.op), a, b)
    return None


def _computed(op: str, a: float, b: float) -> float | None:
    how = {"+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "^": math.pow}.get(op)
    try:
        return None if how is None else how(a, b)
    except (ArithmeticError, ValueError):
        return None


def rewrite(node: Any, change: Change) -> str:
    """The expression with every node put as ``change`` says, from the leaves up."""
    parts = [rewrite(child, change) for child in children(node)]
    changed = change(node, parts)
    return show(node, parts) if changed is None else changed


def stepped(expr: str, seconds: float) -> str:
    """The expression with ``seconds`` as the step of every subquery that has none; as it is where it cannot be read."""

    def change(node: Any, parts: list[str]) -> str | None:
        if kind(node) != "SubqueryExpr" or node.step is not None:
            return None
        return ranged(node, parts, node.range, step=format_duration(seconds))

    root = tree(expr)
    return expr if root is None else rewrite(root, change)


def show(node: Any, parts: Sequence[str] | None = None) -> str:
    """The node as PromQL; ``parts`` are put where its children stand."""
    of = [show(child) for child in children(node)] if parts is None else list(parts)
    match kind(node):
        case "NumberLiteral":
            return number(node.val)
        case "StringLiteral":
            return quoted(node.val)
        case "ParenExpr":
            return f"({of[0]})"
        case "UnaryExpr":
            return f"-{of[0]}"
        case "Call":
            return f"{node.func.name}({', '.join(of)})"
        case "AggregateExpr":
            return f"{node.op}{clause(node)}({', '.join(of)})"
        case "BinaryExpr":
            return binary(node, of)
        case "VectorSelector":
            return selector(node)
        case "MatrixSelector" | "SubqueryExpr":
            return ranged(node, of, node.range)
    raise ValueError(f"no PromQL is known for a {kind(node)}")


def binary(node: Any, parts: Sequence[str], op: str | None = None, matching: str | None = None) -> str:
    """A binary expression, if need be with another operator or another matching such as ``on (job)``."""
    how = node.modifier
    words = [
        op or str(node.op),
        "bool" if has_bool(node) else "",
        matches(node) if matching is None else matching,
        grouped(node),
        *_fill(how),
    ]
    return " ".join([parts[0], *filter(None, words), parts[1]])


def grouped(node: Any) -> str:
    """The ``group_left (...)`` or ``group_right (...)`` of a binary expression; "" without one."""
    how = node.modifier
    if how is None or (side := _GROUPS.get(str(how.card))) is None:
        return ""
    return f"{side} ({_labels(how.group_labels or [])})"


def _fill(how: Any) -> list[str]:
    values = getattr(how, "fill_values", None)
    sides = [] if values is None else [("fill_left", values.lhs), ("fill_right", values.rhs)]
    return [f"{side} ({number(value)})" for side, value in sides if value is not None]


def matches(node: Any) -> str:
    """The ``on (...)`` or ``ignoring (...)`` of a binary expression; "" without one."""
    if node.modifier is None or node.modifier.matching is None:
        return ""
    matching = node.modifier.matching
    return f"{'on' if str(matching.type).endswith('Include') else 'ignoring'} ({_labels(matching.labels)})"


def clause(node: Any) -> str:
    """The ``by (...)`` or ``without (...)`` of an aggregation between blanks; "" without one."""
    if node.modifier is None:
        return ""
    return f" {'by' if str(node.modifier.type).endswith('By') else 'without'} ({_labels(node.modifier.labels)}) "


def matchers(node: Any) -> list[Matcher]:
    """The matchers of a selector, those after an ``or`` left out."""
    return [(m.name, _MATCHES[str(m.op)], m.value) for m in node.matchers.matchers]


def selector(node: Any, name: str | None = None, given: Sequence[Matcher] | None = None) -> str:
    """An instant selector, if need be of another metric or with other matchers."""
    if node.matchers.or_matchers:
        ways = [[(m.name, _MATCHES[str(m.op)], m.value) for m in way] for way in node.matchers.or_matchers]
        inside = " or ".join(_inside(way) for way in ways)
    else:
        inside = _inside(matchers(node) if given is None else given)
    metric = name or node.name or ""
    return metric + (f"{{{inside}}}" if inside or not metric else "") + _moved(node)


def ranged(node: Any, parts: Sequence[str], span: timedelta, step: str = "") -> str:
    """A range selector or a subquery, over another range if need be; ``step`` of one that has none."""
    if kind(node) == "MatrixSelector":
        moved = _moved(node.vector_selector)
        return f"{parts[0].removesuffix(moved)}[{format_duration(span.total_seconds())}]{moved}"
    if node.step is not None:
        step = format_duration(node.step.total_seconds())
    return f"{parts[0]}[{format_duration(span.total_seconds())}:{step}]{_moved(node)}"


def _inside(given: Sequence[Matcher]) -> str:
    return ", ".join(f"{_label(label)}{op}{quoted(value)}" for label, op, value in given)


def _moved(node: Any) -> str:
    """The ``@`` and ``offset`` of a selector or subquery."""
    out = ""
    if node.at is not None:
        where = str(node.at.type).rpartition(".")[2]
        out += f" @ {node.at.at.timestamp():.3f}" if where == "At" else f" @ {where.lower()}()"
    if node.offset is not None:
        out += f" offset {format_duration(node.offset.total_seconds())}"
    return out


def number(value: float) -> str:
    """The shortest text that Prometheus reads as this very number."""
    if math.isnan(value):
        return "NaN"
    if value in (float("inf"), float("-inf")):
        return "Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def quoted(text: str) -> str:
    """A string literal."""
    return '"' + "".join(_ESCAPES.get(c, c) for c in text) + '"'


def _label(name: str) -> str:
    return name if _LABEL.fullmatch(name) else quoted(name)


def _labels(names: Sequence[str]) -> str:
    return ", ".join(map(_label, names))

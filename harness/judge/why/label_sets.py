"""Which label sets an expression can answer, given the series that were there: PromQL read with labels for values.

Values are left out: whatever compares a value keeps all of its series. So an empty answer proves that the expression
never had a series, and an answer that is not empty proves nothing. What is not known (a function of a later release,
labels made from values) is None, and so is all that is made of it.

The rules are those of Prometheus: promql/engine.go (VectorBinop, aggregation), promql/functions.go.
"""

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import product
from typing import Any

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.promql import (
    COMPARISONS,
    Matcher,
    constant,
    grouped,
    kind,
    matchers,
    show,
    tree,
)
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.regex import Pattern, expand, fullmatch

LabelSet = frozenset[tuple[str, str]]
"""(label, value), the metric's name as ``__name__``; no empty values."""
Sets = frozenset[LabelSet]
NAME = "__name__"
ANY = "\x00any"
"""The value of a label that is there with a value that is not known: a template, a value as a label."""
MOST = 20_000
"""More label sets than this are not followed."""

NO_LABELS: LabelSet = frozenset()
NOTHING: Sets = frozenset()

_KEEP_NAME = {"last_over_time", "first_over_time", "sort", "sort_desc", "sort_by_label", "sort_by_label_desc"}
_DROP_NAME = frozenset(
    re.findall(
        r"\w+",
        """
        rate irate increase delta idelta deriv predict_linear changes resets timestamp
        holt_winters double_exponential_smoothing
        abs ceil floor round clamp clamp_min clamp_max exp ln log2 log10 sqrt sgn deg rad
        sin cos tan asin acos atan sinh cosh tanh asinh acosh atanh
        avg_over_time min_over_time max_over_time sum_over_time count_over_time quantile_over_time
        stddev_over_time stdvar_over_time present_over_time mad_over_time
        histogram_avg histogram_count histogram_sum histogram_stddev histogram_stdvar
        minute hour month year day_of_month day_of_week day_of_year days_in_month
        """,
    )
)
_CHOICES = {"topk", "bottomk", "limitk", "limit_ratio"}
_AGGREGATIONS = {"sum", "avg", "min", "max", "count", "group", "stddev", "stdvar", "quantile"}


@dataclass(frozen=True)
class LabelSets:
    """The label sets of expressions over some series and what the rules make of them."""

    scraped: Mapping[str, Sequence[LabelSet]]
    """Metric name -> the label sets of its scraped series."""
    rules: Rules
    unknown: Collection[str] = ()
    """Metrics whose series are not known although they were there."""
    dry: dict[str, Any] = field(default_factory=dict, compare=False, repr=False)
    """Expression -> where it runs dry, as it was found."""
    _made: dict[str, Sets | None] = field(default_factory=dict, compare=False, repr=False)
    _known: dict[str, Sets | None] = field(default_factory=dict, compare=False, repr=False)

    @classmethod
    def over(cls, series: Iterable[Mapping[str, str]], rules: Rules, unknown: Collection[str] = ()) -> "LabelSets":
        """Of series given by their labels."""
        by_name: dict[str, dict[LabelSet, None]] = defaultdict(dict)
        for labels in series:
            by_name[labels.get(NAME, "")][frozenset((k, v) for k, v in labels.items() if v)] = None
        return cls({name: tuple(found) for name, found in by_name.items()}, rules, unknown)

    def of(self, node: Any) -> Sets | None:
        """What an expression of vectors can answer; None: not known."""
        text = show(node)
        if text not in self._known:
            found = self._of(node)
            self._known[text] = None if found is None or len(found) > MOST else found
        return self._known[text]

    def of_rule(self, known: KnownRule) -> Sets | None:
        """What a rule makes, with its own labels and its group's. Alerts have no ``__name__``."""
        root = tree(known.rule.expr)
        if root is None:
            return None
        found = frozenset({NO_LABELS}) if is_scalar(root) else self.of(root)
        if found is None:
            return None
        given = known.group.labels | known.rule.labels
        if not known.alert:  # whose labels are no templates
            return frozenset(_set(dict(labels), given | {NAME: known.rule.name}) for labels in found)
        rendered = ((dict(s), {k: _rendered(v, dict(s)) for k, v in given.items()}) for s in found)
        return frozenset(drop(_set(labels, own), [NAME]) for labels, own in rendered)

    def named(self, name: str | None) -> Sets | None:
        """Every series of one metric, scraped or made by a rule; of None, every series."""
        if self.unknown and (name is None or name in self.unknown):
            return None
        names = self._names if name is None else [name]
        found: set[LabelSet] = set()
        for one in names:
            found.update(self.scraped.get(one, ()))
            made = self._of_rules(one)
            if made is None:
                return None
            found |= made
        return frozenset(found)

    @property
    def _names(self) -> list[str]:
        alerts = ALERT_SERIES if self.rules.alerts else ()
        return list(dict.fromkeys([*self.scraped, *self.rules.recorded, *alerts]))

    def _of_rules(self, name: str) -> Sets | None:
        if name not in self._made:
            self._made[name] = None  # while it is looked for: a rule that reads itself
            parts = [self._series(k, name) for k in self.rules.known if _makes(k, name)]
            whole = NOTHING if all(p is not None for p in parts) else None
            self._made[name] = None if whole is None else whole.union(*(p for p in parts if p is not None))
        return self._made[name]

    def _series(self, known: KnownRule, name: str) -> Sets | None:
        found = self.of_rule(known)
        if found is None or not known.alert:
            return found
        states = ({"alertstate": s} for s in ("pending", "firing")) if name == "ALERTS" else [{}]
        own: dict[str, str] = {NAME: name, "alertname": known.rule.name}
        return frozenset(_set(dict(labels), own | state) for state in states for labels in found)

    def selected(self, node: Any, given: Sequence[Matcher] | None = None) -> Sets | None:
        """What a selector finds, if need be with other matchers."""
        if node.matchers.or_matchers:
            return None
        wanted = matchers(node) if given is None else given
        name = metric(node)
        found = self.named(name)
        return None if found is None else select(found, [m for m in wanted if name is None or m[0] != NAME])

    def _of(self, node: Any) -> Sets | None:
        match kind(node):
            case "VectorSelector":
                return self.selected(node)
            case "MatrixSelector":
                return self.of(node.vector_selector)
            case "ParenExpr" | "SubqueryExpr":
                return self.of(node.expr)
            case "UnaryExpr":
                return without_name(self.of(node.expr))
            case "AggregateExpr":
                return _aggregated(node, self.of(node.expr))
            case "BinaryExpr":
                return self._binary(node)
            case "Call":
                return self._call(node)
        return None

    def _binary(self, node: Any) -> Sets | None:
        if is_scalar(node.lhs) or is_scalar(node.rhs):
            found = self.of(node.rhs if is_scalar(node.lhs) else node.lhs)
            return found if keeps_name(node) else without_name(found)
        return joined(node, self.of(node.lhs), self.of(node.rhs))

    def _call(self, node: Any) -> Sets | None:
        name, args = node.func.name, list(node.args)
        if name in ("absent", "absent_over_time"):
            return frozenset({_absent(args[0])})
        vectors = [a for a in args if not is_scalar(a) and kind(a) != "StringLiteral"]
        if name == "vector" or (name in _DROP_NAME and not vectors):  # hour() is hour(vector(time()))
            return frozenset({NO_LABELS})
        if len(vectors) != 1 or not is_known(name):
            return None
        found = self.of(vectors[0])
        if found is None or name in _KEEP_NAME:
            return found
        return without_name(found) if name in _DROP_NAME else _CALLS[name](found, args)


def metric(node: Any) -> str | None:
    """The metric's name that a selector asks for; None: it asks for several."""
    exact = [value for label, op, value in matchers(node) if (label, op) == (NAME, "=")]
    return node.name or (exact[0] if exact else None)


def is_scalar(node: Any) -> bool:
    """Whether an expression is a number at every evaluation, and no vector."""
    match kind(node):
        case "NumberLiteral":
            return True
        case "ParenExpr" | "UnaryExpr":
            return is_scalar(node.expr)
        case "BinaryExpr":
            return is_scalar(node.lhs) and is_scalar(node.rhs)
        case "Call":
            return node.func.name in ("time", "pi", "scalar")
    return constant(node) is not None


def keeps_name(node: Any) -> bool:
    """Whether a binary operator leaves the metric's name: a filter and a set operator do."""
    filters = str(node.op) in COMPARISONS and not (node.modifier is not None and node.modifier.return_bool)
    return filters or str(node.op) in ("and", "or", "unless")


def without_name(found: Sets | None) -> Sets | None:
    """Label sets as arithmetic and most functions leave them."""
    return None if found is None else frozenset(drop(labels, {NAME}) for labels in found)


def drop(labels: LabelSet, names: Iterable[str]) -> LabelSet:
    """Without these labels."""
    gone = set(names)
    return frozenset(pair for pair in labels if pair[0] not in gone)


def keep(labels: LabelSet, names: Iterable[str]) -> LabelSet:
    """With these labels only."""
    kept = set(names)
    return frozenset(pair for pair in labels if pair[0] in kept)


def _set(labels: dict[str, str], values: Mapping[str, str]) -> LabelSet:
    return frozenset((k, v) for k, v in {**labels, **values}.items() if v)


_OF_LABEL = re.compile(r"\{\{-?\s*(?:\$labels|\.Labels)\.(\w+)\s*-?\}\}")


def _rendered(template: str, labels: Mapping[str, str]) -> str:
    """A label of an alert for an instance with ``labels``; a template that does more than name labels is ANY."""
    text = _OF_LABEL.sub(lambda found: labels.get(found[1], ""), template)
    return ANY if "{{" in text or ANY in text else text


def _makes(known: KnownRule, name: str) -> bool:
    return name in ALERT_SERIES if known.alert else known.rule.name == name


@lru_cache(maxsize=4096)
def _pattern(text: str) -> Pattern | None:
    try:
        return fullmatch(text)
    except StackError:
        return None


def matches(matcher: Matcher, value: str) -> bool:
    """Whether a matcher takes a label's value; "" is a label that is not there."""
    _, op, wanted = matcher
    if value == ANY:
        return True
    if op in ("=", "!="):
        return (value == wanted) == (op == "=")
    pattern = _pattern(wanted)
    return pattern is None or (pattern.fullmatch(value) is not None) == (op == "=~")


def select(found: Iterable[LabelSet], given: Sequence[Matcher]) -> Sets:
    """The label sets that all matchers take."""
    return frozenset(s for s in found if all(matches(m, dict(s).get(m[0], "")) for m in given))


def _aggregated(node: Any, found: Sets | None) -> Sets | None:
    op, how = str(node.op), node.modifier
    if found is None or op in _CHOICES:
        return found
    names = [] if how is None else list(how.labels)
    without = how is not None and not str(how.type).endswith("By")
    kept = frozenset(drop(s, [NAME, *names]) if without else keep(s, names) for s in found)
    if op == "count_values":
        return frozenset(_set(dict(s), {node.param.val: ANY}) for s in kept)
    return kept if op in _AGGREGATIONS else None


@dataclass(frozen=True)
class Matching:
    """How a binary operator pairs its sides: ``on (names)``, else ``ignoring (names)``."""

    on: bool
    names: tuple[str, ...]

    @classmethod
    def of(cls, node: Any) -> "Matching":
        how = None if node.modifier is None else node.modifier.matching
        if how is None:
            return cls(False, ())
        return cls(str(how.type).endswith("Include"), tuple(how.labels))

    def key(self, labels: LabelSet) -> LabelSet:
        """What two series must have alike to be a pair."""
        return keep(labels, self.names) if self.on else drop(labels, [NAME, *self.names])


def joined(node: Any, left: Sets | None, right: Sets | None) -> Sets | None:
    """What a binary operator between two vectors can answer."""
    op, how = str(node.op), Matching.of(node)
    if _filled(node):
        return None
    if op == "unless":
        return left
    if op != "or" and NOTHING in (left, right):
        return NOTHING
    if left is None or right is None:
        return None
    if op == "or":
        return left | right
    ones_of, others_of = _by_key(how, left), _by_key(how, right)
    if any(value == ANY for key in [*ones_of, *others_of] for _, value in key):
        return None
    both = [(ones, others_of[key]) for key, ones in ones_of.items() if key in others_of]
    if op == "and":
        return frozenset(s for ones, _ in both for s in ones)
    if sum(len(a) * len(b) for a, b in both) > MOST:
        return None
    made = (_result(node, how, a, b) for ones, others in both for a, b in product(ones, others))
    return frozenset(made)


def _filled(node: Any) -> bool:
    values = getattr(node.modifier, "fill_values", None)
    return values is not None and (values.lhs is not None or values.rhs is not None)


def _by_key(how: Matching, found: Sets) -> dict[LabelSet, list[LabelSet]]:
    out: dict[LabelSet, list[LabelSet]] = defaultdict(list)
    for labels in found:
        out[how.key(labels)].append(labels)
    return out


def _result(node: Any, how: Matching, left: LabelSet, right: LabelSet) -> LabelSet:
    side = grouped(node).partition(" ")[0]
    many, one = (right, left) if side == "group_right" else (left, right)
    labels = many if keeps_name(node) else drop(many, [NAME])
    if not side:
        return keep(labels, how.names) if how.on else drop(labels, how.names)
    return _set(dict(labels), {name: dict(one).get(name, "") for name in node.modifier.group_labels or []})


def _absent(node: Any) -> LabelSet:
    """absent() has the labels that its selector asks for by ``=``, once each."""
    while kind(node) in ("ParenExpr", "MatrixSelector", "SubqueryExpr"):
        node = node.vector_selector if kind(node) == "MatrixSelector" else node.expr
    if kind(node) != "VectorSelector":
        return NO_LABELS
    asked = [m for m in matchers(node) if m[0] != NAME]
    once = [m for m in asked if m[1] == "=" and [n for n, _, _ in asked].count(m[0]) == 1]
    return frozenset((label, value) for label, _, value in once if value)


def is_known(name: str) -> bool:
    """Whether it is known what a function does to labels."""
    return name in _KEEP_NAME | _DROP_NAME | {"absent", "absent_over_time", "vector", "scalar"} or name in _CALLS


def _text(node: Any) -> str:
    return str(node.val)


def _replaced(found: Sets, args: Sequence[Any]) -> Sets | None:
    """label_replace(v, dst, replacement, src, regex)."""
    dst, template, src, regex = map(_text, args[1:])
    pattern = _pattern(regex)
    if pattern is None:
        return None
    out = set()
    for labels in found:
        value = dict(labels).get(src, "")
        if value == ANY:
            return None
        match = pattern.fullmatch(value)
        out.add(labels if match is None else _set(dict(labels), {dst: expand(template, match)}))
    return frozenset(out)


def _concatenated(found: Sets, args: Sequence[Any]) -> Sets | None:
    """label_join(v, dst, separator, src...)."""
    dst, separator, *sources = map(_text, args[1:])
    out = set()
    for labels in found:
        parts = [dict(labels).get(s, "") for s in sources]
        out.add(_set(dict(labels), {dst: ANY if ANY in parts else separator.join(parts)}))
    return frozenset(out)


def _quantile(found: Sets, args: Sequence[Any]) -> Sets | None:
    """histogram_quantile and histogram_fraction leave ``le`` out; without one a series is of a native histogram, which
    text pages have not."""
    return frozenset(drop(s, [NAME, "le"]) for s in found if "le" in dict(s))


_CALLS: Mapping[str, Callable[[Sets, Sequence[Any]], Sets | None]] = {
    "label_replace": _replaced,
    "label_join": _concatenated,
    "histogram_quantile": _quantile,
    "histogram_fraction": _quantile,
}

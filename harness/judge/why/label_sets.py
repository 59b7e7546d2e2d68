"""Which label sets an expression can answer, given the series that were there: PromQL read with labels for values.

Values are left out: whatever compares a value keeps all of its series. So an empty answer proves that the expression
never had a series, and an answer that is not empty proves nothing. What is not known (a function of a later release,
labels made from values) is None, and so is all that is made of it.

The rules are those of Prometheus: promql/engine.go (VectorBinop, aggregation), promql/functions.go.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.promql import Matcher, kind, matchers, show, tree
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.judge.why.alert_series import STATES, fitting
from driftdrill.harness.judge.why.label_functions import CALLS, DROP_NAME, KEEP_NAME, is_known, labels_of_absent
from driftdrill.harness.judge.why.label_joins import joined, keeps_name
from driftdrill.harness.judge.why.labels import (
    ANY,
    MOST,
    NAME,
    NO_LABELS,
    NOTHING,
    LabelSet,
    Sets,
    drop,
    keep,
    select,
    with_labels,
    without_name,
)
from driftdrill.harness.judge.why.shape import CHOICES, is_scalar, metric

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
            return frozenset(with_labels(dict(labels), given | {NAME: known.rule.name}) for labels in found)
        rendered = ((dict(s), {k: _rendered(v, dict(s)) for k, v in given.items()}) for s in found)
        return frozenset(drop(with_labels(labels, own), [NAME]) for labels, own in rendered)

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
        states = ({"alertstate": s} for s in STATES if s == "firing" or known.rule.for_) if name == "ALERTS" else [{}]
        own: dict[str, str] = {NAME: name, "alertname": known.rule.name}
        return frozenset(with_labels(dict(labels), own | state) for state in states for labels in found)

    def selected(self, node: Any, given: Sequence[Matcher] | None = None) -> Sets | None:
        """What a selector finds, if need be with other matchers."""
        if node.matchers.or_matchers:
            return None
        wanted = matchers(node) if given is None else given
        name = metric(node)
        found = self.named(name)
        own = [m for m in wanted if name is None or m[0] != NAME]
        if found is None and name in ALERT_SERIES and not fitting(name, own, self.rules):
            return select(self.scraped.get(name, ()), own)  # an alert that reads ALERTS may be read by itself
        return None if found is None else select(found, own)

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
            return frozenset({labels_of_absent(args[0])})
        vectors = [a for a in args if not is_scalar(a) and kind(a) != "StringLiteral"]
        if name == "vector" or (name in DROP_NAME and not vectors):  # hour() is hour(vector(time()))
            return frozenset({NO_LABELS})
        if len(vectors) != 1 or not is_known(name):
            return None
        found = self.of(vectors[0])
        if found is None or name in KEEP_NAME:
            return found
        return without_name(found) if name in DROP_NAME else CALLS[name](found, args)


_OF_LABEL = re.compile(r"\{\{-?\s*(?:\$labels|\.Labels)\.(\w+)\s*-?\}\}")


def _rendered(template: str, labels: Mapping[str, str]) -> str:
    """A label of an alert for an instance with ``labels``; a template that does more than name labels is ANY."""
    text = _OF_LABEL.sub(lambda found: labels.get(found[1], ""), template)
    return ANY if "{{" in text or ANY in text else text


def _makes(known: KnownRule, name: str) -> bool:
    return name in ALERT_SERIES if known.alert else known.rule.name == name


def _aggregated(node: Any, found: Sets | None) -> Sets | None:
    op, how = str(node.op), node.modifier
    if found is None or op in CHOICES:
        return found
    names = [] if how is None else list(how.labels)
    without = how is not None and not str(how.type).endswith("By")
    kept = frozenset(drop(s, [NAME, *names]) if without else keep(s, names) for s in found)
    if op == "count_values":
        return frozenset(with_labels(dict(s), {node.param.val: ANY}) for s in kept)
    return kept if op in _AGGREGATIONS else None

"""The rules of a judgement: each in its place, with what it needs, recording rules followed."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES, Analysed, analyse
from driftdrill.harness.judge.rules.promql import tree
from driftdrill.harness.judge.rules.reading import circles, followed, read_rules, union
from driftdrill.stack.rules.files import Group, Labels, Rule, RuleFile

_SET_BY_ENGINE = ("__name__", "alertname", "alertstate")
_WORD = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")
_NAMELESS = re.compile(r"(^|[^\w:])\{|__name__")


@dataclass(frozen=True)
class KnownRule:
    """One rule in its place, with what it needs, recording rules followed."""

    index: int
    """Its place among all rules: what a rule is, since names and labels may be another's too."""
    rule: Rule
    group: Group
    group_index: int
    """The place of its group among all groups."""
    path: str
    analysed: Analysed
    metrics: frozenset[str] | None
    """Scraped metrics that it needs in the end."""
    reads_clock: bool
    """Whether it, or a recording rule that it reads, calls time(), hour() and the like."""
    look_back: float
    """Seconds, through its recording rules."""

    @property
    def where(self) -> str:
        """rules.yml:17."""
        return f"{self.path}:{self.rule.line}"

    @property
    def alert(self) -> bool:
        """Whether it is an alerting rule."""
        return self.rule.kind == "alert"

    @property
    def settle(self) -> float:
        """Seconds from the first moment at which it can fire or resolve: look-back + for + keep_firing_for."""
        return self.look_back + self.rule.for_ + self.rule.keep_firing_for

    @property
    def labels(self) -> Labels:
        """The labels that every series of it has, its group's and its own; those that are templates are left out, and
        so is what the engine sets by itself. One without a value takes a label away."""
        said = {**self.group.labels, **self.rule.labels}
        return {k: v for k, v in said.items() if v and "{{" not in v and k not in _SET_BY_ENGINE}

    def may_be(self, labels: Labels) -> bool:
        """Whether an instance of the alert may carry all of ``labels``, as far as the rule file tells."""
        said = {**self.group.labels, **self.rule.labels}
        return all(said[k] == v or "{{" in said[k] for k, v in labels.items() if k in said)


@dataclass(frozen=True)
class Rules:
    """All the rules of a judgement, in the order of the files."""

    files: tuple[RuleFile, ...]

    @cached_property
    def groups(self) -> tuple[Group, ...]:
        """Every group, in the order of the files."""
        return tuple(g for f in self.files for g in f.groups)

    @cached_property
    def known(self) -> tuple[KnownRule, ...]:
        """Every rule, analysed."""
        groups = enumerate((f, g) for f in self.files for g in f.groups)
        flat = [(f, g, place, r) for place, (f, g) in groups for r in g.rules]
        needs = followed([r for *_, r in flat])
        return tuple(
            KnownRule(i, r, g, place, str(f.path), analyse(r.expr), n.metrics, n.reads_clock, n.look_back)
            for i, ((f, g, place, r), n) in enumerate(zip(flat, needs, strict=True))
        )

    @cached_property
    def touched(self) -> Mapping[int, tuple[Rule, ...]]:
        """id() of a rule -> what changes with it, in order: itself, those of its name, and all that may read what these
        make, directly or not."""
        every = [k.rule for k in self.known]
        readers = {
            (kind_, name): {_key(r) for r in every if may_read(r.expr, [name] if kind_ == "record" else ALERT_SERIES)}
            for kind_, name in map(_key, every)
        }
        out = {}
        for rule in every:
            found, new = {_key(rule)}, {_key(rule)}
            while new:
                new = {reader for one in new for reader in readers[one]} - found
                found |= new
            out[id(rule)] = tuple(r for r in every if _key(r) in found)
        return out

    def unordered(self, interval: float) -> Mapping[int, tuple[KnownRule, ...]]:
        """The place of a rule -> a circle of rules that read what the others make, at several intervals, in which it
        stands, or which it reads; only of such rules. ``interval`` is that of groups without their own, seconds."""
        read = [sorted(r) for r in read_rules([k.rule for k in self.known])]
        out: dict[int, tuple[KnownRule, ...]] = {}
        for circle in circles(read):
            inside = tuple(self.known[i] for i in circle)
            paces = {k.group.interval or interval for k in inside}
            before = next((out[j] for i in circle for j in read[i] if j in out), ())
            if found := inside if len(paces) > 1 else before:
                out |= dict.fromkeys(circle, found)
        return out

    @property
    def alerts(self) -> tuple[KnownRule, ...]:
        """The alerting rules."""
        return tuple(k for k in self.known if k.alert)

    def makers(self, name: str | None) -> list[KnownRule]:
        """The recording rules that make a metric."""
        return [k for k in self.known if not k.alert and k.rule.name == name]

    @property
    def recorded(self) -> frozenset[str]:
        """The names that recording rules make."""
        return frozenset(k.rule.name for k in self.known if not k.alert)

    @cached_property
    def beside_clock(self) -> frozenset[str] | None:
        """The scraped metrics that some rule compares with the time, recording rules followed; None is any."""
        found: list[frozenset[str] | None] = []
        for known in self.known:
            beside = known.analysed.beside_clock
            found.append(beside)
            found += [k.metrics for k in self.known if not k.alert and beside and k.rule.name in beside]
        return union(found)

    @property
    def needed(self) -> frozenset[str] | None:
        """Every scraped metric that some rule needs; None is everything."""
        return union(k.metrics for k in self.known)


def _key(rule: Rule) -> tuple[str, str]:
    return rule.kind, rule.name


def may_read(expr: str, names: Iterable[str]) -> bool:
    """Whether an expression may read a series of one of these names."""
    metrics = analyse(expr).metrics
    if metrics is not None:
        return not metrics.isdisjoint(names)
    if tree(expr) is not None or _NAMELESS.search(expr):
        return True
    return not set(_WORD.findall(expr)).isdisjoint(names)  # what cannot be parsed reads no name that it does not hold

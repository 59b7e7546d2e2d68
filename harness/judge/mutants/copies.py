"""Many mutants in one run of the engine: copies of the rules that a mutant touches, under names of their own.

A mutant needs a copy of the changed rule and of every rule that reads it, down to the alerts. What each made is read
off under its own name, as if it were the original. Where a rule reads others at large, through ALERTS or by a pattern,
or what has to be renamed in it cannot be, each mutant takes a run of its own.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from driftdrill.harness.judge.mutants.operators import Mutant
from driftdrill.harness.judge.rules.analysed import ALERT_SERIES
from driftdrill.harness.judge.rules.promql import kind, rewrite, selector, tree
from driftdrill.harness.judge.rules.rules import Rules, may_read
from driftdrill.stack.rules.files import Rule

MADE = "driftdrill_mutant"
"""How the names of copies begin."""


@dataclass(frozen=True)
class Copies:
    """Rules with the copies of several mutants among them."""

    rules: Rules
    alerts: Mapping[str, tuple[int, str]]
    """Name of a copied alert -> (which mutant, the alert's own name)."""
    exprs: Mapping[str, tuple[int, str]]
    """Expression over copied series -> (which mutant, the expression itself)."""
    records: Mapping[str, int]
    """Name of a copied series -> which mutant."""

    def mutant(self, name: str) -> int | None:
        """Whose copy a rule of this name is; None for an original."""
        return self.records[name] if name in self.records else self.alerts.get(name, (None, ""))[0]


def reads_at_large(rule: Rule) -> bool:
    """Whether a rule may read copies of others: through ALERTS, by a pattern, by a query in a template."""
    queries = any("{{" in v and "query" in v for v in rule.labels.values())
    return queries or may_read(rule.expr, [*ALERT_SERIES, f"{MADE}_any"])


def apart(rules: Rules, changed: Rule, exprs: Iterable[str]) -> bool:
    """Whether mutants of this rule can be evaluated as copies among the others; ``exprs`` are asked for besides."""
    affected = rules.touched[id(changed)]
    series = [r.name for r in affected if r.kind == "record"]
    rewritten = [*(r.expr for r in affected), *(e for e in exprs if may_read(e, series))]
    return not any(reads_at_large(k.rule) for k in rules.known) and all(
        tree(e) is not None and "__name__" not in e for e in rewritten
    )


def edited(rules: Rules, change: Callable[[Rule], Sequence[Rule]]) -> Rules:
    """The rules with each one replaced by those that ``change`` answers."""
    return Rules(
        tuple(
            replace(f, groups=tuple(replace(g, rules=tuple(n for r in g.rules for n in change(r))) for g in f.groups))
            for f in rules.files
        )
    )


def mutated(rules: Rules, mutant: Mutant) -> Rules:
    """The rules with the mutant in its place."""
    return edited(rules, lambda rule: [mutant.rule if rule is mutant.original else rule])


def copied(rules: Rules, mutants: Sequence[Mutant], exprs: Iterable[str]) -> Copies:
    """The rules with copies for each of the mutants, every one of which stands :func:`apart`."""
    copies: dict[int, list[Rule]] = {}
    alerts: dict[str, tuple[int, str]] = {}
    asked: dict[str, tuple[int, str]] = {}
    records: dict[str, int] = {}
    for i, mutant in enumerate(mutants):
        affected = rules.touched[id(mutant.original)]
        own = {(r.kind, r.name): f"{MADE}_{i}_{j}" for j, r in enumerate(affected)}
        renamed = {name: new for (what, name), new in own.items() if what == "record"}
        records |= dict.fromkeys(renamed.values(), i)
        alerts |= {new: (i, name) for (what, name), new in own.items() if what == "alert"}
        asked |= {_reading(e, renamed): (i, e) for e in exprs if may_read(e, renamed)}
        for rule in affected:
            now = mutant.rule if rule is mutant.original else rule
            copy = replace(now, name=own[rule.kind, rule.name], expr=_reading(now.expr, renamed), annotations={})
            copies.setdefault(id(rule), []).append(copy)

    among = edited(rules, lambda rule: [replace(rule, annotations={}), *copies.get(id(rule), ())])
    return Copies(among, alerts, asked, records)


def _reading(expr: str, renamed: Mapping[str, str]) -> str:
    """The expression over the renamed series."""

    def change(node: Any, parts: list[str]) -> str | None:
        new = renamed.get(node.name or "") if kind(node) == "VectorSelector" else None
        return None if new is None else selector(node, new)

    return rewrite(tree(expr), change)

"""Which rules read what other rules make, and what each needs in the end, through all that it reads.

Rules that read each other in a circle are taken together (strongly connected components: Tarjan 1972), so that the work
is linear in the rules and in what they read, even where every rule reads everything.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from driftdrill.harness.judge.rules.analysed import ALERT_SERIES, Analysed, analyse
from driftdrill.harness.judge.rules.matching import takes
from driftdrill.harness.judge.rules.promql import Matcher
from driftdrill.stack.rules.files import Rule


@dataclass(frozen=True)
class Needs:
    """What one rule needs in the end."""

    metrics: frozenset[str] | None
    """Scraped metrics; None is everything."""
    reads_clock: bool
    look_back: float
    """Seconds."""


def union(sets: Iterable[frozenset[str] | None]) -> frozenset[str] | None:
    """All names of several sets; None is everything."""
    out: frozenset[str] = frozenset()
    for names in sets:
        if names is None:
            return None
        out |= names
    return out


def followed(rules: Sequence[Rule]) -> list[Needs]:
    """What each rule needs, through the recorded series and the ALERTS that it reads.

    Look-back adds up along the way, `for` of an alert whose ALERTS are read included; round a circle, that of all.
    """
    analysed = [analyse(r.expr) for r in rules]
    reads = [_reads(a, rules) for a in analysed]
    made = {r.name for r in rules if r.kind == "record"} | {*ALERT_SERIES}
    found: dict[int, Needs] = {}
    for circle in circles([[j for j, _ in each] for each in reads]):
        inside = set(circle)
        metrics = union(
            [
                *(None if (m := analysed[i].metrics) is None else m - made for i in circle),
                *(found[j].metrics for i in circle for j, _ in reads[i] if j not in inside),
            ]
        )
        clock = any(
            analysed[i].reads_clock or any(found[j].reads_clock for j, _ in reads[i] if j not in inside) for i in circle
        )
        if len(circle) == 1:
            spans = [span for _, span in analysed[circle[0]].reads]
            spans += [span + _lasts(rules[j], found[j]) for j, span in reads[circle[0]] if j not in inside]
            look_back = max(spans, default=0.0)
        else:
            own = sum(max((span for _, span in analysed[i].reads), default=0.0) + rules[i].for_ for i in circle)
            outside = [_lasts(rules[j], found[j]) for i in circle for j, _ in reads[i] if j not in inside]
            look_back = own + max(outside, default=0.0)
        found |= {i: Needs(metrics, clock, look_back) for i in circle}
    return [found[i] for i in range(len(rules))]


def read_rules(rules: Sequence[Rule]) -> list[frozenset[int]]:
    """The places of the rules that each reads, by name or through ALERTS."""
    return [frozenset(j for j, _ in _reads(analyse(r.expr), rules)) for r in rules]


def _lasts(rule: Rule, needs: Needs) -> float:
    return needs.look_back + rule.for_ + rule.keep_firing_for


def _reads(a: Analysed, rules: Sequence[Rule]) -> list[tuple[int, float]]:
    """(place of a rule that makes something which is read, seconds that the reader looks back at it)."""
    spans: dict[str | None, float] = {}
    for name, span in a.reads:
        spans[name] = max(span, spans.get(name, 0.0))
    out = []
    for j, rule in enumerate(rules):
        if rule.kind == "record":
            names = [n for n in (rule.name, None) if n in spans]
        else:
            wanted = any(may_match(matchers, rule) for matchers in a.reads_alerts)
            names = [n for n in (*ALERT_SERIES, None) if n in spans] if wanted else []
        if names:
            out.append((j, max(spans[n] for n in names)))
    return out


def may_match(matchers: Iterable[Matcher], rule: Rule) -> bool:
    """Whether ALERTS of the rule may have these labels, as far as the rule says."""
    said = {k: v for k, v in rule.labels.items() if "{{" not in v} | {"alertname": rule.name}
    return all(takes(m, said[m[0]]) for m in matchers if m[0] in said)


def circles(reads: Sequence[Sequence[int]]) -> list[list[int]]:
    """The strongly connected components of a graph, each after all that it reads; ``reads[i]`` are i's neighbours."""
    order: dict[int, int] = {}
    low: dict[int, int] = {}
    path: list[int] = []
    on_path: set[int] = set()
    out: list[list[int]] = []
    for root in range(len(reads)):
        if root in order:
            continue
        work = [(root, iter(reads[root]))]
        order[root] = low[root] = len(order)
        path.append(root)
        on_path.add(root)
        while work:
            i, rest = work[-1]
            j = next(rest, None)
            if j is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[i])
                if low[i] == order[i]:
                    at = path.index(i)
                    out.append(path[at:])
                    on_path -= set(path[at:])
                    del path[at:]
            elif j not in order:
                order[j] = low[j] = len(order)
                path.append(j)
                on_path.add(j)
                work.append((j, iter(reads[j])))
            elif j in on_path:
                low[i] = min(low[i], order[j])
    return out

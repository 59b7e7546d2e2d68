"""``le="1"`` where the bucket is called ``1.0``: Prometheus 3 writes the bounds of buckets and quantiles anew."""

from collections.abc import Iterable

from driftdrill.harness.judge.rules.promql import Matcher, kind, matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import dry
from driftdrill.harness.judge.why.labels import NAME, select
from driftdrill.harness.judge.why.phrases import and_through, series, several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for d in dry(rule, seen.sets):
        if kind(d.node) != "VectorSelector" or not (found := seen.sets.named(metric(d.node))):
            continue
        given = [m for m in matchers(d.node) if m[0] != NAME]
        for m in given:
            values = {value for s in found for label, value in s if label == m[0]}
            stored = "" if select(found, [m]) else other_spelling(m, values)
            if stored:
                says = f'no scrape had {series(metric(d.node), given)}; {m[0]}="{m[2]}" is stored as "{stored}"'
                both = "|".join(sorted({_escaped(m[2]), _escaped(stored)}, key=len))
                hint = f'{m[0]}=~"{both}" matches both: Prometheus 3 stores bounds as floats, 2 as they are written'
                return Reason("le_spelling", and_through(says, d.through), hint, cannot_fire=d.whole)
            if values and bound(m) is not None and not select(found, [m]):
                says = f"no scrape had {series(metric(d.node), given)}; {m[0]} was {several(values, 20)}"
                hint = "a bucket exists only where the histogram was given its bound: take one of these"
                if m[0] == "quantile":
                    hint = "a summary has only the quantiles that its code asks for, as shares: take one of these"
                return Reason("le_spelling", and_through(says, d.through), hint, cannot_fire=d.whole)
    return None


def bound(m: Matcher) -> float | None:
    """The number that a matcher asks of ``le`` or ``quantile`` by ``=``."""
    return _number(m[2]) if m[0] in ("le", "quantile") and m[1] == "=" else None


def other_spelling(m: Matcher, values: Iterable[str]) -> str:
    """The stored value that is the same number in other digits; "" of none, or of no bound at all."""
    if (wanted := bound(m)) is None:
        return ""
    return next((v for v in sorted(values) if v != m[2] and _number(v) == wanted), "")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _escaped(value: str) -> str:
    return value.replace(".", r"\\.")

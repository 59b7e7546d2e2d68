"""A metric or label whose name is there in another spelling: with dots (UTF-8), or with these escaped."""

import re
from collections.abc import Collection

from driftdrill.harness.judge.rules.promql import kind, matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import dry
from driftdrill.harness.judge.why.labels import NAME
from driftdrill.harness.judge.why.phrases import several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.reports.data.verdict import Reason

_HINT = (
    "Prometheus 3 stores names as the exporter writes them (UTF-8), Prometheus 2 with underscores: "
    'write {{"{name}"}}, or `metric_name_validation_scheme: legacy` in the scrape configuration'
)
_ESCAPED = re.compile(r"_([0-9a-fA-F]{1,6})_|__")


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for d in dry(rule, seen.sets):
        if kind(d.node) != "VectorSelector" or (name := metric(d.node)) is None:
            continue
        if name not in seen.named:
            if twin := twins(name, seen.named):
                says = f"no scrape had {name}, but {several(twin)}, which differs only by escaping"
                return Reason("escaped_name", says, _HINT.format(name=twin[0]), cannot_fire=d.whole)
            continue
        there = {label for s in seen.named[name] for label in s.labels}
        for label, _, _ in matchers(d.node):
            if label not in there | {NAME} and (twin := twins(label, there)):
                says = f"{name} has no label {label}, but {several(twin)}, which differs only by escaping"
                hint = f'a label with such a name is written in quotes: {{"{twin[0]}"="..."}}'
                return Reason("escaped_name", says, hint, cannot_fire=d.whole)
    return None


def twins(name: str, names: Collection[str]) -> list[str]:
    """The names that are this one, escaped otherwise."""
    if name in names:
        return []
    return sorted(n for n in names if n and _forms(n) & _forms(name) and not (_plain(n) and _plain(name)))


def _plain(name: str) -> bool:
    """Whether a name needs no escaping and is none."""
    return re.fullmatch(r"[a-zA-Z0-9_:]+", name) is not None and not name.startswith("U__") and "_dot_" not in name


def _forms(name: str) -> set[str]:
    """A name as each of Prometheus's escaping schemes may have written it."""
    forms = (name, _unescaped(name), name.replace("_dot_", ".").replace("__", "_"))
    return {re.sub(r"[^a-zA-Z0-9_:]", "_", form) for form in forms}


def _unescaped(name: str) -> str:
    """The inverse of the scheme "values" (U__my_2e_metric) of prometheus/common."""
    if not name.startswith("U__"):
        return name
    return _ESCAPED.sub(lambda m: chr(int(m[1], 16)) if m[1] else "_", name.removeprefix("U__"))

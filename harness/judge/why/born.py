"""Series that a rule asks for in vain: made from a sibling, with the labels that its matchers want.

A healthy service has no ``status=~"5.."`` yet, and an alert on it is quiet by right: if it fires once such a series is
born, which the engine is asked.
"""

import re
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np

from driftdrill.harness.judge.rules.promql import Matcher, kind, matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why.dry import asks_for_any_name, dry
from driftdrill.harness.judge.why.labels import NAME, matches
from driftdrill.harness.judge.why.phrases import series
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.harness.judge.why.shape import metric
from driftdrill.harness.recording.reader import Samples

_OF_THE_TARGET = ("job", "instance")
"""Labels that a scrape gives: no series is born with another value."""
STEP = 1e6
"""What a series that rises adds at each scrape: more than all of its siblings."""


def missing(rule: KnownRule, seen: Seen) -> tuple[Any, ...]:
    """The selectors of metrics that there are, of which no series has the labels that the rule wants."""
    return tuple(
        d.node
        for d in dry(rule, seen.sets)
        if kind(d.node) == "VectorSelector" and not asks_for_any_name(d.node) and seen.named.get(metric(d.node) or "")
    )


def told(nodes: Sequence[Any]) -> str:
    """``http_requests_total{status=~"5.."}``."""
    return ", ".join(series(metric(n), [m for m in matchers(n) if m[0] != NAME]) for n in nodes)


def born(nodes: Sequence[Any], seen: Seen, rising: bool) -> list[Samples] | None:
    """A series for each selector, all through the drill: ``rising`` from the fault on, or 0; None where none can be
    made that its matchers take."""
    out = []
    for node in nodes:
        sibling = seen.named[metric(node) or ""][0]
        labels = dict(sibling.labels)
        given = [m for m in matchers(node) if m[0] != NAME]
        for m in given:
            if not matches(m, labels.get(m[0], "")):
                value = _value(m)
                if value is None or m[0] in _OF_THE_TARGET:
                    return None
                labels[m[0]] = value
        if not all(matches(m, labels.get(m[0], "")) for m in given):
            return None
        times = sibling.times[~sibling.stale]
        start = seen.fault[0] * 1000 if seen.fault is not None else 0.0
        values = np.where(rising & (times >= start), STEP * np.cumsum(times >= start), 0.0)
        out.append(Samples({k: v for k, v in labels.items() if v}, times, values.astype(np.float64)))
    return out


def _value(m: Matcher) -> str | None:
    """A value that a matcher takes; None where none is found."""
    return next((v for v in _candidates(m[2]) if matches(m, v)), None)


def _candidates(pattern: str) -> Iterator[str]:
    yield pattern
    for part in re.split(r"\|", pattern.strip("^$()")):
        plain = part.strip("^$()")
        yield plain
        for filler in ("0", "a", "x"):
            filled = re.sub(r"\[(\\?.)[^\]]*\]", r"\1", plain)
            filled = re.sub(r"\\d", "0", filled)
            filled = re.sub(r"\\w", "a", filled)
            filled = re.sub(r"(?<!\\)\.[*+]?", filler, filled)
            yield re.sub(r"\\(.)", r"\1", re.sub(r"[*+?]|\{\d+(,\d*)?\}", "", filled))
    yield from ("", "other", "1", "500")

"""Sets of labels, as an expression's series carry them, and what a matcher takes of them."""

from collections.abc import Iterable, Mapping, Sequence

from driftdrill.harness.judge.rules.matching import takes
from driftdrill.harness.judge.rules.promql import Matcher

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


def with_labels(labels: dict[str, str], values: Mapping[str, str]) -> LabelSet:
    return frozenset((k, v) for k, v in {**labels, **values}.items() if v)


def matches(matcher: Matcher, value: str) -> bool:
    """Whether a matcher takes a label's value, or may where it is not known; "" is a label that is not there."""
    return value == ANY or takes(matcher, value)


def select(found: Iterable[LabelSet], given: Sequence[Matcher]) -> Sets:
    """The label sets that all matchers take."""
    return frozenset(s for s in found if all(matches(m, dict(s).get(m[0], "")) for m in given))

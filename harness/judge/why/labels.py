"""Sets of labels, as an expression's series carry them, and what a matcher takes of them."""

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache

from driftdrill.harness.judge.rules.promql import Matcher
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.regex import Pattern, fullmatch

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


@lru_cache(maxsize=4096)
def pattern(text: str) -> Pattern | None:
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
    compiled = pattern(wanted)
    return compiled is None or (compiled.fullmatch(value) is not None) == (op == "=~")


def select(found: Iterable[LabelSet], given: Sequence[Matcher]) -> Sets:
    """The label sets that all matchers take."""
    return frozenset(s for s in found if all(matches(m, dict(s).get(m[0], "")) for m in given))

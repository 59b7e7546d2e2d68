"""Which values of a label a matcher takes (model/labels/matcher.go)."""

from functools import lru_cache

from driftdrill.harness.judge.rules.promql import Matcher
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.regex import Pattern, fullmatch


@lru_cache(maxsize=4096)
def pattern(text: str) -> Pattern | None:
    """A regular expression of Prometheus; None of what is none."""
    try:
        return fullmatch(text)
    except StackError:
        return None


def takes(matcher: Matcher, value: str) -> bool:
    """Whether a matcher takes a label's value; "" is a label that is not there. What is no pattern takes any."""
    _, op, wanted = matcher
    if op in ("=", "!="):
        return (value == wanted) == (op == "=")
    compiled = pattern(wanted)
    return compiled is None or (compiled.fullmatch(value) is not None) == (op == "=~")

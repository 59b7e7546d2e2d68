"""The ways in which an expression has a series: its value as a multiple of a variable, and what variables must be."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from driftdrill.harness.judge.rules.promql import Matcher
from driftdrill.harness.judge.why.reals import ALL, NONE, Reals


@dataclass(frozen=True)
class Term:
    """A value: ``factor`` times that of a variable, and ``offset``."""

    variable: str
    factor: float = 1.0
    offset: float = 0.0


@dataclass(frozen=True)
class ValueLimit:
    """What a variable may be."""

    values: Reals = ALL
    said: str = ""
    """The comparison that said so last; empty of what holds by itself."""
    given: str = ""
    """What holds by itself, in words: "`ALERTS` is always 1"."""


@dataclass(frozen=True)
class ValueCase:
    """One way in which an expression has a series."""

    term: Term
    """Its value."""
    limits: Mapping[str, ValueLimit] = field(default_factory=dict)
    """Variable -> what it must be. A variable is what is read, at the labels of the series."""
    there: frozenset[tuple[str, frozenset[Matcher]]] = frozenset()
    """(variable, matchers) of what has a series with these labels then."""
    exact: bool = True
    """Whether it has a series whenever all this holds, and not only then."""

    @property
    def values(self) -> Reals:
        """What its value can be."""
        limit = self.limits.get(self.term.variable, ValueLimit()).values
        if (self.term.factor, self.term.offset) == (1.0, 0.0):
            return limit
        # The inverse of x -> factor * x + offset.
        return limit.shifted(1 / self.term.factor, -self.term.offset / self.term.factor)


def has_series(case: ValueCase, name: str, asked: frozenset[Matcher]) -> bool:
    """Whether what a selector finds is there with the labels of the case, since one with as many matchers is."""
    return any(other == name and asked <= given for other, given in case.there)


def values_of_cases(found: Iterable[ValueCase]) -> Reals:
    out = NONE
    for case in found:
        out = out.either(case.values)
    return out


def scaled(case: ValueCase, factor: float, offset: float) -> ValueCase:
    t = case.term
    return replace(case, term=Term(t.variable, t.factor * factor, t.offset * factor + offset))

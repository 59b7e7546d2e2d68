"""Judging at chosen moments: what the rules' clocks read then.

The engine's clock begins in 1970. A rule that asks for the time is put so that it reads the clock as it would stand if
scenario second 0 were the chosen moment: ``time()`` becomes ``(time() + seconds)``, ``hour()`` and its like are asked
of that, and ``timestamp(x)`` and ``ALERTS_FOR_STATE`` are moved as far. A range of the latter cannot be. An ``@`` with
a number is not: it names a moment of the engine's own.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import Any

from driftdrill.harness.errors import RuleError, UsageError
from driftdrill.harness.judge.rules.analysed import FOR_STATE, analyse
from driftdrill.harness.judge.rules.promql import children, kind, matchers, number, rewrite, show, tree
from driftdrill.harness.judge.rules.rules import Rules

CALENDAR = {"hour", "minute", "day_of_week", "day_of_month", "day_of_year", "days_in_month", "month", "year"}
Clock = Callable[[str, float], str]
"""(an expression, the engine's second that scenario second 0 is) -> the expression as it reads the clock."""


@dataclass(frozen=True)
class Moment:
    """When scenario second 0 is taken to be."""

    said: str
    """As it was given."""
    unix: float

    def clock(self, expr: str, zero: float) -> str:
        """The expression as it reads the clock at this moment."""
        return moved(expr, self.unix - zero) if analyse(expr).reads_clock and can_be_put(expr) else expr


def can_be_put(expr: str) -> bool:
    """Whether the clock that an expression reads can be put to another moment, if it reads one."""
    return not analyse(expr).reads_clock or ((root := tree(expr)) is not None and not _ranges_over_state(root))


def _ranges_over_state(node: Any) -> bool:
    if kind(node) == "MatrixSelector" and _of_state(node.vector_selector):
        return True
    return any(_ranges_over_state(child) for child in children(node))


def _of_state(node: Any) -> bool:
    """Whether it selects since when alerts are active."""
    return kind(node) == "VectorSelector" and (node.name == FOR_STATE or ("__name__", "=", FOR_STATE) in matchers(node))


def moment(text: str) -> Moment:
    """Read RFC 3339 or ISO 8601 with an offset from UTC. Raises :class:`UsageError`."""
    hint = "such as 2026-03-29T02:30+01:00, or 2026-03-29T01:30Z"
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise UsageError(f"{text!r} is no moment", hint=hint) from None
    if found.tzinfo is None:
        raise UsageError(f"{text} does not say how far its clock is from UTC", hint=hint)
    return Moment(text, found.timestamp())


def refuse_unreadable(rules: Rules, moments: Sequence[Moment]) -> None:
    """Raise :class:`RuleError` for a rule that reads the clock and cannot be put for another moment."""
    for known in rules.known if moments else ():
        if not can_be_put(known.rule.expr):
            raise RuleError(
                f"{known.rule.name} reads the clock in an expression that cannot be rewritten for another moment",
                where=known.where,
                hint="judge without --at, or simplify the expression",
            )


@lru_cache(maxsize=10_000)
def moved(expr: str, seconds: float) -> str:
    """The expression with its clock ahead by ``seconds``."""
    ahead = number(seconds)

    def change(node: Any, parts: list[str]) -> str | None:
        name = node.func.name if kind(node) == "Call" else ""
        if name == "time":
            return f"(time() + {ahead})"
        if _of_state(node):
            return f"({show(node)} + {ahead})"
        if name == "timestamp":
            return f"(timestamp({parts[0]}) + {ahead})"
        return f"{name}(vector(time() + {ahead}))" if name in CALENDAR and not parts else None

    return rewrite(tree(expr), change)

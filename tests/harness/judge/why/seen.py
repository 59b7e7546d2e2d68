"""What a check looks at, made by hand: a rule and the series that it could read."""

from collections.abc import Sequence
from typing import Any

from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.judge.why import CHECKS, Seen
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import Track
from driftdrill.reports.data.verdict import Reason
from driftdrill.stack.rules.files import parse
from tests.harness.judge.by_hand import BY_NAME, samples

SCRAPES = [7.0 + 15.0 * n for n in range(180)]
"""Of a drill with a fault from 900 to 1800 s."""


def series(name: str, value: Any = 1.0, **labels: str) -> Samples:
    """One series through the whole drill: a number, or a function of seconds that answers None for no sample."""
    points = {t: value(t) if callable(value) else value for t in SCRAPES}
    return samples(name, {t: v for t, v in points.items() if v is not None}, **labels)


def rules(expr: str, more: str = "", records: str = "") -> Rules:
    """A rule file of one alert A, ``more`` of its fields, and recording rules before it."""
    lines = [f"  - {line}" if i == 0 else line for i, line in enumerate(records.splitlines())] if records else []
    text = "groups:\n- name: g\n  rules:\n" + "\n".join(lines) + ("\n" if lines else "")
    text += f"  - alert: A\n    expr: |-\n      {expr}\n"
    return Rules(parse(text + "".join(f"    {line}\n" for line in more.splitlines()), "rules.yml"))


def seen(given: Rules, there: Sequence[Samples], **more: Any) -> Seen:
    """What the rules could read: these series, in a fault from second 900 on."""
    fields: dict[str, Any] = {"phases": BY_NAME, "fault_began": 900.0}
    return Seen(there, given, **(fields | more))


def alert(given: Rules) -> KnownRule:
    """The alert A, which stands last."""
    return given.alerts[-1]


def left(given: Rules, value: Any, **labels: str) -> dict[str, tuple[Track, ...]]:
    """The left side of the alert's threshold, as a function of seconds."""
    threshold = alert(given).analysed.threshold
    assert threshold is not None
    values = tuple(value(t) if callable(value) else value for t in SCRAPES)
    return {threshold.left: (Track("", "", tuple(SCRAPES), values, labels),)}


def said(check: str, expr: str, there: Sequence[Samples], **more: Any) -> Reason | None:
    """What one check says of a rule."""
    given = rules(expr, more.pop("fields", ""), more.pop("records", ""))
    return next(c for c in CHECKS if c.name == check).find(alert(given), seen(given, there, **more))

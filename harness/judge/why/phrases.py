"""How the checks say what was seen."""

from collections.abc import Iterable, Mapping
from typing import Any

from driftdrill.harness.judge.rules.promql import Matcher, quoted, show
from driftdrill.harness.judge.why.labels import ANY, LabelSet

SHOWN = 5


def several(values: Iterable[str], most: int = SHOWN) -> str:
    """2xx, 4xx, 5xx and 3 more."""
    found = sorted(set(values))
    more = f" and {len(found) - most} more" if len(found) > most else ""
    return ", ".join(found[:most]) + more


def series(name: str | None, labels: Iterable[Matcher] = ()) -> str:
    """app_requests_total{status="500"}."""
    inside = ", ".join(f"{label}{op}{quoted(value)}" for label, op, value in labels if label != "__name__")
    return (name or "") + (f"{{{inside}}}" if inside or not name else "")


def one_series(labels: Mapping[str, str]) -> str:
    """The same of one series, by its labels."""
    return series(labels.get("__name__"), [(k, "=", v) for k, v in sorted(labels.items())])


def labels_text(labels: LabelSet) -> str:
    """job="model", feature="carrier"; "no labels" of none."""
    return ", ".join(f"{k}={quoted(v)}" if v != ANY else k for k, v in sorted(labels)) or "no labels"


def code(node: Any, longest: int = 80) -> str:
    """An expression between backticks, its end left out where it is long."""
    text = show(node)
    return f"`{text}`" if len(text) <= longest else f"`{text[:longest]}…`"


def and_through(text: str, through: str) -> str:
    """The text, with the recording rule that it is about."""
    return f"{text} (read by {through})" if through else text

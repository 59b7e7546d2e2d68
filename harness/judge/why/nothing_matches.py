"""A matcher that takes none of the values that its label had.

A value that merely did not occur yet is no finding: a healthy service has no ``status=~"5.."``. So a label whose values
are born of events (a status, a reason) speaks only where its values are written otherwise (``5xx``, ``ERROR``).
"""

import difflib
import re
from collections.abc import Iterable, Sequence

from driftdrill.harness.judge.rules.promql import Matcher, kind, matchers
from driftdrill.harness.judge.rules.rules import KnownRule
from driftdrill.harness.judge.why import escaped_name, exported_label, le_spelling
from driftdrill.harness.judge.why.dry import Dry, dry
from driftdrill.harness.judge.why.label_sets import ANY, NAME, Sets, matches, metric, select
from driftdrill.harness.judge.why.phrases import and_through, series, several
from driftdrill.harness.judge.why.seen import Seen
from driftdrill.reports.data.verdict import Reason

_OF_THE_TARGET = re.compile(
    r"(exported_)?(job|instance|env|environment|stage|tier|namespace|cluster|region|zone|az|datacenter|dc|host(name)?|node"
    r"|service|app|application|component|container|team|handler|path|route|endpoint|uri|url|method|model(_name|_id)?"
    r"|feature|column|class|target)"
)
"""Labels whose values are there from the first scrape on."""
_OF_EVENTS = re.compile(
    r".*(status|code|reason|result|outcome|error|exception|cause|state|phase|severity|level|failure|success|kind|event"
    r"|action|type).*"
)
"""Labels with a value for each thing that happened."""
_ENOUGH = 3
"""A label of neither kind that had so many values is taken to have had them all."""


def find(rule: KnownRule, seen: Seen) -> Reason | None:
    for d in dry(rule, seen.sets):
        if kind(d.node) != "VectorSelector" or metric(d.node) is None:
            continue
        found = seen.sets.named(metric(d.node))
        if not found:
            continue
        reason = _of_selector(d, found)
        if reason is not None:
            return reason
    return None


def _of_selector(d: Dry, found: Sets) -> Reason | None:
    given = [m for m in matchers(d.node) if m[0] != NAME]
    name, selector = metric(d.node), series(metric(d.node), given)
    culprits = [m for m in given if not select(found, [m]) and not _told_elsewhere(m, found)]
    for m in culprits:
        values = values_of(found, m[0])
        if not values and needs_value(m):
            says = f"no scrape had {selector}: no {name} has the label {m[0]}; it has {several(_labels(found))}"
            near = difflib.get_close_matches(m[0], _labels(found), n=1)
            hint = f"did you mean {near[0]}?" if near else f"leave {m[0]} out, or add it where the metric is made"
            return Reason("nothing_matches", and_through(says, d.through), hint, cannot_fire=d.whole)
        if impossible(m) or not may_be_born(m, values):
            says = f"no scrape had {selector}; {m[0]} was {several(values)}"
            return Reason("nothing_matches", and_through(says, d.through), _hint(m, values))
    if not culprits and len(given) > 1:
        return _together(d, given, found, selector)
    return None


def _together(d: Dry, given: Sequence[Matcher], found: Sets, selector: str) -> Reason | None:
    """Matchers of which each takes some series, but no series is taken by all."""
    if any(not select(found, [m]) or not _OF_THE_TARGET.fullmatch(m[0]) for m in given):
        return None
    for m in given:
        others = [o for o in given if o is not m]
        rest = select(found, others)
        if rest:
            values = several(values_of(rest, m[0])) or "not there"
            says = f"no scrape had {selector}; with {series('', others)} {m[0]} was {values}"
            return Reason("nothing_matches", and_through(says, d.through), "each matcher alone matches, never together")
    return None


def _told_elsewhere(m: Matcher, found: Sets) -> bool:
    return (
        exported_label.moved(m, found) != ""
        or (le_spelling.bound(m) is not None and values_of(found, m[0]) != [])
        or bool(escaped_name.twins(m[0], _labels(found)))
    )


def values_of(found: Sets, label: str) -> list[str]:
    """The values that a label had, sorted."""
    return sorted({value for s in found for name, value in s if name == label and value != ANY})


def _labels(found: Sets) -> list[str]:
    return sorted({name for s in found for name, _ in s} - {NAME})


def needs_value(m: Matcher) -> bool:
    """Whether a series without the label is not taken."""
    return not matches(m, "")


def impossible(m: Matcher) -> bool:
    """Whether no value at all is taken: ``!~".*"``."""
    return m[1] == "!~" and m[2] in (".*", ".+|", "|.+", "(.*)")


def may_be_born(m: Matcher, values: Sequence[str]) -> bool:
    """Whether a value that the matcher takes could appear beside those that were seen."""
    label, op, wanted = m
    if op in ("!=", "!~"):
        return not _OF_THE_TARGET.fullmatch(label)
    if _near(m, values):
        return False
    if any(matches(m, value) for value in _siblings(values)):
        return True
    shapes = {_shape(v) for v in values}
    if op == "=" and _shape(wanted) not in shapes:
        return False
    if op == "=~" and "word" in shapes and len(shapes) == 1 and any(matches(m, c) for c in _CODES):
        return False
    if op == "=~" and shapes <= {"number", "group"} and not re.search(r"[a-zA-Z]{2}", wanted):
        return False
    if _OF_THE_TARGET.fullmatch(label):
        return False
    return _OF_EVENTS.fullmatch(label) is not None or len(values) < _ENOUGH


_CODES = [str(code) for code in range(100, 600)]
_GROUPS = [f"{n}{xx}" for n in range(1, 6) for xx in ("xx", "XX")]


def _siblings(values: Iterable[str]) -> list[str]:
    """Values of the same family as those that were seen."""
    out: list[str] = []
    for value in values:
        if re.fullmatch(r"[1-5]\d\d", value):
            out += _CODES
        elif re.fullmatch(r"[1-5][xX]{2}", value):
            out += [g for g in _GROUPS if g[1:] == value[1:]]
        elif re.fullmatch(r"\d+", value):
            out += [str(n) for n in range(64)]
        elif value in ("true", "false"):
            out += ["true", "false"]
    return out


def _shape(value: str) -> str:
    if re.fullmatch(r"[1-5][xX]{2}", value):
        return "group"
    return "number" if re.fullmatch(r"-?[\d.]+", value) else "word"


def _near(m: Matcher, values: Sequence[str]) -> str:
    """A value that was seen and differs from the wanted one by case, by an abbreviation or by a slip."""
    wanted = m[2]
    if m[1] != "=" or not wanted or _shape(wanted) != "word":
        return ""
    for value in values:
        short, long = sorted((value.lower(), wanted.lower()), key=len)
        if short == long or (len(short) >= 3 and long.startswith(short)):
            return value
    close = difflib.get_close_matches(wanted, [v for v in values if _shape(v) == "word"], n=1, cutoff=0.8)
    return close[0] if close else ""


def _hint(m: Matcher, values: Sequence[str]) -> str:
    near = _near(m, values)
    if near:
        return f'did you mean {m[0]}="{near}"?'
    grouped = [v for v in values if _shape(v) == "group"]
    if grouped and re.fullmatch(r"[1-5]\d\d", m[2]):
        return f'the page groups codes: {m[0]}="{m[2][0]}{grouped[0][1:]}"'
    return f"compare the values of {m[0]} on the metrics page with the rule's"

"""Whether a label value that a matcher wants could yet appear beside those that were seen, and what may be meant.

A value that merely did not occur yet is no finding: a healthy service has no ``status=~"5.."``. So a label whose values
are born of events (a status, a reason) speaks only where its values are written otherwise (``5xx``, ``ERROR``).
"""

import difflib
import re
from collections.abc import Iterable, Sequence

from driftdrill.harness.judge.rules.promql import Matcher, quoted
from driftdrill.harness.judge.why.labels import matches

OF_THE_TARGET = re.compile(
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


def needs_value(m: Matcher) -> bool:
    """Whether a series without the label is not taken."""
    return not matches(m, "")


def impossible(m: Matcher) -> bool:
    """Whether no value at all is taken: ``!~".*"``."""
    return m[1] == "!~" and m[2] in (".*", ".+|", "|.+", "(.*)")


def only_without(m: Matcher) -> bool:
    """Whether only series without the label are taken: ``=""``, ``!~".+"``."""
    return (m[1] == "=" and not m[2]) or (m[1] == "!~" and m[2] in (".+", "(.+)"))


def may_be_born(m: Matcher, values: Sequence[str]) -> bool:
    """Whether a value that the matcher takes could appear beside those that were seen."""
    label, op, wanted = m
    if op in ("!=", "!~"):
        return not OF_THE_TARGET.fullmatch(label)
    if _near(m, values) or meant(m, values):
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
    if OF_THE_TARGET.fullmatch(label):
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


def _loosened(m: Matcher) -> dict[str, Matcher]:
    """A pattern as it may have been meant -> what it should have been."""
    label, _, wanted = m
    return {
        "padded": (label, "=~", re.sub(r"\s*\|\s*", "|", wanted.strip())),
        "case": (label, "=~", f"(?i){wanted}"),
        "anchor": (label, "=~", f".*({wanted}).*"),
    }


def meant(m: Matcher, values: Sequence[str]) -> str:
    """What a pattern lacks that takes none of the values: "anchor", "case" or "padded"; "" of none of these."""
    if m[1] != "=~" or not m[2]:
        return ""
    found = [what for what, other in _loosened(m).items() if any(matches(other, v) for v in values)]
    return found[0] if found else ""


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


def hint(m: Matcher, values: Sequence[str]) -> str:
    near, lacks = _near(m, values), meant(m, values)
    if lacks == "anchor":
        pattern = f"{m[2]}.*" if any(matches((m[0], "=~", f"({m[2]}).*"), v) for v in values) else f".*{m[2]}.*"
        return f"a pattern takes whole values only: {m[0]}=~{quoted(pattern)}"
    if lacks:
        return f"did you mean {m[0]}=~{quoted(_loosened(m)[lacks][2])}?"
    if near:
        return f'did you mean {m[0]}="{near}"?'
    grouped = [v for v in values if _shape(v) == "group"]
    if grouped and re.fullmatch(r"[1-5]\d\d", m[2]):
        return f'the page groups codes: {m[0]}="{m[2][0]}{grouped[0][1:]}"'
    return f"compare the values of {m[0]} on the metrics page with the rule's"

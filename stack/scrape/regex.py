"""RE2, the regular expressions of Prometheus, anchored at both ends; and the replacements that Go makes of a match.

google-re2 is the library that Go's was made after: a match takes time in proportion to the text, whatever the pattern.
Two differences are left: ``\\C`` (one byte), which Prometheus refuses, is taken; and a name that two groups share
stands for the first of them, in Go for the first that took part.
"""

import re
from collections.abc import Mapping
from typing import Protocol, cast

from driftdrill.stack.errors import StackError

_TEMPLATE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>\w+)\}|(?P<bare>\w+))")
_MEMORY = 64 << 20  # for r"\pL{1000}" and the like, which Go takes; the library's own 8 MB are too few


class Pattern(Protocol):
    """A compiled pattern."""

    groups: int
    groupindex: Mapping[str, int]

    def fullmatch(self, text: str) -> "Match | None":
        """The match of the whole text."""


class Match(Protocol):
    """What a pattern matched."""

    re: Pattern

    def __getitem__(self, group: int | str) -> str | None: ...


def fullmatch(pattern: str) -> Pattern:
    """The pattern compiled so that ``.fullmatch`` decides what Prometheus decides: ``^(?s:pattern)$``.

    Raises :class:`StackError` with RE2's own message for what it refuses (look-around, back references).
    """
    import re2

    options = re2.Options()
    options.log_errors, options.max_mem = False, _MEMORY
    try:
        return cast("Pattern", re2.compile(f"^(?s:{pattern})$", options))
    except (re2.error, UnicodeError) as e:
        said = e.args[0].decode() if isinstance(e, re2.error) else str(e)
        raise StackError(f"{pattern!r} is not a regular expression of Prometheus (RE2): {said}") from e


def expand(template: str, match: Match) -> str:
    """Go's Regexp.Expand: ``$1``, ``$name``, ``${name}``, ``$$``; a group that does not exist is empty."""

    def one(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["braced"] or found["bare"]
        number = int(name) if name.isdecimal() and len(name) < 9 else -1
        if str(number) == name:  # else "01" is a name
            return (match[number] or "") if number <= match.re.groups else ""
        return (match[name] or "") if name in match.re.groupindex else ""

    return _TEMPLATE.sub(one, template) if "$" in template else template

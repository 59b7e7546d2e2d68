"""RE2 patterns, as Prometheus takes them, translated to Python's ``re``: same language, same groups, anchored."""

import re
from dataclasses import dataclass

from driftdrill.stack.errors import StackError

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_GROUP = re.compile(r"\(\?(?:P?<(?P<name>\w+)>|(?P<flags>[imsU]*(?:-[imsU]+)?)(?P<end>[:)]))", re.ASCII)
_REPEAT = re.compile(r"\{(\d+)(?:(,)(\d*))?\}", re.ASCII)
_HEX = re.compile(r"\\x(?:\{([0-9A-Fa-f]+)\}|([0-9A-Fa-f]{2}))")
_OCTAL = re.compile(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})")
_SETS = (r"\d", r"\D", r"\s", r"\S", r"\w", r"\W")
_CONTROLS = "afnrtv"
_ASSERTIONS = {r"\A": r"\A", r"\z": r"\Z", r"\b": r"\b", r"\B": r"\B"}
_POSIX_CLASS = re.compile(r"\[:(\^?)(\w+):\]")
_TEMPLATE = re.compile(r"\$(?:(?P<dollar>\$)|\{(?P<braced>\w+)\}|(?P<bare>\w+))")


def fullmatch(pattern: str) -> re.Pattern[str]:
    """The pattern compiled so that ``.fullmatch`` decides what RE2 decides for ``^(?s:pattern)$``.

    Raises :class:`StackError` for what RE2 refuses (look-around, back references) and for Unicode classes, which
    Python's ``re`` does not have. Case folding (``(?i)``) is of ASCII letters only.
    """
    try:
        return re.compile(_Translation(pattern).run(), re.ASCII | re.DOTALL)
    except (re.error, OverflowError, RecursionError) as e:
        raise StackError(f"{pattern!r} is not a regular expression of Prometheus (RE2): {e}") from e


def expand(template: str, match: re.Match[str]) -> str:
    """Go's Regexp.Expand: ``$1``, ``$name``, ``${name}``, ``$$``; a group that does not exist is empty."""

    def one(found: re.Match[str]) -> str:
        if found["dollar"]:
            return "$"
        name = found["braced"] or found["bare"]
        if name.isdecimal() and (name == "0" or not name.startswith("0")):
            number = int(name)
            return (match[number] or "") if number <= match.re.groups else ""
        return (match[name] or "") if name in match.re.groupindex else ""

    return _TEMPLATE.sub(one, template) if "$" in template else template


@dataclass
class _Level:
    """One open group: the flags in force, and those that ``(?i)`` opened within it and that ``)`` must close."""

    multiline: bool
    ungreedy: bool
    opened: list[str]


class _Translation:
    """A walk over the pattern's characters; the flags are what needs a memory."""

    def __init__(self, pattern: str) -> None:
        self.pattern, self.at, self.out = pattern, 0, list[str]()
        self.levels = [_Level(False, False, [])]

    def run(self) -> str:
        while self.at < len(self.pattern):
            self._step(self.pattern[self.at])
        if len(self.levels) > 1:
            raise re.error("missing )")
        return "".join(self.out) + ")" * len(self.levels[0].opened)

    def _take(self, text: str, length: int) -> None:
        self.out.append(text)
        self.at += length

    def _step(self, c: str) -> None:
        level = self.levels[-1]
        if c == "\\":
            self._escape()
        elif c == "[":
            self._bracket()
        elif c == "(":
            self._open()
        elif c == ")":
            if len(self.levels) == 1:
                raise re.error("unexpected )")
            self._take(")" * (len(level.opened) + 1), 1)
            self.levels.pop()
            self._quantifier()
        elif c == "|":  # flags set inside an alternative reach into the next ones
            self._take(")" * len(level.opened) + "|" + "".join(level.opened), 1)
        elif c in "^$":
            self._take("(?:^)" if c == "^" else "(?:$)" if level.multiline else r"(?:\Z)", 1)
            self._quantifier()
        elif c in "*+?" or _REPEAT.match(self.pattern, self.at):
            raise re.error(f"missing argument to repetition operator: {c}")
        else:
            self._take("\\{" if c == "{" else c, 1)
            self._quantifier()

    def _quantifier(self) -> None:
        """One repetition, lazy or not; RE2 refuses a second one, which Python may read as possessive."""
        repeat = _REPEAT.match(self.pattern, self.at)
        if repeat is not None:
            low, high = int(repeat[1]), int(repeat[3] or repeat[1])
            if not low <= high <= 1000:
                raise re.error(f"invalid repeat count: {repeat[0]}")
            self._take(repeat[0], len(repeat[0]))
        elif self.pattern[self.at : self.at + 1] in ("*", "+", "?"):
            self._take(self.pattern[self.at], 1)
        else:
            return
        lazy = self.pattern[self.at : self.at + 1] == "?"
        self.at += lazy
        if lazy != self.levels[-1].ungreedy:
            self.out.append("?")
        if self.pattern[self.at : self.at + 1] in ("*", "+", "?") or _REPEAT.match(self.pattern, self.at):
            raise re.error("invalid nested repetition operator")

    def _open(self) -> None:
        level = self.levels[-1]
        if not self.pattern.startswith("(?", self.at):
            self._take("(", 1)
            self.levels.append(_Level(level.multiline, level.ungreedy, []))
            return
        group = _GROUP.match(self.pattern, self.at)
        if group is None:
            raise re.error("invalid or unsupported Perl syntax: (?…")
        if group["name"]:
            self._take(f"(?P<{group['name']}>", len(group[0]))
            self.levels.append(_Level(level.multiline, level.ungreedy, []))
            return
        on, _, off = group["flags"].partition("-")
        multiline = (level.multiline or "m" in on) and "m" not in off
        ungreedy = (level.ungreedy or "U" in on) and "U" not in off
        minus = off.replace("U", "")
        opening = f"(?{on.replace('U', '')}{'-' + minus if minus else ''}:"
        self._take(opening, len(group[0]))
        if group["end"] == ":":
            self.levels.append(_Level(multiline, ungreedy, []))
        else:  # (?i): in force to the end of the enclosing group
            level.multiline, level.ungreedy = multiline, ungreedy
            level.opened.append(opening)

    def _escape(self) -> None:
        two = self.pattern[self.at : self.at + 2]
        if two == r"\Q":
            literal, end, _ = self.pattern[self.at + 2 :].partition(r"\E")
            if not end:
                raise re.error("missing \\E")  # it would swallow what Prometheus puts behind the pattern
            self._take(re.escape(literal), len(literal) + 4)
        elif two in _ASSERTIONS:
            self._take(f"(?:{_ASSERTIONS[two]})", 2)  # a group, since RE2 lets them be repeated
        else:
            text, length = self._escaped(self.at)
            self._take(text, length)
        self._quantifier()

    def _escaped(self, at: int) -> tuple[str, int]:
        """One escape sequence, inside or outside brackets: its translation and its length."""
        for pattern in (_HEX, _OCTAL):
            number = pattern.match(self.pattern, at)
            if number is not None:
                code = int(number[1] or number[2], 16) if pattern is _HEX else int(number[1], 8)
                if code > 0x10FFFF:
                    raise re.error(f"invalid escape sequence: {number[0]}")
                return re.escape(chr(code)), len(number[0])
        c = self.pattern[at + 1 : at + 2]
        if not c:
            raise re.error("trailing backslash")
        if c in "pP":
            raise re.error("Unicode classes (\\p) are not supported here; name the characters instead")
        if "\\" + c in _SETS or c in _CONTROLS or (c.isascii() and not c.isalnum()):
            return "\\" + c, 2
        raise re.error(f"invalid escape sequence: \\{c}")

    def _bracket(self) -> None:
        at = self.at + (2 if self.pattern.startswith("[^", self.at) else 1)
        parts, first = [self.pattern[self.at : at]], at
        while not self.pattern.startswith("]", at) or at == first:
            text, length = self._member(at)
            parts.append(text)
            is_set = text in _SETS or self.pattern.startswith("[:", at)
            at += length
            if not is_set and self.pattern.startswith("-", at) and not self.pattern.startswith("-]", at):
                text, length = self._member(at + 1)
                parts.append("-" + text)
                at += 1 + length
        self._take("".join(parts) + "]", at + 1 - self.at)
        self._quantifier()

    def _member(self, at: int) -> tuple[str, int]:
        """A character or a named class between brackets, escaped where it could mean more to Python."""
        named = _POSIX_CLASS.match(self.pattern, at)
        if named is not None:
            return _posix(named), len(named[0])
        c = self.pattern[at : at + 1]
        if not c:
            raise re.error("missing closing ]")
        if c == "\\":
            return self._escaped(at)
        return ("\\" + c if c in "[]&~|-^" else c), 1


def _posix(named: re.Match[str]) -> str:
    """``[:alpha:]`` or ``[:^alpha:]`` as what may stand between brackets."""
    if named[2] not in _POSIX:
        raise re.error(f"invalid character class range: {named[0]}")
    if not named[1]:
        return _POSIX[named[2]]
    inside = re.compile(f"[{_POSIX[named[2]]}]")
    others = (f"\\x{code:02x}" for code in range(128) if not inside.match(chr(code)))
    return "".join(others) + "\\x80-\\U0010ffff"

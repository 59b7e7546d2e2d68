"""Text for a terminal in rows: a word in the margin, and beside it a sentence that is wrapped, never cut."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

_STYLES = {
    "INVALID": "bold red", "FAILED": "bold red", "SILENT FAILURE": "bold red",
    "FALSE_ALARM": "bold red", "LATE": "bold red", "UNRESOLVED": "bold red", "HARMFUL": "bold red",
    "ALARM WITHOUT HARM": "bold yellow", "NOT_JUDGED": "yellow", "INCONCLUSIVE": "yellow", "UNKNOWN": "yellow",
    "UNPROVEN": "bold yellow",
    "VALID": "bold", "HELD": "bold green", "FIRED": "green", "HARMLESS": "green", "held": "green",
    "SURVIVED": "bold red", "NOT_COVERED": "yellow",
}  # fmt: skip
INDENT, HANG = 2, 14


@dataclass(frozen=True)
class Row:
    """A word in the margin and the text that hangs beside it; without text it is a heading."""

    word: str
    text: str = ""
    indent: int = INDENT
    hang: int = HANG


def laid_out(rows: Sequence[Row], *, width: int = 80, colour: bool = False) -> str:
    """The rows in lines of at most ``width`` (40 or more) columns, with a trailing line end.

    ``colour`` adds terminal styles (through rich, imported only then); the characters are the same.
    """
    lines = [line for row in rows for line in _lay_out(row, max(width, 40))]
    return _coloured(lines) if colour else "".join(word + text + "\n" for word, text in lines)


def _lay_out(row: Row, width: int) -> list[tuple[str, str]]:
    """(word in the margin, text) of each line."""
    if not row.text:
        return [(line, "") for line in textwrap.wrap(row.word, width)] or [("", "")]
    margin = " " * row.indent + (row.word.ljust(row.hang) if row.word else "")
    wrapped = textwrap.wrap(row.text, width - len(margin), break_on_hyphens=False) or [""]
    return [(margin, wrapped[0]), *((" " * len(margin), line) for line in wrapped[1:])]


def _coloured(lines: list[tuple[str, str]]) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    out = StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", legacy_windows=False)
    for i, (word, text) in enumerate(lines):
        line = Text()
        if i == 0:
            for n, part in enumerate(word.split(" · ")):
                line.append(" · " if n else "").append(part, _STYLES.get(part))
        else:
            line.append(word, _STYLES.get(word.strip(), "dim" if word[:1].islower() else "")).append(text)
        console.print(line, soft_wrap=True, highlight=False)
    return out.getvalue()

"""Faults of a single cell or key: a value that JSON has no word for, of another type, left out, or said twice."""

import json
from dataclasses import replace
from typing import Any, ClassVar, Literal

from driftdrill.harness.traffic.body_layout.json_text import Edit, decoded, innermost, parts, span, spliced, without
from driftdrill.harness.traffic.payload.base import PayloadFault
from driftdrill.harness.traffic.protocols.base import Request
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.kind import one_of, within


class _InCell(PayloadFault, frozen=True):
    """Puts another text in the place of a cell."""

    column: str

    def _change(self, request: Request) -> Request:
        text = decoded(request.body)
        start, end = span(text, self._layout(request).cell(self.column))
        return replace(request, parts=spliced(text, [Edit(start, end, (self._instead(text[start:end]),))]))

    def _instead(self, was: str) -> str:
        """The text that stands in the place of ``was``."""
        raise NotImplementedError


class Number(_InCell, frozen=True, repr_omit_defaults=True, tag="number"):
    """A bare number as it is written, whether JSON has it or not: NaN, Infinity, -Infinity, 1e999, 9007199254740993."""

    id: ClassVar[str] = "edge.nan"
    text: str = "NaN"

    def __post_init__(self) -> None:
        if not self.text.strip() or any(c in self.text for c in ' \t\r\n,:{}[]"'):
            raise StackError(f"Number: text must be one bare word, not {self.text!r}", hint="NaN, Infinity, 1e999")

    def _instead(self, was: str) -> str:
        return self.text


class Null(_InCell, frozen=True, repr_omit_defaults=True, tag="null"):
    """null in place of a value."""

    id: ClassVar[str] = "edge.null"

    def _instead(self, was: str) -> str:
        return "null"


class WrongType(_InCell, frozen=True, repr_omit_defaults=True, tag="wrong_type"):
    """A value as another JSON type: "40", true, [40], {"v": 40}, or within ``depth`` lists."""

    id: ClassVar[str] = "edge.wrong_type"
    to: Literal["text", "true", "list", "object", "nested"] = "text"
    depth: int = 1000

    def __post_init__(self) -> None:
        one_of(self, "to", ("text", "true", "list", "object", "nested"))
        within(self, "depth", 1, 1_000_000, unit="lists")

    def _instead(self, was: str) -> str:
        if self.to == "text":
            return was if was.startswith('"') else json.dumps(was)
        if self.to == "object":
            return f'{{"v": {was}}}'
        depth = {"list": 1, "nested": self.depth}.get(self.to, 0)
        return "[" * depth + was + "]" * depth if depth else "true"


class Text(_InCell, frozen=True, repr_omit_defaults=True, tag="text"):
    """``text`` in place of a value, unescaped in ``charset``, whatever the rest of the body is in.

    A lone surrogate is "\\ud800": three bytes that are no UTF-8, or its escape where ``charset`` is "ascii".
    """

    id: ClassVar[str] = "edge.encoding"
    text: str
    charset: str = "utf-8"

    def __post_init__(self) -> None:
        try:
            self._instead("")
        except (LookupError, ValueError) as e:
            raise StackError(f"Text: {self.text!r} cannot be written in {self.charset!r}: {e}") from e

    def _instead(self, was: str) -> str:
        written = json.dumps(self.text, ensure_ascii=self.charset == "ascii")
        return decoded(written.encode(self.charset, "surrogatepass" if "utf" in self.charset.lower() else "strict"))


class Missing(PayloadFault, frozen=True, repr_omit_defaults=True, tag="missing"):
    """A column is left out: its key, its item of a list (what follows moves up), its input in V2."""

    id: ClassVar[str] = "edge.missing"
    column: str

    def _change(self, request: Request) -> Request:
        text, own = decoded(request.body), self._layout(request).own(self.column)
        return replace(request, parts=spliced(text, [without(text, own)]), layout=None)


class DuplicateKey(PayloadFault, frozen=True, repr_omit_defaults=True, tag="duplicate_key"):
    """The innermost key above a cell stands twice, the second time with another value in the cell.

    The value is ``value``, or unless that is given another one of the same kind.
    """

    id: ClassVar[str] = "edge.duplicate_key"
    column: str
    value: Any = None

    def _change(self, request: Request) -> Request:
        text, cell = decoded(request.body), self._layout(request).cell(self.column)
        above = max((i for i, step in enumerate(cell) if isinstance(step, str)), default=None)
        if above is None:
            raise LookupError("there is no key above the cell")
        key = next(p for p in parts(text, span(text, cell[:above])[0]) if p.step == cell[above])
        start, end = span(text, cell)
        other = json.dumps(_another(json.loads(text[start:end])) if self.value is None else self.value)
        second = text[key.start : start] + other + text[end : key.end]
        return replace(request, parts=spliced(text, [Edit(key.end, key.end, (", ", second))]), layout=None)


class UnknownKey(PayloadFault, frozen=True, repr_omit_defaults=True, tag="unknown_key"):
    """A key more, in the innermost object that holds the row."""

    id: ClassVar[str] = "edge.unknown_key"
    key: str = "unknown_key"
    value: Any = 1

    def _change(self, request: Request) -> Request:
        text = decoded(request.body)
        _, end, members = innermost(text, self._layout(request).row)
        if self.key in members:
            raise LookupError(f"the key {self.key!r} is there already")
        more = (", " if members else "") + f"{json.dumps(self.key)}: {json.dumps(self.value)}"
        return replace(request, parts=spliced(text, [Edit(end - 1, end - 1, (more,))]))


def _another(value: Any) -> Any:
    """A value of the same JSON type."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, (int, float)):
        return value * 10 + 1
    return f"{value}x" if isinstance(value, str) else 1

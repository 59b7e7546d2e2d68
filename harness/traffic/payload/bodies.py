"""Faults of the whole body: its size, charset, type, compression and end; and a patch for anything else."""

import functools
import gzip
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

from driftdrill.harness.errors import DriftdrillError
from driftdrill.harness.traffic.body_layout.json_text import decoded, encoded, span
from driftdrill.harness.traffic.payload.base import PayloadFault
from driftdrill.harness.traffic.protocols.base import Request
from driftdrill.harness.traffic.protocols.values import finder
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.kind import within
from driftdrill.stack.faults.network.http_faults import merge_patch


class Padding(PayloadFault, frozen=True, repr_omit_defaults=True, tag="padding"):
    """``size`` bytes more: blanks after the body, which mean nothing, or letters after what ``column`` holds."""

    id: ClassVar[str] = "edge.size"
    size: int = 5_000_000
    column: str = ""

    def __post_init__(self) -> None:
        within(self, "size", 1, 1_000_000_000, unit="bytes")

    def _change(self, request: Request) -> Request:
        if not self.column:
            return replace(request, parts=(*request.parts, _filling(" ", self.size)))
        text = decoded(request.body)
        start, end = span(text, self._layout(request).cell(self.column))
        was = text[start:end] if text[start:end] != "null" else ""
        was = was[1:-1] if was.startswith('"') else was
        before, after = encoded(f'{text[:start]}"{was}'), encoded(f'"{text[end:]}')
        return replace(request, parts=(before, _filling("x", self.size), after))


class Charset(PayloadFault, frozen=True, repr_omit_defaults=True, tag="charset"):
    """The whole body in another charset, which no header says: "utf-16", or "utf-8-sig" for a byte order mark."""

    id: ClassVar[str] = "edge.encoding"
    to: str = "utf-16"

    def __post_init__(self) -> None:
        try:
            "{}".encode(self.to)
        except LookupError as e:
            raise StackError(f"Charset: {e}", hint="utf-16, utf-16-le, utf-32, utf-8-sig") from e

    def _change(self, request: Request) -> Request:
        return replace(request, parts=(request.body.decode().encode(self.to),), layout=None)


class ContentType(PayloadFault, frozen=True, repr_omit_defaults=True, tag="content_type"):
    """Another Content-Type than the body has; "" sends none."""

    id: ClassVar[str] = "edge.encoding"
    to: str = "text/plain"

    def _change(self, request: Request) -> Request:
        return replace(request, content_type=self.to)


class Gzip(PayloadFault, frozen=True, repr_omit_defaults=True, tag="gzip"):
    """The body compressed, with or without the header that says so."""

    id: ClassVar[str] = "edge.encoding"
    header: bool = True

    def _change(self, request: Request) -> Request:
        packed = replace(request, parts=(gzip.compress(request.body, mtime=0),), layout=None)
        return replace(packed, headers=(*packed.headers, ("Content-Encoding", "gzip"))) if self.header else packed


class Truncated(PayloadFault, frozen=True, repr_omit_defaults=True, tag="truncated"):
    """The first ``share`` of the body, under a length that fits it."""

    id: ClassVar[str] = "edge.encoding"
    share: float = 0.5

    def __post_init__(self) -> None:
        within(self, "share", 0, 0.999)

    def _change(self, request: Request) -> Request:
        body = request.body
        return replace(request, parts=(body[: int(len(body) * self.share)],), layout=None)


class MergePatch(PayloadFault, frozen=True, repr_omit_defaults=True, tag="merge_patch"):
    """A JSON merge patch (RFC 7396) on the bodies for which ``select``, a JMESPath, is true; "" selects all."""

    id: ClassVar[str] = "edge.merge_patch"
    patch: Any
    select: str = ""

    def __post_init__(self) -> None:
        if self.select:
            _selector(self.select)
        try:
            json.dumps(self.patch)
        except (TypeError, ValueError) as e:
            raise StackError(f"MergePatch: patch must be a JSON value: {e}") from e

    def _change(self, request: Request) -> Request:
        was = json.loads(request.body)
        patched = json.dumps(merge_patch(was, self.patch))
        if patched == json.dumps(was) or (self.select and not _selector(self.select)(was)):
            return request
        return replace(request, parts=(patched.encode(),), layout=None)


@functools.lru_cache(maxsize=8)
def _filling(letter: str, size: int) -> bytes:
    """One object however many requests it fills."""
    return letter.encode() * size


@functools.lru_cache(maxsize=8)
def _selector(expression: str) -> Callable[[Any], Any]:
    try:
        return finder(expression)
    except DriftdrillError as e:
        raise StackError(f"MergePatch: select: {e.cause}", hint="carrier == 'UA'") from e

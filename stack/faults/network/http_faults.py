"""The HTTP faults: frozen values with a selector.

A fault selects requests by ``path`` (a shell pattern on the path without its query), ``method``, ``header``
(``Name`` or ``Name: value``) and ``share``. Without a path it leaves :data:`EXCLUDED` alone. Which requests a share
hits follows from (seed, the fault's name, the request's index): two runs hit the same requests, and a larger share
hits all that a smaller one hits. The index is the number in an ``X-Request-Id`` of digits, where the client sends
one, else the count of those that the selector matched so far.
"""

import json
from fnmatch import fnmatchcase
from http import HTTPStatus
from typing import Any, ClassVar, Literal, Self

from msgspec.structs import replace

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.kind import one_of, unit_interval, within
from driftdrill.stack.faults.network.toxics import MS, ProxyFault
from driftdrill.stack.faults.pages import AnyPageFault

EXCLUDED = ("/metrics", "/health", "/healthz")
"""Paths that a fault leaves alone unless its own path names them: what watches must not be hit by accident."""


class HttpFault(ProxyFault, frozen=True, kw_only=True, repr_omit_defaults=True, tag_field="type"):
    """What all HTTP faults share: the selector, and a name, ``<type>`` and the path unless one is given.

    Strength scales the share of requests, unless the fault says otherwise.
    """

    id: ClassVar[str] = ""
    visible_from: ClassVar[str] = "client"
    reads_http: ClassVar[bool] = True

    path: str = ""
    method: str = ""
    header: str = ""
    share: float = 1.0
    name: str = ""

    def __post_init__(self) -> None:
        within(self, "share", 0, 1)
        if self.path and not self.path.startswith(("/", "*")):
            raise StackError(f"{type(self).__name__}: path must begin with /, not {self.path!r}", hint="/v2/models/*")

    @property
    def type(self) -> str:
        """The name of this type."""
        return str(self.__struct_config__.tag)

    @property
    def key(self) -> str:
        """The name under which a proxy holds it."""
        return self.name or f"{self.type}{self.path and ' ' + self.path}"

    def at(self, strength: float) -> Self | None:
        """This fault at ``strength`` in [0, 1]; None at 0."""
        strength = unit_interval(strength)
        return replace(self, share=self.share * strength) if strength else None

    def selects(self, method: str, path: str, headers: list[tuple[str, str]]) -> bool:
        """Whether a request is of the kind that this fault hits; header names are lower-case."""
        if self.path:
            if not fnmatchcase(path, self.path):
                return False
        elif path in EXCLUDED:
            return False
        if self.method and method != self.method.upper():
            return False
        if not self.header:
            return True
        name, colon, value = self.header.partition(":")
        name, value = name.strip().lower(), value.strip()
        return any(n == name and (not colon or v == value) for n, v in headers)


class Delay(HttpFault, frozen=True, repr_omit_defaults=True, tag="delay"):
    """Hold a request back for ``delay`` plus or minus ``jitter`` milliseconds; strength scales both."""

    id: ClassVar[str] = "sys.latency"
    real_time: ClassVar[bool] = True
    delay: float
    jitter: float = 0.0

    def __post_init__(self) -> None:
        HttpFault.__post_init__(self)
        within(self, "delay", 0, 3_600_000, unit=MS)
        within(self, "jitter", 0, 3_600_000, unit=MS)

    def at(self, strength: float) -> Self | None:
        """Milliseconds are scaled."""
        strength = unit_interval(strength)
        return replace(self, delay=self.delay * strength, jitter=self.jitter * strength) if strength else None


class Status(HttpFault, frozen=True, repr_omit_defaults=True, tag="status"):
    """Answer with ``status`` and ``body`` (text); the server never sees the request. Strength scales the share."""

    id: ClassVar[str] = "sys.error"
    status: int = 503
    body: str = ""

    def __post_init__(self) -> None:
        HttpFault.__post_init__(self)
        within(self, "status", 200, 599)

    def answer(self) -> bytes:
        """The whole response."""
        try:
            reason = HTTPStatus(self.status).phrase
        except ValueError:
            reason = "Status"
        body = self.body.encode()
        head = f"HTTP/1.1 {self.status} {reason}\r\nContent-Type: text/plain; charset=utf-8\r\n"
        if self.status in (204, 304):
            return f"{head}\r\n".encode()
        return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


class Replace(HttpFault, frozen=True, repr_omit_defaults=True, tag="replace"):
    """Put ``body`` (text) in place of the body of a request or, as a rule, a response. Strength scales the share."""

    id: ClassVar[str] = "sys.replaced"
    body: str
    content_type: str = "application/json"
    on: Literal["request", "response"] = "response"

    def __post_init__(self) -> None:
        HttpFault.__post_init__(self)
        one_of(self, "on", ("request", "response"))


class Patch(HttpFault, frozen=True, repr_omit_defaults=True, tag="merge_patch"):
    """Apply a JSON merge patch (RFC 7396) to the body of a request or, as a rule, a response.

    A body that is no JSON passes as it is and is counted as skipped. Strength scales the share of requests.
    """

    id: ClassVar[str] = "sys.merge_patch"
    patch: Any
    on: Literal["request", "response"] = "response"

    def __post_init__(self) -> None:
        HttpFault.__post_init__(self)
        one_of(self, "on", ("request", "response"))
        try:
            json.dumps(self.patch)
        except (TypeError, ValueError) as e:
            raise StackError(f"Patch: patch must be a JSON value: {e}") from e


class Page(HttpFault, frozen=True, kw_only=True, repr_omit_defaults=True, tag="page"):
    """Apply a fault of :mod:`driftdrill.stack.faults.pages` to the page at ``path``; strength is that fault's."""

    id: ClassVar[str] = "mon.page"
    visible_from: ClassVar[str] = "scrape"
    fault: AnyPageFault
    path: str = "/metrics"
    strength: float = 1.0

    def at(self, strength: float) -> Self | None:
        """The page fault's strength is scaled."""
        strength = unit_interval(strength)
        return replace(self, strength=self.strength * strength) if strength else None


HttpToxic = Delay | Status | Replace | Patch | Page

HTTP_FAULTS: tuple[type[HttpFault], ...] = (Delay, Status, Replace, Patch, Page)


def merge_patch(target: Any, patch: Any) -> Any:
    """RFC 7396, section 2: the result of applying ``patch`` to ``target``; neither is changed."""
    if not isinstance(patch, dict):
        return patch
    result = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        else:
            result[name] = merge_patch(result.get(name), value)
    return result

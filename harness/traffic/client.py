"""A keep-alive HTTP/1.1 client for ready-made bodies, on gevent sockets, parsed by httptools.

It does one thing: POST bytes, get a status and a body within a deadline. It asks for no compression, and inflates
gzip and deflate where a server compresses all the same. A redirect within the same origin moves the client there
for good, and is said once; one that leaves it is a failed request: traffic and credentials go where the user said.
"""

import logging
import ssl
import time
import zlib
from collections.abc import Sequence
from typing import NamedTuple
from urllib.parse import urljoin, urlsplit

import httptools

from harness.traffic.protocols.base import Request
from harness.traffic.wire import Link, RequestFailed, Watch, Wire
from stack.connection import Connection

LARGEST_REPLY = 64 * 1024 * 1024
"""Bytes of one response, its head included; also of an inflated body."""
INLINE = 16 * 1024
"""Bodies up to this many bytes go out in one segment with the head; larger ones are sent as they are, uncopied."""
MOVES = 5
"""Redirects after which a chain of them counts as a loop."""
PATIENT = 1.0
"""Seconds of idleness after which a server may have closed a connection for its age alone."""

log = logging.getLogger("driftdrill.traffic")


class Reply(NamedTuple):
    """A whole response. ``location`` is set for redirects; ``encoding`` is its Content-Encoding, if any."""

    status: int
    body: bytes
    location: str = ""
    encoding: str = ""
    pieces: tuple[tuple[float, int], ...] = ()
    """(seconds since sending began, bytes of the body so far) of each piece that arrived; for timed clients only."""


class Client:
    """Requests to one address. Idle connections are kept last in, first out, so a low rate uses few.

    ``path`` is below the connection's URL, whose ``timeout`` is seconds for a whole request. One greenlet at a time
    uses one socket; any number of greenlets may call :meth:`post`. ``timed`` notes when each piece of a body came.
    """

    def __init__(self, connection: Connection, path: str, content_type: str, *, timed: bool = False) -> None:
        self.connection, self.timeout, self.timed = connection, connection.timeout, timed
        self.url = connection.at(path)
        self._content_type = content_type
        self._wire = Wire(connection)
        self._watch = Watch()
        self._head = self._head_for(self.url, content_type)

    def post(self, request: bytes | Request) -> Reply:
        """The whole response. Raises :class:`RequestFailed`; a keep-alive socket gone stale is replaced once."""
        deadline = time.monotonic() + self.timeout
        for _ in range(MOVES):
            reply = self._post(request, deadline)
            if not (reply.location and 300 <= reply.status < 400):
                return reply
            self._move(reply)
        raise RequestFailed("redirect", f"{MOVES} redirects in a row, the last to {self.url[:80]}")

    def close(self) -> None:
        """Close the idle connections."""
        self._wire.close()

    def _post(self, request: bytes | Request, deadline: float) -> Reply:
        if isinstance(request, bytes):
            body, head = request, self._head
        else:
            body, head = request.body, self._head_for(self.url, request.content_type, request.headers)
        head = b"%b%d\r\n\r\n" % (head, len(body))
        parts = (head + body,) if len(body) <= INLINE else (head, body)
        kept = self._wire.idle()
        if kept is not None:
            reply = self._exchange(kept, parts, deadline)
            if reply is not None:
                return reply
        reply = self._exchange(self._wire.connect(deadline), parts, deadline)
        assert reply is not None, "a new connection is never stale"
        return reply

    def _exchange(self, link: Link, parts: tuple[bytes, ...], deadline: float) -> Reply | None:
        """One request and response; None where the server had closed a socket that was long idle."""
        link.begin(timed=self.timed)
        may_be_stale = link.idle_since is not None and time.monotonic() - link.idle_since > PATIENT
        try:
            self._watch.over(link, deadline)
            try:
                for part in parts:
                    link.send(part)
            except ConnectionError:
                pass  # a server may refuse a large body before it has read it: its answer is there to be read
            _receive(link)
            return _reply(link)
        except (_Closed, OSError, httptools.HttpParserError) as e:
            if link.expired or isinstance(e, TimeoutError):
                raise RequestFailed("timeout", f"no whole response in {self.timeout:g} s") from e
            if isinstance(e, httptools.HttpParserError):
                raise RequestFailed("malformed", str(e)) from e
            if isinstance(e, ssl.SSLError):  # TLS 1.3: a server tells only now that it misses the client's certificate
                raise RequestFailed("tls", e.reason or str(e)) from e
            if may_be_stale and not link.heard:
                return None
            raise RequestFailed("reset", str(e) if isinstance(e, _Closed) else e.strerror or str(e)) from e
        finally:
            self._watch.deadlines.pop(link, None)
            if link.keep and not link.expired:
                self._wire.keep(link)
            else:
                link.close()

    def _move(self, reply: Reply) -> None:
        """Go where a redirect points, if that is the same origin."""
        there = urljoin(self.url, reply.location)
        try:
            origins = {_origin(there), _origin(self.url)}
        except ValueError as e:
            raise RequestFailed("redirect", f"HTTP {reply.status} to {there[:80]}, which is no URL: {e}") from e
        if len(origins) > 1:
            raise RequestFailed("redirect", f"HTTP {reply.status} to {there[:80]}, another origin: not followed")
        log.warning("%s redirects (HTTP %d); requests go to %s from now on", self.url, reply.status, there)
        self.url, self._head = there, self._head_for(there, self._content_type)

    def _head_for(self, url: str, content_type: str, more: Sequence[tuple[str, str]] = ()) -> bytes:
        """Everything up to the value of Content-Length."""
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = self.connection
        host = connection.host if ":" not in connection.host else f"[{connection.host}]"
        default = 443 if connection.tls else 80
        lines = [
            f"POST {target} HTTP/1.1",
            f"Host: {host}" if connection.port == default else f"Host: {host}:{connection.port}",
            "User-Agent: driftdrill",
            *([f"Content-Type: {content_type}"] if content_type else []),
            "Accept: */*",
            *(f"{name}: {value}" for name, value in (*connection.reveal_headers().items(), *more)),
            "Content-Length: ",
        ]
        return "\r\n".join(lines).encode("latin-1")


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


class _Closed(Exception):
    """The server closed before the response was whole."""


def _receive(link: Link) -> None:
    """Read until the response is whole; one without a length is whole when the server closes."""
    while not link.complete:
        chunk = link.receive()
        if not chunk:
            if link.has_head and not link.framed and not link.expired:
                return
            raise _Closed("closed in the middle of a response" if link.heard else "closed without a response")
        link.heard += len(chunk)
        if link.heard > LARGEST_REPLY:
            raise RequestFailed("too_large", f"more than {LARGEST_REPLY} bytes")
        link.parser.feed_data(chunk)


def _reply(link: Link) -> Reply:
    body = b"".join(link.chunks)
    if link.encoding not in ("", "identity"):
        body = inflated(body, link.encoding)
    return Reply(link.status, body, link.location, link.encoding, tuple(link.pieces))


def inflated(body: bytes, encoding: str) -> bytes:
    """A body without its gzip or deflate coding, never larger than ``LARGEST_REPLY``."""
    if encoding not in ("gzip", "x-gzip", "deflate"):
        raise RequestFailed("malformed", f"Content-Encoding {encoding[:40]!r}, which was not asked for")
    for wbits in (47, -15):  # gzip or zlib by its header; some servers send deflate without one
        inflater = zlib.decompressobj(wbits)
        try:
            out = inflater.decompress(body, LARGEST_REPLY)
        except zlib.error:
            continue
        if inflater.unconsumed_tail:
            raise RequestFailed("too_large", f"more than {LARGEST_REPLY} bytes when inflated")
        if inflater.eof:
            return out
    raise RequestFailed("malformed", f"a body that is not {encoding}")

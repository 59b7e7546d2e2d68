"""A keep-alive HTTP/1.1 client for ready-made bodies, on gevent sockets, parsed by httptools.

It does one thing: POST bytes, get a status and a body within a deadline. It asks for no compression, and inflates
gzip and deflate where a server compresses all the same. A redirect within the same origin moves the client there
for good, and is said once; one that leaves it is a failed request: traffic and credentials go where the user said.

Why no library: a request costs 20 microseconds of CPU here, 47 with geventhttpclient and 375 with requests;
what the generator itself spends falsifies the latency that it measures.
"""

import logging
import ssl
from collections.abc import Callable, Sequence
from time import monotonic
from urllib.parse import urljoin, urlsplit

from driftdrill.durations import format_duration
from driftdrill.harness.traffic.http.connecting import RECEIVE, Connections
from driftdrill.harness.traffic.http.response import Heads, IncomingResponse, Reply, RequestFailed
from driftdrill.harness.traffic.http.socket import Socket
from driftdrill.harness.traffic.protocols.base import Request
from driftdrill.stack.connection import Connection

SMALL = 4096
"""Bytes to ask for at first, since most responses are short."""
INLINE = 16 * 1024
"""Bodies up to this many bytes go out in one segment with the head; larger ones are sent as they are, uncopied."""
MOVES = 5
"""Redirects after which a chain of them counts as a loop."""
PATIENT = 1.0
"""Seconds of idleness after which a server may have closed a connection for its age alone."""

After = Callable[[Reply], bytes | None]

log = logging.getLogger("driftdrill.traffic")


class Client:
    """Requests to one address. Idle connections are kept last in, first out, so a low rate uses few.

    ``path`` is below the connection's URL, whose ``timeout`` is seconds for a whole request. One greenlet at a time
    uses one socket; any number of greenlets may call :meth:`post`. ``timed`` notes when each piece of a body came.
    """

    def __init__(self, connection: Connection, path: str, content_type: str, *, timed: bool = False) -> None:
        self.connection, self.timeout, self.timed = connection, connection.timeout, timed
        self.url = connection.at(path)
        self.may_resend: Callable[[], bool] = lambda: False
        """Whether a request may go out a second time now: where a connection that had carried others was closed by the
        server before a byte came back. Virtual time alone may: the real gap would have shown that it was closed."""
        self.resent = 0
        """Requests that went out a second time for that."""
        self._content_type = content_type
        self._connections = Connections(connection)
        self._known = Heads()
        self._heads: dict[int, bytes] = {}

    def post(self, request: bytes | Request, after: After | None = None) -> Reply:
        """The whole response. Raises :class:`RequestFailed`; a keep-alive socket gone stale is replaced once a request.

        ``after`` is called in the hub with a response that is nothing unusual. If it answers a next body, of at most
        ``INLINE`` bytes, that is sent on the same socket, and this returns the response to the last one or raises.
        """
        now = monotonic()
        reply = self._answer(request, now, after)
        if reply.location and 300 <= reply.status < 400:
            return self._follow(request, reply, now)
        return reply

    def close(self) -> None:
        """Close the idle connections."""
        self._connections.close()

    def _answer(self, request: bytes | Request, now: float, after: After | None = None) -> Reply:
        if isinstance(request, bytes):
            body, head = request, self._heads.get(len(request)) or self._head(len(request))
        else:
            body, head = request.body, self._head_for(request.content_type, request.headers, len(request.body))
        link = self._connections.idle(now) or self._connections.connect(now + self.timeout)
        while True:
            try:
                return self._exchange(link, head, body, now, after)
            except _Stale as stale:  # a new connection is stale for none but what a chain sent after the first
                now, (head, body) = monotonic(), stale.request
                link = self._connections.connect(now + self.timeout)

    def _exchange(self, link: Socket, head: bytes, body: bytes, now: float, after: After | None) -> Reply:
        """One request and response. Raises :class:`_Stale` with what was sent last where that may go out again."""
        response: IncomingResponse | None = None
        sent = [(head, body)]
        keep = False
        link.deadline = now + self.timeout
        self._connections.watch()
        try:
            try:
                if len(body) <= INLINE:
                    link.send(head + body)
                else:
                    link.send(head)
                    link.send(body)
            except ConnectionError:
                pass  # a server may refuse a large body before it has read it: its answer is there to be read
            data = link.receive(SMALL, None if after is None or self.timed else self._chain(link, after, sent))
            known = None if self.timed else self._known.reply(data)
            if known is not None:
                keep = True
                return known
            response = IncomingResponse(now if self.timed else None)
            _receive(link, response, data)
            keep = response.keep
            return response.reply()
        except (_Closed, OSError) as e:
            heard = response is not None and response.heard > 0
            if not (heard or link.expired) and link.idle_since is not None:
                if now - link.idle_since > PATIENT:
                    raise _Stale(*sent) from e
                if self.may_resend():
                    self.resent += 1
                    raise _Stale(*sent) from e
            raise self._failure(e, link, heard=heard) from e
        finally:
            if keep and not link.expired:
                self._connections.keep(link)
            else:
                self._connections.drop(link)

    def _failure(self, error: Exception, link: Socket, *, heard: bool) -> RequestFailed:
        if link.expired or isinstance(error, TimeoutError):
            return RequestFailed("timeout", f"no whole response in {format_duration(self.timeout)}")
        if isinstance(error, ssl.SSLError):  # TLS 1.3: a server tells only now that it misses the client's certificate
            return RequestFailed("tls", error.reason or str(error))
        if isinstance(error, OSError):
            return RequestFailed("reset", error.strerror or str(error))
        return RequestFailed("reset", f"closed {'in the middle of' if heard else 'without'} a response")

    def _chain(self, link: Socket, after: After, sent: list[tuple[bytes, bytes]]) -> Callable[[bytes], bytes | None]:
        """From what came to the next request, which is noted in ``sent``."""

        def chain(data: bytes) -> bytes | None:
            reply = self._known.reply(data)
            body = after(reply) if reply is not None else None
            if body is None:
                return None
            link.idle_since = monotonic()
            link.deadline = link.idle_since + self.timeout
            head = self._heads.get(len(body)) or self._head(len(body))
            sent[0] = head, body
            return head + body

        return chain

    def _follow(self, request: bytes | Request, reply: Reply, now: float) -> Reply:
        """What a chain of redirects leads to."""
        for _ in range(MOVES):
            self._move(reply)
            found = self._answer(request, now)
            if not (found.location and 300 <= found.status < 400):
                return found
            reply = found
        raise RequestFailed("redirect", f"{MOVES} redirects in a row, the last to {self.url[:80]}")

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
        self.url, self._heads = there, {}

    def _head(self, length: int) -> bytes:
        """The head of a body of that length, kept if it is one of many."""
        head = self._head_for(self._content_type, (), length)
        if length <= INLINE:
            self._heads[length] = head
        return head

    def _head_for(self, content_type: str, more: Sequence[tuple[str, str]], length: int) -> bytes:
        parts = urlsplit(self.url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = self.connection
        host = connection.host if ":" not in connection.host else f"[{connection.host}]"
        default = 443 if connection.tls else 80
        authority = host if connection.port == default else f"{host}:{connection.port}"
        if connection.proxy is not None and not connection.tls:
            target = f"http://{authority}{target}"
        lines = [
            f"POST {target} HTTP/1.1",
            f"Host: {authority}",
            "User-Agent: driftdrill",
            *([f"Content-Type: {content_type}"] if content_type else []),
            "Accept: */*",
            *(f"{name}: {value}" for name, value in (*connection.reveal_headers().items(), *more)),
            f"Content-Length: {length}",
            "\r\n",
        ]
        return "\r\n".join(lines).encode("latin-1")


def _origin(url: str) -> tuple[str, str | None, int]:
    parts = urlsplit(url)
    return parts.scheme, parts.hostname, parts.port or (443 if parts.scheme == "https" else 80)


class _Closed(Exception):
    """The server closed before the response was whole."""


class _Stale(Exception):
    """The server had closed a connection that had carried other requests, before a byte of an answer came back."""

    def __init__(self, request: tuple[bytes, bytes]) -> None:
        self.request = request


def _receive(link: Socket, response: IncomingResponse, data: bytes) -> None:
    """Read until the response is whole; one without a length is whole when the server closes. ``data`` came first."""
    while data:
        response.feed(data)
        while not response.complete and (place := response.rest()) is not None:
            if not (count := link.receive_into(place)):
                raise _Closed
            response.fill(count)
        if response.complete:
            return
        data = link.receive(RECEIVE)
    if link.expired or not response.closed():
        raise _Closed

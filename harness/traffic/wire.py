"""Sockets to one address: connecting within a deadline, TLS that cooperates with gevent, and the idle ones."""

import ssl
import time
from contextlib import suppress
from typing import Any

import gevent
import httptools
from gevent import get_hub, socket
from gevent.ssl import SSLContext as GeventContext

from stack.connection import Connection

RECEIVE = 65536
TICK = 0.05
"""Seconds by which a time-out may come late."""


class RequestFailed(Exception):
    """No whole response came. ``kind`` is one word: refused, resolve, tls, timeout, reset, malformed, too_large,
    redirect."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class Link:
    """One socket and the parser of its responses, which calls back here; ``begin`` before each request."""

    __slots__ = (
        "begun", "chunks", "complete", "encoding", "expired", "framed", "has_head", "heard", "idle_since", "keep",
        "location", "parser", "pieces", "raw", "readable", "sock", "status",
    )  # fmt: skip

    def __init__(self, sock: "socket.socket", *, plain: bool) -> None:
        self.sock: Any = sock
        self.raw = self.sock._sock
        # Kept for the socket's life: a watcher and a timer for each request would cost more than parsing it.
        self.readable: Any = get_hub().loop.io(sock.fileno(), 1) if plain else None
        self.expired = False
        self.idle_since: float | None = None
        """Monotonic seconds; None for a socket just connected."""
        self.parser = httptools.HttpResponseParser(self)
        self.begin(timed=False)

    def begin(self, *, timed: bool) -> None:
        """Forget the response before. ``timed`` notes when each piece of the body comes."""
        self.begun = time.perf_counter() if timed else None
        self.chunks: list[bytes] = []
        self.pieces: list[tuple[float, int]] = []
        self.complete = self.framed = self.has_head = self.keep = False
        self.location = self.encoding = ""
        self.status = self.heard = 0

    def send(self, data: bytes) -> None:
        """Send it all; a small request on a plain socket is one system call."""
        sent = 0
        if self.readable is not None:
            with suppress(BlockingIOError):
                sent = self.raw.send(data)
        if sent < len(data):
            self.sock.settimeout(None)  # the watch over deadlines ends it
            self.sock.sendall(memoryview(data)[sent:])

    def receive(self) -> bytes:
        """The next bytes; empty where the server closed, and where the watch over deadlines cut the wait short."""
        if self.readable is None:
            self.sock.settimeout(None)
            found: bytes = self.sock.recv(RECEIVE)
            return found
        while True:
            get_hub().wait(self.readable)
            try:
                found = self.raw.recv(RECEIVE)
            except BlockingIOError:
                continue
            return found

    def expire(self) -> None:
        """Cut short whatever waits on this socket."""
        self.expired = True
        with suppress(OSError):
            self.raw.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        """Close the socket."""
        if self.readable is not None:
            self.readable.close()
        self.sock.close()

    def on_header(self, name: bytes, value: bytes) -> None:
        # Lengths first: most headers are none of ours, and this runs for each of them.
        size = len(name)
        if (size == 14 and name.lower() == b"content-length") or (size == 17 and name.lower() == b"transfer-encoding"):
            self.framed = True
        elif size == 8 and name.lower() == b"location":
            self.location = value.decode("latin-1")
        elif size == 16 and name.lower() == b"content-encoding":
            self.encoding = value.decode("latin-1").strip().lower()

    def on_headers_complete(self) -> None:
        self.status = self.parser.get_status_code()
        self.has_head = self.status >= 200

    def on_body(self, chunk: bytes) -> None:
        self.chunks.append(chunk)
        if self.begun is not None:
            so_far = self.pieces[-1][1] if self.pieces else 0
            self.pieces.append((time.perf_counter() - self.begun, so_far + len(chunk)))

    def on_message_complete(self) -> None:
        # 1xx (early hints, continue) comes before the response proper; a second response was never asked for.
        # The parser forgets whether to keep alive once it is fed on, so it is asked here.
        self.keep = self.has_head and not self.complete and self.parser.should_keep_alive()
        self.complete = self.has_head


class Watch:
    """Deadlines of the requests in flight, looked at every ``TICK`` seconds as long as there are any.

    A timer for each request would cost as much as sending it.
    """

    def __init__(self) -> None:
        self.deadlines: dict[Link, float] = {}
        self._running = False

    def over(self, link: Link, deadline: float) -> None:
        """Expire ``link`` soon after ``deadline``, monotonic seconds, unless it is removed before."""
        self.deadlines[link] = deadline
        if not self._running:
            self._running = True
            gevent.spawn(self._look)

    def _look(self) -> None:
        while self.deadlines:
            now = time.monotonic()
            for link in [k for k, deadline in self.deadlines.items() if deadline <= now]:
                del self.deadlines[link]
                link.expire()
            gevent.sleep(TICK)
        self._running = False


class Wire:
    """Makes sockets to one address and keeps the idle ones, last in, first out."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._context = _cooperative(connection)
        self._kept: list[Link] = []

    def idle(self) -> Link | None:
        """An idle socket that the server has not closed, if there is one; closed ones are thrown away."""
        while self._kept:
            link = self._kept.pop()
            if not _closed(link.sock, tls=self._context is not None):
                return link
            link.close()
        return None

    def keep(self, link: Link) -> None:
        """Put a link back whose response is complete."""
        link.idle_since = time.monotonic()
        self._kept.append(link)

    def close(self) -> None:
        """Close the idle sockets."""
        while self._kept:
            self._kept.pop().close()

    def connect(self, deadline: float) -> Link:
        """A new socket before ``deadline`` (monotonic seconds). Raises :class:`RequestFailed`."""
        host, port = self.connection.host, self.connection.port
        sock = None
        try:
            sock = socket.create_connection((host, port), timeout=max(0.001, deadline - time.monotonic()))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                return Link(sock, plain=True)
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            return Link(self._context.wrap_socket(sock, server_hostname=host), plain=False)
        except OSError as e:
            if sock is not None:
                sock.close()
            raise _failure(e, f"{host}:{port}") from e


def _failure(error: OSError, address: str) -> RequestFailed:
    if isinstance(error, TimeoutError):
        return RequestFailed("timeout", f"no connection to {address}")
    if isinstance(error, socket.gaierror):
        return RequestFailed("resolve", f"{address}: {error.strerror}")
    if isinstance(error, ssl.SSLError):
        return RequestFailed("tls", f"{address}: {getattr(error, 'verify_message', '') or error.reason or error}")
    kind = "refused" if isinstance(error, ConnectionRefusedError) else "reset"
    return RequestFailed(kind, f"{address}: {error.strerror or error}")


def _closed(sock: "socket.socket", *, tls: bool) -> bool:
    """Whether an idle socket's other end has closed it, or said something unasked. Reads nothing away."""
    try:
        # gevent's socket would wait in its own loop; the plain one below it answers at once.
        plain: Any = sock
        seen = plain._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
    except BlockingIOError:
        return False
    except OSError:
        return True
    # TLS 1.3 sends session tickets after the handshake: bytes on an idle TLS socket say nothing.
    return not (tls and seen)


def _cooperative(connection: Connection) -> GeventContext | None:
    """The connection's TLS context on gevent's class, so that a handshake does not stop the loop."""
    if not connection.tls:
        return None
    connection.ssl_context()  # raises the clear error for unreadable files
    context = GeventContext(ssl.PROTOCOL_TLS_CLIENT)
    if connection.ca:
        context.load_verify_locations(connection.ca)
    else:
        context.load_default_certs()
    if connection.cert:
        context.load_cert_chain(connection.cert, connection.key)
    return context

"""Sockets to one address: connecting within a deadline, TLS that cooperates with gevent, and the idle ones."""

import math
import ssl
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import gevent
from gevent import get_hub, getcurrent, socket
from gevent.ssl import SSLContext as GeventContext

from harness.traffic.response import RequestFailed
from stack.connection import Connection

FRESH = 0.001
"""Seconds within which a kept socket is used again unasked."""
RECEIVE = 65536
"""Most bytes to ask for at once, and of a proxy's answer to CONNECT."""
TICK = 0.05
"""Seconds by which a time-out may come late."""


Chain = Callable[[bytes], bytes | None]


class Link:
    """One plain socket, used by one greenlet at a time."""

    __slots__ = (
        "_chain", "_hub", "_most", "_readable", "_recv", "_send", "_sleeper", "deadline", "expired", "idle_since",
        "sock", "stale",
    )  # fmt: skip

    def __init__(self, sock: Any) -> None:
        self.sock = sock
        sock.settimeout(None)  # the deadline ends every wait
        self.deadline = math.inf
        """Monotonic seconds at which whatever waits is cut short; never, while idle."""
        self.expired = False
        """Something was cut short."""
        self.stale = False
        """While idle, the other end closed it or said something unasked."""
        self.idle_since: float | None = None
        """Monotonic seconds; None for a socket just connected."""
        self._watch()

    def _watch(self) -> None:
        self._hub = get_hub()
        # gevent's socket would start and stop a watcher for each wait, which costs more than parsing.
        self._send, self._recv = self.sock._sock.send, self.sock._sock.recv
        self._sleeper: Any = None
        self._readable: Any = self._hub.loop.io(self.sock.fileno(), 1)
        self._readable.start(self._wake)

    def _wake(self) -> None:
        """Called in the hub when there is something to read: read it, and go on with the chain or with the greenlet."""
        sleeper = self._sleeper
        if sleeper is None:
            self.stale = True
            self._readable.stop()
            return
        found: bytes | OSError
        try:
            found = data = self._recv(self._most)
            more = None if self._chain is None or self.expired else self._chain(data)
            if more is not None:
                self._send_now(more)
                return
        except BlockingIOError:
            return
        except OSError as e:
            found = e
        self._sleeper = None
        sleeper(found)

    def _send_now(self, data: bytes) -> None:
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):  # hardly ever: what is small goes out at once
            gevent.spawn(self.sock.sendall, memoryview(data)[sent:])

    def send(self, data: bytes) -> None:
        """Send it all; a small request is one system call."""
        try:
            sent = self._send(data)
        except BlockingIOError:
            sent = 0
        if sent < len(data):
            self.sock.sendall(memoryview(data)[sent:])

    def receive(self, most: int, chain: Chain | None = None) -> bytes:
        """The next bytes; empty where the server closed, and where the deadline cut the wait short.

        ``chain`` is called in the hub with what came. If it answers a next request, that is sent at once, and this
        returns what comes of the last one of the chain: two switches between greenlets cost more than the rest.
        """
        if self.stale:
            self.stale = False
            self._readable.start(self._wake)
        self._most, self._chain = most, chain
        self._sleeper = getcurrent().switch
        try:
            found: bytes | OSError = self._hub.switch()
        except BaseException:
            self._sleeper = None
            raise
        if isinstance(found, OSError):
            raise found
        return found

    def receive_into(self, place: memoryview) -> int:
        """As :meth:`receive`, into ``place``; how many bytes came."""
        found: int = self.sock.recv_into(place)
        return found

    def expire(self) -> None:
        """Cut short whatever waits on this socket."""
        self.expired, self.deadline = True, math.inf
        with suppress(OSError):
            self.sock._sock.shutdown(socket.SHUT_RDWR)

    def closed(self) -> bool:
        """Whether an idle socket's other end has closed it, or said something unasked. Reads nothing away."""
        return self.stale or self._peeked() is not None

    def _peeked(self) -> bytes | None:
        try:
            # gevent's socket would wait in its own loop; the plain one below it answers at once.
            found: bytes = self.sock._sock.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return None
        except OSError:
            return b""
        return found

    def close(self) -> None:
        """Close the socket."""
        self._readable.close()
        self.sock.close()


class SecureLink(Link):
    """One socket with TLS, which has to read and write both ways for itself."""

    __slots__ = ()

    def _watch(self) -> None:
        """Nothing: gevent's own socket waits."""

    def send(self, data: bytes) -> None:
        """Send it all."""
        self.sock.sendall(data)

    def receive(self, most: int, chain: Chain | None = None) -> bytes:
        """The next bytes; empty where the server closed, and where the deadline cut the wait short. No chain."""
        found: bytes = self.sock.recv(most)
        return found

    def closed(self) -> bool:
        """Whether the other end has closed: TLS 1.3 sends session tickets after the handshake, which say nothing."""
        return self._peeked() == b""

    def close(self) -> None:
        """Close the socket."""
        self.sock.close()


class Wire:
    """Makes sockets to one address and keeps the idle ones, last in, first out.

    Deadlines of the requests in flight are looked at every ``TICK`` seconds: a timer for each would cost as much as
    sending it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._context = _cooperative(connection)
        self._kept: list[Link] = []
        self._links: set[Link] = set()
        self._watching = False

    def idle(self, now: float) -> Link | None:
        """An idle socket that the server has not closed, if there is one; closed ones are thrown away."""
        while self._kept:
            link = self._kept.pop()
            if (now - (link.idle_since or 0.0) < FRESH and not link.stale) or not link.closed():
                return link
            self.drop(link)
        return None

    def keep(self, link: Link) -> None:
        """Put a link back whose response is complete."""
        link.deadline, link.idle_since = math.inf, time.monotonic()
        self._kept.append(link)

    def drop(self, link: Link) -> None:
        """Close a link for good."""
        self._links.discard(link)
        link.close()

    def close(self) -> None:
        """Close the idle sockets."""
        while self._kept:
            self.drop(self._kept.pop())

    def watch(self) -> None:
        """See to it that links expire soon after their deadlines."""
        if not self._watching:
            self._watching = True
            gevent.spawn(self._look)

    def _look(self) -> None:
        while any(link.deadline < math.inf for link in self._links):
            now = time.monotonic()
            for link in self._links:
                if link.deadline <= now:
                    link.expire()
            gevent.sleep(TICK)
        self._watching = False

    def connect(self, deadline: float) -> Link:
        """A new socket before ``deadline`` (monotonic seconds). Raises :class:`RequestFailed`."""
        host, (there, port) = self.connection.host, self.connection.via
        sock: Any = None
        try:
            sock = socket.create_connection((there, port), timeout=max(0.001, deadline - time.monotonic()))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                link = Link(sock)
            else:
                if self.connection.proxy is not None:
                    _tunnel(sock, self.connection, deadline)
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                link = SecureLink(self._context.wrap_socket(sock, server_hostname=host))
        except (OSError, RequestFailed) as e:
            if sock is not None:
                sock.close()
            if isinstance(e, RequestFailed):
                raise
            raise _failure(e, f"{'the proxy ' if self.connection.proxy else ''}{there}:{port}") from e
        self._links.add(link)
        return link


def _tunnel(sock: "socket.socket", connection: Connection, deadline: float) -> None:
    """Ask the proxy at the other end for a tunnel (RFC 9110, 9.3.6). Raises :class:`RequestFailed`."""
    host = f"[{connection.host}]" if ":" in connection.host else connection.host
    sock.sendall(f"CONNECT {host}:{connection.port} HTTP/1.1\r\nHost: {host}:{connection.port}\r\n\r\n".encode())
    head = b""
    while not head.endswith(b"\r\n\r\n"):
        sock.settimeout(max(0.001, deadline - time.monotonic()))
        more = sock.recv(RECEIVE)
        head += more
        if not more or len(head) > RECEIVE:
            raise RequestFailed("proxy", f"{connection.proxy} gave no answer to CONNECT")
    said = head.split(b"\r\n", 1)[0].decode("latin-1")
    if not said.partition(" ")[2].startswith("2"):
        raise RequestFailed("proxy", f"{connection.proxy} refused a tunnel: {said[:80]}")


def _failure(error: OSError, address: str) -> RequestFailed:
    if isinstance(error, TimeoutError):
        return RequestFailed("timeout", f"no connection to {address}")
    if isinstance(error, socket.gaierror):
        return RequestFailed("resolve", f"{address}: {error.strerror}")
    if isinstance(error, ssl.SSLError):
        return RequestFailed("tls", f"{address}: {getattr(error, 'verify_message', '') or error.reason or error}")
    kind = "refused" if isinstance(error, ConnectionRefusedError) else "reset"
    return RequestFailed(kind, f"{address}: {error.strerror or error}")


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

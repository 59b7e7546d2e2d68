"""Sockets to one address: connecting within a deadline, TLS that cooperates with gevent, and the idle ones."""

import math
import ssl
import time
from typing import Any

import gevent
from gevent import socket
from gevent.ssl import SSLContext as GeventContext

from driftdrill.harness.traffic.http.response import RequestFailed
from driftdrill.harness.traffic.http.socket import SecureSocket, Socket
from driftdrill.stack.connection import Connection

FRESH = 0.001
"""Seconds within which a kept socket is used again unasked."""
RECEIVE = 65536
"""Most bytes to ask for at once, and of a proxy's answer to CONNECT."""
TICK = 0.05
"""Seconds by which a time-out may come late."""


class Connections:
    """Makes sockets to one address and keeps the idle ones, last in, first out.

    Deadlines of the requests in flight are looked at every ``TICK`` seconds: a timer for each would cost as much as
    sending it.
    """

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self._context = _cooperative(connection)
        self._kept: list[Socket] = []
        self._links: set[Socket] = set()
        self._watching = False

    def idle(self, now: float) -> Socket | None:
        """An idle socket that the server has not closed, if there is one; closed ones are thrown away."""
        while self._kept:
            link = self._kept.pop()
            if (now - (link.idle_since or 0.0) < FRESH and not link.stale) or not link.closed():
                return link
            self.drop(link)
        return None

    def keep(self, link: Socket) -> None:
        """Put a link back whose response is complete."""
        link.rest()
        self._kept.append(link)

    def drop(self, link: Socket) -> None:
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

    def connect(self, deadline: float) -> Socket:
        """A new socket before ``deadline`` (monotonic seconds). Raises :class:`RequestFailed`."""
        host, (there, port) = self.connection.host, self.connection.via
        sock: Any = None
        try:
            sock = socket.create_connection((there, port), timeout=max(0.001, deadline - time.monotonic()))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            if self._context is None:
                link = Socket(sock)
            else:
                if self.connection.proxy is not None:
                    _tunnel(sock, self.connection, deadline)
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                link = SecureSocket(self._context.wrap_socket(sock, server_hostname=host))
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

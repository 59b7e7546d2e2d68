"""One socket: a small request and its answer cost one system call each, and no switch between greenlets if need be."""

import math
from collections.abc import Callable
from contextlib import suppress
from time import monotonic
from typing import Any

import gevent
from gevent import get_hub, getcurrent, socket

Chain = Callable[[bytes], bytes | None]


class Socket:
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
            gevent.spawn(self._send_rest, memoryview(data)[sent:])

    def _send_rest(self, data: memoryview) -> None:
        with suppress(OSError):  # whoever waits for the answer hears of it
            self.sock.sendall(data)

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

    def rest(self) -> None:
        """Its response is complete: from now on it is idle."""
        self.deadline, self.idle_since = math.inf, monotonic()
        if self.stale:  # by bytes that were waited for otherwise than in receive()
            self.stale = False
            self._readable.start(self._wake)

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


class SecureSocket(Socket):
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

"""A keep-alive HTTP/1.1 client for ready-made bodies, on gevent sockets, parsed by httptools.

It does one thing: POST bytes, get a status and a body within a deadline. What it leaves out (redirects,
proxies, compressed replies) is told as a failed request, never guessed at.
"""

import ssl
import time
from dataclasses import dataclass

import httptools
from gevent import socket
from gevent.ssl import SSLContext as GeventContext

from stack.connection import Connection

LARGEST_REPLY = 64 * 1024 * 1024
RECEIVE = 65536


@dataclass(frozen=True)
class Reply:
    """A whole response. ``location`` is set for redirects; ``encoding`` is its Content-Encoding, if any."""

    status: int
    body: bytes
    location: str
    encoding: str


class RequestFailed(Exception):
    """No whole response came; ``kind`` is one word: refused, timeout, reset, tls, malformed, too_large, resolve."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(f"{kind}: {detail}")
        self.kind = kind


class _Parsed:
    """What httptools calls back; one for each response."""

    __slots__ = ("chunks", "complete", "encoding", "framed", "has_head", "location", "size")

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.size = 0
        self.complete = self.framed = self.has_head = False
        self.location = self.encoding = ""

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower in (b"content-length", b"transfer-encoding"):
            self.framed = True
        elif lower == b"location":
            self.location = value.decode("latin-1")
        elif lower == b"content-encoding":
            self.encoding = value.decode("latin-1")

    def on_headers_complete(self) -> None:
        self.has_head = True

    def on_body(self, chunk: bytes) -> None:
        self.size += len(chunk)
        if self.size > LARGEST_REPLY:
            raise RequestFailed("too_large", f"more than {LARGEST_REPLY} bytes")
        self.chunks.append(chunk)

    def on_message_complete(self) -> None:
        self.complete = True


class Client:
    """Requests to one address. Idle connections are kept last in, first out, so a low rate uses few.

    ``path`` is below the connection's URL, whose ``timeout`` is seconds for a whole request. One greenlet at a time
    uses one socket; any number of greenlets may call :meth:`post`.
    """

    def __init__(self, connection: Connection, path: str, content_type: str) -> None:
        self.connection, self.timeout = connection, connection.timeout
        self._context = _cooperative(connection)
        self._idle: list[socket.socket] = []
        url = connection.at(path)
        target = "/" + url.split("://", 1)[1].partition("/")[2]
        host = connection.host if ":" not in connection.host else f"[{connection.host}]"
        default = 443 if connection.tls else 80
        lines = [
            f"POST {target} HTTP/1.1",
            f"Host: {host}" if connection.port == default else f"Host: {host}:{connection.port}",
            "User-Agent: driftdrill",
            f"Content-Type: {content_type}",
            "Accept: */*",
            *(f"{name}: {value}" for name, value in connection.reveal_headers().items()),
            "Content-Length: ",
        ]
        self._head = "\r\n".join(lines).encode("latin-1")

    def post(self, body: bytes) -> Reply:
        """The whole response. Raises :class:`RequestFailed`; a stale keep-alive socket is replaced once."""
        deadline = time.monotonic() + self.timeout
        data = b"%b%d\r\n\r\n%b" % (self._head, len(body), body)
        while self._idle:
            sock = self._idle.pop()
            reply = self._exchange(sock, data, deadline, reused=True)
            if reply is not None:
                return reply
        reply = self._exchange(self._connect(deadline), data, deadline, reused=False)
        if reply is None:
            raise RequestFailed("reset", "closed without a response")
        return reply

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    def _connect(self, deadline: float) -> socket.socket:
        host, port = self.connection.host, self.connection.port
        try:
            sock = socket.create_connection((host, port), timeout=max(0.001, deadline - time.monotonic()))
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            return sock if self._context is None else self._context.wrap_socket(sock, server_hostname=host)
        except TimeoutError as e:
            raise RequestFailed("timeout", f"no connection to {host}:{port}") from e
        except socket.gaierror as e:
            raise RequestFailed("resolve", f"{host}: {e.strerror}") from e
        except ssl.SSLError as e:
            raise RequestFailed("tls", f"{host}:{port}: {e.reason or e}") from e
        except OSError as e:
            kind = "refused" if isinstance(e, ConnectionRefusedError) else "reset"
            raise RequestFailed(kind, f"{host}:{port}: {e.strerror or e}") from e

    def _exchange(self, sock: socket.socket, data: bytes, deadline: float, *, reused: bool) -> Reply | None:
        """One request and response; None where a reused socket turns out to be closed before any answer."""
        parsed = _Parsed()
        parser = httptools.HttpResponseParser(parsed)
        keep = False
        try:
            sock.settimeout(max(0.001, deadline - time.monotonic()))
            sock.sendall(data)
            while not parsed.complete:
                sock.settimeout(max(0.001, deadline - time.monotonic()))
                chunk = sock.recv(RECEIVE)
                if not chunk:
                    break
                parser.feed_data(chunk)
            if not parsed.complete and not (parsed.has_head and not parsed.framed):
                if reused and not parsed.has_head:
                    return None
                raise RequestFailed("reset", "closed in the middle of a response" if parsed.has_head else "closed")
            keep = parsed.complete and parser.should_keep_alive()
            return Reply(parser.get_status_code(), b"".join(parsed.chunks), parsed.location, parsed.encoding)
        except TimeoutError as e:
            raise RequestFailed("timeout", f"no whole response in {self.timeout:g} s") from e
        except httptools.HttpParserError as e:
            cause = e.__context__
            if isinstance(cause, RequestFailed):
                raise cause from None
            raise RequestFailed("malformed", str(e)) from e
        except OSError as e:
            if not reused or parsed.has_head:
                raise RequestFailed("reset", e.strerror or str(e)) from e
            return None
        finally:
            if keep:
                self._idle.append(sock)
            else:
                sock.close()


def _cooperative(connection: Connection) -> GeventContext | None:
    """The connection's TLS context on gevent's class, so that a handshake does not stop the loop."""
    if not connection.tls:
        return None
    connection.ssl_context()  # raises the clear error for unreadable files
    context = GeventContext(ssl.PROTOCOL_TLS_CLIENT)
    context.load_default_certs()
    if connection.ca:
        context.load_verify_locations(connection.ca)
    if connection.cert:
        context.load_cert_chain(connection.cert, connection.key)
    return context

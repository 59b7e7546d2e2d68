"""One GET, as Prometheus's client does it, under a deadline for the whole exchange.

The deadline also holds against a server that drips bytes: every wait on the socket is given only what is left.
Connections are kept alive. Works with plain and with gevent's sockets; no threads, no environment proxies.
"""

import base64
import gzip
import http.client
import io
import socket
import ssl
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

from driftdrill.durations import format_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.job import Access, Tls

REDIRECTS = 10  # Go's http.Client follows so many
LOOPBACK = ("127.0.0.1", "::1", "localhost")
CHUNK = 1 << 16
# Servers that write head and body apart wait for an acknowledgement, which Linux delays by 40 ms: an hour of
# virtual time would wait ten seconds.
QUICKACK: int | None = getattr(socket, "TCP_QUICKACK", None)
_VERSIONS = {
    "TLS10": ssl.TLSVersion.TLSv1,
    "TLS11": ssl.TLSVersion.TLSv1_1,
    "TLS12": ssl.TLSVersion.TLSv1_2,
    "TLS13": ssl.TLSVersion.TLSv1_3,
}


class TooLarge(StackError):
    """The uncompressed body reaches the limit."""


@dataclass(frozen=True)
class PageAnswer:
    """A whole response; ``body`` is decompressed."""

    status: int
    reason: str
    content_type: str
    body: bytes


class _Connection(http.client.HTTPConnection):
    """http.client's, but every wait for bytes is cut at the deadline of the current exchange."""

    deadline = 0.0
    sock: Any

    def __init__(self, netloc: str) -> None:
        super().__init__(netloc)
        self.response_class: Any = self._response

    def connect(self) -> None:
        """To the first address that answers, within the deadline for all of them; resolving the name has none."""
        problem = OSError(f"{self.host} has no address")
        for family, kind, protocol, _, address in socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM):
            self.sock = socket.socket(family, kind, protocol)
            try:
                self.sock.settimeout(self.left())
                self.sock.connect(address)
                self.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                return
            except OSError as e:
                self.close()
                problem = e
        raise problem

    def left(self) -> float:
        """Seconds until the deadline; raises TimeoutError once there are none."""
        left = self.deadline - time.monotonic()
        if left <= 0:
            raise TimeoutError("deadline exceeded")
        return left

    def makefile(self, mode: str) -> io.BufferedReader:
        """What http.client asks a socket for, to read the answer from."""
        return io.BufferedReader(_DeadlineReader(self), CHUNK)

    def _response(self, _: object, *args: Any, **kwargs: Any) -> http.client.HTTPResponse:
        stand_in: Any = self
        return http.client.HTTPResponse(stand_in, *args, **kwargs)


class _TlsConnection(_Connection):
    default_port = 443

    def __init__(self, netloc: str, context: ssl.SSLContext, server_name: str | None) -> None:
        super().__init__(netloc)
        self._context, self._server_name = context, server_name

    def connect(self) -> None:
        super().connect()
        self.sock.settimeout(self.left())
        self.sock = self._context.wrap_socket(self.sock, server_hostname=self._server_name or self.host)


class _DeadlineReader(io.RawIOBase):
    def __init__(self, connection: _Connection) -> None:
        self._connection, self._sock = connection, connection.sock
        self._file = connection.sock.makefile("rb", buffering=0)  # keeps the socket when http.client closes it early

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(self._connection.left())
        if QUICKACK is not None:
            self._sock.setsockopt(socket.IPPROTO_TCP, QUICKACK, 1)
        return int(self._file.readinto(buffer))

    def close(self) -> None:
        self._file.close()
        super().close()


class Fetcher:
    """Keeps one connection a host and scheme alive; use it from one thread or greenlet at a time."""

    def __init__(self, access: Access) -> None:
        self._access = access
        self._connections: dict[tuple[str, str], _Connection] = {}
        self._context: ssl.SSLContext | None = None

    def get(self, url: str, headers: Mapping[str, str], *, timeout: float, limit: int = 0) -> PageAnswer:
        """The answer to a GET, after redirects. Raises :class:`StackError` for whatever goes wrong within.

        ``timeout`` is seconds for everything together; ``limit`` bounds the uncompressed body in bytes (0: none).
        """
        deadline = time.monotonic() + timeout
        origin = urlsplit(url).netloc
        try:
            for _ in range(REDIRECTS + 1):
                sent = {"User-Agent": "driftdrill", **headers}
                sent |= self._credentials() if urlsplit(url).netloc == origin else {}
                answer, location = self._exchange(url, sent, deadline, limit)
                if not (location and self._access.follow_redirects):
                    return answer
                url = urljoin(url, location)
                self._refuse_foreign(origin, url)
            raise StackError(f"stopped after {REDIRECTS} redirects")
        except TimeoutError as e:
            raise StackError(f"no complete answer within {format_duration(timeout)}") from e
        except (OSError, http.client.HTTPException, ValueError, EOFError, zlib.error) as e:
            raise StackError(f"{type(e).__name__}: {e}") from e

    def _refuse_foreign(self, origin: str, url: str) -> None:
        """Hosts are allowed by name, and this one was not; Prometheus would follow."""
        host = urlsplit(url).hostname or ""
        if not url.startswith(("http://", "https://")):
            raise StackError(f"redirected to {url!r}, expected http:// or https://")
        if host != urlsplit(f"//{origin}").hostname and host not in LOOPBACK:
            raise StackError(f"redirected to {host}, another host", hint="name the page's own address")

    def close(self) -> None:
        """Closes the connections; the fetcher may be used again."""
        for connection in self._connections.values():
            connection.close()
        self._connections.clear()

    def _exchange(
        self, url: str, headers: Mapping[str, str], deadline: float, limit: int
    ) -> tuple[PageAnswer, str | None]:
        parts = urlsplit(url)
        key = (parts.scheme, parts.netloc)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        reused = key in self._connections
        try:
            try:
                return self._once(key, target, headers, deadline, limit)
            except (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError, ssl.SSLEOFError):
                # A kept connection that the server closed meanwhile says nothing about the server: ask once more.
                if not reused:
                    raise
                self._drop(key)
                return self._once(key, target, headers, deadline, limit)
        except BaseException:
            self._drop(key)
            raise

    def _once(
        self, key: tuple[str, str], target: str, headers: Mapping[str, str], deadline: float, limit: int
    ) -> tuple[PageAnswer, str | None]:
        connection = self._connections.get(key) or self._connect(key)
        connection.deadline = deadline
        if connection.sock is not None:
            connection.sock.settimeout(connection.left())
        connection.request("GET", target, headers=dict(headers))
        response = connection.getresponse()
        location = response.headers.get("Location") if response.status in (301, 302, 303, 307, 308) else None
        body = _read(response, limit) if response.status == 200 else b""
        if not response.isclosed() or response.will_close:
            self._drop(key)
        content_type = response.headers.get("Content-Type", "")
        return PageAnswer(response.status, response.reason, content_type, body), location

    def _connect(self, key: tuple[str, str]) -> _Connection:
        scheme, netloc = key
        if scheme == "https":
            if self._context is None:
                self._context = ssl_context(self._access.tls)
            connection: _Connection = _TlsConnection(netloc, self._context, self._access.tls.server_name)
        else:
            connection = _Connection(netloc)
        self._connections[key] = connection
        return connection

    def _drop(self, key: tuple[str, str]) -> None:
        connection = self._connections.pop(key, None)
        if connection is not None:
            connection.close()

    def _credentials(self) -> dict[str, str]:
        access, out = self._access, dict[str, str]()
        for name, value in access.headers:
            out[name] = value if isinstance(value, str) else value.reveal()
        if access.authorization is not None:
            kind, credential = access.authorization
            out["Authorization"] = f"{kind} {credential.reveal()}"
        elif access.basic is not None:
            user, password = access.basic
            name = user if isinstance(user, str) else user.reveal()
            pair = f"{name}:{password.reveal() if password is not None else ''}".encode()
            out["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
        return out


def ssl_context(tls: Tls) -> ssl.SSLContext:
    """Raises :class:`StackError` for certificate files that cannot be read."""
    try:
        context = ssl.create_default_context(cafile=tls.ca_file, cadata=tls.ca)
        if tls.cert_file:
            context.load_cert_chain(tls.cert_file, tls.key_file)
        if tls.min_version:
            context.minimum_version = _VERSIONS[tls.min_version]
        if tls.max_version:
            context.maximum_version = _VERSIONS[tls.max_version]
        if tls.insecure_skip_verify:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    except (OSError, ValueError, KeyError) as e:
        raise StackError(f"tls_config: {type(e).__name__}: {e}") from e
    return context


def _read(response: http.client.HTTPResponse, limit: int) -> bytes:
    """The body, decompressed; reads no further than the limit."""
    stream: Any = response
    if response.headers.get("Content-Encoding") == "gzip":
        stream = gzip.GzipFile(fileobj=response)
    parts, size = [], 0
    while part := stream.read(CHUNK if not limit else min(CHUNK, limit - size)):
        parts.append(part)
        size += len(part)
        if limit and size >= limit:
            raise TooLarge(f"the body reaches the limit of {limit} bytes (body_size_limit)")
    if response.length:  # http.client says so only where the body is read at once
        raise http.client.IncompleteRead(b"", response.length)
    return b"".join(parts)

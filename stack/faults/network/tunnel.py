"""One proxied connection: two ends, two streams between them, and the HTTP faults on what they carry."""

import asyncio
import contextlib
import socket
import ssl
import struct
from collections.abc import Callable
from typing import Protocol

from driftdrill.stack.faults.network.exchanges import Exchanges, HttpFaults
from driftdrill.stack.faults.network.stream import Stream, Toxics

CONNECT = 10.0
"""Seconds in which the upstream must accept."""


class Rig(Protocol):
    """What a connection asks of the proxy that it belongs to."""

    seed: int
    http: bool
    host: str
    port: int
    tls: ssl.SSLContext | None

    @property
    def toxics(self) -> Toxics:
        """Toxics in force."""
        ...

    @property
    def http_faults(self) -> HttpFaults:
        """HTTP faults in force."""
        ...

    def count_requests(self, requests: int, forwarded: int) -> None:
        """Keep the ledger."""

    def refuse(self) -> None:
        """Count a connection that found no upstream."""

    def leave(self, tunnel: "Tunnel") -> None:
        """Forget a connection that is over."""


class End(asyncio.Protocol):
    """One end: the client's or the server's socket."""

    transport: asyncio.Transport | None = None
    sink: Stream
    """The stream that ends here."""

    def __init__(self, tunnel: "Tunnel", receive: Callable[[bytes], None], ended: Callable[[], None]) -> None:
        self._tunnel, self._ended, self.over = tunnel, ended, False
        setattr(self, "data_received", receive)  # noqa: B010  one call less for every piece of data

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The sink can be written from now on."""
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.sink.ready()

    def eof_received(self) -> bool:
        """The peer sends no more; what goes to it may still go on, except over TLS, which knows no half."""
        self.over = True
        self._ended()
        return self.transport is not None and self.transport.get_extra_info("sslcontext") is None

    def connection_lost(self, exc: Exception | None) -> None:
        """A peer that resets is passed on as a reset."""
        if exc is not None:
            self._tunnel.reset()
        elif not self.over:
            self.over = True
            self._ended()

    def pause_writing(self) -> None:
        """The peer reads too slowly."""
        self.sink.block(True)

    def resume_writing(self) -> None:
        """The peer reads again."""
        self.sink.block(False)

    def write(self, data: bytes) -> None:
        """Send ``data``."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.write(data)

    def finish(self) -> None:
        """Nothing follows: half close, which TLS cannot, and close where both directions have ended."""
        if self.transport is not None and not self.transport.is_closing() and self.transport.can_write_eof():
            self.transport.write_eof()
        self._tunnel.finished()

    def throttle(self, on: bool) -> None:
        """Stop or start reading."""
        if self.transport is not None and not self.transport.is_closing():
            (self.transport.pause_reading if on else self.transport.resume_reading)()

    def close(self, *, hard: bool = False) -> None:
        """Close after what is written has gone out, or reset at once."""
        if self.transport is None:
            return
        if hard:
            reset(self.transport)
        else:
            self.transport.close()


def reset(transport: asyncio.Transport) -> None:
    """End a connection with a TCP RST, dropping what is still to be sent."""
    with contextlib.suppress(OSError, AttributeError):
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


class Tunnel:
    """See the module. :attr:`client` is the protocol of the accepted connection."""

    def __init__(self, rig: Rig, number: int) -> None:
        self._rig, self.number = rig, number
        self.client = End(self, self._from_client, self._client_ended)
        self._server = End(self, self._from_server, self._server_ended)
        self.up = Stream(self, "upstream", self._server, self.client.throttle, rig.seed)
        self.down = Stream(self, "downstream", self.client, self._server.throttle, rig.seed)
        self._server.sink, self.client.sink = self.up, self.down
        self._exchanges: Exchanges | None = None
        if rig.http:
            self._exchanges = Exchanges(rig.seed, lambda: rig.http_faults, self.up, self.down, rig.count_requests)
        self.opaque = not rig.http
        self._closed, self._directions = False, 2
        self.refresh()
        self._connecting = asyncio.get_running_loop().create_task(self._connect())

    def refresh(self) -> None:
        """Take the toxics that are in force now."""
        self.up.refresh(self._rig.toxics)
        self.down.refresh(self._rig.toxics)

    async def _connect(self) -> None:
        rig = self._rig
        try:
            async with asyncio.timeout(CONNECT):
                await asyncio.get_running_loop().create_connection(
                    lambda: self._server,
                    rig.host,
                    rig.port,
                    ssl=rig.tls,
                    server_hostname=rig.host if rig.tls else None,
                )
        except OSError:
            rig.refuse()
            self.reset()

    def _from_client(self, data: bytes) -> None:
        if self.opaque or self._exchanges is None:
            self.up.push(data)
            return
        self._exchanges.request(data)
        self.opaque = self._exchanges.opaque

    def _from_server(self, data: bytes) -> None:
        if self.opaque or self._exchanges is None:
            self.down.push(data)
            return
        self._exchanges.response(data)
        self.opaque = self._exchanges.opaque

    def _client_ended(self) -> None:
        if self._exchanges is not None:
            self._exchanges.request_end()
        self.up.end()

    def _server_ended(self) -> None:
        if self._exchanges is not None:
            self._exchanges.response_end()
        self.down.end()

    def close(self) -> None:
        """Close both ends after what is written has gone out."""
        self._finish(hard=False)

    def reset(self) -> None:
        """Reset both ends at once."""
        self._finish(hard=True)

    def finished(self) -> None:
        """A direction has ended; with both the connection is over."""
        self._directions -= 1
        if not self._directions:
            self.close()

    def _finish(self, *, hard: bool) -> None:
        if self._closed:
            return
        self._closed = True
        self._connecting.cancel()
        self.up.kill()
        self.down.kill()
        self.client.close(hard=hard)
        self._server.close(hard=hard)
        self._rig.leave(self)

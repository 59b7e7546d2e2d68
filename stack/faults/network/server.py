"""The proxy's child process: listens, proxies, and obeys one control channel; with that it ends.

Run as ``python -m`` this module, FD and PARENT. Its first question holds the :class:`ProxySettings`.
"""

import asyncio
import contextlib
import errno
import os
import socket
import sys

from driftdrill.stack.child import answer, control, decode
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.network.control import ProxyOrder, ProxySettings, ProxyState
from driftdrill.stack.faults.network.http_faults import HttpToxic
from driftdrill.stack.faults.network.ledger import Count, Ledger, draw
from driftdrill.stack.faults.network.toxics import Down, TcpToxic
from driftdrill.stack.faults.network.tunnel import CONNECT, Tunnel, reset


class ProxyServer:
    """The proxy; the :class:`driftdrill.stack.faults.network.tunnel.Rig` of its connections."""

    def __init__(self, settings: ProxySettings) -> None:
        self._settings = settings
        upstream = Connection(settings.upstream, ca=settings.ca, cert=settings.cert, key=settings.key)
        self.host, self.port, self.tls = upstream.host, upstream.port, upstream.ssl_context()
        self.seed, self.http = settings.seed, settings.http
        self.toxics: dict[str, tuple[TcpToxic, Count]] = {}
        self.http_faults: dict[str, tuple[HttpToxic, Count]] = {}
        self._downs: dict[str, tuple[Down, Count]] = {}
        self._counts: dict[str, Count] = {}
        self._tunnels: set[Tunnel] = set()
        self._connections = self._refused = self._opaque = self._requests = self._forwarded = 0
        self._up = self._down = 0
        self._listener: asyncio.Server | None = None
        self._reserved: socket.socket | None = None
        self._address = (settings.host, settings.port)
        self._expiry: asyncio.TimerHandle | None = None
        self._withdrawn = False

    async def start(self) -> int:
        """Listen; the port. Raises :class:`StackError` if the port is taken or nothing answers upstream."""
        try:
            async with asyncio.timeout(CONNECT):
                _, writer = await asyncio.open_connection(self.host, self.port)
        except OSError as e:
            why = e.strerror or str(e) or "no answer"
            raise StackError(
                f"nothing answers at {self.host}:{self.port}, the upstream of the proxy: {why}",
                hint="start the service first, or correct its address",
            ) from e
        writer.close()
        self._bind()
        await self._listen()
        self._renew()
        return self._address[1]

    def _bind(self) -> None:
        """Hold the port without listening: connections to it are refused."""
        host, port = self._address
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        # With the protocol spelled out asyncio sets TCP_NODELAY on what is accepted. Without it the second of two
        # small writes waits 40 ms for the client's delayed acknowledgement.
        reserved = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            reserved.bind((host, port))
        except OSError as e:
            reserved.close()
            if e.errno == errno.EADDRINUSE:
                raise StackError(f"port {port} of {host} is in use", hint="port=0 takes a free one") from e
            raise StackError(f"the proxy cannot listen on {host}:{port}: {e.strerror}") from e
        reserved.setblocking(False)
        self._reserved = reserved
        self._address = (host, reserved.getsockname()[1])

    async def _listen(self) -> None:
        assert self._reserved is not None
        try:
            self._listener = await asyncio.get_running_loop().create_server(
                self._accept, sock=self._reserved, backlog=1024
            )
        except OSError as e:
            host, port = self._address
            raise StackError(f"port {port} of {host} is in use", hint="port=0 takes a free one") from e
        self._reserved = None

    def _accept(self) -> asyncio.BaseProtocol:
        self._connections += 1
        number = self._connections
        for _, count in (*self.toxics.values(), *self._downs.values()):
            count.pass_(1)
        if self._is_down(number):
            self._refused += 1
            return _Refusal()
        tunnel = Tunnel(self, number)
        self._tunnels.add(tunnel)
        return tunnel.client

    def _is_down(self, number: int) -> bool:
        """Whether a ``down`` below strength 1 hits this connection."""
        for key, (toxic, count) in self._downs.items():
            if draw(self.seed, key, number) < toxic.toxicity:
                count.touched += 1
                return True
        return False

    # The tunnels' rig

    def count_requests(self, requests: int, forwarded: int) -> None:
        """Keep the ledger."""
        self._requests += requests
        self._forwarded += forwarded

    def refuse(self) -> None:
        """Count a connection that found no upstream."""
        self._refused += 1

    def leave(self, tunnel: Tunnel) -> None:
        """Forget a connection that is over, except for what it counted."""
        self._tunnels.discard(tunnel)
        self._up += tunnel.up.bytes
        self._down += tunnel.down.bytes
        self._opaque += tunnel.opaque

    # Orders

    async def obey(self, order: ProxyOrder) -> ProxyState:
        """Carry out an order; the state after it. Raises :class:`StackError` where it cannot be put in force."""
        self._renew()
        if order.do == "set":
            self._withdrawn = False
            await self._put(order.toxics, order.http)
        return self.state()

    async def _put(self, toxics: tuple[TcpToxic, ...], http: tuple[HttpToxic, ...]) -> None:
        for fault in http:
            if fault.key not in self.http_faults:
                self._count(fault.key, fault.type).begun = None
        self.http_faults = {f.key: (f, self._count(f.key, f.type)) for f in http}
        before = {*self.toxics, *self._downs}
        for toxic in toxics:
            if toxic.key not in before:
                self._count(toxic.key, toxic.type).pass_(len(self._tunnels))
        self._downs = {t.key: (t, self._count(t.key, t.type)) for t in toxics if isinstance(t, Down)}
        self.toxics = {t.key: (t, self._count(t.key, t.type)) for t in toxics if not isinstance(t, Down)}
        for tunnel in tuple(self._tunnels):
            if self._is_down(tunnel.number):
                tunnel.reset()
            else:
                tunnel.refresh()
        down = any(toxic.toxicity == 1 for toxic, _ in self._downs.values())
        if down and self._listener is not None:
            self._listener.close()
            self._listener = None
            self._bind()
        elif not down and self._listener is None:
            await self._listen()

    def _count(self, key: str, kind: str) -> Count:
        return self._counts.setdefault(key, Count(kind))

    def state(self) -> ProxyState:
        """What is in force, and what was counted."""
        live = self._tunnels
        ledger = Ledger(
            connections=self._connections,
            open=len(live),
            refused=self._refused,
            opaque=self._opaque + sum(t.opaque for t in live),
            requests=self._requests,
            forwarded=self._forwarded,
            bytes_upstream=self._up + sum(t.up.bytes for t in live),
            bytes_downstream=self._down + sum(t.down.bytes for t in live),
            faults=tuple(c.frozen(name) for name, c in self._counts.items()),
        )
        return ProxyState(ledger, (*self.toxics, *self._downs, *self.http_faults), self._withdrawn)

    def _renew(self) -> None:
        """A drill that stops asking is dead or stuck: its faults go, the traffic may stay."""
        if self._expiry is not None:
            self._expiry.cancel()
        loop = asyncio.get_running_loop()
        self._expiry = loop.call_later(self._settings.ttl, lambda: loop.create_task(self._withdraw()))

    async def _withdraw(self) -> None:
        self._withdrawn = bool(self.toxics or self._downs or self.http_faults)
        await self._put((), ())

    def stop(self) -> None:
        """Close everything."""
        if self._listener is not None:
            self._listener.close()
        for tunnel in tuple(self._tunnels):
            tunnel.close()


class _Refusal(asyncio.Protocol):
    """A connection that is reset as soon as it is there."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        reset(transport)


async def _parent_gone(parent: int) -> None:
    """A fork of the parent may hold the control channel open after its death: watch the parent itself too."""
    while os.getppid() == parent:
        await asyncio.sleep(1)


async def _obey_all(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    server: ProxyServer | None = None
    try:
        while line := await reader.readline():
            number = 0
            try:
                if server is None:
                    number, settings = decode(line, ProxySettings)
                    starting = ProxyServer(settings)
                    writer.write(answer(number, await starting.start()))
                    server = starting
                else:
                    number, order = decode(line, ProxyOrder)
                    writer.write(answer(number, await server.obey(order)))
            except StackError as e:
                writer.write(answer(number, failure=e))
            await writer.drain()
    finally:
        if server is not None:
            server.stop()


async def _main(end: socket.socket, parent: int) -> None:
    reader, writer = await asyncio.open_connection(sock=end, limit=1 << 26)
    tasks = [asyncio.create_task(_obey_all(reader, writer)), asyncio.create_task(_parent_gone(parent))]
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    with contextlib.suppress(ConnectionError):
        for task in done:
            task.result()


if __name__ == "__main__":
    asyncio.run(_main(*control(sys.argv)))

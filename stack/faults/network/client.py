"""A running proxy and the orders to it: the parent's side."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Protocol

from driftdrill.stack.child import Child
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.kind import parse
from driftdrill.stack.faults.network.control import ProxyOrder, ProxySettings, ProxyState
from driftdrill.stack.faults.network.http_faults import HTTP_FAULTS, HttpFault
from driftdrill.stack.faults.network.ledger import Ledger
from driftdrill.stack.faults.network.toxics import TOXICS, Down, Toxic

Fault = Toxic | HttpFault

ENOUGH = 20
"""Requests after which a fault whose selector fits none of them is not in force."""


KNOCK = 5.0
"""Seconds in which a connection to a proxy must be accepted or refused."""


class Engine(Protocol):
    """What carries the faults out: our own proxy, or a toxiproxy server."""

    @property
    def address(self) -> Connection:
        """The upstream as reached through the proxy."""
        ...

    def put(self, faults: tuple[Fault, ...]) -> ProxyState:
        """Put exactly these faults in force; the state after it."""
        ...

    def state(self) -> ProxyState:
        """What is in force, and what was counted."""
        ...


class Proxy:
    """A running proxy. Thread-safe; every call waits a bounded time and raises :class:`StackError` once it is over."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._lock = engine, threading.Lock()
        self._set: dict[str, Fault] = {}
        self._held: dict[str, Fault | None] = {}

    @property
    def address(self) -> Connection:
        """The upstream with its credentials and path prefix, as reached through the proxy; it never changes."""
        return self._engine.address

    def set(self, *faults: Fault, strength: float = 1.0) -> None:
        """Put these faults in force at ``strength`` in place of those set before; with none, withdraw them.

        Those that :meth:`hold` holds stay. Raises :class:`StackError` where two share a name.
        """
        with self._lock:
            chosen: dict[str, Fault] = {}
            for fault in faults:
                _refuse_conflict(fault, {*chosen, *self._held})
                if (scaled := fault.at(strength)) is not None:
                    chosen[fault.key] = scaled
            self._put(chosen, self._held)

    @contextmanager
    def hold(self, fault: Fault) -> "Iterator[HeldToxic]":
        """Hold ``fault``, at strength 0 until :meth:`HeldToxic.set`; leaving removes it, whatever happened."""
        with self._lock:
            _refuse_conflict(fault, {*self._set, *self._held})
            self._held = {**self._held, fault.key: None}
        try:
            yield HeldToxic(self, fault)
        finally:
            with self._lock:
                self._held = {key: f for key, f in self._held.items() if key != fault.key}
                self._put(self._set, self._held)

    def ledger(self) -> Ledger:
        """What passed, and what each fault touched."""
        return self._engine.state().ledger

    def state(self) -> ProxyState:
        """The names of what is in force, and the ledger."""
        return self._engine.state()

    def change(self, key: str, fault: Fault | None) -> ProxyState:
        """Put a held fault in force as it is given here; None takes it out of force."""
        with self._lock:
            return self._put(self._set, {**self._held, key: fault})

    def _put(self, chosen: dict[str, Fault], held: dict[str, Fault | None]) -> ProxyState:
        state = self._engine.put((*chosen.values(), *(f for f in held.values() if f is not None)))
        self._set, self._held = chosen, held
        return state


class HeldToxic:
    """One fault while a proxy holds it."""

    def __init__(self, proxy: Proxy, fault: Fault) -> None:
        self._proxy, self._fault = proxy, fault
        self._strength = 0.0
        self._refused = False
        self._passed = self._matched = self._touched = 0

    def set(self, strength: float) -> None:
        """Put the fault in force at ``strength`` in [0, 1]. Raises :class:`StackError`."""
        state = self._proxy.change(self._fault.key, self._fault.at(strength))
        if not self._strength:
            count = state.ledger.of(self._fault.key)
            self._passed, self._matched, self._touched = count.passed, count.matched, count.touched
        self._strength = strength
        self._refused = self._refused or self._refuses()

    def _refuses(self) -> bool:
        """Whether every connection is refused: by the kernel, so that nobody counts."""
        now = self._fault.at(self._strength)
        return isinstance(now, Down) and now.toxicity == 1

    def verify(self) -> str | None:
        """None if the fault is in force as set, else what was expected and what was seen."""
        key = self._fault.key
        try:
            state = self._proxy.state()
        except StackError as e:
            return f"expected {key} in force; seen: {e}"
        if (key in state.names) != (self._strength > 0):
            why = ": the drill was not heard of within the time to live" if state.withdrawn else ""
            return f"expected {key} at strength {self._strength:g}; seen in force: {list(state.names)}{why}"
        if self._refuses() and _accepts(self._proxy.address):
            return f"expected {key} to refuse connections; seen: one was accepted"
        count = state.ledger.of(key)
        passed, matched = count.passed - self._passed, count.matched - self._matched
        if isinstance(self._fault, HttpFault) and self._strength:
            if passed >= ENOUGH and not matched:
                return f"expected {key} to select requests; seen: its selector fits none of {passed} requests"
            if not passed and state.ledger.open and state.ledger.opaque == state.ledger.connections:
                return f"expected HTTP/1.x for {key}; seen: none of {state.ledger.connections} connections speaks it"
        return None

    def touched(self) -> int | None:
        """Connections (of a toxic) or requests that it changed since it was put in force; None if nobody counts."""
        if self._refused:
            return None
        state = self._proxy.state()
        return state.ledger.of(self._fault.key).touched - self._touched if state.ledger.connections else None


def _accepts(address: Connection) -> bool:
    """Whether somebody listens there."""
    try:
        socket.create_connection((address.host, address.port), timeout=KNOCK).close()
    except OSError:
        return False
    return True


def _refuse_conflict(fault: Fault, taken: "set[str]") -> None:
    if fault.key in taken:
        raise StackError(
            f"the proxy already holds a fault named {fault.key!r}: two faults fight for one place",
            hint="end the other one first, or give one of them a name= if both are meant",
        )


class InChild:
    """A proxy that a child process runs or steers."""

    def __init__(self, child: Child, address: Connection) -> None:
        self._child, self._address = child, address

    @property
    def address(self) -> Connection:
        """The upstream as reached through the proxy."""
        return self._address

    def put(self, faults: tuple[Fault, ...]) -> ProxyState:
        """Put exactly these faults in force."""
        toxics = tuple(f for f in faults if isinstance(f, Toxic))
        http = tuple(f for f in faults if isinstance(f, HttpFault))
        return self._child.ask(ProxyOrder("set", toxics, http), ProxyState)  # type: ignore[arg-type]

    def state(self) -> ProxyState:
        """What is in force, and what was counted."""
        return self._child.ask(ProxyOrder("state"), ProxyState)


@contextmanager
def proxy(
    upstream: Connection,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    http: bool = True,
    seed: int = 0,
    ttl: float = 3600.0,
) -> Iterator[Proxy]:
    """Run our own proxy before ``upstream``, in a child process that ends with this one, however this one ends.

    It listens on ``host`` and ``port`` (0: a free one) and speaks TLS to an https upstream, plain HTTP to its
    clients. ``http=False`` passes bytes without reading them: no HTTP faults. ``seed`` decides which connections and
    requests a share hits. After ``ttl`` seconds without a word from the parent every fault is withdrawn.

    Raises :class:`StackError` where nothing answers upstream or the port is taken.
    """
    settings = ProxySettings(
        upstream=upstream.url,
        ca=upstream.ca,
        cert=upstream.cert,
        key=upstream.key,
        host=host,
        port=port,
        http=http,
        seed=seed,
        ttl=ttl,
    )
    child = Child(
        "driftdrill.stack.faults.network.server", settings, what=f"the proxy before {upstream.host}:{upstream.port}"
    )
    try:
        yield Proxy(InChild(child, through(upstream, host, int(bytes(child.ready)))))
    finally:
        child.close()


def through(upstream: Connection, host: str, port: int) -> Connection:
    """``upstream`` as reached at a proxy's address: plain HTTP, its path prefix, its credentials."""
    reachable = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)
    shown = f"[{reachable}]" if ":" in reachable else reachable
    path = upstream.at("").rstrip("/").split("://", 1)[1].partition("/")[2]
    return replace(upstream, url=f"http://{shown}:{port}/{path}".rstrip("/"), ca=None, cert=None, key=None)


def toxic(name: str, **parameters: object) -> Fault:
    """The toxic or HTTP fault of that name, as a command line or a file writes it: ``toxic("latency", latency=300)``.

    Raises :class:`StackError` for an unknown name or parameter, with the nearest.
    """
    fault: Fault = parse((*TOXICS, *HTTP_FAULTS), name, parameters)
    return fault

"""A toxiproxy server that the user has, driven by the same toxics through its HTTP API.

A child process makes the proxy in that server, steers it, and deletes it when its control channel closes; run as
``python -m driftdrill.stack.faults.network.toxiproxy FD PARENT``. Toxiproxy draws the connections that a share hits at
random, keeps no count of them, and knows no HTTP faults.
"""

import os
import secrets
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote

import msgspec

from driftdrill.stack.child import Child, serve
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.network.client import InChild, Proxy, through
from driftdrill.stack.faults.network.control import ProxyOrder, ProxyState, Remote
from driftdrill.stack.faults.network.ledger import Ledger
from driftdrill.stack.faults.network.toxics import Down, Toxic

ANSWER = 5.0
"""Seconds that the server may take for one answer."""


SERVER = Connection("http://127.0.0.1:8474")
"""Where toxiproxy listens by default."""


@contextmanager
def toxiproxy(
    upstream: Connection,
    *,
    server: Connection = SERVER,
    listen: str = "127.0.0.1:0",
    ttl: float = 3600.0,
) -> Iterator[Proxy]:
    """A proxy before ``upstream`` in the toxiproxy server at ``server``, deleted when this block or process ends.

    ``listen`` is the address that the server listens on; port 0 lets it choose. Raises :class:`StackError` where no
    toxiproxy answers, or refuses, or ``upstream`` is https, which it cannot speak.
    """
    if upstream.tls:
        raise StackError(
            f"toxiproxy passes TLS on unread, and the certificate of {upstream.host} would not fit its address",
            hint="our own proxy speaks TLS to its upstream",
        )
    name = f"driftdrill-{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(3)}"
    settings = Remote(server.url, name, f"{upstream.host}:{upstream.port}", listen, ttl)
    child = Child(
        "driftdrill.stack.faults.network.toxiproxy", settings, what=f"the driver of toxiproxy at {server.url}"
    )
    try:
        host, _, port = msgspec.json.decode(child.ready, type=str).rpartition(":")
        yield Proxy(InChild(child, through(upstream, host.strip("[]"), int(port))))
    finally:
        child.close()


class Driver:
    """The :class:`driftdrill.stack.child.Worker` that steers one proxy of the server."""

    def __init__(self, settings: Remote) -> None:
        self._server, self._name, self._ttl = Connection(settings.server), settings.name, settings.ttl
        self._session = Connection(settings.server).session()
        self._heard, self._withdrawn, self._made = time.monotonic(), False, True
        self._in_force: dict[str, Toxic] = {}
        made = self._call("POST", "proxies", name=self._name, upstream=settings.upstream, listen=settings.listen)
        self._listen = str(made["listen"])

    def _call(self, method: str, path: str, **fields: object) -> Any:
        import requests

        try:
            answer = self._session.request(method, self._server.at(path), json=fields or None, timeout=ANSWER)
        except requests.RequestException as e:
            raise StackError(
                f"no toxiproxy answers at {self._server.url}",
                hint="start toxiproxy-server; its API listens on port 8474",
            ) from e
        if not answer.ok:
            raise StackError(f"toxiproxy at {self._server.url}, {method} /{path}: {answer.text.strip()[:200]}")
        return answer.json() if answer.content else None

    def obey(self, order: ProxyOrder | None) -> ProxyState | str:
        """Carry out an order; without one, the address."""
        self._heard = time.monotonic()
        if order is None:
            return self._listen
        if order.do == "set":
            self._withdrawn = False
            if order.http:
                raise StackError(f"{order.http[0]!r}: toxiproxy knows no HTTP faults", hint="use our own proxy")
            self._put({toxic.key: toxic for toxic in order.toxics})
        seen = self._call("GET", f"proxies/{self._name}")
        downs = tuple(key for key, toxic in self._in_force.items() if isinstance(toxic, Down) and not seen["enabled"])
        return ProxyState(Ledger(), (*(t["name"] for t in seen["toxics"]), *downs), self._withdrawn)

    def _put(self, wanted: dict[str, Toxic]) -> None:
        """Make the server's toxics those that are wanted."""
        here = f"proxies/{self._name}"
        for toxic in wanted.values():
            if isinstance(toxic, Down) and toxic.toxicity < 1:
                raise StackError("toxiproxy knows down at full strength only", hint="use our own proxy")
        for key in [key for key in self._in_force if key not in wanted]:
            if not isinstance(self._in_force[key], Down):
                self._call("DELETE", f"{here}/toxics/{quote(key)}")
            del self._in_force[key]
        for key, toxic in wanted.items():
            if not isinstance(toxic, Down) and toxic != self._in_force.get(key):
                fields = {"toxicity": toxic.toxicity, "attributes": attributes(toxic)}
                if key in self._in_force:
                    self._call("POST", f"{here}/toxics/{quote(key)}", **fields)
                else:
                    self._call("POST", f"{here}/toxics", name=key, type=toxic.type, stream=toxic.stream, **fields)
            self._in_force[key] = toxic
        self._call("POST", here, enabled=not any(isinstance(t, Down) for t in wanted.values()))

    def work(self) -> float:
        """Withdraw everything where nobody was heard of for too long."""
        left = self._heard + self._ttl - time.monotonic()
        if left <= 0 and not self._withdrawn:
            self._withdrawn = bool(self._in_force)
            try:
                self._put({})
            except StackError as e:
                print(e, file=sys.stderr, flush=True)
            self._heard = time.monotonic()
        return max(0.0, left)

    def release(self) -> None:
        """Delete the proxy, and with it its toxics."""
        if self._made:
            try:
                self._call("DELETE", f"proxies/{self._name}")
            except StackError as e:
                by_hand = f"curl -X DELETE {self._server.at(f'proxies/{self._name}')}"
                raise StackError(str(e), hint=by_hand) from e
            self._made = False


def attributes(toxic: Toxic) -> dict[str, int]:
    """A toxic's own parameters as the API takes them: whole numbers."""
    shared = Toxic.__struct_fields__
    return {name: round(getattr(toxic, name)) for name in toxic.__struct_fields__ if name not in shared}


if __name__ == "__main__":
    sys.exit(serve(sys.argv, Remote, ProxyOrder, Driver))

"""Target: the model endpoint that is drilled, and where its metrics are scraped. Read from driftdrill.toml."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import msgspec

from driftdrill.harness.errors import TargetError
from driftdrill.stack.connection import Connection, Secret


@dataclass(frozen=True)
class MetricsEndpoint:
    """One metrics page: how to reach it, the ``job`` and further labels that Prometheus gives its series.

    ``instance`` is host:port of the page unless it is given.
    """

    connection: Connection
    job: str = "model"
    instance: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class ProtocolOptions:
    """How rows become a request and a response becomes predictions; each protocol says which it reads.

    ``path`` is below the target's URL; ``body`` is a template, ``result`` a JMESPath expression; ``headers``
    are extra. ``model`` is the model's name where the protocol's URL needs one.
    """

    name: str = "json"
    path: str | None = None
    body: str | None = None
    result: str | None = None
    model: str | None = None


class Listens(msgspec.Struct, frozen=True, tag="listens"):
    """Whoever listens on an address's port on this machine is its process; ``restart`` starts it again after a crash,
    by default the command that it runs."""

    restart: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Target:
    """A model endpoint. ``metrics`` is empty where the service exposes none; ``replicas`` are further addresses."""

    name: str
    connection: Connection
    protocol: ProtocolOptions = field(default_factory=ProtocolOptions)
    metrics: tuple[MetricsEndpoint, ...] = ()
    replicas: tuple[Connection, ...] = ()
    request_counter: str | None = None
    """A counter on the metrics pages that counts rows or requests; the drill is INVALID where it does not move."""
    prometheus_yml: str | None = None
    """The team's own configuration, in place of ``metrics``: what is scraped, and how."""
    jobs: tuple[str, ...] = ()
    """The jobs of ``prometheus_yml`` that belong to this target; all if empty."""
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Addresses by job, for jobs whose discovery cannot be asked from here."""
    process: Any = None
    """What serves it, for faults of processes: :class:`Listens`, or what :mod:`stack.faults.process` acts on."""
    admin: Secret | None = None
    """The token of the demo model's admin interface, below its URL."""
    hooks: Mapping[str, Any] = field(default_factory=dict)
    """Control hooks by name (:func:`driftdrill.stack.faults.process.hook`)."""
    toxiproxy: Connection | None = None
    """The API of a toxiproxy server that takes the place of our own proxy."""

    @property
    def all(self) -> tuple[Connection, ...]:
        """Every address that gets traffic: the target's own first."""
        return (self.connection, *self.replicas)

    def address(self, number: int) -> "Target":
        """The target as if it had this address only, counted from 0. Raises :class:`TargetError` if it has not."""
        if number >= len(self.all):
            raise TargetError(
                f"target {self.name!r} has {len(self.all)} addresses, and a fault acts on replica {number}",
                hint="name its replicas: replicas = [...] in driftdrill.toml, or --replica URL",
            )
        pages = self.metrics[number : number + 1] if len(self.metrics) == len(self.all) else ()
        process = self.process if number == 0 or isinstance(self.process, Listens) else None
        return replace(self, connection=self.all[number], replicas=(), metrics=pages, process=process)

    def describe(self) -> dict[str, object]:
        """What a recording may hold: addresses, protocol, jobs; no credentials."""
        return {
            "name": self.name,
            "connections": [c.describe() for c in self.all],
            "protocol": self.protocol.name,
            "request_counter": self.request_counter,
            "metrics": [{"job": m.job, "instance": m.instance, **m.connection.describe()} for m in self.metrics],
        }


def from_url(url: str, *replicas: str, name: str = "target") -> Target:
    """A target of the generic JSON protocol at ``url``, its metrics page at /metrics of the same server.

    A URL with a path is posted to as it is; one without gets the protocol's default path. ``replicas`` are URLs of
    further servers like it, with metrics pages of their own.
    """
    path = urlsplit(url).path.strip("/")
    roots = [Connection(url) if not path else _root(url), *map(_root, replicas)]
    return Target(
        name=name,
        connection=roots[0],
        protocol=ProtocolOptions(path="/" + path if path else None),
        metrics=tuple(page_of(root) for root in roots),
        replicas=tuple(roots[1:]),
    )


def _root(url: str) -> Connection:
    parts = urlsplit(url)
    return Connection(urlunsplit((parts.scheme, parts.netloc, "", "", "")))


def page_of(service: Connection) -> MetricsEndpoint:
    """The metrics page at /metrics of a service's server, with its credentials."""
    page = replace(service, url=_root(service.url).at("/metrics"))
    return MetricsEndpoint(page, instance=f"{page.host}:{page.port}")

"""driftdrill.toml, decoded by msgspec into the values that a drill is made of.

Unknown keys are errors with the nearest name, and relative paths are relative to the file. Credentials are named by
environment variable or file, never written in it. Which keys are options of the command line too: :mod:`.options`.
"""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.setup.decode import Program, decode
from driftdrill.harness.setup.options import ENGINE_GONE, ENGINE_SAYS, OPTIONS, Option
from driftdrill.harness.setup.target import Listens, MetricsEndpoint, ProtocolOptions, Target, from_url, page_of
from driftdrill.stack.connection import Connection, FilePath, Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.process.hooks import Hook
from driftdrill.stack.faults.process.targets import Container, LocalProcess

FILE = "driftdrill.toml"


def _refuse_proxy(access: Connection) -> None:
    if access.proxy is not None:
        raise StackError(
            f"{access.url or 'prometheus'}: proxy is a key of targets, whose requests alone go through one"
        )


@dataclass(frozen=True, kw_only=True)
class _Page(Connection):
    job: str = "model"
    instance: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        super().__post_init__()
        _refuse_proxy(self)

    def endpoint(self) -> MetricsEndpoint:
        page = _connection(self, self.url)
        return MetricsEndpoint(page, self.job, self.instance or f"{page.host}:{page.port}", self.labels)


@dataclass(frozen=True, kw_only=True)
class _Target(Connection):
    protocol: str = "json"
    path: str | None = None
    body: str | None = None
    result: str | None = None
    model: str | None = None
    replicas: tuple[str, ...] = ()
    metrics: tuple[_Page, ...] | None = None
    rows: FilePath | None = None
    truth: str | None = None
    request_counter: str | None = None
    prometheus_yml: FilePath | None = None
    jobs: tuple[str, ...] = ()
    given: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    process: Listens | LocalProcess | Container | None = None
    admin: Secret | None = None
    hooks: Mapping[str, Hook] = field(default_factory=dict)
    toxiproxy: str | None = None


@dataclass(frozen=True, kw_only=True)
class Prometheus(Connection):
    """Which Prometheus evaluates; one with a ``url`` is an existing server."""

    url: str = ""
    how: Literal["auto", "container", "binary", "server"] | None = None
    image: str | None = None
    binary: Program | None = None
    engine: Program | None = None

    def __post_init__(self) -> None:
        _refuse_proxy(self)
        if self.url:
            super().__post_init__()
        elif self.how == "server":
            raise StackError('prometheus: how = "server" needs url')

    @property
    def connection(self) -> Connection | None:
        """How the server is reached, if one exists already."""
        return _connection(self, self.url) if self.url else None


@dataclass(frozen=True, kw_only=True)
class Config:
    """The whole file, its paths relative to the working folder."""

    path: str = ""
    options: Mapping[str, Any] = field(default_factory=dict)
    """The options that it gives, by their names in Settings."""
    targets: Mapping[str, Target] = field(default_factory=dict)
    rows: Mapping[str, tuple[str, str | None]] = field(default_factory=dict)
    """Target name -> (CSV file, truth column)."""
    prometheus: Prometheus = field(default_factory=Prometheus)


def _type(option: Option) -> Any:
    """What an option is in the file."""
    if option.kind == "number":
        one: Any = Annotated[int, msgspec.Meta(ge=option.least, le=option.most)]
    elif option.words:
        one = Literal[option.words]
    else:
        one = {"switch": bool, "path": FilePath, "text": str}[option.kind]
    return tuple[one, ...] if option.many else one | None


_TOP = [o for o in OPTIONS if not o.no_key and "." not in o.key]
_FILE = msgspec.defstruct(
    "_FILE",
    [
        *((o.key, _type(o), () if o.many else None) for o in _TOP),
        ("targets", dict[str, _Target], msgspec.field(default_factory=dict)),
        ("prometheus", Prometheus, msgspec.field(default_factory=Prometheus)),
    ],
)


def load_config(path: str | Path | None = None) -> Config:
    """Read driftdrill.toml: the one given, else the one in this folder, else an empty one.

    Raises :class:`ConfigError` with the file, the key, and the nearest known name.
    """
    file = Path(path) if path is not None else Path(FILE)
    if path is None and not file.exists():
        return Config()
    where = str(file)
    try:
        raw = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as e:
        raise ConfigError(f"cannot be read: {e.strerror}", where=where) from e
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as e:
        raise ConfigError(f"not TOML: {e}", where=where) from e
    try:
        _refuse_no_keys(raw)
        return _config(decode(raw, _FILE, file.parent), file)
    except msgspec.ValidationError as e:
        raise ConfigError(str(e), where=where, hint="docs/configuration.md lists every key and its type") from e
    except StackError as e:
        raise ConfigError(e.cause, where=where, hint=e.hint) from e


def _refuse_no_keys(raw: Mapping[str, Any]) -> None:
    for option in OPTIONS:
        if option.no_key and option.name in raw:
            raise StackError(f"`{option.name}` is a flag ({option.flag}) and no key: {option.no_key}")
    if "promtool" in dict(raw.get("prometheus") or {}):
        raise StackError(f"prometheus: {ENGINE_GONE}", hint=f"engine = ...: {ENGINE_SAYS}")


def _config(found: Any, file: Path) -> Config:
    targets: dict[str, _Target] = found.targets
    options = {o.name: getattr(found, o.key) for o in _TOP}
    server: Prometheus = found.prometheus
    return Config(
        path=str(file),
        options=options | {"prometheus": server.url or server.how, "engine": server.engine},
        targets={name: _target(name, t) for name, t in targets.items()},
        rows={name: (t.rows, t.truth) for name, t in targets.items() if t.rows},
        prometheus=server,
    )


def _connection(access: Connection, url: str, proxy: str | None = None) -> Connection:
    """The address ``url`` with all that lets one in at ``access``; through the proxy only where it is given."""
    return Connection(**{f.name: getattr(access, f.name) for f in fields(Connection)} | {"url": url, "proxy": proxy})


def _target(name: str, t: _Target) -> Target:
    plain = from_url(t.url, name=name)
    addresses = (plain.connection.url, *t.replicas)
    if t.metrics is not None and t.prometheus_yml is not None:
        raise StackError(f"target {name!r}: give either metrics or prometheus_yml, not both")
    if t.metrics is not None or t.prometheus_yml is not None:
        pages = tuple(page.endpoint() for page in t.metrics or ())
    else:  # the service's own credentials open its metrics page too
        pages = tuple(page_of(_connection(t, url)) for url in addresses)
    first, *others = (_connection(t, url, t.proxy) for url in addresses)
    return Target(
        name=name,
        connection=first,
        replicas=tuple(others),
        protocol=ProtocolOptions(t.protocol, t.path or plain.protocol.path, t.body, t.result, t.model),
        metrics=pages,
        request_counter=t.request_counter,
        prometheus_yml=t.prometheus_yml,
        jobs=t.jobs,
        given=t.given,
        process=t.process,
        admin=t.admin,
        hooks=t.hooks,
        toxiproxy=Connection(t.toxiproxy) if t.toxiproxy else None,
    )

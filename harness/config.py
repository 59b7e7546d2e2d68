"""driftdrill.toml: targets, their metrics pages and credentials, rule files, Prometheus. Flags go over it.

Unknown keys are errors with the nearest name. Credentials are named by environment variable or file, never
written here.
"""

import os
import re
import tomllib
from dataclasses import replace
from pathlib import Path
from typing import Literal

import msgspec

from driftdrill.harness.errors import ConfigError, nearest
from driftdrill.harness.target import Listens, MetricsEndpoint, ProtocolOptions, Target, from_url, page_of
from driftdrill.stack.connection import Connection, Secret
from driftdrill.stack.errors import StackError

FILE = "driftdrill.toml"


class _Password(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    env: str | None = None
    file: str | None = None


class _Basic(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    user: str
    password: _Password


class _Access(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    """The keys of everything that is reached over HTTP."""

    headers: dict[str, str] = {}
    secret_headers: dict[str, _Password] = {}
    bearer: _Password | None = None
    basic: _Basic | None = None
    ca: str | None = None
    cert: str | None = None
    key: str | None = None
    timeout: float = 10.0


class _Metrics(_Access, frozen=True, kw_only=True):
    url: str
    job: str = "model"
    instance: str = ""
    labels: dict[str, str] = {}


class _Process(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    listens: bool = False
    pid: int | None = None
    pid_file: str | None = None
    container: str | None = None
    restart: list[str] | None = None


class _Step(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    command: list[str] | None = None
    call: str | None = None
    method: str = "POST"
    body: str = ""
    headers: dict[str, str] = {}
    bearer: _Password | None = None
    function: str | None = None
    container: str | None = None
    do: Literal["stop", "start", "restart", "pause", "unpause"] = "restart"


class _Hook(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    apply: _Step
    revert: _Step
    check: _Step | None = None
    timeout: float = 30.0
    ttl: float = 3600.0


class _Target(_Access, frozen=True, kw_only=True):
    url: str
    protocol: str = "json"
    path: str | None = None
    body: str | None = None
    result: str | None = None
    model: str | None = None
    replicas: list[str] = []
    metrics: list[_Metrics] | None = None
    rows: str | None = None
    truth: str | None = None
    request_counter: str | None = None
    prometheus_yml: str | None = None
    jobs: list[str] = []
    given: dict[str, list[str]] = {}
    process: _Process | None = None
    admin: _Password | None = None
    hooks: dict[str, _Hook] = {}
    toxiproxy: str | None = None
    proxy: str | None = None


class _Prometheus(_Access, frozen=True, kw_only=True):
    how: Literal["auto", "container", "binary", "server"] = "auto"
    url: str | None = None
    image: str | None = None
    binary: str | None = None
    promtool: str | None = None


class _File(msgspec.Struct, forbid_unknown_fields=True, frozen=True, kw_only=True):
    rules: list[str] = []
    allow_hosts: list[str] = []
    targets: dict[str, _Target] = {}
    prometheus: _Prometheus = _Prometheus()


class Prometheus(msgspec.Struct, frozen=True, kw_only=True):
    """Which Prometheus evaluates; ``connection`` is set for an existing server."""

    how: Literal["auto", "container", "binary", "server"] = "auto"
    connection: Connection | None = None
    image: str | None = None
    binary: str | None = None
    promtool: str | None = None


class Config(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file, paths made absolute against its folder."""

    path: str = ""
    rules: tuple[str, ...] = ()
    allow_hosts: tuple[str, ...] = ()
    targets: dict[str, Target] = {}
    rows: dict[str, tuple[str, str | None]] = {}
    """Target name -> (CSV file, truth column)."""
    prometheus: Prometheus = Prometheus()


_STRUCTS = (_File, _Target, _Metrics, _Prometheus, _Basic, _Password, _Process, _Hook, _Step)
_FIELDS = {field for struct in _STRUCTS for field in struct.__struct_fields__}


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
        found = msgspec.convert(raw, _File)
    except msgspec.ValidationError as e:
        unknown = re.search(r"unknown field `([^`]*)`", str(e))
        raise ConfigError(
            str(e).replace("Object contains unknown field", "unknown key"),
            where=where,
            hint=nearest(unknown[1], _FIELDS) if unknown else "docs/configuration.md lists every key and its type",
        ) from e
    try:
        return _config(found, file)
    except StackError as e:
        raise ConfigError(e.cause, where=where, hint=e.hint) from e


def _config(found: _File, file: Path) -> Config:
    base = file.parent

    def absolute(path: str) -> str:
        return str(base / os.path.expanduser(path))

    p = found.prometheus
    if p.how == "server" and not p.url:
        raise StackError('prometheus: how = "server" needs url')
    return Config(
        path=str(file),
        rules=tuple(absolute(r) for r in found.rules),
        allow_hosts=tuple(found.allow_hosts),
        targets={name: _target(name, t, base) for name, t in found.targets.items()},
        rows={n: (absolute(t.rows), t.truth) for n, t in found.targets.items() if t.rows},
        prometheus=Prometheus(
            how="server" if p.url else p.how,
            connection=_connection(p.url, p, base) if p.url else None,
            image=p.image,
            binary=p.binary,
            promtool=p.promtool,
        ),
    )


def _target(name: str, t: _Target, base: Path) -> Target:
    plain = from_url(t.url, name=name)
    connection = replace(_connection(plain.connection.url, t, base), proxy=t.proxy)
    pages = t.metrics
    if t.prometheus_yml is not None:
        if pages is not None:
            raise StackError(f"target {name!r}: give either metrics or prometheus_yml, not both")
        metrics: tuple[MetricsEndpoint, ...] = ()
    elif pages is None:
        # The service's own credentials open its metrics page too, where nothing else is said.
        metrics = tuple(page_of(_connection(url, t, base)) for url in (plain.connection.url, *t.replicas))
    else:
        metrics = tuple(_endpoint(m, base) for m in pages)
    return Target(
        name=name,
        connection=connection,
        protocol=ProtocolOptions(
            name=t.protocol, path=t.path or plain.protocol.path, body=t.body, result=t.result, model=t.model
        ),
        metrics=metrics,
        replicas=tuple(replace(_connection(url, t, base), proxy=t.proxy) for url in t.replicas),
        request_counter=t.request_counter,
        prometheus_yml=str(base / os.path.expanduser(t.prometheus_yml)) if t.prometheus_yml else None,
        jobs=tuple(t.jobs),
        given={job: tuple(addresses) for job, addresses in t.given.items()},
        process=_process(name, t.process, base),
        admin=_secret(t.admin, base),
        hooks={hook: _hook(f"target {name!r}, hook {hook!r}", h, base) for hook, h in t.hooks.items()},
        toxiproxy=Connection(t.toxiproxy) if t.toxiproxy else None,
    )


def _process(name: str, p: _Process | None, base: Path) -> object:
    if p is None:
        return None
    if [p.listens, p.pid is not None, p.pid_file is not None, p.container is not None].count(True) != 1:
        raise StackError(f"target {name!r}: process needs one of listens, pid, pid_file, container")
    restart = tuple(p.restart) if p.restart is not None else None
    if p.listens:
        return Listens(restart)
    from driftdrill.stack.faults.process import Container, LocalProcess

    if p.container is not None:
        return Container(p.container)
    if p.pid is not None:
        return LocalProcess(p.pid, restart)
    file = base / str(p.pid_file)
    try:
        return LocalProcess(int(file.read_text(encoding="utf-8").split()[0]), restart)
    except (OSError, ValueError, IndexError) as e:
        raise StackError(f"target {name!r}: {file} holds no process id: {e}") from e


def _hook(where: str, h: _Hook, base: Path) -> object:
    from driftdrill.stack.faults.process import hook

    def step(s: _Step, what: str) -> object:
        said = [s.command is not None, s.call is not None, s.function is not None, s.container is not None]
        if said.count(True) != 1:
            raise StackError(f"{where}: {what} needs one of command, call, function, container")
        return _step(s, base)

    check = None if h.check is None else step(h.check, "check")
    return hook(
        apply=step(h.apply, "apply"), revert=step(h.revert, "revert"), check=check, timeout=h.timeout, ttl=h.ttl
    )


def _step(s: _Step, base: Path) -> object:
    from driftdrill.stack.faults.process import Call, Command, Container, Operate
    from driftdrill.stack.faults.process.steps import Function

    if s.command is not None:
        return Command(tuple(s.command), folder=str(base.absolute()))
    if s.call is not None:
        return Call(s.call, s.method, s.body, s.headers, _secret(s.bearer, base))
    if s.function is not None:
        file, _, name = s.function.rpartition(":")
        return Function(str((base / file).absolute()), name)
    return Operate(Container(str(s.container)), s.do)


def _endpoint(m: _Metrics, base: Path) -> MetricsEndpoint:
    connection = _connection(m.url, m, base)
    instance = m.instance or f"{connection.host}:{connection.port}"
    return MetricsEndpoint(connection, job=m.job, instance=instance, labels=m.labels)


def _connection(url: str, access: _Access, base: Path) -> Connection:
    def pem(path: str | None) -> str | None:
        return None if path is None else str(base / os.path.expanduser(path))

    password = _secret(access.basic.password, base) if access.basic else None
    return Connection(
        url,
        headers=access.headers,
        secret_headers={name: s for name, p in access.secret_headers.items() if (s := _secret(p, base)) is not None},
        bearer=_secret(access.bearer, base),
        basic=(access.basic.user, password) if access.basic and password else None,
        ca=pem(access.ca),
        cert=pem(access.cert),
        key=pem(access.key),
        timeout=access.timeout,
    )


def _secret(p: _Password | None, base: Path) -> Secret | None:
    return None if p is None else Secret(env=p.env, file=str(base / p.file) if p.file else None)


def pick_target(config: Config, wanted: str | None, replicas: tuple[str, ...] = ()) -> Target:
    """The target of a URL or a name in the file; without either, the file's only one.

    ``replicas`` are URLs of further addresses of a target that is given by its URL. Raises :class:`ConfigError`.
    """
    if replicas and "://" not in (wanted or ""):
        raise ConfigError(
            "--replica goes with --target URL", hint="a target of driftdrill.toml names its own: replicas"
        )
    if wanted and "://" in wanted:
        same = [t for t in config.targets.values() if t.connection.url.rstrip("/") == wanted.rstrip("/")]
        if same:
            return same[0]
        try:
            return from_url(wanted, *replicas)
        except StackError as e:
            raise ConfigError(f"--target: {e.cause}", hint=e.hint) from e
    if wanted:
        if wanted not in config.targets:
            raise ConfigError(
                f"no target is named {wanted!r}" + (f" in {config.path}" if config.path else f": there is no {FILE}"),
                hint=nearest(wanted, config.targets) or "give a URL: --target http://127.0.0.1:8000",
            )
        return config.targets[wanted]
    if len(config.targets) == 1:
        return next(iter(config.targets.values()))
    raise ConfigError(
        f"{len(config.targets)} targets in {config.path}" if config.targets else "no target",
        hint="give its URL or name: --target http://127.0.0.1:8000",
    )

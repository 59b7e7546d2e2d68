"""A Prometheus that answers, and its HTTP API: rules, targets, queries. Nothing is changed, but for a reload.

An answer that is not Prometheus's is an error that says so, and what to do about it. Times are Unix seconds. Each
call is one request of at most ``connection.timeout`` seconds between bytes.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, NamedTuple, TypeVar

import msgspec
import requests

from driftdrill.durations import format_duration, parse_duration
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.process import Started
from driftdrill.stack.prometheus.promtool import Promtool

Labels = dict[str, str]
T = TypeVar("T")


@dataclass(frozen=True)
class Server:
    """A Prometheus to ask. ``promtool`` is of the same origin; None beside a server of yours without one at hand."""

    connection: Connection
    version: str
    how: Literal["container", "binary", "server"]
    promtool: Promtool | None
    started: Started | None = field(default=None, repr=False, compare=False)
    """What runs for us; None for a server that ran before."""
    configured: Callable[..., Mapping[str, bytes]] | None = field(default=None, repr=False, compare=False)
    """Makes its files for other ``jobs``; None where it cannot be given any."""


def died(server: Server) -> str | None:
    """How our server ended and what its log last complained of; None while it runs, and for one that is not ours."""
    code = server.started.exit_code() if server.started else None
    if code is None or server.started is None:
        return None
    return f"Prometheus ended with status {code}; its log ends with:\n{last_words(server.started.log())}"


def last_words(log: str) -> str:
    """The last lines of a log that tell of errors, else its very last ones."""
    lines = log.strip().splitlines()
    complaints = [line for line in lines if re.search(r"level=(error|ERROR)|^(panic|fatal|Error)", line)]
    return "\n".join((complaints or lines)[-3:])


@dataclass(frozen=True)
class LoadedRule:
    """One rule as the server has it. ``for_`` and ``keep_firing_for`` are seconds."""

    kind: Literal["alert", "record"]
    name: str
    expr: str
    health: str
    """``ok``, ``err`` or ``unknown`` (not yet evaluated)."""
    last_error: str = ""
    state: str = ""
    """Of an alert: ``inactive``, ``pending``, ``firing``."""
    for_: float = 0.0
    keep_firing_for: float = 0.0
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)


@dataclass(frozen=True)
class LoadedGroup:
    """One group of rules as the server has it. ``interval`` is seconds."""

    name: str
    file: str
    interval: float
    rules: tuple[LoadedRule, ...]
    evaluated_at: float | None = None
    """Unix seconds of its last evaluation; None where it had none yet, or the server does not say."""


@dataclass(frozen=True)
class ScrapedTarget:
    """One target that the server scrapes. ``interval`` is seconds."""

    url: str
    health: str
    """``up``, ``down`` or ``unknown`` (not yet scraped)."""
    labels: Labels
    last_error: str = ""
    interval: float = 0.0


class Series(NamedTuple):
    """One series of an answer. ``samples`` are (Unix seconds, value); a native histogram has none."""

    labels: Labels
    samples: list[tuple[float, float]]


class _Rule(msgspec.Struct):
    type: str
    name: str
    query: str
    health: str = "unknown"
    lastError: str = ""
    state: str = ""
    duration: float = 0.0
    keepFiringFor: float = 0.0
    labels: Labels = {}
    annotations: Labels = {}


class _Group(msgspec.Struct):
    name: str
    file: str = ""
    interval: float = 0.0
    rules: list[_Rule] = []
    lastEvaluation: str = ""


class _Rules(msgspec.Struct):
    groups: list[_Group]


class _Target(msgspec.Struct):
    scrapeUrl: str
    health: str
    labels: Labels
    lastError: str = ""
    scrapeInterval: str = ""


class _Targets(msgspec.Struct):
    activeTargets: list[_Target]


class _Series(msgspec.Struct):
    metric: Labels = {}
    value: tuple[float, str] | None = None
    values: list[tuple[float, str]] = []


class _Result(msgspec.Struct):
    resultType: str
    result: msgspec.Raw


class _Build(msgspec.Struct):
    version: str = ""


class _Runtime(msgspec.Struct):
    startTime: str = ""


class _Envelope(msgspec.Struct):
    status: str
    data: msgspec.Raw = msgspec.Raw(b"null")
    error: str = ""


def rules(server: Server) -> tuple[LoadedGroup, ...]:
    """What the server evaluates. Raises :class:`StackError`, also for a server that evaluates no rules at all."""
    found = _ask(server, "api/v1/rules", _Rules)
    return tuple(
        LoadedGroup(
            group.name,
            group.file,
            group.interval,
            tuple(_loaded(rule) for rule in group.rules),
            _unix_seconds(group.lastEvaluation),
        )
        for group in found.groups
    )


def _loaded(rule: _Rule) -> LoadedRule:
    return LoadedRule(
        kind="alert" if rule.type == "alerting" else "record",
        name=rule.name,
        expr=rule.query,
        health=rule.health,
        last_error=rule.lastError,
        state=rule.state,
        for_=rule.duration,
        keep_firing_for=rule.keepFiringFor,
        labels=rule.labels,
        annotations=rule.annotations,
    )


def _unix_seconds(moment: str) -> float | None:
    """Unix seconds of a moment as Prometheus writes it; None for the year 1, which is never, and for no moment."""
    if not moment or moment.startswith("0001-"):
        return None
    whole, _, rest = moment.partition(".")
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    zone = rest[len(digits) :] if rest else ""
    try:
        return datetime.fromisoformat(whole + zone).timestamp() + float(f"0.{digits or 0}")
    except ValueError:
        return None


def started_at(server: Server) -> str:
    """When the server's process began, as it writes it; "" where it does not say. Raises :class:`StackError`."""
    return _ask(server, "api/v1/status/runtimeinfo", _Runtime).startTime


def targets(server: Server) -> tuple[ScrapedTarget, ...]:
    """Every active target of the server. Raises :class:`StackError`."""
    found = _ask(server, "api/v1/targets", _Targets, {"state": "active"})
    return tuple(
        ScrapedTarget(
            url=target.scrapeUrl,
            health=target.health,
            labels=target.labels,
            last_error=target.lastError,
            interval=_interval(server, target.scrapeInterval),
        )
        for target in found.activeTargets
    )


def _interval(server: Server, text: str) -> float:
    try:
        return parse_duration(text or "0")
    except ValueError as e:
        raise StackError(f"a target's scrape interval: {e}", where=server.connection.url) from e


def query(server: Server, expr: str, time: float | None = None) -> tuple[Series, ...]:
    """One evaluation of ``expr``; a range selector such as ``up[5m]`` gives raw samples. Raises :class:`StackError`."""
    parameters = {"query": expr} if time is None else {"query": expr, "time": f"{time:.3f}"}
    return _series(_ask(server, "api/v1/query", _Result, parameters, post=True))


def query_range(server: Server, expr: str, *, start: float, end: float, step: float) -> tuple[Series, ...]:
    """``expr`` at start, start + step, ... up to end. Raises :class:`StackError`."""
    parameters = {"query": expr, "start": f"{start:.3f}", "end": f"{end:.3f}", "step": f"{step:.3f}"}
    return _series(_ask(server, "api/v1/query_range", _Result, parameters, post=True))


def version(server: Server) -> str:
    """The version that the server reports, "" where it does not say. Raises :class:`StackError`."""
    return _ask(server, "api/v1/status/buildinfo", _Build).version


def flags(server: Server) -> Labels:
    """The server's command-line flags. Raises :class:`StackError`."""
    return _ask(server, "api/v1/status/flags", Labels)


def ready(server: Server) -> bool:
    """Whether ``/-/ready`` answers 200. Never raises for a server that is not there."""
    try:
        with server.connection.session() as session:
            return session.get(
                server.connection.at("-/ready"), timeout=server.connection.timeout, allow_redirects=False
            ).ok
    except (requests.RequestException, OSError):
        return False


def reload(server: Server) -> None:
    """Let a server of ours read its files anew. Raises :class:`StackError` with what its log says if it refuses."""
    try:
        with server.connection.session() as session:
            answer = session.post(server.connection.at("-/reload"), timeout=server.connection.timeout)
    except (requests.RequestException, OSError) as e:
        raise StackError(f"Prometheus at {server.connection.url} does not answer: {type(e).__name__}") from e
    if not answer.ok:
        said = last_words(server.started.log()) if server.started else answer.text[:200]
        raise StackError(f"Prometheus refuses its configuration ({answer.status_code}): {said}")


def _series(answer: _Result) -> tuple[Series, ...]:
    if answer.resultType in ("scalar", "string"):
        instant, value = msgspec.json.decode(answer.result, type=tuple[float, str])
        return (Series({}, [(instant, float(value))]),) if answer.resultType == "scalar" else ()
    found = msgspec.json.decode(answer.result, type=list[_Series])
    return tuple(
        Series(one.metric, [(instant, float(value)) for instant, value in ([one.value] if one.value else one.values)])
        for one in found
    )


def _ask(
    server: Server,
    path: str,
    expected: type[T],
    parameters: dict[str, str] | None = None,
    *,
    post: bool = False,
) -> T:
    """One request; the ``data`` of the answer. Raises :class:`StackError` for every other outcome."""
    connection = server.connection
    url = connection.at(path)
    try:
        with connection.session() as session:
            # POST where expressions may be longer than a URL; redirects lead to login pages, not to an answer
            answer = session.request(
                "POST" if post else "GET",
                url,
                params=None if post else parameters,
                data=parameters if post else None,
                timeout=connection.timeout,
                allow_redirects=False,
            )
    except (requests.RequestException, OSError) as e:
        raise _unreachable(server, url, e) from e
    envelope = _decode(answer.content, _Envelope)
    if answer.ok and envelope is not None and envelope.status == "success":
        data = _decode(bytes(envelope.data), expected)
        if data is not None:
            if path == "api/v1/rules" and "X-Server-Hostname" in answer.headers and b'"groups":[]' in answer.content:
                raise _no_rules(url, "VictoriaMetrics stores samples; vmalert evaluates the rules")
            return data
    raise _refusal(connection, url, answer, envelope)


def _decode(content: bytes, expected: type[T]) -> T | None:
    try:
        return msgspec.json.decode(content, type=expected)
    except (msgspec.DecodeError, msgspec.ValidationError):
        return None


def _unreachable(server: Server, url: str, error: Exception) -> StackError:
    if reason := died(server):
        return StackError(reason, where=url, hint="start the drill again")
    if isinstance(error, requests.Timeout):
        waited = format_duration(server.connection.timeout)
        return StackError(f"Prometheus took more than {waited} to answer", where=url, hint="is it overloaded?")
    if isinstance(error, requests.exceptions.SSLError):
        detail = re.search(r"\[SSL[^]]*\] ([^(]+?) *\(", str(error))
        cause = "the TLS handshake failed" + (f": {detail[1]}" if detail else "")
        return StackError(cause, where=url, hint="check `ca`, `cert` and `key`, or whether it speaks https")
    if isinstance(error, requests.exceptions.ChunkedEncodingError):
        return StackError("Prometheus broke off its answer", where=url, hint="see the server's log")
    return StackError("no Prometheus answers there", where=url, hint="is it running, is the URL right?")


def _refusal(connection: Connection, url: str, answer: requests.Response, envelope: _Envelope | None) -> StackError:
    """What an answer that is no success means, and what to do about it."""
    status, said = answer.status_code, " ".join(connection.redact(answer.text[:2000]).split())[:200]
    if status in (401, 403):
        cause = f"Prometheus answered {status}: {said or 'not allowed'}"
        hint = "Mimir and its kin want the header X-Scope-OrgID" if "org id" in said else "give `bearer` or `basic`"
    elif 300 <= status < 400:
        cause = f"redirected to {answer.headers.get('Location', 'elsewhere').split('?')[0]}"
        hint = "a login page, or a URL prefix is missing: give the address that the API itself has"
    elif status == 404 and url.endswith("/rules"):
        return _no_rules(url, "or its URL prefix, such as /prometheus, is missing")
    elif status == 404:
        cause = "404: this server's API has no such page"
        hint = "is a URL prefix missing, such as /prometheus? Thanos and Mimir have no targets"
    elif envelope is not None and envelope.error:
        cause, hint = f"Prometheus answered {status}: {envelope.error[:500]}", "see the query"
    elif said.startswith("<"):
        cause, hint = f"answered {status} with HTML, not with Prometheus's JSON", "is the URL right?"
    else:
        cause = f"answered {status} with what is not Prometheus's JSON: {said[:80]!r}"
        hint = "is this a Prometheus? it must speak Prometheus's HTTP API"
    return StackError(cause, where=url, hint=hint)


def _no_rules(url: str, why: str) -> StackError:
    return StackError(
        f"this server evaluates no rules: it has no /api/v1/rules ({why})",
        where=url,
        hint="give the address of what evaluates them: Prometheus, the ruler, vmalert",
    )

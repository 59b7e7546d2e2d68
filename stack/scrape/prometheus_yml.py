"""A team's own prometheus.yml, read into frozen scrape jobs.

Only ``global``, ``scrape_configs`` and ``scrape_config_files`` are read. What a drill cannot do is an error that
names the job; an option that changes nothing in a text scrape (``enable_http2``, native histograms) is passed over.
"""

import glob
import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from driftdrill.durations import parse_duration
from driftdrill.stack.connection import Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.job import (
    Access,
    Credential,
    FileDiscovery,
    HttpDiscovery,
    Inline,
    Limits,
    ScrapeJob,
    TargetGroup,
    Tls,
)
from driftdrill.stack.scrape.relabel import Relabel

Given = Mapping[str, Sequence[tuple[str, Mapping[str, str]]]]
"""Targets by job name, for jobs whose discovery cannot be asked: (address, labels), meta labels included."""


_SIZE = re.compile(r"(\d+(?:\.\d+)?)([KMGTPE]i?)?B", re.ASCII)
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class _AsWritten(_Loader):  # type: ignore[misc]
    """Scalars as they stand in the file (``1.0``, ``true``), as a label's value takes them; null is None."""


def _mapping(loader: Any, node: yaml.MappingNode) -> dict[Any, Any]:
    keys = [key.value for key, _ in node.value]
    for i, (key, _) in enumerate(node.value):
        if key.value in keys[:i]:
            raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} is given twice", key.start_mark)
    loader.flatten_mapping(node)
    out: dict[Any, Any] = loader.construct_mapping(node, deep=True)
    return out


for _kind in ("int", "float", "bool", "timestamp"):
    _AsWritten.add_constructor(f"tag:yaml.org,2002:{_kind}", lambda _, node: node.value)
_AsWritten.add_constructor("tag:yaml.org,2002:map", _mapping)
_FLAGS = {
    word: value for words, value in (("y yes true on", True), ("n no false off", False)) for word in words.split()
}


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SETTINGS = _words(
    "job_name scrape_interval scrape_timeout metrics_path scheme params honor_labels honor_timestamps "
    "track_timestamps_staleness sample_limit label_limit label_name_length_limit label_value_length_limit "
    "body_size_limit target_limit keep_dropped_targets scrape_protocols fallback_scrape_protocol "
    "metric_name_validation_scheme metric_name_escaping_scheme enable_compression relabel_configs "
    "metric_relabel_configs static_configs file_sd_configs http_sd_configs scrape_failure_log_file "
    "native_histogram_bucket_limit native_histogram_min_bucket_factor scrape_native_histograms "
    "always_scrape_classic_histograms scrape_classic_histograms convert_classic_histograms_to_nhcb "
    "extra_scrape_metrics"
)
_ACCESS = _words(
    "basic_auth authorization bearer_token bearer_token_file tls_config follow_redirects enable_http2 http_headers"
)
_UNSUPPORTED = _words("oauth2 proxy_url proxy_from_environment proxy_connect_header no_proxy")


@dataclass(frozen=True)
class _Section:
    """A mapping of the file with its place, so that every error can name it."""

    values: Mapping[str, Any]
    where: str
    directory: Path

    def get(self, name: str, default: Any = None) -> Any:
        value = self.values.get(name)
        return default if value is None else value

    def text(self, name: str) -> str | None:
        value = self.get(name)
        if isinstance(value, Mapping | list):
            raise StackError(f"{name} must be a text, got {value!r}", where=self.where)
        return None if value is None else str(value)

    def flag(self, name: str, default: bool) -> bool:
        value = self.text(name)
        if value is not None and value.lower() not in _FLAGS:
            raise StackError(f"{name} must be true or false, got {value!r}", where=self.where)
        return default if value is None else _FLAGS[value.lower()]

    def number(self, name: str) -> int:
        value = self.text(name) or "0"
        if not (value.isascii() and value.isdecimal()):
            raise StackError(f"{name} must be a whole number that is not negative, got {value!r}", where=self.where)
        return int(value)

    def seconds(self, name: str) -> float:
        text = self.text(name)
        try:
            return parse_duration(text) if text is not None else 0.0
        except ValueError as e:
            raise StackError(f"{name}: {e}", where=self.where) from e

    def told(self, make: Any) -> Any:
        try:
            return make()
        except StackError as e:
            raise StackError(e.cause, hint=e.hint, where=self.where) from e

    def sections(self, name: str) -> "list[_Section]":
        value = self.get(name, [])
        if not isinstance(value, list) or not all(isinstance(item, Mapping) for item in value):
            raise StackError(f"{name} must be a list of mappings", where=self.where)
        return [_Section(item, f"{self.where}: {name}[{i}]", self.directory) for i, item in enumerate(value)]

    def section(self, name: str) -> "_Section":
        value = self.get(name, {})
        if not isinstance(value, Mapping):
            raise StackError(f"{name} must be a mapping, got {value!r}", where=self.where)
        return _Section(value, f"{self.where}: {name}", self.directory)

    def path(self, name: str) -> str | None:
        text = self.text(name)
        return str(self.directory / text) if text else None

    def only(self, known: Collection[str]) -> None:
        for name in self.values:
            if name in _UNSUPPORTED:
                raise StackError(f"{name} is not supported", where=self.where)
            if name not in known:
                raise StackError(f"unknown field {name!r}", hint="promtool check config", where=self.where)


def jobs_from_prometheus_yml(
    source: str | Path, *, given: Given | None = None, only: Collection[str] | None = None
) -> tuple[ScrapeJob, ...]:
    """The scrape jobs of a file (a :class:`~pathlib.Path`) or of a configuration's text.

    ``given`` replaces the discovery of the jobs that it names. ``only`` reads these jobs alone, so that the others
    may use anything. Relative paths start at the file's folder. Raises :class:`StackError`, naming file and job,
    for whatever Prometheus 3 would refuse, and for a job whose discovery is neither static, file nor http and
    whose targets are not given.
    """
    given = given or {}
    root = _load(source)
    shared = root.section("global")
    entries = root.sections("scrape_configs")
    for pattern in root.get("scrape_config_files", []):
        for path in sorted(glob.glob(str(root.directory / pattern))):
            entries += _load(Path(path)).sections("scrape_configs")
    jobs: dict[str, ScrapeJob] = {}
    for entry in entries:
        name = entry.text("job_name") or ""
        named = _Section(entry.values, f"{entry.where.partition(':')[0]}: job {name!r}", entry.directory)
        if name in jobs:
            raise StackError("two jobs have this name", where=named.where)
        if only is None or name in only:
            jobs[name] = _job(named, shared, given.get(name))
    for name in (*given, *(only or ())):
        if name not in jobs:
            raise StackError(f"there is no scrape job {name!r}", hint=f"known: {', '.join(jobs)}", where=root.where)
    return tuple(jobs.values())


def _load(source: str | Path) -> _Section:
    where, directory = "prometheus.yml", Path()
    try:
        if isinstance(source, Path):
            where, directory = str(source), source.parent
            source = source.read_text(encoding="utf-8")
        values = yaml.load(source, _AsWritten)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as e:
        raise StackError(f"cannot be read: {e}", where=where) from e
    if not isinstance(values, Mapping):
        raise StackError("expected a mapping with scrape_configs", where=where)
    return _Section(values, where, directory)


def _job(entry: _Section, shared: _Section, given: Sequence[tuple[str, Mapping[str, str]]] | None) -> ScrapeJob:
    groups, discoveries = _discovery(entry, given)
    interval = entry.seconds("scrape_interval") or shared.seconds("scrape_interval") or 60.0
    timeout = entry.seconds("scrape_timeout") or min(shared.seconds("scrape_timeout") or 10.0, interval)
    legacy = (_either(entry, shared, "metric_name_validation_scheme") or "utf8") == "legacy"
    escaping = _either(entry, shared, "metric_name_escaping_scheme")
    protocols = entry.get("scrape_protocols") or shared.get("scrape_protocols")
    optional: dict[str, Any] = {}
    if protocols is not None:  # protobuf is left out of the negotiation: its pages are not text
        optional["protocols"] = tuple(str(p) for p in protocols if p != "PrometheusProto")
    make = lambda: ScrapeJob(  # noqa: E731
        name=entry.text("job_name") or "",
        interval=interval,
        timeout=timeout,
        metrics_path=entry.text("metrics_path") or "/metrics",
        scheme=entry.text("scheme") or "http",
        params=_params(entry),
        groups=groups,
        discoveries=discoveries,
        access=_access(entry),
        honor_labels=entry.flag("honor_labels", False),
        honor_timestamps=entry.flag("honor_timestamps", True),
        track_timestamps_staleness=entry.flag("track_timestamps_staleness", False),
        limits=_limits(entry, shared),
        fallback_protocol=entry.text("fallback_scrape_protocol"),
        legacy_names=legacy,
        escaping=escaping or ("underscores" if legacy else "allow-utf-8"),
        compression=entry.flag("enable_compression", True),
        relabel=tuple(_relabel(rule) for rule in entry.sections("relabel_configs")),
        metric_relabel=tuple(_relabel(rule) for rule in entry.sections("metric_relabel_configs")),
        **optional,
    )
    job: ScrapeJob = entry.told(make)
    return job


def _either(entry: _Section, shared: _Section, name: str) -> str | None:
    return entry.text(name) or shared.text(name)


def parse_size(text: str) -> int:
    """Bytes; ``KB`` and ``KiB`` are both 1024, as in Prometheus. Raises :class:`StackError`."""
    match = _SIZE.fullmatch(text)
    if text == "0":
        return 0
    if match is None:
        raise StackError(f"{text!r} is not a size", hint="like 10MB or 512KB")
    power = " KMGTPE".index((match[2] or " ")[0])
    return int(float(match[1]) * 1024**power)


def _limits(entry: _Section, shared: _Section) -> Limits:
    def number(name: str) -> int:
        return entry.number(name) or shared.number(name)

    size = _either(entry, shared, "body_size_limit")
    return Limits(
        samples=number("sample_limit"),
        labels=number("label_limit"),
        label_name_length=number("label_name_length_limit"),
        label_value_length=number("label_value_length_limit"),
        body_size=entry.told(lambda: parse_size(size or "0")),
        targets=number("target_limit"),
    )


def _params(entry: _Section) -> dict[str, tuple[str, ...]]:
    params = entry.section("params")
    for name, values in params.values.items():
        if not isinstance(values, list):
            raise StackError(f"{name} must be a list", where=params.where)
    return {str(name): tuple(str(v) for v in values) for name, values in params.values.items()}


def _relabel(rule: _Section) -> Relabel:
    rule.only(("action", "source_labels", "separator", "regex", "modulus", "target_label", "replacement"))
    texts = [name for name in rule.values if name not in ("source_labels", "modulus") and rule.get(name) is not None]
    values = {name: rule.text(name) or "" for name in texts}
    sources = rule.get("source_labels", [])
    if not isinstance(sources, list):
        raise StackError("source_labels must be a list", where=rule.where)
    names = tuple(str(name) for name in sources)
    relabel: Relabel = rule.told(lambda: Relabel(source_labels=names, modulus=rule.number("modulus"), **values))
    return relabel


def _discovery(
    entry: _Section, given: Sequence[tuple[str, Mapping[str, str]]] | None
) -> tuple[tuple[TargetGroup, ...], tuple[FileDiscovery | HttpDiscovery, ...]]:
    others = [name for name in entry.values if name.endswith("_sd_configs") and name not in _SETTINGS]
    entry.only({*_SETTINGS, *_ACCESS, *others})
    if given is not None:
        return tuple(TargetGroup((address,), dict(labels)) for address, labels in given), ()
    if others:
        raise StackError(
            f"uses {others[0]}, which a drill cannot ask for targets",
            hint="give the targets of this job by name: address and labels (meta labels included)",
            where=entry.where,
        )
    groups = tuple(target_group(group.values, group.where) for group in entry.sections("static_configs"))
    for address in (address for group in groups for address in group.targets):
        if "/" in address and not entry.get("relabel_configs"):  # relabelling may still make an address of it
            raise StackError(f"{address!r} is not an address", hint="host:port, no scheme or path", where=entry.where)
    files = [_file_discovery(one) for one in entry.sections("file_sd_configs")]
    urls = [_http_discovery(one) for one in entry.sections("http_sd_configs")]
    return groups, (*files, *urls)


def target_group(values: Mapping[str, Any], where: str) -> TargetGroup:
    """One group of ``static_configs`` or of a discovery's answer. Raises :class:`StackError`."""
    targets, labels = values.get("targets") or [], values.get("labels") or {}
    if not isinstance(targets, list) or not isinstance(labels, Mapping) or set(values) - {"targets", "labels"}:
        raise StackError("a target group has a list of targets and a mapping of labels, nothing else", where=where)
    return TargetGroup(tuple(map(str, targets)), {str(n): "" if v is None else str(v) for n, v in labels.items()})


def _file_discovery(entry: _Section) -> FileDiscovery:
    entry.only(("files", "refresh_interval"))
    files = entry.get("files", [])
    for name in files:
        if not str(name).endswith((".json", ".yml", ".yaml")):
            raise StackError(f"{name!r} must end in .json, .yml or .yaml", where=entry.where)
    return FileDiscovery(tuple(str(entry.directory / str(name)) for name in files))


def _http_discovery(entry: _Section) -> HttpDiscovery:
    entry.only({"url", "refresh_interval", *_ACCESS})
    url = entry.text("url") or ""
    if not url.startswith(("http://", "https://")):
        raise StackError(f"url must be http:// or https://, got {url!r}", where=entry.where)
    return HttpDiscovery(url, _access(entry), entry.seconds("refresh_interval") or 60.0)


def _access(entry: _Section) -> Access:
    basic, authorization = entry.section("basic_auth"), entry.section("authorization")
    bearer = _credential(entry, "bearer_token", "bearer_token_file")
    if sum((bool(basic.values), bool(authorization.values), bearer is not None)) > 1:
        raise StackError("at most one of basic_auth, authorization and bearer_token may be given", where=entry.where)
    scheme: tuple[str, Credential] | None = ("Bearer", bearer) if bearer else None
    if authorization.values:
        authorization.only(("type", "credentials", "credentials_file"))
        credential = _credential(authorization, "credentials", "credentials_file")
        kind = (authorization.text("type") or "Bearer").strip()
        if kind.lower() == "basic":
            raise StackError("the type cannot be basic", hint="use basic_auth", where=authorization.where)
        scheme = (kind, credential or Inline(""))
    user: tuple[str | Secret, Credential | None] | None = None
    if basic.values:
        basic.only(("username", "username_file", "password", "password_file"))
        file = basic.path("username_file")
        password = _credential(basic, "password", "password_file")
        user = (Secret(file=file) if file else basic.text("username") or "", password)
    return Access(scheme, user, _headers(entry), _tls(entry), entry.flag("follow_redirects", True))


def _credential(entry: _Section, inline: str, file: str) -> Credential | None:
    text, path = entry.text(inline), entry.path(file)
    if text and path:
        raise StackError(f"at most one of {inline} and {file} may be given", where=entry.where)
    return Inline(text) if text else Secret(file=path) if path else None


def _headers(entry: _Section) -> tuple[tuple[str, str | Credential], ...]:
    headers, out = entry.section("http_headers"), list[tuple[str, str | Credential]]()
    for name in headers.values:
        one = headers.section(name)
        one.only(("values", "secrets", "files"))
        out += [(name, str(value)) for value in one.get("values", [])]
        out += [(name, Inline(str(value))) for value in one.get("secrets", [])]
        out += [(name, Secret(file=str(one.directory / str(path)))) for path in one.get("files", [])]
    return tuple(out)


def _tls(entry: _Section) -> Tls:
    tls = entry.section("tls_config")
    known = ("ca", "ca_file", "cert_file", "key_file", "server_name", "insecure_skip_verify", "min_version")
    tls.only((*known, "max_version"))
    return Tls(
        ca_file=tls.path("ca_file"),
        ca=tls.text("ca"),
        cert_file=tls.path("cert_file"),
        key_file=tls.path("key_file"),
        server_name=tls.text("server_name"),
        insecure_skip_verify=tls.flag("insecure_skip_verify", False),
        min_version=tls.text("min_version"),
        max_version=tls.text("max_version"),
    )

"""A Prometheus configuration as files: prometheus.yml, rule files and credentials. Pure but for reading the latter.

Credentials are files of mode 0600 beside prometheus.yml: on no command line, and not in /api/v1/status/config.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import yaml

from stack.connection import Connection
from stack.duration import format_duration
from stack.errors import StackError
from stack.rulefiles import RuleFile

Files = dict[str, bytes]
"""File name, relative to prometheus.yml, -> content."""


@dataclass(frozen=True)
class ScrapeTarget:
    """One metrics page. ``page`` is its whole URL; ``/metrics`` is assumed where it has no path.

    ``labels`` are added to every series; ``instance`` is ``host:port`` unless given there. ``interval`` is seconds
    between scrapes, None: the server's default.
    """

    page: Connection
    job: str
    labels: Mapping[str, str] = field(default_factory=dict)
    interval: float | None = None


def configuration(
    *,
    targets: Sequence[ScrapeTarget] = (),
    rules: Sequence[RuleFile] = (),
    scrape_interval: float,
    evaluation_interval: float,
    base: Mapping[str, Any] | None = None,
) -> Files:
    """All files of one server; paths in prometheus.yml are relative, so that they hold wherever the folder stands.

    ``base`` is a prometheus.yml to build on: alerting, relabelling, jobs of its own. Intervals are seconds. Raises
    :class:`StackError` for credentials that cannot be read.
    """
    files: Files = {}
    jobs = [_scrape_config(target, number, files) for number, target in enumerate(targets)]
    for number, rule_file in enumerate(rules):
        files[f"rules/{number:03}.yml"] = rule_file.text.encode()
    config = dict(base or {})
    config["global"] = {
        "scrape_interval": format_duration(scrape_interval),
        "evaluation_interval": format_duration(evaluation_interval),
        **config.get("global", {}),
    }
    config["scrape_configs"] = [*config.get("scrape_configs", ()), *jobs]
    config["rule_files"] = [*config.get("rule_files", ()), *sorted(name for name in files if name.startswith("rules/"))]
    files["prometheus.yml"] = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
    return files


def _scrape_config(target: ScrapeTarget, number: int, files: Files) -> dict[str, Any]:
    """One entry of ``scrape_configs``. Each page is one, since credentials belong to the entry; job_name must be
    unique there, so the job is a label of the target, which Prometheus lets win."""
    page = target.page
    parts = urlsplit(page.url)
    out: dict[str, Any] = {
        "job_name": f"{target.job}/{number}",
        "scheme": parts.scheme,
        "metrics_path": parts.path if parts.path.strip("/") else "/metrics",
        "static_configs": [{"targets": [parts.netloc], "labels": {"job": target.job, **target.labels}}],
    }
    if parts.query:
        out["params"] = parse_qs(parts.query, keep_blank_values=True)
    if target.interval is not None:
        out["scrape_interval"] = format_duration(target.interval)

    def kept(name: str, content: bytes) -> str:
        path = f"credentials/{number}-{name}"
        files[path] = content
        return path

    if page.bearer is not None:
        out["authorization"] = {"credentials_file": kept("bearer", page.bearer.reveal().encode())}
    if page.basic is not None:
        user, password = page.basic
        out["basic_auth"] = {"username": user, "password_file": kept("password", password.reveal().encode())}
    pem = {"ca_file": page.ca, "cert_file": page.cert, "key_file": page.key}
    tls = {key: kept(key, _read(path)) for key, path in pem.items() if path}
    if tls:
        out["tls_config"] = tls
    headers: dict[str, Any] = {name: {"values": [value]} for name, value in page.headers.items()}
    for index, (name, secret) in enumerate(page.secret_headers.items()):
        headers[name] = {"files": [kept(f"header{index}", secret.reveal().encode())]}
    if headers:
        out["http_headers"] = headers
    return out


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as e:
        raise StackError(f"certificate file {path}: {e.strerror}", hint="check the path in driftdrill.toml") from e

"""A Prometheus configuration as files: prometheus.yml, rule files and credentials. Pure but for reading the latter.

Credentials are files of mode 0600 beside prometheus.yml: on no command line, and not in /api/v1/status/config.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from driftdrill.durations import format_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.rules.files import RuleFile
from driftdrill.stack.scrape.job import Access, ScrapeJob

Files = dict[str, bytes]
"""File name, relative to prometheus.yml, -> content."""


def configuration(
    *,
    jobs: Sequence[ScrapeJob] = (),
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
    entries = [_scrape_config(job, number, files) for number, job in enumerate(jobs)]
    for number, rule_file in enumerate(rules):
        files[f"rules/{number:03}.yml"] = rule_file.text.encode()
    config = dict(base or {})
    config["global"] = {
        "scrape_interval": format_duration(scrape_interval),
        "evaluation_interval": format_duration(evaluation_interval),
        **config.get("global", {}),
    }
    config["scrape_configs"] = [*config.get("scrape_configs", ()), *entries]
    config["rule_files"] = [*config.get("rule_files", ()), *sorted(name for name in files if name.startswith("rules/"))]
    files["prometheus.yml"] = yaml.safe_dump(config, sort_keys=False, allow_unicode=True).encode()
    return files


def _scrape_config(job: ScrapeJob, number: int, files: Files) -> dict[str, Any]:
    """One entry of ``scrape_configs``. job_name must be unique there, so the job is a label of the target, which
    Prometheus lets win. What is as Prometheus has it by default is left out.

    Raises :class:`StackError` for a job that finds its targets by discovery: those belong to a server of yours.
    """
    if job.discoveries:
        raise StackError(f"scrape job {job.name!r} finds its targets by discovery", hint="name them: static_configs")
    out: dict[str, Any] = {
        "job_name": f"{job.name}/{number}",
        "scheme": job.scheme,
        "metrics_path": job.metrics_path,
        "scrape_interval": format_duration(job.interval),
        "scrape_timeout": format_duration(job.timeout),
        "static_configs": [{"targets": [*g.targets], "labels": {"job": job.name, **g.labels}} for g in job.groups],
    }
    if job.params:
        out["params"] = {name: [*values] for name, values in job.params.items()}
    if job.honor_labels:
        out["honor_labels"] = True
    if job.limits.samples:
        out["sample_limit"] = job.limits.samples
    for key, rules in (("relabel_configs", job.relabel), ("metric_relabel_configs", job.metric_relabel)):
        if rules:
            out[key] = [rule.written() for rule in rules]
    return out | _access(job.access, number, files)


def _access(access: Access, number: int, files: Files) -> dict[str, Any]:
    out: dict[str, Any] = {}

    def kept(name: str, content: bytes) -> str:
        path = f"credentials/{number}-{name}"
        files[path] = content
        return path

    if access.authorization is not None:
        kind, credential = access.authorization
        out["authorization"] = {"type": kind, "credentials_file": kept("bearer", credential.reveal().encode())}
    if access.basic is not None:
        user, password = access.basic
        name = user if isinstance(user, str) else user.reveal()
        secret = password.reveal() if password is not None else ""
        out["basic_auth"] = {"username": name, "password_file": kept("password", secret.encode())}
    pem = {"ca_file": access.tls.ca_file, "cert_file": access.tls.cert_file, "key_file": access.tls.key_file}
    tls = {key: kept(key, _read(path)) for key, path in pem.items() if path}
    if tls:
        out["tls_config"] = tls
    headers: dict[str, Any] = {}
    for index, (name, value) in enumerate(access.headers):
        said = (
            {"values": [value]}
            if isinstance(value, str)
            else {"files": [kept(f"header{index}", value.reveal().encode())]}
        )
        headers[name] = said
    if headers:
        out["http_headers"] = headers
    return out


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError as e:
        raise StackError(f"certificate file {path}: {e.strerror}", hint="check the path in driftdrill.toml") from e

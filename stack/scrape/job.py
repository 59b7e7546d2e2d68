"""What one job of a scrape config says, as frozen values: whom to scrape, how, and what to do with the labels."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qs, urlsplit

from driftdrill.durations import format_duration
from driftdrill.stack.connection import Connection, Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.relabel import Relabel

PROTOCOLS = {
    "OpenMetricsText1.0.0": "application/openmetrics-text;version=1.0.0",
    "OpenMetricsText0.0.1": "application/openmetrics-text;version=0.0.1",
    "PrometheusText1.0.0": "text/plain;version=1.0.0",
    "PrometheusText0.0.4": "text/plain;version=0.0.4",
}


@dataclass(frozen=True)
class Inline:
    """A credential that was written in the file itself; it does not print."""

    value: str = field(repr=False)

    def reveal(self) -> str:
        """The value."""
        return self.value

    def __str__(self) -> str:
        return "a value in the file"


Credential = Secret | Inline


@dataclass(frozen=True)
class Tls:
    """``tls_config``: PEM files or their text, the name to verify, and the versions allowed (``TLS12``)."""

    ca_file: str | None = None
    ca: str | None = None
    cert_file: str | None = None
    key_file: str | None = None
    server_name: str | None = None
    insecure_skip_verify: bool = False
    min_version: str | None = None
    max_version: str | None = None


@dataclass(frozen=True)
class Access:
    """How a client of Prometheus is let in: ``Authorization: <scheme> <credential>`` or basic, headers, TLS."""

    authorization: tuple[str, Credential] | None = None
    basic: tuple[str | Secret, Credential | None] | None = None
    headers: tuple[tuple[str, str | Credential], ...] = ()
    tls: Tls = Tls()
    follow_redirects: bool = True


@dataclass(frozen=True)
class TargetGroup:
    """Addresses that share labels; ``labels`` may hold ``__meta_``, ``__param_`` and other reserved ones."""

    targets: tuple[str, ...]
    labels: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class FileDiscovery:
    """``file_sd_configs``: JSON or YAML files, the last path segment may be a glob."""

    files: tuple[str, ...]


@dataclass(frozen=True)
class HttpDiscovery:
    """``http_sd_configs``: a URL that answers with target groups in JSON."""

    url: str
    access: Access = Access()
    refresh_interval: float = 60.0


@dataclass(frozen=True)
class Limits:
    """What makes a scrape fail when it is exceeded; 0 is no limit. ``body_size`` is in bytes, uncompressed."""

    samples: int = 0
    labels: int = 0
    label_name_length: int = 0
    label_value_length: int = 0
    body_size: int = 0
    targets: int = 0


@dataclass(frozen=True)
class ScrapeJob:
    """One entry of ``scrape_configs`` after the globals were filled in; ``interval`` and ``timeout`` in seconds.

    Raises :class:`StackError` for values that Prometheus refuses.
    """

    name: str
    interval: float = 60.0
    timeout: float = 10.0
    metrics_path: str = "/metrics"
    scheme: str = "http"
    params: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    groups: tuple[TargetGroup, ...] = ()
    discoveries: tuple[FileDiscovery | HttpDiscovery, ...] = ()
    access: Access = Access()
    honor_labels: bool = False
    honor_timestamps: bool = True
    track_timestamps_staleness: bool = False
    limits: Limits = Limits()
    protocols: tuple[str, ...] = tuple(PROTOCOLS)
    fallback_protocol: str | None = None
    legacy_names: bool = False
    escaping: str = "allow-utf-8"
    bounds_as_written: bool = False
    """Whether ``le`` and ``quantile`` are stored as the page has them ("1"), as Prometheus 2 does; 3 stores "1.0"."""
    compression: bool = True
    relabel: tuple[Relabel, ...] = ()
    metric_relabel: tuple[Relabel, ...] = ()

    @property
    def keeps_labels(self) -> bool:
        """Whether its samples may have another ``job`` or ``instance`` than its targets."""
        written = (
            r.action in ("labelmap", "labeldrop", "labelkeep") or r.target_label in ("job", "instance")
            for r in self.metric_relabel
        )
        return self.honor_labels or any(written)

    def __post_init__(self) -> None:
        if not self.name:
            raise StackError("a scrape job needs a job_name")
        where = f"scrape job {self.name!r}"
        if not 0 < self.timeout <= self.interval:
            raise StackError(
                f"scrape_timeout {format_duration(self.timeout)} must be above 0 and not above "
                f"scrape_interval {format_duration(self.interval)}",
                where=where,
            )
        for protocol in (*self.protocols, *filter(None, [self.fallback_protocol])):
            if protocol not in PROTOCOLS:
                known = ", ".join(PROTOCOLS)
                raise StackError(f"unknown scrape protocol {protocol!r}", hint=f"known: {known}", where=where)

    @property
    def fallback_type(self) -> str | None:
        """The media type for pages whose Content-Type says nothing usable, if the job names one."""
        return PROTOCOLS[self.fallback_protocol].partition(";")[0] if self.fallback_protocol else None

    def request_headers(self, timeout: float) -> dict[str, str]:
        """What Prometheus 3 sends with a scrape, but for credentials and User-Agent."""
        accepted, weight = [], 6
        for protocol in self.protocols:
            escaping = f";escaping={self.escaping}" if protocol.endswith("1.0.0") else ""
            accepted.append(f"{PROTOCOLS[protocol]}{escaping};q=0.{weight}")
            weight -= 1
        return {
            "Accept": ",".join([*accepted, f"*/*;q=0.{weight}"]),
            "Accept-Encoding": "gzip" if self.compression else "identity",
            "X-Prometheus-Scrape-Timeout-Seconds": f"{timeout:g}",
        }


def page_job(
    name: str,
    page: Connection,
    *,
    labels: Mapping[str, str] | None = None,
    interval: float = 15.0,
    timeout: float | None = None,
) -> ScrapeJob:
    """A job of one metrics page at its whole URL (``/metrics`` where that has no path), with its credentials.

    ``labels`` are the target's. The time-out is the connection's, but never longer than ``interval``, unless it is
    given.
    """
    headers: list[tuple[str, str | Credential]] = [*page.headers.items(), *page.secret_headers.items()]
    access = Access(
        authorization=("Bearer", page.bearer) if page.bearer else None,
        basic=page.basic,
        headers=tuple(headers),
        tls=Tls(ca_file=page.ca, cert_file=page.cert, key_file=page.key),
    )
    host = f"[{page.host}]" if ":" in page.host else page.host
    parts = urlsplit(page.url)
    return ScrapeJob(
        name=name,
        interval=interval,
        timeout=min(page.timeout, interval) if timeout is None else timeout,
        metrics_path=parts.path if parts.path.strip("/") else "/metrics",
        scheme=parts.scheme,
        params={name: tuple(values) for name, values in parse_qs(parts.query, keep_blank_values=True).items()},
        groups=(TargetGroup((f"{host}:{page.port}",), labels or {}),),
        access=access,
    )

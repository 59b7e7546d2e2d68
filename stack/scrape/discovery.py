"""From the jobs of a configuration to the targets that are scraped: discovery, target relabelling, reserved labels.

Asked once, when the drill starts: a drill's targets do not come and go. Follows scrape/target.go.
"""

import glob
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode

import yaml

from driftdrill.durations import format_duration, parse_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.fetch import Fetcher
from driftdrill.stack.scrape.job import FileDiscovery, HttpDiscovery, ScrapeJob, TargetGroup
from driftdrill.stack.scrape.prometheus_yml import target_group
from driftdrill.stack.scrape.relabel import relabel

DISCOVERY_TIMEOUT = 10.0


@dataclass(frozen=True, eq=False)
class DiscoveredTarget:
    """One address to scrape, equal to itself only.

    ``labels`` are those that its series get, ``url`` holds path and parameters; ``interval`` and
    ``timeout`` are seconds: relabelling may set them for each target.
    """

    job: ScrapeJob
    labels: Mapping[str, str]
    url: str
    interval: float
    timeout: float


def discover(job: ScrapeJob) -> tuple[DiscoveredTarget, ...]:
    """The targets of a job, without those that its relabelling drops; equal ones once.

    Raises :class:`StackError` where a discovery cannot be asked, or a target is one that Prometheus refuses.
    """
    found: dict[tuple[str, tuple[tuple[str, str], ...]], DiscoveredTarget] = {}
    for group in _groups(job):
        for address in group.targets:
            target = _target(job, {**group.labels, "__address__": address})
            if target is not None:
                found.setdefault((target.url, tuple(sorted(target.labels.items()))), target)
    return tuple(found.values())


def _groups(job: ScrapeJob) -> Iterator[TargetGroup]:
    yield from job.groups
    for discovery in job.discoveries:
        yield from _from_files(discovery) if isinstance(discovery, FileDiscovery) else _from_url(discovery)


def _from_files(discovery: FileDiscovery) -> Iterator[TargetGroup]:
    for pattern in discovery.files:
        for path in sorted(glob.glob(pattern)):
            try:
                text = Path(path).read_text(encoding="utf-8")
                groups = json.loads(text) if path.endswith(".json") else yaml.safe_load(text)
            except (OSError, ValueError, yaml.YAMLError) as e:
                raise StackError(f"cannot be read: {e}", where=path) from e
            yield from _labelled(groups, path, {"__meta_filepath": path})


def _from_url(discovery: HttpDiscovery) -> Iterator[TargetGroup]:
    fetcher = Fetcher(discovery.access)
    headers = {
        "Accept": "application/json",
        "X-Prometheus-Refresh-Interval-Seconds": f"{discovery.refresh_interval:g}",
    }
    try:
        answer = fetcher.get(discovery.url, headers, timeout=DISCOVERY_TIMEOUT)
        if answer.status != 200 or answer.content_type.partition(";")[0].strip().lower() != "application/json":
            raise StackError(f"expected 200 and application/json, got {answer.status} and {answer.content_type!r}")
        groups = json.loads(answer.body)
    except (StackError, ValueError) as e:
        raise StackError(f"http service discovery: {e}", where=discovery.url) from e
    finally:
        fetcher.close()
    yield from _labelled(groups, discovery.url, {"__meta_url": discovery.url})


def _labelled(groups: object, where: str, meta: Mapping[str, str]) -> Iterator[TargetGroup]:
    if not isinstance(groups, Sequence) or not all(isinstance(group, Mapping) for group in groups):
        raise StackError("expected a list of target groups", where=where)
    for values in groups:
        group = target_group(values, where)
        yield TargetGroup(group.targets, {**group.labels, **meta})


def _target(job: ScrapeJob, discovered: Mapping[str, str]) -> DiscoveredTarget | None:
    labels = {name: value for name, value in discovered.items() if value}
    defaults = {
        "job": job.name,
        "__scrape_interval__": format_duration(job.interval),
        "__scrape_timeout__": format_duration(job.timeout),
        "__metrics_path__": job.metrics_path,
        "__scheme__": job.scheme,
        **{f"__param_{name}": values[0] for name, values in job.params.items() if values},
    }
    found = relabel({**defaults, **labels}, job.relabel)
    if found is None:
        return None
    where = f"scrape job {job.name!r}, target {discovered['__address__']!r}"
    address = found.get("__address__", "")
    if not address or "/" in address:
        raise StackError(f"{address!r} is not an address", hint="host:port, without scheme or path", where=where)
    try:
        interval = parse_duration(found.get("__scrape_interval__", ""))
        timeout = parse_duration(found.get("__scrape_timeout__", ""))
    except ValueError as e:
        raise StackError(str(e), where=where) from e
    if not 0 < timeout <= interval:
        limits = f"above 0 and not above {format_duration(interval)}"
        raise StackError(f"scrape timeout {format_duration(timeout)} must be {limits}", where=where)
    shown = {name: value for name, value in found.items() if not name.startswith("__")}
    shown.setdefault("instance", address)
    return DiscoveredTarget(job, dict(sorted(shown.items())), _url(job, found), interval, timeout)


def _url(job: ScrapeJob, labels: Mapping[str, str]) -> str:
    params = {name: list(values) for name, values in job.params.items()}
    for name, value in labels.items():
        if name.startswith("__param_"):
            params.setdefault(name.removeprefix("__param_"), [""])[0:1] = [value]
    query = urlencode(sorted(params.items()), doseq=True)
    path = quote(labels.get("__metrics_path__", ""), safe="/$&+,:;=@~")
    path = path if path.startswith("/") or not path else f"/{path}"
    scheme, address = labels.get("__scheme__", "http"), labels["__address__"]
    return f"{scheme}://{address}{path}" + (f"?{query}" if query else "")

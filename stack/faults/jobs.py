"""Faults of a scrape configuration: pure functions ``fault(job) -> job``, as somebody's edit of prometheus.yml.

A fault is in force as a whole while its strength is above 0: a configuration has no halves.
"""

from dataclasses import replace
from typing import ClassVar

import msgspec

from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.kind import DOWN, EMPTIED, within
from driftdrill.stack.scrape.job import ScrapeJob, TargetGroup
from driftdrill.stack.scrape.regex import fullmatch
from driftdrill.stack.scrape.relabel import Relabel


class JobFault(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True, tag_field="type"):
    """What all share."""

    id: ClassVar[str] = ""
    seam: ClassVar[str] = "scrape job"
    visible_from: ClassVar[str] = "scrape"
    on_pages: ClassVar[frozenset[str]] = frozenset({DOWN})

    @property
    def type(self) -> str:
        """The name of this type."""
        return str(self.__struct_config__.tag)

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        """The job with this fault in it. Raises :class:`StackError` for a job that cannot have it."""
        raise NotImplementedError


class WrongPort(JobFault, frozen=True, repr_omit_defaults=True, tag="wrong_port"):
    """Scrape another port of the same host: by default one where nobody listens."""

    id: ClassVar[str] = "mon.wrong_port"
    port: int = 1

    def __post_init__(self) -> None:
        within(self, "port", 1, 65535)

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        if not job.groups:
            raise StackError(f"scrape job {job.name!r} finds its targets by discovery: it has no port of its own")
        groups = (TargetGroup(tuple(self._moved(a) for a in g.targets), g.labels) for g in job.groups)
        return replace(job, groups=tuple(groups))

    def _moved(self, address: str) -> str:
        host, colon, port = address.rpartition(":")
        return f"{host if colon and port.isdecimal() else address}:{self.port}"


class WrongPath(JobFault, frozen=True, repr_omit_defaults=True, tag="wrong_path"):
    """Scrape another path: by default one that answers 404."""

    id: ClassVar[str] = "mon.wrong_path"
    path: str = "/metricz"

    def __post_init__(self) -> None:
        if not self.path.startswith("/"):
            raise StackError(f"WrongPath: path must begin with /, not {self.path!r}", hint="/metricz")

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        return replace(job, metrics_path=self.path)


class RenameJob(JobFault, frozen=True, repr_omit_defaults=True, tag="rename_job"):
    """Give the job another name; what selects the old one finds nothing."""

    id: ClassVar[str] = "mon.job_renamed"
    to: str

    def __post_init__(self) -> None:
        if not self.to:
            raise StackError("RenameJob: to must be a name", hint="RenameJob(to='model-v2')")

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        return replace(job, name=self.to)


class DropByRelabel(JobFault, frozen=True, repr_omit_defaults=True, tag="drop_by_relabel"):
    """A rule of ``metric_relabel_configs`` drops the metrics whose name ``metric`` (RE2, anchored) matches."""

    id: ClassVar[str] = "mon.relabel_drop"
    on_pages: ClassVar[frozenset[str]] = frozenset({EMPTIED})
    metric: str

    def __post_init__(self) -> None:
        fullmatch(self.metric)  # raises for what RE2 refuses

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        rule = Relabel(action="drop", source_labels=("__name__",), regex=self.metric)
        return replace(job, metric_relabel=(*job.metric_relabel, rule))


class FlipHonorLabels(JobFault, frozen=True, repr_omit_defaults=True, tag="flip_honor_labels"):
    """``honor_labels`` the other way: of a label on page and target alike, the other one wins."""

    id: ClassVar[str] = "mon.label_collision"
    on_pages: ClassVar[frozenset[str]] = frozenset({EMPTIED})

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        return replace(job, honor_labels=not job.honor_labels)


class ScrapeInterval(JobFault, frozen=True, repr_omit_defaults=True, tag="scrape_interval"):
    """Scrape every ``interval`` seconds: ranges that hold fewer than two samples then answer nothing."""

    id: ClassVar[str] = "mon.range_too_short"
    interval: float = 60.0

    def __post_init__(self) -> None:
        within(self, "interval", 0.001, unit="seconds")

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        return replace(job, interval=self.interval, timeout=min(job.timeout, self.interval))


class SampleLimit(JobFault, frozen=True, repr_omit_defaults=True, tag="sample_limit"):
    """``sample_limit``: a page of more samples fails as a whole."""

    id: ClassVar[str] = "mon.cardinality"
    samples: int

    def __post_init__(self) -> None:
        within(self, "samples", 1)

    def __call__(self, job: ScrapeJob) -> ScrapeJob:
        return replace(job, limits=replace(job.limits, samples=self.samples))


JOB_FAULTS: tuple[type[JobFault], ...] = (
    WrongPort,
    WrongPath,
    RenameJob,
    DropByRelabel,
    FlipHonorLabels,
    ScrapeInterval,
    SampleLimit,
)

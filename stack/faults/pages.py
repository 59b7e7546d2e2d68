"""Faults of a metrics page: pure functions ``fault(page, strength, rng) -> page`` on Prometheus text or OpenMetrics.

The page stays as it is at strength 0. Between 0 and 1 a fault of series hits those whose draw, by a hash of the
series, lies below the strength (the same ones at every scrape, more as it grows); a fault of whole pages hits that
share of the scrapes. ``metric`` is a family's name or a shell pattern, ``labels`` must be equal; left out, all fit.
A fault that needs to know how the page was when it began is made by ``starting(page)``.
"""

import math
import re
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, ClassVar, Self

import msgspec
from msgspec.structs import replace

from driftdrill.stack.errors import StackError
from driftdrill.stack.exposition.grammar import metadata
from driftdrill.stack.exposition.samples import (
    SUFFIX,
    Sample,
    counters,
    draw,
    form_of,
    lines_of,
    read,
    sample_of,
    written,
)
from driftdrill.stack.faults.kind import DOWN, EMPTIED, REPLACED, STILL, unit_interval, within

if TYPE_CHECKING:
    from numpy.random import Generator

_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*")


class PageFault(msgspec.Struct, frozen=True, kw_only=True, repr_omit_defaults=True, tag_field="type"):
    """What all share: which series."""

    id: ClassVar[str] = ""
    seam: ClassVar[str] = "page"
    visible_from: ClassVar[str] = "scrape"
    on_pages: ClassVar[frozenset[str]] = frozenset({EMPTIED})
    """What it may do to the page, as :mod:`driftdrill.stack.faults.kind` names it."""

    metric: str = ""
    labels: dict[str, str] = {}

    def __call__(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        """The page with this fault at ``strength`` in [0, 1]."""
        return self._apply(page, strength, rng) if unit_interval(strength) else page

    def starting(self, page: bytes) -> Self:
        """This fault as it begins on ``page``."""
        return self

    def delay_at(self, strength: float) -> float:
        """Seconds by which the page comes late."""
        return 0.0

    def _apply(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        out, form = list[bytes](), form_of(page)
        for line in lines_of(page):
            sample = sample_of(line, form)
            if sample is None or not self._fits(sample) or draw(self._drawn(sample)) >= strength:
                out.append(line)
            else:
                out += [changed.line for changed in self._change(sample, strength)]
        return b"\n".join(out)

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        """What stands in place of a sample that is hit."""
        raise NotImplementedError

    def _drawn(self, sample: Sample) -> bytes:
        """What a series' draw is made from."""
        return sample.series

    def _fits(self, sample: Sample) -> bool:
        if self.metric and not any(
            fnmatchcase(name, self.metric) for name in (sample.name, SUFFIX.sub("", sample.name))
        ):
            return False
        return not self.labels or self.labels.items() <= sample.labels().items()

    def _need_names(self, **names: str) -> None:
        for field, name in names.items():
            if not _NAME.fullmatch(name):
                raise StackError(f"{type(self).__name__}: {field} must be a Prometheus name, not {name!r}")


class RenameMetric(PageFault, frozen=True, repr_omit_defaults=True, tag="rename_metric"):
    """Give a metric another name, its suffixes (``_total``, ``_bucket``) and metadata included."""

    id: ClassVar[str] = "mon.metric_renamed"
    to: str

    def __post_init__(self) -> None:
        self._need_names(metric=self.metric, to=self.to)

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        return [sample.renamed(self._renamed(sample.name))]

    def _renamed(self, name: str) -> str:
        return self.to if name == self.metric else self.to + name[len(SUFFIX.sub("", name)) :]

    def _apply(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        page = PageFault._apply(self, page, strength, rng)
        lines, form = lines_of(page), form_of(page)
        for i, line in enumerate(lines):
            if strength == 1 and (meta := metadata(line, form)) and meta.name == self.metric.encode():
                lines[i] = line[: meta.at.start] + self.to.encode() + line[meta.at.stop :]
        return b"\n".join(lines)


class RenameLabel(PageFault, frozen=True, repr_omit_defaults=True, tag="rename_label"):
    """Give a label another name."""

    id: ClassVar[str] = "mon.label_renamed"
    label: str
    to: str

    def __post_init__(self) -> None:
        self._need_names(label=self.label, to=self.to)

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        return [sample.relabelled(self.label, self.to)]


class AddLabel(PageFault, frozen=True, repr_omit_defaults=True, tag="add_label"):
    """Put a label on the page that the scrape sets itself: ``job`` comes out as ``exported_job``, or wins."""

    id: ClassVar[str] = "mon.label_collision"
    label: str = "job"
    value: str = "another"

    def __post_init__(self) -> None:
        self._need_names(label=self.label)

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        return [sample if self.label in sample.labels() else sample.labelled(self.label, self.value)]


class DropSeries(PageFault, frozen=True, repr_omit_defaults=True, tag="drop_series"):
    """Leave series out."""

    id: ClassVar[str] = "mon.relabel_drop"

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        return []


class HideZeros(PageFault, frozen=True, repr_omit_defaults=True, tag="hide_zeros"):
    """Leave counters out that still stand at 0, as a client library does with labels that nobody initialised."""

    id: ClassVar[str] = "mon.counter_born"

    def _apply(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        counter, form = counters(page), form_of(page)
        return b"\n".join(
            line
            for line in lines_of(page)
            if (sample := sample_of(line, form)) is None
            or not (counter(sample) and sample.number() == 0 and self._fits(sample))
            or draw(sample.series) >= strength
        )


class Freeze(PageFault, frozen=True, repr_omit_defaults=True, tag="freeze"):
    """Show values as they were when the fault began, for ever: the thread that set them is dead."""

    id: ClassVar[str] = "mon.stale_gauge"
    on_pages: ClassVar[frozenset[str]] = frozenset({STILL})
    values: dict[str, str] = {}

    def starting(self, page: bytes) -> Self:
        """With the values of ``page``."""
        fit = (sample for _, sample in read(page)[1] if self._fits(sample))
        return replace(self, values={s.series.decode("utf-8", "replace"): s.value.decode("latin-1") for s in fit})

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        frozen = self.values.get(sample.series.decode("utf-8", "replace"))
        return [sample if frozen is None else sample._replace(value=frozen.encode("latin-1"))]


class ResetCounters(PageFault, frozen=True, repr_omit_defaults=True, tag="reset_counters"):
    """Count from zero again, from when the fault began: a restart that nobody noticed."""

    id: ClassVar[str] = "mon.counter_reset"
    on_pages: ClassVar[frozenset[str]] = frozenset({REPLACED})
    values: dict[str, float] = {}

    def starting(self, page: bytes) -> Self:
        """With the counters of ``page``."""
        counter = counters(page)
        fit = (sample for _, sample in read(page)[1] if self._fits(sample) and counter(sample))
        return replace(self, values={s.series.decode("utf-8", "replace"): s.number() for s in fit})

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        start = self.values.get(sample.series.decode("utf-8", "replace"))
        return [sample if start is None else sample._replace(value=written(sample.number() - start))]


class WorkerCounters(PageFault, frozen=True, repr_omit_defaults=True, tag="worker_counters"):
    """Each scrape is answered by one of ``workers`` processes, which counts its own share only.

    What prometheus_client does under several workers without PROMETHEUS_MULTIPROC_DIR. Worker w has counted the share
    (w + 1) / (1 + 2 + … + workers).
    """

    id: ClassVar[str] = "mon.counter_reset"
    on_pages: ClassVar[frozenset[str]] = frozenset({REPLACED, STILL})
    workers: int = 4

    def __post_init__(self) -> None:
        within(self, "workers", 2, 1000, unit="processes")

    def _apply(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        counter = counters(page)
        share = 2 * int(rng.integers(1, self.workers + 1)) / (self.workers * (self.workers + 1))
        lines, shown = read(page)
        for i, sample in shown:
            if counter(sample) and self._fits(sample) and draw(sample.series) < strength:
                number = sample.number() * share
                whole = not sample.name.endswith("_sum") and math.isfinite(number)
                lines[i] = sample._replace(value=written(float(math.floor(number)) if whole else number)).line
        return b"\n".join(lines)


class ExplodeCardinality(PageFault, frozen=True, repr_omit_defaults=True, tag="explode_cardinality"):
    """Add ``series`` times the strength copies of a metric's first series with a value of ``label`` of their own.

    The values are others at every scrape, as those of a user id would be.
    """

    id: ClassVar[str] = "mon.cardinality"
    on_pages: ClassVar[frozenset[str]] = frozenset({DOWN})
    series: int = 10_000
    label: str = "user_id"

    def __post_init__(self) -> None:
        within(self, "series", 1, 10_000_000)
        self._need_names(label=self.label)

    def _apply(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        lines, shown = read(page)
        first = next((sample for _, sample in shown if self._fits(sample)), None)
        if first is None:
            return page
        family = SUFFIX.sub("", first.name)
        end = max(i for i, sample in shown if SUFFIX.sub("", sample.name) == family) + 1
        ids = rng.choice(1 << 40, size=max(1, round(self.series * strength)), replace=False)
        lines[end:end] = [first.labelled(self.label, f"u{n}").line for n in ids]
        return b"\n".join(lines)


class PoisonNaN(PageFault, frozen=True, repr_omit_defaults=True, tag="poison_nan"):
    """Show NaN: as the sum of a histogram does for the life of a process once a NaN was observed."""

    id: ClassVar[str] = "mon.nan_poison"
    on_pages: ClassVar[frozenset[str]] = frozenset({EMPTIED, STILL})

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        return [sample._replace(value=b"NaN")]


class BucketCoverage(PageFault, frozen=True, repr_omit_defaults=True, tag="bucket_coverage"):
    """Leave out the buckets above ``top``, so that what lies beyond falls into +Inf and quantiles stick at ``top``."""

    id: ClassVar[str] = "mon.bucket_coverage"
    top: float

    def _drawn(self, sample: Sample) -> bytes:
        return sample.without("le")  # a histogram is hit as a whole

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        le = sample.labels().get("le", "") if sample.name.endswith("_bucket") else ""
        try:
            return [] if self.top < float(le) < math.inf else [sample]
        except ValueError:
            return [sample]


class SkewTimestamps(PageFault, frozen=True, repr_omit_defaults=True, tag="skew_timestamps"):
    """Show times that are ``seconds`` times the strength ahead (behind where negative), as a wrong clock would.

    Of metrics named ``*_timestamp_seconds`` and ``*_time_seconds``. The clock of a running process cannot be changed
    from outside; these are what alerts see of it.
    """

    id: ClassVar[str] = "sys.clock_skew"
    on_pages: ClassVar[frozenset[str]] = frozenset({REPLACED})
    seconds: float

    def _fits(self, sample: Sample) -> bool:
        return PageFault._fits(self, sample) and sample.name.endswith(("_timestamp_seconds", "_time_seconds"))

    def _drawn(self, sample: Sample) -> bytes:
        return b""

    def _apply(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        lines, shown = read(page)
        for i, sample in shown:
            if self._fits(sample):
                lines[i] = sample._replace(value=written(sample.number() + strength * self.seconds)).line
        return b"\n".join(lines)


class DuplicateLines(PageFault, frozen=True, repr_omit_defaults=True, tag="duplicate_lines"):
    """Show series twice, with another value the second time."""

    id: ClassVar[str] = "mon.bad_exposition"
    on_pages: ClassVar[frozenset[str]] = frozenset({DOWN})

    def _change(self, sample: Sample, strength: float) -> list[Sample]:
        return [sample, sample._replace(value=written(sample.number() + 1))]


class _WholePage(PageFault, frozen=True):
    """Hits a share of the scrapes."""

    on_pages: ClassVar[frozenset[str]] = frozenset({DOWN, EMPTIED})

    def _apply(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        return self._spoil(page, rng) if rng.random() < strength else page

    def _spoil(self, page: bytes, rng: "Generator") -> bytes:
        raise NotImplementedError


class Truncate(_WholePage, frozen=True, repr_omit_defaults=True, tag="truncate"):
    """End the page within a line."""

    id: ClassVar[str] = "mon.bad_exposition"

    def _spoil(self, page: bytes, rng: "Generator") -> bytes:
        names = [m.start() + 1 for m in re.finditer(rb"(?m)^[a-zA-Z_:]{2}", page)]
        return page[: names[int(rng.integers(len(names)))]] if names else page[: len(page) // 2]


class Corrupt(_WholePage, frozen=True, repr_omit_defaults=True, tag="corrupt"):
    """Put bytes into one line that no parser takes for a value."""

    id: ClassVar[str] = "mon.bad_exposition"

    def _spoil(self, page: bytes, rng: "Generator") -> bytes:
        lines, shown = read(page)
        fit = [(i, sample) for i, sample in shown if self._fits(sample)]
        if fit:
            at, sample = fit[int(rng.integers(len(fit)))]
            lines[at] = sample._replace(value=b"\xff<html>").line
        return b"\n".join(lines)


class WrongMetricType(_WholePage, frozen=True, repr_omit_defaults=True, tag="wrong_type"):
    """Declare another type: ``to`` one that there is misleads, any other word makes Prometheus refuse the page."""

    id: ClassVar[str] = "mon.bad_exposition"
    to: str = "timer"

    def _spoil(self, page: bytes, rng: "Generator") -> bytes:
        lines, form = lines_of(page), form_of(page)
        for i, line in enumerate(lines):
            meta = metadata(line, form)
            if meta and meta.kind == b"TYPE" and fnmatchcase(meta.name.decode(), self.metric or "*"):
                lines[i] = b"%s %s" % (line[: meta.at.stop], self.to.encode())
        return b"\n".join(lines)


class SlowPage(PageFault, frozen=True, repr_omit_defaults=True, tag="slow_page"):
    """Answer a scrape ``delay`` seconds late; strength scales the delay. Beyond the scrape's time-out ``up`` is 0."""

    id: ClassVar[str] = "mon.scrape_timeout"
    on_pages: ClassVar[frozenset[str]] = frozenset({DOWN})
    delay: float

    def __post_init__(self) -> None:
        within(self, "delay", 0, 3600, unit="seconds")

    def delay_at(self, strength: float) -> float:
        """Seconds are scaled."""
        return self.delay * unit_interval(strength)

    def _apply(self, page: bytes, strength: float, rng: "Generator") -> bytes:
        return page


AnyPageFault = (
    RenameMetric
    | RenameLabel
    | AddLabel
    | DropSeries
    | HideZeros
    | Freeze
    | ResetCounters
    | WorkerCounters
    | ExplodeCardinality
    | PoisonNaN
    | BucketCoverage
    | SkewTimestamps
    | DuplicateLines
    | Truncate
    | Corrupt
    | WrongMetricType
    | SlowPage
)

PAGE_FAULTS: tuple[type[PageFault], ...] = AnyPageFault.__args__

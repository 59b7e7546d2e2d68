"""One target from scrape to scrape: what a Prometheus server writes for each, stale markers among it.

Follows Prometheus 3 (scrape/scrape.go) where it differs from 2.x: pages without a known Content-Type fail unless the
job names a fallback, names may be UTF-8, ``le`` and ``quantile`` are normalised unless the job leaves them as they are
written, as the drill of an engine of 2.x does, an address gets no default port.
Native histograms are not negotiated: their classic buckets are scraped.
"""

import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from driftdrill.harness.drive.scraping.timestamps import Timestamps
from driftdrill.harness.recording.stale import STALE
from driftdrill.stack.errors import StackError
from driftdrill.stack.exposition.grammar import PageError, SeriesError, media_type
from driftdrill.stack.exposition.page import DROPPED, NOTHING, UNWANTED, PageParser, PageSamples
from driftdrill.stack.scrape.discovery import DiscoveredTarget
from driftdrill.stack.scrape.fetch import Fetcher
from driftdrill.stack.scrape.job import Limits
from driftdrill.stack.scrape.relabel import attach, relabel

REPORTED = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
Ids: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]
_LEGACY_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)
_LEGACY_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)


class SeriesTable:
    """A number for each label set, ``__name__`` among the labels; numbers count from 0 and never change."""

    def __init__(self) -> None:
        self._ids: dict[tuple[tuple[str, str], ...], int] = {}
        self._labels: list[tuple[tuple[str, str], ...]] = []

    def id(self, labels: Mapping[str, str]) -> int:
        """The number of a label set, a new one if it was never seen. The order of labels does not matter."""
        key = tuple(sorted(labels.items()))
        found = self._ids.setdefault(key, len(self._labels))
        if found == len(self._labels):
            self._labels.append(key)
        return found

    def labels(self, id: int) -> dict[str, str]:
        """The labels of a number, sorted by name."""
        return dict(self._labels[id])

    def __len__(self) -> int:
        return len(self._labels)


@dataclass(frozen=True)
class Scrape:
    """What one scrape adds to storage, stale markers and ``up`` among it.

    ``at`` scenario seconds; ``ids`` int64 (k,) of the table; ``values`` float64 (k,), stale markers by
    their bit pattern; ``times`` float64 (k,) scenario seconds of explicit
    timestamps, NaN where none, or None if there are none at all; ``error`` says why ``up`` is 0.
    """

    at: float
    ids: Ids
    values: Floats
    times: Floats | None = None
    error: str | None = None

    def with_stale(self, ids: Ids) -> "Scrape":
        """With a stale marker for each of these series."""
        values = np.concatenate((self.values, np.full(len(ids), STALE)))
        times = None if self.times is None else np.concatenate((self.times, np.full(len(ids), np.nan)))
        return replace(self, ids=np.concatenate((self.ids, ids)), values=values, times=times)


Spoil = Callable[[bytes], bytes]
"""What a fault makes of a page; raises :class:`StackError` where the scrape fails."""


@dataclass(frozen=True, eq=False)
class ScrapeTarget(DiscoveredTarget):
    """A target with its place in time: it is scraped at ``offset`` + k * ``interval`` scenario seconds.

    ``number`` counts the targets of its job.
    """

    offset: float
    number: int = 0


@dataclass(frozen=True)
class _Memory:
    """What the last scrape leaves to the next: the series it showed, when it was, and the newest timestamps."""

    tracked: Ids
    now: float = 0.0
    at: float = 0.0
    timestamps: Timestamps = field(default_factory=Timestamps)


def goes_on(before: ScrapeTarget, after: ScrapeTarget) -> bool:
    """Whether Prometheus keeps what it knows of a target over a reload: only its pace or its sample limit changed."""
    old = replace(
        before.job,
        interval=after.job.interval,
        timeout=after.job.timeout,
        limits=replace(before.job.limits, samples=after.job.limits.samples),
        access=after.job.access,
    )
    return (before.url, before.labels) == (after.url, after.labels) and old == after.job


class Loop:
    """One target from scrape to scrape."""

    def __init__(self, target: ScrapeTarget, table: SeriesTable, fetcher: Fetcher, forced: str | None) -> None:
        self.target, self.fetcher = target, fetcher
        self._table, self._forced = table, forced
        self._begin()
        self._new = 0  # series that this scrape showed first
        self.refused: set[int] = set()
        """Series of which samples were not taken, for timestamps of their own that lie too far away or go back."""
        self.behind: dict[int, float] = {}
        """Series -> the most scenario seconds by which a stored sample's own timestamp lay before its scrape."""
        self._reported = np.array([table.id({"__name__": name, **target.labels}) for name in REPORTED], np.int64)
        self._headers = target.job.request_headers(target.timeout)

    def _begin(self) -> None:
        self._parser = PageParser(self._resolve, as_written=self.target.job.bounds_as_written)
        self._memory = self._before = _Memory(np.empty(0, np.int64))
        self._at: float | None = None
        self._fresh: tuple[bytes, ...] = ()

    def adopt(self, before: "Loop") -> None:
        """Go on where another loop is: what it knows of series, and what may become stale."""
        self._memory = self._before = before._memory
        self._parser = before._parser.copy(self._resolve)

    def end(self) -> Ids:
        """Begin anew; the numbers of the series that lived until now."""
        lived = np.concatenate((self._memory.tracked, self._reported))
        self._begin()
        return lived

    def scrape(self, at: float, spoil: Spoil = bytes) -> Scrape:
        """One scrape, its page as ``spoil`` makes it; again for the same ``at``, it replaces the one before."""
        if self._at is not None and at == self._at:
            self._memory = self._before
            self._parser.forget(self._fresh)
        self._at, self._before, self._new = at, self._memory, 0
        started, now = time.monotonic(), time.time()
        samples, error = self._samples(spoil)
        kept = samples.ids != DROPPED
        offered = kept & ~_repeated(samples)
        limit = self.target.job.limits.samples
        taken = offered & (np.cumsum(offered) <= limit) if limit else offered
        if error is None and (taken != offered).any():
            error = f"sample_limit of {limit} exceeded"
        taken, stored, times = self._store(samples, taken, now, at, error is None)
        self._parser.forget(key for i, key in samples.fresh.items() if not taken[i])
        self._fresh = tuple(samples.fresh.values())
        stale = self._stale(samples, taken, now, at, error is None)
        counts = (samples.scraped, int(kept.sum()), int(taken[list(samples.fresh)].sum()))
        report = np.array([float(error is None), time.monotonic() - started, *counts])
        ids = np.concatenate((samples.ids[stored], stale, self._reported))
        values = np.concatenate((samples.values[stored], np.full(len(stale), STALE), report))
        if times is not None:
            times = np.concatenate((times[stored], np.full(len(ids) - int(stored.sum()), np.nan)))
        return Scrape(at, ids, values, times, error)

    def _store(
        self, samples: PageSamples, taken: Mask, now: float, at: float, commit: bool
    ) -> tuple[Mask, Mask, Floats | None]:
        """Which samples are taken, which of those are stored, and at which times if any has its own."""
        memory, times = self._memory, None
        if samples.stamps is None and not memory.timestamps.explicit:
            stored = taken & _first_of_each(samples.ids)
        else:
            before = memory.timestamps
            if not before.explicit:
                before = before.passed(memory.tracked, now=memory.now, at=memory.at)
            found = before.take(samples, taken, now=now, at=at)
            taken, stored, times = taken & ~found.refused, found.stored, found.times
            self.refused.update(samples.ids[found.refused].tolist())
            for i in np.flatnonzero(found.stored & (found.times < at)).tolist():
                # No rule is evaluated before 0: what lies there was seen by none too early.
                behind = at - max(0.0, float(found.times[i]))
                self.behind[int(samples.ids[i])] = max(behind, self.behind.get(int(samples.ids[i]), 0.0))
            if commit:
                self._memory = replace(memory, timestamps=found.timestamps)
        return taken, stored if commit else np.zeros_like(stored), times

    def _stale(self, samples: PageSamples, taken: Mask, now: float, at: float, commit: bool) -> Ids:
        """Series of the last scrape that are gone: after a failure, those that its page did not show before it."""
        memory, stamps = self._memory, samples.stamps
        if stamps is not None and not self.target.job.track_timestamps_staleness:
            taken = taken & np.isnan(stamps)
        seen = np.unique(samples.ids[taken])
        stale = np.setdiff1d(memory.tracked, seen, assume_unique=True)
        if memory.timestamps.explicit:
            stale = stale[memory.timestamps.behind(stale, now=now)]
        if not commit:  # what only a failed scrape showed was never stored
            seen = np.intersect1d(memory.tracked, seen, assume_unique=True)
        self._memory = _Memory(seen, now, at, memory.timestamps.passed(stale, now=now, at=at))
        return stale

    def _samples(self, spoil: Spoil) -> tuple[PageSamples, str | None]:
        if self._forced is not None:
            return NOTHING, self._forced
        target = self.target
        try:
            limit = target.job.limits.body_size
            answer = self.fetcher.get(target.url, self._headers, timeout=target.timeout, limit=limit)
            if answer.status != 200:
                raise StackError(f"server returned HTTP status {answer.status} {answer.reason}")
            if not answer.body:
                return NOTHING, None
            form = media_type(answer.content_type, target.job.fallback_type)
            samples = self._parser.parse(spoil(answer.body), form)
            return (samples if target.job.honor_timestamps else replace(samples, stamps=None)), samples.error
        except (StackError, PageError) as e:
            return NOTHING, str(e)

    def _resolve(self, labels: Mapping[str, str]) -> int:
        """The number of a series after relabelling, DROPPED, or UNWANTED once new ones alone exceed the sample limit.

        Raises :class:`SeriesError`.
        """
        job = self.target.job
        found = relabel(attach(labels, self.target.labels, honor_labels=job.honor_labels), job.metric_relabel)
        if not found:
            return DROPPED
        name = found.get("__name__")
        if name is None:
            raise SeriesError("missing metric name (__name__ label)")
        if job.legacy_names and not (
            _LEGACY_NAME.fullmatch(name) and all(_LEGACY_LABEL.fullmatch(label) for label in found)
        ):
            raise SeriesError(f"invalid metric name or label names: {found}")
        _check_limits(found, name, job.limits)
        self._new += 1
        return UNWANTED if self._new > job.limits.samples > 0 else self._table.id(found)


def _repeated(samples: PageSamples) -> Mask:
    """Of a series that stands twice on a page, the first counts, unless timestamps tell the samples apart."""
    repeated = np.zeros(len(samples.ids), np.bool_)
    repeated[samples.repeats] = True
    return repeated if samples.stamps is None else repeated & np.isnan(samples.stamps)


def _first_of_each(ids: Ids) -> Mask:
    """Where labels were relabelled away, several lines may be one series: the first counts."""
    first = np.zeros(len(ids), np.bool_)
    first[np.unique(ids, return_index=True)[1]] = True
    return first


def _check_limits(labels: Mapping[str, str], name: str, limits: Limits) -> None:
    if limits.labels and len(labels) > limits.labels:
        raise SeriesError(f"label_limit of {limits.labels} exceeded by {name:.50}: {len(labels)} labels")
    for label, value in labels.items():
        if limits.label_name_length and len(label.encode()) > limits.label_name_length:
            raise SeriesError(f"label_name_length_limit of {limits.label_name_length} exceeded by {label:.50}")
        if limits.label_value_length and len(value.encode()) > limits.label_value_length:
            raise SeriesError(f"label_value_length_limit of {limits.label_value_length} exceeded by {label:.50}")

"""The scraper of virtual time: what a Prometheus server writes for each scrape, at times that drive chooses.

Follows Prometheus 3 (scrape/scrape.go) where it differs from 2.x: pages without a known Content-Type fail unless the
job names a fallback, names may be UTF-8, ``le`` and ``quantile`` are normalised, an address gets no default port.
Targets are discovered once. Native histograms are not negotiated: their classic buckets are scraped.
"""

import hashlib
import math
import re
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from harness.drive.recording import STALE
from stack.discovery import DiscoveredTarget, discover
from stack.errors import StackError
from stack.exposition import PageError, SeriesError, media_type
from stack.fetch import Fetcher
from stack.page import DROPPED, NOTHING, PageParser, Samples
from stack.relabel import attach, relabel
from stack.scrapejob import Limits, ScrapeJob

REPORTED = (
    "up",
    "scrape_duration_seconds",
    "scrape_samples_scraped",
    "scrape_samples_post_metric_relabeling",
    "scrape_series_added",
)
GRIDS = (1000, 500, 200, 100, 50, 20, 10, 5, 2, 1)  # milliseconds; coarse offsets make promtool's work small
OLDEST, NEWEST = 3600.0, 600.0  # seconds: how far explicit timestamps may lie behind (half a block) and ahead
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

    ``at`` scenario seconds; ``ids`` int64 (k,) of the table; ``values`` float64 (k,), stale markers being
    :data:`harness.drive.recording.STALE` by bit pattern; ``times`` float64 (k,) scenario seconds of explicit
    timestamps, NaN where none, or None if there are none at all; ``error`` says why ``up`` is 0.
    """

    at: float
    ids: Ids
    values: Floats
    times: Floats | None = None
    error: str | None = None


@dataclass(frozen=True, eq=False)
class ScrapeTarget(DiscoveredTarget):
    """A target with its place in time: it is scraped at ``offset`` + k * ``interval`` scenario seconds."""

    offset: float


class Scraper:
    """Scrapes the targets of jobs; one thread or greenlet at a time. Close it, or use it as a context manager."""

    def __init__(
        self,
        jobs: Sequence[ScrapeJob],
        *,
        evaluation_intervals: Iterable[float],
        table: SeriesTable | None = None,
    ) -> None:
        """Discovers the targets. ``evaluation_intervals`` are those of the rule groups, in seconds.

        Raises :class:`StackError` for a discovery that cannot be asked or a target that cannot be scraped at all.
        """
        self.table = table if table is not None else SeriesTable()
        self._loops: dict[ScrapeTarget, _Loop] = {}
        evaluations = tuple(evaluation_intervals)
        self._fetchers = [Fetcher(job.access) for job in jobs]
        for job, fetcher in zip(jobs, self._fetchers, strict=True):
            found = discover(job)
            limit, forced = job.limits.targets, None
            if limit and len(found) > limit:
                forced = f"target_limit exceeded (number of targets: {len(found)}, limit: {limit})"
            for one, offset in zip(found, offsets(found, evaluations), strict=True):
                target = ScrapeTarget(one.job, one.labels, one.url, one.interval, one.timeout, offset)
                self._loops[target] = _Loop(target, self.table, fetcher, forced)

    @property
    def targets(self) -> tuple[ScrapeTarget, ...]:
        """In the order of jobs and of their discovery."""
        return tuple(self._loops)

    def scrape(self, target: ScrapeTarget, at: float) -> Scrape:
        """Scrapes a target now and dates the samples ``at`` scenario seconds.

        Returns within the target's scrape time-out, whatever the target does; its failures are ``up`` = 0 and
        ``error``, never an exception. Scraping again for the same ``at`` replaces the result before it.
        """
        return self._loops[target].scrape(at)

    def close(self) -> None:
        """Closes the connections."""
        for fetcher in self._fetchers:
            fetcher.close()

    def __enter__(self) -> "Scraper":
        return self

    def __exit__(self, *exc: object) -> None:
        self.close()


def offsets(targets: Sequence[DiscoveredTarget], evaluation_intervals: Iterable[float]) -> tuple[float, ...]:
    """When each target is first scraped, in seconds: above 0, below its interval, hashed from its labels.

    On whole seconds where intervals allow, so that no scrape ever meets an evaluation (at k * evaluation interval).
    Raises :class:`StackError` where intervals leave no room between evaluations.
    """
    evaluations = [round(1000 * seconds) for seconds in evaluation_intervals]
    return tuple(_offset(target, evaluations) / 1000 for target in targets)


def _offset(target: DiscoveredTarget, evaluations: Sequence[int]) -> int:
    interval = round(1000 * target.interval)
    meets = [math.gcd(interval, evaluation) for evaluation in evaluations]
    text = "\0".join(f"{name}\0{value}" for name, value in sorted(target.labels.items()))
    drawn = int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big")
    for grid in GRIDS:
        places = (interval - 1) // grid  # grid, 2 grid, ... below the interval
        for step in range(places):
            offset = grid * (1 + (drawn + step) % places)
            if all(offset % period for period in meets):
                return offset
    raise StackError(
        f"a scrape interval of {target.interval:g} s leaves no moment between evaluations",
        hint="lengthen scrape_interval or evaluation_interval",
    )


class _Loop:
    """One target's memory between scrapes: its parser's cache and the series that the last scrape showed."""

    def __init__(self, target: ScrapeTarget, table: SeriesTable, fetcher: Fetcher, forced: str | None) -> None:
        self._target, self._table, self._fetcher, self._forced = target, table, fetcher, forced
        self._parser = PageParser(self._resolve)
        self._tracked = np.empty(0, np.int64)
        self._clock: _Clock | None = None  # only where pages have timestamps
        self._last = 0.0  # wall clock of the last scrape
        self._at: float | None = None
        self._before: tuple[Ids, _Clock | None] = (self._tracked, None)
        self._reported = np.array([table.id({"__name__": name, **target.labels}) for name in REPORTED], np.int64)
        self._headers = target.job.request_headers(target.timeout)

    def scrape(self, at: float) -> Scrape:
        if at == self._at:
            self._tracked, self._clock = self._before
            self._parser.forget_fresh()
        self._at, self._before = at, (self._tracked, self._clock)
        started, now = time.monotonic(), time.time()
        samples, error = self._samples()
        job = self._target.job
        stamps = samples.stamps if job.honor_timestamps else None
        kept = samples.ids != DROPPED
        within = np.cumsum(kept) <= job.limits.samples if job.limits.samples else np.ones_like(kept)
        error = samples.error or error
        if error is None and not within.all():
            error = f"sample_limit of {job.limits.samples} exceeded"
        taken = kept & within
        stored = taken & _first_of_each(samples.ids, stamps)
        if stamps is not None or self._clock is not None:
            clock = self._clock or _Clock(dict.fromkeys(self._tracked.tolist(), (self._last, math.nan)))
            refused, repeated, self._clock = clock.take(samples, stamps, stored, now)
            taken, stored = taken & ~refused, stored & ~refused & ~repeated
        tracked = taken if stamps is None or job.track_timestamps_staleness else taken & np.isnan(stamps)
        seen = np.unique(samples.ids[tracked])
        stale = np.setdiff1d(self._tracked, seen, assume_unique=True)
        if error is not None:  # nothing of the page is stored, but what stood before the fault is not stale either
            stored, self._clock = np.zeros_like(stored), self._before[1]
        if self._clock is not None:
            self._clock = self._clock.passed(stale, now)
        self._tracked, self._last = seen, now
        counts = (samples.scraped, int(kept.sum()), int(taken[samples.fresh].sum()))
        report = np.array([float(error is None), time.monotonic() - started, *counts])
        ids = np.concatenate((samples.ids[stored], stale, self._reported))
        values = np.concatenate((samples.values[stored], np.full(len(stale), STALE), report))
        times = None
        if stamps is not None and stored.any():
            times = np.full(len(ids), np.nan)
            times[: int(stored.sum())] = at + (stamps[stored] / 1000 - now)
        return Scrape(at, ids, values, times, error)

    def _samples(self) -> tuple[Samples, str | None]:
        if self._forced is not None:
            return NOTHING, self._forced
        target = self._target
        try:
            limit = target.job.limits.body_size
            answer = self._fetcher.get(target.url, self._headers, timeout=target.timeout, limit=limit)
            if answer.status != 200:
                raise StackError(f"server returned HTTP status {answer.status} {answer.reason}")
            if not answer.body:
                return NOTHING, None
            form = media_type(answer.content_type, target.job.fallback_type)
            return self._parser.parse(answer.body, form), None
        except (StackError, PageError) as e:
            return NOTHING, str(e)

    def _resolve(self, labels: Mapping[str, str]) -> int:
        """The number of a series after relabelling, or DROPPED. Raises :class:`SeriesError`."""
        job = self._target.job
        found = relabel(attach(labels, self._target.labels, honor_labels=job.honor_labels), job.metric_relabel)
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
        return self._table.id(found)


def _first_of_each(ids: Ids, stamps: Floats | None) -> Mask:
    """Of a series that stands twice on a page, the first counts, unless timestamps tell the samples apart."""
    first = np.zeros(len(ids), np.bool_)
    first[np.unique(ids, return_index=True)[1]] = True
    return first if stamps is None else first | ~np.isnan(stamps)


class _Clock:
    """What storage makes of explicit timestamps: it takes a series' samples only forwards in time.

    Holds each series' last time (seconds of the wall clock) and value. Its methods leave it as it is.
    """

    def __init__(self, last: dict[int, tuple[float, float]]) -> None:
        self._last = last

    def take(self, samples: Samples, stamps: Floats | None, offered: Mask, now: float) -> "tuple[Mask, Mask, _Clock]":
        """Which of the ``offered`` samples are refused, which repeat what is stored, and the clock after them."""
        refused, repeated, last = np.zeros_like(offered), np.zeros_like(offered), dict(self._last)
        for i in np.flatnonzero(offered).tolist():
            series, value = int(samples.ids[i]), float(samples.values[i])
            t = now if stamps is None or np.isnan(stamps[i]) else float(stamps[i]) / 1000
            before, same = self._last.get(series, (-math.inf, math.nan))
            refused[i] = not (now - OLDEST <= t <= now + NEWEST and (t > before or (t == before and value == same)))
            repeated[i] = t <= last.get(series, (-math.inf, 0.0))[0]
            if not (refused[i] or repeated[i]):
                last[series] = (t, value)
        return refused, repeated, _Clock(last)

    def passed(self, stale: Ids, now: float) -> "_Clock":
        """The clock after stale markers at the time of the scrape."""
        return _Clock(self._last | dict.fromkeys(stale.tolist(), (now, math.nan)))


def _check_limits(labels: Mapping[str, str], name: str, limits: Limits) -> None:
    if limits.labels and len(labels) > limits.labels:
        raise SeriesError(f"label_limit of {limits.labels} exceeded by {name:.50}: {len(labels)} labels")
    for label, value in labels.items():
        if limits.label_name_length and len(label.encode()) > limits.label_name_length:
            raise SeriesError(f"label_name_length_limit of {limits.label_name_length} exceeded by {label:.50}")
        if limits.label_value_length and len(value.encode()) > limits.label_value_length:
            raise SeriesError(f"label_value_length_limit of {limits.label_value_length} exceeded by {label:.50}")

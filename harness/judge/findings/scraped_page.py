"""What the scrapes of one metrics page showed, laid out scrape by scrape."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from driftdrill.durations import rounded_duration
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import Phase

RUNTIME = re.compile(r"(process|python|go|jvm|node|container|machine)_.*")
"""Metrics of what runs a service: they move, or stand still, whatever is asked of it."""
OURS = "driftdrill"
"""The job of the drill's own page."""
REPORTED = ("up", "scrape_duration_seconds", "scrape_samples_scraped", "scrape_series_added")
EXPECTED = "scrape_samples_post_metric_relabeling"
OFTEN = 3
"""Moves from which on a metric counts as one that moves."""

Ints: TypeAlias = npt.NDArray[np.int64]
Floats: TypeAlias = npt.NDArray[np.float64]
Mask: TypeAlias = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class ScrapedPage:
    """What one target's successful scrapes showed; ``at`` (k,) are their scenario milliseconds."""

    job: str
    instance: str
    interval: float
    up: Samples | None
    series: tuple[Samples, ...]
    expected: Samples | None
    answered: Floats
    """Scenario seconds at which a request was answered, in order."""
    explicit: bool
    """Whether its series carry the labels of its target, so that all of them are known."""

    @property
    def name(self) -> str:
        return f"target job={self.job!r} instance={self.instance!r}"

    @cached_property
    def names(self) -> frozenset[str]:
        """Every metric that it had, those of the scrape itself among them."""
        return frozenset({*(s.labels.get("__name__", "") for s in self.series), *REPORTED, EXPECTED})

    @cached_property
    def at(self) -> npt.NDArray[np.int64]:
        assert self.up is not None
        return np.asarray(self.up.times[self.up.values == 1])

    @cached_property
    def values(self) -> list[tuple[str, Floats]]:
        """(name, value at each scrape) of each series, NaN where a scrape did not show it."""
        out = []
        for s in self.series:
            row, shown = np.full(len(self.at), np.nan), ~s.stale
            times, values = s.times[shown], s.values[shown]
            # One with a timestamp of its own is of the first scrape after it.
            place = np.searchsorted(self.at, times)
            inside = place < len(self.at)
            row[place[inside]] = values[inside]
            out.append((s.labels.get("__name__", ""), row))
        return out

    @cached_property
    def shown(self) -> Mapping[str, Mask]:
        """Metric name -> whether each scrape had a sample of it, NaN too."""
        out: dict[str, Mask] = {}
        for s in self.series:
            seen = np.isin(self.at, s.times[~s.stale]) | (
                np.diff(np.searchsorted(s.times[~s.stale], self.at, side="right"), prepend=0) > 0
            )
            name = s.labels.get("__name__", "")
            out[name] = out.get(name, np.zeros(len(self.at), np.bool_)) | seen
        return out

    def has_own_times(self, s: Samples) -> bool:
        """Whether a series has timestamps of its own: samples that lie at no scrape."""
        assert self.up is not None
        return not np.isin(s.times, self.up.times).all()

    def is_like(self, other: "ScrapedPage") -> bool:
        """Whether another page shows the same metrics for the most part, as a replica's does."""
        ours, theirs = ({n for n in p.names if not RUNTIME.fullmatch(n)} for p in (self, other))
        return 2 * len(ours & theirs) > len(ours | theirs)

    def inside(self, phase: Phase) -> Mask:
        return np.asarray((self.at >= phase.start * 1000) & (self.at < phase.end * 1000))

    def within(self, k: int, phases: Mapping[str, Phase]) -> list[Phase]:
        return [p for p in phases.values() if p.start * 1000 <= self.at[k] < p.end * 1000]

    @cached_property
    def fell(self) -> list[int]:
        """The scrapes at which at least half of the counters above zero fell."""
        down, above = np.zeros(len(self.at)), np.zeros(len(self.at))
        for name, row in self.values:
            if self._counts(name):
                before = np.concatenate(([np.nan], row[:-1]))
                above += (before > 0) & ~np.isnan(row)
                down += row < before
        return [int(k) for k in np.flatnonzero((down > 0) & (2 * down >= above))]

    def _counts(self, name: str) -> bool:
        """Whether a metric is a counter by its name, and no gauge that is called a count."""
        return name.endswith("_total") or (
            name.endswith("_count") and f"{name.removesuffix('_count')}_sum" in self.names
        )

    def fallen(self, k: int) -> str:
        """A counter that fell at a scrape, one of requests if there is one."""
        names = {n for n, row in self.values if self._counts(n) and k and row[k] < row[k - 1]}
        return min(names, key=lambda n: ("request" not in n, n))

    @cached_property
    def moved(self) -> tuple[Mask, Mask]:
        """Whether a scrape showed what moves at times, and whether any of that moved since the scrape before.

        The runtime's is left out; and one gauge alone, whose standing still may be its value, tells nothing.
        """
        shown, moved = np.zeros(len(self.at), np.bool_), np.zeros(len(self.at), np.bool_)
        names = set()
        for name, row in self.values:
            before = np.concatenate((row[:1], row[:-1]))
            steps = ~np.isnan(row) & (row != before)
            if RUNTIME.fullmatch(name) or not (steps & ~np.isnan(before)).any():
                continue
            shown |= ~np.isnan(row)
            moved |= steps
            names |= {name} if steps.sum() >= OFTEN else set()
        if len(names) < 2 and not any(map(self._counts, names)):
            return np.zeros_like(shown), np.zeros_like(moved)
        return shown, moved

    def still_since(self, inside: Mask) -> tuple[int, str]:
        """(the scrape from which on every series stood still to the last of these, a counter of requests among them);
        "" where no counter says by its name that it counts requests.

        The runtime's are left out: a process goes on, whatever it shows of its service.
        """
        since, counters = 0, set()
        for name, row in self.values:
            seen = row[inside]
            if RUNTIME.fullmatch(name) or np.isnan(seen).all():
                continue
            moved = (seen[1:] != seen[:-1]) & ~(np.isnan(seen[1:]) & np.isnan(seen[:-1]))
            since = max([since, *(np.flatnonzero(moved) + 1).tolist()])
            there = not np.isnan(seen[-1])
            counters |= {name} if there and self._counts(name) and counts_requests(name) else set()
        return since, min(counters, default="")

    def counts_what_is_asked(self, inside: Mask) -> bool:
        """Whether a counter of requests, by its name, moved over these scrapes."""
        return any(
            counts_requests(name) and (np.diff(row[inside][~np.isnan(row[inside])]) > 0).any()
            for name, row in self.values
        )

    @cached_property
    def asked(self) -> npt.NDArray[np.int64]:
        """Requests answered since the scrape before; (k,)."""
        return np.asarray(np.diff(np.searchsorted(self.answered, self.at / 1000), prepend=0))

    def when(self, k: int) -> str:
        """The moment of a scrape, as a reader is told it."""
        return rounded_duration(float(self.at[k]) / 1000)

    def ends_down(self, phase: Phase) -> bool:
        assert self.up is not None
        inside = (self.up.times >= phase.start * 1000) & (self.up.times < phase.end * 1000)
        return bool(inside.any()) and self.up.values[inside][-1] != 1


_REQUESTS = re.compile(r"(.*_)?(requests?|predictions?|inferences?)(_.*)?_(total|count)")
_NOT_THEM = re.compile(r".*(size|byte|error|fail|reject|refuse|invalid|scrape|duration_|latency|_seconds|time_).*")


def counts_requests(name: str) -> bool:
    """Whether a metric counts requests, by its name."""
    return bool(_REQUESTS.fullmatch(name)) and not _NOT_THEM.fullmatch(name.removesuffix("_count"))


def scraped_pages(meta: Meta, samples: Sequence[Samples], requests: Requests | None) -> list[ScrapedPage]:
    """The pages that were scraped at all, but for the drill's own."""
    by: dict[tuple[str, str], list[Samples]] = {}
    for s in samples:
        by.setdefault(page_key(s.labels), []).append(s)
    ours = {(str(m.get("job")), str(m.get("instance"))) for m in meta.target.get("metrics") or []}
    answered = np.empty(0) if requests is None else _answered(meta, requests)
    intervals = meta.scrape_intervals or [meta.scrape_interval] * len(meta.targets)
    out = []
    for target, interval in zip(meta.targets, intervals, strict=False):
        found = {s.labels.get("__name__", ""): s for s in by.get(page_key(target), [])}
        if "up" in found and target.get("job") != OURS:
            own = (s for s in by[page_key(target)] if s.labels.get("__name__") not in (*REPORTED, EXPECTED))
            series = tuple(s for s in own if len(s.times))
            job, instance = page_key(target)
            explicit = bool(series) or (job, instance) in ours
            out.append(
                ScrapedPage(job, instance, interval, found["up"], series, found.get(EXPECTED), answered, explicit)
            )
    return out


def _answered(meta: Meta, requests: Requests) -> Floats:
    good = (requests.status >= 200) & (requests.status < 300)
    took = requests.late + requests.took if meta.clock == "wall" else 0.0
    return np.sort((requests.intended + took)[good])


def page_key(labels: Mapping[str, str]) -> tuple[str, str]:
    """(job, instance), which tells one page from another."""
    return labels.get("job", ""), labels.get("instance", "")

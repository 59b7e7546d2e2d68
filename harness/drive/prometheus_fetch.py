"""On the wall clock a real Prometheus scrapes and evaluates; this fetches what it has into the recording.

Range selectors in an instant query answer raw samples with their own timestamps. The query API drops stale
markers, so they are rebuilt: a series without a sample at one of its target's ``up`` timestamps, which had
one at the timestamp before, became stale there.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from driftdrill.harness.recording.stale import STALE
from driftdrill.harness.recording.writer import Writer
from driftdrill.stack.prometheus.api import Server, query

Labels = tuple[tuple[str, str], ...]
Points = list[tuple[float, float]]
OVERLAP = 30.0
"""Seconds that each fetch reaches back before the last one's end: late appends are not lost."""


@dataclass
class PrometheusFetch:
    """Fetches in steps; each step appends what is new since the last."""

    server: Server
    jobs: frozenset[str]
    """Names of the jobs whose samples are fetched; all if empty."""
    recorded: frozenset[str]
    """Names that recording rules make."""
    started_at: float
    """Unix time of scenario second 0."""
    ids: dict[Labels, int] = field(default_factory=dict)
    last: dict[int, float] = field(default_factory=dict)
    upto: float = -60.0
    not_recorded: set[str] = field(default_factory=set)
    """Names of native histograms, which a recording has no form for."""
    alive: set[int] = field(default_factory=set)
    """Series that had a sample at their target's last scrape."""

    def step(self, writer: Writer, now: float) -> None:
        """Append every sample up to scenario second ``now``. Raises :class:`driftdrill.stack.errors.StackError`."""
        span = max(1.0, now - self.upto + OVERLAP)
        jobs = "|".join(re.escape(name) for name in sorted(self.jobs)) or ".+"
        raw = self._new(f'{{job=~"{_quoted(jobs)}"}}', span, now, skip=self.recorded | {"ALERTS", "ALERTS_FOR_STATE"})
        self._mark_stale(raw)
        self._write(writer, "samples", raw)
        made = self._new("ALERTS", span, now)
        if self.recorded:
            made |= self._new(f'{{__name__=~"{_quoted("|".join(sorted(self.recorded)))}"}}', span, now)
        self._write(writer, "alerts", made)
        self.upto = now

    def _new(self, selector: str, span: float, now: float, skip: Iterable[str] = ()) -> dict[int, Points]:
        found: dict[int, Points] = {}
        unwanted = frozenset(skip)
        for series in query(self.server, f"{selector}[{span:.0f}s]", time=self.started_at + now):
            if series.labels.get("__name__") in unwanted:
                continue
            if not series.samples:
                self.not_recorded.add(series.labels.get("__name__", ""))
                continue
            i = self.ids.setdefault(tuple(sorted(series.labels.items())), len(self.ids))
            since = self.last.get(i, -np.inf)
            # Whole milliseconds on both sides: rounding a difference would move some samples by one.
            moved = (((round(t * 1000) - round(self.started_at * 1000)) / 1000, v) for t, v in series.samples)
            points = [(t, v) for t, v in moved if t > since]
            if points:
                self.last[i] = points[-1][0]
                found[i] = points
        return found

    def _mark_stale(self, found: dict[int, Points]) -> None:
        labels_of = {i: dict(labels) for labels, i in self.ids.items()}
        ups = {
            _of_target(labels_of[i]): [t for t, _ in points]
            for i, points in found.items()
            if labels_of[i].get("__name__") == "up"
        }
        for i, labels in labels_of.items():
            moments = ups.get(_of_target(labels))
            if moments is None or labels.get("__name__") == "up":
                continue
            points, alive = with_stale(found.get(i, []), moments, i in self.alive)
            (self.alive.add if alive else self.alive.discard)(i)
            if points:
                found[i] = points

    def _write(self, writer: Writer, stream: str, found: dict[int, Points]) -> None:
        if found:
            by_id = {i: dict(labels) for labels, i in self.ids.items()}
            writer.samples(stream, by_id.__getitem__, found)


def with_stale(points: Points, moments: list[float], alive: bool) -> tuple[Points, bool]:
    """``points`` with a stale marker at the first of the target's scrapes without a sample, and if it lives on.

    A series with timestamps of its own shares no moment with its target; Prometheus marks none of those stale.
    """
    values = {round(t, 3): v for t, v in points}
    scrapes = {round(t, 3) for t in moments}
    if values and not scrapes & values.keys():
        return points, False
    merged: Points = []
    for t in sorted(scrapes | values.keys()):
        if t in values:
            merged.append((t, values[t]))
            alive = True
        elif alive:
            merged.append((t, STALE))
            alive = False
    return merged, alive


def _of_target(labels: dict[str, str]) -> tuple[str, str]:
    return labels.get("job", ""), labels.get("instance", "")


def _quoted(pattern: str) -> str:
    return pattern.replace("\\", "\\\\").replace('"', '\\"')

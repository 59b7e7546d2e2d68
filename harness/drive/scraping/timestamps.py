"""Explicit timestamps on metrics pages: which samples storage takes, and where they lie in scenario time.

Storage takes a series' samples only forwards in time, none from long ago and none from far ahead. An exporter
stamps by the wall clock; in scenario time, a sample keeps its age at the moment of the scrape.
"""

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from driftdrill.stack.exposition.page import PageSamples

OLDEST, NEWEST = 3600.0, 600.0
"""Seconds that a timestamp may lie behind the scrape (half a block of storage) and ahead of it."""
TICK = 0.001
"""Prometheus's resolution: two samples of a series are at least so far apart."""


class Last(NamedTuple):
    """A series' newest stored sample: wall clock (Unix seconds), value, scenario seconds."""

    wall: float
    value: float
    at: float


NEVER = Last(-math.inf, math.nan, -math.inf)


@dataclass(frozen=True)
class Taken:
    """What storage did with the samples of a page; each array is (n,), in the page's order.

    ``refused``: as if they were not on the page. ``stored``: new ones; the others only repeat what is there.
    ``times``: scenario seconds of stored samples with a timestamp, else NaN.
    """

    refused: npt.NDArray[np.bool_]
    stored: npt.NDArray[np.bool_]
    times: npt.NDArray[np.float64]
    timestamps: "Timestamps"


class Timestamps:
    """The newest sample of each series that is gone, or that had a timestamp. A value: changes give a new one.

    ``explicit`` says whether a page ever had timestamps: without, no sample can be out of order.
    """

    def __init__(self, last: dict[int, Last] | None = None, *, explicit: bool = False) -> None:
        self._last, self.explicit = last or {}, explicit

    def take(self, samples: PageSamples, offered: npt.NDArray[np.bool_], *, now: float, at: float) -> Taken:
        """Judges the ``offered`` samples of a scrape at ``now`` (Unix seconds), ``at`` scenario seconds.

        As in Prometheus, a sample is refused for what earlier scrapes stored, and skipped for what stands before it
        on the same page.
        """
        refused, stored = np.zeros_like(offered), np.zeros_like(offered)
        times, last = np.full(len(offered), np.nan), dict(self._last)
        for i in np.flatnonzero(offered).tolist():
            series, value = int(samples.ids[i]), float(samples.values[i])
            stamp = math.nan if samples.stamps is None else float(samples.stamps[i]) / 1000
            wall = now if math.isnan(stamp) else stamp
            before, newest = self._last.get(series, NEVER), last.get(series, NEVER)
            forwards = wall > before.wall or (wall == before.wall and value == before.value)
            refused[i] = not (now - OLDEST <= wall <= now + NEWEST and forwards)
            stored[i] = not refused[i] and wall > newest.wall
            if stored[i]:
                moment = at if math.isnan(stamp) else max(at + stamp - now, newest.at + TICK)
                times[i] = math.nan if math.isnan(stamp) else moment
                last[series] = Last(wall, value, moment)
        return Taken(refused, stored, times, Timestamps(last, explicit=True))

    def passed(self, ids: npt.NDArray[np.int64], *, now: float, at: float) -> "Timestamps":
        """After these series had a sample or a stale marker at the time of the scrape."""
        if not len(ids):
            return self
        return Timestamps(self._last | dict.fromkeys(ids.tolist(), Last(now, math.nan, at)), explicit=self.explicit)

    def behind(self, ids: npt.NDArray[np.int64], *, now: float) -> npt.NDArray[np.bool_]:
        """(n,) whether each series' newest sample lies before ``now``, so that a stale marker can follow."""
        return np.array([self._last.get(i, NEVER).wall < now for i in ids.tolist()], np.bool_)

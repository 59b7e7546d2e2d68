"""From samples to small, crisp paths: scales, ticks, and simplification that a reader cannot see.

A path lives in a box of ``WIDTH`` x ``HEIGHT`` units that the page stretches to any size; strokes do not scale.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from driftdrill.durations import format_duration
from driftdrill.reports.data.timeline import Track

WIDTH, HEIGHT = 2000, 400
_TOLERANCE = 2.0
"""Units of the box: half a per cent of its height, less than a pixel."""

Point = tuple[int, int]


@dataclass(frozen=True)
class Scale:
    """Time in [0, end] seconds and values in [low, high], to units of the box."""

    end: float
    low: float
    high: float

    def x(self, seconds: float) -> int:
        """Units from the left, within the box."""
        return round(WIDTH * min(1.0, max(0.0, seconds / self.end)))

    def y(self, value: float) -> int:
        """Units from the top, within the box."""
        if self.high <= self.low:  # one value throughout lies in the middle
            return HEIGHT // 2
        return round(HEIGHT * (1.0 - min(1.0, max(0.0, (value - self.low) / (self.high - self.low)))))

    def percent(self, seconds: float) -> str:
        """A horizontal position as an SVG percentage."""
        return f"{100 * min(1.0, max(0.0, seconds / self.end)):.2f}%"


def scale_for(end: float, values: Iterable[float | None], *, include: Sequence[float] = (), zero: bool = True) -> Scale:
    """A scale that holds every finite value and ``include``, with a little air above; 0 too if all are positive."""
    finite = [v for v in (*values, *include) if v is not None and math.isfinite(v)]
    low, high = min(finite, default=0.0), max(finite, default=1.0)
    if zero and low > 0:
        low = 0.0
    if high - low < 1e-9 * max(1.0, abs(high)):
        high = low + max(1.0, abs(low))
    return Scale(end, low, min(high + 0.06 * (high - low), 1.7e308))


def line(track: Track, scale: Scale, columns: int) -> str:
    """The ``d`` of a path through the samples; a gap where there is none, a dot for a lone sample."""
    parts = []
    for run in _runs(track, scale):
        points = simplified(run, columns)
        parts.append("M" + "L".join(f"{x} {y}" for x, y in points) + ("h0" if len(points) == 1 else ""))
    return "".join(parts)


def area(track: Track, scale: Scale, columns: int) -> str:
    """As :func:`line`, closed down to the bottom of the box."""
    parts = []
    for run in _runs(track, scale):
        points = simplified(run, columns)
        inner = "L".join(f"{x} {y}" for x, y in points)
        parts.append(f"M{points[0][0]} {HEIGHT}L{inner}L{points[-1][0]} {HEIGHT}Z")
    return "".join(parts)


def envelope(tracks: Sequence[Track], scale: Scale, columns: int) -> str:
    """The band between the lowest and the highest of several tracks."""
    low: dict[int, int] = {}
    high: dict[int, int] = {}
    for track in tracks:
        for x, y in (point for run in _runs(track, scale) for point in run):
            column = x * columns // WIDTH
            low[column], high[column] = max(y, low.get(column, y)), min(y, high.get(column, y))
    if len(low) < 2:
        return ""
    xs = sorted(low)
    outline = [(c, high[c]) for c in xs] + [(c, low[c]) for c in reversed(xs)]
    return "M" + "L".join(f"{c * WIDTH // columns} {y}" for c, y in outline) + "Z"


def means(track: Track, end: float, columns: int) -> Track:
    """The mean of each of ``columns`` equal parts of [0, end] seconds, in its middle; gaps stay gaps."""
    parts: dict[int, list[float]] = {}
    for t, v in zip(track.times, track.values, strict=False):
        if v is not None and math.isfinite(v) and 0 <= t < end:
            parts.setdefault(int(t / end * columns), []).append(v)
    times = tuple((c + 0.5) * end / columns for c in range(columns))
    values = tuple(math.fsum(parts[c]) / len(parts[c]) if c in parts else None for c in range(columns))
    return replace(track, times=times, values=values)


def ticks(end: float, *, most: int = 8) -> list[tuple[float, str]]:
    """Round times from 0 to ``end`` seconds, at most ``most`` and one, and how they read."""
    steps = (1, 2, 5, 10, 15, 20, 30, 60, 120, 300, 600, 900, 1200, 1800, 3600, 7200, 10800, 14400, 21600, 43200)
    step = next((s for s in steps if end / s <= most), 86400 * math.ceil(end / 86400 / most))
    return [(i * step, format_duration(i * step) if i else "0") for i in range(int(end / step + 1e-9) + 1)]


def simplified(points: list[Point], columns: int) -> list[Point]:
    """At most four points a column (first, lowest, highest, last), then Douglas and Peucker's algorithm (1973)."""
    if len(points) > 4 * columns:
        points = list(_binned(points, columns))
    keep = {0, len(points) - 1}
    open_spans = [(0, len(points) - 1)]
    while open_spans:
        a, b = open_spans.pop()
        far, distance = a, _TOLERANCE
        for i in range(a + 1, b):
            if (d := _off(points[i], points[a], points[b])) > distance:
                far, distance = i, d
        if far != a:
            keep.add(far)
            open_spans += [(a, far), (far, b)]
    return [points[i] for i in sorted(keep)]


def _binned(points: list[Point], columns: int) -> Iterator[Point]:
    column: list[Point] = []
    for point in points:
        if column and point[0] * columns // WIDTH != column[0][0] * columns // WIDTH:
            yield from _corners(column)
            column = []
        column.append(point)
    yield from _corners(column)


def _corners(column: list[Point]) -> list[Point]:
    extremes = (column[0], min(column, key=lambda p: p[1]), max(column, key=lambda p: p[1]), column[-1])
    return sorted(set(extremes), key=column.index)


def _off(p: Point, a: Point, b: Point) -> float:
    """How far ``p`` lies off the line from a to b, vertically; the distance to a where the line is upright."""
    if a[0] == b[0]:
        return float(abs(p[1] - a[1])) if not min(a[1], b[1]) <= p[1] <= max(a[1], b[1]) else 0.0
    return abs(p[1] - (a[1] + (b[1] - a[1]) * (p[0] - a[0]) / (b[0] - a[0])))


def _runs(track: Track, scale: Scale) -> Iterator[list[Point]]:
    run: list[Point] = []
    for t, v in zip(track.times, track.values, strict=False):
        if v is not None and math.isfinite(v):
            run.append((scale.x(t), scale.y(v)))
        elif run:
            yield run
            run = []
    if run:
        yield run

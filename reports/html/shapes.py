"""The shapes of a timeline: what is drawn at a percentage of its width and at a pixel of its height.

So one page fits a phone and a printout without a script: text keeps its size while lines stretch.
"""

from collections.abc import Iterator, Sequence
from xml.etree.ElementTree import Element

from driftdrill.durations import rounded_duration
from driftdrill.reports import words as wording
from driftdrill.reports.data.timeline import Interval, Timeline, Track
from driftdrill.reports.html import plot
from driftdrill.reports.html.markup import el
from driftdrill.reports.html.plot import HEIGHT, WIDTH, Scale

PHASE_NAMES = {"warm_up": "warm-up", "baseline": "baseline", "fault": "fault", "recovery": "recovery"}
_TOP, _BOTTOM = 10, 6
_LETTER, _FOLLOWED = 12, 600


def at(t: Timeline, seconds: float) -> str:
    """A horizontal position."""
    return Scale(t.end, 0, 1).percent(seconds)


def wide(t: Timeline, start: float, end: float) -> str:
    """The width of [start, end), never invisible."""
    return f"{max(0.15, 100 * (min(end, t.end) - max(start, 0.0)) / t.end):.2f}%"


def bands(t: Timeline) -> Iterator[Element]:
    """The phases, as shading behind everything."""
    for phase in t.phases:
        left = at(t, phase.start)
        yield el(
            "rect",
            x=left,
            width=wide(t, phase.start, phase.end),
            height="100%",
            class_=f"phase {phase.name}",
        )
        if phase.start > 0:
            yield el("line", x1=left, x2=left, y1="0", y2="100%", class_="edge")


def bars(t: Timeline, intervals: Sequence[Interval], *, y: int, height: int) -> list[Element]:
    """Pending and firing, firing on top."""
    out = []
    for state in ("pending", "firing"):
        for i in _merged([i for i in intervals if i.state == state]):
            title = el("title", f"{state} from {rounded_duration(i.start)} to {rounded_duration(i.end)}")
            width = wide(t, i.start, i.end)
            out.append(el("rect", title, x=at(t, i.start), width=width, y=y, height=height, class_=state))
    return out


def box(*paths: Element, height: int, y: int = _TOP) -> Element:
    """Paths, stretched over the width and ``height`` pixels."""
    view = f"0 0 {WIDTH} {HEIGHT}"
    return el("svg", *paths, x="0", y=y, width="100%", height=height, viewBox=view, preserveAspectRatio="none")


def curve(track: Track, scale: Scale, columns: int, kind: str, *, read: bool = False) -> Element:
    """A line through samples; ``read`` lets the crosshair read its values."""
    d = plot.line(track, scale, columns)
    return el(
        "path",
        d=d,
        class_=kind,
        data_lo=scale.low if read else None,
        data_hi=scale.high if read else None,
    )


def measured(track: Track, scale: Scale, columns: int, kind: str, *, height: int, fill: str = "") -> Element:
    """A noisy series: its samples, or where they are more than a reader can follow, means within their range."""
    if len(track.times) <= _FOLLOWED:
        below = [el("path", d=plot.area(track, scale, columns), class_=fill)] if fill else []
        return box(*below, curve(track, scale, columns, kind, read=True), height=height)
    band = el("path", d=plot.envelope([track], scale, min(columns, _FOLLOWED // 2)), class_="band")
    means = plot.means(track, scale.end, _FOLLOWED // 4)
    return box(band, curve(means, scale, columns, kind, read=True), height=height)


def level(t: Timeline, scale: Scale, value: float, phase_name: str, height: int, shown: str) -> list[Element]:
    """A mean: a line through its phase, with its number as ``shown``."""
    phase = next((p for p in t.phases if p.name == phase_name), None)
    if phase is None:
        return []
    y = pixel(scale, value, height)
    kind = f"level {phase_name}"
    text = el("text", shown, x=at(t, (phase.start + phase.end) / 2), y=y - 6, class_=f"{kind} mid")
    return [el("line", x1=at(t, phase.start), x2=at(t, phase.end), y1=y, y2=y, class_=kind), text]


def rule(scale: Scale, value: float, height: int, kind: str) -> list[Element]:
    """A horizontal line at a value, through all phases."""
    if not scale.low <= value <= scale.high:
        return []
    y = pixel(scale, value, height)
    return [el("line", x1="0", x2="100%", y1=y, y2=y, class_=kind)]


def pixel(scale: Scale, value: float, height: int) -> float:
    """The vertical position of a value in a lane."""
    return round(_TOP + scale.y(value) / HEIGHT * height, 1)


def lane(
    label: Sequence[Element],
    shapes: Sequence[Element],
    *,
    height: int,
    said: str,
    kind: str,
    marks: Sequence[tuple[float, str, str]] = (),
) -> Element:
    """A label, a value axis and a plot. ``marks`` are (pixel, text, class), the important first: what would
    cover an earlier one is left out. ``said`` is the lane in one sentence, for who cannot see it."""
    values = el("svg", class_="values", height=height, aria_hidden="true")
    taken: list[float] = []
    for y, text, name in marks:
        if all(abs(y - other) >= _LETTER for other in taken):
            values.append(el("text", text, x="100%", y=y + 4, class_=name))
            taken.append(y)
    drawn = el("svg", *shapes, class_="plot", height=height, role="img", aria_label=said)
    return el("div", el("div", *label, class_="label"), values, drawn, class_=f"lane {kind}")


def chart(
    label: Sequence[Element],
    scale: Scale,
    shapes: Sequence[Element],
    *,
    height: int,
    said: str,
    kind: str,
    ends: tuple[float, float],
    marks: Sequence[tuple[float, str]] = (),
) -> Element:
    """A lane with values: ``ends`` and ``marks`` (value, class) are written on its axis."""
    named = [(pixel(scale, v, height), wording.number(v), name) for v, name in marks]
    named += [(pixel(scale, v, height), wording.number(v), "end") for v in ends]
    return lane(label, shapes, height=height + _TOP + _BOTTOM, said=said, kind=kind, marks=named)


def _merged(intervals: list[Interval]) -> list[Interval]:
    """Overlapping intervals of one state as one, so that a hundred series draw a handful of bars."""
    out: list[Interval] = []
    for i in sorted(intervals, key=lambda i: i.start):
        if out and i.start <= out[-1].end:
            out[-1] = Interval(out[-1].start, max(out[-1].end, i.end), i.state)
        else:
            out.append(i)
    return out

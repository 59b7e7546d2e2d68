"""The timeline of a drill as lanes on one time axis: fault, quality, each alert with what it watches, requests.

Every lane is a label, a value axis and a plot, all made of shapes and texts at percentages of the width, so that
one page fits a phone and a printout without a script.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from reports import plot, wording
from reports.markup import el
from reports.plot import HEIGHT, WIDTH, Scale
from reports.timeline import AlertTrack, Interval, Timeline, Track, Watched
from reports.verdict import Harm, Response, Verdict
from reports.wording import plain

PHASE_NAMES = {"warm_up": "warm-up", "baseline": "baseline", "fault": "fault", "recovery": "recovery"}
_SHOWN_TRACKS, _SHOWN_SERIES, _SHOWN_ALERTS = 6, 6, 8


@dataclass(frozen=True)
class Group:
    """One alert: its responses, and the metric that it watches."""

    alert: str
    responses: tuple[Response, ...]
    watched: Watched | None


def timeline(verdict: Verdict, columns: int) -> Element | None:
    """The figure; None where the drill left no timeline. ``columns`` bounds the detail of each path."""
    t = verdict.timeline
    if t.end <= 0:
        return None
    loud, quiet = split(verdict)
    figure = el(
        "div", _phases(t), *_strength(t, columns), *_quality(verdict, columns), class_="timeline", data_end=t.end
    )
    figure.extend(lane for group in loud for lane in _alert(t, group, columns))
    if not loud:
        figure.append(
            _lane(t, [el("span", "Alerts", class_="name")], None, [_note("no alert was judged")], 34, "No alerts")
        )
    figure.extend(_rate(t, columns))
    figure.append(_axis(t))
    if quiet:
        more = el("div", class_="timeline", data_end=t.end)
        more.extend(lane for group in quiet[:40] for lane in _alert(t, group, columns))
        more.append(_axis(t))
        summary = f"{len(quiet)} more alert{'s' if len(quiet) > 1 else ''} that did not fire or were not judged"
        return el("figure", figure, _legend(), el("details", el("summary", summary), more))
    return el("figure", figure, _legend())


def split(verdict: Verdict) -> tuple[list[Group], list[Group]]:
    """The alerts that belong to the story, and the others, the nearest to their thresholds first."""
    groups: dict[str, list[Response]] = {}
    for r in wording.by_importance(verdict.responses):
        groups.setdefault(r.alert, []).append(r)
    watched = {w.alert: w for w in verdict.timeline.watched}
    every = [Group(alert, tuple(rs), watched.get(alert)) for alert, rs in groups.items()]
    story = [g for g in every if any(r.expected or r.word not in ("QUIET", "NOT_JUDGED") for r in g.responses)]
    loud = story[:_SHOWN_ALERTS]
    return loud, [g for g in every if g not in loud]


def strip(verdict: Verdict, columns: int) -> Element | None:
    """A drill in a table's cell: quality through the phases, and a bar where an alert fired."""
    t = verdict.timeline
    if t.end <= 0:
        return None
    marks: list[Element] = []
    judged = {r.alert for r in verdict.responses}
    fired = [i for a in t.alerts if a.alert in judged for i in a.intervals if i.state == "firing"]
    if t.quality:
        scale = _quality_scale(t, None)
        marks.append(_box(el("path", d=plot.line(t.quality[0], scale, columns), class_="main"), y=2, height=26))
    marks += _bars(t, fired, y=32, height=6)
    said = f"{plain(verdict.scenario)}: quality over time" + ("; an alert fires" if fired else "; no alert fires")
    return el("svg", *_bands(t), *marks, class_="plot strip", height=40, role="img", aria_label=said)


def _phases(t: Timeline) -> Element:
    texts = []
    for phase in sorted(t.phases, key=lambda p: p.name == "fault"):
        clip = el("svg", x=_at(t, phase.start), width=_wide(t, phase.start, phase.end), height=22, class_=phase.name)
        late = phase.start > 0.9 * t.end
        clip.append(el("text", PHASE_NAMES[phase.name], x="100%" if late else 5, y=15, class_="end" if late else None))
        texts.append(clip)
    said = "Phases: " + ", ".join(
        f"{PHASE_NAMES[p.name]} from {wording.duration(p.start)} to {wording.duration(p.end)}" for p in t.phases
    )
    return _lane(t, [el("output", class_="now")], None, texts, 22, said, kind="phases")


def _strength(t: Timeline, columns: int) -> Iterator[Element]:
    for track in t.strength[:4]:
        scale = Scale(t.end, 0.0, 1.06)
        shape = _box(
            el("path", d=plot.area(track, scale, columns), class_="strength"),
            el("path", d=plot.line(track, scale, columns), class_="main accent", data_lo=scale.low, data_hi=scale.high),
            height=44,
        )
        label = [
            el("span", plain(track.name, limit=80), class_="name"),
            el("output"),
            el("span", "fault strength", class_="sub"),
        ]
        yield _lane(t, label, scale, [shape], 44, f"Strength of the fault {plain(track.name)}, 0 to 1", ends=("0", "1"))
    if len(t.strength) > 4:
        names = ", ".join(plain(track.name, limit=40) for track in t.strength[4:])
        yield _lane(
            t, [el("span", f"{len(t.strength) - 4} more faults", class_="name")], None, [_note(names)], 24, names
        )


def _quality(verdict: Verdict, columns: int) -> Iterator[Element]:
    t, harm = verdict.timeline, worst(verdict)
    if not t.quality:
        return
    scale = _quality_scale(t, harm)
    paths = [
        el(
            "path",
            d=plot.line(track, scale, columns),
            class_="raw" if harm else "main",
            data_lo=scale.low,
            data_hi=scale.high,
        )
        for track in t.quality
    ]
    shapes = [_box(*paths, height=112)]
    said = f"{plain(t.quality[0].name)} against ground truth"
    if harm is not None and harm.before is not None and harm.during is not None:
        if harm.smallest is not None:
            limit = harm.before - harm.smallest
            shapes += _rule(scale, limit, 112, f"harm below {wording.quality(limit)}", "limit")
        shapes += _level(t, scale, harm.before, "baseline", 112) + _level(t, scale, harm.during, "fault", 112)
        said += f": {wording.quality(harm.before)} before and {wording.quality(harm.during)} during the fault"
    label = [el("span", plain(t.quality[0].name, limit=60), class_="name"), el("output"),
             el("span", "against ground truth", class_="sub")]  # fmt: skip
    yield _lane(t, label, scale, shapes, 112, said, ends=(wording.number(scale.low), wording.number(scale.high)))


def _alert(t: Timeline, group: Group, columns: int) -> Iterator[Element]:
    first = group.responses[0]
    word = el("span", first.word, class_=f"word {_tone(first)}")
    name = el("span", plain(group.alert, limit=120), class_="name code")
    where = el("span", plain(first.where, limit=120), class_="sub code")
    head: list[Element] = [name, word]
    if group.watched is not None and any(v is not None for track in group.watched.tracks for v in track.values):
        yield _metric(t, group.watched, first, [*head, el("output"), where], columns)
        head, where = [], el("span")
    for r in group.responses[:_SHOWN_SERIES]:
        labels = ", ".join(f'{plain(k, limit=60)}="{plain(v, limit=60)}"' for k, v in sorted(r.labels.items()))
        yield _states(t, r, [*head, el("span", labels, class_="sub code"), where])
        head, where = [], el("span")
    if more := len(group.responses) - _SHOWN_SERIES:
        if more > 0:
            yield _lane(t, [el("span", f"and {more} more series", class_="sub")], None, [], 20, f"{more} more series")


def _metric(t: Timeline, watched: Watched, response: Response, label: list[Element], columns: int) -> Element:
    """The left side of an alert's expression with its threshold: the series in question dark, the others light."""
    tracks = sorted(watched.tracks, key=lambda track: (not _matches(track, response), -_reach(track, watched)))
    scale = plot.scale_for(t.end, (v for track in tracks for v in track.values), include=(watched.threshold,))
    shown = tracks[:_SHOWN_TRACKS]
    paths = (
        [el("path", d=plot.envelope(tracks[_SHOWN_TRACKS:], scale, columns), class_="band")]
        if tracks[_SHOWN_TRACKS:]
        else []
    )
    paths += [el("path", d=plot.line(track, scale, columns), class_="other") for track in shown[1:]]
    paths += [
        el("path", d=plot.line(track, scale, columns), class_="main", data_lo=scale.low, data_hi=scale.high)
        for track in shown[:1]
    ]
    threshold = f"{plain(watched.comparison, limit=4)} {wording.number(watched.threshold)}"
    shapes = [_box(*paths, height=84), *_rule(scale, watched.threshold, 84, f"alerts at {threshold}", "threshold")]
    label.insert(-1, el("span", plain(watched.expr, limit=160), class_="sub code expr"))
    said = f"{plain(watched.expr)}, threshold {threshold}" + (f", {len(tracks)} series" if len(tracks) > 1 else "")
    return _lane(
        t, label, scale, shapes, 84, said, ends=(wording.number(scale.low), wording.number(scale.high)), kind="metric"
    )


def _states(t: Timeline, r: Response, label: list[Element]) -> Element:
    """Pending and firing as bars, and over them the time to detect, or that nothing came."""
    mine = [a for a in t.alerts if a.alert == r.alert and all(a.labels.get(k) == v for k, v in r.labels.items())]
    intervals = [i for a in mine for i in a.intervals]
    start = next((p.start for p in t.phases if p.name == "fault"), None)
    said, quiet = wording.detection(r), r.word in ("QUIET", "NOT_JUDGED")
    if not said and r.fired_at is not None:
        said = f"fired at {wording.duration(r.fired_at)}"
    elif not said:
        peak = f"; peaked at {wording.share(r.peak)} of its threshold" if r.peak is not None else ""
        said = "not judged" if r.word == "NOT_JUDGED" else f"never fired{peak}"
    shapes = [el("rect", x="0", width="100%", y=22, height=1, class_="track")]
    if start is not None and r.detect is not None and r.fired_at is not None:
        shapes.append(el("rect", x=_at(t, start), width=_wide(t, start, r.fired_at), y=21, height=3, class_="wait"))
        shapes.append(el("rect", x=_at(t, start), width=2, y=16, height=13, class_="wait"))
    shapes += _bars(t, intervals, y=16, height=13)
    at = r.fired_at if r.detect is None and r.fired_at is not None else start or 0.0
    late = at > 0.6 * t.end
    shapes.append(el("text", said, x=_at(t, at), dx=-4 if late else 4, y=11,
                     class_=f"said {_tone(r)}{' end' if late else ''}{' dim' if quiet else ''}"))  # fmt: skip
    return _lane(t, label, None, shapes, 34, f"{wording.name(r.alert, r.labels)}: {r.word}, {said}", kind="states")


def _rate(t: Timeline, columns: int) -> Iterator[Element]:
    if not t.rate:
        return
    scale = plot.scale_for(t.end, (v for track in t.rate for v in track.values))
    paths = []
    for track in t.rate:
        bad = track.name == "failed"
        if bad and not any(track.values):
            continue
        paths.append(el("path", d=plot.area(track, scale, columns), class_="failed" if bad else "load"))
        paths.append(
            el("path", d=plot.line(track, scale, columns), class_="main accent" if bad else "raw",
               data_lo=scale.low, data_hi=scale.high)
        )  # fmt: skip
    failed = any(track.name == "failed" and any(track.values) for track in t.rate)
    label = [el("span", "requests", class_="name"), el("output"),
             el("span", "answered and failed, per second" if failed else "answered per second; none failed", class_="sub")]  # fmt: skip
    ends = (wording.number(scale.low), wording.number(scale.high))
    yield _lane(t, label, scale, [_box(*paths, height=56)], 56, "Requests per second, answered and failed", ends=ends)


def _axis(t: Timeline) -> Element:
    marks = []
    for i, (at, text) in enumerate(plot.ticks(t.end)):
        marks.append(el("line", x1=_at(t, at), x2=_at(t, at), y1=0, y2=4, class_="tick"))
        place = "" if i == 0 else " end" if at > 0.97 * t.end else " mid"
        odd = " odd" if i % 2 else ""
        marks.append(el("text", text, x=_at(t, at), y=17, class_=f"time{place}{odd}"))
    return _lane(t, [], None, marks, 22, "Time since the start of the drill", kind="axis")


def _lane(
    t: Timeline, label: list[Element], scale: Scale | None, shapes: Sequence[Element], height: int, said: str,
    *, ends: tuple[str, str] | None = None, kind: str = "",
) -> Element:  # fmt: skip
    values = el("svg", class_="values", height=height, aria_hidden="true")
    if scale is not None and ends is not None:
        values.append(el("text", ends[1], x="100%", y=10))
        values.append(el("text", ends[0], x="100%", y=height - 2))
    drawn = el("svg", *_bands(t), *shapes, el("line", y1=0, y2=height, x1=-9, x2=-9, class_="cross"),
               class_="plot", height=height, role="img", aria_label=said)  # fmt: skip
    return el("div", el("div", *label, class_="label"), values, drawn, class_=f"lane {kind}".strip())


def _bands(t: Timeline) -> Iterator[Element]:
    for phase in t.phases:
        yield el("rect", x=_at(t, phase.start), width=_wide(t, phase.start, phase.end), height="100%",
                 class_=f"phase {phase.name}")  # fmt: skip
        if phase.start > 0:
            yield el("line", x1=_at(t, phase.start), x2=_at(t, phase.start), y1="0", y2="100%", class_="edge")


def _bars(t: Timeline, intervals: Sequence[Interval], *, y: int, height: int) -> list[Element]:
    return [
        el("rect", el("title", f"{i.state} from {wording.duration(i.start)} to {wording.duration(i.end)}"),
           x=_at(t, i.start), width=_wide(t, i.start, i.end), y=y, height=height, class_=i.state)
        for state in ("pending", "firing") for i in _merged([i for i in intervals if i.state == state])
    ]  # fmt: skip


def _merged(intervals: list[Interval]) -> list[Interval]:
    """Overlapping intervals of one state as one, so that a hundred series draw a handful of bars."""
    out: list[Interval] = []
    for i in sorted(intervals, key=lambda i: i.start):
        if out and i.start <= out[-1].end:
            out[-1] = Interval(out[-1].start, max(out[-1].end, i.end), i.state)
        else:
            out.append(i)
    return out


def _level(t: Timeline, scale: Scale, value: float, phase_name: str, height: int) -> list[Element]:
    """A mean, as a line through its phase with its number."""
    phase = next((p for p in t.phases if p.name == phase_name), None)
    if phase is None:
        return []
    y = scale.y(value) / HEIGHT * height
    below = y < 18
    return [
        el("line", x1=_at(t, phase.start), x2=_at(t, phase.end), y1=y, y2=y, class_=f"level {phase_name}"),
        el("text", wording.quality(value), x=_at(t, (phase.start + phase.end) / 2), y=y + (16 if below else -6),
           class_=f"level mid {phase_name}"),
    ]  # fmt: skip


def _rule(scale: Scale, value: float, height: int, text: str, kind: str) -> list[Element]:
    if not scale.low <= value <= scale.high:
        return []
    y = scale.y(value) / HEIGHT * height
    return [
        el("line", x1="0", x2="100%", y1=y, y2=y, class_=kind),
        el("text", text, x="100%", dx=-4, y=y - 4 if y > 14 else y + 12, class_=f"{kind} end"),
    ]


def _box(*paths: Element, height: int, y: int = 0) -> Element:
    return el(
        "svg",
        *paths,
        x="0",
        y=y,
        width="100%",
        height=height,
        viewBox=f"0 0 {WIDTH} {HEIGHT}",
        preserveAspectRatio="none",
    )


def _note(text: str) -> Element:
    return el("text", text, x=5, y=15, class_="said dim")


def _legend() -> Element:
    def key(kind: str, text: str) -> Element:
        swatch = el("svg", el("rect", width=18, height=10, class_=kind), width=18, height=10, aria_hidden="true")
        return el("span", swatch, text)

    return el("figcaption", key("phase fault", "fault phase"), key("wait-key", "time to detect"), key("pending", "pending"),
              key("firing", "firing"), key("threshold-key", "threshold"))  # fmt: skip


def _tone(r: Response) -> str:
    return (
        "bad"
        if r.word in ("SILENT", "LATE", "UNRESOLVED", "FALSE_ALARM")
        else "dim"
        if r.word in ("QUIET", "NOT_JUDGED")
        else "good"
    )


def worst(verdict: Verdict) -> Harm | None:
    """The fault that cost most, of those whose harm is known."""
    known = [h for h in verdict.harms if h.before is not None and h.during is not None]
    return max(known, key=lambda h: (h.before or 0.0) - (h.during or 0.0), default=None)


def _quality_scale(t: Timeline, harm: Harm | None) -> Scale:
    """Down to what was measured, not to 0: what matters is a few per cent."""
    levels = [v for v in (harm.before, harm.during) if v is not None] if harm else []
    return plot.scale_for(t.end, (v for track in t.quality for v in track.values), include=levels, zero=False)


def _matches(track: Track, r: Response) -> bool:
    return bool(r.labels) and all(track.labels.get(k) == v for k, v in r.labels.items() if k in track.labels)


def _reach(track: Track, watched: Watched) -> float:
    values = [v for v in track.values if v is not None]
    if not values:
        return float("-inf")
    return -min(values) if watched.comparison.startswith("<") else max(values)


def _at(t: Timeline, seconds: float) -> str:
    return Scale(t.end, 0, 1).percent(seconds)


def _wide(t: Timeline, start: float, end: float) -> str:
    clipped = min(end, t.end) - max(start, 0.0)
    return f"{max(0.1, 100 * clipped / t.end):.2f}%"


def path_count(t: Timeline) -> int:
    """How many paths a timeline may draw, to share a page's size among them."""
    return (
        3
        + len(t.quality)
        + len(t.strength)
        + 2 * len(t.rate)
        + sum(min(len(w.tracks), _SHOWN_TRACKS + 2) for w in t.watched)
    )


def instances(t: Timeline) -> list[AlertTrack]:
    """Every alert instance that was ever pending or firing."""
    return [a for a in t.alerts if a.intervals]

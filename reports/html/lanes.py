"""The timeline of a drill as lanes on one time axis: fault, quality, each alert with what it watches, requests."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from xml.etree.ElementTree import Element

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.reports import words as wording
from driftdrill.reports.data.timeline import Timeline, Track, Watched
from driftdrill.reports.data.verdict import Harm, Response, Verdict
from driftdrill.reports.html import plot, shapes
from driftdrill.reports.html.markup import el
from driftdrill.reports.html.plot import Scale
from driftdrill.reports.html.shapes import at, chart, lane
from driftdrill.reports.words import plain

_SHOWN_FAULTS, _SHOWN_ALERTS, _SHOWN_SILENT, _SHOWN_MORE, _SHOWN_SERIES, _SHOWN_TRACKS = 4, 8, 4, 16, 3, 6


@dataclass(frozen=True)
class LaneGroup:
    """One alert: its responses, and the metric that it watches."""

    alert: str
    responses: tuple[Response, ...]
    watched: Watched | None


def timeline(verdict: Verdict, columns: int) -> Element | None:
    """The figure; None where the drill left no timeline. ``columns`` bounds the detail of each path."""
    t = verdict.timeline
    if t.end <= 0:
        return None
    story, more = split(verdict)
    lanes = [_phases(t), *_strength(t, columns), *_quality(verdict, columns)]
    for group in story:
        lanes += _alert(verdict, group, columns)
    if not story:
        text = el("text", "no alert was judged", x=5, y=22, class_="said dim")
        lanes.append(lane([_name("alerts")], [text], height=34, said="No alert was judged", kind="states"))
    figure = el("figure", _stack(t, [*lanes, *_rate(t, columns), _axis(t)]), _legend(verdict))
    if more:
        hidden = [lane for group in more[:_SHOWN_MORE] for lane in _alert(verdict, group, columns)]
        unseen = len(more) - _SHOWN_MORE
        summary = f"{len(more)} more alerts" if len(more) > 1 else "1 more alert"
        summary += f", {_SHOWN_MORE} drawn" if unseen > 0 else ""
        figure.append(el("details", el("summary", summary), _stack(t, [_phases(t), *hidden, _axis(t)])))
    return figure


def path_count(verdict: Verdict) -> int:
    """How many long paths a drill's timeline draws: what shares a page's size."""
    t = verdict.timeline
    story, more = split(verdict)
    drawn = [g.watched for g in (*story, *more[:_SHOWN_MORE]) if g.watched is not None]
    return 2 * len(t.quality) + 2 * len(t.rate) + sum(min(len(w.tracks), _SHOWN_TRACKS + 1) for w in drawn) + 1


def split(verdict: Verdict) -> tuple[list[LaneGroup], list[LaneGroup]]:
    """The alerts of the story (named by the scenario, or those that fired or should have), and the others."""
    groups: dict[str, list[Response]] = {}
    for r in wording.by_importance(verdict):
        groups.setdefault(r.alert, []).append(r)
    watched = {w.alert: w for w in verdict.timeline.watched}
    every = [LaneGroup(alert, tuple(rs), watched.get(alert)) for alert, rs in groups.items()]
    story = [g for g in every if any(r.expected or wording.tone(verdict, r) != "dim" for r in g.responses)]
    silent = [g for g in story if all(r.word == "SILENT" and not r.expected for r in g.responses)]
    story = [g for g in story if g not in silent[_SHOWN_SILENT:]][:_SHOWN_ALERTS] or every[:_SHOWN_SILENT]
    return story, [g for g in every if g not in story]


def worst(verdict: Verdict) -> Harm | None:
    """The fault that cost most, of those whose harm is known; one that was HARMFUL before all others."""
    known = [h for h in verdict.harms if h.before is not None and h.during is not None]
    return max(known, key=lambda h: (h.word == "HARMFUL", h.did_harm, wording.worse(h, h)), default=None)


def strip(verdict: Verdict, columns: int) -> Element | None:
    """A drill in a table's cell: quality through the phases, and a bar where an alert fired."""
    t = verdict.timeline
    if t.end <= 0:
        return None
    drawn = list(shapes.bands(t))
    if t.quality:
        drawn.append(shapes.box(shapes.curve(t.quality[0], _quality_scale(t, None), columns, "main"), y=3, height=24))
    judged = {r.alert for r in verdict.responses}
    fired = [i for a in t.alerts if a.alert in judged for i in a.intervals if i.state == "firing"]
    drawn += shapes.bars(t, fired, y=31, height=6)
    said = "quality over time" + ("; an alert fires" if fired else "; no alert fires")
    return el("svg", *drawn, class_="strip", width="100%", height=40, role="img", aria_label=said)


def _stack(t: Timeline, lanes: list[Element]) -> Element:
    """Lanes over one shading of the phases, with the crosshair that a script moves."""
    cross = el("line", y1="0", y2="100%", x1=-9, x2=-9, class_="cross")
    back = el("svg", *shapes.bands(t), cross, class_="bands", aria_hidden="true")
    return el("div", back, *lanes, class_="timeline", data_end=t.end)


def _phases(t: Timeline) -> Element:
    drawn = []
    for phase in sorted(t.phases, key=lambda p: p.name == "fault"):
        share, late = (phase.end - phase.start) / t.end, phase.start > 0.9 * t.end
        if share < 0.06 and phase.name != "fault":
            continue  # no room for its name
        kind = f"{phase.name}{' small' if share < 0.14 and phase.name != 'fault' else ''}{' end' if late else ''}"
        left = at(t, phase.end if late else phase.start)
        drawn.append(el("text", shapes.PHASE_NAMES[phase.name], x=left, dx=-5 if late else 5, y=15, class_=kind))
    said = "Phases: " + ", ".join(
        f"{shapes.PHASE_NAMES[p.name]} from {rounded_duration(p.start)} to {rounded_duration(p.end)}" for p in t.phases
    )
    return lane([el("output", class_="now")], drawn, height=22, said=said, kind="phases")


def _strength(t: Timeline, columns: int) -> Iterator[Element]:
    scale = Scale(t.end, 0.0, 1.0)
    for track in (_confined(track, t) for track in t.strength[:_SHOWN_FAULTS]):
        filled = el("path", d=plot.area(track, scale, plot.WIDTH), class_="strength")
        drawn = shapes.box(filled, shapes.curve(track, scale, plot.WIDTH, "main accent", read=True), height=36)
        label = [_name(plain(track.name, limit=80)), el("output"), _sub("fault strength")]
        said = f"Strength of the fault {plain(track.name)}, 0 to 1"
        yield chart(label, scale, [drawn], height=36, said=said, kind="strength", ends=(1.0, 0.0))
    if (left := len(t.strength) - _SHOWN_FAULTS) > 0:
        names = ", ".join(plain(track.name, limit=40) for track in t.strength[_SHOWN_FAULTS:])
        yield lane([_name(f"{left} more faults"), _sub(names)], [], height=24, said=names, kind="strength")


def _confined(track: Track, t: Timeline) -> Track:
    """A strength is 0 outside the fault phase: between samples too, so that a sudden fault is drawn upright."""
    pairs = list(zip(track.times, track.values, strict=False))
    for phase in t.phases:
        if phase.name == "fault":
            before = [p for p in pairs if p[0] < phase.start]
            inside = [p for p in pairs if phase.start <= p[0] < phase.end]
            after = [p for p in pairs if p[0] >= phase.end]
            last = inside[-1][1] if inside else 0.0
            pairs = [*before, (phase.start, 0.0), *inside, (phase.end, last), (phase.end, 0.0), *after]
    return replace(track, times=tuple(p[0] for p in pairs), values=tuple(p[1] for p in pairs))


def _quality(verdict: Verdict, columns: int) -> Iterator[Element]:
    t, harm, height = verdict.timeline, worst(verdict), 108
    if not t.quality:
        return
    scale = _quality_scale(t, harm)
    name = plain(t.quality[0].name, limit=60)
    said, marks = f"{name} against ground truth", []
    kind = "raw" if harm else "main"
    drawn = [shapes.measured(track, scale, columns, kind, height=height) for track in t.quality]
    label = [_name(name), el("output"), _sub("against ground truth")]
    drawable = harm is not None and plain(harm.measure, limit=60) == name  # an AUC is not drawn, but the accuracy
    if drawable and harm is not None and harm.before is not None and harm.during is not None:
        if harm.smallest is not None:
            limit = harm.before - harm.smallest if harm.score else harm.before + harm.smallest
            drawn += shapes.rule(scale, limit, height, "limit")
            marks += [(limit, "limit")] if scale.low <= limit <= scale.high else []
            label.append(_sub(f"{'below' if harm.score else 'above'} {wording.value(harm, limit)} it is harm"))
        for phase, level in (("baseline", harm.before), ("fault", harm.during)):
            drawn += shapes.level(t, scale, level, phase, height, wording.value(harm, level))
        said += f": {wording.value(harm, harm.before)} before and {wording.value(harm, harm.during)} during the fault"
    ends = (scale.high, scale.low)
    yield chart(label, scale, drawn, height=height, said=said, kind="quality", ends=ends, marks=marks)


def _alert(verdict: Verdict, group: LaneGroup, columns: int) -> Iterator[Element]:
    t, first = verdict.timeline, group.responses[0]
    head = [
        _name(plain(group.alert, limit=120), "code"),
        el("span", first.word, class_=f"word {wording.tone(verdict, first)}"),
    ]
    if len(group.responses) == 1 and first.labels:
        head.append(_sub(_pairs(first.labels), "code clamp"))
    where = _sub(wording.where(first.where), "code clamp")
    if group.watched is not None and any(v is not None for track in group.watched.tracks for v in track.values):
        yield _metric(t, group, group.watched, [*head, el("output"), where], columns)
        head, where = [], el("span")
    varying = _varying(group.responses)
    for r in group.responses[:_SHOWN_SERIES]:
        labels = [_sub(_pairs({k: r.labels[k] for k in varying if k in r.labels}), "code clamp")] if varying else []
        yield _states(verdict, [r], [*head, *labels, _sub(_aside(r)), where])
        head, where = [], el("span")
    if rest := group.responses[_SHOWN_SERIES:]:
        yield _states(verdict, list(rest), [_sub(f"and {len(rest)} more series")])


def _metric(t: Timeline, group: LaneGroup, watched: Watched, label: list[Element], columns: int) -> Element:
    """The left side of an alert's expression with its threshold: the series that alerted (or came nearest, where
    none did) dark, the others light, those beyond a few as a band from lowest to highest."""
    named = [r for r in group.responses if r.word in wording.NOTICED] or list(group.responses)
    mine = {id(track): any(_matches(track, r) for r in named) for track in watched.tracks}
    tracks = sorted(watched.tracks, key=lambda track: (not mine[id(track)], -_reach(track, watched)))
    values = (v for track in tracks for v in track.values)
    scale, height = plot.scale_for(t.end, values, include=(watched.threshold,)), 84
    shown, rest = tracks[:_SHOWN_TRACKS], tracks[_SHOWN_TRACKS:]
    paths = [el("path", d=plot.envelope(rest, scale, columns), class_="band")] if rest else []
    paths += [shapes.curve(track, scale, columns, "main" if mine[id(track)] else "other") for track in shown[:0:-1]]
    paths.append(shapes.curve(shown[0], scale, columns, "main", read=True))
    drawn = [shapes.box(*paths, height=height), *shapes.rule(scale, watched.threshold, height, "threshold")]
    limit = f"{plain(watched.comparison, limit=4)} {wording.number(watched.threshold)}"
    label.insert(-1, _sub(f"{plain(watched.expr, limit=160)} {limit}", "code expr clamp"))
    said = f"{plain(watched.expr)}, threshold {limit}" + (f", {len(tracks)} series" if len(tracks) > 1 else "")
    marks = [(watched.threshold, "threshold")]
    ends = (scale.high, scale.low)
    return chart(label, scale, drawn, height=height, said=said, kind="metric", ends=ends, marks=marks)


def _states(verdict: Verdict, responses: list[Response], label: list[Element]) -> Element:
    """Pending and firing as bars; over them the time to detect, or that nothing came."""
    t, r = verdict.timeline, responses[0]
    intervals = [
        i
        for a in t.alerts
        if any(a.alert == r.alert and r.labels.items() <= a.labels.items() for r in responses)
        for i in a.intervals
    ]
    drawn = [el("rect", x="0", width="100%", y=23, height=1, class_="track")]
    phase = next((p for p in t.phases if p.name == "fault"), None)
    begin = where = phase.start if phase is not None else 0.0
    if r.detect is not None and r.fired_at is not None:
        begin = where = r.fired_at - r.detect[1]
        drawn.append(el("rect", x=at(t, begin), width=shapes.wide(t, begin, r.fired_at), y=22, height=3, class_="wait"))
        drawn.append(el("rect", x=at(t, begin), width=2, y=17, height=13, class_="wait"))
    elif r.fired_at is not None:
        where = r.fired_at
    if r.within is not None and begin + r.within < t.end:
        due = at(t, begin + r.within)
        drawn.append(el("line", x1=due, x2=due, y1=14, y2=33, class_="deadline"))
    drawn += shapes.bars(t, intervals, y=17, height=13)
    late = where > 0.6 * t.end
    said = _short(r)
    kind = f"said {wording.tone(verdict, r)}" + (" end" if late else "")
    drawn.append(el("text", said, x=at(t, where), dx=-4 if late else 4, y=12, class_=kind))
    full = f"{wording.name(r.alert, r.labels)}: {r.word}, {wording.evidence(r) or said}"
    return lane(label, drawn, height=36, said=full, kind="states")


def _rate(t: Timeline, columns: int) -> Iterator[Element]:
    shown = [track for track in t.rate if track.name != "failed" or any(track.values)]
    if not shown:
        return
    scale, height = plot.scale_for(t.end, (v for track in shown for v in track.values)), 48
    drawn = []
    for track in shown:
        line, fill = ("raw accent", "failed") if track.name == "failed" else ("raw", "load")
        drawn.append(shapes.measured(track, scale, columns, line, height=height, fill=fill))
    sub = "per second: " + " and ".join(plain(track.name, limit=40) for track in shown)
    label = [_name("requests"), el("output"), _sub(sub)]
    yield chart(label, scale, drawn, height=height, said=f"Requests {sub}", kind="rate", ends=(scale.high, scale.low))


def _axis(t: Timeline) -> Element:
    drawn = []
    for i, (seconds, text) in enumerate(plot.ticks(t.end)):
        drawn.append(el("line", x1=at(t, seconds), x2=at(t, seconds), y1=0, y2=4, class_="tick"))
        place = "" if i == 0 else " end" if seconds > 0.97 * t.end else " mid"
        drawn.append(el("text", text, x=at(t, seconds), y=18, class_=f"time{place}{' odd' if i % 2 else ''}"))
    return lane([], drawn, height=22, said="Time since the start of the drill", kind="axis")


def _legend(verdict: Verdict) -> Element:
    def key(shape: Element, text: str) -> Element:
        return el("span", el("svg", shape, width=18, height=10, aria_hidden="true"), text)

    def swatch(kind: str, height: int = 10) -> Element:
        return el("rect", width=18, y=(10 - height) / 2, height=height, class_=kind)

    keys = [key(swatch("phase fault"), "fault phase"), key(swatch("wait", 3), "time to detect")]
    if any(r.within is not None for r in verdict.responses):
        keys.append(key(el("line", x1=9, x2=9, y1=0, y2=10, class_="deadline"), "time allowed"))
    keys += [key(swatch("pending"), "pending"), key(swatch("firing"), "firing")]
    if verdict.timeline.watched:
        keys.append(key(el("line", x1=0, x2=18, y1=5, y2=5, class_="threshold"), "threshold"))
    return el("figcaption", *keys)


def _short(r: Response) -> str:
    """A response in the few words that a plot has room for."""
    if r.detect is not None:
        return f"after {wording.time_range(r.detect)}"
    if r.fired_at is not None:
        return f"at {rounded_duration(r.fired_at)}"
    return "not judged" if r.word == "NOT_JUDGED" else "never fired"


def _aside(r: Response) -> str:
    """What is worth a line beside the bars."""
    if r.within is not None:
        return f"{format_duration(r.within)} allowed"
    if r.peak is not None and r.word not in wording.NOTICED:
        return f"peaked at {wording.share(r.peak)} of its threshold"
    return ""


def _varying(responses: tuple[Response, ...]) -> list[str]:
    """The labels in which the series of one alert differ."""
    keys = sorted({k for r in responses for k in r.labels})
    return [k for k in keys if len({r.labels.get(k) for r in responses}) > 1]


def _pairs(labels: dict[str, str]) -> str:
    return ", ".join(f'{plain(k, limit=60)}="{plain(v, limit=60)}"' for k, v in sorted(labels.items()))


def _name(text: str, extra: str = "") -> Element:
    return el("span", text, class_=f"name {extra}".strip())


def _sub(text: str, extra: str = "") -> Element:
    return el("span", text, class_=f"sub {extra}".strip())


def _quality_scale(t: Timeline, harm: Harm | None) -> Scale:
    """From a round value below what was measured (what matters is a few per cent) to 1, where that is the best."""
    levels = [v for v in (harm.before, harm.during) if v is not None] if harm else []
    scale = plot.scale_for(t.end, (v for track in t.quality for v in track.values), include=levels, zero=False)
    if all(track.unit == "ratio" for track in t.quality):
        if harm is not None and harm.score and harm.before is not None and harm.smallest is not None:
            scale = replace(scale, low=min(scale.low, harm.before - harm.smallest))
        # Below 1, where all of it was right: a scale of no height has its line in the middle.
        return Scale(t.end, min(0.9, max(0.0, int(scale.low * 10) / 10)), 1.0)
    return scale


def _matches(track: Track, r: Response) -> bool:
    return bool(r.labels) and all(track.labels.get(k) == v for k, v in r.labels.items() if k in track.labels)


def _reach(track: Track, watched: Watched) -> float:
    """The value nearest to alerting, comparable among the series of one expression."""
    values = [v for v in track.values if v is not None]
    if not values:
        return float("-inf")
    return -min(values) if watched.comparison.startswith("<") else max(values)

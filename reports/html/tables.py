"""The parts of a drill's section below its timeline: what was expected, what happened, in lists and tables."""

import math
from collections.abc import Iterator, Sequence
from statistics import fmean
from xml.etree.ElementTree import Element

from driftdrill.durations import rounded_duration
from driftdrill.reports import words as wording
from driftdrill.reports.data.timeline import Phase, Timeline, Track
from driftdrill.reports.data.verdict import Compared, Finding, Harm, Reason, SegmentHarm, Verdict
from driftdrill.reports.html.markup import el
from driftdrill.reports.words import plain

_MOST_ROWS = 100
Cell = Element | str


def table(kind: str, head: Sequence[str], rows: Sequence[Sequence[Cell]], caption: str = "") -> Element:
    """A table that a narrow screen shows as a list: every cell carries its column's name."""
    body = [
        el("tr", *(el("td", cell, data_label=label) for label, cell in zip(head, row, strict=True))) for row in rows
    ]
    return el(
        "table",
        el("caption", caption) if caption else None,
        el("thead", el("tr", *(el("th", h, scope="col") for h in head))),
        el("tbody", *body),
        class_=kind,
    )


def parts(verdict: Verdict) -> Iterator[Element]:
    """Expectations, harm, alerts, observations, what was not judged, the drill's facts, the timeline's numbers."""
    if not verdict.validity.valid:
        yield el("p", "An INVALID drill proves nothing: what follows is only what was seen.", class_="why bad")
    if verdict.findings:
        ordered = sorted(verdict.findings, key=lambda f: (f.held, bool(f.accepted)))
        yield _part("Expectations", el("ul", *(_finding(f) for f in ordered), class_="findings"))
    if verdict.harms:
        yield _part("Harm", _harm(verdict))
    if verdict.responses:
        yield _part("Alerts", _alerts(verdict))
    if verdict.latency:
        yield _part("Latency", _latency(verdict))
    if verdict.validity.observations:
        yield _part("Observations", el("ul", *(el("li", plain(o)) for o in verdict.validity.observations)))
    if verdict.listed:
        yield _part("Listed, not judged", el("ul", *(el("li", plain(o)) for o in verdict.listed[:_MOST_ROWS])))
    yield _part("Drill", _facts(verdict))
    if verdict.timeline.end > 0:
        yield el("details", el("summary", "The timeline as tables"), *_numbers(verdict.timeline))


def _part(title: str, content: Element) -> Element:
    return el("section", el("h3", title), content)


def _finding(f: Finding) -> Element:
    """One line where it held or is accepted, everything where it failed."""
    if f.held:
        said = "; ".join(plain(text) for text in (f.seen, f.margin) if text)
        return el("li", el("span", "held", class_="word"), _code(f.check), el("span", said, class_="sub"))
    if f.accepted:
        said = f"{plain(f.seen)} (because {plain(f.accepted)})"
        return el("li", el("span", "accepted", class_="word"), _code(f.check), el("span", said, class_="sub"))
    details = [("expected", f.expected), ("seen", f.seen), ("margin", f.margin), ("hint", f.hint)]
    return el(
        "li",
        el("span", "FAILED", class_="word bad"),
        _code(f.check),
        _code(wording.where(f.where), "sub ") if f.where else None,
        el("dl", *(el("div", el("dt", label), el("dd", plain(text))) for label, text in details if text)),
    )


def _code(text: str, extra: str = "") -> Element:
    return el("span", plain(text), class_=f"{extra}code")


def _harm(verdict: Verdict) -> Element:
    rows: list[list[Cell]] = []
    for h in verdict.harms:
        others = "; ".join(
            f"{plain(k)} {wording.quality(a)} → {wording.quality(b)}" for k, (a, b) in sorted(h.details.items())
        )
        unanswered = f", {h.unanswered:,} unanswered" if h.unanswered else ""
        rows.append([
            el("span", h.word, class_="word bad" if h.word == "HARMFUL" else "word"),
            plain(h.fault),
            f"{plain(h.measure)} {wording.value(h, h.before)} → {wording.value(h, h.during)}",
            _worse_by(h, h),
            f"{h.rows_before:,} and {h.rows_during:,}{unanswered}",
            "; ".join(s for s in (others, plain(h.note)) if s),
        ])  # fmt: skip
        rows += [_segment(h, s) for s in h.segments]
    head = ("harm", "fault", "before → during", "worse by, 95 % interval", "rows", "also")
    return table("harm", head, rows, "What each fault did to the predictions, from ground truth")


def _worse_by(h: Harm, part: Compared) -> str:
    """The interval of the change for the worse, and what matters."""
    said = wording.ends(h, part.drop) if part.drop is not None else "unknown"
    said += wording.matters(part)
    return said + (f"; {wording.times(part.ratio)}" if part.ratio else "")


def _segment(h: Harm, s: SegmentHarm) -> list[Cell]:
    """One segment of a fault's rows."""
    unanswered = f", {s.unanswered:,} unanswered" if s.unanswered else ""
    return [
        el("span", s.word, class_="word bad" if s.word == "HARMFUL" else "word"),
        f"{plain(h.fault)}, segment {plain(s.column)}={plain(s.value)}",
        f"{wording.value(h, s.before)} → {wording.value(h, s.during)}",
        _worse_by(h, s),
        f"{s.rows_before:,} and {s.rows_during:,}{unanswered}",
        plain(s.note),
    ]


def _alerts(verdict: Verdict) -> Element:
    responses = wording.by_importance(verdict)
    rows: list[list[Cell]] = []
    for r in responses[:_MOST_ROWS]:
        who = "named by the scenario; " if r.expected else ""
        rows.append([
            el("span", r.word, class_=f"word {wording.tone(verdict, r)}"),
            el("span", el("span", wording.name(r.alert, r.labels), class_="code"),
               el("span", who, _code(wording.where(r.where)), class_="sub below")),
            el("span", wording.evidence(r), *(el("span", _why(why), class_="sub below") for why in r.why)),
            *("" if at is None else rounded_duration(at) for at in (r.pending_at, r.fired_at, r.resolved_at)),
            "" if r.peak is None else wording.share(r.peak),
        ])  # fmt: skip
    head = ("response", "alert", "evidence", "pending", "firing", "resolved", "peak")
    left = len(responses) - _MOST_ROWS
    caption = "Times are since the start of the drill; the peak is a share of the threshold"
    return table("alerts", head, rows, caption + (f"; {left} more in the verdict's JSON" if left > 0 else ""))


def _why(why: Reason) -> str:
    return f"{plain(why.check)}: {plain(why.says)}" + (f"; {plain(why.hint)}" if why.hint else "")


def _latency(verdict: Verdict) -> Element:
    percents = list(dict.fromkeys(q for of in verdict.latency for q, _ in of.percentiles))
    rows = [
        [
            plain(of.phase),
            wording.SINCE[of.since],
            f"{of.requests:,}",
            *(wording.milliseconds(dict(of.percentiles).get(q, math.nan)) for q in percents),
        ]
        for of in verdict.latency
    ]
    head = ("phase", "counted", "requests", *(f"{q:g} %" for q in percents))
    return table("latency", head, rows, "This share of requests took no longer; a failed one counts until it failed")


def _facts(verdict: Verdict) -> Element:
    facts = [
        ("clock", verdict.clock),
        ("started", verdict.started_at),
        ("length", rounded_duration(verdict.timeline.end)),
        ("target", verdict.target),
        ("engine", verdict.engine),
        ("seed", str(verdict.seed)),
        ("requests", ", ".join(f"{n:,} {plain(word)}" for word, n in verdict.requests.items())),
        ("rules", ", ".join(wording.where(r) for r in verdict.rules)),
        ("versions", ", ".join(f"{plain(k)} {plain(v)}" for k, v in sorted(verdict.versions.items()))),
        ("recording", verdict.recording),
    ]
    return el("dl", *(el("div", el("dt", k), el("dd", plain(v, limit=2000))) for k, v in facts if v), class_="facts")


def _numbers(t: Timeline) -> Iterator[Element]:
    tracks = [
        *((track, track.name) for track in (*t.strength, *t.quality, *t.rate)),
        *((track, wording.name(w.alert, track.labels)) for w in t.watched for track in w.tracks),
    ]
    rows = [[plain(name), *(_in_phase(track, phase) for phase in t.phases)] for track, name in tracks[:_MOST_ROWS]]
    head = ("series", *(p.name.replace("_", "-") for p in t.phases))
    yield table("numbers", head, rows, "Mean (lowest to highest) of each series in each phase")
    states = [
        [wording.name(a.alert, a.labels), i.state, rounded_duration(i.start), rounded_duration(i.end)]
        for a in t.alerts
        for i in a.intervals
    ]
    if states:
        head = ("alert", "state", "from", "to")
        yield table("numbers", head, states[:_MOST_ROWS], "When each alert was pending and firing")


def _in_phase(track: Track, phase: Phase) -> str:
    pairs = zip(track.times, track.values, strict=False)
    values = [v for t, v in pairs if v is not None and phase.start <= t < phase.end]
    if not values:
        return "no sample"
    return f"{wording.number(fmean(values))} ({wording.number(min(values))} to {wording.number(max(values))})"

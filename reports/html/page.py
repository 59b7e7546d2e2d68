"""One page for one drill or several: self-contained, no external resource, light and dark, screen and paper.

Its pictures are SVG of our own: a page that must work from ``file://`` would carry all of plotly.js, 4.8 MB, where a
day of samples takes 0.26 MB here.
"""

from collections.abc import Sequence
from importlib.resources import files
from xml.etree.ElementTree import Element

from driftdrill.reports import words as wording
from driftdrill.reports.data.verdict import Verdict
from driftdrill.reports.html import lanes, markup, tables
from driftdrill.reports.html.markup import el, raw
from driftdrill.reports.words import Headline, plain

_PATH_BUDGET = 260_000
"""Bytes of a page that may be paths; a point takes about nine, a column of a path at most four points."""


def render(verdicts: Sequence[Verdict], *, title: str = "driftdrill report") -> str:
    """The page for these verdicts, a section each, with an overview on top where there are several.

    It needs nothing but itself (works from ``file://``) and stays below 500 kB for a day of samples. It holds no
    lone surrogate: ``Path.write_text(page, encoding="utf-8")`` works whatever an alert is called.
    """
    style, script = _asset("page.css"), _asset("page.js")
    paths = sum(lanes.path_count(v) for v in verdicts)
    columns = max(30, min(400, _PATH_BUDGET // 36 // max(1, paths)))
    policy = (
        f"default-src 'none'; style-src {markup.digest(style)}; script-src {markup.digest(script)}; "
        "base-uri 'none'; form-action 'none'"
    )
    head = el(
        "head",
        el("meta", charset="utf-8"),
        el("meta", http_equiv="Content-Security-Policy", content=policy),
        el("meta", name="viewport", content="width=device-width, initial-scale=1"),
        el("title", _title(verdicts, title)),
        raw("style", style),
    )
    main = el("main", el("p", "driftdrill", class_="brand"))
    if len(verdicts) != 1:
        main.append(_overview(verdicts, title, columns))
    for i, verdict in enumerate(verdicts, 1):
        main.append(_section(verdict, f"drill-{i}", "h1" if len(verdicts) == 1 else "h2", columns))
    if verdicts:
        main.append(_meanings(verdicts))
    return markup.page(el("html", head, el("body", main, raw("script", script)), lang="en"))


def _title(verdicts: Sequence[Verdict], title: str) -> str:
    if len(verdicts) == 1:
        return f"{wording.headline(verdicts[0]).loudest}: {plain(verdicts[0].scenario)}"
    return plain(title)


def _asset(name: str) -> str:
    return (files("driftdrill.reports.html") / "assets" / name).read_text(encoding="utf-8").strip()


def _overview(verdicts: Sequence[Verdict], title: str, columns: int) -> Element:
    rows = []
    for i, v in enumerate(verdicts, 1):
        head = wording.headline(v)
        noticed = wording.noticed(v)
        silent = bool(v.silent_failures) and v.validity.valid
        rows.append([
            el("a", plain(v.scenario, limit=160), href=f"#drill-{i}"),
            _words(head),
            _change(v),
            el("span", noticed or "nothing", class_="bad" if silent else None),
            lanes.strip(v, min(columns, 100)) or "no timeline",
        ])  # fmt: skip
    counted = [wording.headline(v).loudest for v in verdicts]
    summary = ", ".join(f"{counted.count(w)} {w}" for w in dict.fromkeys(counted))
    columns_named = ("drill", "verdict", "quality", "what fired", "quality over time, and what fired")
    return el(
        "section",
        el("h1", plain(title)),
        el("p", f"{len(verdicts)} drills: {summary}" if verdicts else "no drills", class_="story"),
        tables.table("overview", columns_named, rows),
    )


def _section(verdict: Verdict, anchor: str, heading: str, columns: int) -> Element:
    head = wording.headline(verdict)
    section = el(
        "article",
        _words(head),
        el(heading, plain(verdict.scenario, limit=200)),
        el("p", plain(verdict.story, limit=1000), class_="story") if verdict.story else None,
        *(el("p", sentence, class_="why" + (" bad" if head.bad else "")) for sentence in head.why),
        id=anchor,
    )
    figure = lanes.timeline(verdict, columns)
    if figure is None:
        section.append(el("p", "No timeline: the drill ended before it had one.", class_="sub"))
    else:
        section.append(figure)
    section.extend(part for part in tables.parts(verdict) if part is not None)
    return section


def _words(head: Headline) -> Element:
    bad = ("INVALID", "FAILED", "SILENT FAILURE")
    return el("p", *(el("span", w, class_="badge bad" if w in bad else "badge") for w in head.words), class_="words")


def _meanings(verdicts: Sequence[Verdict]) -> Element:
    """What the words on this page mean: open to whoever asks, out of the way of whoever knows."""
    pairs = (el("div", el("dt", word), el("dd", said)) for word, said in wording.meanings(verdicts).items())
    return el("details", el("summary", "What the words mean"), el("dl", *pairs, class_="facts"), class_="meanings")


def _change(verdict: Verdict) -> Element:
    harm = lanes.worst(verdict)
    if harm is None:
        return el("span", "unknown")
    change = f"{wording.value(harm, harm.before)} → {wording.value(harm, harm.during)}"
    return el("span", el("span", change, class_="nowrap"), " ", el("span", plain(harm.measure, limit=40), class_="sub"))

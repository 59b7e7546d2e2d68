"""The verdict as text for a terminal: what matters first, short for a good drill, complete for a bad one."""

import textwrap
from collections.abc import Iterator
from dataclasses import dataclass

from reports import wording
from reports.verdict import Finding, Response, Verdict
from reports.wording import plain

_STYLES = {
    "INVALID": "bold red", "FAILED": "bold red", "SILENT FAILURE": "bold red",
    "FALSE_ALARM": "bold red", "LATE": "bold red", "UNRESOLVED": "bold red", "HARMFUL": "bold red",
    "ALARM WITHOUT HARM": "bold yellow", "NOT_JUDGED": "yellow", "INCONCLUSIVE": "yellow", "UNKNOWN": "yellow",
    "VALID": "bold", "HELD": "bold green", "FIRED": "green", "HARMLESS": "green", "held": "green",
}  # fmt: skip
_INDENT, _HANG, _SILENT_ROWS = 2, 14, 5


@dataclass(frozen=True)
class _Row:
    """A word in the margin and the text that hangs beside it; without text it is a heading."""

    word: str
    text: str = ""
    indent: int = _INDENT
    hang: int = _HANG


def render(verdict: Verdict, *, width: int = 80, colour: bool = False) -> str:
    """The verdict in lines of at most ``width`` (40 or more) columns, with a trailing line end.

    ``colour`` adds terminal styles (through rich, imported only then); the characters are the same.
    """
    head = wording.headline(verdict)
    rows = [_Row(" · ".join(head.words), indent=0), _Row(plain(verdict.scenario), indent=0)]
    rows += [_Row("", sentence) for sentence in head.why]
    proven = "" if verdict.validity.valid else " (an INVALID drill proves nothing)"
    for title, body in (
        ("harm" + proven, [_Row(h.word, f"{plain(h.fault)}: {wording.harm(h)}") for h in verdict.harms]),
        ("alerts" + proven, list(_alerts(verdict, complete=head.bad))),
        ("expectations" + proven, list(_expectations(verdict, complete=head.bad))),
        ("latency", list(_latency(verdict))),
        ("observations", [_Row("", plain(o)) for o in verdict.validity.observations]),
        ("not judged", list(_unjudged(verdict))),
        ("drill", [_Row("", _drill(verdict))]),
    ):
        if body:
            rows += [_Row("", indent=0), _Row(title, indent=0), *body]
    lines = [line for row in rows for line in _lay_out(row, max(width, 40))]
    return _coloured(lines) if colour else "".join(word + text + "\n" for word, text in lines)


def _alerts(verdict: Verdict, *, complete: bool) -> Iterator[_Row]:
    """Who fired, who should have, whom the scenario names; the others in one paragraph."""
    rest: list[Response] = []
    told: dict[tuple[str, str], list[Response]] = {}
    silent = 0
    for r in wording.by_importance(verdict):
        loud = r.expected or r.word != "SILENT"
        if not loud and wording.tone(verdict, r) == "bad" and silent < _SILENT_ROWS:
            loud, silent = True, silent + 1
        if not loud:
            rest.append(r)
        elif r.word != "NOT_JUDGED":
            told.setdefault((r.alert, r.word), []).append(r)
    for (_, word), series in told.items():
        for r in series if complete else series[:1]:
            more = f" and {len(series) - 1} more series of it" if not complete and len(series) > 1 else ""
            yield _Row(word, _did(r) + more)
    if rest:
        yield _Row("SILENT", _rest(verdict, rest, complete=complete))


def _did(r: Response) -> str:
    said = wording.name(r.alert, r.labels) + (f": {wording.evidence(r)}" if wording.evidence(r) else "")
    return f"{said} ({wording.where(r.where)})" if r.where else said


def _rest(verdict: Verdict, rest: list[Response], *, complete: bool) -> str:
    """Those that nobody asked about and that did nothing: all of them in a bad drill, else the nearest."""
    count = "1 other" if len(rest) == 1 else f"{len(rest)} others"
    near = [r for r in rest if wording.nearness(verdict, r)]
    if not complete:
        return count + (f"; the nearest to its threshold: {_reached(near[0])}" if near else "")
    return f"{count} (% of the threshold reached): {', '.join(_reached(r) for r in rest)}"


def _reached(r: Response) -> str:
    return wording.name(r.alert, r.labels) + (f" {wording.share(r.peak)}" if r.peak is not None else "")


def _expectations(verdict: Verdict, *, complete: bool) -> Iterator[_Row]:
    held = [f for f in verdict.findings if f.held]
    for f in wording.failed(verdict):
        yield from _failed(f)
    for f in verdict.findings:
        if not f.held and f.accepted:
            yield _Row("accepted", f"{plain(f.check)}: {plain(f.seen)} (because {plain(f.accepted)})")
    if complete:
        yield from (_Row("held", plain(f.check)) for f in held)
    elif held:
        yield _Row("held", ", ".join(plain(f.check) for f in held))


def _failed(f: Finding) -> Iterator[_Row]:
    yield _Row("FAILED", plain(f.check) + (f" ({wording.where(f.where)})" if f.where else ""))
    for label, said in (("expected", f.expected), ("seen", f.seen), ("margin", f.margin), ("hint", f.hint)):
        if said:
            yield _Row(label, plain(said), indent=_INDENT + _HANG, hang=9)


def _latency(verdict: Verdict) -> Iterator[_Row]:
    for of in verdict.latency:
        shown = ", ".join(f"{q:g} % {wording.milliseconds(seconds)}" for q, seconds in of.percentiles)
        yield _Row(plain(of.phase), f"{wording.SINCE[of.since]}: {shown}")


def _unjudged(verdict: Verdict) -> Iterator[_Row]:
    for r in wording.by_importance(verdict):
        if r.word == "NOT_JUDGED":
            yield _Row(r.word, _did(r))
    for listed in verdict.listed:
        yield _Row("listed", plain(listed))


def _drill(verdict: Verdict) -> str:
    counts = ", ".join(f"{count:,} {plain(word)}" for word, count in verdict.requests.items() if count)
    facts = [
        f"{wording.duration(verdict.timeline.end)} on the {verdict.clock} clock",
        f"requests: {counts}" if counts else "no requests",
        plain(verdict.engine),
        f"seed {verdict.seed}",
        plain(verdict.target),
        plain(verdict.recording),
    ]
    return "; ".join(f for f in facts if f)


def _lay_out(row: _Row, width: int) -> list[tuple[str, str]]:
    """(word in the margin, text) of each line."""
    if not row.text:
        return [(line, "") for line in textwrap.wrap(row.word, width)] or [("", "")]
    margin = " " * row.indent + (row.word.ljust(row.hang) if row.word else "")
    wrapped = textwrap.wrap(row.text, width - len(margin), break_on_hyphens=False) or [""]
    return [(margin, wrapped[0]), *((" " * len(margin), line) for line in wrapped[1:])]


def _coloured(lines: list[tuple[str, str]]) -> str:
    from io import StringIO

    from rich.console import Console
    from rich.text import Text

    out = StringIO()
    console = Console(file=out, force_terminal=True, color_system="standard", legacy_windows=False)
    for i, (word, text) in enumerate(lines):
        line = Text()
        if i == 0:
            for n, part in enumerate(word.split(" · ")):
                line.append(" · " if n else "").append(part, _STYLES.get(part))
        else:
            line.append(word, _STYLES.get(word.strip(), "dim" if word[:1].islower() else "")).append(text)
        console.print(line, soft_wrap=True, highlight=False)
    return out.getvalue()

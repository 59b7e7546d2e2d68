"""The verdict as text for a terminal: what matters first, short for a good drill, complete for a bad one."""

from collections.abc import Iterator, Sequence

from driftdrill.durations import rounded_duration
from driftdrill.reports import words as wording
from driftdrill.reports.data.verdict import Finding, Response, Verdict
from driftdrill.reports.rows import HANG, INDENT, Row, laid_out
from driftdrill.reports.words import plain

_SILENT_ROWS = 5


def render(verdict: Verdict, *, width: int = 80, colour: bool = False) -> str:
    """The verdict in lines of at most ``width`` (40 or more) columns, with a trailing line end.

    ``colour`` adds terminal styles (through rich, imported only then); the characters are the same.
    """
    rows, bad = _headline(verdict), wording.headline(verdict).bad
    proven = "" if verdict.validity.valid else " (an INVALID drill proves nothing)"
    for title, body in (
        ("harm" + proven, list(_harms(verdict))),
        ("alerts" + proven, list(_alerts(verdict, complete=bad))),
        ("why" + proven, [Row("", wording.reason(r, why)) for r, why in wording.reasons(verdict)]),
        ("expectations" + proven, list(_expectations(verdict, complete=bad))),
        ("latency", list(_latency(verdict))),
        ("observations", [Row("", plain(o)) for o in verdict.validity.observations]),
        ("not judged", list(_unjudged(verdict))),
        ("drill", [Row("", _drill(verdict))]),
    ):
        if body:
            rows += [Row("", indent=0), Row(title, indent=0), *body]
    return laid_out(rows, width=width, colour=colour)


def render_headline(verdict: Verdict, *, width: int = 80, colour: bool = False) -> str:
    """The beginning of :func:`render`: the words, the scenario, and every sentence that says why, whole."""
    return laid_out(_headline(verdict), width=width, colour=colour)


def render_meanings(verdicts: Sequence[Verdict], *, width: int = 80) -> str:
    """What the words in these verdicts mean, a row each."""
    rows = [Row("What the words mean", indent=0)]
    rows += [Row(word, meaning, hang=20) for word, meaning in wording.meanings(verdicts).items()]
    return laid_out(rows, width=width)


def _headline(verdict: Verdict) -> list[Row]:
    head = wording.headline(verdict)
    words = [Row(" · ".join(head.words), indent=0), Row(plain(verdict.scenario), indent=0)]
    return [*words, *(Row("", sentence) for sentence in head.why)]


def _harms(verdict: Verdict) -> Iterator[Row]:
    for h in verdict.harms:
        yield Row(h.word, f"{plain(h.fault)}: {wording.harm(h)}")
        for word, said in wording.segments(h):
            yield Row(word, f"{plain(h.fault)}, segment {said}")


def _alerts(verdict: Verdict, *, complete: bool) -> Iterator[Row]:
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
            yield Row(word, _did(r) + more)
    if rest:
        yield Row("SILENT", _rest(verdict, rest, complete=complete))


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


def _expectations(verdict: Verdict, *, complete: bool) -> Iterator[Row]:
    held = [f for f in verdict.findings if f.held]
    for f in wording.failed(verdict):
        yield from _failed(f)
    for f in verdict.findings:
        if not f.held and f.accepted:
            yield Row("accepted", f"{plain(f.check)}: {plain(f.seen)} (because {plain(f.accepted)})")
    if complete:
        yield from (Row("held", plain(f.check)) for f in held)
    elif held:
        yield Row("held", ", ".join(plain(f.check) for f in held))


def _failed(f: Finding) -> Iterator[Row]:
    yield Row(
        "FAILED" if f.refuted else "UNPROVEN", plain(f.check) + (f" ({wording.where(f.where)})" if f.where else "")
    )
    for label, said in (("expected", f.expected), ("seen", f.seen), ("margin", f.margin), ("hint", f.hint)):
        if said:
            yield Row(label, plain(said), indent=INDENT + HANG, hang=9)


def _latency(verdict: Verdict) -> Iterator[Row]:
    for of in verdict.latency:
        shown = ", ".join(f"{q:g} % {wording.milliseconds(seconds)}" for q, seconds in of.percentiles)
        yield Row(plain(of.phase), f"{wording.SINCE[of.since]}: {shown}")


def _unjudged(verdict: Verdict) -> Iterator[Row]:
    for r in wording.by_importance(verdict):
        if r.word == "NOT_JUDGED":
            yield Row(r.word, _did(r))
    for listed in verdict.listed:
        yield Row("listed", plain(listed))


def _drill(verdict: Verdict) -> str:
    counts = ", ".join(f"{count:,} {plain(word)}" for word, count in verdict.requests.items() if count)
    facts = [
        f"{rounded_duration(verdict.timeline.end)} on the {verdict.clock} clock",
        f"requests: {counts}" if counts else "no requests",
        plain(verdict.engine),
        f"seed {verdict.seed}",
        plain(verdict.target),
        plain(verdict.recording),
    ]
    return "; ".join(f for f in facts if f)

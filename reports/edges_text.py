"""What edge cases did to a service, as text for a terminal."""

import textwrap
from collections import Counter

from driftdrill.reports.data.edges import SENT, EdgeCase, EdgeReport, EdgeSearch
from driftdrill.reports.words import number, plain


def render_search(report: EdgeSearch) -> str:
    """The search in a few lines, the curl line last and unbroken."""
    word = "BROKEN" if report.broken else "INCOMPLETE" if report.why else "HELD"
    lines = [
        f"{word} · {report.name}: {report.holds}",
        f"{plain(report.target)}: {report.tried} different requests, seed {report.seed}",
        *([f"ended early: {report.why}"] if report.why else []),
    ]
    if report.broken is not None:
        lines += [
            "",
            f"smallest of {report.breaking} that break it: {plain(report.broken.change)}",
            f"status {report.broken.status or '-'}: {plain(report.broken.seen)}",
            "",
            report.broken.curl,
        ]
    return "\n".join(lines) + "\n"


def render(report: EdgeReport, *, width: int = 80) -> str:
    """The table in lines of about ``width`` columns: what to repair first, then every case."""
    sent = [c for c in report.cases if c.outcome in SENT]
    counts = Counter(c.outcome for c in sent)
    told = ", ".join(f"{counts[outcome]} {outcome}" for outcome in SENT if counts[outcome])
    found = f"{len(report.open)} finding{'' if len(report.open) == 1 else 's'}" if report.open else "no finding"
    lines = [
        f"{'FINDINGS' if report.open else 'INCOMPLETE' if report.why else 'HELD'} · {found} in {len(sent)} edge cases",
        f"{plain(report.target)}: {told or 'nothing sent'}",
        f"valid row: {plain(report.source)}; predicted {number(report.prediction)}",
        *(plain(note) for note in ((report.why,) if report.why else ()) + report.notes),
    ]
    if report.findings:
        lines += ["", "findings"]
    for f in sorted(report.findings, key=lambda f: _SEVERITY.index(f.code.rpartition(".")[2])):
        lines += ["", f"  {plain(f.code)}" + (" (accepted)" if f.accepted else "")]
        lines += _wrapped((f"{f.column}: " if f.column else "") + f.seen, width, hang=0)
        lines += _wrapped(f"do: {f.advice}", width, hang=4)
    if sent:
        lines += ["", "cases", "", f"  {'outcome':<13}{'status':<8}{'case':<36}{'column':<14}prediction"]
        lines += [_row(c) for c in sent]
    left_out: dict[str, list[str]] = {}
    for c in report.cases:
        if c.outcome not in SENT:
            left_out.setdefault(c.note or "not sent", []).append(c.case)
    for reason, cases in left_out.items():
        lines += ["", f"  {plain(reason, limit=width)}:", *_wrapped(", ".join(cases), width, hang=0)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


_SEVERITY = ("dead", "poisoned", "left_behind", "crashed", "lost", "hung", "undecodable", "different")


def _wrapped(text: str, width: int, hang: int) -> list[str]:
    indent = " " * 6
    return textwrap.wrap(
        plain(text), width, initial_indent=indent, subsequent_indent=indent + " " * hang, break_on_hyphens=False
    )


def _row(c: EdgeCase) -> str:
    said = (
        number(c.prediction) if c.prediction is not None else plain("" if c.outcome == "rejected" else c.note, limit=60)
    )
    return f"  {c.outcome:<13}{c.status or '-':<8}{c.case:<36}{plain(c.column, limit=13):<14}{said}"

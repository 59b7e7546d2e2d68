"""What edge cases did to a service: the table as data, JSON in and out, and as text. docs/edge.md lists the codes."""

import textwrap
from collections import Counter
from dataclasses import dataclass

import msgspec

from driftdrill.reports.words import number, plain

SCHEMA = 1

SENT = ("rejected", "same", "different", "crashed", "undecodable", "lost", "hung")
"""The outcomes of a case that was sent; the other two are "not_applicable" and "not_sent"."""


@dataclass(frozen=True)
class EdgeCase:
    """One case, as it went."""

    case: str
    """Id and name, stable: "edge.nan.infinity"."""
    column: str
    what: str
    outcome: str
    status: int = 0
    seconds: float = 0.0
    size: int = 0
    """Bytes of the body sent."""
    prediction: float | None = None
    note: str = ""
    """Why it was not sent, or what was wrong with the answer."""


@dataclass(frozen=True)
class EdgeFinding:
    """Something to repair. ``code`` is stable: case and what happened, "edge.nan.infinity.crashed"."""

    code: str
    column: str
    seen: str
    advice: str
    accepted: bool = False


@dataclass(frozen=True)
class EdgeReport:
    """The whole table."""

    target: str
    source: str
    """Where the valid row came from."""
    prediction: float
    """Of the valid row."""
    cases: tuple[EdgeCase, ...]
    findings: tuple[EdgeFinding, ...]
    why: str = ""
    """Why not all cases were sent; empty where they were."""
    notes: tuple[str, ...] = ()
    schema: int = SCHEMA

    @property
    def open(self) -> list[EdgeFinding]:
        """The findings that are not accepted."""
        return [f for f in self.findings if not f.accepted]

    @property
    def exit_code(self) -> int:
        """0 no finding, 1 findings, 2 not all cases could be sent."""
        return 1 if self.open else 2 if self.why else 0

    def to_json(self) -> bytes:
        """Versioned, UTF-8, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


@dataclass(frozen=True)
class Broken:
    """The smallest request found that breaks a property."""

    change: str
    """What is different from the valid row."""
    seen: str
    status: int
    curl: str
    """Sends it again; credentials stand in it as variables."""


@dataclass(frozen=True)
class EdgeSearch:
    """A search for a request that breaks a property."""

    target: str
    name: str
    holds: str
    """The property in words."""
    seed: int
    tried: int
    """Different requests sent."""
    breaking: int
    """How many of them broke it."""
    broken: Broken | None
    why: str = ""
    """Why the search ended early; empty where it did not."""
    schema: int = SCHEMA

    @property
    def exit_code(self) -> int:
        """0 nothing found, 1 broken, 2 nothing found in a search that ended early."""
        return 1 if self.broken else 2 if self.why else 0

    def to_json(self) -> bytes:
        """Versioned, UTF-8, indented."""
        return msgspec.json.format(msgspec.json.encode(self), indent=2)


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


_SEVERITY = ("dead", "poisoned", "crashed", "lost", "hung", "undecodable", "different")


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

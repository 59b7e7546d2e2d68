"""Several engines on one recording: where they answer differently."""

from collections.abc import Sequence
from dataclasses import replace

from driftdrill.reports.data.verdict import Finding, Response, Verdict


def compared(first: Verdict, others: Sequence[Verdict]) -> Verdict:
    """The first verdict, with a finding for each alert to which another engine gives another word."""
    extra = []
    for other in others:
        theirs = {(r.alert, r.where): r for r in other.responses}
        for ours in first.responses:
            same = theirs.get((ours.alert, ours.where))
            if same is not None and same.word != ours.word:
                extra.append(_finding(ours, same, first.engine, other.engine))
    return replace(first, findings=(*first.findings, *extra))


def _finding(ours: Response, theirs: Response, one: str, two: str) -> Finding:
    return Finding(
        check=f"{ours.alert} responds alike on {one} and {two}",
        held=False,
        code="engine.differs",
        expected=f"one response on both, such as {ours.word}",
        seen=f"{ours.word} on {one}, {theirs.word} on {two}",
        where=ours.where,
        hint="range selectors leave out their oldest moment since Prometheus 3.0: look over at least four scrapes",
    )

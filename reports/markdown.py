"""A short summary for a pull request's comment or ``$GITHUB_STEP_SUMMARY``.

What a verdict carries can neither format the comment nor link, mention a person, refer to an issue, or load an
image: names are code spans, sentences are escaped.
"""

import re
from collections.abc import Iterator, Sequence

from driftdrill.reports import words as wording
from driftdrill.reports.data.verdict import Finding, Verdict
from driftdrill.reports.words import plain

_MOST_FINDINGS, _MOST_ROWS, _MOST_CHARACTERS = 10, 50, 59_900
_PUNCTUATION = re.compile(r"([\\`*_\[\]<>#|~$!]|^[-+=]|(?<=^\d)[.)])")
_NOTHING = "\N{ZERO WIDTH SPACE}"


def render(verdicts: Sequence[Verdict]) -> str:
    """GitHub-flavoured Markdown of at most 60,000 characters: a comment holds 65,536."""
    counted = [wording.headline(v).loudest for v in verdicts]
    summary = ", ".join(f"{counted.count(w)} {w}" for w in dict.fromkeys(counted)) or "no drills"
    text = f"## driftdrill: {summary}\n"
    if len(verdicts) > 1:
        text += "\n| drill | verdict | harm | fired |\n|---|---|---|---|\n"
        text += "".join(_row(v) + "\n" for v in verdicts[:_MOST_ROWS])
        if (left := len(verdicts) - _MOST_ROWS) > 0:
            text += f"\n{left} more drills are in the report.\n"
    told = [v for v in verdicts if len(verdicts) == 1 or wording.headline(v).bad]
    for i, verdict in enumerate(told):
        part = "\n" + "\n".join(_drill(verdict)) + "\n"
        if len(text) + len(part) > _MOST_CHARACTERS:
            return text + f"\nDetails of {len(told) - i} more drills are in the report.\n"
        text += part
    return text


def escape(text: str) -> str:
    """A sentence that shows as it is, on one line."""
    text = _PUNCTUATION.sub(r"\\\1", plain(text).replace("&", "&amp;"))
    # GitHub finds mentions, issues and addresses after Markdown: an invisible space breaks them.
    return re.sub(r"(@|\\#|//|[wW]{3}(?=\.)|[gG][hH](?=-))", rf"\1{_NOTHING}", text)


def code(text: str, *, limit: int = 200) -> str:
    """A name as a code span, in a table's cell too."""
    text = plain(text, limit=limit).replace("|", "¦")
    fence = "`" * (1 + max((len(run) for run in re.findall("`+", text)), default=0))
    return f"{fence} {text} {fence}" if fence != "`" else f"`{text}`" if text else ""


def _row(verdict: Verdict) -> str:
    head = wording.headline(verdict)
    said = [w for h in verdict.harms for w in (h.word, *(f"HARMFUL to {s.column}={s.value}" for s in h.harmed[:1]))]
    harms = escape(", ".join(dict.fromkeys(said))) or "none"
    words = f"**{head.loudest}**" if head.bad else head.loudest
    return f"| {code(verdict.scenario)} | {words} | {harms} | {escape(wording.noticed(verdict)) or 'nothing'} |"


def _drill(verdict: Verdict) -> Iterator[str]:
    head = wording.headline(verdict)
    yield f"### {' · '.join(head.words)}: {escape(verdict.scenario)}"
    yield ""
    yield from (f"- {escape(sentence)}" for sentence in head.why)
    for h in verdict.harms[:_MOST_FINDINGS]:
        yield f"- {h.word} {code(h.fault)}: {escape(wording.harm(h))}"
        yield from (f"- {w} {code(h.fault)}, segment {escape(s)}" for w, s in wording.segments(h))
    told = wording.reasons(verdict)[:_MOST_FINDINGS]
    yield from (f"- why {code(r.alert)} was {r.word}: {escape(wording.reason(r, why))}" for r, why in told)
    failed = wording.failed(verdict)
    yield from (_finding(f) for f in failed[:_MOST_FINDINGS])
    if (left := len(failed) - _MOST_FINDINGS) > 0:
        yield f"- and {left} more expectations failed"
    if accepted := sum(bool(f.accepted) for f in verdict.findings if not f.held):
        yield f"- {accepted} failed and accepted"
    yield f"- {escape(verdict.engine)}, seed {verdict.seed}, {verdict.clock} clock"


def _finding(f: Finding) -> str:
    said = [("expected", f.expected), ("seen", f.seen), ("margin", f.margin), ("hint", f.hint)]
    details = "; ".join(f"{label} {escape(text)}" for label, text in said if text)
    return f"- **{'FAILED' if f.refuted else 'UNPROVEN'}** {code(f.check)} {code(wording.where(f.where))}: {details}"

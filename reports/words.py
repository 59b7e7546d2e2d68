"""How every view says the same thing: the headline, numbers and ranges of time, and text made safe to show.

What a verdict carries (alert names, labels, stories, answers of a server) was written by others. ``plain`` is
applied to all of it before any view shows it.
"""

import math
import os
import re
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.reports.data.timeline import Timeline, Watched
from driftdrill.reports.data.verdict import Compared, Finding, Harm, Reason, Response, SegmentHarm, Verdict

NOTICED = ("FIRED", "LATE", "UNRESOLVED")
_ORDER = ("FALSE_ALARM", "LATE", "UNRESOLVED", "FIRED", "SILENT", "NOT_JUDGED")
_TONES = ("bad", "good", "dim")
MOST_SEGMENTS = 8
"""Segments of one word that are named."""
SEEM_HARMED = 3
"""Segments that seem harmed and are INCONCLUSIVE, whose numbers are told."""

WORDS = {
    "VALID": "the drill proves something: the load was sent, the fault in force, the target scraped, the rules loaded",
    "INVALID": "the drill proves nothing, for the reason given; it never passes",
    "HELD": "every expectation of the scenario came true, or the team has accepted that it did not",
    "FAILED": "an expectation of the scenario did not come true, or what --fail-on names has happened",
    "UNPROVEN": "an expectation could not be judged, or none was written: that passes for nothing",
    "SILENT FAILURE": "a fault did harm and no alert noticed",
    "ALARM WITHOUT HARM": "an alert fired during the fault, and no fault did harm",
    "HARMFUL": "the fault made the predictions worse by more than the scenario tolerates, as the true outcomes show",
    "HARMLESS": "the fault made the predictions worse by less than the scenario tolerates, if at all",
    "INCONCLUSIVE": "there were too few rows, or too few that say something new, to tell HARMFUL from HARMLESS",
    "UNKNOWN": "there was nothing to measure the predictions by: no true outcomes, or one that is always the same",
    "FIRED": "the alert fired after the first faulty request, in time",
    "LATE": "the alert fired after the time that the scenario allows",
    "SILENT": "the alert did not fire",
    "UNRESOLVED": "the alert fired, and still did at the end of the recovery",
    "FALSE_ALARM": "the alert fired without the fault: before it, or too long after it",
    "NOT_JUDGED": "the drill did not put the alert to the test, so that its silence would prove nothing",
    "left side": "what a rule compares with its threshold: in `error_ratio > 0.05`, the value of `error_ratio`",
}
"""What each word of a verdict means, for a reader who has never seen one."""

# Controls, lone surrogates, noncharacters, and the marks that reorder or hide text: they could rewrite a
# terminal, break XML, or make a page say something else than the verdict does.
_UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff\ufeff\ufffe\uffff]"
)


@dataclass(frozen=True)
class Headline:
    """What a reader must know first."""

    words: tuple[str, ...]
    """VALID or INVALID; HELD or FAILED; SILENT FAILURE or ALARM WITHOUT HARM where there is one."""
    bad: bool
    """Whether somebody has to do something: the drill is not green, or a fault did harm unnoticed."""
    why: tuple[str, ...]
    """The sentences that say why, the most important first; never empty."""

    @property
    def loudest(self) -> str:
        """The one word for a page's title or a table's cell."""
        return next((w for w in ("INVALID", "SILENT FAILURE", "FAILED", "UNPROVEN") if w in self.words), self.words[-1])


def safe(text: str) -> str:
    """``text`` with every character that cannot be shown safely written as ``\\x1b`` or ``\\u202e``."""
    return _UNSAFE.sub(lambda m: f"\\x{ord(m[0]):02x}" if ord(m[0]) < 0x100 else f"\\u{ord(m[0]):04x}", text)


def plain(text: str, *, limit: int = 400) -> str:
    """``text`` made safe, on one line, white space collapsed, an ellipsis after ``limit`` characters."""
    text = safe(re.sub(r"\s+", " ", text[: 4 * limit]).strip())
    return text if len(text) <= limit else text[: limit - 1] + "…"


def time_range(ends: tuple[float, float]) -> str:
    """``10m50s to 11m5s``, or one duration where both ends read alike."""
    low, high = rounded_duration(ends[0]), rounded_duration(ends[1])
    return low if low == high else f"{low} to {high}"


def number(value: float | None) -> str:
    """Three significant digits; "unknown" for None and NaN."""
    if value is None or math.isnan(value):
        return "unknown"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    if abs(value) >= 1000 and abs(value) < 1e15:
        return f"{value:,.0f}"
    return f"{value:.3g}"


def quality(value: float | None) -> str:
    """A measure of quality, three decimals; "unknown" for None."""
    return "unknown" if value is None else f"{value:.3f}"


def milliseconds(seconds: float) -> str:
    """``1.234 ms``, to the microsecond."""
    return f"{seconds * 1000:,.3f} ms" if math.isfinite(seconds) else "?"


SINCE = {
    "intended": "from the intended start",
    "send": "from the send",
    "to first token": "to the first token",
    "between tokens": "between tokens",
}


def share(value: float) -> str:
    """``83 %``; never "100 %" for what is not all, nor "0 %" for what is not nothing."""
    percent = value * 100
    if not math.isfinite(percent):
        return number(percent)
    if 0 < percent < 1 or 99 < percent < 100:
        return f"{percent:.2g} %" if percent < 1 else f"{math.floor(percent * 10) / 10:g} %"
    return f"{percent:,.0f} %"


def name(alert: str, labels: Mapping[str, str]) -> str:
    """``InputDrift{feature="dep_delay"}``, as Prometheus writes it, made safe."""
    pairs = ", ".join(f'{plain(k)}="{plain(v)}"' for k, v in sorted(labels.items()))
    return plain(alert) + (f"{{{pairs}}}" if pairs else "")


def where(place: str) -> str:
    """file:line, relative to the working folder where it lies below it, as terminals and CI systems link it."""
    try:
        folder = os.getcwd().rstrip(os.sep) + os.sep
    except FileNotFoundError:  # somebody removed it
        folder = ""
    return plain(place.removeprefix(folder), limit=200)


def meanings(verdicts: Sequence[Verdict]) -> dict[str, str]:
    """The entries of :data:`WORDS` that these verdicts need, in its order."""
    said = {"left side"} if any("left side" in r.note for v in verdicts for r in v.responses) else set()
    for verdict in verdicts:
        said |= {*headline(verdict).words, *(h.word for h in verdict.harms), *(r.word for r in verdict.responses)}
        said |= {s.word for h in verdict.harms for s in h.segments}
    return {word: meaning for word, meaning in WORDS.items() if word in said}


def failed(verdict: Verdict) -> list[Finding]:
    """The expectations that did not hold and that the team has not accepted."""
    return [f for f in verdict.findings if not f.held and not f.accepted]


def tone(verdict: Verdict, r: Response) -> str:
    """How loud a response is: "bad", "good", or "dim" for a silence that nobody minds and what was not judged."""
    if r.word in ("LATE", "UNRESOLVED", "FALSE_ALARM"):
        return "bad"
    if r.word != "SILENT":
        return "good" if r.word == "FIRED" else "dim"
    missed = any(f.where and f.where == r.where for f in failed(verdict))
    # Of an alert that the scenario names, silence is wrong only where an expectation failed over it.
    unnoticed = bool(verdict.silent_failures) and not r.expected
    return "bad" if verdict.validity.valid and (missed or unnoticed) else "dim"


def by_importance(verdict: Verdict) -> list[Response]:
    """The responses: bad ones first, then what the scenario names, then who fired, then the nearest."""

    def key(r: Response) -> tuple[object, ...]:
        rank = _TONES.index(tone(verdict, r)), r.word == "NOT_JUDGED", not r.expected, _ORDER.index(r.word)
        return *rank, -(nearness(verdict, r) or 0.0), -(r.peak or 0.0), r.alert, sorted(r.labels.items())

    return sorted(verdict.responses, key=key)


def nearness(verdict: Verdict, r: Response) -> float | None:
    """How near a silent alert came because of the fault, 1 = the threshold.

    None where its left side is unknown or moved no nearer than in the baseline, as that of ``count(x) > 1``,
    which is always at 100 %.
    """
    if r.word != "SILENT" or r.peak is None:
        return None
    for watched in (w for w in verdict.timeline.watched if w.alert == r.alert):
        before, during = (_extreme(watched, verdict.timeline, name) for name in ("baseline", "fault"))
        if before is not None and during is not None and during <= before:
            return None
    return r.peak


def _extreme(watched: Watched, timeline: Timeline, phase_name: str) -> float | None:
    """The value nearest to alerting in a phase, greater being nearer."""
    found = []
    for phase in (p for p in timeline.phases if p.name == phase_name):
        for track in watched.tracks:
            inside = slice(bisect_left(track.times, phase.start), bisect_left(track.times, phase.end))
            found += [v for v in track.values[inside] if v is not None]
    if not found:
        return None
    return -min(found) if watched.comparison.startswith("<") else max(found)


def evidence(response: Response) -> str:
    """What an alert did, in a few clauses: when it fired, how near it came, what limits the judgement."""
    said = []
    if response.detect is not None:
        said.append(detection(response))
        said += [f"on {instances(response)}"] if instances(response) else []
    elif response.fired_at is not None and not response.note:
        said.append(f"fired at {rounded_duration(response.fired_at)}")
    if response.resolved_at is not None and response.word in NOTICED:
        said.append(f"resolved at {rounded_duration(response.resolved_at)}")
    if response.word == "UNRESOLVED" and not response.note:
        said.append("still firing at the end")
    if response.note:
        said.append(plain(response.note))
    elif response.peak is not None and response.word not in NOTICED:
        said.append(f"peaked at {share(response.peak)} of its threshold")
    if response.evaluations is not None and response.word in ("SILENT", "NOT_JUDGED"):
        had = "" if response.with_value is None else f", {response.with_value} with a value"
        said.append(f"evaluated {response.evaluations} times{had}")
    said += [plain(mark) for mark in response.marks]
    return "; ".join(said)


def instances(response: Response) -> str:
    """Which instances fired: the labels of the first three; empty where one has no labels, or none fired."""
    named = [name("", labels) for labels in response.instances[:3] if labels]
    more = f" and {len(response.instances) - 3} more" if len(response.instances) > 3 else ""
    return " and ".join(named) + more


def reasons(verdict: Verdict) -> list[tuple[Response, Reason]]:
    """Why alerts were silent, and what else is wrong with their rules: those that the scenario names first."""
    ordered = sorted(verdict.responses, key=lambda r: not r.expected)
    return [(r, why) for r in ordered for why in r.why]


def reason(r: Response, why: Reason) -> str:
    """``Errors500 (rules.yml:4), nothing_matches: no scrape had ...; did you mean ...?``."""
    hint = f"; {plain(why.hint)}" if why.hint else ""
    place = f" ({where(r.where)})" if r.where else ""
    return f"{name(r.alert, r.labels)}{place}, {plain(why.check)}: {plain(why.says)}{hint}"


def detection(response: Response) -> str:
    """``fired 10m40s to 10m55s after the fault began (15m allowed)``; empty where it did not."""
    if response.detect is None:
        return ""
    allowed = f" ({format_duration(response.within)} allowed)" if response.within is not None else ""
    return f"fired {time_range(response.detect)} after the fault began{allowed}"


def noticed(verdict: Verdict) -> str:
    """Which alert fired, and after how long; empty where none did."""
    fired = [r for r in by_importance(verdict) if r.word in NOTICED]
    if not fired:
        return ""
    first = min(fired, key=lambda r: (not r.expected, r.fired_at or 0.0))
    after = f" after {time_range(first.detect)}" if first.detect is not None else ""
    return plain(first.alert, limit=80) + after + (f", and {len(fired) - 1} more" if len(fired) > 1 else "")


def harm(of: Harm) -> str:
    """What one fault did, in numbers."""
    if of.before is None or of.during is None:
        return plain(of.note) or f"{plain(of.measure)} unknown: no ground truth"
    said = f"{plain(of.measure)} {value(of, of.before)} -> {value(of, of.during)}{_unit(of)}{_change(of, of)}"
    said += f"; {of.rows_before:,} and {of.rows_during:,} rows"
    if of.unanswered:
        said += f", {of.unanswered:,} unanswered count as {'wrong' if of.score else 'what a constant would cost'}"
    for measure, (before, during) in sorted(of.details.items()):
        said += f"; {plain(measure)} {quality(before)} -> {quality(during)}"
    return said + (f"; {plain(of.note)}" if of.note else "")


def value(of: Harm, found: float | None) -> str:
    """A value of a fault's measure: a score to three decimals, a loss to three digits, and to more where it takes more
    to see the change."""
    if found is None or not math.isfinite(found):
        return number(found)
    decimals = _decimals(of)
    if of.score:
        return f"{found:.{max(3, decimals)}f}"
    short = number(found)
    return short if decimals <= _shown(short) or abs(found) >= 1e15 else f"{found:,.{decimals}f}"


def _decimals(of: Harm) -> int:
    """How many decimals show the change, or the smallest that matters, to its second digit: 1.000 -> 1.000 is none."""
    size = max(abs(worse(of, of)), of.smallest or 0.0)
    return min(12, max(0, 1 - math.floor(math.log10(size)))) if 0 < size < math.inf else 0


def _shown(text: str) -> int:
    """How many decimals a number is written with; one with an exponent shows all that it has."""
    return 99 if "e" in text else len(text.partition(".")[2])


def _unit(of: Harm) -> str:
    """The unit, where the measure's name does not say it."""
    return f" {plain(of.unit, limit=40)}" if of.unit not in ("", "share") and of.unit not in of.measure else ""


def _change(of: Harm, part: Compared) -> str:
    """By how much the measure changed for the worse, and by how much it may."""
    said = ""
    if part.drop is not None:
        said += f", a {'drop' if of.score else 'rise'} of {ends(of, part.drop)} (95 % interval)"
    said += matters(part)
    return said + (f" ({times(part.ratio)})" if part.ratio else "")


def matters(part: Compared) -> str:
    """The smallest harm that matters, after what it is beside; "" without."""
    return f"; {number(part.smallest)} matters" if part.smallest is not None else ""


def times(ratio: tuple[float, float]) -> str:
    """An interval of during / before."""
    return f"{ratio[0]:.3g} to {ratio[1]:.3g} times the baseline's"


def ends(of: Harm, interval: tuple[float, float]) -> str:
    """Both ends of an interval of change, in the digits of the values."""
    return " to ".join(value(of, end) for end in interval)


def segment(of: Harm, part: SegmentHarm) -> str:
    """What one fault did to one segment, in numbers."""
    named = f"{plain(part.column)}={plain(part.value)}"
    if part.before is None or part.during is None:
        return f"{named}: {plain(part.note) or 'unknown'}"
    said = f"{named}: {value(of, part.before)} -> {value(of, part.during)}{_change(of, part)}"
    said += f"; {part.rows_before:,} and {part.rows_during:,} rows"
    return said + (f"; {plain(part.note)}" if part.note else "")


def segments(of: Harm) -> Iterator[tuple[str, str]]:
    """(word, sentence) of each segment that somebody must look at, worst first; the others are counted in one.

    So are those that seem harmed, with too few rows to be sure: a few of them are told in numbers.
    """
    order = {"HARMFUL": 0, "INCONCLUSIVE": 1, "UNKNOWN": 2, "HARMLESS": 3}
    told = sorted(of.segments, key=lambda s: (order[s.word], -worse(of, s)))
    for part in [s for s in told if s.word == "HARMFUL"]:
        yield part.word, segment(of, part)
    seem = [s for s in told if s.word == "INCONCLUSIVE" and s.smallest is not None and worse(of, s) > s.smallest]
    for part in seem[:SEEM_HARMED]:
        yield part.word, segment(of, part)
    for word in ("INCONCLUSIVE", "UNKNOWN", "HARMLESS"):
        if few := [s for s in told if s.word == word and s not in seem[:SEEM_HARMED]]:
            names = ", ".join(f"{plain(s.column)}={plain(s.value, limit=40)}" for s in few[:MOST_SEGMENTS])
            yield word, names + (f" and {len(few) - MOST_SEGMENTS} more" if len(few) > MOST_SEGMENTS else "")


def worse(of: Harm, part: Compared) -> float:
    """By how much a measure is worse under the fault; 0 where that is not known."""
    if part.before is None or part.during is None:
        return 0.0
    return part.before - part.during if of.score else part.during - part.before


def hidden(of: Harm) -> str:
    """The segments that were HARMFUL where the whole was not, as a sentence; empty where there are none."""
    if of.word == "HARMFUL" or not of.harmed:
        return ""
    worst = max(of.harmed, key=lambda s: worse(of, s))
    part = worst.rows_during / of.rows_during if of.rows_during else math.nan
    more = f" (and {len(of.harmed) - 1} more segments)" if len(of.harmed) > 1 else ""
    return (
        f"{plain(of.fault)}: HARMFUL to {plain(worst.column)}={plain(worst.value)}{more}, {share(part)} of the rows, "
        f"while all together are {of.word}: {plain(of.measure)} there {_moved(of)} from {value(of, worst.before)} to "
        f"{value(of, worst.during)}"
    )


def _moved(of: Harm) -> str:
    return "fell" if of.score else "rose"


def headline(verdict: Verdict) -> Headline:
    """The words and the sentences that every view begins with."""
    if not verdict.validity.valid:
        reasons = tuple(plain(r) for r in verdict.validity.reasons)
        return Headline(("INVALID",), True, reasons or ("no reason was recorded",))
    missed = [f for f in failed(verdict) if f.refuted]
    unproven = [f for f in failed(verdict) if not f.refuted]
    silent, harmless = verdict.silent_failures, verdict.alarms_without_harm
    words = ["VALID", {0: "HELD", 1: "FAILED"}.get(verdict.exit_code, "UNPROVEN")]
    why = [_silent(verdict, h) for h in silent]
    why += [f"{said}." for h in verdict.harms if h not in silent and (said := hidden(h))]
    if missed:
        why.append(f"{len(missed)} of {_expectations(len(verdict.findings))} failed: {_first(missed)}")
    if unproven:
        why.append(f"{len(unproven)} of {_expectations(len(verdict.findings))} not judged: {_first(unproven)}")
    if verdict.asserts_nothing:
        why.append("Nothing was asserted: the scenario has no expectation, so that it cannot fail.")
    if accepted := sum(bool(f.accepted) for f in verdict.findings if not f.held):
        why.append(f"{accepted} of {_expectations(len(verdict.findings))} failed and the team accepts it.")
    if silent:
        words.append("SILENT FAILURE")
    if silent and not missed and verdict.exit_code:
        why.append("--fail-on silent_failure makes that a failure.")
    if harmless:
        words.append("ALARM WITHOUT HARM")
        names = ", ".join(dict.fromkeys(name(r.alert, r.labels) for r in by_importance(verdict) if r in harmless))
        why.append(f"{names} fired although no fault did harm: early warning or noise, the team decides.")
    return Headline(tuple(words), bool(silent) or verdict.exit_code != 0, tuple(why) or (_good(verdict),))


def _expectations(count: int) -> str:
    return f"{count} expectation" + ("" if count == 1 else "s")


def _first(missed: list[Finding]) -> str:
    more = f" (and {len(missed) - 1} more)" if len(missed) > 1 else ""
    return f"{plain(missed[0].check)}: {plain(missed[0].seen)}{more}"


def _silent(verdict: Verdict, of: Harm) -> str:
    if part := hidden(of):
        return f"{part}, and no alert noticed."
    moved = f"{_moved(of)} from {value(of, of.before)} to {value(of, of.during)}"
    said = f"{plain(of.measure)} {moved} and no alert noticed."
    near = max(verdict.responses, key=lambda r: nearness(verdict, r) or 0.0, default=None)
    if near is not None and near.peak is not None and near.peak >= 1 and nearness(verdict, near):
        said += f" {name(near.alert, near.labels)} was {plain(near.note)}." if near.note.startswith("above") else ""
    elif near is not None and near.peak is not None and nearness(verdict, near):
        said += f" The nearest, {name(near.alert, near.labels)}, came to {share(near.peak)} of its threshold."
    return f"{plain(of.fault)}: {said}"


def _good(verdict: Verdict) -> str:
    fired = [r for r in by_importance(verdict) if r.word in NOTICED]
    if fired:
        return f"{name(fired[0].alert, fired[0].labels)} {detection(fired[0]) or evidence(fired[0])}."
    if verdict.harms and all(h.word == "HARMLESS" for h in verdict.harms):
        if open_ := [s for h in verdict.harms for s in h.segments if s.word != "HARMLESS"]:
            names = f"{plain(open_[0].column)}={plain(open_[0].value, limit=40)}"
            more = f" and {len(open_) - 1} more segments" if len(open_) > 1 else ""
            return f"No alert fired; no fault did harm to all rows together, and of {names}{more} it is not known."
        return "No alert fired, and none was needed: no fault did harm."
    return f"{_expectations(len(verdict.findings))} held; no alert fired."

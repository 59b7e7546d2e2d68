"""The verdict of one drill: validity, response, harm, each with its evidence. Frozen; JSON in and out.

The JSON form is versioned by ``Verdict.schema``; a reader refuses a version that it does not know.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

import msgspec

from driftdrill.reports.data.timeline import Labels, Timeline

SCHEMA = 1

ResponseWord = Literal["FIRED", "LATE", "SILENT", "UNRESOLVED", "FALSE_ALARM", "NOT_JUDGED"]
HarmWord = Literal["HARMFUL", "HARMLESS", "INCONCLUSIVE", "UNKNOWN"]
Since = Literal["intended", "send", "to first token", "between tokens"]


@dataclass(frozen=True)
class Validity:
    """Whether the drill proves anything; an INVALID drill is never green."""

    valid: bool
    reasons: tuple[str, ...] = ()
    """Why it is INVALID; empty when valid."""
    observations: tuple[str, ...] = ()
    """What a reader should know although it does not make the drill worthless."""


@dataclass(frozen=True)
class Reason:
    """Why an alert stayed silent, or could not have fired: one finding of one check."""

    check: str
    """The check's name, such as "no_such_metric": its file in harness/judge/why/, its page in docs/why/."""
    says: str
    """One sentence of evidence, with the values seen."""
    hint: str = ""
    """What to do."""
    cannot_fire: bool = False
    """Whether the rule could not have fired from anything of this kind that was there: a metric that was never there,
    NaN on its left side, sides that never join, a threshold above the top bucket. A label value that merely did not
    occur is none of these."""


@dataclass(frozen=True)
class Response:
    """What one alert did. Times are seconds from scenario start; ``where`` is rules.yml:17."""

    alert: str
    word: ResponseWord
    where: str
    labels: Labels = field(default_factory=dict)
    expected: bool = False
    """Whether the scenario names this alert."""
    pending_at: float | None = None
    fired_at: float | None = None
    resolved_at: float | None = None
    detect: tuple[float, float] | None = None
    """Time to detect, seconds, as a (lowest, highest) range over scrape phases."""
    within: float | None = None
    """Seconds that the scenario allowed."""
    peak: float | None = None
    """For a threshold alert: how near its left side came, 1 = the threshold."""
    note: str = ""
    """One sentence of evidence: "peaked at 83 % of its threshold, 4 minutes too short for `for: 10m`"."""
    marks: tuple[str, ...] = ()
    """What limits this judgement: "wall clock only", "rebased time()"."""
    evaluations: int | None = None
    """How many times the rule was evaluated."""
    with_value: int | None = None
    """At how many of them what it compares had a value; None where that is not known."""
    instances: tuple[Labels, ...] = ()
    """Labels of the instances that fired."""
    vanished: bool = False
    """Whether it resolved because what it compares had no value any more."""
    why: tuple[Reason, ...] = ()
    """Why it stayed silent, and what else is wrong with it."""


@dataclass(frozen=True, kw_only=True)
class Compared:
    """What became of a measure under one fault, from ground truth: over all rows, or over those of one segment."""

    word: HarmWord
    smallest: float | None = None
    """The scenario's smallest harm that matters, in the measure's units."""
    before: float | None = None
    during: float | None = None
    drop: tuple[float, float] | None = None
    """95 % interval of the change for the worse: before - during of a score, during - before of a loss. A segment's is
    wider by so much that all segments together err as rarely as one would (Holm)."""
    ratio: tuple[float, float] | None = None
    """95 % interval of during / before, where the smallest harm is a share of the baseline's loss."""
    rows_before: int = 0
    rows_during: int = 0
    unanswered: int = 0
    """Rows of the fault phase without a prediction; they count as wrong, or cost what a constant would."""
    note: str = ""


@dataclass(frozen=True)
class SegmentHarm(Compared):
    """What one fault did to the rows of one segment; the measure is the whole's."""

    column: str
    value: str


@dataclass(frozen=True)
class Harm(Compared):
    """What one fault did to the predictions, from ground truth."""

    fault: str
    measure: str
    """What is compared, such as "accuracy"."""
    details: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    """Further measures, (before, during): AUC, log loss."""
    unit: str = ""
    """Of the measure's values: "share", "nats", the column whose unit an error has, or the author's own."""
    score: bool = True
    """Whether more is better."""
    segments: tuple[SegmentHarm, ...] = ()

    @property
    def harmed(self) -> tuple[SegmentHarm, ...]:
        """The segments that were HARMFUL."""
        return tuple(s for s in self.segments if s.word == "HARMFUL")

    @property
    def did_harm(self) -> bool:
        """Whether the fault was HARMFUL, to all rows or to those of some segment."""
        return self.word == "HARMFUL" or bool(self.harmed)

    @property
    def harmless(self) -> bool:
        """Whether the fault was HARMLESS, and no segment has it open."""
        return self.word == "HARMLESS" and all(s.word in ("HARMLESS", "UNKNOWN") for s in self.segments)


@dataclass(frozen=True)
class LatencyPercentiles:
    """How long the requests of one phase took, on the wall clock."""

    phase: str
    since: Since
    """From when seconds count: the intended start, so that a queue before the target shows, or the send; or, of a
    language model's stream, the seconds from the send to the first token and the mean seconds between tokens."""
    requests: int
    percentiles: tuple[tuple[float, float], ...]
    """(percent, seconds that so many percent of the requests did not exceed), to the microsecond."""


@dataclass(frozen=True)
class Finding:
    """One expectation, held or not."""

    check: str
    """As written: "fires(InputDrift, within=15m)"."""
    held: bool
    code: str
    """Stable: fires.silent, fires.late, quiet.fired ..."""
    expected: str
    seen: str
    where: str = ""
    margin: str = ""
    hint: str = ""
    accepted: str = ""
    """Why the team accepts it, if it does: such a finding fails nothing."""
    refuted: bool = True
    """Of one that did not hold: whether the evidence speaks against it, or proves nothing either way."""


class Failures(list[Finding]):
    """Findings that did not hold, beside what the alerts did: so that a failed assertion can say why."""

    responses: tuple[Response, ...] = ()


@dataclass(frozen=True)
class Verdict:
    """All that one drill says."""

    scenario: str
    story: str
    clock: Literal["virtual", "wall"]
    validity: Validity
    responses: tuple[Response, ...]
    harms: tuple[Harm, ...]
    findings: tuple[Finding, ...]
    timeline: Timeline
    engine: str
    """Which Prometheus evaluated the rules: "promtool 3.5.3" or "prometheus 2.42.0 at <address>"."""
    started_at: str
    """RFC 3339, UTC."""
    seed: int
    target: str
    requests: dict[str, int] = field(default_factory=dict)
    """planned, sent, answered, failed, missed; on the wall clock also "in flight at most"."""
    latency: tuple[LatencyPercentiles, ...] = ()
    """Of the baseline and the fault phase, where time was real."""
    rules: tuple[str, ...] = ()
    """The rule files."""
    listed: tuple[str, ...] = ()
    """Alerts that are listed and not judged, each with the reason."""
    versions: dict[str, str] = field(default_factory=dict)
    recording: str = ""
    fail_on: tuple[str, ...] = ()
    """Extra conditions that the user made failures, such as "silent_failure"."""
    schema: int = SCHEMA

    @property
    def failures(self) -> "Failures":
        """The findings that did not hold and are not accepted; an INVALID drill has one for each reason."""
        invalid = [
            Finding(check="validity", held=False, code="invalid", expected="a VALID drill", seen=reason)
            for reason in self.validity.reasons
        ]
        found = Failures(invalid + [f for f in self.findings if not f.held and not f.accepted])
        found.responses = self.responses
        return found

    @property
    def silent_failures(self) -> list[Harm]:
        """Faults that were HARMFUL, if only to a segment, and that no alert noticed; none where no alert was judged."""
        if any(r.word in ("FIRED", "LATE", "UNRESOLVED") for r in self.responses):
            return []
        if self.responses and all(r.word == "NOT_JUDGED" for r in self.responses):
            return []
        return [h for h in self.harms if h.did_harm]

    @property
    def alarms_without_harm(self) -> list[Response]:
        """Alerts that fired although every fault was HARMLESS: early warning or noise, the team decides."""
        if not self.harms or not all(h.harmless for h in self.harms):
            return []
        return [r for r in self.responses if r.word in ("FIRED", "LATE", "UNRESOLVED")]

    @property
    def asserts_nothing(self) -> bool:
        """Whether neither the scenario nor --fail-on asks anything of the drill."""
        return not self.findings and not self.fail_on

    @property
    def exit_code(self) -> int:
        """0 every expectation held, 1 the evidence refutes one, 3 nothing is proven: INVALID, an expectation that could
        not be judged, none at all."""
        if not self.validity.valid:
            return 3
        if any(f.refuted for f in self.failures) or ("silent_failure" in self.fail_on and self.silent_failures):
            return 1
        return 3 if self.failures or self.asserts_nothing else 0

    def to_json(self) -> bytes:
        """The versioned JSON form, UTF-8, indented; a lone surrogate, which UTF-8 cannot hold, becomes "?"."""
        try:
            encoded = msgspec.json.encode(self)
        except UnicodeEncodeError:
            encoded = msgspec.json.encode(_encodable(msgspec.to_builtins(self)))
        return msgspec.json.format(encoded, indent=2)


def _encodable(value: object) -> object:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, dict):
        return {_encodable(k): _encodable(v) for k, v in value.items()}
    return [_encodable(v) for v in value] if isinstance(value, list | tuple) else value


def worst(codes: Iterable[int]) -> int:
    """The exit code of several verdicts: what is refuted outranks what proves nothing, and that what held."""
    return max(codes, key=(0, 3, 1).index)


class UnknownSchema(ValueError):
    """A verdict file that this version cannot read; ``hint`` says what to do."""

    hint = "judge the recording again with this version of driftdrill"


def from_json(text: bytes) -> Verdict:
    """Read a verdict. Raises :class:`UnknownSchema` for another version and for what is no verdict."""
    try:
        raw = msgspec.json.decode(text)
    except msgspec.DecodeError as e:
        raise UnknownSchema(f"not a verdict: {e}") from e
    found = raw.get("schema") if isinstance(raw, dict) else None
    if found != SCHEMA:
        raise UnknownSchema(f"verdict schema {found!r}; this version reads schema {SCHEMA}")
    try:
        return msgspec.convert(raw, Verdict)
    except msgspec.ValidationError as e:
        raise UnknownSchema(f"not a verdict: {e}") from e

"""Judge: a Recording and Rules in, a Verdict out. Pure: no load, no network, no scenario file."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from driftdrill.durations import rounded_duration
from driftdrill.harness.errors import RecordingError, RuleError
from driftdrill.harness.judge.drill import Drill
from driftdrill.harness.judge.evidence import Judged
from driftdrill.harness.judge.findings.load import counts, latencies
from driftdrill.harness.judge.findings.responses import MOMENT_NOTE, PHASE_NOTE
from driftdrill.harness.judge.findings.timeline import timeline
from driftdrill.harness.judge.findings.validity import validity
from driftdrill.harness.judge.harm.harm import harms
from driftdrill.harness.judge.rules.moments import moment
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.judge.under import under
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Recording, open_recording
from driftdrill.reports.data.verdict import Finding, Response, Validity, Verdict
from driftdrill.stack.prometheus.promtool import Promtool, find_promtool
from driftdrill.stack.rules.files import RuleFile, load_rule_files, parse


def judge(
    recording: Recording | str | Path,
    rules: Sequence[str | Path] | None = None,
    *,
    promtool: Promtool | None = None,
    phases: int = 1,
    history: Recording | str | Path | None = None,
    at: Sequence[str] = (),
    fail_on: Sequence[str] = (),
) -> Verdict:
    """The verdict on a recording under ``rules`` (files or globs); None is the rules that were recorded.

    ``phases`` evaluates at that many shifts against the recorded scrapes: time-to-detect becomes a range.
    ``history`` is a clean recording that is put before this one. ``at`` are moments such as 2026-03-29T02:30+01:00,
    each of which scenario second 0 is taken to be in turn, for rules that read the clock.

    Raises :class:`RecordingError`, :class:`RuleError`, or an error that says which promtool is missing.
    """
    opened = recording if isinstance(recording, Recording) else open_recording(recording)
    files = recorded_rules(opened) if rules is None else load_rule_files(rules)
    drill = Drill(opened, open_recording(history) if isinstance(history, (str, Path)) else history)
    moments = [moment(text) for text in at]
    found = promtool or find_promtool()
    return verdict(under(drill, with_alerts(files), found, phases, moments, own=rules is None), fail_on)


def recorded_rules(recording: Recording) -> list[RuleFile]:
    """The rules as they were at the drill, under the paths that the user gave."""
    if not recording.meta.rules:
        raise RuleError("the recording holds no rules", hint="give some with --rules")
    out: list[RuleFile] = []
    for name, path in recording.meta.rules:
        try:
            text = (recording.path / "rules" / name).read_text(encoding="utf-8")
        except OSError as e:
            raise RecordingError(f"rules/{name}: {e.strerror}", where=str(recording.path)) from e
        out += parse(text, path)
    return out


def with_alerts(files: Sequence[RuleFile]) -> Rules:
    """The rules. Raises :class:`RuleError` where none is an alert."""
    rules = Rules(tuple(files))
    if not rules.alerts:
        raise RuleError("the rule files hold no alert", hint="name them with --rules")
    return rules


def verdict(judged: Judged, fail_on: Sequence[str] = ()) -> Verdict:
    """The verdict on a judged drill."""
    drill, meta, requests = judged.drill, judged.drill.meta, judged.drill.requests
    alerts = tuple(judged.facts[0].tracks)
    return Verdict(
        scenario=meta.scenario,
        story=meta.story,
        clock="wall" if meta.clock == "wall" else "virtual",
        validity=_validity(judged),
        responses=tuple(judged.each),
        harms=harms(meta, drill.phases, requests, drill.events),
        findings=(*_about_rules(judged), *judged.findings),
        timeline=timeline(meta, drill.phases, requests, drill.events, judged.rules, judged.evaluated[0].series, alerts),
        engine=judged.engine,
        started_at=datetime.fromtimestamp(meta.started_at, UTC).isoformat(timespec="seconds"),
        seed=meta.seed,
        target=_target(meta),
        requests=counts(meta, requests),
        latency=latencies(meta, drill.phases, requests),
        rules=tuple(str(f.path) for f in judged.rules.files),
        listed=tuple(f"{name}: {why}" for name, why in {**judged.listed, **judged.others}.items()),
        versions=meta.versions,
        recording=str(drill.recording.path),
        fail_on=tuple(fail_on),
    )


def _validity(judged: Judged) -> Validity:
    drill = judged.drill
    parts = (drill.meta, drill.phases, drill.requests, drill.scraped, drill.events, judged.awaited)
    valid = validity(*parts, drill.failed_pages, reads=judged.rules.needed, look_back=judged.look_backs)
    if drill.history is None:
        return valid
    note = f"{rounded_duration(drill.history.seconds)} of clean history come from {drill.history.name}"
    return replace(valid, observations=(*valid.observations, note))


def _about_rules(judged: Judged) -> list[Finding]:
    """Rules that cannot be evaluated, and responses that hang on the phase or the moment of evaluation."""
    known = judged.rules.known
    out = [
        Finding(
            check=f"rule {known[place].rule.name} can be evaluated",
            held=False,
            code="rule.error",
            expected=f"{known[place].rule.name} evaluates at every tick",
            seen=f"{errors.why}, at {_moments(errors.times)}",
            where=known[place].where,
            hint="Prometheus leaves the rule as it was then, and says so in its log only: correct its expression",
        )
        for place, errors in sorted(judged.evaluated[0].errors.items())
    ]
    return out + [f for r in judged.each if (f := _dependent(judged, r)) is not None]


def _moments(times: Sequence[float]) -> str:
    if not times:
        return "some evaluation"
    first = rounded_duration(max(0.0, times[0]))
    return f"{len(times)} evaluations from {first} on" if len(times) > 1 else first


def _dependent(judged: Judged, r: Response) -> Finding | None:
    """The finding on a response that hangs on the phase, or on the moment."""
    if r.note.startswith(PHASE_NOTE):
        what, code = "phase", "phase.dependent"
        expected = f"one response over {judged.shifts} phases between scrape and evaluation"
        hint = "its range is too short for its interval: look over at least four scrapes"
    elif r.note.startswith(MOMENT_NOTE):
        what, code = "moment", "clock.dependent"
        expected = f"one response at {', '.join(judged.moments)}"
        hint = "it reads the clock, and is silent at some moments: if that is meant, accept this finding and say why"
    else:
        return None
    return Finding(
        check=f"{r.alert} responds alike at every {what}",
        held=False,
        code=code,
        expected=expected,
        seen=r.note,
        where=r.where,
        hint=hint,
    )


def _target(meta: Meta) -> str:
    """Its name, and where it was."""
    connections = meta.target.get("connections") or [{}]
    return " at ".join(str(part) for part in (meta.target.get("name"), connections[0].get("url")) if part)

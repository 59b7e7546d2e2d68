"""Judge: a Recording and Rules in, a Verdict out. Pure: no load, no network, no scenario file."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from driftdrill.durations import rounded_duration
from driftdrill.harness.errors import RecordingError, RuleError, UsageError
from driftdrill.harness.judge.engine import evaluate as engine
from driftdrill.harness.judge.engine import fold
from driftdrill.harness.judge.evidence import Drill, Judged
from driftdrill.harness.judge.findings import limits
from driftdrill.harness.judge.findings.load import counts, latencies
from driftdrill.harness.judge.findings.responses import MOMENT_NOTE, PHASE_NOTE, of_rule
from driftdrill.harness.judge.findings.timeline import timeline
from driftdrill.harness.judge.findings.validity import validity
from driftdrill.harness.judge.harm.harm import harms
from driftdrill.harness.judge.rules.analysed import analyse
from driftdrill.harness.judge.rules.moments import Moment, can_be_put, moment, refuse_unreadable
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.judge.why.born import born, missing, told
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Recording, Samples, open_recording
from driftdrill.harness.scenario.expect_alerts import Quiet
from driftdrill.reports.data.verdict import Finding, Response, Validity, Verdict
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.promtool import Promtool, check_loaded, find_promtool
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


def under(
    drill: Drill,
    rules: Rules,
    promtool: Promtool,
    phases: int = 1,
    moments: Sequence[Moment] = (),
    *,
    own: bool = False,
) -> Judged:
    """The drill under ``rules``, evaluated at ``phases`` shifts, for each of the moments if there are any.

    ``own`` are the rules that were recorded with it: then a live server's answers stand, but for chosen moments.
    """
    refuse_unreadable(rules, moments)
    meta = drill.meta
    live = own and meta.clock == "wall" and not moments
    name = meta.engine if live else f"promtool {promtool.version}"
    lefts = [k.analysed.left for k in rules.alerts if k.analysed.left is not None]
    exprs = [*lefts, *drill.exprs]
    if live:
        shifts = [fold.live_phases(drill.served, rules)]
    else:
        step = meta.evaluation_interval
        shifts = [[s] * len(rules.groups) for s in _phases(_needed(drill, rules, exprs), step, phases)]
    runs = [(shift, m) for m in moments or (None,) for shift in shifts]
    try:
        _refuse_unloadable(promtool, rules.files)
    except StackError as e:
        if not live:
            raise
        # The server took them; of what promtool would have been asked beside it nothing is known.
        failed = {expr: {0.0: str(e)} for expr in exprs}
        return Judged(drill, rules, (engine.Evaluated((), failed=failed, moments=tuple(shifts[0])),), name, live)
    if len(runs) == 1:
        made = [evaluated(drill, rules, promtool, exprs, *runs[0])]
    else:
        with ThreadPoolExecutor(max_workers=2) as pool:  # each waits for a promtool of its own
            made = list(pool.map(lambda run: evaluated(drill, rules, promtool, exprs, *run), runs))
    judged = Judged(drill, rules, tuple(made), name, live, moments=tuple(m.said for m in moments))
    return replace(judged, unborn=_unborn(judged, promtool))


def _unborn(judged: Judged, promtool: Promtool) -> dict[int, tuple[str, bool]]:
    """Of the alerts that must be quiet, and ask for series of which none had the labels: whether they fire with one."""
    named = {e.alert for e in judged.drill.expect if isinstance(e, Quiet)}
    out: dict[int, tuple[str, bool]] = {}
    for known in judged.rules.alerts:
        if known.rule.name not in named or not (nodes := missing(known, judged.seen)):
            continue
        fires = False
        for made in (born(nodes, judged.seen, rising=True), born(nodes, judged.seen, rising=False)):
            if made is None or fires:
                continue
            tried = evaluated(judged.drill, judged.rules, promtool, (), more=made)
            own = of_rule(tried.alerts, known)
            fires = any(i.state == "firing" for t in own for i in t.intervals)
        out[known.index] = told(nodes), fires
    return out


_accepted: set[tuple[Promtool, tuple[str, ...]]] = set()
"""Engines and the rule files that they have no complaint about: each is asked once."""


def _refuse_unloadable(promtool: Promtool, files: Sequence[RuleFile]) -> None:
    """Raise the engine's complaint, with file and line, about a rule file that it would not load."""
    key = promtool, tuple(f.text for f in files)
    if key not in _accepted:
        check_loaded(promtool, files)
        _accepted.add(key)


def evaluated(
    drill: Drill,
    rules: Rules,
    promtool: Promtool,
    exprs: Sequence[str],
    phases: Sequence[float] = (),
    at: Moment | None = None,
    more: Sequence[Samples] = (),
) -> engine.Evaluated:
    """The rules over the drill's samples and ``more``, and ``exprs``; each group at its moment in ``phases``, or 0.

    Scenario second 0 is taken to be ``at``; without, when the drill began, as far as every clock can be put so.
    """
    if at is None and all(can_be_put(expr) for expr in (*(k.rule.expr for k in rules.known), *exprs)):
        at = Moment("", drill.meta.started_at)

    def rebase(samples: Sequence[Samples], zero: float) -> list[Samples]:
        return limits.rebase(samples, rules, drill.meta, zero if at is None else at.unix)

    return engine.evaluate(
        [*_needed(drill, rules, exprs), *more],
        rules,
        promtool,
        end=drill.phases["recovery"].end,
        interval=drill.meta.evaluation_interval,
        exprs=exprs,
        phases=phases,
        rebase=rebase,
        clock=(lambda expr, zero: expr) if at is None else at.clock,
    )


def _needed(drill: Drill, rules: Rules, exprs: Sequence[str]) -> list[Samples]:
    return engine.needed(drill.samples, rules.known, [analyse(e).metrics for e in exprs])


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
    parts = (drill.meta, drill.phases, drill.requests, drill.scraped, drill.events, _must_fire(judged), judged.awaited)
    valid = validity(*parts, reads=judged.rules.needed)
    if drill.history is None:
        return valid
    note = f"{rounded_duration(drill.history.seconds)} of clean history come from {drill.history.name}"
    return replace(valid, observations=(*valid.observations, note))


def _must_fire(judged: Judged) -> frozenset[str]:
    """The alerts that may not fire before the fault, of those that can be judged at all."""
    unjudged = {k.rule.name for k in judged.rules.alerts if judged.unjudged(k)}
    return judged.drill.must_fire - unjudged


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


def _phases(samples: Sequence[Samples], interval: float, count: int) -> list[float]:
    """``count`` shifts in [0, interval), none of which lets an evaluation meet a scrape."""
    if not 1 <= count <= 100:
        raise UsageError(f"phases must be 1 to 100, not {count}")
    step = round(interval * 1000)
    taken = {int(m) for s in samples if len(s.times) for m in np.unique(s.times % step)}
    out = [0]
    for i in range(1, count):
        shift = i * step // count
        while shift in taken and shift + 1 < step:
            shift += max(1, step // 150)
        out.append(shift)
    return [shift / 1000 for shift in out]

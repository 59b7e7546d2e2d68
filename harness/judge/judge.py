"""Judge: a Recording and Rules in, a Verdict out. Pure: no load, no network, no scenario file."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.drive.recording import Meta, Recording, Requests, Samples, open_recording
from harness.errors import RecordingError, RuleError, UsageError
from harness.expect import Expectation, Fires, Resolves
from harness.judge import history as past
from harness.judge import marks as limits
from harness.judge import timeline as engine
from harness.judge.draw import timeline
from harness.judge.harm import harms
from harness.judge.load import counts, latencies
from harness.judge.responses import PHASE_NOTE, Facts, merged, respond
from harness.judge.rules import KnownRule, Rules, analyse
from harness.judge.validity import validity
from reports.timeline import Labels, Phase, Track
from reports.verdict import Finding, Response, Verdict
from stack.promtool import Promtool, find_promtool
from stack.rulefiles import RuleFile, load_rule_files, parse

ALWAYS_FIRING = ("Watchdog", "DeadMansSwitch", "InfoInhibitor")


def judge(
    recording: Recording | str | Path,
    rules: Sequence[str | Path] | None = None,
    *,
    promtool: Promtool | None = None,
    phases: int = 1,
    history: Recording | str | Path | None = None,
    fail_on: Sequence[str] = (),
) -> Verdict:
    """The verdict on a recording under ``rules`` (files or globs); None is the rules that were recorded.

    ``phases`` evaluates at that many shifts against the recorded scrapes: time-to-detect becomes a range.
    ``history`` is a clean recording that is put before this one.

    Raises :class:`RecordingError`, :class:`RuleError`, or an error that says which promtool is missing.
    """
    opened = recording if isinstance(recording, Recording) else open_recording(recording)
    files = recorded_rules(opened) if rules is None else load_rule_files(rules)
    clean = open_recording(history) if isinstance(history, (str, Path)) else history
    known = Rules(tuple(files))
    if not known.alerts:
        raise RuleError("the rule files hold no alert", hint="name them with --rules")
    own = rules is None
    return _Judgement(opened, known, own, promtool or find_promtool(), phases, clean).verdict(fail_on)


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


@dataclass(frozen=True)
class _Judgement:
    """Everything that the verdict is put together from; also what an expectation may look at (Evidence)."""

    recording: Recording
    rules: Rules
    own_rules: bool
    """Whether the rules are those of the drill, so that a live server's answers stand."""
    promtool: Promtool
    shifts: int
    clean: Recording | None

    @property
    def meta(self) -> Meta:
        return self.recording.meta

    @cached_property
    def phases(self) -> Mapping[str, Phase]:
        return {n: Phase(n, s, e) for n, s, e in self.meta.phases}  # type: ignore[arg-type]

    @cached_property
    def expect(self) -> tuple[Expectation, ...]:
        try:
            return tuple(msgspec.convert(e, Expectation) for e in self.meta.expect)
        except msgspec.ValidationError as e:
            raise RecordingError(f"meta.json holds an expectation that this version does not know: {e}") from e

    @cached_property
    def requests(self) -> Requests:
        return self.recording.requests()

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return self.recording.events()

    @cached_property
    def scraped(self) -> list[Samples]:
        return self.recording.samples()

    @cached_property
    def history(self) -> past.History | None:
        return None if self.clean is None else past.before(self.recording, self.clean)

    @property
    def live(self) -> bool:
        """Whether a real server evaluated these very rules."""
        return self.meta.clock == "wall" and self.own_rules

    @cached_property
    def served(self) -> list[Samples]:
        return self.recording.samples("alerts") if self.live else []

    @cached_property
    def evaluated(self) -> tuple[engine.Evaluated, ...]:
        """One a phase shift; the first is not shifted."""
        lefts = [k.analysed.threshold.left for k in self.rules.alerts if k.analysed.threshold is not None]
        exprs = [*lefts, *(e for x in self.expect for e in x.exprs)]
        samples = self.scraped if self.history is None else past.joined(self.history, self.scraped)
        chosen = engine.needed(samples, self.rules.known, [analyse(e).metrics for e in exprs])
        step = self.meta.evaluation_interval

        def at(phases: Sequence[float]) -> engine.Evaluated:
            return engine.evaluate(
                chosen,
                self.rules,
                self.promtool,
                end=self.phases["recovery"].end,
                interval=step,
                exprs=exprs,
                phases=phases,
                rebase=lambda s, zero: limits.rebase(s, self.rules, self.meta, zero),
            )

        if self.live:
            return (at(engine.live_phases(self.served, self.rules)),)
        shifts = [[shift] * len(self.rules.groups) for shift in _phases(chosen, step, self.shifts)]
        if len(shifts) == 1:
            return (at(shifts[0]),)
        with ThreadPoolExecutor(max_workers=2) as pool:  # each waits for a promtool of its own
            return tuple(pool.map(at, shifts))

    @cached_property
    def facts(self) -> tuple[Facts, ...]:
        began = [float(self.requests.intended[s > 0].min()) for s in self.requests.strength.values() if (s > 0).any()]
        began += [e["at"] for e in self.events if e["event"] == "fault" and e["strength"] > 0]
        step = self.meta.evaluation_interval
        return tuple(
            Facts(
                self.phases,
                min(began, default=None),
                engine.from_server(self.served, self.rules, step) if self.live else evaluated.alerts,
                evaluated.series,
                self.history.seconds if self.history else 0.0,
                step,
                self.meta.scrape_interval,
            )
            for evaluated in self.evaluated
        )

    def phase(self, name: str) -> Phase:
        return self.phases[name]

    def responses(self, alert: str | None, labels: Labels, within: float | None = None) -> tuple[Response, ...]:
        known = [k for k in self.rules.alerts if alert is None or k.rule.name == alert]
        if alert is not None and not known:
            return (Response(alert, "NOT_JUDGED", "", dict(labels), True, note="no rule of this name was judged"),)
        found = tuple(self._respond(k, labels, within) for k in known)
        return found if alert is None else (_strongest(found),)

    def _respond(self, known: KnownRule, labels: Labels, within: float | None) -> Response:
        expected = known.rule.name in self.named()
        each = [respond(facts, known, labels, within, expected) for facts in self.facts]
        return replace(merged(each), marks=self._marks(known))

    @cached_property
    def _present(self) -> frozenset[str]:
        return frozenset(s.labels.get("__name__", "") for s in self.scraped)

    @cached_property
    def _wall_only(self) -> frozenset[str]:
        return limits.wall_only(self.meta, self.events, self.scraped)

    def _marks(self, known: KnownRule) -> tuple[str, ...]:
        return limits.marks(known, self._wall_only, self._present, rebased=not self.live)

    def named(self) -> frozenset[str]:
        return frozenset(a for e in self.expect for a in e.alerts)

    def series(self, expr: str) -> tuple[Track, ...]:
        return self.evaluated[0].series.get(expr, ())

    def verdict(self, fail_on: Sequence[str]) -> Verdict:
        meta, alerts = self.meta, tuple(self.facts[0].tracks)
        must_fire = frozenset(a for e in self.expect if e.fires_alert for a in e.alerts)
        valid = validity(meta, self.phases, self.requests, self.scraped, self.events, must_fire, alerts)
        if self.history is not None:
            note = f"{self.history.seconds:g} s of clean history come from {self.history.name}"
            valid = replace(valid, observations=(*valid.observations, note))
        listed, responses = self._responses()
        return Verdict(
            scenario=meta.scenario,
            story=meta.story,
            clock="wall" if meta.clock == "wall" else "virtual",
            validity=valid,
            responses=responses,
            harms=harms(meta, self.phases, self.requests),
            findings=(*self._about_rules(responses), *(e.check(self) for e in self.expect)),
            timeline=timeline(
                meta, self.phases, self.requests, self.events, self.rules, self.evaluated[0].series, alerts
            ),
            engine=meta.engine if self.live else f"promtool {self.promtool.version}",
            started_at=datetime.fromtimestamp(meta.started_at, UTC).isoformat(timespec="seconds"),
            seed=meta.seed,
            target=_target(meta),
            requests=counts(meta, self.requests),
            latency=latencies(meta, self.phases, self.requests),
            rules=tuple(str(f.path) for f in self.rules.files),
            listed=listed,
            versions=meta.versions,
            recording=str(self.recording.path),
            fail_on=tuple(fail_on),
        )

    def _responses(self) -> tuple[tuple[str, ...], tuple[Response, ...]]:
        """(alerts that are listed only, responses of the judged ones with the expectations' limits)."""
        listed, out = [], []
        fires = {e.alert: e for e in self.expect if isinstance(e, Fires)}
        for known in self.rules.alerts:
            name = known.rule.name
            if name in self.evaluated[0].errors:
                listed.append(f"{name}: cannot be evaluated")
                continue
            if name in ALWAYS_FIRING and name not in self.named():
                listed.append(f"{name}: fires always by design")
                continue
            e = fires.get(name)
            labels, within = (e.labels, e.within) if e else ({}, None)
            out.append(self._respond(known, labels, within))
        return tuple(listed), tuple(out)

    def _about_rules(self, responses: Sequence[Response]) -> list[Finding]:
        """Rules that cannot be evaluated, and responses that hang on the phase between scrape and evaluation."""
        known = {k.rule.name: k for k in self.rules.known}
        out = [
            Finding(
                check=f"rule {name} can be evaluated",
                held=False,
                code="rule.error",
                expected=f"{name} evaluates at every tick",
                seen=why,
                where=known[name].where if name in known else "",
                hint="this rule was left out, the others were judged; correct its expression",
            )
            for name, why in sorted(self.evaluated[0].errors.items())
        ]
        return out + [
            Finding(
                check=f"{r.alert} responds alike at every phase",
                held=False,
                code="phase.dependent",
                expected=f"one response over {self.shifts} phases between scrape and evaluation",
                seen=r.note,
                where=r.where,
                hint="its range is too short for its interval: look over at least four scrapes",
            )
            for r in responses
            if r.note.startswith(PHASE_NOTE)
        ]


def _target(meta: Meta) -> str:
    """Its name, and where it was."""
    connections = meta.target.get("connections") or [{}]
    return " at ".join(str(part) for part in (meta.target.get("name"), connections[0].get("url")) if part)


def _strongest(responses: Sequence[Response]) -> Response:
    """Of several rules of one name, the one that did most."""
    order = ["FALSE_ALARM", "FIRED", "UNRESOLVED", "LATE", "SILENT", "NOT_JUDGED"]
    return min(responses, key=lambda r: order.index(r.word))


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


def unresolvable(rules: Rules, expect: Sequence[Expectation], recovery: float) -> str | None:
    """Why a ``resolves`` cannot be judged: recovery is shorter than the alert looks back; None if it can."""
    for e in [e for e in expect if isinstance(e, Resolves)]:
        for known in rules.alerts:
            if known.rule.name == e.alert and recovery < known.settle:
                return (
                    f"resolves({e.alert}) needs a recovery of {known.settle:g} s "
                    f"(look-back + for + keep_firing_for, {known.where}), not {recovery:g} s"
                )
    return None

"""Judge: a Recording and Rules in, a Verdict out. Pure: no load, no network, no scenario file."""

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from harness.drive.recording import Meta, Recording, Requests, Samples, open_recording
from harness.errors import RecordingError, RuleError
from harness.expect import Expectation, Fires
from harness.judge import timeline as engine
from harness.judge.harm import harms, quality
from harness.judge.responses import Facts, respond
from harness.judge.rules import Rules, analyse
from harness.judge.validity import validity
from reports.timeline import AlertTrack, Labels, Phase, Timeline, Track, Watched
from reports.verdict import Finding, Response, Verdict
from stack.promtool import Promtool, find_promtool
from stack.rulefiles import RuleFile, load_rule_files, parse

ALWAYS_FIRING = ("Watchdog", "DeadMansSwitch", "InfoInhibitor")


def judge(
    recording: Recording | str | Path,
    rules: Sequence[str | Path] | None = None,
    *,
    promtool: Promtool | None = None,
    fail_on: Sequence[str] = (),
) -> Verdict:
    """The verdict on a recording under ``rules`` (files or globs); None is the rules that were recorded.

    Raises :class:`RecordingError`, :class:`RuleError`, or an error that says which promtool is missing.
    """
    opened = recording if isinstance(recording, Recording) else open_recording(recording)
    files = recorded_rules(opened) if rules is None else load_rule_files(rules)
    return _Judgement.of(opened, Rules(tuple(files)), rules is not None, promtool or find_promtool()).verdict(fail_on)


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
    """Everything that the verdict is put together from."""

    recording: Recording
    rules: Rules
    meta: Meta
    phases: Mapping[str, Phase]
    expect: tuple[Expectation, ...]
    requests: Requests
    samples: tuple[Samples, ...]
    events: tuple[Mapping[str, Any], ...]
    evaluated: engine.Evaluated
    alerts: tuple[AlertTrack, ...]
    facts: Facts
    engine: str

    @classmethod
    def of(cls, recording: Recording, rules: Rules, other_rules: bool, promtool: Promtool) -> "_Judgement":
        meta = recording.meta
        phases = {n: Phase(n, s, e) for n, s, e in meta.phases}  # type: ignore[arg-type]
        expect = tuple(_expectation(e) for e in meta.expect)
        samples, requests = recording.samples(), recording.requests()
        lefts = [k.analysed.threshold.left for k in rules.alerts if k.analysed.threshold is not None]
        exprs = [*lefts, *(e for x in expect for e in x.exprs)]
        reads = [analyse(e).metrics for e in exprs]
        served = [] if other_rules or meta.clock == "virtual" else recording.samples("alerts")
        evaluated = engine.evaluate(
            engine.needed(samples, rules.known, reads),
            rules,
            promtool,
            end=phases["recovery"].end,
            interval=meta.evaluation_interval,
            exprs=exprs,
            phase=_phase(served, meta.evaluation_interval),
        )
        alerts, used = evaluated.alerts, f"promtool {promtool.version}"
        if meta.clock == "wall" and not other_rules:
            alerts, used = tuple(engine.from_server(served, meta.evaluation_interval)[0]), meta.engine
        began = [float(requests.intended[s > 0].min()) for s in requests.strength.values() if (s > 0).any()]
        events = tuple(recording.events())
        began += [e["at"] for e in events if e["event"] == "fault" and e["strength"] > 0]
        facts = Facts(phases, min(began, default=None), alerts, evaluated.series, step=meta.evaluation_interval)
        return cls(
            recording, rules, meta, phases, expect, requests, tuple(samples), events, evaluated, alerts, facts, used
        )

    # What an expectation may look at (harness.expect.Evidence).

    def phase(self, name: str) -> Phase:
        return self.phases[name]

    def responses(self, alert: str | None, labels: Labels, within: float | None = None) -> tuple[Response, ...]:
        known = [k for k in self.rules.alerts if alert is None or k.rule.name == alert]
        if alert is not None and not known:
            missing = Response(alert, "NOT_JUDGED", "", dict(labels), True, note="no rule of this name was judged")
            return (missing,)
        found = tuple(respond(self.facts, k, labels, within, k.rule.name in self.named()) for k in known)
        return found if alert is None else (_strongest(found),)

    def named(self) -> frozenset[str]:
        return frozenset(a for e in self.expect for a in e.alerts)

    def series(self, expr: str) -> tuple[Track, ...]:
        return self.evaluated.series.get(expr, ())

    def verdict(self, fail_on: Sequence[str]) -> Verdict:
        must_fire = frozenset(a for e in self.expect if e.fires_alert for a in e.alerts)
        valid = validity(self.meta, self.phases, self.requests, self.samples, self.events, must_fire, self.alerts)
        listed, responses = self._responses()
        meta = self.meta
        answered = int((self.requests.failure == "").sum())
        return Verdict(
            scenario=meta.scenario,
            story=meta.story,
            clock="wall" if meta.clock == "wall" else "virtual",
            validity=valid,
            responses=responses,
            harms=harms(meta, self.phases, self.requests),
            findings=(*self._rule_errors(), *(e.check(self) for e in self.expect)),
            timeline=self._timeline(),
            engine=self.engine,
            started_at=datetime.fromtimestamp(meta.started_at, UTC).isoformat(timespec="seconds"),
            seed=meta.seed,
            target=str(meta.target.get("name", "")),
            requests={
                "planned": meta.planned,
                "sent": len(self.requests),
                "answered": answered,
                "failed": len(self.requests) - answered,
                "missed": self.requests.missed,
            },
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
            if name in self.evaluated.errors:
                continue
            if name in ALWAYS_FIRING and name not in self.named():
                listed.append(f"{name}: fires always by design")
                continue
            e = fires.get(name)
            labels, within = (e.labels, e.within) if e else ({}, None)
            out.append(respond(self.facts, known, labels, within, name in self.named()))
        return tuple(listed), tuple(out)

    def _rule_errors(self) -> list[Finding]:
        known = {k.rule.name: k for k in self.rules.known}
        return [
            Finding(
                check=f"rule {name} can be evaluated",
                held=False,
                code="rule.error",
                expected=f"{name} evaluates at every tick",
                seen=why,
                where=known[name].where if name in known else "",
                hint="this rule was left out, the others were judged; correct its expression",
            )
            for name, why in sorted(self.evaluated.errors.items())
        ]

    def _timeline(self) -> Timeline:
        meta, end = self.meta, self.phases["recovery"].end
        return Timeline(
            phases=tuple(self.phases.values()),
            rate=_rates(self.requests, end),
            strength=_strengths(meta, self.requests, self.events, end),
            quality=quality(meta, self.requests, end),
            watched=self._watched(),
            alerts=self.alerts,
            recorded=(),
        )

    def _watched(self) -> tuple[Watched, ...]:
        out = []
        for known in self.rules.alerts:
            t = known.analysed.threshold
            if t is not None and self.series(t.left):
                out.append(Watched(known.rule.name, t.left, t.comparison, t.number, self.series(t.left)))
        return tuple(out)


def _strongest(responses: Sequence[Response]) -> Response:
    """Of several rules of one name, the one that did most."""
    order = ["FALSE_ALARM", "FIRED", "UNRESOLVED", "LATE", "SILENT", "NOT_JUDGED"]
    return min(responses, key=lambda r: order.index(r.word))


def _expectation(raw: Mapping[str, Any]) -> Expectation:
    try:
        found: Expectation = msgspec.convert(raw, Expectation)
    except msgspec.ValidationError as e:
        raise RecordingError(f"meta.json holds an expectation that this version does not know: {e}") from e
    return found


def _phase(served: Sequence[Samples], interval: float) -> float:
    """The live server's evaluation phase, seconds in [0, interval), from what it evaluated; 0 if it made nothing."""
    step = round(interval * 1000)
    moments = [s.times % step for s in served if len(s.times)]
    return float(np.median(np.concatenate(moments))) / 1000 if moments else 0.0


def _rates(requests: Requests, end: float, points: int = 120) -> tuple[Track, ...]:
    edges = np.linspace(0.0, end, points + 1)
    width = end / points
    middle = tuple(((edges[1:] + edges[:-1]) / 2).tolist())
    good = requests.failure == ""
    out = []
    for name, chosen in (("answered", good), ("failed", ~good)):
        counts, _ = np.histogram(requests.intended[chosen], edges)
        out.append(Track(name, "requests/s", middle, tuple((counts / width).tolist())))
    return tuple(out)


def _strengths(meta: Meta, requests: Requests, events: Sequence[Mapping[str, Any]], end: float) -> tuple[Track, ...]:
    out = []
    for fault in meta.faults:
        name = fault["name"]
        if fault["held"]:
            sets = [(e["at"], e["strength"]) for e in events if e["event"] == "fault" and e["name"] == name]
            knots = [(0.0, 0.0)]
            for at, strength in sets:
                knots += [(at, knots[-1][1]), (at, strength)]
            knots.append((end, knots[-1][1]))
            times, values = [k[0] for k in knots], [float(k[1]) for k in knots]
        else:
            keep = _corners(requests.strength[name])
            times, values = requests.intended[keep].tolist(), requests.strength[name][keep].tolist()
        out.append(Track(name, "ratio", tuple(times), tuple(values)))
    return tuple(out)


def _corners(values: Any) -> Any:
    """Indices where a long column of strengths bends; the straight rest is left out."""
    if len(values) < 3:
        return np.arange(len(values))
    flat = (np.diff(values[:-1]) == 0) & (np.diff(values[1:]) == 0)
    keep = np.concatenate([[True], ~flat, [True]])
    index = np.flatnonzero(keep)
    most = 400
    return index if len(index) <= most else index[np.linspace(0, len(index) - 1, most).astype(int)]


def unresolvable(rules: Rules, expect: Sequence[Expectation], recovery: float) -> str | None:
    """Why a ``resolves`` cannot be judged: recovery is shorter than the alert looks back; None if it can."""
    for e, known in itertools.product(expect, rules.alerts):
        if type(e).__name__ == "Resolves" and known.rule.name in e.alerts and recovery < known.settle:
            return (
                f"resolves({known.rule.name}) needs a recovery of {known.settle:g} s "
                f"(look-back + for + keep_firing_for, {known.where}), not {recovery:g} s"
            )
    return None

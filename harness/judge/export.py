"""Recordings in other people's formats: OpenMetrics for a Prometheus, and promtool's own unit tests."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from driftdrill.harness.drive.recording import Recording, Samples
from driftdrill.harness.errors import RecordingError
from driftdrill.harness.judge.batches import batched
from driftdrill.harness.judge.promtool_run import Axis, input_series
from driftdrill.harness.judge.rules import Rules
from driftdrill.harness.judge.timeline import evaluate, needed
from driftdrill.reports.timeline import AlertTrack
from driftdrill.stack.promtool import Promtool
from driftdrill.stack.rulefiles import Group, RuleFile, to_rule_file


def openmetrics(recording: Recording, epoch: float | None = None) -> Iterator[str]:
    """OpenMetrics text (1.0) in lines, for `promtool tsdb create-blocks-from openmetrics`.

    ``epoch`` is the Unix time of scenario second 0, by default that of the drill. Stale markers have no form in
    OpenMetrics and are left out. All families are of type unknown, because a name's suffix is part of the name here.
    """
    zero = recording.meta.started_at if epoch is None else epoch
    streams = [*recording.samples(), *recording.samples("alerts")]
    by_name: dict[str, list[Samples]] = {}
    for s in streams:
        by_name.setdefault(s.labels.get("__name__", ""), []).append(s)
    for name in sorted(by_name):
        yield f"# TYPE {name} unknown\n"
        for s in by_name[name]:
            labels = ",".join(f'{k}="{_escaped(v)}"' for k, v in sorted(s.labels.items()) if k != "__name__")
            head = f"{name}{{{labels}}}" if labels else name
            for at, value, gone in zip(s.times.tolist(), s.values.tolist(), s.stale.tolist(), strict=True):
                if not gone:
                    yield f"{head} {_number(value)} {zero + at / 1000:.3f}\n"
    yield "# EOF\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "+Inf" if value > 0 else "-Inf"
    return repr(value)


@dataclass(frozen=True)
class UnitTest:
    """A rule file and a promtool unit test of it, which anyone can run: `promtool test rules test.yml`."""

    rules: str
    test: str


def unit_test(recording: Recording, rules: Rules, promtool: Promtool) -> UnitTest:
    """The recorded samples as input series, and what each alert did at its turns as expectations.

    An alert is asked for one evaluation before it fired first (nothing fires), when it fired, and when it resolved; one
    that stayed silent, at the end of the fault. Raises :class:`RecordingError` where groups have intervals of their
    own, which promtool's unit tests ignore.
    """
    meta = recording.meta
    step = meta.evaluation_interval
    if len(batched(rules, step)) > 1:
        raise RecordingError(
            "rule groups have intervals of their own, which promtool's unit tests ignore", where=str(recording.path)
        )
    end = meta.phases[-1][2]
    samples = needed(recording.samples(), rules.known, [])
    axis = Axis.of(samples, [step], 0.0, end)
    done = evaluate(samples, rules, promtool, end=end, interval=step)
    groups: Sequence[Group] = [
        replace(g, name=f"{f.path.stem}: {g.name}") for f in rules.files for g in f.groups if f.groups
    ]
    fault_end = next(stop for name, _, stop in meta.phases if name == "fault")
    cases = []
    for name in dict.fromkeys(k.rule.name for k in rules.alerts):
        tracks = [t for t in done.alerts if t.alert == name]
        turns = sorted({at for t in tracks for at in _turns(t, step, end)}) or [fault_end]
        cases += [_case(name, tracks, at, axis) for at in turns]
    head = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{round(step * 1000)}ms",
        "group_eval_order": [g.name for g in groups],
    }
    text = yaml.safe_dump(head, sort_keys=False)
    text += f"tests:\n- interval: {axis.grid}ms\n  input_series:\n"
    text += "".join(input_series(s, axis) for s in samples if len(s.times))
    text += "  alert_rule_test:\n" + _indented(yaml.safe_dump(cases, sort_keys=False, allow_unicode=True, width=10**6))
    return UnitTest(to_rule_file(RuleFile(Path("rules.yml"), tuple(replace(g, interval=None) for g in groups))), text)


def _turns(track: AlertTrack, step: float, end: float) -> list[float]:
    """Evaluations at which one alert begins to fire and has resolved, and the one before it fired first."""
    out: list[float] = []
    for i in track.intervals:
        if i.state == "firing":
            out += [] if out else [i.start - step]
            out += [i.start] + ([i.end] if i.end <= end else [])
    return [t for t in out if t >= 0]


def _case(name: str, tracks: Sequence[AlertTrack], at: float, axis: Axis) -> dict[str, object]:
    firing = [t for t in tracks if any(i.state == "firing" and i.start <= at < i.end for i in t.intervals)]
    expected = [{"exp_labels": t.labels, "exp_annotations": t.annotations} for t in firing]
    return {"eval_time": f"{round(at * 1000) + axis.shift}ms", "alertname": name, "exp_alerts": expected}


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())

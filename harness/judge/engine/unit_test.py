"""A recording as promtool's own unit test, which anyone can run."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.judge.engine.batches import batched
from driftdrill.harness.judge.engine.evaluate import evaluate, needed
from driftdrill.harness.judge.engine.promtool_input import PLAIN_LABEL, Axis, Naming, escaped, input_series, quoted
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.reader import Recording
from driftdrill.reports.data.timeline import AlertTrack, Labels
from driftdrill.stack.prometheus.promtool import Promtool, check_loaded
from driftdrill.stack.rules.files import Group, RuleFile, to_rule_file


@dataclass(frozen=True)
class UnitTest:
    """A rule file and a promtool unit test of it, which anyone can run: `promtool test rules test.yml`."""

    rules: str
    test: str


def unit_test(recording: Recording, rules: Rules, promtool: Promtool) -> UnitTest:
    """The recorded samples as input series, and what each alert did at its turns as expectations.

    An alert is asked for one evaluation before it fired first (nothing fires), when it fired, and when it resolved; one
    that stayed silent, at the end of the fault. Raises :class:`RecordingError` where groups have intervals of their
    own, which promtool's unit tests ignore, and where a rule errors, at which they end.
    """
    check_loaded(promtool, rules.files)
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
    if done.errors:
        place, error = min(done.errors.items())
        raise RecordingError(
            f"{rules.known[place].rule.name} cannot be evaluated, and promtool's unit tests end there: {error.why}",
            where=rules.known[place].where,
            hint="correct the rule, or leave it out",
        )
    naming = escaped if promtool.version.startswith("2.") else quoted
    groups: Sequence[Group] = [
        replace(g, name=f"{f.path.stem}: {g.name}") for f in rules.files for g in f.groups if f.groups
    ]
    fault_end = next(stop for name, _, stop in meta.phases if name == "fault")
    cases = []
    for name in dict.fromkeys(k.rule.name for k in rules.alerts):
        tracks = [t for t in done.alerts if t.alert == name]
        turns = sorted({at for t in tracks for at in _turns(t, step, end)}) or [fault_end]
        cases += [_case(name, tracks, at, axis, naming) for at in turns]
    head = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{round(step * 1000)}ms",
        "group_eval_order": [g.name for g in groups],
    }
    text = yaml.safe_dump(head, sort_keys=False)
    text += f"tests:\n- interval: {axis.grid}ms\n  input_series:\n"
    text += "".join(input_series(s, axis, naming) for s in samples if len(s.times))
    text += "  alert_rule_test:\n" + _indented(yaml.safe_dump(cases, sort_keys=False, width=10**6))
    return UnitTest(to_rule_file(RuleFile(Path("rules.yml"), tuple(replace(g, interval=None) for g in groups))), text)


def _turns(track: AlertTrack, step: float, end: float) -> list[float]:
    """Evaluations at which one alert begins to fire and has resolved, and the one before it fired first."""
    out: list[float] = []
    for i in track.intervals:
        if i.state == "firing":
            out += [] if out else [i.start - step]
            out += [i.start] + ([i.end] if i.end <= end else [])
    return [t for t in out if t >= 0]


def _case(name: str, tracks: Sequence[AlertTrack], at: float, axis: Axis, naming: Naming) -> dict[str, object]:
    firing = [t for t in tracks if any(i.state == "firing" and i.start <= at < i.end for i in t.intervals)]
    expected = [{"exp_labels": _labels(t.labels, naming), "exp_annotations": t.annotations} for t in firing]
    return {"eval_time": f"{round(at * 1000) + axis.shift}ms", "alertname": name, "exp_alerts": expected}


def _labels(labels: Labels, naming: Naming) -> Labels:
    """As the input series have them: what is no identifier of Prometheus 2 under another name."""
    if naming is not escaped:
        return labels
    return {k if PLAIN_LABEL.fullmatch(k) else naming(k): v for k, v in labels.items()}


def _indented(text: str) -> str:
    return "".join(f"  {line}\n" for line in text.splitlines())

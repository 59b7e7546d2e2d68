"""A recording as promtool's own unit test, which anyone can run."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import yaml

from driftdrill.durations import format_duration, rounded_duration
from driftdrill.harness.errors import MonitoringError, RecordingError
from driftdrill.harness.judge.engine.batches import Batch, batched
from driftdrill.harness.judge.engine.evaluate import Evaluated, evaluate, needed
from driftdrill.harness.judge.engine.promtool_input import Axis, escaped, input_series, quoted
from driftdrill.harness.judge.engine.promtool_run import FIRING, TIMEOUT, parse_labels
from driftdrill.harness.judge.findings import limits
from driftdrill.harness.judge.rules.promql import stepped
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.reader import Recording, Samples
from driftdrill.reports.data.timeline import AlertTrack, Labels
from driftdrill.stack.prometheus.promtool import Promtool, check_loaded, run
from driftdrill.stack.rules.files import Group, RuleFile, to_rule_file

Fired = tuple[Labels, Labels]
"""The labels and the annotations of an alert."""


@dataclass(frozen=True)
class UnitTest:
    """A rule file and a promtool unit test of it, which anyone can run: `promtool test rules test.yml`."""

    rules: str
    test: str


def unit_test(recording: Recording, rules: Rules, promtool: Promtool) -> UnitTest:
    """The recorded samples as input series, and what each alert did at its turns as expectations.

    An alert is asked for one evaluation before it fired first (nothing fires), when it fired, and when it resolved; one
    that stayed silent, at the end of the fault. Unix times are moved to 1970, where promtool's clock begins. Raises
    :class:`RecordingError` where groups have intervals of their own, which promtool's unit tests ignore, and where a
    rule errors, at which they end.
    """
    check_loaded(promtool, rules.files)
    meta, end = recording.meta, recording.meta.phases[-1][2]
    batch = _only_batch(recording, rules)
    samples = needed(recording.samples(), rules.known, [])
    axis = Axis.of(samples, [batch.interval], 0.0, end)

    def rebase(given: Sequence[Samples], zero: float) -> Sequence[Samples]:
        return limits.rebase(given, rules, meta, zero)

    done = evaluate(samples, rules, promtool, end=end, interval=meta.evaluation_interval, rebase=rebase)
    _refuse_errors(rules, done)
    # A subquery without a step has the server's interval as such, promtool the unit test's.
    own_step = None if batch.interval == meta.evaluation_interval else meta.evaluation_interval
    groups = [_named(g, rules, own_step) for g in batch.groups]
    file = to_rule_file(RuleFile(Path("rules.yml"), tuple(groups)))
    head = _head(groups, rebase(samples, axis.shift / 1000), axis, batch.interval, promtool)
    fault_end = next(stop for name, _, stop in meta.phases if name == "fault")
    cases = list(_cases(rules, done.alerts, batch.interval, end, fault_end))
    asked = [(round(at * 1000) + axis.shift, name) for name, at, _ in cases]
    told = _told(UnitTest(file, head + _expecting(asked, [[]] * len(asked))), promtool, asked)
    for (name, at, firing), got in zip(cases, told, strict=True):
        if len(got) != firing:
            raise MonitoringError(
                f"{name} has {firing} instances at {rounded_duration(at)}, and {len(got)} in promtool's unit test",
                hint="a defect of driftdrill's: please report it",
            )
    return UnitTest(file, head + _expecting(asked, told))


def _only_batch(recording: Recording, rules: Rules) -> Batch:
    """What a unit test can evaluate in one go."""
    batches = batched(rules, recording.meta.evaluation_interval)
    if len(batches) == 1:
        return batches[0]
    raise RecordingError(
        "rule groups have intervals of their own, which promtool's unit tests ignore", where=str(recording.path)
    )


def _refuse_errors(rules: Rules, done: Evaluated) -> None:
    if not done.errors:
        return
    place, error = min(done.errors.items())
    raise RecordingError(
        f"{rules.known[place].rule.name} cannot be evaluated, and promtool's unit tests end there: {error.why}",
        where=rules.known[place].where,
        hint="correct the rule, or leave it out",
    )


def _named(group: Group, rules: Rules, own_step: float | None) -> Group:
    """The group under a name that no other file's has, with ``own_step``, seconds, in subqueries without one."""
    path = next(k.path for k in rules.known if k.rule is group.rules[0])
    each = (r if own_step is None else replace(r, expr=stepped(r.expr, own_step)) for r in group.rules)
    return replace(group, name=f"{Path(path).stem}: {group.name}", interval=None, rules=tuple(each))


def _head(groups: Sequence[Group], samples: Sequence[Samples], axis: Axis, step: float, promtool: Promtool) -> str:
    """All but the expectations."""
    naming = escaped if promtool.version.startswith("2.") else quoted
    head = {
        "rule_files": ["rules.yml"],
        "evaluation_interval": f"{round(step * 1000)}ms",
        "group_eval_order": [g.name for g in groups],
    }
    text = yaml.safe_dump(head, sort_keys=False)
    text += f"tests:\n- interval: {axis.grid}ms\n  input_series:\n"
    return text + "".join(input_series(s, axis, naming) for s in samples if len(s.times))


def _cases(
    rules: Rules, alerts: Sequence[AlertTrack], step: float, end: float, fault_end: float
) -> Iterator[tuple[str, float, int]]:
    """(alert, a turn of it in scenario seconds, how many instances fire then)."""
    for name in dict.fromkeys(k.rule.name for k in rules.alerts):
        tracks = [t for t in alerts if t.alert == name]
        for at in sorted({at for t in tracks for at in _turns(t, step, end)}) or [fault_end]:
            yield name, at, sum(i.state == "firing" and i.start <= at < i.end for t in tracks for i in t.intervals)


def _turns(track: AlertTrack, step: float, end: float) -> list[float]:
    """Evaluations at which one alert begins to fire and has resolved, and the one before it fired first."""
    out: list[float] = []
    for i in track.intervals:
        if i.state == "firing":
            out += [] if out else [i.start - step]
            out += [i.start] + ([i.end] if i.end <= end else [])
    return [t for t in out if t >= 0]


def _expecting(asked: Sequence[tuple[int, str]], told: Sequence[Sequence[Fired]]) -> str:
    """``asked`` are (promtool's milliseconds, an alert), ``told`` what fires of it then."""
    tests = [
        {
            "eval_time": f"{at}ms",
            "alertname": name,
            "exp_alerts": [{"exp_labels": labels, "exp_annotations": said} for labels, said in fired],
        }
        for (at, name), fired in zip(asked, told, strict=True)
    ]
    text = yaml.safe_dump(tests, sort_keys=False, width=10**6)
    return "  alert_rule_test:\n" + "".join(f"  {line}\n" for line in text.splitlines())


def _told(blank: UnitTest, promtool: Promtool, asked: Sequence[tuple[int, str]]) -> list[list[Fired]]:
    """What promtool says fires in each case of a unit test that expects nothing: its own words, which it will compare
    with. An alert may carry labels that ALERTS has not, such as the ``alertstate`` of another that it reads."""
    with tempfile.TemporaryDirectory(prefix="driftdrill-") as folder:
        Path(folder, "rules.yml").write_text(blank.rules, encoding="utf-8")
        Path(folder, "test.yml").write_text(blank.test, encoding="utf-8")
        done = run(promtool, ["test", "rules", "test.yml"], cwd=Path(folder), timeout=TIMEOUT)
    said = done.stderr + done.stdout
    return [_fired(said, f"    alertname: {name}, time: {format_duration(at / 1000)}, \n") for at, name in asked]


def _fired(said: str, heading: str) -> list[Fired]:
    start = said.find(heading)
    if start < 0:
        return []
    got = said[start + len(heading) : said.index("\n            ]", start)]
    found = [(dict(parse_labels(labels)), dict(parse_labels(texts))) for labels, texts in FIRING.findall(got)]
    return [({k: v for k, v in labels.items() if k != "alertname"}, texts) for labels, texts in found]

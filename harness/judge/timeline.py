"""A recording's samples meet the rules: `promtool test rules` evaluates them, one fold makes the timeline.

One test group holds the samples; each evaluation asks for ALERTS, the recorded series and whatever else is
wanted, with no expected samples, so that promtool prints what it got. Values come back at full precision.
"""

import ast
import math
import re
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt

from harness.drive.recording import STALE_BITS, Samples
from harness.errors import MonitoringError
from harness.judge.rules import KnownRule, Rules
from reports.timeline import AlertTrack, Interval, Labels, Track
from stack.promtool import Promtool, run
from stack.rulefiles import Group, RuleFile, to_rule_file

Key = tuple[tuple[str, str], ...]
ALERTS = "ALERTS"
_EXPR = re.compile(
    r'^ +expr: "(?:[^"\\]|\\.)*# (\d+)@(-?\d+)", time: [^\n]*?(?:\n +exp: ?nil\n +got: ([^\n]*)|, err: ([^\n]*))', re.M
)
_SAMPLE = re.compile(r'(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}) (\S+?)(?:, |$)')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*|"(?:[^"\\]|\\.)*")="((?:[^"\\]|\\.)*)"')
_RULE_ERROR = re.compile(r"rule: ([^,\n]+), time: [^,\n]+, err: ([^\n]*)")


@dataclass(frozen=True)
class Evaluated:
    """What the rules made of the samples; times are scenario seconds."""

    alerts: tuple[AlertTrack, ...]
    recorded: tuple[Track, ...]
    series: Mapping[str, tuple[Track, ...]]
    """Further expressions -> their series at every evaluation."""
    errors: Mapping[str, str]
    """Rule name -> why it cannot be evaluated; such a rule is left out, the others are judged."""


def evaluate(
    samples: Sequence[Samples],
    rules: Rules,
    promtool: Promtool,
    *,
    end: float,
    interval: float,
    exprs: Iterable[str] = (),
    phase: float = 0.0,
) -> Evaluated:
    """Evaluate ``rules`` over ``samples`` every ``interval`` seconds at ``phase`` + k * ``interval`` up to ``end``.

    Groups with an interval of their own are evaluated at it, in an order in which each follows what it reads.
    Raises :class:`MonitoringError` if promtool fails.
    """
    axis = _Axis.of(samples, interval, phase, end)
    made: list[Samples] = []
    tracks: dict[Key, tuple[list[float], list[float]]] = {}
    errors: dict[str, str] = {}
    alerts: list[AlertTrack] = []
    wanted = list(dict.fromkeys(exprs))
    series: dict[str, tuple[Track, ...]] = {}
    batches = _batches(rules, interval)
    for number, (own, groups) in enumerate(batches):
        last = number == len(batches) - 1
        names = {r.name for g in groups for r in g.rules if r.kind == "record"}
        got = _run_until_clean(groups, [*samples, *made], axis, own, promtool, wanted if last else [], names, errors)
        alerts += fold(_select(got[0], ALERTS), own)
        for key, (times, values) in got[0].items():
            if dict(key)["__name__"] in names:
                tracks[key] = (times, values)
                made.append(_as_samples(dict(key), times, values, own, end))
        if last:
            series = {e: _tracks(got[i + 1]) for i, e in enumerate(wanted)}
    return Evaluated(tuple(sorted(alerts, key=_alert_order)), _tracks(tracks), series, errors)


@dataclass(frozen=True)
class _Axis:
    """Scenario milliseconds to promtool's: shifted so that the first sample is not before 0, on a grid."""

    shift: int
    grid: int
    end: int
    """Milliseconds, on promtool's axis."""

    @classmethod
    def of(cls, samples: Sequence[Samples], interval: float, phase: float, end: float) -> "_Axis":
        step, moved = round(interval * 1000), round(phase * 1000)
        first = min((int(s.times[0]) for s in samples if len(s.times)), default=0) - moved
        shift = -moved + max(0, math.ceil(-first / step)) * step
        grid = step
        for s in samples:
            if len(s.times):
                grid = math.gcd(grid, int(np.gcd.reduce(s.times + shift)))
        return cls(shift, max(grid, 1), round(end * 1000) + shift)

    def ticks(self, step: float) -> range:
        return range(0, self.end + 1, round(step * 1000))

    def seconds(self, at: int) -> float:
        return (at - self.shift) / 1000


def _batches(rules: Rules, interval: float) -> list[tuple[float, list[Group]]]:
    """(interval, groups) runs: every group after those whose recorded series it reads, few runs."""
    reads: dict[int, frozenset[str] | None] = {}
    groups: list[Group] = []
    for file in rules.files:
        groups += file.groups
    for i, group in enumerate(groups):
        found = [k.analysed.metrics for k in rules.known if k.group is group]
        reads[i] = None if any(m is None for m in found) else frozenset().union(*(m or frozenset() for m in found))
    makes = [frozenset(r.name for r in g.rules if r.kind == "record") for g in groups]
    left, out = list(range(len(groups))), list[tuple[float, list[Group]]]()
    while left:
        ready = [i for i in left if not any(j != i and _depends(reads[i], makes[j]) for j in left)] or left[:1]
        same = [i for i in ready if out and (groups[i].interval or interval) == out[-1][0]]
        if same:
            out[-1][1].extend(groups[i] for i in same)
            left = [i for i in left if i not in same]
            continue
        first = groups[ready[0]].interval or interval
        chosen = [i for i in ready if (groups[i].interval or interval) == first]
        out.append((first, [groups[i] for i in chosen]))
        left = [i for i in left if i not in chosen]
    return out or [(interval, [])]


def _depends(reads: frozenset[str] | None, makes: frozenset[str]) -> bool:
    return bool(makes) if reads is None else bool(reads & makes)


Got = dict[int, dict[Key, tuple[list[float], list[float]]]]


def _run_until_clean(
    groups: list[Group],
    samples: Sequence[Samples],
    axis: _Axis,
    step: float,
    promtool: Promtool,
    exprs: Sequence[str],
    names: set[str],
    errors: dict[str, str],
) -> Got:
    """Run promtool; a rule that cannot be evaluated hides the whole timeline, so it is dropped and run again."""
    while True:
        text = _promtool_output(groups, samples, axis, step, promtool, exprs, names)
        broken = {name: why for name, why in _RULE_ERROR.findall(text) if name not in errors}
        if not broken:
            return _parse(text, axis)
        errors.update(broken)
        groups = [replace(g, rules=tuple(r for r in g.rules if r.name not in broken)) for g in groups]


def _promtool_output(
    groups: list[Group],
    samples: Sequence[Samples],
    axis: _Axis,
    step: float,
    promtool: Promtool,
    exprs: Sequence[str],
    names: set[str],
) -> str:
    # Names of groups need be unique in one file only; here all are in one.
    renamed = tuple(replace(g, name=f"g{i}", interval=None) for i, g in enumerate(groups))
    pattern = "|".join([ALERTS, *sorted(re.escape(n).replace("\\", "\\\\") for n in names)])
    queries = [f'{{__name__=~"{pattern}"}}', *exprs]
    out = [
        f"rule_files: [rules.yml]\nevaluation_interval: {round(step * 1000)}ms\n",
        f"group_eval_order: [{', '.join(g.name for g in renamed)}]\n",
        f"tests:\n- interval: {axis.grid}ms\n  input_series:\n",
        *(_input_series(s, axis) for s in samples if len(s.times)),
        "  promql_expr_test:\n",
    ]
    for i, expr in enumerate(queries):
        quoted = " ".join(expr.split()).replace("'", "''")
        out += [f"  - {{expr: '{quoted} # {i}@{at}', eval_time: {at}ms, exp_samples: []}}\n" for at in axis.ticks(step)]
    with tempfile.TemporaryDirectory(prefix="driftdrill-") as folder:
        Path(folder, "rules.yml").write_text(to_rule_file(RuleFile(Path("rules.yml"), renamed)), encoding="utf-8")
        Path(folder, "test.yml").write_text("".join(out), encoding="utf-8")
        done = run(promtool, ["test", "rules", "test.yml"], cwd=Path(folder), timeout=600.0)
    if done.returncode not in (0, 1) or (done.returncode == 1 and "FAILED" not in done.stderr + done.stdout):
        raise MonitoringError(
            f"promtool test rules ended with {done.returncode}: {(done.stderr or done.stdout).strip()[-300:]}",
            hint="`driftdrill doctor` names the promtool in use",
        )
    return done.stderr + done.stdout


def _input_series(samples: Samples, axis: _Axis) -> str:
    """One entry of input_series: `_xN` is N steps without a sample."""
    labels = {k: v for k, v in samples.labels.items() if k != "__name__"}
    name = samples.labels.get("__name__", "")
    text = name + "{" + ",".join(f"{k}={_quote(v)}" for k, v in sorted(labels.items())) + "}"
    places = (samples.times + axis.shift) // axis.grid
    gaps = np.diff(places, prepend=-1) - 1
    stale = samples.values.view(np.uint64) == STALE_BITS
    parts: list[str] = []
    for gap, value, gone in zip(gaps.tolist(), samples.values.tolist(), stale.tolist(), strict=True):
        if gap > 0:
            parts.append(f"_x{gap}")
        parts.append("stale" if gone else _number(value))
    return f"  - series: '{text.replace(chr(39), chr(39) * 2)}'\n    values: '{' '.join(parts)}'\n"


def _quote(value: str) -> str:
    out = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{out}"'


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _parse(text: str, axis: _Axis) -> Got:
    """query number -> series -> (times, values)."""
    out: Got = {}
    for query, at, got, _error in _EXPR.findall(text):
        when = axis.seconds(int(at))
        into = out.setdefault(int(query), {})
        for labels, value in _SAMPLE.findall(got):
            times, values = into.setdefault(_labels(labels), ([], []))
            times.append(when)
            values.append(float(value.replace("Inf", "inf")))
    return _Defaulted(out)


class _Defaulted(dict[int, dict[Key, tuple[list[float], list[float]]]]):
    """A query that found nothing at any time has no entry."""

    def __missing__(self, key: int) -> dict[Key, tuple[list[float], list[float]]]:
        return {}


@lru_cache(maxsize=100_000)
def _labels(text: str) -> Key:
    """A label set as Go prints it; names and values are Go-quoted."""
    pairs = []
    for name, value in _LABEL.findall(text):
        plain = ast.literal_eval(name) if name.startswith('"') else name
        pairs.append((plain, ast.literal_eval(f'"{value}"') if "\\" in value else value))
    return tuple(sorted(pairs))


def _select(found: Mapping[Key, tuple[list[float], list[float]]], name: str) -> dict[Key, list[float]]:
    return {key: times for key, (times, _) in found.items() if dict(key).get("__name__") == name}


def fold(alerts: Mapping[Key, Sequence[float]], interval: float) -> list[AlertTrack]:
    """ALERTS samples -> pending and firing intervals; ``alerts`` maps labels to evaluation times, seconds.

    An interval ends at the first evaluation without the sample: a gap of more than 1.5 intervals ends it.
    """
    tracks: dict[Key, list[Interval]] = {}
    for key, times in alerts.items():
        labels = dict(key)
        state = labels.pop("alertstate", "firing")
        labels.pop("__name__", None)
        into = tracks.setdefault(tuple(sorted(labels.items())), [])
        moments = np.array(sorted(times))
        for part in np.split(moments, np.flatnonzero(np.diff(moments) > 1.5 * interval) + 1):
            if len(part):
                end = round(float(part[-1]) + interval, 3)
                into.append(Interval(round(float(part[0]), 3), end, "pending" if state == "pending" else "firing"))
    out = []
    for key, intervals in tracks.items():
        labels = dict(key)
        name = labels.pop("alertname", "")
        out.append(AlertTrack(name, labels, tuple(sorted(intervals, key=lambda i: i.start))))
    return out


def _alert_order(track: AlertTrack) -> tuple[str, list[tuple[str, str]]]:
    return track.alert, sorted(track.labels.items())


def _as_samples(labels: Labels, times: list[float], values: list[float], step: float, end: float) -> Samples:
    """A recorded series as input of the next run, with a stale marker where it vanishes."""
    t: list[int] = []
    v: list[float] = []
    stale = float(np.array([STALE_BITS], dtype=np.uint64).view(np.float64)[0])
    for i, (at, value) in enumerate(zip(times, values, strict=True)):
        t.append(round(at * 1000))
        v.append(value)
        following = times[i + 1] if i + 1 < len(times) else math.inf
        if following - at > 1.5 * step and at + step <= end:
            t.append(round((at + step) * 1000))
            v.append(stale)
    return Samples(labels, np.array(t, dtype=np.int64), np.array(v, dtype=np.float64))


def _tracks(found: Mapping[Key, tuple[Sequence[float], Sequence[float]]]) -> tuple[Track, ...]:
    out = []
    for key, (times, values) in sorted(found.items()):
        labels = dict(key)
        name = labels.pop("__name__", "")
        plain = tuple(None if math.isnan(v) else v for v in values)
        out.append(Track(name, "", tuple(times), plain, labels))
    return tuple(out)


def from_server(samples: Sequence[Samples], interval: float) -> tuple[list[AlertTrack], tuple[Track, ...]]:
    """The wall clock's alerts stream: what a server made of the rules, by the same fold."""
    alerts: dict[Key, npt.NDArray[np.float64]] = {}
    recorded: dict[Key, tuple[list[float], list[float]]] = {}
    for s in samples:
        key = tuple(sorted(s.labels.items()))
        live = ~s.stale
        if s.labels.get("__name__") == ALERTS:
            alerts[key] = s.times[live] / 1000
        elif s.labels.get("__name__") != "ALERTS_FOR_STATE":
            recorded[key] = ((s.times[live] / 1000).tolist(), s.values[live].tolist())
    folded = fold({k: t.tolist() for k, t in alerts.items()}, interval)
    return sorted(folded, key=_alert_order), _tracks(recorded)


def needed(
    samples: Sequence[Samples], known: Iterable[KnownRule], exprs: Iterable[frozenset[str] | None]
) -> list[Samples]:
    """Only the series that the rules and expressions read: rule evaluation is what costs."""
    names: set[str] = set()
    for metrics in [*(k.metrics for k in known), *exprs]:
        if metrics is None:
            return list(samples)
        names |= metrics
    return [s for s in samples if s.labels.get("__name__") in names]

"""One `promtool test rules` run: samples and rules in, what promtool got at every evaluation out.

Each evaluation asks for ALERTS, the recorded series and whatever else is wanted, with no expected samples, so that
promtool prints what it got, at full precision. Alerts that fire are asked for too, with none expected: that prints
their rendered annotations.
"""

import ast
import math
import re
import tempfile
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from driftdrill.harness.errors import MonitoringError
from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.recording.stale import STALE_BITS
from driftdrill.stack.prometheus.promtool import Promtool, run
from driftdrill.stack.rules.files import Group, RuleFile, to_rule_file

Key = tuple[tuple[str, str], ...]
Points = dict[Key, tuple[list[float], list[float]]]
ALERTS = "ALERTS"
TIMEOUT = 600.0
"""Seconds for one run."""
_EXPR = re.compile(
    r'^ +expr: "(?:[^"\\]|\\.)*# (\d+)@(-?\d+)", time: [^\n]*?(?:\n +exp: ?nil\n +got: ([^\n]*)|, err: ([^\n]*))', re.M
)
_SAMPLE = re.compile(r'(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}) (\S+?)(?:, |$)')
_LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*|"(?:[^"\\]|\\.)*")="((?:[^"\\]|\\.)*)"')
_RULE_ERROR = re.compile(r"rule: ([^,\n]+), time: [^,\n]+, err: ([^\n]*)")
_FIRING = re.compile(r'Labels:(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})\s+Annotations:(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})')


class TooManyAlerts(MonitoringError):
    """More alerts at one moment than promtool can list."""


@dataclass(frozen=True)
class Axis:
    """Scenario milliseconds to promtool's: shifted so that the first sample is not before 0, on a grid."""

    shift: int
    grid: int
    end: int
    """Milliseconds, on promtool's axis."""

    @classmethod
    def of(cls, samples: Sequence[Samples], intervals: Iterable[float], phase: float, end: float) -> "Axis":
        """The axis on which evaluations at ``phase`` + k * interval are multiples of each of the ``intervals``."""
        step, moved = math.lcm(*(round(i * 1000) for i in intervals)), round(phase * 1000)
        first = min((int(s.times[0]) for s in samples if len(s.times)), default=0) - moved
        shift = -moved + max(0, math.ceil(-first / step)) * step
        grid = step
        for s in samples:
            if len(s.times):
                grid = math.gcd(grid, int(np.gcd.reduce(s.times + shift)))
        return cls(shift, max(grid, 1), round(end * 1000) + shift)

    def ticks(self, step: float) -> range:
        """Evaluations every ``step`` seconds, promtool's milliseconds."""
        return range(0, self.end + 1, round(step * 1000))

    def seconds(self, at: int) -> float:
        """Scenario seconds of promtool's millisecond ``at``."""
        return (at - self.shift) / 1000


@dataclass(frozen=True)
class Got:
    """What one run printed. Times are scenario seconds."""

    queries: Mapping[int, Points] = field(default_factory=dict)
    """0: ALERTS and recorded series; 1, 2, ...: the further expressions."""
    annotations: Mapping[Key, dict[str, str]] = field(default_factory=dict)
    """Labels of a firing alert -> its annotations, as first rendered."""

    def points(self, query: int) -> Points:
        """The series of one query; a query that found nothing has none."""
        return self.queries.get(query, {})


def run_until_clean(
    groups: Sequence[Group],
    samples: Sequence[Samples],
    axis: Axis,
    step: float,
    promtool: Promtool,
    exprs: Sequence[str],
    errors: dict[str, str],
    recorded: Collection[str] = (),
) -> Got:
    """Run promtool; a rule that cannot be evaluated hides the whole timeline, so it is dropped and run again.

    Beside ALERTS and ``exprs`` it is asked for the ``recorded`` series: printing all of them takes a third longer.
    Rules that were dropped are added to ``errors`` with promtool's reason. Raises :class:`MonitoringError` if promtool
    fails, :class:`TooManyAlerts` if more fire at one moment than it can tell (10,000 samples).
    """
    chosen = list(groups)
    while True:
        text = _output(chosen, samples, axis, step, promtool, _queries(recorded, exprs))
        broken = {name: why for name, why in _RULE_ERROR.findall(text) if name not in errors}
        if not broken:
            return _parse(text, axis)
        errors.update(broken)
        chosen = [replace(g, rules=tuple(r for r in g.rules if r.name not in broken)) for g in chosen]


def _output(
    groups: Sequence[Group],
    samples: Sequence[Samples],
    axis: Axis,
    step: float,
    promtool: Promtool,
    queries: Sequence[str],
) -> str:
    # Names of groups need be unique in one file only; here all are in one.
    renamed = tuple(replace(g, name=f"g{i}", interval=None) for i, g in enumerate(groups))
    with tempfile.TemporaryDirectory(prefix="driftdrill-") as folder:
        rules, test = Path(folder, "rules.yml"), Path(folder, "test.yml")
        rules.write_text(to_rule_file(RuleFile(Path("rules.yml"), renamed)), encoding="utf-8")
        test.write_text(test_file(renamed, samples, axis, step, queries), encoding="utf-8")
        done = run(promtool, ["test", "rules", "test.yml"], cwd=Path(folder), timeout=TIMEOUT)
    said = done.stderr + done.stdout
    if done.returncode not in (0, 1) or (done.returncode == 1 and "FAILED" not in said):
        raise MonitoringError(
            f"promtool test rules ended with {done.returncode}: {said.strip()[-300:]}",
            hint="`driftdrill doctor` names the promtool in use",
        )
    return said


def _queries(recorded: Collection[str], exprs: Sequence[str]) -> list[str]:
    names = (re.escape(name).replace("\\", "\\\\") for name in sorted(recorded))
    return [f'{{__name__=~"{"|".join([ALERTS, *names])}"}}', *exprs]


def test_file(
    groups: Sequence[Group], samples: Sequence[Samples], axis: Axis, step: float, queries: Sequence[str]
) -> str:
    """The unit-test file, hand-formatted: a YAML library takes longer than promtool does."""
    out = [
        f"rule_files: [rules.yml]\nevaluation_interval: {round(step * 1000)}ms\n",
        f"group_eval_order: [{', '.join(g.name for g in groups)}]\n",
        f"tests:\n- interval: {axis.grid}ms\n  input_series:\n",
        *(input_series(s, axis) for s in samples if len(s.times)),
        "  promql_expr_test:\n",
    ]
    ticks = axis.ticks(step)
    for i, expr in enumerate(queries):
        quoted = " ".join(expr.split()).replace("'", "''")
        out += [f"  - {{expr: '{quoted} # {i}@{at}', eval_time: {at}ms, exp_samples: []}}\n" for at in ticks]
    alerts = sorted({r.name for g in groups for r in g.rules if r.kind == "alert" and r.annotations})
    if alerts:
        out.append("  alert_rule_test:\n")
        for name in alerts:
            text = name.replace("'", "''")
            out += [f"  - {{eval_time: {at}ms, alertname: '{text}', exp_alerts: []}}\n" for at in ticks]
    return "".join(out)


def input_series(samples: Samples, axis: Axis) -> str:
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


def _parse(text: str, axis: Axis) -> Got:
    queries: dict[int, Points] = {}
    for query, at, got, error in _EXPR.findall(text):
        if error and query == "0":
            # Silence for want of an answer would pass for a silent alert.
            raise TooManyAlerts(
                f"promtool cannot tell which alerts fire: {error}", hint="judge fewer rules at once, or fewer series"
            )
        when = axis.seconds(int(at))
        into = queries.setdefault(int(query), {})
        for labels, value in _SAMPLE.findall(got):
            times, values = into.setdefault(parse_labels(labels), ([], []))
            times.append(when)
            values.append(float(value.replace("Inf", "inf")))
    annotations: dict[Key, dict[str, str]] = {}
    for labels, rendered in _FIRING.findall(text):
        annotations.setdefault(parse_labels(labels), dict(parse_labels(rendered)))
    return Got(queries, annotations)


@lru_cache(maxsize=100_000)
def parse_labels(text: str) -> Key:
    """A label set as Go prints it; names and values are Go-quoted."""
    pairs = []
    for name, value in _LABEL.findall(text):
        plain = ast.literal_eval(name) if name.startswith('"') else name
        pairs.append((plain, ast.literal_eval(f'"{value}"') if "\\" in value else value))
    return tuple(sorted(pairs))

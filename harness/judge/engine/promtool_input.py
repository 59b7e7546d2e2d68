"""Samples, rules and questions as a promtool unit test."""

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from driftdrill.harness.recording.reader import Samples
from driftdrill.harness.recording.stale import STALE_BITS
from driftdrill.stack.rules.files import Group

_PLAIN_NAME = re.compile(r"[a-zA-Z_:][a-zA-Z0-9_:]*", re.ASCII)
PLAIN_LABEL = re.compile(r"[a-zA-Z_][a-zA-Z0-9_]*", re.ASCII)


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


Naming = Callable[[str], str]
"""How a label's name is written where it is no identifier."""


def test_file(
    groups: Sequence[Group],
    samples: Sequence[Samples],
    axis: Axis,
    step: float,
    queries: Sequence[str],
    naming: Naming,
) -> str:
    """The unit-test file, hand-formatted: a YAML library takes longer than promtool does."""
    out = [
        f"rule_files: [rules.yml]\nevaluation_interval: {round(step * 1000)}ms\n",
        f"group_eval_order: [{', '.join(g.name for g in groups)}]\n",
        f"tests:\n- interval: {axis.grid}ms\n  input_series:\n",
        *(input_series(s, axis, naming) for s in samples if len(s.times)),
        "  promql_expr_test:\n",
    ]
    ticks = axis.ticks(step)
    for i, expr in enumerate(queries):
        # The end of a line ends a comment, and blanks inside of a text stay.
        text = quoted(expr)[:-1]
        out += [f'  - {{expr: {text}\\n# {i}@{at}", eval_time: {at}ms, exp_samples: []}}\n' for at in ticks]
    alerts = sorted({r.name for g in groups for r in g.rules if r.kind == "alert" and r.annotations})
    if alerts:
        out.append("  alert_rule_test:\n")
        for name in alerts:
            text = name.replace("'", "''")
            out += [f"  - {{eval_time: {at}ms, alertname: '{text}', exp_alerts: []}}\n" for at in ticks]
    return "".join(out)


def input_series(samples: Samples, axis: Axis, naming: Naming) -> str:
    """One entry of input_series: `_xN` is N steps without a sample."""
    name = samples.labels.get("__name__", "")
    plain = _PLAIN_NAME.fullmatch(name) is not None
    pairs = [
        f"{k if PLAIN_LABEL.fullmatch(k) else naming(k)}={quoted(v)}"
        for k, v in sorted(samples.labels.items())
        if k != "__name__" or not plain
    ]
    text = (name if plain else "") + "{" + ",".join(pairs) + "}"
    places = (samples.times + axis.shift) // axis.grid
    gaps = np.diff(places, prepend=-1) - 1
    stale = samples.values.view(np.uint64) == STALE_BITS
    parts: list[str] = []
    for gap, value, gone in zip(gaps.tolist(), samples.values.tolist(), stale.tolist(), strict=True):
        if gap > 0:
            parts.append(f"_x{gap}")
        parts.append("stale" if gone else _number(value))
    return f"  - series: '{text.replace(chr(39), chr(39) * 2)}'\n    values: '{' '.join(parts)}'\n"


def escaped(label: str) -> str:
    """An identifier in place of a label's name that is none: Prometheus 2 has no other names."""
    return "U__" + "".join(c if c.isascii() and c.isalnum() else f"_{ord(c):x}_" for c in label)


def quoted(value: str) -> str:
    """A string literal of PromQL that YAML carries: what is not printable is escaped."""
    return '"' + "".join(_escaped(c) for c in value) + '"'


def _escaped(c: str) -> str:
    if c in '\\"':
        return "\\" + c
    if c.isprintable() and c != "\ufffd":  # which its lexer takes for what is no UTF-8
        return c
    return f"\\u{ord(c):04x}" if ord(c) < 0x10000 else f"\\U{ord(c):08x}"


def _number(value: float) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Inf" if value > 0 else "-Inf"
    whole = value.is_integer() and abs(value) < 1e15 and (value != 0 or math.copysign(1.0, value) > 0)
    return str(int(value)) if whole else repr(value)

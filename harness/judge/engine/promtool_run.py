"""One `promtool test rules` run: samples and rules in, what promtool got at every evaluation out.

Each evaluation asks for ALERTS, the recorded series and whatever else is wanted, with no expected samples, so that
promtool prints what it got, at full precision. Alerts that fire are asked for too, with none expected: that prints
their rendered annotations.
"""

import ast
import re
import tempfile
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from driftdrill.harness.errors import MonitoringError
from driftdrill.harness.judge.engine.promtool_input import Axis, escaped, quoted, test_file
from driftdrill.harness.recording.reader import Samples
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
_RULE_ERROR = re.compile(r"^ +rule: (.+?), time: [^,\n]+, err: ([^\n]*)", re.M)
FIRING = re.compile(r'Labels:(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})\s+Annotations:(\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\})')

_SET = r'\{(?:[^"{}]|"(?:[^"\\]|\\.)*")*\}'
_AMBIGUOUS = re.compile(
    rf"for the match group ({_SET}) on the (left|right) hand-side of the operation: \[{_SET}, {_SET}\];"
)


class TooManyAlerts(MonitoringError):
    """More alerts at one moment than promtool can list."""


@dataclass(frozen=True)
class Got:
    """What one run printed. Times are scenario seconds."""

    queries: Mapping[int, Points] = field(default_factory=dict)
    """0: ALERTS and recorded series; 1, 2, ...: the further expressions."""
    failed: Mapping[int, Mapping[float, str]] = field(default_factory=dict)
    """Of the further expressions: when one could not be evaluated -> why."""
    annotations: Mapping[Key, dict[str, str]] = field(default_factory=dict)
    """Labels of a firing alert -> its annotations, as first rendered."""
    broken: Mapping[str, str] = field(default_factory=dict)
    """Rules that could not be evaluated at some moment -> why. Such a one hides all else: nothing more was printed."""

    def points(self, query: int) -> Points:
        """The series of one query; a query that found nothing has none."""
        return self.queries.get(query, {})


def run_once(
    groups: Sequence[Group],
    samples: Sequence[Samples],
    axis: Axis,
    step: float,
    promtool: Promtool,
    exprs: Sequence[str],
    recorded: Collection[str] = (),
) -> Got:
    """One run. Beside ALERTS and ``exprs`` it is asked for the ``recorded`` series: printing all takes a third longer.

    Raises :class:`MonitoringError` if promtool fails, refuses the rules, or leaves an evaluation out;
    :class:`TooManyAlerts` if more fire at one moment than it can tell (10,000 samples).
    """
    # Names of groups need be unique in one file only; here all are in one.
    renamed = tuple(replace(g, name=f"g{i}", interval=None) for i, g in enumerate(groups))
    names: dict[str, str] = {}

    def naming(label: str) -> str:
        """Prometheus 2 has no name but an identifier: there another stands for it."""
        if not promtool.version.startswith("2."):
            return quoted(label)
        name = escaped(label)
        names[name] = label
        return name

    with tempfile.TemporaryDirectory(prefix="driftdrill-") as folder:
        rules, test = Path(folder, "rules.yml"), Path(folder, "test.yml")
        rules.write_text(to_rule_file(RuleFile(Path("rules.yml"), renamed)), encoding="utf-8")
        test.write_text(test_file(renamed, samples, axis, step, _queries(recorded, exprs), naming), encoding="utf-8")
        done = run(promtool, ["test", "rules", "test.yml"], cwd=Path(folder), timeout=TIMEOUT)
    said = done.stderr + done.stdout
    broken = {name: repeatable(why) for name, why in reversed(_RULE_ERROR.findall(said))}
    if broken:
        return Got(broken=broken)
    got = _parse(said, axis, names)
    # Each evaluation answers the first query, if with nothing else than its own 1: what does not, was not made.
    if done.returncode != 1 or set(re.findall(r"# 0@(\d+)\"", said)) != {str(at) for at in axis.ticks(step)}:
        raise MonitoringError(
            f"promtool {promtool.version} did not evaluate the rules at every moment (status {done.returncode}): "
            f"{said.strip()[-300:]}",
            hint="`promtool check rules` on the rule files; `driftdrill doctor` names the promtool in use",
        )
    return got


def _queries(recorded: Collection[str], exprs: Sequence[str]) -> list[str]:
    names = (re.escape(name).replace("\\", "\\\\") for name in sorted(recorded))
    return [f'{{__name__=~"{"|".join([ALERTS, *names])}"}} or vector(1)', *exprs]


def _parse(text: str, axis: Axis, names: Mapping[str, str]) -> Got:
    queries: dict[int, Points] = {}
    failed: dict[int, dict[float, str]] = {}
    for query, at, got, error in _EXPR.findall(text):
        when = axis.seconds(int(at))
        if error and query == "0":
            # Silence for want of an answer would pass for a silent alert.
            raise TooManyAlerts(
                f"promtool cannot tell which alerts fire: {error}", hint="judge fewer rules at once, or fewer series"
            )
        if error:
            failed.setdefault(int(query), {})[when] = repeatable(error)
        into = queries.setdefault(int(query), {})
        for labels, value in _SAMPLE.findall(got):
            key = parse_labels(labels)
            if query == "0" and not key:
                continue
            times, values = into.setdefault(_named(key, names), ([], []))
            times.append(when)
            values.append(float(value.replace("Inf", "inf")))
    annotations: dict[Key, dict[str, str]] = {}
    for labels, rendered in FIRING.findall(text):
        annotations.setdefault(_named(parse_labels(labels), names), dict(parse_labels(rendered)))
    return Got(queries, failed, annotations)


def repeatable(error: str) -> str:
    """An engine's error without the series that it names, which are others each time: of many that are ambiguous it
    says two, as they come."""
    match = _AMBIGUOUS.search(error)
    if match is None:
        return error
    names = ", ".join(name for name, _ in parse_labels(match[1]))
    where = f"for the match group {{{names}}} on the {match[2]} hand-side of the operation"
    return f"{error[: match.start()]}{where}; {error[match.end() :]}"


def _named(key: Key, names: Mapping[str, str]) -> Key:
    """The labels under their own names."""
    return tuple(sorted((names.get(name, name), value) for name, value in key)) if names else key


@lru_cache(maxsize=100_000)
def parse_labels(text: str) -> Key:
    """A label set as Go prints it; names and values are Go-quoted."""
    pairs = []
    for name, value in _LABEL.findall(text):
        plain = ast.literal_eval(name) if name.startswith('"') else name
        pairs.append((plain, ast.literal_eval(f'"{value}"') if "\\" in value else value))
    return tuple(sorted(pairs))

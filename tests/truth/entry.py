"""One entry of the table: what was recorded, under which rules, what is expected of it, and what must be said."""

import json
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from driftdrill import judge
from driftdrill.harness.errors import DriftdrillError, RecordingError
from driftdrill.harness.judge.engine.unit_test import unit_test
from driftdrill.harness.judge.judge import recorded_rules
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.gzip_members import member
from driftdrill.harness.recording.stale import STALE
from driftdrill.reports.data.verdict import Verdict
from driftdrill.reports.text import render
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.promtool import find_promtool, run
from tests.harness.made import Value, make

Series = Mapping[str, Value | Mapping[tuple[tuple[str, str], ...], Value]]
REFUSED = 2
BESIDE: Series = {"model_loaded": lambda t: 1.0, "app_requests_total": lambda t: max(t, 0.0)}
"""What else the page shows: one that is emptied is another lie."""


@dataclass(frozen=True)
class Entry:
    """``words`` are those of the alerts in the order of the file; ``code`` is the exit code, 2 where the rules are
    refused; ``says`` must be in the text of the verdict (or of the error), ``never`` must not."""

    name: str
    rules: str
    series: Series
    expect: Sequence[Any] = ()
    words: str = ""
    code: int = 0
    says: tuple[str, ...] = ()
    never: tuple[str, ...] = ()
    harm: str = ""
    why: str | None = None
    """The checks that speak of the alerts, the first of each; None is whatever they say."""
    well: bool = False
    """Whether nothing is wrong: VALID, judged, and HELD, so that a tool that refuses fails here."""
    exported: bool = False
    """Whether it is exported as a promtool unit test too, which must pass, or be refused for intervals or errors."""
    how: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of ``make``: accuracy, strength, up, meta, requests ..."""
    judged: Mapping[str, Any] = field(default_factory=dict)
    """Further arguments of ``judge``."""
    events: Sequence[Mapping[str, Any]] = ()
    served: Series = field(default_factory=dict)
    """ALERTS as a live server stored them."""


def lie(
    name: str, rules: str, series: Series, expect: Sequence[Any], words: str, code: int, *says: str, **more: Any
) -> Entry:
    """One that must not pass for something else."""
    return Entry(name, rules, series, expect, words, code, says, **more)


def well(name: str, rules: str, series: Series, expect: Sequence[Any], words: str, *says: str, **more: Any) -> Entry:
    """One that is well, and must be told so."""
    return Entry(name, rules, series, expect, words, 0, says, well=True, **more)


def refused(name: str, rules: str, *says: str) -> Entry:
    """Rules that the engine does not load: an error with its words, and file and line."""
    return Entry(name, rules, {"heat": flat(1)}, (), "", REFUSED, says)


# Rules: JSON is YAML, a rule a line, the first of a group in its second line.


def alert(name: str, expr: str, **fields: Any) -> dict[str, Any]:
    return {"alert": name, "expr": expr, **{k.rstrip("_"): v for k, v in fields.items()}}


def record(name: str, expr: str, **fields: Any) -> dict[str, Any]:
    return {"record": name, "expr": expr, **fields}


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def group(*rules: Mapping[str, Any], **fields: Any) -> str:
    head = _json({"name": "g", **fields})[:-1]
    return f'- {head}, "rules": [\n' + ",\n".join(f"  {_json(r)}" for r in rules) + "]}\n"


def groups(*each: str) -> str:
    return "groups:\n" + "".join(each)


def rules(*each: Mapping[str, Any]) -> str:
    return groups(group(*each))


# Series: functions of scenario seconds. The fault lasts from 900 to 1800 s, the drill to 2700 s.


def flat(value: float) -> Value:
    return lambda t: value


def jump(before: float, during: float, at: float = 900.0, back: float = 1800.0) -> Value:
    return lambda t: during if at <= t < back else before


def rising(per_second: float = 1.0) -> Value:
    return lambda t: per_second * max(t, 0.0)


def until(end: float, value: float | Callable[[float], float] = 1.0) -> Value:
    """There up to ``end``, then marked stale, as what is no longer on a page is."""
    return lambda t: (value(t) if callable(value) else value) if t < end else STALE if t < end + 15 else None


def born(start: float, value: float | Callable[[float], float] = 1.0) -> Value:
    return lambda t: (value(t) if callable(value) else value) if t >= start else None


def by(label: str, **values: Value) -> dict[tuple[tuple[str, str], ...], Value]:
    return {((label, value),): function for value, function in values.items()}


def wrong(entry: Entry) -> list[str]:
    """What is said otherwise than it must be; nothing where the entry is told."""
    with tempfile.TemporaryDirectory(prefix="driftdrill-truth-") as folder:
        recording = make(Path(folder), {**BESIDE, **entry.series}, entry.rules, expect=entry.expect, **entry.how)
        _append(recording.path, "events", [{"at": 0.0, **e} for e in entry.events])
        _append(recording.path, "alerts", _blocks(entry.served))
        try:
            verdict = judge(recording, **entry.judged)
        except (DriftdrillError, StackError) as e:
            told = f"{getattr(e, 'where', None) or ''}: {e}"
            if entry.code != REFUSED:
                return [f"refused: {told}"]
            return [f"not said: {text!r}; but {told}" for text in entry.says if text not in told]
        if entry.code == REFUSED:
            return [f"not refused: {' '.join(r.word for r in verdict.responses)}"]
        found = _differs(entry, verdict)
        if entry.exported:
            found += _export(recording, Path(folder))
        return found


def _differs(entry: Entry, verdict: Verdict) -> list[str]:
    text = render(verdict, width=10_000)
    found = [
        f"{what} is {seen!r}, not {right!r}"
        for what, right, seen in (
            ("the word", entry.words, " ".join(r.word for r in verdict.responses)),
            ("the exit code", entry.code, verdict.exit_code),
            ("the harm", entry.harm or None, " ".join(h.word for h in verdict.harms)),
            (
                "why",
                entry.why,
                " ".join(r.why[0].check for r in verdict.responses if r.why) if entry.why is not None else None,
            ),
        )
        if right is not None and right != seen
    ]
    found += [f"not said: {said!r}" for said in entry.says if said not in text]
    found += [f"said: {said!r}" for said in entry.never if said in text]
    if entry.well and any(r.word == "NOT_JUDGED" for r in verdict.responses):
        found.append("an alert is not judged")
    return [*found, text] if found else []


def _append(path: Path, stream: str, blocks: Sequence[Mapping[str, Any]]) -> None:
    with (path / f"{stream}.jsonl.gz").open("ab") as f:
        for block in blocks:
            f.write(member(json.dumps(block).encode() + b"\n"))


def _blocks(served: Series) -> list[Mapping[str, Any]]:
    """What a server stored at its evaluations."""
    times = [15.0 * k for k in range(181)]
    out = []
    for name, each in served.items():
        for i, (key, value) in enumerate(each.items() if isinstance(each, Mapping) else []):
            labels = {"__name__": name, "job": "m", "instance": "i", **dict(key)}
            out.append(
                {
                    "series": {str(i): labels},
                    "times": [round(1000 * t) for t in times],
                    "values": {str(i): [value(t) for t in times]},
                }
            )
    return out


def _export(recording: Any, folder: Path) -> list[str]:
    promtool = find_promtool()
    try:
        made = unit_test(recording, Rules(tuple(recorded_rules(recording))), promtool)
    except RecordingError as e:  # what promtool's unit tests have not
        known = "intervals of their own" in str(e) or "unit tests end there" in str(e)
        return [] if known else [f"not exported: {e}"]
    (folder / "rules.yml").write_text(made.rules, encoding="utf-8")
    (folder / "test.yml").write_text(made.test, encoding="utf-8")
    done = run(promtool, ["test", "rules", "test.yml"], cwd=folder)
    return [] if done.returncode == 0 else [f"promtool refuses what was exported: {done.stderr}{done.stdout}"]

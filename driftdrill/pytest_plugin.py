"""pytest plug-in: a folder of recordings times the rules of a checkout, one test each. No load, no network, no model.

    from driftdrill.pytest_plugin import drills

    @drills("recordings/*.drill", rules="rules/*.yml")
    def test_the_rules_still_catch_what_they_caught(drill):
        assert drill.judge().failures == []

Nothing heavy is imported at collection; a promtool (or a container with it) is looked for when a test runs.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from glob import glob
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from driftdrill.reports.data.verdict import Finding, Verdict


@dataclass(frozen=True)
class RecordedDrill:
    """One recording and the rules to judge it against; None is the rules that were recorded."""

    recording: Path
    rules: tuple[str, ...] | None = None
    accept: str | None = None

    def judge(self, **how: Any) -> "Verdict":
        """The verdict; ``how`` is as for :func:`driftdrill.harness.judge.judge`."""
        from driftdrill.harness.judge import judge
        from driftdrill.harness.judge.findings.accept import accept, load_accepted

        verdict = judge(self.recording, self.rules, **how)
        return accept(verdict, load_accepted(self.accept)) if self.accept else verdict


def drills(
    recordings: str | Path, *, rules: str | Sequence[str] | None = None, accept: str | Path | None = None
) -> pytest.MarkDecorator:
    """Parametrise a test over ``drill``: every recording that the glob ``recordings`` finds.

    Paths are relative to the folder in which pytest runs. A glob that finds nothing makes one failing test:
    a suite that judges nothing must not be green.
    """
    patterns = None if rules is None else (rules,) if isinstance(rules, str) else tuple(rules)
    known = None if accept is None else str(accept)
    found = [RecordedDrill(Path(path), patterns, known) for path in sorted(glob(str(recordings), recursive=True))]
    if not found:
        return pytest.mark.parametrize("drill", [NoRecording(str(recordings))], ids=["no-recording"])
    return pytest.mark.parametrize("drill", found, ids=[d.recording.name.removesuffix(".drill") for d in found])


@dataclass(frozen=True)
class NoRecording:
    """What stands for recordings that a glob did not find."""

    pattern: str

    def judge(self, **how: Any) -> "Verdict":
        """Always fails, and says what was looked for."""
        pytest.fail(f"no recording matches {self.pattern!r} in {Path.cwd()}", pytrace=False)


@pytest.fixture
def judge_drill() -> Any:
    """:func:`driftdrill.harness.judge.judge`, imported when the test asks for it."""
    from driftdrill.harness.judge import judge

    return judge


def pytest_assertrepr_compare(op: str, left: object, right: object) -> list[str] | None:
    """`assert verdict.failures == []` fails with the findings as text."""
    if op != "==" or right != [] or not isinstance(left, list) or not left:
        return None
    if type(left[0]).__module__ != "driftdrill.reports.data.verdict":
        return None
    why = [(r, why) for r in getattr(left, "responses", ()) for why in r.why]
    told = ["", "why", *(f"  {r.alert} was {r.word}: {w.says} [{w.check}]" for r, w in why)] if why else []
    return [f"{len(left)} failed", *(line for finding in left for line in _lines(finding)), *told]


def _lines(f: "Finding") -> list[str]:
    told = (("where", f.where), ("margin", f.margin), ("hint", f.hint))
    head = ["", f"{f.check}  [{f.code}]", f"  expected  {f.expected}", f"  seen      {f.seen}"]
    return head + [f"  {name:<8}  {text}" for name, text in told if text]

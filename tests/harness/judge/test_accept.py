"""Findings that a team has accepted fail nothing, until the day on which that ends."""

from datetime import date
from pathlib import Path

import pytest

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.judge import judge
from driftdrill.harness.judge.findings.accept import accept, load_accepted
from driftdrill.harness.scenario.expect import fires, quiet
from tests.harness.judge.test_judge import hot, step
from tests.harness.made import make

KNOWN = "- {check: 'fires(Hot*', scenario: ma*, reason: being rewritten, expires: 2027-01-31}\n"


def known(folder: Path, text: str = KNOWN) -> Path:
    path = folder / "accepted.yml"
    path.write_text(text, encoding="utf-8")
    return path


def test_an_accepted_finding_fails_nothing_until_it_expires(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1000, 2)}, hot(), expect=[fires("Hot", within=60), quiet("Hot")]))
    assert verdict.exit_code == 1
    accepted = load_accepted(known(tmp_path))
    good = accept(verdict, accepted, today=date(2027, 1, 31))
    assert good.exit_code == 0
    assert good.findings[0].accepted == "being rewritten (until 2027-01-31)"
    late = accept(verdict, accepted, today=date(2027, 2, 1))
    assert late.exit_code == 1
    assert "accepted until 2027-01-31" in late.failures[0].hint


def test_what_covers_another_scenario_covers_nothing_here(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": step(1000, 2)}, hot(), expect=[fires("Hot", within=60)]))
    accepted = load_accepted(known(tmp_path, KNOWN.replace("ma*", "other")))
    assert accept(verdict, accepted, today=date(2027, 1, 1)).exit_code == 1


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("{check: a}", "expected a list"),
        ("- {check: a, reason: b}", "expires must be a date"),
        ("- {check: a, reason: '', expires: 2027-01-01}", "reason must be a non-empty text"),
        ("- {chek: a, reason: b, expires: 2027-01-01}", "unknown key 'chek'"),
        ("- [", "not YAML"),
    ],
)
def test_an_entry_that_cannot_be_meant_is_told_with_its_place(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        load_accepted(known(tmp_path, text))

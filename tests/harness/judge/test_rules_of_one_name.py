"""Several rules of one name, as page and ticket of one objective: what is said of the name is said of each of them."""

from pathlib import Path

import pytest

from driftdrill import fires, quiet, resolves, silent
from driftdrill.harness.judge.judge import judge
from driftdrill.harness.scenario.expect import Expectation
from driftdrill.reports.data.verdict import Finding, Verdict
from tests.harness.made import make

PAGE, TICKET = {"severity": "page"}, {"severity": "ticket"}


def hot(until: float = 1800.0, since: float = 900.0):  # type: ignore[no-untyped-def]
    return lambda t: 20.0 if since <= t < until else 1.0


def judged(folder: Path, page: str, ticket: str, *expect: Expectation, **series: object) -> Verdict:
    text = "groups:\n- name: g\n  rules:\n"
    for expr, severity in ((page, "page"), (ticket, "ticket")):
        text += f"  - {{alert: Slo, expr: '{expr}', labels: {{severity: {severity}}}}}\n"
    return judge(make(folder, {"x": hot(), **series}, text, expect=expect))  # type: ignore[dict-item]


def finding(verdict: Verdict) -> Finding:
    (found,) = verdict.findings
    return found


@pytest.mark.parametrize(
    ("ticket", "code"),
    [("max_over_time(x[1d]) > 10", "quiet.not_judged"), ("no_such > 10", "quiet.cannot_fire")],
)
def test_a_name_is_quiet_only_where_each_of_its_rules_could_have_fired(tmp_path: Path, ticket: str, code: str) -> None:
    verdict = judged(tmp_path, "x > 100", ticket, quiet("Slo"))
    assert (finding(verdict).code, verdict.exit_code) == (code, 3)


def test_a_name_resolves_only_where_each_of_its_rules_that_fired_does(tmp_path: Path) -> None:
    stuck = judged(tmp_path / "1", "x > 10", "y > 10", resolves("Slo"), y=hot(until=2800))
    assert (finding(stuck).code, stuck.exit_code) == ("resolves.unresolved", 1)
    assert judged(tmp_path / "2", "x > 10", "x > 100", resolves("Slo")).exit_code == 0


def test_a_trap_holds_for_the_rule_with_its_labels_and_for_the_name_only_if_all_are_silent_for_it(
    tmp_path: Path,
) -> None:
    because = {"because": "no_such_metric"}
    assert judged(tmp_path / "1", "x > 100", "no_such > 1", silent("Slo", labels=TICKET, **because)).exit_code == 0
    whole = judged(tmp_path / "2", "x > 100", "no_such > 1", silent("Slo", **because))
    assert (finding(whole).code, whole.exit_code) == ("silent.other_reason", 1)


def test_the_other_rule_of_a_name_may_fire_before_the_fault(tmp_path: Path) -> None:
    """The one that is asked for, by its labels, is the one that may not."""
    assert judged(tmp_path / "1", "x > 10", "x > 0", fires("Slo", labels=PAGE)).exit_code == 0
    assert not judged(tmp_path / "2", "x > 10", "x > 0", fires("Slo", labels=TICKET)).validity.valid


def test_a_label_of_a_rule_that_reads_nothing_is_still_its_own(tmp_path: Path) -> None:
    verdict = judged(tmp_path, "no_such > 10", "x > 100", fires("Slo", labels=PAGE))
    assert (finding(verdict).code, verdict.exit_code) == ("fires.silent", 1)
    assert "no scrape had no_such" in finding(verdict).hint + str(verdict.responses)

"""Rules that error at some moments: what they and their readers then do is what a server's would do."""

from collections.abc import Callable
from pathlib import Path

import pytest

from driftdrill import fires, moves, quiet
from driftdrill.harness.judge.judge import judge
from driftdrill.reports.data.verdict import Verdict
from tests.harness.made import make


def hot(t: float) -> float:
    return 20.0 if 900 <= t < 1800 else 1.0


def one(t: float) -> float:
    return 1.0


def in_the_fault(t: float) -> float | None:
    return 1.0 if 900 <= t < 1800 else None


TWO = {(("bin", "a"),): hot, (("bin", "b"),): hot}
SIDES: dict[tuple[tuple[str, str], ...], Callable[[float], float | None]] = {
    (("side", "1"),): one,
    (("side", "2"),): in_the_fault,
}
"""A join with it is ambiguous while the fault lasts."""
AMBIGUOUS = "heat * on (job) sides"


def judged(folder: Path, *rules: str, group: str = "", more: str = "", expect: object = None) -> Verdict:
    text = (
        f"groups:\n- name: g\n  {group or 'limit: 0'}\n  rules:\n" + "".join(f"  - {rule}\n" for rule in rules) + more
    )
    series = {"heat": hot, "bins": TWO, "sides": SIDES, "said": {(("text", "a  b"),): hot}}
    return judge(make(folder, series, text, expect=[expect or fires("Hot")]))  # type: ignore[list-item]


def words(verdict: Verdict) -> list[str]:
    return [r.word for r in verdict.responses]


@pytest.mark.parametrize(
    ("rule", "group", "why"),
    [
        (
            "{alert: Hot, expr: bins > 10}",
            "limit: 1",
            "exceeded limit of 1 with 2 alerts, at 60 evaluations from 15m15s",
        ),
        (
            "{alert: Hot, expr: bins > 10, labels: {bin: all}}",
            "",
            "same labelset after applying alert labels, at 60 ev",
        ),
    ],
)
def test_alerts_that_the_engine_drops_do_not_fire(tmp_path: Path, rule: str, group: str, why: str) -> None:
    verdict = judged(tmp_path, rule, group=group)
    assert words(verdict) == ["SILENT"]
    assert why in verdict.findings[0].seen


def test_of_two_rules_of_one_name_the_one_that_errors_is_told(tmp_path: Path) -> None:
    verdict = judged(
        tmp_path,
        "{alert: Hot, expr: heat > 10, labels: {severity: page}}",
        f"{{alert: Hot, expr: '{AMBIGUOUS} > 100', labels: {{severity: ticket}}}}",
    )
    assert words(verdict) == ["FIRED", "SILENT"]
    assert [(f.code, f.where) for f in verdict.failures] == [("rule.error", "rules.yml:6")]
    assert [[w.check for w in r.why] for r in verdict.responses] == [[], ["error_in_fault"]]


@pytest.mark.parametrize("own", ["", "- name: other\n  interval: 30s\n  rules:\n"], ids=["group", "other group"])
def test_who_reads_the_alerts_of_a_rule_that_errors_sees_them(tmp_path: Path, own: str) -> None:
    """It fires until it errors, and what it wrote last is read for five minutes."""
    reader = "  - {alert: Reader, expr: 'ALERTS{alertname=\"Hot\"}'}\n"
    verdict = judged(tmp_path, f"{{alert: Hot, expr: '{AMBIGUOUS} > 0.5'}}", more=own + reader, expect=quiet("Reader"))
    reader_said = next(r for r in verdict.responses if r.alert == "Reader")
    assert (reader_said.word, reader_said.resolved_at) == ("FALSE_ALARM", pytest.approx(1215, abs=30))


def test_a_recording_rule_that_reads_one_that_errors_is_worked_out_too(tmp_path: Path) -> None:
    """The second reads what the first recorded, not what stood in for it."""
    verdict = judged(
        tmp_path,
        f"{{record: a, expr: '{AMBIGUOUS} or heat'}}",
        f"{{record: b, expr: '(sum(a) or vector(0)) + 0 * sum({AMBIGUOUS} or vector(0))'}}",
        "{alert: Hot, expr: b >= 1}",
        expect=quiet("Hot"),
    )
    assert words(verdict) == ["FALSE_ALARM"]


def test_comments_and_blanks_of_an_expression_mean_what_they_mean_to_the_engine(tmp_path: Path) -> None:
    text = f"- alert: Hot\n    expr: |\n      heat # 1@15\n      > 10 and on (job) ({AMBIGUOUS})"
    assert words(judged(tmp_path / "1", text[2:])) == ["SILENT"]
    for expr in ('said{text="a  b"}', "heat # > 50\n  > 0"):
        assert judged(tmp_path / expr[:4], "{alert: Hot, expr: heat > 10}", expect=moves(expr)).exit_code == 0
    still = judged(tmp_path / "2", "{alert: Hot, expr: heat > 10}", expect=moves("heat # moves\n * 0"))
    assert still.findings[0].code == "moves.stayed"


def test_alerts_of_groups_with_other_intervals_are_read_both_ways(tmp_path: Path) -> None:
    verdict = judged(
        tmp_path,
        "{alert: Hot, expr: heat > 10}",
        "{alert: ReadsSlow, expr: 'ALERTS{alertname=\"Slow\"}'}",
        more="- name: slow\n  interval: 30s\n  rules:\n  - {alert: Slow, expr: heat > 10}\n"
        "  - {alert: ReadsHot, expr: 'ALERTS{alertname=\"Hot\"}'}\n",
    )
    assert words(verdict) == ["FIRED"] * 4


def test_rules_alike_in_name_and_labels_are_told_apart_although_another_reads_alerts(tmp_path: Path) -> None:
    reader = '{alert: Reader, expr: \'count(ALERTS{alertname="Hot", alertstate="firing"}) > 1\'}'
    verdict = judged(tmp_path, "{alert: Hot, expr: heat > 100}", "{alert: Hot, expr: heat > 10}", reader)
    assert words(verdict) == ["SILENT", "FIRED", "SILENT"]


@pytest.mark.parametrize("labels", ["bin: ''", "alertname: Cold", "alertstate: none"])
def test_a_label_that_is_taken_away_or_set_by_the_engine_hides_no_alert(tmp_path: Path, labels: str) -> None:
    verdict = judged(tmp_path, f"{{alert: Hot, expr: 'bins{{bin=\"a\"}} > 10', labels: {{{labels}}}}}")
    assert words(verdict) == ["FIRED"]

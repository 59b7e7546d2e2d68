"""Whose alert it is: labels of a series tell, labels that rules make do not."""

from pathlib import Path

import pytest

from driftdrill import fires, quiet
from driftdrill.harness.judge.judge import judge
from driftdrill.reports.data.verdict import Verdict
from tests.harness.made import make

HOT = "heat > 10"
RECORDED = "{record: h, expr: heat, labels: {job: slo}}"


def judged(folder: Path, *rules: str, of: str = "m") -> Verdict:
    text = "groups:\n- name: g\n  rules:\n" + "".join(f"  - {rule}\n" for rule in rules)
    heat = {(("job", of),): lambda t: 20.0 if 900 <= t < 1800 else 1.0}
    info = {(("instance", "other"), ("of", "i")): lambda t: 1.0}
    expect = [quiet("Hot")] if of == "m" else [fires("Hot")]
    return judge(make(folder, {"heat": heat, "info": info}, text, expect=expect))


@pytest.mark.parametrize(
    "rules",
    [
        ("{alert: Hot, expr: h > 10}", RECORDED),
        ("{alert: Hot, expr: 'ALERTS{alertname=\"Warm\"}'}", "{alert: Warm, expr: heat > 10, labels: {job: slo}}"),
        (
            '{alert: Hot, expr: \'label_replace(label_replace(heat, "a", "$1", "job", "(.*)"), '
            '"job", "slo", "", "") > 10\'}',
        ),
        ("{alert: Hot, expr: 'count_values(\"instance\", heat > 10) > 0'}",),
        (
            "{alert: Hot, expr: 'sum by (job) (heat) * on (job) group_left (instance) "
            'max by (job, instance) (info{of="i"}) > 10\'}',
        ),
    ],
    ids=["recorded", "of ALERTS", "replaced", "counted", "joined"],
)
def test_a_label_that_a_rule_makes_tells_nothing_of_the_target(tmp_path: Path, rules: tuple[str, ...]) -> None:
    assert [r.word for r in judged(tmp_path, *rules).responses if r.alert == "Hot"] == ["FIRED"]


def test_a_label_that_another_rule_makes_is_no_excuse_and_what_another_target_did_is_no_peak(tmp_path: Path) -> None:
    verdict = judged(tmp_path, f"{{alert: Hot, expr: {HOT}}}", RECORDED, of="other")
    assert [(r.word, r.peak) for r in verdict.responses] == [("SILENT", None)]
    assert "200%" not in verdict.responses[0].note
    assert verdict.listed == ('Hot{instance="i", job="other"}: on instance="i", job="other", which was not drilled',)

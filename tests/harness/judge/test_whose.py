"""Whose alert it is: only an instance that may be the drilled target's counts, and the others are named."""

from pathlib import Path

import pytest

from driftdrill import fires, judge, quiet
from driftdrill.reports.data.verdict import Verdict
from tests.harness.judge.test_judge import step
from tests.harness.made import make

OTHER = {(("job", "other"), ("instance", "z")): step(1000, 20, back=1700)}
OURS = {(): step(1000, 20, back=1700)}


def rules(expr: str = "heat > 10", more: str = "") -> str:
    return f"groups:\n- name: g\n  rules:\n  - alert: Hot\n    expr: {expr}\n{more}"


def judged(folder: Path, heat: object, text: str, **meta: object) -> Verdict:
    recording = make(folder, {"heat": heat}, text, expect=[fires("Hot")], meta=meta)  # type: ignore[dict-item]
    return judge(recording)


def test_an_alert_of_another_job_is_named_and_does_not_count(tmp_path: Path) -> None:
    verdict = judged(tmp_path, OTHER, rules())
    (failure,) = verdict.failures
    assert (failure.code, failure.seen) == (
        "fires.silent",
        'SILENT: it fired on instance="z", job="other", which was not drilled',
    )
    assert verdict.listed == ('Hot{instance="z", job="other"}: on instance="z", job="other", which was not drilled',)


def test_it_fails_no_quiet_either(tmp_path: Path) -> None:
    verdict = judge(make(tmp_path, {"heat": OTHER}, rules(), expect=[quiet("Hot")]))
    assert verdict.failures == []


@pytest.mark.parametrize(
    ("heat", "text"),
    [
        (OURS, rules()),
        (OTHER, rules("max(heat) > 10")),  # without a job it may be anyone's
        (OTHER, rules(more="    labels: {job: drift, instance: all}\n")),  # the rule's own words
        (OURS, rules('\'label_replace(heat, "job", "elsewhere", "", "") > 10\'')),
    ],
    ids=["ours", "no job", "of the rule", "rewritten"],
)
def test_an_instance_that_may_be_the_targets_counts(tmp_path: Path, heat: object, text: str) -> None:
    assert judged(tmp_path, heat, text).failures == []


def test_where_pages_set_their_own_job_it_tells_nothing(tmp_path: Path) -> None:
    assert judged(tmp_path, OTHER, rules(), keeps_labels=True).failures == []

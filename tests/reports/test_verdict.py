"""A verdict as JSON, and what it concludes."""

import json
import subprocess
import sys
from dataclasses import replace

import pytest

from driftdrill import reports
from driftdrill.reports.data.verdict import UnknownSchema, from_json
from tests.reports.samples import SAMPLES, caught, hostile, silent, wall


@pytest.mark.parametrize("name", [name for name in SAMPLES if name != "hostile"])
def test_a_verdict_reads_back_as_it_was_written(name: str) -> None:
    verdict = SAMPLES[name]()
    text = verdict.to_json()
    assert from_json(text) == verdict
    assert json.loads(text)["schema"] == 1


def test_a_verdict_written_before_latency_was_told_reads_without_it() -> None:
    old = {k: v for k, v in json.loads(wall().to_json()).items() if k != "latency"}
    assert from_json(json.dumps(old).encode()) == replace(wall(), latency=())


def test_a_verdict_with_text_that_unicode_forbids_is_written_all_the_same() -> None:
    """A name with a lone surrogate comes from a file name or an answer; it must not cost the verdict."""
    verdict = hostile()
    back = from_json(verdict.to_json())
    assert back.scenario == verdict.scenario.replace("\ud800", "?")
    assert back.exit_code == verdict.exit_code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (b'{"schema": 2}', "verdict schema 2; this version reads schema 1"),
        (b"{}", "verdict schema None"),
        (b"[1]", "verdict schema None"),
        (b"<html>", "not a verdict"),
        (b"", "not a verdict"),
        (b"\xff\xfe", "not a verdict"),
        (b'{"schema": 1, "scenario": 3}', "not a verdict"),
    ],
)
def test_what_is_no_verdict_of_this_version_is_refused(text: bytes, said: str) -> None:
    with pytest.raises(UnknownSchema, match=said) as caught_:
        from_json(text)
    assert caught_.value.hint


def test_a_truncated_verdict_is_refused() -> None:
    whole = caught().to_json()
    for cut in (1, len(whole) // 2, len(whole) - 1):
        with pytest.raises(UnknownSchema):
            from_json(whole[:cut])


def test_exit_codes_follow_validity_expectations_and_what_the_user_added() -> None:
    codes = {name: f().exit_code for name, f in SAMPLES.items()}
    assert codes == {
        "caught": 0, "silent": 0, "harmless": 0, "wall": 0, "failed": 1, "accepted": 0, "invalid": 3, "false_alarm": 0,
        "not_judged": 1, "many_alerts": 0, "empty": 3, "a_day": 0, "hostile": 1,
    }  # fmt: skip
    assert replace(silent(), fail_on=("silent_failure",)).exit_code == 1


def test_public_names_are_all_there() -> None:
    for name in reports.__all__:
        assert getattr(reports, name) is not None
    assert not hasattr(reports, "no_such_name")
    assert sorted(reports.__all__) == reports.__all__ == dir(reports)


def test_importing_the_package_imports_nothing_else() -> None:
    program = (
        "import sys; before = set(sys.modules); from driftdrill import reports; "
        "ours = {'driftdrill', 'driftdrill.reports'}; "
        "new = {m for m in set(sys.modules) - before - ours if m.split('.')[0] not in ('importlib', 'typing')};"
        "refused = ('driftdrill', 'msgspec', 'rich', 'numpy', 'dataclasses');"
        "sys.exit(f'imported {sorted(new)}' if any(m.split('.')[0] in refused "
        "for m in new) else 0)"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)

"""JUnit XML: red where the drill is red, and readable whatever the verdict carries."""

from dataclasses import replace
from xml.etree.ElementTree import Element, fromstring

import pytest

from driftdrill.reports import junit
from tests.reports.samples import SAMPLES, accepted, caught, failed, hostile, invalid, silent


def suite_of(text: str) -> Element:
    root = fromstring(text.encode("utf-8"))
    assert root.tag == "testsuites"
    suite = root.find("testsuite")
    assert suite is not None
    return suite


@pytest.mark.parametrize("name", SAMPLES)
def test_a_suite_is_red_exactly_where_the_exit_code_is(name: str) -> None:
    verdict = SAMPLES[name]()
    for one in (verdict, replace(verdict, fail_on=("silent_failure",))):
        suite = suite_of(junit.render([one]))
        red = int(suite.attrib["failures"]) + int(suite.attrib["errors"])
        assert (red > 0) == (one.exit_code != 0)


@pytest.mark.parametrize("name", SAMPLES)
def test_the_counts_are_those_of_the_cases(name: str) -> None:
    verdict = SAMPLES[name]()
    suite = suite_of(junit.render([verdict]))
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase")) == 1 + len(verdict.findings)
    for key, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        assert int(suite.attrib[key]) == len(suite.findall(f"testcase/{tag}"))


def test_a_failed_expectation_says_what_was_expected_what_was_seen_and_what_to_do() -> None:
    suite = suite_of(junit.render([failed()]))
    failure = suite.find("testcase/failure")
    assert failure is not None
    assert failure.attrib["type"] == "fires.late"
    assert failure.attrib["message"] == (
        "expected firing within 15m; seen first fired 16m40s to 16m55s after the fault began"
    )
    assert (failure.text or "").splitlines()[2:] == [
        "where: stack/rules/model.yml:17",
        "margin: 1m40s too late",
        "hint: its `for: 5m` and 10m window leave no time: shorten one of them",
    ]


def test_an_accepted_failure_is_skipped_with_the_teams_reason() -> None:
    suite = suite_of(junit.render([accepted()]))
    assert suite.attrib["failures"] == "0"
    messages = [s.attrib["message"] for s in suite.findall("testcase/skipped")]
    assert messages[0] == (
        "accepted: the rule is replaced in May; seen first fired 16m40s to 16m55s after the fault began"
    )


def test_an_invalid_drill_is_an_error_and_its_expectations_are_skipped() -> None:
    suite = suite_of(junit.render([invalid()]))
    error = suite.find("testcase[@name='validity']/error")
    assert error is not None
    assert error.attrib["message"] == "INVALID: the fault dep_delay x60 was never in force: strength stayed 0"
    assert len(suite.findall("testcase/skipped")) == 2


def test_a_silent_failure_that_the_user_made_a_failure_is_a_case() -> None:
    suite = suite_of(junit.render([replace(silent(), fail_on=("silent_failure",))]))
    failure = suite.find("testcase[@name='no silent failure']/failure")
    assert failure is not None
    assert "no alert noticed" in failure.attrib["message"]


def test_a_suite_carries_what_makes_it_repeatable() -> None:
    suite = suite_of(junit.render([caught()]))
    properties = {p.attrib["name"]: p.attrib["value"] for p in suite.findall("properties/property")}
    assert properties["seed"] == "0"
    assert properties["engine"] == "promtool 2.42.0"
    assert properties["version.locust"] == "2.47.0"
    assert suite.attrib["timestamp"] == "2026-03-02T09:14:07"
    assert suite.attrib["time"] == "3600"


def test_a_time_with_another_offset_is_told_in_utc() -> None:
    suite = suite_of(junit.render([replace(caught(), started_at="2026-03-02T11:14:07.5+02:00")]))
    assert suite.attrib["timestamp"] == "2026-03-02T09:14:07"


def test_several_drills_are_several_suites() -> None:
    root = fromstring(junit.render([f() for f in SAMPLES.values()]).encode())
    assert len(root.findall("testsuite")) == len(SAMPLES)
    assert root.attrib["errors"] == "2"


def test_hostile_text_survives_as_text() -> None:
    suite = suite_of(junit.render([hostile()]))
    assert suite.attrib["name"].startswith("<script>alert(1)</script>\"'&]]>\\x00\\x1b[31m")
    assert "timestamp" not in suite.attrib

"""What the views say alike: the headline, who matters, and where."""

from dataclasses import replace
from pathlib import Path
from typing import get_args

import pytest

from driftdrill.reports import html, text
from driftdrill.reports import words as wording
from driftdrill.reports.data.timeline import Track, Watched
from driftdrill.reports.data.verdict import HarmWord, Response, ResponseWord
from tests.reports.samples import SAMPLES, caught, failed, harmless, invalid, many_alerts, silent


def with_constant_alert() -> tuple[Response, Watched]:
    """``count(versions) > 1`` is at its threshold all day long."""
    times = tuple(15.0 * i for i in range(241))
    track = Track("MixedVersions", "", times, (1.0,) * len(times))
    return (
        Response("MixedVersions", "SILENT", "rules.yml:9", peak=1.0),
        Watched("MixedVersions", "count(count by(version)(model_info))", ">", 1.0, (track,)),
    )


def test_an_alert_that_always_sits_at_its_threshold_is_not_the_one_that_came_nearest() -> None:
    response, watched = with_constant_alert()
    verdict = silent()
    timeline = replace(verdict.timeline, watched=(*verdict.timeline.watched, watched))
    verdict = replace(verdict, responses=(response, *verdict.responses), timeline=timeline)
    assert wording.nearness(verdict, response) is None
    (why,) = wording.headline(verdict).why
    assert "The nearest, PredictionDrift, came to 34 % of its threshold." in why
    assert wording.by_importance(verdict)[0].alert == "PredictionDrift"


def test_a_lower_threshold_is_approached_from_above() -> None:
    times = (700.0, 900.0, 1300.0, 1500.0)
    falling = Watched("NoTraffic", "rate", "<", 0.5, (Track("x", "", times, (2.0, 2.1, 1.0, None)),))
    rising = replace(falling, tracks=(Track("x", "", times, (2.0, 2.1, 3.0, 3.0)),))
    response = Response("NoTraffic", "SILENT", "rules.yml:1", peak=0.5)
    for watched, expected in ((falling, 0.5), (rising, None)):
        verdict = replace(silent(), timeline=replace(silent().timeline, watched=(watched,)))
        assert wording.nearness(verdict, response) == expected


def test_a_silence_is_only_alarming_where_somebody_should_have_spoken() -> None:
    def tones(name: str) -> dict[str, str]:
        verdict = SAMPLES[name]()
        return {r.alert: wording.tone(verdict, r) for r in verdict.responses}

    assert set(tones("harmless").values()) == {"dim"}
    assert tones("caught") == {
        "InputDrift": "good", "HighErrorRate": "dim", "PredictionDrift": "dim", "HighLatency": "dim",
        "ModelAbsent": "dim",
    }  # fmt: skip
    assert tones("silent") == {
        "InputDrift": "bad",
        "PredictionDrift": "bad",
        "HighErrorRate": "dim",
        "ModelAbsent": "bad",
    }
    missed = replace(
        caught(), findings=failed().findings, responses=(Response("A", "SILENT", "stack/rules/model.yml:17"),)
    )
    assert wording.tone(missed, missed.responses[0]) == "bad"
    nothing_proven = replace(invalid(), responses=silent().responses, harms=silent().harms)
    assert {wording.tone(nothing_proven, r) for r in nothing_proven.responses} == {"dim"}


def test_bad_responses_come_first_then_what_the_scenario_names() -> None:
    assert [(r.alert, r.word) for r in wording.by_importance(failed())] == [
        ("InputDrift", "LATE"), ("HighLatency", "FALSE_ALARM"), ("PredictionDrift", "SILENT"),
        ("HighErrorRate", "SILENT"), ("SlowDrift", "NOT_JUDGED"),
    ]  # fmt: skip


def test_a_silent_failure_with_many_rules_shows_the_nearest_and_lists_the_rest() -> None:
    quiet = tuple(Response(f"Rule{n}", "SILENT", f"rules.yml:{n}", peak=n / 100) for n in range(40))
    verdict = replace(silent(), responses=quiet)
    out = text.render(verdict)
    assert out.count("  SILENT") == 6
    assert "35 others (% of the threshold reached): Rule34 34 %, Rule33 33 %" in " ".join(out.split())
    assert html.render([verdict]).count(">never fired</text>") == 4 + 16


def test_a_drill_that_names_no_alert_still_draws_the_nearest() -> None:
    verdict = replace(harmless(), responses=tuple(replace(r, expected=False) for r in harmless().responses))
    page = html.render([verdict])
    assert "no alert was judged" not in page
    assert page.count(">never fired</text>") == 2


def test_a_rule_file_is_named_from_the_working_folder_where_it_is_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert wording.where(f"{tmp_path}/rules/model.yml:17") == "rules/model.yml:17"
    assert wording.where("/etc/prometheus/rules.yml:3") == "/etc/prometheus/rules.yml:3"
    assert wording.where(f"{tmp_path}-other/rules.yml:3") == f"{tmp_path}-other/rules.yml:3"


def test_the_overview_names_the_alert_that_the_scenario_meant() -> None:
    assert wording.noticed(caught()) == "InputDrift after 10m40s to 10m55s"
    assert wording.noticed(silent()) == ""
    assert wording.noticed(many_alerts()).endswith(", and 47 more")


def test_every_word_of_a_verdict_has_a_meaning_and_a_page_gives_those_that_it_uses() -> None:
    verdicts = [sample() for sample in SAMPLES.values()]
    words = {word for verdict in verdicts for word in wording.headline(verdict).words}
    assert words | {*get_args(ResponseWord), *get_args(HarmWord)} <= wording.WORDS.keys()
    given = wording.meanings([caught()])
    assert {"VALID", "HELD", "FIRED", "HARMFUL"} <= given.keys()
    assert not {"INVALID", "FAILED", "SILENT FAILURE"} & given.keys()
    assert all(meaning in html.render([caught()]) for meaning in given.values())

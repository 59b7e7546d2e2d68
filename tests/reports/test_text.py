"""The text view: what comes first, what is left out of a good drill and what never is out of a bad one."""

import re
import subprocess
import sys
from dataclasses import replace

import pytest

from driftdrill.reports import text
from driftdrill.reports import words as wording
from tests.reports.samples import (
    SAMPLES,
    accepted,
    caught,
    failed,
    harmless,
    hostile,
    invalid,
    many_alerts,
    silent,
    wall,
)

FOLD = 24


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [40, 80, 132])
def test_no_line_is_wider_than_the_terminal(name: str, width: int) -> None:
    lines = text.render(SAMPLES[name](), width=width).splitlines()
    assert max(len(line) for line in lines) <= width
    assert not [line for line in lines if line != line.rstrip()]


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("caught", "VALID · HELD"),
        ("silent", "VALID · HELD · SILENT FAILURE"),
        ("failed", "VALID · FAILED"),
        ("invalid", "INVALID"),
        ("false_alarm", "VALID · HELD · ALARM WITHOUT HARM"),
    ],
)
def test_the_first_line_is_the_headline(name: str, words: str) -> None:
    assert text.render(SAMPLES[name]()).splitlines()[0] == words


@pytest.mark.parametrize("name", SAMPLES)
@pytest.mark.parametrize("width", [40, 80, 120])
def test_the_headline_alone_is_the_beginning_of_the_whole_and_cuts_no_sentence(name: str, width: int) -> None:
    verdict = SAMPLES[name]()
    alone = text.render_headline(verdict, width=width)
    assert text.render(verdict, width=width).startswith(alone + "\n")
    for sentence in wording.headline(verdict).why:
        assert "".join(sentence.split()) in "".join(alone.split())


def test_a_silent_failure_names_the_loss_and_the_nearest_alert_before_anything_else() -> None:
    top = " ".join(text.render(silent()).split()[:60])
    assert "accuracy fell from 0.899 to 0.640 and no alert noticed" in top
    assert "PredictionDrift, came to 34 % of its threshold" in top


def test_a_silent_failure_that_the_user_made_a_failure_says_why() -> None:
    verdict = replace(silent(), fail_on=("silent_failure",))
    assert verdict.exit_code == 1
    out = text.render(verdict)
    assert out.startswith("VALID · FAILED · SILENT FAILURE\n")
    assert "--fail-on silent_failure" in out


def test_an_invalid_drill_gives_its_reasons_and_claims_nothing_else() -> None:
    out = text.render(invalid())
    assert out.index("the fault dep_delay x60 was never in force") < out.index("InputDrift was already firing")
    assert "HELD" not in out
    assert "FAILED" not in out
    assert out.count("an INVALID drill proves nothing") == 3


def test_latency_is_told_from_the_intended_start_and_from_the_send_to_the_microsecond() -> None:
    out = " ".join(text.render(wall()).split())
    assert "baseline from the intended start: 50 % 1.234 ms, 99.99 % 12.500 ms" in out
    assert "fault from the send: 50 % 250.000 ms, 99.99 % 1,100.000 ms" in out
    assert "17 in flight at most" in out
    assert "latency" not in text.render(caught())


@pytest.mark.parametrize("name", ["caught", "harmless"])
def test_a_good_drill_is_short(name: str) -> None:
    assert len(text.render(SAMPLES[name]()).splitlines()) <= 30


def test_a_good_drill_leaves_out_the_alerts_that_nobody_asked_about_but_the_nearest() -> None:
    out = text.render(caught())
    assert "3 others; the nearest to its threshold: PredictionDrift 65 %" in out
    assert "ModelAbsent" not in out


def test_a_bad_drill_names_every_alert_and_everything_of_a_failed_expectation() -> None:
    verdict = failed()
    out = " ".join(text.render(verdict).split())
    for r in verdict.responses:
        assert r.alert in out
    for f in verdict.findings:
        for said in (f.check, f.where, f.expected, f.seen, f.margin, f.hint) if not f.held else (f.check,):
            assert said in out
    assert "16m40s to 16m55s after the fault began (15m allowed)" in out
    assert "NOT_JUDGED SlowDrift: its look-back + for (1d) is longer than warm-up + baseline (20m)" in out


@pytest.mark.parametrize("name", SAMPLES)
def test_what_failed_is_above_the_fold(name: str) -> None:
    verdict = SAMPLES[name]()
    top = " ".join(" ".join(text.render(verdict).splitlines()[:FOLD]).split())
    for said in verdict.validity.reasons:
        assert said in top
    if name != "hostile":
        for f in [f for f in verdict.findings if not f.held and verdict.validity.valid][:1]:
            assert f.seen in top


def test_hundreds_of_series_that_did_the_same_are_told_once_in_a_good_drill() -> None:
    out = text.render(many_alerts())
    assert out.count("and 5 more series of it") == 8
    assert len(out.splitlines()) < 90


def test_text_from_outside_cannot_reach_the_terminal_as_control_characters() -> None:
    out = text.render(hostile())
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\ud800-\udfff]", out)
    assert "\\x1b[31m" in out
    assert "…" in out


@pytest.mark.parametrize("name", SAMPLES)
def test_colour_changes_no_character(name: str) -> None:
    verdict = SAMPLES[name]()
    coloured = text.render(verdict, colour=True)
    assert "\x1b[" in coloured
    assert re.sub(r"\x1b\[[\d;]*m", "", coloured) == text.render(verdict)


def test_plain_text_does_not_wait_for_rich() -> None:
    program = (
        "import sys; from tests.reports.samples import harmless; from driftdrill.reports import text; "
        "text.render(harmless());"
        "assert 'rich' not in sys.modules, 'rich was imported'"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_a_harmless_quiet_drill_says_that_quiet_was_right() -> None:
    assert "No alert fired, and none was needed: no fault did harm." in text.render(harmless())


def test_an_accepted_failure_is_told_with_its_reason_and_fails_nothing() -> None:
    out = " ".join(text.render(accepted()).split())
    assert out.startswith(
        "VALID · HELD departure delays arrive in seconds 2 of 3 expectations failed and the team accepts"
    )
    assert "accepted quiet(HighLatency): firing from 12m40s to 15m in the baseline (because the rule is" in out
    assert "FAILED" not in out

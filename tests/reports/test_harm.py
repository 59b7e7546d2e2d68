"""How every view tells a loss, a relative harm, and a segment that dies under a HARMLESS whole."""

from dataclasses import replace
from typing import Any
from xml.etree import ElementTree

import pytest

from driftdrill.reports import html, junit, markdown, text
from driftdrill.reports.data.timeline import Track
from driftdrill.reports.data.verdict import Harm, HarmWord, SegmentHarm, Verdict, from_json
from driftdrill.reports.words import harm, headline, meanings
from tests.reports.samples import caught, silent


def country(code: str, word: HarmWord, drop: tuple[float, float], **more: Any) -> SegmentHarm:
    return SegmentHarm(column="country", value=code, word=word, smallest=0.02, before=0.9, drop=drop, **more)


DEAD = country("ch", "HARMFUL", (0.6, 0.99), during=0.0, rows_before=36, rows_during=87, unanswered=87)
FINE = country("de", "HARMLESS", (-0.01, 0.01), during=0.9, rows_before=1100, rows_during=2700)
FEW = country("at", "INCONCLUSIVE", (-0.1, 0.3), during=0.8, rows_before=60, rows_during=100)
WHOLE = Harm(
    fault="wrong join", word="HARMLESS", measure="accuracy", smallest=0.02, before=0.9, during=0.89,
    drop=(-0.01, 0.015), rows_before=1200, rows_during=2900, segments=(DEAD, FEW, FINE),
)  # fmt: skip
ETA = Harm(
    fault="km in metres", word="HARMFUL", measure="mean absolute error of minutes", smallest=0.751, before=7.51,
    during=97382.0, drop=(95778.0, 98970.0), rows_before=1174, rows_during=2433, unit="minutes", score=False,
    ratio=(12000.0, 14000.0),
)  # fmt: skip


def hidden() -> Verdict:
    """Harm to a segment that nobody noticed."""
    return replace(silent(), harms=(WHOLE,))


def test_a_dead_segment_under_a_harmless_whole_is_the_headline() -> None:
    head = headline(hidden())
    assert head.words == ("VALID", "HELD", "SILENT FAILURE")
    assert head.bad
    assert head.why == (
        "wrong join: HARMFUL to country=ch, 3 % of the rows, while all together are HARMLESS: accuracy there fell from "
        "0.900 to 0.000, and no alert noticed.",
    )
    assert {"HARMFUL", "HARMLESS", "INCONCLUSIVE"} <= meanings([hidden()]).keys()


def test_an_alert_that_fired_over_a_dead_segment_is_not_one_without_harm() -> None:
    verdict = replace(caught(), harms=(WHOLE,))
    assert verdict.alarms_without_harm == []
    assert verdict.silent_failures == []
    assert headline(verdict).why[0].startswith("wrong join: HARMFUL to country=ch, 3 % of the rows")


@pytest.mark.parametrize("view", ["text", "markdown", "html", "junit"])
def test_every_view_shows_the_segment(view: str) -> None:
    made = {
        "text": lambda: text.render(hidden(), width=200),
        "markdown": lambda: markdown.render([hidden(), hidden()]),
        "html": lambda: html.render([hidden()]),
        "junit": lambda: junit.render([replace(hidden(), fail_on=("silent_failure",))]),
    }[view]()
    assert "HARMFUL to country=ch" in made
    assert "0.600 to 0.990" in made, "the segment's own interval"
    if view == "junit":
        (failure,) = ElementTree.fromstring(made.partition("\n")[2]).iter("failure")
        assert "no alert noticed" in failure.attrib["message"]


def test_a_loss_rises_and_its_numbers_are_in_its_unit() -> None:
    assert harm(ETA) == (
        "mean absolute error of minutes 7.51 -> 97,382, a rise of 95,778 to 98,970 (95 % interval); 0.751 matters "
        "(1.2e+04 to 1.4e+04 times the baseline's); 1,174 and 2,433 rows"
    )
    verdict = replace(silent(), harms=(ETA,))
    assert "rose from 7.51 to 97,382 and no alert noticed" in headline(verdict).why[0]
    own = replace(ETA, measure="cost", unit="euros", unanswered=3, ratio=None)
    assert "cost 7.51 -> 97,382 euros, a rise" in harm(own)
    assert "3 unanswered count as what a constant would cost" in harm(own)
    assert "above 8.26 it is harm" not in html.render([verdict]), "accuracy is drawn: its scale is another"


def test_harm_goes_through_json_and_an_older_verdict_has_no_segments() -> None:
    assert from_json(hidden().to_json()) == hidden()
    old = hidden().to_json().replace(b'"segments"', b'"none"').replace(b'"score"', b'"no"')
    assert from_json(old).harms[0].segments == ()


@pytest.mark.parametrize("values", [(1.0, 1.0), (0.0, 0.0), (1.0, 0.0), (None, None)])
def test_every_view_shows_a_measure_that_is_the_same_throughout(values: tuple[Any, Any]) -> None:
    """All right, all wrong, nothing known: no scale without height, no limit at the place of another value."""
    plain = replace(WHOLE, before=values[0], during=values[1], segments=(), drop=None)
    track = Track("accuracy", "ratio", (100.0, 2000.0), (values[0], values[1]))
    verdict = replace(silent(), harms=(plain,), timeline=replace(silent().timeline, quality=(track,)))
    page = html.render([verdict])
    assert 'data-lo="1"' not in page + html.render([replace(verdict, harms=())])
    if values[0] == 1.0:
        assert ">0.98<" in page, "the limit, on its own line"
    for view in (text.render(verdict), markdown.render([verdict]), junit.render([verdict])):
        assert "nan" not in view
    assert from_json(verdict.to_json()) == verdict


def test_a_change_in_the_fourth_decimal_is_seen() -> None:
    fine = replace(WHOLE, word="HARMFUL", before=0.99990, during=0.99960, drop=(0.0002, 0.0004), smallest=0.0001)
    assert "accuracy 0.99990 -> 0.99960, a drop of 0.00020 to 0.00040" in harm(replace(fine, segments=()))
    small = replace(ETA, before=1234.5, during=1234.9, drop=(0.3, 0.5), smallest=0.1, ratio=None)
    assert "1,234.50 -> 1,234.90" in harm(small)


def test_a_segment_that_is_not_known_keeps_the_headline_from_saying_that_nothing_was_harmed() -> None:
    open_ = replace(WHOLE, segments=(FEW, FINE))
    verdict = replace(silent(), harms=(open_,))
    assert headline(verdict).why == (
        "No alert fired; no fault did harm to all rows together, and of country=at it is not known.",
    )
    assert replace(caught(), harms=(open_,)).alarms_without_harm == []
    assert replace(caught(), harms=(replace(open_, segments=(FINE,)),)).alarms_without_harm
    assert "country=at: 0.900 -> 0.800" in text.render(verdict, width=200), "it seems harmed: its numbers are told"

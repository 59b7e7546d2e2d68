"""The table of edge cases as text and as JSON."""

from dataclasses import replace

import msgspec

from driftdrill.reports.data.edges import Broken, EdgeCase, EdgeFinding, EdgeReport, EdgeSearch
from driftdrill.reports.edges_text import render, render_search

CASES = (
    EdgeCase("edge.nan.nan", "x", "NaN", "crashed", 500, 0.01, 20, None, "Internal Server Error"),
    EdgeCase("edge.null.null", "x", "null", "different", 200, 0.01, 20, 0.25),
    EdgeCase("edge.size.blanks", "", "blanks", "rejected", 413, 0.01, 5_000_000, None, "too large"),
    EdgeCase("edge.time.epoch", "", "1970", "not_applicable", note="no column of timestamps"),
    EdgeCase("edge.time.leap_day", "", "29 Feb", "not_applicable", note="no column of timestamps"),
    EdgeCase("edge.text.empty", "", "empty", "not_sent"),
)
FINDINGS = (
    EdgeFinding("edge.null.null.different", "x", "null: predicted 0.25", "refuse it", accepted=True),
    EdgeFinding("edge.nan.nan.crashed", "x", "NaN: status 500, \x1b[31mred", "answer 4xx"),
)
REPORT = EdgeReport("http://127.0.0.1:8000/predict", "rows.csv", 0.125, CASES, FINDINGS)


def test_the_worst_comes_first_and_each_says_what_to_do() -> None:
    out = render(REPORT)
    assert out.splitlines()[0] == "FINDINGS · 1 finding in 3 edge cases"
    assert "1 rejected, 1 different, 1 crashed" in out
    assert out.index("edge.nan.nan.crashed") < out.index("edge.null.null.different (accepted)")
    assert "do: answer 4xx" in out
    assert "\x1b" not in out
    assert max(map(len, out.splitlines())) <= 100
    assert "  no column of timestamps:\n      edge.time.epoch, edge.time.leap_day\n" in out


def test_what_was_not_sent_is_never_green() -> None:
    assert REPORT.exit_code == 1
    accepted = replace(REPORT, findings=FINDINGS[:1])
    assert (accepted.exit_code, render(accepted).split(" ", 1)[0]) == (0, "HELD")
    cut = replace(accepted, why="not all cases were sent")
    assert (cut.exit_code, render(cut).split(" ", 1)[0]) == (2, "INCOMPLETE")


def test_the_table_can_be_read_back() -> None:
    assert msgspec.json.decode(REPORT.to_json(), type=EdgeReport) == REPORT


def test_a_search_ends_with_its_curl_line_unbroken() -> None:
    line = "curl --data-binary '" + "x" * 300 + "' http://127.0.0.1:8000/predict"
    found = EdgeSearch("http://127.0.0.1:8000", "no-5xx", "no 5xx", 0, 40, 3, Broken("x = null", "crashed", 500, line))
    assert render_search(found).splitlines()[-1] == line
    assert found.exit_code == 1
    assert replace(found, broken=None).exit_code == 0
    assert replace(found, broken=None, why="over").exit_code == 2

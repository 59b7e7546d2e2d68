"""The Markdown summary, read back by a Markdown parser."""

import re
from dataclasses import replace

import pytest
from markdown_it import MarkdownIt

from driftdrill.reports import markdown
from tests.reports.samples import SAMPLES, caught, failed, hostile, silent

PARSER = MarkdownIt("commonmark").enable(["table", "strikethrough"])


def tokens(text: str) -> list[tuple[str, str]]:
    flat = [t for block in PARSER.parse(text) for t in (block, *(block.children or []))]
    return [(t.type, t.content) for t in flat]


@pytest.mark.parametrize("name", SAMPLES)
def test_a_summary_fits_a_comment_and_holds_no_markup_of_its_subject(name: str) -> None:
    verdict = SAMPLES[name]()
    for verdicts in ([verdict], [verdict, verdict]):
        text = markdown.render(verdicts)
        assert len(text) < 65_536
        kinds = {kind for kind, _ in tokens(text)}
        assert not kinds & {"html_block", "html_inline", "link_open", "image", "fence", "code_block", "s_open"}
        text.encode("utf-8")


def test_hostile_text_reaches_nobody_and_links_nowhere() -> None:
    text = markdown.render([hostile(), hostile()])
    prose = "\n".join(content for kind, content in tokens(text) if kind == "text")
    assert "<script>alert(1)</script>" in prose
    assert not re.search(r"@\w|#\d|https?://\w|www\.\w", prose)
    assert text.count("\n|") == 4


@pytest.mark.parametrize(
    "sentence",
    [
        "1. one", "- minus", "+ plus", "= under", "# head", "> quote", "a | b", "~~~", "``` x", "`", "*a* _b_ __c__",
        "![i](http://x)", "<b>", "&lt;b&gt;", "\\", "line\n\n# next", "GH-1 and #1", "www.example.com", "$x$",
    ],
)  # fmt: skip
def test_a_sentence_reads_back_as_it_was_written(sentence: str) -> None:
    read = tokens(f"- {markdown.escape(sentence)}")
    inline = "".join(content for kind, content in read if kind in ("text", "text_special"))
    expected = " ".join(sentence.split())
    assert inline.replace("\N{ZERO WIDTH SPACE}", "") == expected
    assert {kind for kind, _ in read} <= {
        "bullet_list_open", "list_item_open", "paragraph_open", "inline", "text", "text_special", "paragraph_close",
        "list_item_close", "bullet_list_close",
    }  # fmt: skip


@pytest.mark.parametrize("name", ["a", "``", "a`b", "`", " ", "a|b", "x``y`"])
def test_a_name_is_one_code_span(name: str) -> None:
    spans = [content for kind, content in tokens(f"x {markdown.code(name)}") if kind == "code_inline"]
    assert spans == ([name.replace("|", "¦")] if name.strip() else [])


def test_several_drills_are_a_table_and_details_of_those_that_need_them() -> None:
    text = markdown.render([caught(), silent(), failed()])
    assert text.startswith("## driftdrill: 1 HELD, 1 SILENT FAILURE, 1 FAILED\n")
    assert "| **SILENT FAILURE** | HARMFUL | nothing |" in text
    assert "| HELD | HARMFUL | InputDrift after 10m40s to 10m55s |" in text
    assert text.count("\n### ") == 2
    assert "**FAILED** `quiet(HighLatency)` `stack/rules/model.yml:44`" in text


def test_what_does_not_fit_a_comment_is_counted() -> None:
    verdict = replace(failed(), findings=failed().findings[:1] * 100)
    text = markdown.render([verdict] * 100)
    assert "and 90 more expectations failed" in text
    assert "50 more drills are in the report." in text
    assert re.search(r"Details of \d+ more drills are in the report\.\n$", text)
    assert len(text) <= 60_000
    assert len(markdown.render([hostile()] * 100)) <= 60_000

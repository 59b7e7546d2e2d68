"""Metrics pages read incrementally. What is accepted is compared with a real Prometheus in
tests/harness/drive/test_scrape_conformance.py; here: the memory between pages, and pages of the official client."""

import math
import random
import resource
import time
from collections.abc import Mapping

import numpy as np
import prometheus_client as client
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from driftdrill.stack.exposition.grammar import OPENMETRICS, TEXT, PageError, SeriesError, media_type
from driftdrill.stack.exposition.page import DROPPED, PageParser, PageSamples

Key = tuple[tuple[str, str], ...]


class Known:
    """A resolver that numbers series and counts how often it is asked."""

    def __init__(self) -> None:
        self.series: dict[Key, int] = {}
        self.asked = 0

    def __call__(self, labels: Mapping[str, str]) -> int:
        self.asked += 1
        key = tuple(sorted(labels.items()))
        if labels["__name__"] == "dropped":
            return DROPPED
        if labels["__name__"] == "refused":
            raise SeriesError("refused by the resolver")
        return self.series.setdefault(key, len(self.series))

    def values(self, samples: PageSamples) -> dict[Key, float]:
        series = list(self.series)
        return {series[i]: v for i, v in zip(samples.ids.tolist(), samples.values.tolist(), strict=True)}


def test_a_known_series_is_recognised_by_its_bytes() -> None:
    known = Known()
    parser = PageParser(known)
    for n in range(3):
        samples = parser.parse(b'# TYPE a gauge\na{x="1"} %d\nb %d\n' % (n, 2 * n))
        assert samples.values.tolist() == [n, 2 * n]
        assert list(samples.fresh) == ([0, 1] if n == 0 else [])
    assert known.asked == 2


def test_a_known_series_may_come_with_a_timestamp_an_exemplar_or_more_blanks() -> None:
    known = Known()
    parser = PageParser(known)
    parser.parse(b'a{x="1"} 1\n')
    stamped = parser.parse(b'a{x="1"}   2 \t 1700000000123 \n')
    assert (stamped.ids.tolist(), stamped.values.tolist()) == ([0], [2.0])
    assert stamped.stamps is not None
    assert stamped.stamps.tolist() == [1700000000123.0]
    exemplar = parser.parse(b'a{x="1"} 3 # {trace="x y"} 0.5\nb 1 1.5\n# EOF\n', OPENMETRICS)
    assert exemplar.stamps is not None
    assert (exemplar.ids.tolist(), exemplar.values.tolist()) == ([0, 1], [3.0, 1.0])
    assert math.isnan(exemplar.stamps[0])
    assert exemplar.stamps[1] == 1500.0


def test_a_series_that_returns_is_fresh_again() -> None:
    parser = PageParser(Known())
    pages = [b"a 1\nb 1\n", b"a 1\n", b"a 1\nb 1\n"]
    assert [list(parser.parse(page).fresh) for page in pages] == [[0, 1], [], [1]]


def test_a_page_can_be_taken_back() -> None:
    parser = PageParser(Known())
    parser.parse(b"a 1\n")
    fresh = parser.parse(b"a 1\nb 1\n").fresh
    assert fresh == {1: b"b"}
    parser.forget(fresh.values())
    assert parser.parse(b"a 1\nb 1\n").fresh == fresh


def test_a_series_that_stands_twice_is_told() -> None:
    samples = PageParser(Known()).parse(b"a 1\nb 1\na 2\na 3 1700000000000\na 4\n")
    assert samples.repeats.tolist() == [2, 3, 4]


def test_a_dropped_series_is_not_asked_for_again() -> None:
    known = Known()
    parser = PageParser(known)
    for _ in range(2):
        samples = parser.parse(b"dropped 1\na 2\n")
        assert samples.ids.tolist() == [DROPPED, 0]
    assert known.asked == 2


@pytest.mark.parametrize(
    ("page", "read", "scraped", "reason"),
    [
        (b"a 1\nb 2\n?\nc 3\n", 2, 2, "expected a sample, a comment or a blank line, got '?'"),
        (b"a 1\nb x\nc 3\n", 1, 1, "cannot parse 'x' as a float"),
        (b"a 1\nrefused 2\nc 3\n", 1, 2, "refused by the resolver"),
        (b'a 1\nb{x="1" 2\n', 1, 1, "got 'b{x"),
        (b'a 1\nb{x="1 2\n', 1, 1, "the label value is not closed"),
        (b"a 1\n# TYPE b gouge\n", 1, 1, "invalid metric type 'gouge'"),
    ],
)
def test_a_refused_page_tells_what_stands_before_the_fault(page: bytes, read: int, scraped: int, reason: str) -> None:
    samples = PageParser(Known()).parse(page)
    assert (len(samples.ids), len(samples.values), samples.scraped) == (read, read, scraped)
    assert samples.error is not None
    assert reason in samples.error


def test_a_fault_in_a_known_series_value_is_found_among_thousands() -> None:
    parser = PageParser(Known())
    lines = [b"m%d 1" % i for i in range(5000)]
    parser.parse(b"\n".join(lines))
    lines[3210] = b"m3210 1_0"
    samples = parser.parse(b"\n".join(lines))
    assert (len(samples.ids), samples.error) == (3210, "cannot parse '1_0' as a float")


def test_no_value_of_a_page_looks_like_a_stale_marker() -> None:
    samples = PageParser(Known()).parse(b"a NaN\nb nan\n")
    assert samples.values.view(np.uint64).tolist() == [0x7FF8000000000001] * 2


def _registry() -> client.CollectorRegistry:
    """All metric types with values that move, labels that need escapes."""
    rng, registry = random.Random(1), client.CollectorRegistry()
    counter = client.Counter("requests", "Help with \\ and\nline", ["path", "who"], registry=registry)
    histogram = client.Histogram("latency_seconds", "Help", ["path"], registry=registry)
    summary = client.Summary("size_bytes", "Help", registry=registry)
    client.Info("build", "Help", registry=registry).info({"version": '1"2\n3\\'})
    client.Enum("state", "Help", states=["on", "off"], registry=registry).state("off")
    gauge = client.Gauge("level", "Help", ["q"], registry=registry)
    for i in range(50):
        counter.labels(f"/{i % 7}", 'a"b\\c\nd{}=,é').inc(rng.random(), exemplar={"trace": "x y"})
        histogram.labels(f"/{i % 3}").observe(rng.random() * 10)
        summary.observe(i)
    for i, value in enumerate([math.inf, -math.inf, 1e-300, 123456789.123, -0.0]):
        gauge.labels(str(i)).set(value)
    return registry


@pytest.mark.parametrize("form", [TEXT, OPENMETRICS])
def test_a_page_of_the_official_client_reads_as_its_own_parser_reads_it(form: str) -> None:
    registry = _registry()
    body = client.generate_latest(registry) if form == TEXT else openmetrics.generate_latest(registry)
    families = parse_text(body.decode()) if form == TEXT else parse_openmetrics(body.decode())
    expected = {
        tuple(sorted({**sample.labels, "__name__": sample.name}.items())): sample.value
        for family in families
        for sample in family.samples
    }
    known = Known()
    parser = PageParser(known)
    for _ in range(2):
        assert known.values(parser.parse(body, form)) == expected


@given(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")), st.floats(), st.sampled_from([TEXT, OPENMETRICS])
)
def test_any_label_value_and_any_number_survive(text: str, number: float, form: str) -> None:
    escaped = text.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")
    known = Known()
    value = "NaN" if math.isnan(number) else repr(number)
    samples = PageParser(known).parse(f'a{{x="{escaped}"}} {value}\n# EOF\n'.encode(), form)
    assert samples.error is None
    assert list(known.series) == [(("__name__", "a"), ("x", text))]
    np.testing.assert_equal(samples.values, [number])


SERIES = [
    b"a",
    b"b",
    b"ab",
    b'a{x="1"}',
    b'a{x="1 2"}',
    b'a{x="\t"}',
    b'{"a"}',
    b'a{x="1"',
    b"a\tb",
    b"#a",
    b"# TYPE a gauge",
]
PARTS = [
    b" ",
    b" ",
    b"  ",
    b"\t",
    b"",
    b"1",
    b"2.5",
    b"NaN",
    b"x",
    b"17",
    b"-1",
    b"# {} 1",
    b' # {x="1"} 2 3',
    b"\x00",
    b"\r",
]
LINE = st.tuples(st.sampled_from(SERIES), st.lists(st.sampled_from(PARTS), max_size=5)).map(
    lambda p: p[0] + b"".join(p[1])
)
PAGE = st.lists(LINE | st.sampled_from(SERIES).map(lambda series: series + b" 1"), max_size=6).map(b"\n".join)


@settings(max_examples=200)
@given(PAGE, PAGE, st.sampled_from([(TEXT, b"\n"), (OPENMETRICS, b"\n# EOF\n")]))
def test_what_was_seen_before_changes_nothing_but_the_speed(
    first: bytes, second: bytes, kind: tuple[str, bytes]
) -> None:
    """Short ways for known series end where the grammar would: same values, same fault, at the same place."""
    form, end = kind
    known = Known()
    parser = PageParser(known)
    for body in (first, first + b"\n" + second, second):
        again, fresh = parser.parse(body + end, form), PageParser(known).parse(body + end, form)
        np.testing.assert_array_equal(again.ids, fresh.ids)
        np.testing.assert_array_equal(again.values, fresh.values)
        np.testing.assert_equal(again.stamps, fresh.stamps)
        assert (again.scraped, again.error is None) == (fresh.scraped, fresh.error is None)


@given(st.binary())
def test_no_bytes_make_it_raise(body: bytes) -> None:
    for form in (TEXT, OPENMETRICS):
        samples = PageParser(lambda _: 0).parse(body, form)
        assert len(samples.ids) == len(samples.values) <= samples.scraped


HOSTILE = {
    "noise": random.Random(0).randbytes(5_000_000),
    "an open brace": b"a{" + b"x" * 5_000_000,
    "an open quote over many lines": b'a{x="' + b'\\"\n' * 500_000,
    "quotes without end": b'a{x="' + b'y"' * 2_500_000,
    "one number": b"a " + b"1" * 5_000_000,
    "blank lines": b"\n" * 1_000_000,
    "one label again and again": b"a{" + b'x="1",' * 800_000 + b"} 1",
    "a comment": b"# HELP a " + b"x" * 5_000_000 + b"\na 1\n",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_page_takes_time_and_memory_in_proportion(name: str) -> None:
    """A parser that looks back would take minutes for these, or a hundred times their size."""
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.process_time()
    PageParser(Known()).parse(HOSTILE[name])
    assert time.process_time() - started < 15
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 150_000  # KiB


def test_what_one_format_lets_pass_the_other_need_not() -> None:
    parser = PageParser(Known())
    assert parser.parse(b"# a comment\na 1\n", TEXT).error is None
    assert parser.parse(b"# a comment\na 1\n# EOF\n", OPENMETRICS).error is not None


def test_the_format_follows_the_content_type() -> None:
    assert media_type("text/plain; version=0.0.4", None) == TEXT
    assert media_type("Application/OpenMetrics-Text; version=1.0.0", None) == OPENMETRICS
    assert media_type("text/html", TEXT) == TEXT
    with pytest.raises(PageError, match=r"sent Content-Type 'text/html'.*fallback_scrape_protocol"):
        media_type("text/html", None)
    with pytest.raises(PageError, match="protobuf"):
        media_type("application/vnd.google.protobuf; proto=x", TEXT)


def test_bounds_stay_as_they_are_written_where_the_engine_is_of_2() -> None:
    page = b'# TYPE h histogram\nh_bucket{le="1"} 3\nh_bucket{le="+Inf"} 4\n# TYPE s summary\ns{quantile="0.50"} 1\n'
    found = []
    for as_written in (False, True):
        known = Known()
        PageParser(known, as_written=as_written).parse(page)
        found.append([value for key in known.series for label, value in key if label != "__name__"])
    assert found == [["1.0", "+Inf", "0.5"], ["1", "+Inf", "0.50"]]

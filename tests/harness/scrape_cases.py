"""What the scraper and a real Prometheus are shown alike: pages in turn, and the scrape config's options for them."""

import base64
import gzip
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.harness.pages import OPENMETRICS, TEXT, Asked, Page

LEGACY_PAGE = b"""\
# HELP requests_total How many.
# TYPE requests_total counter
requests_total{method="get",code="200"} 1027
requests_total{method="post",code="400"}    3

# an ordinary comment
#and one without a blank
# TYPE rpc summary
rpc{quantile="0.01"} 3102
rpc_sum 1.7560473e+07
rpc_count 2693
# TYPE latency histogram
latency_bucket{le="0.05"} 24054
latency_bucket{le="+Inf"} 144320
latency_sum 53423
latency_count 144320
untyped 12.5
"""


@dataclass(frozen=True)
class Case:
    """``steps`` are served in turn; ``job`` are options of the scrape config; ``since`` is the first major version
    that behaves so; ``answer`` replaces the steps; ``secure`` ones are served with TLS. The label ``case`` marks every series."""

    name: str
    steps: tuple[Page | bytes, ...] = ()
    job: Mapping[str, Any] = field(default_factory=dict)
    since: int = 2
    answer: Callable[[Asked], Page] | None = None
    at_least: int = 1
    secure: bool = False

    @property
    def scrapes(self) -> int:
        """So many are compared: the last page twice."""
        return max(len(self.steps), self.at_least) + 1


def cases() -> dict[str, Case]:
    found = [
        *_text(),
        *_openmetrics(),
        *_sequences(),
        *_labels(),
        *_relabelling(),
        *_limits(),
        *_http(),
        *_tls(),
        *_discovery(),
    ]
    assert len({case.name for case in found}) == len(found)
    return {case.name: case for case in found}


def _text() -> list[Case]:
    """Single pages in the text format: what is accepted, what is refused, and how far it was read."""
    both = {
        "plain": LEGACY_PAGE,
        "no-final-newline": b"a 1\nb 2",
        "only-comments": b"# nothing here\n",
        "blank-lines": b"\n\n  \n\t\na 1\n\n",
        "repeated-type": b'# TYPE a gauge\na 1\n# TYPE a gauge\n# TYPE a counter\na{x="1"} 2\n',
        "numbers": b"a 1e3\nb .5\nc 5.\nd +7\ne -0\nf 1E-5\ng 1e-400\nh 0123\ni 123456789012345678901234567890\n",
        "infinities": b"a +Inf\nb -Inf\nc inf\nd infinity\ne +iNfInItY\n",
        "nans": b"a NaN\nb nan\nc nAn\n",
        "signed-nan": b"a 1\nb -NaN\n",
        "too-large": b"a 1\nb 1e999\n",
        "underscore": b"a 1\nb 1_000\n",
        "hexadecimal": b"a 0x10\n",
        "hexadecimal-exponent": b"a 0x1p4\n",
        "carriage-return": b"a 1\r\nb 2\r\n",
        "no-value": b"a 1\nb\nc 2\n",
        "word": b"a 1\nb one\nc 2\n",
        "two-blanks": b"a  1\nb\t2\nc \t 3 \n",
        "no-blank": b'a{x="1"}1\nb+1\n',
        "inner-blanks": b'a { x = "1" , y="2" } 1\nb{ } 2\nc{} 3\n',
        "trailing-comma": b'a{x="1",} 1\n',
        "two-commas": b'a{x="1",,} 1\n',
        "leading-comma": b'a{,x="1"} 1\n',
        "missing-comma": b'a{x="1" y="2"} 1\n',
        "unquoted": b"a{x=1} 1\n",
        "single-quotes": b"a{x='1'} 1\n",
        "no-equals": b'a{x"1"} 1\n',
        "unclosed": b'b 1\na{x="1" 1\n',
        "unclosed-quote": b'b 1\na{x="1} 1\nc 2\n',
        "escapes": b'a{x="q\\"b\\\\n\\nz\\t\\x"} 1\n',
        "braces-in-value": b'a{x="}{,="} 1\na{x="#"} 2\n',
        "empty-label": b'a{x=""} 1\nb{x="",y="2"} 2\n',
        "utf8-value": 'a{x="naïve ☃"} 1\n'.encode(),
        "bad-utf8-value": b'a 1\nb{x="\xff"} 1\n',
        "bad-utf8-help": b"a 1\n# HELP b \xff\nb 1\n",
        "duplicate-label": b'a 1\nb{x="1",x="2"} 2\nc 3\n',
        "digit-name": b"a 1\n1b 2\n",
        "dashed-name": b"a 1\nb-c 2\n",
        "colon-name": b"a:b 1\n:c 2\n",
        "colon-label": b'a{b:c="1"} 1\n',
        "wrong-type": b"a 1\n# TYPE b gouge\nb 2\n",
        "two-blanks-type": b"a 1\n# TYPE  b \tgauge\nb 2\n",
        "trailing-blank-type": b"a 1\n# TYPE b gauge \nb 2\n",
        "openmetrics-type": b"a 1\n# TYPE b info\nb 2\n",
        "type-without-name": b"a 1\n# TYPE \nb 2\n",
        "bare-type": b"# TYPE\n# HELP\na 1\n",
        "help-without-text": b"# HELP a\na 1\n",
        "type-without-type": b"a 1\n# TYPE b\n",
        "eof-comment": b"a 1\n# EOF\nb 2\n",
        "unit-comment": b"# UNIT a seconds\na 1\n",
        "negative-timestamp": b"a 1\nb 1 -5\n",
        "float-timestamp": b"a 1\nb 1 5.5\n",
        "huge-timestamp": b"a 1\nb 1 99999999999999999999\n",
        "future-timestamp": b"a 1\nb 1 9223372036854775807\nc 3\n",
        "ancient-timestamp": b"a 1\nb 1 1000\nc 3\n",
        "four-fields": b"a 1\nb 1 2 3\n",
        "exemplar": b'a 1\nb 1 # {x="1"} 2\n',
        "html": b"<html><body>503</body></html>\n",
        "json": b'{"status": "ok"}\n',
        "zero-byte-first": b"a 1\n\x00b 2\nc 3\n",
        "zero-byte-value": b'a{x="1\x002"} 1\n',
        "zero-byte-name": b"a 1\nb\x00c 2\n",
        "garbage": bytes((i * 37 + 11) % 256 for i in range(4096)),
        "byte-order-mark": b"\xef\xbb\xbfa 1\n",
        "same-series-twice": b"a 1\nb 2\na 3\n",
        "same-labels-reordered": b'a{x="1",y="2"} 1\na{y="2",x="1"} 2\n',
        "label-newline": b'a{x="1\n2"} 1\nb 2\n',
        "reserved-label": b'a{__x="1"} 1\n',
        "named-by-label": b'a{__name__="b"} 1\n',
    }
    three = {
        "leading-blanks": b"  a 1\n",
        "normalised": b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="1e6"} 2\nh_bucket{le="250000"} 3\n'
        b'h_bucket{le="0.00001"} 4\nh_bucket{le="1234567.5"} 5\nh_bucket{le="x"} 6\nh_bucket{le="+inf"} 7\n'
        b'h_bucket{le="0"} 8\nh_bucket{le="0.0001"} 9\n# TYPE s summary\ns{quantile="1"} 1\ns{le="1"} 2\n',
        "quoted-name": '{"a.b", x="1"} 1\n{"c d"} 2\n{"é",} 3\n{x="1","later"} 4\n'.encode(),
        "quoted-label": b'a{"x.y"="1", z="2"} 1\n{"b", "x y" = "2"} 2\n',
        "quoted-twice": b'a 1\nb{"c"} 1\n',
        "nameless": b'a 1\n{x="1"} 1\n',
        "empty-name": b'a 1\n{""} 1\n',
        "quoted-type": b'# TYPE "a.b" counter\n# HELP "a.b" some\n{"a.b"} 1\n',
        "bad-utf8-name": b'a 1\n{"\xff"} 1\n',
    }
    bodies = [(name, body, 2) for name, body in both.items()] + [(name, body, 3) for name, body in three.items()]
    return [Case(f"text-{name}", (body,), since=since) for name, body, since in bodies]


def _openmetrics() -> list[Case]:
    bodies = {
        "plain": b'# TYPE a counter\n# HELP a Help.\na_total 1\na_created 1.5e9\n# TYPE b gauge\nb{x="1"} 2\n# EOF\n',
        "no-final-newline": b"a 1\n# EOF",
        "no-eof": b"a 1\n",
        "after-eof": b"a 1\n# EOF\nb 2\n",
        "blank-line": b"a 1\n\nb 2\n# EOF\n",
        "comment": b"a 1\n# comment\nb 2\n# EOF\n",
        "two-blanks": b"a 1\nb  2\n# EOF\n",
        "inner-blanks": b'a 1\nb{ x="1"} 2\n# EOF\n',
        "blank-after-comma": b'a 1\nb{x="1", y="2"} 2\n# EOF\n',
        "missing-comma": b'a 1\nb{x="1"y="2"} 2\n# EOF\n',
        "unit": b"# TYPE a_seconds gauge\n# UNIT a_seconds seconds\na_seconds 1\n# EOF\n",
        "wrong-unit": b"a 1\n# UNIT b seconds\nb 1\n# EOF\n",
        "all-types": b"# TYPE a unknown\n# TYPE b info\nb_info 1\n# TYPE c stateset\n# TYPE d gaugehistogram\n# EOF\n",
        "untyped": b"a 1\n# TYPE b untyped\n# EOF\n",
        "exemplars": b'# TYPE a counter\na_total 1 # {trace="x y"} 0.5 1600000000.5\nb_total 2 # {} 3\n# EOF\n',
        "bad-exemplar": b"a 1\nb_total 2 # {trace=1} 3\n# EOF\n",
        "bad-exemplar-value": b"a 1\nb_total 2 # {} x\n# EOF\n",
        "bad-exemplar-time": b"a 1\nb_total 2 # {} 1 NaN\n# EOF\n",
        "long-exemplar": b"a 1\nb_total 2 # {} 1 2 3\n# EOF\n",
        "nan-timestamp": b"a 1\nb 2 NaN\n# EOF\n",
        "hash-timestamp": b"a 1\nb 2 #\n# EOF\n",
        "normal-nan": b"a NaN\n# EOF\n",
        "garbage": bytes((i * 37 + 11) % 256 for i in range(4096)),
        "help-escape": b'# HELP a one\\ntwo \\"x\\"\na 1\n# EOF\n',
        "empty-labels": b"a{} 1\n# EOF\n",
        "zero-byte": b"a 1\n\x00\n# EOF\n",
    }
    three = {
        "trailing-comma": b'b{x="1",} 2\n# EOF\n',
        "normalised": b'# TYPE h histogram\nh_bucket{le="1"} 1\nh_bucket{le="+Inf"} 2\n# EOF\n',
        "quoted": b'{"a.b",x="1"} 1\n# EOF\n',
    }
    both = [(name, body, 2) for name, body in bodies.items()] + [(name, body, 3) for name, body in three.items()]
    return [Case(f"open-{name}", (Page(body, OPENMETRICS),), since=since) for name, body, since in both]


def _sequences() -> list[Case]:
    """Pages in turn: stale markers, series that come and go, scrapes that fail, explicit timestamps."""
    known = b'a 1\nb{x="1"} 2\nc 3\n'
    return [
        Case("vanish", (known, b"a 1\nc 4\n", known, b"d 1\n")),
        Case("counter-reset", (b"a_total 10\n", b"a_total 3\n")),
        Case("fails-500", (known, Page(b"", status=500), known)),
        Case("fails-at-start", (known, b"?!\na 1\n", known)),
        Case("fails-half-way", (known, b"a 1\nc 5\n?!\nb 7\n", b"a 1\nd 6\n?!\n", known)),
        Case("fails-at-value", (known, b"a 1\nc x\nd 7\n", b'a 1\nb{x="1"} 2\nc 3\nd 9\n')),
        Case("empty-page", (known, b"", known), since=3),
        Case(
            "truncated-body",
            (known, Page(known, headers={"X": "1"}, stall_after=8), known),
            {"scrape_timeout": "300ms"},
        ),
        Case("type-changes", (b'# TYPE h gauge\nh{le="1"} 1\n', b'# TYPE h histogram\nh{le="1"} 2\n')),
        Case("same-twice-vanishes", (b"a 1\na 2\nb 1\n", b"b 1\n", b"a 3\nb 1\na 4\n")),
    ]


def stamped(base_ms: int) -> list[Case]:
    """Explicit timestamps must lie near the present, so these pages are made when the test runs."""

    def page(*lines: str, form: str = TEXT) -> Page:
        return Page(("\n".join(lines) + "\n").encode(), form)

    t = base_ms
    steps = (
        page(f"a 1 {t}", "b 2", f"c 3 {t}"),
        page(f"a 2 {t + 1000}", "b 2", f"c 4 {t}"),
        page(f"a 3 {t + 500}", f"b 2 {t + 9000}", "c 5"),
        page(f"a 4 {t + 3000}", "b 3"),
        page("b 4"),
    )
    rows = (page(f"a 1 {t}", f"a 2 {t + 1000}", f"a 3 {t + 500}", "a 4", "a 5"), page("b 1"))
    seconds = t // 1000
    opens = (page(f"a 1 {seconds}.000", f"b 2 {seconds}", "# EOF", form=OPENMETRICS),)
    return [
        Case("stamps", steps),
        Case("stamps-ignored", steps, {"honor_timestamps": False}),
        Case("stamps-tracked", steps, {"track_timestamps_staleness": True}, since=3),
        Case("stamps-several", rows, since=3),
        Case("stamps-several-ignored", rows, {"honor_timestamps": False}),
        Case("stamps-open", opens),
    ]


def _labels() -> list[Case]:
    conflicts = (
        b'a{job="own",instance="own",exported_job="mine",case="x"} 1\n'
        b'b{job="",instance=""} 2\nc{exported_exported_job="2",exported_job="1",job="0"} 3\n'
    )
    group = [{"targets": ["{address}"], "labels": {"case": "{case}", "region": "eu", "empty": "", "team": "ml"}}]
    return [
        Case("conflicts", (conflicts, b"b 1\n")),
        Case("honor-labels", (conflicts.replace(b',case="x"', b""), b'd{region="us"} 1\n'), {"honor_labels": True}),
        Case("static-labels", (b'a{region="us"} 1\n',), {"static_configs": group}),
        Case(
            "replicas",
            (b"a 1\n",),
            {
                "static_configs": [
                    {"targets": ["{address}"], "labels": {"case": "{case}", "replica": "0"}},
                    {"targets": ["{address}", "{address}"], "labels": {"case": "replica-1", "replica": "1"}},
                ]
            },
            at_least=4,
        ),
        Case(
            "reserved-labels",
            (b"a 1\n",),
            {
                "static_configs": [
                    {
                        "targets": ["nowhere:1"],
                        "labels": {
                            "case": "{case}",
                            "__address__": "ignored:1",
                            "__metrics_path__": "/reserved-labels",
                            "__param_q": "1",
                            "__tmp": "x",
                        },
                    }
                ],
                "metrics_path": "/elsewhere",
                "params": {"q": ["0", "2"], "r": ["a b", "ü&="]},
                "relabel_configs": [
                    {"target_label": "__address__", "replacement": "{address}"},
                    {"source_labels": ["__param_q", "__param_r"], "target_label": "asked"},
                    {
                        "source_labels": [
                            "__scheme__",
                            "__metrics_path__",
                            "__scrape_interval__",
                            "__scrape_timeout__",
                        ],
                        "target_label": "how",
                    },
                    {"source_labels": ["__tmp"], "target_label": "instance"},
                    {"source_labels": ["job"], "target_label": "job", "replacement": "renamed-$1"},
                ],
            },
            since=3,  # before, parameters win over labels
        ),
    ]


RELABEL_PAGE = b"""\
a{x="one two",y="Two",z="one"} 1
a{x="b",y="b",z="NORTH"} 2
a{x="c:80",y="",z="c"} 3
drop_me{x="1"} 4
keep_me_total{path="/api/v1/models",code="503"} 5
h_bucket{le="0.1",tmp_a="1",tmp_b="2"} 6
"""


def _relabelling() -> list[Case]:
    rules: dict[str, list[dict[str, Any]]] = {
        "replace": [
            {"source_labels": ["x"], "regex": r"(\w+):(\d+)", "target_label": "port", "replacement": "$2-${1}x"},
            {"source_labels": ["x", "z"], "separator": "|", "target_label": "joined"},
            {"source_labels": ["path"], "regex": "/api/(?P<v>v[0-9]+)/.*", "target_label": "v", "replacement": "${v}"},
            {"target_label": "constant", "replacement": "here"},
            {"source_labels": ["code"], "regex": "5..", "target_label": "code", "replacement": ""},
            {"source_labels": ["z"], "regex": "(one|c)", "target_label": "got_$1", "replacement": "$$1 $1x ${9}"},
        ],
        "names": [{"source_labels": ["__name__"], "regex": "(.+)_total", "target_label": "__name__"}],
        "keep": [{"source_labels": ["__name__"], "regex": "keep|keep_me.*|h", "action": "keep"}],
        "drop": [{"source_labels": ["__name__", "x"], "regex": "(?i)DROP_ME;.*|a;b", "action": "Drop"}],
        "drop-all": [{"regex": ".*", "action": "drop"}],
        "hashmod": [
            {"source_labels": ["__name__", "x"], "modulus": 1000003, "target_label": "shard", "action": "hashmod"},
            {"source_labels": ["absent"], "modulus": 7, "target_label": "nothing", "action": "hashmod"},
        ],
        "labelmap": [{"regex": "tmp_(.+)", "replacement": "kept_$1", "action": "labelmap"}],
        "labelmap-default": [{"regex": "tmp_(.+)", "action": "labelmap"}],
        "labeldrop": [{"regex": "tmp_.*|x|y", "action": "labeldrop"}],
        "labelkeep": [{"regex": "__name__|case|job|z|x", "action": "labelkeep"}],
        "collide": [{"regex": "x|y|z", "action": "labeldrop"}],
        "lowercase": [{"source_labels": ["y", "z"], "target_label": "low", "action": "lowercase"}],
        "uppercase": [{"source_labels": ["x"], "target_label": "up_", "action": "uppercase"}],
        "keepequal": [{"source_labels": ["x"], "target_label": "y", "action": "keepequal"}],
        "dropequal": [{"source_labels": ["x"], "target_label": "y", "action": "dropequal"}],
        "anchored": [{"source_labels": ["x"], "regex": "one", "action": "drop"}],
        "no-name": [{"regex": "__name__", "action": "labeldrop"}],
        "empty-regex": [{"source_labels": ["y"], "regex": "", "target_label": "was_empty", "replacement": "yes"}],
    }
    out = [Case(f"metric-{name}", (RELABEL_PAGE,), {"metric_relabel_configs": r}) for name, r in rules.items()]
    target = {
        "static_configs": [
            {"targets": ["{address}", "dropped:1"], "labels": {"case": "{case}", "__meta_pod": "p-1", "__meta_x": "9"}}
        ],
        "relabel_configs": [
            {"source_labels": ["__address__"], "regex": "dropped:.*", "action": "drop"},
            {"regex": "__meta_(.+)", "action": "labelmap"},
            {"source_labels": ["pod"], "target_label": "instance"},
        ],
    }
    newline = [{"source_labels": ["x"], "regex": "1.2", "target_label": "dot", "replacement": "newline"}]
    dotted = [{"regex": "x", "replacement": "x.y", "action": "labelmap"}]
    return [
        *out,
        Case("target-relabel", (b'a{pod="own"} 1\n',), target),
        Case("dot-newline", (b'a{x="1\\n2"} 1\n',), {"metric_relabel_configs": newline}, since=3),
        Case("dotted-label", (b'a{x="1"} 1\n',), {"metric_relabel_configs": dotted}, since=3),
    ]


def _limits() -> list[Case]:
    def lines(n: int, extra: bytes = b"") -> bytes:
        return b"".join(b"m%d %d\n" % (i, i) for i in range(n)) + extra

    long = b'abcdefghij{klmnopqrst="0123456789",u="1"} 1\n'
    drop = [{"source_labels": ["__name__"], "regex": "m0|m1", "action": "drop"}]
    return [
        Case("sample-limit", (lines(5), lines(7), lines(7), lines(5), b"new 1\n" + lines(5)), {"sample_limit": 5}),
        Case("sample-limit-relabel", (lines(7), lines(8)), {"sample_limit": 5, "metric_relabel_configs": drop}),
        Case("label-limit", (b"a 1\n" + long + b"b 2\n", b"a 1\n"), {"label_limit": 4}),
        Case("label-name-limit", (b"a 1\n" + long + b"b 2\n",), {"label_name_length_limit": 9}),
        Case("label-value-limit", (b'a 1\nb{x="' + b"v" * 50 + b'"} 2\n',), {"label_value_length_limit": 49}),
        Case("body-size-limit", (lines(3), b"a 1 \n" * 20, Page(b"x 123\n" * 2)), {"body_size_limit": "15B"}),
        Case("body-size-limit-gzip", (_gzipped(lines(2000)),), {"body_size_limit": "4KB"}),
        Case(
            "target-limit",
            (b"a 1\n",),
            {
                "target_limit": 1,
                "static_configs": [
                    {"targets": ["{address}"], "labels": {"case": "{case}"}},
                    {"targets": ["{address}"], "labels": {"case": "target-limit-too"}},
                ],
            },
            at_least=0,
        ),
    ]


def _gzipped(body: bytes) -> Page:
    return Page(gzip.compress(body), headers={"Content-Encoding": "gzip"})


def _http() -> list[Case]:
    def only(header: str, value: str) -> Callable[[Asked], Page]:
        return lambda asked: Page(b"a 1\n") if asked.headers.get(header) == value else Page(b"", status=401)

    basic = "Basic " + base64.b64encode(b"me:s3cret").decode()
    types = {
        "upper": "Text/Plain;VERSION=0.0.4",
        "bare": "text/plain",
        "open": "application/openmetrics-text",
        "semicolon": "text/plain;",
        "quoted": 'text/plain; charset="utf-8"',
    }
    strange = {"none": None, "blank": "", "html": "text/html", "octets": "application/octet-stream"}
    strange |= {"broken": "text/plain; charset", "slash": "text", "json": "application/json"}
    fallback = {"fallback_scrape_protocol": "PrometheusText0.0.4"}
    return [
        *[Case(f"type-{name}", (Page(b"a 1\n# EOF\n", kind),)) for name, kind in types.items()],
        *[Case(f"type-{name}", (Page(b"a 1\n", kind),), since=3) for name, kind in strange.items()],
        *[Case(f"fallback-{name}", (Page(b"a 1\n", kind),), fallback, since=3) for name, kind in strange.items()],
        Case("gzip", (_gzipped(LEGACY_PAGE), _gzipped(b"a 1\n"))),
        Case("gzip-broken", (Page(b"a 1\n", headers={"Content-Encoding": "gzip"}),)),
        Case("gzip-truncated", (Page(gzip.compress(LEGACY_PAGE)[:-9], headers={"Content-Encoding": "gzip"}),)),
        Case("no-length", (Page(b"a 1\n", length=False), Page(b"a 2\n", length=False))),
        Case("status-204", (Page(b"", status=204),)),
        Case("status-404", (Page(b"a 1\n", status=404),)),
        Case("redirect", (Page(b"", status=302, headers={"Location": "/text-plain"}),), {"metrics_path": "/redirect"}),
        Case("no-redirect", (Page(b"", status=302, headers={"Location": "/x"}),), {"follow_redirects": False}),
        Case("redirect-loop", (Page(b"", status=307, headers={"Location": "/redirect-loop"}),)),
        Case("bearer", answer=only("Authorization", "Bearer t0ken"), job={"authorization": {"credentials": "t0ken"}}),
        Case(
            "bearer-file",
            answer=only("Authorization", "Token from-file"),
            job={"authorization": {"type": "Token", "credentials_file": "{folder}/token"}},
        ),
        Case(
            "basic", answer=only("Authorization", basic), job={"basic_auth": {"username": "me", "password": "s3cret"}}
        ),
        Case("unauthorised", answer=only("Authorization", "x"), job={"bearer_token": "y"}),
        Case("hang", (b"a 1\n", Page(b"a 1\nb 2\n", stall_after=4), b"a 1\n"), {"scrape_timeout": "300ms"}),
        Case("hang-before-head", answer=lambda _: Page(b"a 1\n", stall_after=0), job={"scrape_timeout": "300ms"}),
        Case("drip", (Page(b"a 1\n" * 50, drip=0.02), b"b 1\n"), {"scrape_timeout": "300ms"}),
        Case(
            "refused", job={"static_configs": [{"targets": ["127.0.0.1:1"], "labels": {"case": "{case}"}}]}, at_least=0
        ),
    ]


def _tls() -> list[Case]:
    good = {
        "ca_file": "{folder}/cert.pem",
        "cert_file": "{folder}/cert.pem",
        "key_file": "{folder}/key.pem",
        "server_name": "metrics.test",
    }
    options = {
        "tls": good,
        "tls-versions": {**good, "min_version": "TLS12", "max_version": "TLS13"},
        "tls-unverified": {**good, "ca_file": None, "server_name": None, "insecure_skip_verify": True},
        "tls-wrong-name": {**good, "server_name": "other.test"},
        "tls-unknown-ca": {**good, "ca_file": None},
        "tls-no-certificate": {**good, "cert_file": None, "key_file": None},
    }
    return [
        Case(
            name,
            (b"a 1\n",),
            {"scheme": "https", "tls_config": {k: v for k, v in tls.items() if v is not None}},
            secure=True,
            at_least=1 if name in ("tls", "tls-versions", "tls-unverified") else 0,
        )
        for name, tls in options.items()
    ]


def _discovery() -> list[Case]:
    meta = [{"source_labels": ["__meta_filepath"], "regex": ".*/(.+)", "target_label": "file"}]
    url = [{"source_labels": ["__meta_url"], "regex": "http://[^/]+(.*)", "target_label": "url"}]
    return [
        Case(
            "file-discovery",
            (b"a 1\n",),
            {"static_configs": [], "file_sd_configs": [{"files": ["{folder}/sd-*.json"]}], "relabel_configs": meta},
        ),
        Case(
            "file-discovery-yaml",
            (b"a 1\n",),
            {"static_configs": [], "file_sd_configs": [{"files": ["{folder}/sd.yml"]}], "relabel_configs": meta},
        ),
        Case(
            "http-discovery",
            (b"a 1\n",),
            {"static_configs": [], "http_sd_configs": [{"url": "http://{address}/sd"}], "relabel_configs": url},
        ),
    ]

"""What the scraper and a real Prometheus are shown alike: pages in turn, and the scrape config's options for them."""

import base64
import gzip
from collections.abc import Callable
from typing import Any

from tests.harness.drive.page_cases import PLAIN_PAGE, Case, openmetrics_cases, text_cases
from tests.stack.scrape.page_server import OPENMETRICS, TEXT, Asked, Page


def cases() -> dict[str, Case]:
    found = [
        *text_cases(),
        *openmetrics_cases(),
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
            {"scrape_timeout": "500ms"},
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
                "params": {"r": ["a b", "ü&="], "q": ["0", "2"]},
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
        "unicode": [
            {
                "source_labels": ["path"],
                "regex": r"/(?P<first>\pL+)/(.*)",
                "target_label": "${first}",
                "replacement": "$2",
            }
        ],
        "exploding": [{"source_labels": ["path"], "regex": "((.|..)+)+#", "action": "drop"}],
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
        Case("gzip", (_gzipped(PLAIN_PAGE), _gzipped(b"a 1\n"))),
        Case("gzip-broken", (Page(b"a 1\n", headers={"Content-Encoding": "gzip"}),)),
        Case("gzip-truncated", (Page(gzip.compress(PLAIN_PAGE)[:-9], headers={"Content-Encoding": "gzip"}),)),
        Case("no-length", (Page(b"a 1\n", length=False), Page(b"a 2\n", length=False))),
        Case("cut-short", (b"a 1\n", Page(b"a 1\nb 2\n", length=100, close=True), b"a 1\n")),
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
        Case("hang", (b"a 1\n", Page(b"a 1\nb 2\n", stall_after=4), b"a 1\n"), {"scrape_timeout": "500ms"}),
        Case("hang-before-head", answer=lambda _: Page(b"a 1\n", stall_after=0), job={"scrape_timeout": "500ms"}),
        Case("drip", (Page(b"a 1\n" * 50, drip=0.02), b"b 1\n"), {"scrape_timeout": "500ms"}),
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

"""One page each, in the two text formats: what is accepted, what is refused, and how far it was read."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.stack.scrape.page_server import OPENMETRICS, Asked, Page

PLAIN_PAGE = b"""\
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
    """``steps`` are served in turn; ``job`` are options of the scrape config, where ``{address}``, ``{case}`` and
    ``{folder}`` are filled in; ``since`` is the first major version of Prometheus that behaves so; ``answer``
    replaces the steps; ``secure`` ones are served with TLS. The label ``case`` marks every series.
    """

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


def text_cases() -> list[Case]:
    both = {
        "plain": PLAIN_PAGE,
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
        "two-blanks": b"a  1\nb\t2\nc \t 3 \nd \t4\ne 5\t\nf 6 \t\n",
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


def openmetrics_cases() -> list[Case]:
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

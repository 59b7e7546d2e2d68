"""PromQL of many shapes: the project's own rules, odd corners of the language, and generated expressions."""

from pathlib import Path

import promql_parser
from hypothesis import strategies as st

from driftdrill.stack.rules.files import load_rule_files

ROOT = Path(__file__).resolve().parents[3]
OWN = sorted(
    {
        r.expr
        for f in load_rule_files([ROOT / "driftdrill" / "scenarios" / "rules" / "*.yml"])
        for g in f.groups
        for r in g.rules
    }
)
CORNERS = [
    r'up{job="a\"b\\c\nd"} == 0',
    r"""up{job='a"b', host=~"a\\.b|c.*"} == 0""",
    '{__name__="up", job!~"b"} == 0',
    "rate(x_total[1500ms] offset -1m) > 0.05",
    "rate(x_total[90s] @ 1600000000.123) > 0",
    "x @ start() offset 5m == 1",
    "max_over_time(rate(x_total[5m])[1h:30s] offset 2h) > 1e-9",
    "max_over_time(rate(x_total[5m])[1h:] @ end()) > 1e300",
    "a / on (job) group_left (version) b > bool 5",
    "a / ignoring (job) group_right () b < -Inf",
    "-(a + b) ^ 2 != NaN",
    "(a ^ b) ^ c - (d - e) > 2 * 0.25",
    "a and on (x) b or c unless ignoring (y) d",
    "sum without (job) (x) >= sum(y) by () atan2 z",
    'count_values("version", build) > quantile by (job) (0.95, topk(5, x))',
    r'label_replace(x, "dst", "$1\t\"é", "src", "(.*)\\.x") > 123456789012345678',
    "5 < time() - x",
    'absent(up{job="x"}) or absent_over_time(x[5m])',
    "hour() >= 8 < bool 18 and day_of_week(vector(time() + 3600)) % 7 > 0",
    "avg_over_time(x[5m] offset 1h) > 3 and sum_over_time(avg_over_time(x[5m])[10m:1m]) > 3",
    "0 - 1 < x > 1 / 0 > 0 ^ -1",
]
BACKSLASH_IN_BACKTICKS = r"x{a=~`\d`} > 0"
"""Prometheus reads it, promql-parser does not."""

_NAMES = st.sampled_from(["up", "x_total", "job:x:rate5m"])
_LABELS = st.sampled_from(["job", "le", "instance"])
_TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\0"), max_size=5)
_NUMBERS = st.sampled_from(["0", "1", "0.25", "-3", "1e9", "(2 * 0.1)"])
_SPANS = st.sampled_from(["15s", "5m", "1h30m", "1500ms"])


def _matcher(label: str, op: str, value: str) -> str:
    return label + op + '"' + value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'


_MATCHERS = st.one_of(
    st.builds(_matcher, _LABELS, st.sampled_from(["=", "!="]), _TEXTS),
    st.builds(_matcher, _LABELS, st.sampled_from(["=~", "!~"]), st.sampled_from(["a.*", "5..", r"a\.b", "a|b"])),
)
_SELECTORS = st.builds(lambda name, inside: f"{name}{{{', '.join(inside)}}}", _NAMES, st.lists(_MATCHERS, max_size=2))
_MOVED = st.sampled_from(["", " offset 5m", " offset -1m"])
_VECTORS = st.one_of(
    st.builds("{}{}".format, _SELECTORS, _MOVED),
    st.builds("{}({}[{}]{})".format, st.sampled_from(["rate", "avg_over_time", "delta"]), _SELECTORS, _SPANS, _MOVED),
)


def _further(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.one_of(
        st.builds("({})".format, inner),
        st.builds("-{}".format, inner),
        st.builds("absent({})".format, inner),
        st.builds("max_over_time(({})[{}:{}])".format, inner, _SPANS, st.sampled_from(["", "30s"])),
        st.builds(
            "{}{}({})".format,
            st.sampled_from(["sum", "max", "count"]),
            st.sampled_from(["", " by (job) ", " without (job, le) "]),
            inner,
        ),
        st.builds(
            "{} {} {}".format, inner, st.sampled_from([">", "<=", "==", "!=", "> bool", "+", "*", "^"]), _NUMBERS
        ),
        st.builds(
            "{} {}{} {}".format,
            inner,
            st.sampled_from([">", "/", "-", "and", "or", "unless"]),
            st.sampled_from(["", " on (job)", " ignoring (le)"]),
            inner,
        ),
    )


def _matches_vectors(expr: str) -> bool:
    """Not so where precedence gave ``on`` a number for a side, as in ``x > 0 / on (job) y``."""
    try:
        promql_parser.parse(expr)
    except ValueError as e:
        return "vector matching only allowed between vectors" not in str(e)
    return True


EXPRESSIONS = st.recursive(_VECTORS, _further, max_leaves=5).filter(_matches_vectors)
"""Expressions that Prometheus accepts, of instant vectors."""

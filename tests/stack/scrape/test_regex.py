"""Prometheus's patterns beside a real server: its label_replace matches as relabelling does."""

import json
from collections.abc import Iterator

import pytest
import requests

from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.api import Server
from driftdrill.stack.prometheus.server import prometheus
from driftdrill.stack.scrape.regex import expand, fullmatch

INPUTS = [
    "a",
    "b",
    "ab",
    "aab",
    "AB",
    "aB",
    "abab",
    "a1",
    "_",
    "-",
    ".",
    "a.b",
    "a b",
    "{2",
    "{,2}",
    "]",
    "é",
    "\\",
    "$",
]
PATTERNS = [
    *r"""
a  ab|a  a|ab  a.*  .+?b  (a)(b)?  (a|b)+  (a)|(b)  .*  [ab]{2}  a{2,}  a{,2}  {2  (|a)b  ()a  (?:ab)+  é  [é]  .  ..  #
[a-c0-9]+  [^a]  []a]  [^]a]  [a-]  [-a]  [[a]  [a&&b]+  [a||b]  [a~~b]  [a--b]  [+--]  [--b]  [\d-z]+  [.]  [$]  [b-a]
[[:alpha:]]+  [[:^alpha:]]  [^[:alpha:]]  [[:digit:]a]+  [[:word:]-]+  [[:punct:]]  [[:nope:]]  [\b]  [  [a  [a-\w]
\w+  \W  [\w.]+  [^\W]+  \d  a\d  \D+  \S+  \s  a\sb  \.  \-  \_  \/  \\  \  a\\?  a\.b  [\]]  [\^\-\\]
\x61  \x{62}  \x{110000}  \141  \0  \1  \8  \e  \Z  \u0061  \N  \Qa.b\E  \Q.\E+  \Qab
^a$  a$b  a^b  (^a|b$)  \Aab\z  \b\w+\b  a\B.*  \b*a  ^*a  $?a  (?m)^a$  (?m:a$)
(?i)ab  a(?i)b  a(?i)b|B  (a(?i)b)b?  (?i:A)b  (?i)a(?-i)b  (?i-s:A)B  (?is)A.B  (?U)a+(b*)  (?U)a+?
(?P<n>a+)(?P<m>b)  (?P<n>a  (?P=n)  (?=a)  (?!a)  (?<=a)  (?#x)a  (?>a)  (ab  ab)
\pL+  \PL+  \p{Latin}+  \p{Greek}  [\p{Lu}\d]+  [^\pL]  \pX  (?i)É  (?i:É)  ((a{10}){10}){11}  (\pL{1,100}){10}
a**  a*+  a++  a?+  a*?  a+?b  a{2}?  a{1,2}{2}  a{1001}  a{2,1}  *a  +  a|*
""".split(),  # noqa: SIM905
    *["", " ", "a b", r"a\ b", "a #b"],
]
TEMPLATES = [
    "<$1>",
    "<${1}x>",
    "<$1x>",
    "<$0>",
    "<$$1>",
    "<$n-${m}>",
    "<$2$9>",
    "<$>",
    "<${>",
    "<$01>",
    "<${x y}>",
    "<$-$>",
]


@pytest.fixture(scope="module")
def server(prometheus_binary: str) -> Iterator[Server]:
    with prometheus(how="binary", binary=prometheus_binary) as running:
        yield running


def _theirs(server: Server, pattern: str, template: str) -> dict[str, str | None] | None:
    """Input -> its replacement, None where it does not match; None where the pattern is refused."""
    text = [json.dumps(part, ensure_ascii=False) for part in (template, pattern)]
    made = [f'label_replace(vector(1), "x", {json.dumps(one, ensure_ascii=False)}, "", "")' for one in INPUTS]
    query = " or ".join(f'label_replace({one}, "y", {text[0]}, "x", {text[1]})' for one in made)
    answer = requests.post(f"{server.connection.url}/api/v1/query", data={"query": query}, timeout=10).json()
    if answer["status"] != "success":
        assert "invalid regular expression" in answer["error"]
        return None
    return {one["metric"]["x"]: one["metric"].get("y") for one in answer["data"]["result"]}


def _ours(pattern: str, template: str) -> dict[str, str | None] | None:
    try:
        compiled = fullmatch(pattern)
    except StackError:
        return None
    return {one: expand(template, match) if (match := compiled.fullmatch(one)) else None for one in INPUTS}


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.filterwarnings("error")
def test_a_pattern_means_what_it_means_to_prometheus(server: Server, pattern: str) -> None:
    assert _ours(pattern, "<$1>") == _theirs(server, pattern, "<$1>")


@pytest.mark.parametrize("template", TEMPLATES)
def test_a_replacement_expands_as_in_prometheus(server: Server, template: str) -> None:
    pattern = "(?P<n>a+)(b)?(?P<m>.*)"
    assert _ours(pattern, template) == _theirs(server, pattern, template)


def test_a_dot_matches_a_line_end_as_in_prometheus_3() -> None:
    assert fullmatch("a.b").fullmatch("a\nb")
    assert not fullmatch("(?-s)a.b").fullmatch("a\nb")
    assert not fullmatch("ab$").fullmatch("ab\n")


def test_two_differences_are_known(server: Server) -> None:
    assert _theirs(server, r"a\C?b", "") is None
    assert _ours(r"a\C?b", "") is not None
    theirs, ours = _theirs(server, "(?P<n>a)?(?P<n>b)", "<$n>"), _ours("(?P<n>a)?(?P<n>b)", "<$n>")
    assert theirs is not None
    assert theirs | {"b": "<>"} == ours


@pytest.mark.parametrize("pattern", ["(a|aa)+b", "(a*)*b", "(.*)(.*)(.*)(.*)b", r"(\w+\s?)+b"])
def test_a_pattern_that_makes_backtracking_explode_ends_on_a_long_text(pattern: str) -> None:
    """Python's ``re`` needs 2 to the power of the length for the first: forty characters take it for ever."""
    compiled = fullmatch(pattern)
    assert compiled.fullmatch("a" * 100_000) is None
    assert compiled.fullmatch("a" * 100_000 + "b") is not None


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("(", "missing )"),
        ("a**", "bad repetition operator: **"),
        (r"(?=a)b", "invalid perl operator: (?="),
        (r"(a)\1", r"invalid escape sequence: \1"),
        (r"\pX", r"invalid character class range: \pX"),
        ("a{1001}", "invalid repetition size: {1001}"),
        ("\ud800", "surrogates not allowed"),
    ],
)
def test_a_refused_pattern_is_shown_with_the_words_of_re2_and_nothing_else_is_printed(
    pattern: str, said: str, capfd: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(StackError) as refused:
        fullmatch(pattern)
    assert f"{pattern!r} is not a regular expression of Prometheus (RE2): " in str(refused.value)
    assert said in str(refused.value)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("template", "expanded"),
    [  # the documentation of Go's Regexp.Expand, case by case
        ("$1-$n", "k-k"),
        ("$1x", ""),  # the longest name there is: ${1x}, not ${1}x
        ("${1}x", "kx"),
        ("$10", ""),  # ${10}, not ${1}0
        ("${1}0", "k0"),
        ("$9|$none|${none}", "||"),  # out of range, or not in the pattern
        ("$3", ""),  # a group that took no part
        ("$$1 $$", "$1 $"),
        ("$0", "k=v"),
        ("$01", ""),  # a name, since a number has no leading zero
        ("$ ${ ${} ${a b} $-", "$ ${ ${} ${a b} $-"),  # malformed: as it stands
        ("$" + "9" * 5000, ""),
        (r"\1\g<n>", r"\1\g<n>"),  # Python's own words mean nothing
    ],
)
def test_a_replacement_expands_as_go_documents_it(template: str, expanded: str) -> None:
    match = fullmatch("(?P<n>k)=(v)(x)?").fullmatch("k=v")
    assert match is not None
    assert expand(template, match) == expanded


def test_groups_are_cut_at_characters_and_not_at_bytes() -> None:
    match = fullmatch(r"(?i)(?P<who>\pL+)-(é)").fullmatch("Zoë-É")
    assert match is not None
    assert expand("$2/${who}", match) == "É/Zoë"

"""Odd samples and names: they must reach the engine as they are, and be exported so that promtool loads them."""

import math

from driftdrill import fires, quiet
from tests.truth.entry import Entry, Value, alert, by, flat, jump, lie, record, rules, well

BAD = alert("ModelBad", "model_bad > 10")
ODD = {
    "a control character": "\x01",
    "a null": "\x00",
    "a line feed": "a\nb",
    "a carriage return": "a\rb",
    "an escape": "\x1b[31m",
    "delete": "\x7f",
    "a C1 control": "\x80",
    "next line": "\x85",
    "a noncharacter": "\uffff",
    "another noncharacter": "\ufffe",
    "a byte order mark": "\ufeff",
    "a line separator": "\u2028",
    "a replacement character": "\ufffd",
    "an emoji": "\U0001f600",
    "the last code point": "\U0010ffff",
    "a double quote": 'a"b',
    "a single quote": "it's",
    "a backslash": "a\\b",
    "a backslash at the end": "a\\",
    "an escape in words": "\\u0001",
    "braces": '{a="b"}',
    "a template": "{{ $value }}",
    "a comment of ours": ' # 0@0", time: 0s,',
    "words of promtool": 'x", exp: nil\n got: nil',
    "a value behind it": '"} 5, {"',
    "blanks": "  a  b  ",
    "YAML": "- a: [b, *c, &d, !e]",
    "a percent sign": "100%d %s",
    "a long one": "x" * 3000,
}
SMALL = 5e-324


def labelled(name: str, value: str) -> Entry:
    series = {"model_bad": {(("p", value),): jump(1, 20)}}
    return well(f"{name} in a label", rules(BAD), series, [fires("ModelBad", labels={"p": value})], "FIRED", exported=True)


def valued(name: str, expr: str, value: Value, word: str = "FIRED") -> Entry:
    expect = [fires("A")] if word == "FIRED" else [quiet("A")]
    return well(name, rules(alert("A", expr)), {"m": value, "other": flat(1)}, expect, word, exported=True)


def named(name: str, alert_name: str) -> Entry:
    given = rules(alert(alert_name, "heat > 10", annotations={"a": "{{ $labels.job }}"}))
    return well(f"an alert named {name}", given, {"heat": jump(1, 20)}, [fires(alert_name)], "FIRED", exported=True)


ENTRIES = [
    *(labelled(name, value) for name, value in ODD.items()),
    # Label names and metric names.
    well("a label name with a dot", rules(BAD), {"model_bad": {(("my.label", "x"),): jump(1, 20)}}, [fires("ModelBad")], "FIRED"),
    well("a label name of two letters beyond ASCII", rules(BAD), {"model_bad": {(("größe", "x"),): jump(1, 20)}}, [fires("ModelBad")], "FIRED"),
    well("a metric name with dots", rules(alert("A", '{__name__="model.bad"} > 10')), {"model.bad": jump(1, 20)}, [fires("A")], "FIRED"),
    well("a metric name with colons", rules(alert("A", "vllm:num_requests_waiting > 10")), {"vllm:num_requests_waiting": jump(1, 20)}, [fires("A")], "FIRED", exported=True),
    well("labels called as promtool's own fields", rules(BAD), {"model_bad": {(("values", "1"), ("series", "x"), ("le", "0.5")): jump(1, 20)}}, [fires("ModelBad")], "FIRED", exported=True),
    well("a label in many spellings", rules(BAD), {"model_bad": {**by("p", a=flat(1), A=flat(1)), (("p", "a "),): jump(1, 20)}}, [fires("ModelBad", labels={"p": "a "}), ], "FIRED", exported=True),
    # Values.
    valued("a negative zero", "1 / m < 0", jump(0.0, -0.0)),
    valued("the smallest number", "m > 0", jump(0.0, SMALL)),
    valued("its negative", "m < 0", jump(0.0, -SMALL)),
    valued("the largest number", "m > 1e308", jump(0.0, 1.7976931348623157e308)),
    valued("infinity", "m > 1e308", jump(0.0, math.inf)),
    valued("negative infinity", "m < -1e308", jump(0.0, -math.inf)),
    valued("NaN that comes", "m != m", jump(0.0, math.nan)),
    valued("a number of sixteen digits", "m == 0.1 + 0.2", jump(0.3, 0.1 + 0.2)),
    valued("a number that is not that one", "m == 0.1 + 0.2", flat(0.3), "SILENT"),
    valued("a whole number beyond 2^53", "m > 9007199254740992", jump(9007199254740992.0, 9007199254740994.0)),
    valued("a number that reads as hexadecimal", "m > 0", jump(0.0, 1e-9)),
    valued("a falling mantissa", "m < 1.0000000000000004", jump(1.0000000000000004, 1.0000000000000002)),
    # Names of alerts.
    named("with blanks", "Model is hot"),
    named("with quotes", "Hot's \"day\""),
    named("with a colon and a comma", "hot: yes, time: 5m, err: none"),
    named("with a hash", "Hot #1"),
    named("with a backslash", "Hot\\n"),
    named("in another script", "Modell überhitzt \U0001f525"),
    named("with a slash and braces", "{team}/Hot"),
    # Labels of alerts.
    well(
        "a label made of an odd one",
        rules(alert("ModelBad", "model_bad > 10", labels={"of": "<{{ $labels.p }}>"})),
        {"model_bad": {(("p", '"\x7f\\'),): jump(1, 20)}},
        [fires("ModelBad", labels={"of": '<"\x7f\\>'})],
        "FIRED",
        exported=True,
    ),
    well(
        "an annotation of odd things",
        rules(alert("ModelBad", "model_bad > 10", annotations={"a": "{{ $labels.p }}{{ $value }}"})),
        {"model_bad": {(("p", 'Labels:{a="b"} Annotations:{}'),): jump(1, 20)}},
        [fires("ModelBad")],
        "FIRED",
        exported=True,
    ),
    # An odd series beside the one that matters.
    well(
        "an odd neighbour",
        rules(BAD),
        {"model_bad": jump(1, 20), "other": {(("p", "\x01\uffff\x7f"),): flat(1)}},
        [fires("ModelBad")],
        "FIRED",
    ),
    well(
        "odd labels through a recording rule of another group",
        "groups:\n- {name: g, interval: 30s, rules: [{record: bad, expr: model_bad}]}\n"
        "- {name: h, rules: [{alert: ModelBad, expr: bad > 10}]}\n",
        {"model_bad": {(("p", "\x7f\\\"\x01"),): jump(1, 20)}},
        [fires("ModelBad", labels={"p": "\x7f\\\"\x01"})],
        "FIRED",
    ),
    lie(
        "an odd label that the alert has not",
        rules(BAD),
        {"model_bad": {(("p", "\x7f"),): jump(1, 20)}},
        [fires("ModelBad", labels={"p": "\x01"})],
        "FIRED",
        1,
        'fired with {instance="i", job="m", p="\\x7f"}, none with {p="\\x01"}',
    ),
    lie("a recorded NaN is no value", rules(record("r", "m / m"), alert("A", "r > 0.5")), {"m": jump(1, 0)}, [quiet("A")], "FALSE_ALARM", 1),
]

"""Rule files that the engine refuses: whatever else they hold would be silent, and silence would pass for green."""

from driftdrill import fires, quiet
from tests.truth.entry import Entry, alert, flat, group, groups, jump, lie, refused, rules, well

HEAT = {"heat": jump(1, 20)}
GOOD = "groups:\n- name: g\n  rules:\n  - {alert: Hot, expr: heat > 10}\n"


def beside_a_good_one(rule: str) -> str:
    """The rule stands in line 5 of the file."""
    return f"groups:\n- name: g\n  rules:\n  - {{alert: Hot, expr: heat > 10}}\n  - {rule}\n"


def bad(name: str, rule: str, *says: str, line: str = ":5") -> Entry:
    return refused(name, beside_a_good_one(rule), *((f"rules.yml{line}",) if line else ()), *says)


def bad_expr(name: str, expr: str, *says: str) -> Entry:
    return bad(name, f"{{alert: Bad, expr: '{expr}'}}", *says)


ENTRIES = [
    # Syntax and types.
    bad_expr("an aggregation that is cut off", "sum by (x", "unclosed left parenthesis"),
    bad_expr("a bracket that is not closed", "(heat > 99", "parenthesis"),
    bad_expr("a grouping behind the comparison", "heat > 10 by (job)", "by"),
    bad_expr("a rate of no range", "rate(heat) > 1", "expected type range vector"),
    bad_expr("a range that is compared", "heat[5m] > 1", "must contain only scalar and instant vector"),
    bad_expr("an aggregation of a number", "sum(1) > 0", "expected type instant vector"),
    bad_expr("a set operator beside a number", "heat and 1", "set operator"),
    bad_expr("a quantile without its share", "quantile(heat) > 1", "wrong number of arguments"),
    bad_expr("a selector of nothing", "{} > 1", "non-empty matcher"),
    bad_expr("a selector that every series matches", '{a=~".*"} > 1', "non-empty matcher"),
    bad_expr("a regular expression that is none", 'heat{a=~"("} > 1', "missing closing"),
    bad_expr("an offset of no duration", "heat offset x > 1", "offset"),
    bad_expr("a moment that is none", "heat @ noon > 1", "@"),
    bad_expr("a label_replace of three arguments", 'label_replace(heat, "a", "b") > 1', "label_replace"),
    bad_expr("group_left beside a set operator", "heat and on (job) group_left () heat", "no grouping allowed"),
    bad_expr("bool without a comparison", "heat + bool 1", "bool"),
    bad_expr("an expression of blanks", " ", "has no `expr`"),
    bad_expr("a quoted metric name on an engine of identifiers", '{"infer.queue.depth"} > 1', "unexpected"),
    # Functions.
    bad_expr("a function that nobody knows", "heatwave(heat) > 1", "unknown function"),
    bad_expr("an experimental function", "mad_over_time(heat[5m]) > 99", "unknown function"),
    bad_expr("a function of a later engine", "double_exponential_smoothing(heat[5m], 0.5, 0.5) > 1", "unknown function"),
    bad_expr("a sort of a later engine", 'sort_by_label(heat, "job") > 1', "unknown function"),
    bad_expr("an aggregation of a later engine", "limitk(1, heat) > 1", "unknown function"),
    # Templates.
    bad("a template of an unknown variable", "{alert: B, expr: heat > 9, annotations: {d: '{{ $lables.x }}'}}", "$lables"),
    bad("a template that is not closed", "{alert: B, expr: heat > 9, annotations: {d: '{{ $labels.x'}}", "unclosed"),
    bad("a template of an unknown function", "{alert: B, expr: heat > 9, annotations: {d: '{{ humanise $value }}'}}", "humanise"),
    bad("a template of an unknown variable in a label", "{alert: B, expr: heat > 9, labels: {d: '{{ $vlaue }}'}}", "$vlaue"),
    # Names.
    bad("a label with a dash", "{alert: B, expr: heat > 9, labels: {my-team: x}}", "my-team"),
    bad("an annotation with a dash", "{alert: B, expr: heat > 9, annotations: {run-book: x}}", "run-book"),
    bad("a label that is the metric's name", "{alert: B, expr: heat > 9, labels: {__name__: x}}", "__name__"),
    bad("a recorded metric with a dash", "{record: job-heat, expr: heat}", "job-heat"),
    # Fields.
    bad("for in words", "{alert: B, expr: heat > 9, for: 5 minutes}", "5 minutes"),
    bad("for of a recording rule", "{record: b, expr: heat, for: 5m}", "for"),
    bad("annotations of a recording rule", "{record: b, expr: heat, annotations: {a: b}}", "annotations"),
    bad("a rule that is both", "{alert: B, record: b, expr: heat}", "record"),
    bad("a rule that is neither", "{expr: heat > 9}", "record"),
    bad("a rule without an expression", "{alert: B}", "expr"),
    bad("a field that is misspelled", "{alert: B, expression: heat > 9}", "expression"),
    refused("labels of a group on an engine without them", groups(group(alert("A", "heat > 9"), labels={"team": "ml"})), "labels"),
    refused("query_offset on an engine without it", groups(group(alert("A", "heat > 9"), query_offset="1m")), "query_offset"),
    refused("two groups of one name", groups(group(alert("A", "heat > 9")), group(alert("B", "heat > 9"))), "g", "repeated"),
    refused("a group without a name", groups(group(alert("A", "heat > 9")).replace('"g"', '""')), "name"),
    refused("no YAML", "groups:\n\t- name: g\n", "rules.yml:2"),
    refused("a file of something else", "route: {receiver: team}\n", "route"),
    refused("rules without a group", "rules: [{alert: A, expr: heat > 9}]\n", "rules"),
    refused("no alert in it", groups(group({"record": "a", "expr": "heat"})), "no alert"),
    bad("a character that looks like a blank", "{alert: B, expr: 'heat\u00a0> 9'}", "unexpected character"),
    bad("a field given twice", "{alert: B, expr: heat > 9, expr: heat > 99}", "given twice"),
    bad("a duration below nothing", "{alert: B, expr: heat > 9, for: -5m}", "-5m"),
    bad("a duration of another script", "{alert: B, expr: heat > 9, for: ٥m}", "duration"),
    bad("a label beyond ASCII on an engine of identifiers", "{alert: B, expr: heat > 9, labels: {é: x}}", "é"),
    bad("a label without a name", "{alert: B, expr: heat > 9, labels: {'': x}}", "invalid label name"),
    bad("a list for a label", "{alert: B, expr: heat > 9, labels: {a: [1]}}", "found a list"),
    bad("a list for an expression", "{alert: B, expr: [heat]}", "found a list"),
    bad("an alert without a name", "{alert: '', expr: heat > 9}", "alert"),
    refused("an empty file", "", "empty"),
    refused("a file of comments", "# rules\n# to come\n", "empty"),
    refused("a file with a null byte", GOOD.replace("heat", "he\x00at"), "not YAML"),
    refused("two lists of groups", GOOD + GOOD, "rules.yml:5", "given twice"),
    refused("a second document, which Prometheus does not read", GOOD + "---\n" + GOOD, "rules.yml:6", "reads the first alone"),
    refused("an empty first document, which Prometheus reads", "# rendered\n---\n# once more\n---\n" + GOOD, "reads the first alone"),
    refused("a Thanos field on Prometheus", groups(group(alert("A", "heat > 9"), partial_response_strategy="warn")), "partial_response_strategy"),
    refused("groups that hold themselves", "groups: &g\n- name: g\n  rules: *g\n", "no field `name`"),
    # What looks wrong, and every engine takes.
    well("a byte order mark", "\ufeff" + GOOD, HEAT, [fires("Hot")], "FIRED"),
    well("lines of Windows", GOOD.replace("\n", "\r\n"), HEAT, [fires("Hot")], "FIRED"),
    well("anchors and merged keys", "groups:\n- name: g\n  rules:\n  - &a {alert: Hot, expr: &e heat > 10, labels: {s: t}}\n  - {<<: *a, alert: B}\n  - {alert: C, expr: *e}\n", HEAT, [fires("Hot"), fires("B", labels={"s": "t"}), fires("C")], "FIRED FIRED FIRED"),
    well("one document with its end", "---\n" + GOOD + "...\n", HEAT, [fires("Hot")], "FIRED"),
    well("a document and nothing after it", GOOD + "---\n# that is all\n", HEAT, [fires("Hot")], "FIRED"),
    well("an expression in five hundred parentheses", GOOD.replace("heat > 10", "'" + "(" * 500 + "heat > 10" + ")" * 500 + "'"), HEAT, [fires("Hot")], "FIRED"),
    well("an expression of three hundred parts", GOOD.replace("heat > 10", " or ".join(f"heat > {i}" for i in range(10, 310))), HEAT, [fires("Hot")], "FIRED"),
    lie("an expression that is a text", GOOD.replace("heat > 10", "'\"abc\"'"), HEAT, [fires("Hot")], "SILENT", 1, "not a vector or scalar"),
    lie("an expression that is a range", GOOD.replace("heat > 10", "'heat[5m]'"), HEAT, [quiet("Hot")], "SILENT", 1, "not a vector or scalar"),
    lie("an expression that is a number", GOOD.replace("heat > 10", "1"), HEAT, [quiet("Hot")], "FALSE_ALARM", 1),
    well("a control of the table", beside_a_good_one("{alert: B, expr: heat > 99}"), HEAT, [fires("Hot"), quiet("B")], "FIRED SILENT"),
    well("one rule twice", rules(alert("Hot", "heat > 10"), alert("Hot", "heat > 10")), HEAT, [fires("Hot")], "FIRED FIRED"),
    well("a function that a later engine took away", rules(alert("Hot", "holt_winters(heat[2m], 0.5, 0.5) > 10")), HEAT, [fires("Hot")], "FIRED"),
    well("comments, folded text and tabs in strings", 'groups:\n- name: g\n  rules:\n  # the only one\n  - alert: Hot\n    expr: >\n      heat # in degrees\n\n      > 10\n    annotations: {d: "a\\tb"}\n', HEAT, [fires("Hot")], "FIRED"),
    well("a rule for each of two files' groups of one interval", groups(group(alert("Hot", "heat > 10")), group(alert("Cold", "heat < 0")).replace('"g"', '"h"')), HEAT, [fires("Hot"), quiet("Cold")], "FIRED SILENT"),
    well("keep_firing_for where the engine has it", rules(alert("Hot", "heat > 10", keep_firing_for="2m")), HEAT, [fires("Hot")], "FIRED"),
    well("names that begin with a colon and labels with underscores", rules({"record": ":heat:max", "expr": "max(heat)"}, alert("Hot", ":heat:max > 10", labels={"_team": "ml"})), HEAT, [fires("Hot")], "FIRED"),
    well("a template with every part", rules(alert("Hot", "heat > 10", annotations={"d": '{{ with query "heat" }}{{ . | first | value | humanize }}{{ end }} {{ $externalLabels.x }} {{ printf "%.2f" $value }}'})), HEAT, [fires("Hot")], "FIRED"),
    well("a rule that is never due to fire beside a constant", rules(alert("Hot", "heat > 10"), alert("Never", "vector(0) > 1")), {"heat": jump(1, 20), "calm": flat(1)}, [fires("Hot")], "FIRED SILENT"),
]

"""Rule files as values: what is read, where it stands, and what is refused."""

import time
from pathlib import Path

import pytest

from driftdrill.stack.errors import StackError
from driftdrill.stack.rules.files import Group, Rule, RuleFile, load_rule_files, parse, to_rule_file

PLAIN = """\
groups:
  - name: model
    interval: 30s
    limit: 5
    rules:
      - record: job:errors:rate5m
        expr: |
          rate(errors_total[5m])
        labels: {team: ml}
      # a comment
      - alert: HighErrorRate
        expr: job:errors:rate5m > 0.05
        for: 1m30s
        keep_firing_for: 5m
        labels:
          severity: page
          tier: 1
        annotations:
          summary: '{{ $labels.job }} fails'
"""

CRD = """\
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: model-rules
  namespace: ml
spec:
  groups:
    - name: model
      partial_response_strategy: abort
      rules:
        - alert: Down
          expr: up == 0
"""


def one(text: str, path: str = "rules.yml") -> RuleFile:
    (rule_file,) = parse(text, path)
    return rule_file


def test_a_rule_file_is_read_with_the_line_of_each_rule() -> None:
    rule_file = one(PLAIN)
    (group,) = rule_file.groups
    assert (group.name, group.interval, group.limit, group.line) == ("model", 30.0, 5, 2)
    assert group.rules == (
        Rule("record", "job:errors:rate5m", "rate(errors_total[5m])", labels={"team": "ml"}, line=6),
        Rule(
            "alert",
            "HighErrorRate",
            "job:errors:rate5m > 0.05",
            for_=90.0,
            keep_firing_for=300.0,
            labels={"severity": "page", "tier": "1"},
            annotations={"summary": "{{ $labels.job }} fails"},
            line=11,
        ),
    )
    assert rule_file.text == PLAIN
    assert rule_file.verbatim


def test_a_prometheus_rule_object_is_read_and_written_anew_for_prometheus() -> None:
    rule_file = one(CRD)
    assert rule_file.origin == "PrometheusRule ml/model-rules"
    assert rule_file.groups[0].rules == (Rule("alert", "Down", "up == 0", line=11),)
    assert one(rule_file.text).groups[0].rules[0].expr == "up == 0"
    assert "partial_response_strategy" not in rule_file.text


def test_helm_output_gives_one_rule_file_for_each_object_and_skips_other_kinds() -> None:
    deployment = (
        "# Source: chart/templates/deployment.yaml\napiVersion: apps/v1\nkind: Deployment\nspec: {replicas: 2}\n"
    )
    other = CRD.replace("model-rules", "other")
    text = f"---\n{deployment}---\n# Source: chart/templates/rules.yaml\n{CRD}---\n{other}---\n"
    first, second = parse(text, "out.yaml")
    assert (first.origin, second.origin) == ("PrometheusRule ml/model-rules", "PrometheusRule ml/other")
    lines = text.splitlines()
    assert "alert: Down" in lines[first.groups[0].rules[0].line - 1]
    assert "alert: Down" in lines[second.groups[0].rules[0].line - 1]


def test_a_list_of_objects_is_read() -> None:
    body = "\n".join("    " + line for line in CRD.splitlines())
    rule_file = one(f"kind: List\nitems:\n  -\n{body}\n")
    assert rule_file.origin == "PrometheusRule ml/model-rules"


def test_a_config_map_that_carries_rule_files_is_read_with_lines_of_the_outer_file() -> None:
    inner = "".join("    " + line + "\n" for line in PLAIN.splitlines())
    text = (
        f"kind: ConfigMap\nmetadata: {{name: server}}\ndata:\n  prometheus.yml: |\n    a: b\n  alerts.yml: |\n{inner}"
    )
    rule_file = one(text)
    assert rule_file.origin == "ConfigMap server, alerts.yml"
    assert "alert: HighErrorRate" in text.splitlines()[rule_file.groups[0].rules[1].line - 1]


def test_anchors_and_merge_keys_are_resolved() -> None:
    text = """\
x: &page {severity: page}
groups:
- name: g
  rules:
  - {alert: A, expr: up == 0, labels: {<<: *page, team: ml}}
"""
    with pytest.raises(StackError, match="no field `x`"):
        one(text)
    (group,) = one(text.replace("x: &page {severity: page}\n", "").replace("*page", "{severity: page}")).groups
    assert group.rules[0].labels == {"severity": "page", "team": "ml"}


def test_what_is_written_reads_back_the_same() -> None:
    group = Group(
        "g",
        (
            Rule("record", "a:b", 'sum by (x) (rate(y{z="é\\n"}[5m]))', labels={"on": "yes", "n": "1"}),
            Rule(
                "alert", "A", "a:b > 1", for_=0.5, keep_firing_for=60.0, annotations={"s": "multi\nline: {{ $value }}"}
            ),
        ),
        interval=0.25,
        limit=3,
        query_offset=60.0,
        labels={"team": "ml"},
    )
    (read,) = one(to_rule_file(RuleFile(Path("x"), (group,)))).groups

    def bare(group: Group) -> object:
        rules = [(r.kind, r.name, r.expr, r.for_, r.keep_firing_for, r.labels, r.annotations) for r in group.rules]
        return group.name, group.interval, group.limit, group.query_offset, group.labels, rules

    assert bare(read) == bare(group)


def test_globs_are_sorted_and_each_file_is_read_once(tmp_path: Path) -> None:
    for name in ("b.yml", "a.yml"):
        (tmp_path / name).write_text(PLAIN)
    found = load_rule_files([tmp_path / "b.yml", f"{tmp_path}/*.yml"])
    assert [rule_file.path.name for rule_file in found] == ["b.yml", "a.yml"]


@pytest.mark.parametrize(
    ("text", "where", "cause", "hint"),
    [
        ("", "", "empty", "groups:"),
        ("# nothing\n---\n", "", "empty", "groups:"),
        ("groups: [\n", ":2", "not YAML", "indentation"),
        ("groups:\n- name: g\n  rules:\n  - alert: {{ .Values.name }}\n", ":4", "", ""),
        ("groups:\n{{- if .Values.on }}\n- name: g\n{{- end }}\n", ":3", "not YAML", "helm template"),
        ("\x00\x01", "", "not YAML", "YAML text"),
        ("just words\n", ":1", "expected a mapping, found 'just words'", ""),
        ("- a\n- b\n", ":1", "expected a mapping, found a list", "indentation"),
        ("kind: Service\nspec: {}\n", ":1", "no PrometheusRule", "groups:"),
        ("kind: PrometheusRule\nmetadata: {name: x}\n", ":1", "PrometheusRule x has no `spec`", "spec"),
        ("rules: []\n", ":1", "no field `rules`", "known: groups"),
        ("groups: {}\n", ":1", "expected a list, found a mapping", ""),
        ("groups:\n- rules: []\n", ":2", "without a name", "name"),
        ("groups:\n- name: g\n  intervall: 5s\n", ":3", "no field `intervall`", "`interval`"),
        ("groups:\n- name: g\n  interval: 5 s\n", ":3", "'5 s' is not a duration", "5m"),
        ("groups:\n- name: g\n  limit: many\n", ":3", "'many' is not a number", "limit: 0"),
        ("groups:\n- name: g\n- name: h\n- name: g\n", ":4", "group 'g' is repeated; it stands at line 2", "name"),
        ("groups:\n- name: g\n  rules:\n  - expr: up\n", ":4", "either `alert` or `record`", "alert"),
        ("groups:\n- name: g\n  rules:\n  - alert: A\n    record: b\n    expr: up\n", ":4", "either", "alert"),
        ("groups:\n- name: g\n  rules:\n  - alert: A\n", ":4", "rule A has no `expr`", "expr"),
        ("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    for: 5\n", ":6", "'5' is not a duration", "5m"),
        ("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    lables: {}\n", ":6", "`lables`", "`labels`"),
        ("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    expr: down\n", ":6", "given twice", "keep one"),
        ("groups:\n- name: g\n  rules:\n  - record: a\n    expr: up\n    for: 5m\n", ":6", "has `for`", "only alerts"),
        ("groups:\n- name: g\n  rules:\n  - alert: [A]\n    expr: up\n", ":4", "expected a text, found a list", ""),
        ("groups:\n- name: g\n  rules:\n  - alert: A\n    expr: up\n    labels: x\n", ":6", "a mapping, found 'x'", ""),
    ],
)
def test_what_is_no_rule_file_is_told_with_its_line(text: str, where: str, cause: str, hint: str) -> None:
    with pytest.raises(StackError) as told:
        parse(text, "rules.yml")
    assert told.value.where == f"rules.yml{where}"
    assert cause in told.value.cause
    assert hint in (told.value.hint or "")


def test_paths_that_hold_no_rule_file_are_told(tmp_path: Path) -> None:
    (tmp_path / "binary.yml").write_bytes(b"\xff\xfe\x00")
    for pattern, cause, hint in (
        (tmp_path / "missing.yml", "No such file", "path"),
        (tmp_path / "*.yaml", "no rule file matches", "globs are relative"),
        (tmp_path, "is a folder", "/*.yml"),
        (tmp_path / "binary.yml", "not a text file (byte 0)", "UTF-8"),
    ):
        with pytest.raises(StackError) as told:
            load_rule_files([pattern])
        assert cause in told.value.cause
        assert hint in (told.value.hint or "")


def test_a_thousand_rules_are_read_in_a_moment() -> None:
    rules = "".join(
        f"  - alert: A{n}\n    expr: up{{job='{n}'}} == 0\n    for: 5m\n    labels: {{a: b}}\n" for n in range(1000)
    )
    begun = time.process_time()
    rule_file = one(f"groups:\n- name: g\n  rules:\n{rules}")
    assert len(rule_file.groups[0].rules) == 1000
    assert time.process_time() - begun < 1.0

"""Rule files as values: groups and rules with their line, from YAML, PrometheusRule objects and Helm output.

Pure but for reading the files. What Prometheus would reject for its shape (unknown fields, repeated groups, wrong
types, durations) is rejected here with file:line; expressions are left to promtool.
"""

import glob
import re
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

import yaml

from driftdrill.durations import format_duration, parse_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.rules.yaml_tree import Mapping_, Node, documents, entries, items, text

Labels = dict[str, str]


@dataclass(frozen=True)
class Rule:
    """One alerting or recording rule. ``for_`` and ``keep_firing_for`` are seconds; ``line`` is where it begins."""

    kind: Literal["alert", "record"]
    name: str
    expr: str
    for_: float = 0.0
    keep_firing_for: float = 0.0
    labels: Labels = field(default_factory=dict)
    annotations: Labels = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class Group:
    """Rules that are evaluated together. ``interval`` and ``query_offset`` are seconds, None: the server's own."""

    name: str
    rules: tuple[Rule, ...]
    interval: float | None = None
    limit: int = 0
    query_offset: float | None = None
    labels: Labels = field(default_factory=dict)
    line: int = 0


@dataclass(frozen=True)
class RuleFile:
    """One rule file as Prometheus would be given it.

    A file with several PrometheusRule objects makes several of these; ``origin`` then names the object.
    ``text`` is what Prometheus and promtool read: the file itself, or the object's rules written anew.
    """

    path: Path
    groups: tuple[Group, ...]
    origin: str = ""
    text: str = field(default="", repr=False, compare=False)

    @property
    def verbatim(self) -> bool:
        """Whether line numbers of ``text`` are those of the file."""
        return not self.origin


_GROUP_FIELDS = {
    "name",
    "interval",
    "query_offset",
    "limit",
    "rules",
    "labels",
    "partial_response_strategy",  # Thanos, and the PrometheusRule object
}
_RULE_FIELDS = {"alert", "record", "expr", "for", "keep_firing_for", "labels", "annotations"}


def load_rule_files(patterns: Iterable[str | Path]) -> tuple[RuleFile, ...]:
    """Read rule files from paths and globs, each file once, in the order given (globs sorted).

    Raises :class:`StackError` with file:line for whatever is no rule file, and for a glob without a match.
    """
    files: dict[str, None] = {}
    for pattern in patterns:
        files.update(dict.fromkeys(_expand(str(pattern))))
    return tuple(rule_file for path in files for rule_file in parse(_read(path), path))


def _expand(pattern: str) -> list[str]:
    if Path(pattern).is_dir():
        raise StackError(f"rule file {pattern} is a folder", hint=f"'{pattern.rstrip('/')}/*.yml'")
    if Path(pattern).exists() or not glob.has_magic(pattern):
        return [pattern]
    found = sorted(path for path in glob.glob(pattern, recursive=True) if Path(path).is_file())
    if not found:
        raise StackError(f"no rule file matches {pattern}", hint="check the path; globs are relative to this folder")
    return found


def _read(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as e:
        raise StackError(f"rule file {path}: {e.strerror}", hint="check the path") from e
    except UnicodeDecodeError as e:
        raise StackError(f"not a text file (byte {e.start})", where=path, hint="rule files are YAML in UTF-8") from e


def parse(source: str, path: str) -> tuple[RuleFile, ...]:
    """The rule files that the text of one file holds; ``path`` is named in errors. Raises :class:`StackError`."""
    every = documents(source, path)
    nodes = [node for node in every if node is not None]
    if not nodes:
        raise StackError("the file is empty", where=path, hint="a rule file begins with `groups:`")
    plain = [n for n in nodes if isinstance(n, yaml.MappingNode) and "kind" not in entries(n, path)]
    if plain and (len(nodes) > 1 or every[0] is None):
        raise StackError(
            "a rule file of several documents, of which Prometheus reads the first alone",
            where=f"{path}:{plain[-1].start_mark.line + 1}",
            hint="put all groups under one `groups:`, or each document into a file of its own",
        )
    if plain:
        return (RuleFile(Path(path), _groups(nodes[0], path), text=source),)
    found = [rule_file for node in nodes for rule_file in _object(node, path)]
    if not found:
        raise StackError(
            "no PrometheusRule in the file",
            where=f"{path}:{nodes[0].start_mark.line + 1}",
            hint="expected `groups:`, or objects of kind PrometheusRule",
        )
    return tuple(found)


def _object(node: Node, path: str) -> list[RuleFile]:
    """One Kubernetes object: PrometheusRule, List, or a ConfigMap that carries rule files; others hold none."""
    fields = entries(node, path)
    kind = text(fields["kind"], path) if "kind" in fields else ""
    if not kind:
        return [_written(_groups(node, path), path, f"document at line {node.start_mark.line + 1}")]
    metadata = entries(fields["metadata"], path) if "metadata" in fields else {}
    name = "/".join(text(metadata[key], path) for key in ("namespace", "name") if key in metadata)
    if kind == "List" or (kind.endswith("List") and "items" in fields):
        return [one for item in items(fields.get("items"), path) for one in _object(item, path)]
    if kind == "PrometheusRule":
        if "spec" not in fields:
            raise _wrong(node, path, f"PrometheusRule {name} has no `spec`", "spec: {groups: [...]}")
        return [_written(_groups(fields["spec"], path), path, f"PrometheusRule {name}")]
    if kind == "ConfigMap" and "data" in fields:
        return _config_map(fields["data"], path, name)
    return []


def _config_map(data: Node, path: str, name: str) -> list[RuleFile]:
    """Rule files inside a ConfigMap, as Prometheus charts render them; lines are those of the outer file."""
    found = []
    for key, value in entries(data, path).items():
        inner = text(value, path)
        if not re.search(r"^groups:", inner, re.MULTILINE):
            continue
        offset = value.start_mark.line + (1 if getattr(value, "style", None) in ("|", ">") else 0)
        found += [
            _written(_groups(node, path), path, f"ConfigMap {name}, {key}")
            for node in documents("\n" * offset + inner, path)
            if node is not None
            if "groups" in entries(node, path)
        ]
    return found


def _written(groups: tuple[Group, ...], path: str, origin: str) -> RuleFile:
    rule_file = RuleFile(Path(path), groups, origin)
    return replace(rule_file, text=to_rule_file(rule_file))


def _groups(node: Node, path: str) -> tuple[Group, ...]:
    fields = _known(node, path, {"groups"}, "a rule file")
    if "groups" not in fields:
        raise _wrong(node, path, "`groups` is missing", "a rule file begins with `groups:`")
    groups = [_group(item, path) for item in items(fields["groups"], path)]
    seen: dict[str, int] = {}
    for group in groups:
        if group.name in seen:
            raise StackError(
                f"group {group.name!r} is repeated; it stands at line {seen[group.name]} too",
                where=f"{path}:{group.line}",
                hint="give each group of a file a name of its own",
            )
        seen[group.name] = group.line
    return tuple(groups)


def _group(node: Node, path: str) -> Group:
    fields = _known(node, path, _GROUP_FIELDS, "a group")
    if not (name := _field(fields, "name", path)):
        raise _wrong(node, path, "a group without a name", "- name: ...")
    limit = _field(fields, "limit", path) or "0"
    if not limit.isdecimal():
        raise _wrong(fields["limit"], path, f"limit: {limit!r} is not a number", "limit: 0")
    return Group(
        name=name,
        rules=tuple(_rule(item, path) for item in items(fields.get("rules"), path)),
        interval=_seconds(fields, "interval", path),
        limit=int(limit),
        query_offset=_seconds(fields, "query_offset", path),
        labels=_labels(fields, "labels", path),
        line=node.start_mark.line + 1,
    )


def _rule(node: Node, path: str) -> Rule:
    fields = _known(node, path, _RULE_FIELDS, "a rule")
    alert, record = _field(fields, "alert", path), _field(fields, "record", path)
    if bool(alert) == bool(record):
        raise _wrong(node, path, "a rule needs either `alert` or `record`", "- alert: Name")
    name = alert or record
    expr = _field(fields, "expr", path).strip()
    if not expr:
        raise _wrong(node, path, f"rule {name} has no `expr`", "expr: up == 0")
    if record:
        for key in ("for", "keep_firing_for", "annotations"):
            if key in fields:
                raise _wrong(fields[key], path, f"recording rule {record} has `{key}`", "only alerts have it")
    return Rule(
        kind="alert" if alert else "record",
        name=name,
        expr=expr,
        for_=_seconds(fields, "for", path) or 0.0,
        keep_firing_for=_seconds(fields, "keep_firing_for", path) or 0.0,
        labels=_labels(fields, "labels", path),
        annotations=_labels(fields, "annotations", path),
        line=fields["alert" if alert else "record"].start_mark.line + 1,
    )


def _known(node: Node, path: str, allowed: set[str], what: str) -> Mapping_:
    """The entries of a mapping that may hold only ``allowed`` keys."""
    import difflib

    fields = entries(node, path)
    for key, value in fields.items():
        if key not in allowed:
            near = difflib.get_close_matches(key, allowed, n=1)
            hint = f"did you mean `{near[0]}`?" if near else f"known: {', '.join(sorted(allowed))}"
            raise _wrong(value, path, f"{what} has no field `{key}`", hint)
    return fields


def _field(fields: Mapping_, key: str, path: str) -> str:
    return text(fields[key], path) if key in fields else ""


def _labels(fields: Mapping_, key: str, path: str) -> Labels:
    if key not in fields:
        return {}
    return {name: text(value, path) for name, value in entries(fields[key], path).items()}


def _seconds(fields: Mapping_, key: str, path: str) -> float | None:
    value = _field(fields, key, path)
    if not value:
        return None
    try:
        return parse_duration(value)
    except ValueError as e:
        raise _wrong(fields[key], path, f"{key}: {e}", f"{key}: 5m") from None


def _wrong(node: Node, path: str, cause: str, hint: str) -> StackError:
    return StackError(cause, where=f"{path}:{node.start_mark.line + 1}", hint=hint)


def to_rule_file(rule_file: RuleFile) -> str:
    """The groups as a rule file that Prometheus and promtool read, YAML."""
    return yaml.dump(
        {"groups": [_plain_group(group) for group in rule_file.groups]},
        Dumper=getattr(yaml, "CSafeDumper", yaml.SafeDumper),
        sort_keys=False,
        allow_unicode=True,
        width=1_000_000,
    )


def _plain_group(group: Group) -> dict[str, object]:
    out: dict[str, object] = {"name": group.name}
    if group.interval is not None:
        out["interval"] = format_duration(group.interval)
    if group.query_offset is not None:
        out["query_offset"] = format_duration(group.query_offset)
    if group.limit:
        out["limit"] = group.limit
    if group.labels:
        out["labels"] = dict(group.labels)
    out["rules"] = [_plain_rule(rule) for rule in group.rules]
    return out


def _plain_rule(rule: Rule) -> dict[str, object]:
    out: dict[str, object] = {rule.kind: rule.name, "expr": rule.expr}
    if rule.for_:
        out["for"] = format_duration(rule.for_)
    if rule.keep_firing_for:
        out["keep_firing_for"] = format_duration(rule.keep_firing_for)
    if rule.labels:
        out["labels"] = dict(rule.labels)
    if rule.annotations:
        out["annotations"] = dict(rule.annotations)
    return out

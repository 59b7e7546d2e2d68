"""YAML as a tree that remembers its lines: what a loader that builds dictionaries throws away."""

import yaml

from driftdrill.stack.errors import StackError

Node = yaml.Node
Mapping_ = dict[str, yaml.Node]

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MERGE = "tag:yaml.org,2002:merge"
_NULL = "tag:yaml.org,2002:null"


def documents(source: str, path: str) -> list[Node | None]:
    """The documents of a text, None for an empty one. Raises :class:`StackError` with file:line where it is no YAML."""
    try:
        nodes = list(yaml.compose_all(source, Loader=_LOADER))
    except yaml.MarkedYAMLError as e:
        mark = e.problem_mark or e.context_mark
        where = f"{path}:{mark.line + 1}" if mark else path
        templated = "{{" in source and "}}" in source
        hint = "a Helm template? give the output of `helm template`" if templated else "check the indentation"
        raise StackError(f"not YAML: {e.problem or e.context}", where=where, hint=hint) from e
    except (yaml.YAMLError, RecursionError) as e:
        raise StackError(f"not YAML: {str(e).splitlines()[0]}", where=path, hint="rule files are YAML text") from e
    return [None if node is None or node.tag == _NULL else node for node in nodes]


def entries(node: Node, path: str) -> Mapping_:
    """A mapping's entries with merge keys resolved. Raises :class:`StackError` for anything else, and a key twice."""
    if node.tag == _NULL:
        return {}
    if not isinstance(node, yaml.MappingNode):
        raise _expected("a mapping", node, path)
    out: Mapping_ = {}
    merged: Mapping_ = {}
    for key, value in node.value:
        if key.tag == _MERGE:
            for source in value.value if isinstance(value, yaml.SequenceNode) else [value]:
                merged = {**entries(source, path), **merged}
            continue
        name = text(key, path)
        if name in out:
            raise StackError(f"`{name}` is given twice", where=f"{path}:{key.start_mark.line + 1}", hint="keep one")
        out[name] = value
    return {**merged, **out} if merged else out


def items(node: Node | None, path: str) -> list[Node]:
    """A sequence's items; none for null or no node. Raises :class:`StackError` for anything else."""
    if node is None or node.tag == _NULL:
        return []
    if not isinstance(node, yaml.SequenceNode):
        raise _expected("a list", node, path)
    return list(node.value)


def text(node: Node, path: str) -> str:
    """A scalar as it is written, "" for null. Raises :class:`StackError` for a mapping or a list."""
    if not isinstance(node, yaml.ScalarNode):
        raise _expected("a text", node, path)
    return "" if node.tag == _NULL else str(node.value)


def _expected(what: str, node: Node, path: str) -> StackError:
    kinds: dict[type, str] = {yaml.MappingNode: "a mapping", yaml.SequenceNode: "a list"}
    seen = kinds.get(type(node)) or f"{str(node.value)[:40]!r}"
    return StackError(
        f"expected {what}, found {seen}", where=f"{path}:{node.start_mark.line + 1}", hint="check the indentation"
    )

"""A valid row to start from: of a file or a scenario, else as the server itself describes one."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from driftdrill.harness.errors import ConfigError, TargetError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.scenario.scenario import load
from driftdrill.harness.setup.file import Config
from driftdrill.harness.setup.prepare import csv_rows
from driftdrill.harness.setup.target import ProtocolOptions, Target
from driftdrill.harness.traffic.blocks import checked_rows
from driftdrill.harness.traffic.protocols import Protocol
from driftdrill.harness.traffic.protocols.base import Ask

TYPES = {"INT": 1, "UINT": 1, "FP": 1.0, "BF": 1.0, "BOOL": True, "BYTES": "a"}
"""V2's datatypes by how they begin, and a value of each."""


@dataclass(frozen=True)
class Example:
    """Valid rows as columns, and where they came from."""

    rows: Batch
    source: str


def example(
    target: Target, protocol: Protocol, ask: Ask, config: Config, file: Path | None, truth: str | None
) -> Example:
    """The rows of ``file`` (CSV, or a scenario's .py), else of the target in driftdrill.toml, else the server's own.

    ``truth`` is a column that is never sent. Raises :class:`ConfigError` for a file that cannot be read, and
    :class:`TargetError` where nothing describes a row.
    """
    if file is None and target.name in config.rows:
        path, known = config.rows[target.name]
        file, truth = Path(path), truth or known
    if file is not None:
        return Example(_read(file, truth), str(file))
    found = _of_server(target.protocol, protocol, ask)
    if found is None and ask("/").status == 0:
        raise TargetError(f"{target.connection.url} does not answer", hint="is the model running, and on this port?")
    if found is None:
        raise TargetError(
            f"nothing at {target.connection.url} describes a row of {protocol.path}, as OpenAPI or V2 metadata would",
            hint="give a valid one: --rows FILE.csv, or the scenario file whose rows it takes",
        )
    return found


def _read(file: Path, truth: str | None) -> Batch:
    if file.suffix == ".py":
        scenario = load(file)
        rows, truth = checked_rows(scenario), truth or scenario.truth
    else:
        rows = csv_rows(str(file))
    if truth is not None and truth not in rows:
        raise ConfigError(f"no column {truth!r} (truth); it has {', '.join(rows)}", where=str(file))
    kept = {name: column for name, column in rows.items() if name != truth}
    if not kept:
        raise ConfigError("no column to send", where=str(file))
    whole = np.logical_and.reduce([_there(column) for column in kept.values()])
    at = np.flatnonzero(whole) if whole.any() else np.arange(len(whole))
    return {name: column[at] for name, column in kept.items()}


def _there(column: Any) -> Any:
    """Where a column has a value."""
    return np.array([v is not None and v == v for v in column.tolist()])  # noqa: PLR0124 - NaN is not itself


def _of_server(options: ProtocolOptions, protocol: Protocol, ask: Ask) -> Example | None:
    if options.name.startswith("openai"):
        return Example(_columns({"prompt": "Say one word."}), "a prompt of ours")
    if options.name == "v2" and options.model:
        place = f"/v2/models/{options.model}"
        row = _of_metadata(ask(place).json)
    else:
        place = "/openapi.json"
        row = _of_openapi(ask(place).json, protocol.path)
    return Example(_columns(row), place) if row else None


def _columns(row: Mapping[str, Any]) -> Batch:
    return {name: np.array([value], dtype=object if value is None else None) for name, value in row.items()}


def _of_metadata(described: Any) -> dict[str, Any] | None:
    """A row of V2's model metadata: one named input a column, or one tensor of a known number of columns."""
    listed = described.get("inputs") if isinstance(described, dict) else None
    inputs = [i for i in listed if isinstance(i, dict) and "name" in i] if isinstance(listed, list) else []
    if len(inputs) != 1:
        return {str(i["name"]): _of_type(i) for i in inputs} or None
    shape = inputs[0].get("shape")
    width = shape[-1] if isinstance(shape, list) and shape else None
    if not isinstance(width, int) or not 0 < width <= 10_000:
        return None
    return {str(i): _of_type(inputs[0]) for i in range(width)}


def _of_type(described: Mapping[str, Any]) -> Any:
    named = str(described.get("datatype", "FP64"))
    return next((value for begins, value in TYPES.items() if named.startswith(begins)), 1.0)


def _of_openapi(document: Any, path: str) -> dict[str, Any] | None:
    """A row of the document's example or schema for POST ``path``: the first object that holds plain values only."""
    if not isinstance(document, dict):
        return None
    paths = document.get("paths")
    found = _at(paths, path) or next((v for p, v in (paths or {}).items() if p.endswith(path)), None)
    content = _at(found, "post", "requestBody", "content", "application/json")
    if not isinstance(content, dict):
        return None
    given = [content.get("example"), *(_at(e, "value") for e in (content.get("examples") or {}).values())]
    for value in given:
        if (row := next(_plain_objects(value), None)) is not None:
            return row
    return next(_rows(document, content.get("schema"), depth=0), None)


def _at(value: Any, *steps: str) -> Any:
    for step in steps:
        value = value.get(step) if isinstance(value, dict) else None
    return value


def _plain_objects(value: Any) -> Iterator[dict[str, Any]]:
    if isinstance(value, dict) and value and all(not isinstance(v, (dict, list)) for v in value.values()):
        yield value
    for inner in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _plain_objects(inner)


def _rows(document: Any, schema: Any, depth: int) -> Iterator[dict[str, Any]]:
    """Rows that the schema allows, from the outside to the inside; references may be circular."""
    schema = _resolved(document, schema)
    if not isinstance(schema, dict) or depth > 8:
        return
    for value in (schema.get("example"), *(schema.get("examples") or ())):
        yield from _plain_objects(value)
    properties = schema.get("properties")
    if isinstance(properties, dict) and properties:
        row = {name: _value(document, described) for name, described in properties.items()}
        if all(value is not _NONE for value in row.values()):
            yield row
    inner = [*(schema.get(k) or () for k in ("anyOf", "oneOf", "allOf")), [schema.get("items")]]
    for one in [s for some in inner for s in some] + list((properties or {}).values()):
        yield from _rows(document, one, depth + 1)


_NONE = object()


def _value(document: Any, schema: Any, depth: int = 0) -> Any:
    """A plain value that the schema allows: its example or default, else one of its type; _NONE if there is none."""
    schema = _resolved(document, schema)
    if not isinstance(schema, dict) or depth > 8:
        return _NONE
    for value in (schema.get("example"), *(schema.get("examples") or ()), schema.get("default"), schema.get("const")):
        if value is not None and not isinstance(value, (dict, list)):
            return value
    if isinstance(schema.get("enum"), list) and schema["enum"]:
        return schema["enum"][0]
    for one in [s for k in ("anyOf", "oneOf", "allOf") for s in schema.get(k) or ()]:
        if (value := _value(document, one, depth + 1)) is not _NONE:
            return value
    least = schema.get("minimum", schema.get("exclusiveMinimum", 0))
    return {
        "number": float(least) + 1.0 if isinstance(least, (int, float)) else 1.0,
        "integer": int(least) + 1 if isinstance(least, (int, float)) else 1,
        "boolean": True,
        "string": {"date-time": "2024-05-01T12:00:00Z", "date": "2024-05-01"}.get(str(schema.get("format")), "a"),
    }.get(str(schema.get("type")), _NONE)


def _resolved(document: Any, schema: Any) -> Any:
    for _ in range(8):
        reference = schema.get("$ref") if isinstance(schema, dict) else None
        if not isinstance(reference, str):
            return schema
        schema = _at(document, *reference.removeprefix("#/").split("/"))
    return schema

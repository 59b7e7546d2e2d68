"""Generic JSON over POST: a body template and a result path make any service of one's own drillable."""

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.protocols.base import Ask, DetectAnswer, Detected, Family, Predictions, Protocol
from driftdrill.harness.traffic.protocols.values import decoded, finder, lists, predictions, texts

USUAL_RESULTS = "prediction || predictions || score || scores || probability || probabilities || result || output || @"
_PREDICTS = re.compile(r"predict|infer|score|invocation|classif", re.IGNORECASE)


@dataclass(frozen=True)
class GenericJson:
    """``body`` is JSON text in which ``$row`` stands for one named row, ``$rows`` for a list of them,
    ``$values`` for a list of lists of values, ``$columns`` for the list of column names.
    ``result`` is a JMESPath expression that finds the prediction, or a list of them.
    """

    before: str
    placeholder: str
    after: str
    find: Callable[[Any], Any]

    def encode(self, batch: Batch, rows_per_request: int = 1) -> list[bytes]:
        """Bodies in column-wise batches: each column becomes JSON texts at once, then one template a row."""
        if self.placeholder == "$row" and rows_per_request != 1:
            raise ConfigError("a body with $row carries one row", hint="use $rows for several rows a request")
        names = list(batch)
        if self.placeholder == "$values":
            rows = lists(list(batch.values()))
        else:
            template = "{" + ", ".join(json.dumps(n).replace("%", "%%") + ": %s" for n in names) + "}"
            rows = [template % row for row in zip(*map(texts, batch.values()), strict=True)]
        columns = json.dumps(names)
        before, after = self.before.replace("$columns", columns), self.after.replace("$columns", columns)
        if self.placeholder == "$row":
            return [(before + row + after).encode() for row in rows]
        groups = (rows[i : i + rows_per_request] for i in range(0, len(rows), rows_per_request))
        return [(before + "[" + ", ".join(group) + "]" + after).encode() for group in groups]

    def decode(self, body: bytes, rows: int, labels: bool = False) -> Predictions:
        """Predictions from the result path: numbers, booleans, labels, or lists of them, one a row."""
        return predictions(self.find(decoded(body)), rows, labels)


def templated(options: ProtocolOptions, *, path: str, body: str, result: str) -> Protocol:
    """A protocol from a template; the options go over the defaults. Raises :class:`ConfigError`."""
    body = options.body if options.body is not None else body
    used = [p for p in ("$rows", "$values") if p in body] or [p for p in ("$row",) if p in body]
    if len(used) != 1 or body.count(used[0]) != 1:
        raise ConfigError(
            f"body template {body!r} must hold exactly one of $row, $rows, $values",
            hint="body = '{\"instances\": $rows}'",
        )
    before, after = body.split(used[0])
    probe = before.replace("$columns", "[]") + "[]" + after.replace("$columns", "[]")
    try:
        json.loads(probe)
    except ValueError as e:
        raise ConfigError(f"body template {body!r} makes no JSON: {e}") from e
    made = GenericJson(before, used[0], after, finder(options.result or result))
    return Protocol(options.path or path, made.encode, made.decode)


def _make(options: ProtocolOptions, ask: Ask | None) -> Protocol:
    return templated(options, path="/predict", body="$row", result=USUAL_RESULTS)


def _detect(ask: Ask) -> Detected | None:
    """Servers of JSON services that say which paths they have: Ray Serve, TorchServe, BentoML, FastAPI, LitServe."""
    if isinstance(routes := ask("/-/routes").json, dict) and routes:
        path = next((r for r in routes if _PREDICTS.search(r)), next(iter(routes)))
        return Detected(ProtocolOptions("json", path=path), "/-/routes, as Ray Serve has it")
    if ask("/api-description").has("paths"):
        models = ask("/models").json
        names = [m.get("modelName") for m in models.get("models", [])] if isinstance(models, dict) else []
        path = f"/predictions/{names[0]}" if len(names) == 1 else None
        return Detected(ProtocolOptions("json", path=path), "/api-description, as TorchServe has it")
    if (schema := ask("/schema.json")).has("routes"):
        routes = [r for r in schema.json["routes"] if isinstance(r, dict) and "route" in r]
        if routes:
            properties = (routes[0].get("input") or {}).get("properties") or {}
            options = ProtocolOptions("json", path=routes[0]["route"], body=_template(properties))
            return Detected(options, "/schema.json, as BentoML has it")
    return _from_openapi(ask("/openapi.json"))


def _from_openapi(answer: DetectAnswer) -> Detected | None:
    if not answer.has("paths"):
        return None
    paths = answer.json["paths"]
    posts = [p for p, verbs in paths.items() if isinstance(verbs, dict) and "post" in verbs and "{" not in p]
    posts = [p for p in posts if _PREDICTS.search(p)] or posts
    if len(posts) != 1:
        return None
    return Detected(ProtocolOptions("json", path=posts[0]), f"/openapi.json lists POST {posts[0]}")


def _template(properties: Any) -> str | None:
    """A body for an input of one field that is a list: of lists of values, or of named rows."""
    if not isinstance(properties, dict) or len(properties) != 1:
        return None
    name, field = next(iter(properties.items()))
    if not isinstance(field, dict) or field.get("type") != "array":
        return None
    items = field.get("items")
    of_lists = isinstance(items, dict) and items.get("type") == "array"
    return "{" + json.dumps(name) + ": " + ("$values" if of_lists else "$rows") + "}"


JSON = Family(_make, _detect, health="/health")

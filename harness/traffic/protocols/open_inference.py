"""Open Inference Protocol V2 over REST: MLServer, KServe, Triton. Outputs are addressed by index.

https://github.com/open-inference/open-inference-protocol/blob/main/specification/protocol/inference_rest.md

Two layouts. ``tensor``: one input of shape [rows, columns] without column names; the order of columns is all that
the model has to go by. ``columns``: one named input a column, with the content type "pd" that MLServer and KServe
turn into a data frame. The model's metadata decides; where it lists no inputs, all-numeric rows go as a tensor.
"""

import json
from dataclasses import dataclass
from typing import Any, Literal

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.protocols.base import Ask, Detected, Family, Predictions, Protocol, Undecodable
from driftdrill.harness.traffic.protocols.values import are_probabilities, decoded, finder, predictions, texts

_DATATYPES = {"i": "INT64", "u": "UINT64", "f": "FP64", "b": "BOOL"}


@dataclass(frozen=True)
class _Inputs:
    """How rows become inputs. ``name`` and ``datatype`` are the tensor's; ``datatypes`` the columns' own."""

    layout: Literal["tensor", "columns", ""]
    name: str
    datatype: str
    datatypes: dict[str, str]

    def encode(self, batch: Batch, rows_per_request: int = 1) -> list[bytes]:
        """One body for every ``rows_per_request`` rows."""
        columns = {name: texts(column) for name, column in batch.items()}
        rows = len(next(iter(columns.values())))
        numeric = all(column.dtype.kind in "iufb" for column in batch.values())
        starts = range(0, rows, rows_per_request)
        if self.layout == "tensor" or (not self.layout and numeric):
            cells = [", ".join(row) for row in zip(*columns.values(), strict=True)]
            head = f'{{"inputs": [{{"name": {json.dumps(self.name)}, "datatype": "{self.datatype}", "shape": '
            groups = (cells[i : i + rows_per_request] for i in starts)
            return [
                f'{head}[{len(group)}, {len(columns)}], "data": [{", ".join(group)}]}}]}}'.encode() for group in groups
            ]
        heads = [self._head(name, column.dtype.kind) for name, column in batch.items()]
        out = []
        for i in starts:
            count = min(rows_per_request, rows - i)
            inputs = (
                f'{head}"shape": [{count}, 1], "data": [{", ".join(cells[i : i + count])}]}}'
                for head, cells in zip(heads, columns.values(), strict=True)
            )
            out.append(f'{{"parameters": {{"content_type": "pd"}}, "inputs": [{", ".join(inputs)}]}}'.encode())
        return out

    def _head(self, name: str, kind: str) -> str:
        datatype = self.datatypes.get(name) or _DATATYPES.get(kind, "BYTES")
        content = ', "parameters": {"content_type": "str"}' if datatype == "BYTES" else ""
        return f'{{"name": {json.dumps(name)}, "datatype": "{datatype}"{content}, '


def _decoder(result: str | None) -> Any:
    find = finder(result or "outputs[0].data")

    def decode(body: bytes, rows: int, labels: bool = False) -> Predictions:
        found = find(decoded(body))
        if isinstance(found, list) and rows and len(found) == 2 * rows:
            pairs = list(zip(found[::2], found[1::2], strict=True))
            if all(map(are_probabilities, pairs)):
                found = found[1::2]  # the flat [rows, 2] of a binary classifier's probabilities
        if found is None:
            raise Undecodable("no outputs in the response")
        return predictions(found, rows, labels)

    return decode


def _make(options: ProtocolOptions, ask: Ask | None) -> Protocol:
    if options.body not in (None, "tensor", "columns"):
        raise ConfigError(
            f"protocol 'v2': body must be 'tensor' (one input) or 'columns' (one named input a column), "
            f"not {options.body!r}"
        )
    if options.model is None and options.path is None:
        raise ConfigError("protocol 'v2' needs the model's name", hint='model = "iris"')
    described = ask(f"/v2/models/{options.model}").json if ask is not None and options.model else None
    listed = described.get("inputs") if isinstance(described, dict) else None
    inputs = [i for i in listed if isinstance(i, dict) and "name" in i] if isinstance(listed, list) else []
    layout: Literal["tensor", "columns", ""] = "" if len(inputs) == 0 else "tensor" if len(inputs) == 1 else "columns"
    if options.body:
        layout = "tensor" if options.body == "tensor" else "columns"
    one = inputs[0] if len(inputs) == 1 else {}
    made = _Inputs(
        layout,
        str(one.get("name", "input-0")),
        str(one.get("datatype", "FP64")),
        {str(i["name"]): str(i.get("datatype", "")) for i in inputs},
    )
    return Protocol(options.path or f"/v2/models/{options.model}/infer", made.encode, _decoder(options.result))


def _detect(ask: Ask) -> Detected | None:
    if not ask("/v2").has("extensions"):
        return None
    server = str(ask("/v2").json.get("name", ""))
    listed = ask("/v1/models").json  # KServe lists its models there; V2 itself has no list over GET
    models = listed.get("models") if isinstance(listed, dict) else None
    model = str(models[0]) if isinstance(models, list) and len(models) == 1 else None
    return Detected(ProtocolOptions("v2", model=model), f"/v2 answers as {server or 'a V2 server'}")


V2 = Family(_make, _detect, health="/v2/health/ready")

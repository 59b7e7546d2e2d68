"""Seldon V1: POST /api/v1.0/predictions with {"data": {"names": [...], "ndarray": [[...]]}}.

https://docs.seldon.io/projects/seldon-core/en/latest/reference/apis/external-prediction.html
"""

from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.protocols.base import Ask, Detected, Family, Protocol
from driftdrill.harness.traffic.protocols.generic import templated


def _make(options: ProtocolOptions, ask: Ask | None) -> Protocol:
    return templated(
        options,
        path="/api/v1.0/predictions",
        body='{"data": {"names": $columns, "ndarray": $values}}',
        result="data.ndarray || data.tensor.values || jsonData",
    )


def _detect(ask: Ask) -> Detected | None:
    if ask("/seldon.json").has("paths"):
        return Detected(ProtocolOptions("seldon"), "/seldon.json is there")
    return None


SELDON = Family(_make, _detect, health="/health/status")

"""KServe's and TensorFlow Serving's V1: POST /v1/models/{model}:predict with {"instances": [...]}.

https://kserve.github.io/website/docs/concepts/architecture/data-plane/v1-protocol
"""

from dataclasses import replace

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.protocols.base import Ask, Detected, Family, Protocol
from driftdrill.harness.traffic.protocols.generic import templated


def _make(options: ProtocolOptions, ask: Ask | None) -> Protocol:
    model = options.model
    if model is None and options.path is None:
        models = _models(ask) if ask is not None else []
        if len(models) != 1:
            raise ConfigError(
                "protocol 'v1' needs the model's name" + (f"; the server lists {', '.join(models)}" if models else ""),
                hint='model = "iris"',
            )
        model = models[0]
    return templated(options, path=f"/v1/models/{model}:predict", body='{"instances": $values}', result="predictions")


def _models(ask: Ask) -> list[str]:
    listed = ask("/v1/models").json
    found = listed.get("models") if isinstance(listed, dict) else None
    return [str(m) for m in found] if isinstance(found, list) else []


def _detect(ask: Ask) -> Detected | None:
    models = _models(ask)
    if not models:
        return None
    options = ProtocolOptions("v1")
    return Detected(
        replace(options, model=models[0]) if len(models) == 1 else options, f"/v1/models lists {', '.join(models)}"
    )


V1 = Family(_make, _detect, health="/")

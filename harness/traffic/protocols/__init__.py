"""Model-serving protocols: rows to request bodies, responses to predictions. One file and one entry each."""

from driftdrill.harness.errors import ConfigError, nearest
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.protocols.base import Ask, Family, Predictions, Protocol, Request, Undecodable
from driftdrill.harness.traffic.protocols.generic import JSON
from driftdrill.harness.traffic.protocols.mlflow import MLFLOW
from driftdrill.harness.traffic.protocols.open_inference import V2
from driftdrill.harness.traffic.protocols.openai import CHAT, COMPLETIONS
from driftdrill.harness.traffic.protocols.seldon import SELDON
from driftdrill.harness.traffic.protocols.tf_serving import V1

__all__ = ["PROTOCOLS", "Family", "Predictions", "Protocol", "Request", "Undecodable", "protocol"]

PROTOCOLS: dict[str, Family] = {
    "v2": V2,
    "v1": V1,
    "seldon": SELDON,
    "openai-chat": CHAT,
    "openai-completions": COMPLETIONS,
    "mlflow": MLFLOW,
    "json": JSON,
}
"""In the order in which detection tries them: KServe answers V1's question too, and most servers have OpenAPI pages."""


def protocol(options: ProtocolOptions, ask: Ask | None = None) -> Protocol:
    """The protocol that ``options`` name. Raises :class:`ConfigError` with the nearest names.

    ``ask`` lets it learn from the server what the options leave open: a model's name, its inputs.
    """
    family = PROTOCOLS.get(options.name)
    if family is None:
        raise ConfigError(f"no protocol is named {options.name!r}", hint=nearest(options.name, [*PROTOCOLS, "auto"]))
    return family.make(options, ask)

"""MLflow's scoring server: POST /invocations with {"dataframe_split": {"columns": [...], "data": [[...]]}}.

https://mlflow.org/docs/latest/ml/deployment/deploy-model-locally/
"""

import re

from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.protocols.base import Ask, Detected, Family, Protocol
from driftdrill.harness.traffic.protocols.generic import templated


def _make(options: ProtocolOptions, ask: Ask | None) -> Protocol:
    return templated(
        options,
        path="/invocations",
        body='{"dataframe_split": {"columns": $columns, "data": $values}}',
        result="predictions",
    )


def _detect(ask: Ask) -> Detected | None:
    version = ask("/version")
    if version.status == 200 and re.fullmatch(r'"?\d+\.\d+\.\w+"?\s*', version.text) and ask("/ping").status == 200:
        return Detected(ProtocolOptions("mlflow"), "/version and /ping answer as MLflow's do")
    return None


MLFLOW = Family(_make, _detect, health="/ping")

"""The model servers that the protocols are tested on: what to install, what to start, what to expect."""

import contextlib
import json
import socket
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import run

import numpy as np
import requests

from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.stack.process import Process, running
from tests.servers.environments import environment

PROGRAMS = Path(__file__).parent / "programs"
NAMES = ("sepal_length", "sepal_width", "petal_length", "petal_width")
START_SECONDS = 240.0


@dataclass(frozen=True)
class Server:
    """One model server.

    ``detected`` is what its answers to GETs must tell; ``said`` what a user has to say besides. ``wrong`` are the
    statuses that it may give to a row that lacks two features. ``metrics`` is its page's path, after a colon where
    that is on a port of its own, empty where there is none. ``counts`` is a metric that counts requests one by one.
    """

    name: str
    requirements: tuple[str, ...]
    detected: ProtocolOptions
    said: ProtocolOptions
    ready: str
    wrong: tuple[int, ...]
    metrics: str = ""
    counts: str = ""
    also: tuple[ProtocolOptions, ...] = ()
    """Further protocols that it speaks."""
    many: bool = True
    """Whether one request may hold several rows."""


SERVERS = (
    Server(
        "fastapi_app",
        ("fastapi", "uvicorn", "prometheus-fastapi-instrumentator", "scikit-learn"),
        ProtocolOptions("json", path="/predict"),
        ProtocolOptions("auto"),
        ready="/health",
        wrong=(422,),
        metrics="/metrics",
        counts="http_requests_total",
        many=False,
    ),
    Server(
        "mlserver_model",
        ("mlserver==1.7.1", "mlserver-sklearn==1.7.1"),
        ProtocolOptions("v2"),
        ProtocolOptions("auto", model="iris"),
        ready="/v2/models/iris/ready",
        wrong=(400, 500),
        metrics=":/metrics",
        counts="model_infer_request_success_total",
        also=(ProtocolOptions("v2", model="iris", body="columns"),),
    ),
    Server(
        "kserve_model",
        ("kserve==0.21.0", "scikit-learn"),
        ProtocolOptions("v2", model="iris"),
        ProtocolOptions("auto"),
        ready="/v2/health/ready",
        wrong=(400, 500),
        metrics="/metrics",
        counts="request_predict_seconds_count",
        also=(ProtocolOptions("v1"),),
    ),
    Server(
        "seldon_model",
        ("seldon-core==1.18.2", "setuptools<81", "scikit-learn"),
        ProtocolOptions("seldon"),
        ProtocolOptions("auto"),
        ready="/health/status",
        wrong=(400, 500),
        metrics=":/metrics",
        counts="iris_requests_total",
    ),
    Server(
        "mlflow_model",
        ("mlflow>=3", "scikit-learn"),
        ProtocolOptions("mlflow"),
        ProtocolOptions("auto"),
        ready="/ping",
        wrong=(400, 500),
    ),
    Server(
        "bentoml_model",
        ("bentoml>=1.4", "scikit-learn"),
        ProtocolOptions("json", path="/predict", body='{"rows": $values}'),
        ProtocolOptions("auto"),
        ready="/readyz",
        wrong=(400, 500),
        metrics="/metrics",
        counts="bentoml_service_request_total",
    ),
    Server(
        "litserve_model",
        ("litserve>=0.2.10", "scikit-learn"),
        ProtocolOptions("json", path="/predict"),
        ProtocolOptions("auto", body='{"rows": $values}'),
        ready="/health",
        wrong=(400, 500),
    ),
)


@dataclass(frozen=True)
class Served:
    """A server that runs; ``rows`` and ``predictions`` float64 (n,) are the model's own."""

    server: Server
    url: str
    metrics_url: str
    rows: Batch
    predictions: "np.ndarray[tuple[int], np.dtype[np.float64]]"
    process: Process


@contextlib.contextmanager
def serve(server: Server) -> Iterator[Served]:
    """Train in the server's own environment, start it, wait until it is ready; it has ended when the block is left.

    Raises :class:`tests.servers.environments.NotInstalled`.
    """
    python = str(environment(server.name, server.requirements))
    folder = Path(tempfile.mkdtemp(prefix=f"driftdrill-{server.name}-"))
    run([python, PROGRAMS / "train.py", folder], check=True, capture_output=True, timeout=120)
    own = json.loads((folder / "own.json").read_text())
    port, *others = _free_ports(3)
    command = [python, str(PROGRAMS / f"{server.name}.py"), str(folder), *map(str, (port, *others))]
    url = f"http://127.0.0.1:{port}"
    with running(command, folder=folder) as process:
        _wait(process, url + server.ready)
        table = np.array(own["rows"])
        yield Served(
            server,
            url,
            f"http://127.0.0.1:{others[0]}{server.metrics[1:]}" if server.metrics[:1] == ":" else url + server.metrics,
            {name: table[:, i] for i, name in enumerate(NAMES)},
            np.array(own["predictions"], dtype=np.float64),
            process,
        )


def _free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago; these servers cannot be given a socket."""
    with contextlib.ExitStack() as held:
        sockets = [held.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(count)]
        return [s.getsockname()[1] for s in sockets]


def _wait(process: Process, url: str) -> None:
    deadline, said = time.monotonic() + START_SECONDS, ""
    while time.monotonic() < deadline:
        assert process.exit_code() is None, f"ended before it was ready:\n{process.log()}"
        try:
            response = requests.get(url, timeout=2)
            said = f"HTTP {response.status_code}"
            if response.status_code == 200:
                return
        except requests.RequestException as e:
            said = type(e).__name__
        time.sleep(0.1)
    raise AssertionError(f"{url} not ready within {START_SECONDS:.0f} s, last {said}:\n{process.log()}")

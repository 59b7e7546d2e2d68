"""Small real services that take edge cases well, or in every wrong way there is."""

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from driftdrill.harness.edge.cases import valid
from driftdrill.harness.edge.probe import Prober
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import ProtocolOptions, Target
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.stack.connection import Connection
from tests.harness.traffic.sockets import Listening, Peer, listening

ROW: Batch = {"x": np.array([4.0]), "kind": np.array(["a"])}

React = Callable[[bytes, int], Any]
"""(body, number of the request from 1) -> a body for 200, (status, body), or what to do: "reset", "hang", "die".

None is the honest answer.
"""


def honest(body: bytes) -> tuple[int, bytes]:
    """Half of x for one row or a list of rows; 422 for what is none."""
    try:
        asked = json.loads(body)
        rows = asked if isinstance(asked, list) else [asked]
        if any(type(row["x"]) not in (int, float) or abs(row["x"]) > 1e300 or row["x"] != row["x"] for row in rows):
            raise ValueError
    except (ValueError, LookupError, TypeError, RecursionError):
        return 422, b'{"detail": "no row"}'
    answers = [row["x"] / 2 for row in rows]
    return 200, json.dumps({"prediction": answers if isinstance(asked, list) else answers[0]}).encode()


@contextmanager
def served(react: React = lambda body, number: None) -> Iterator[Listening]:
    """A server that reacts to the bodies it gets. One that died accepts connections no more than it must."""
    state = {"number": 0, "dead": False}

    def handler(peer: Peer) -> None:
        while not state["dead"] and (body := peer.request()) is not None:
            state["number"] += 1
            said = react(body, state["number"])
            if said == "die":
                state["dead"] = True
            if said in ("reset", "die"):
                peer.reset()
                return
            if said == "hang":
                peer.server.ending.wait(20)
                return
            status, answer = said if isinstance(said, tuple) else (200, said) if said is not None else honest(body)
            peer.reply(answer, status)

    with listening(handler) as server:
        yield server


def prober(
    server: Listening, batch: Batch = ROW, options: ProtocolOptions | None = None, timeout: float = 5.0
) -> Prober:
    """What asks that server, with the valid row's prediction known."""
    spoken = protocol(options or ProtocolOptions())
    connection = Connection(server.url, timeout=timeout)
    client = Client(connection, spoken.path, spoken.content_type)
    made = Prober(client, spoken, Target("small", connection), valid(batch, spoken), grace=0.3)
    made.settle()
    return made

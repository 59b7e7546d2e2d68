"""The toxiproxy driver, against a small stand-in for a toxiproxy server's HTTP API: the real one is not to be had here.

The stand-in follows the API as its README documents it; it keeps what it is told and proxies nothing.
"""

import json
import signal
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.network import Bandwidth, Down, Latency, ResetPeer, Slicer, Status, toxiproxy
from tests.stack.services import drill, free_port, wait_until

UPSTREAM = Connection("http://127.0.0.1:9/v2")
ATTRIBUTES = {
    "latency": {"latency", "jitter"},
    "bandwidth": {"rate"},
    "slow_close": {"delay"},
    "timeout": {"timeout"},
    "reset_peer": {"timeout"},
    "slicer": {"average_size", "size_variation", "delay"},
    "limit_data": {"bytes"},
}


class StandIn:
    """What a toxiproxy server would hold."""

    def __init__(self) -> None:
        self.proxies: dict[str, dict[str, Any]] = {}
        self.url = ""

    def answer(self, method: str, path: list[str], given: dict[str, Any]) -> tuple[int, Any]:
        match method, path:
            case "POST", ["proxies"]:
                made = {"enabled": True, "toxics": [], **given, "listen": given["listen"].replace(":0", ":41234")}
                self.proxies[given["name"]] = made
                return 201, made
            case _, ["proxies", name, *_] if name not in self.proxies:
                return 404, {"error": "proxy not found", "status": 404}
            case "GET", ["proxies", name]:
                return 200, self.proxies[name]
            case "POST", ["proxies", name]:
                self.proxies[name].update(given)
                return 200, self.proxies[name]
            case "DELETE", ["proxies", name]:
                del self.proxies[name]
                return 204, None
            case "POST", ["proxies", name, "toxics"]:
                return self._toxic(self.proxies[name]["toxics"], given)
            case "POST", ["proxies", name, "toxics", toxic]:
                found = next(t for t in self.proxies[name]["toxics"] if t["name"] == toxic)
                found.update(given)
                return 200, found
            case "DELETE", ["proxies", name, "toxics", toxic]:
                kept = [t for t in self.proxies[name]["toxics"] if t["name"] != toxic]
                self.proxies[name]["toxics"] = kept
                return 204, None
        return 404, {"error": "not found", "status": 404}

    def _toxic(self, toxics: list[Any], given: dict[str, Any]) -> tuple[int, Any]:
        if set(given["attributes"]) != ATTRIBUTES.get(given["type"]):
            return 400, {"error": "invalid toxic type", "status": 400}
        if not all(type(v) is int for v in given["attributes"].values()):
            return 400, {"error": "bad request body", "status": 400}
        if given["name"] in [t["name"] for t in toxics]:
            return 409, {"error": "toxic already exists", "status": 409}
        toxics.append(given)
        return 200, given


@pytest.fixture
def server() -> Iterator[StandIn]:
    held = StandIn()

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            given = json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}")
            status, value = held.answer(self.command, self.path.strip("/").split("/"), given)
            body = b"" if value is None else json.dumps(value).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = do_DELETE = _serve

        def log_message(self, *_: object) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    held.url = f"http://127.0.0.1:{http.server_port}"
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield held
    http.shutdown()
    http.server_close()


def only(server: StandIn) -> dict[str, Any]:
    (proxy,) = server.proxies.values()
    return proxy


def test_the_same_toxics_reach_a_toxiproxy_server_in_its_own_terms(server: StandIn) -> None:
    with toxiproxy(UPSTREAM, server=Connection(server.url)) as p:
        assert p.address.url == "http://127.0.0.1:41234/v2"
        assert only(server)["upstream"] == "127.0.0.1:9"
        p.set(Latency(101, jitter=10), Bandwidth(5, stream="upstream", toxicity=0.5), strength=0.5)
        assert only(server)["toxics"] == [
            {
                "name": "latency_downstream",
                "type": "latency",
                "stream": "downstream",
                "toxicity": 1.0,
                "attributes": {"latency": 50, "jitter": 5},
            },
            {
                "name": "bandwidth_upstream",
                "type": "bandwidth",
                "stream": "upstream",
                "toxicity": 0.5,
                "attributes": {"rate": 10},
            },
        ]
        p.set(Latency(200), Slicer(10, 4, 1000))
        assert [t["attributes"] for t in only(server)["toxics"]] == [
            {"latency": 200, "jitter": 0},
            {"average_size": 10, "size_variation": 4, "delay": 1000},
        ]
    assert server.proxies == {}


def test_down_disables_the_proxy_and_removing_it_enables_it_again(server: StandIn) -> None:
    with toxiproxy(UPSTREAM, server=Connection(server.url)) as p:
        with p.hold(Down()) as held:
            held.set(1)
            assert held.verify() is None
            assert only(server)["enabled"] is False
            with pytest.raises(StackError, match="down at full strength only"):
                held.set(0.5)
        assert only(server)["enabled"] is True


def test_verify_asks_the_server(server: StandIn) -> None:
    with toxiproxy(UPSTREAM, server=Connection(server.url)) as p, p.hold(ResetPeer()) as held:
        held.set(0.3)
        assert held.verify() is None
        assert only(server)["toxics"][0]["toxicity"] == 0.3
        removed, only(server)["toxics"] = only(server)["toxics"], []
        assert "seen in force: []" in str(held.verify())
        only(server)["toxics"] = removed


def test_an_exception_deletes_the_proxy(server: StandIn) -> None:
    with suppress(ZeroDivisionError), toxiproxy(UPSTREAM, server=Connection(server.url)) as p:
        p.set(Latency(1))
        raise ZeroDivisionError
    assert server.proxies == {}


DRILL = """
import json, sys, threading
from driftdrill.stack.connection import Connection
from driftdrill.stack.faults.network import Latency, toxiproxy
with toxiproxy(Connection("http://127.0.0.1:9"), server=Connection(sys.argv[1])) as p:
    p.set(Latency(100))
    print(json.dumps(None), flush=True)
    threading.Event().wait(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_drill_that_is_ended_by_a_signal_deletes_its_proxy(server: StandIn, how: signal.Signals) -> None:
    with drill(DRILL, server.url) as (process, _):
        assert only(server)["toxics"]
        process.send_signal(how)
        wait_until(lambda: not server.proxies, "the proxy's end")


def test_a_drill_that_is_not_heard_of_loses_its_toxics(server: StandIn) -> None:
    with toxiproxy(UPSTREAM, server=Connection(server.url), ttl=0.3) as p:
        p.set(Latency(1))
        wait_until(lambda: not only(server)["toxics"], "the time to live")


def test_what_toxiproxy_cannot_do_is_refused(server: StandIn) -> None:
    with (
        toxiproxy(UPSTREAM, server=Connection(server.url)) as p,
        pytest.raises(StackError, match="toxiproxy knows no HTTP faults"),
    ):
        p.set(Status(503))
    with pytest.raises(StackError, match="TLS"):
        toxiproxy(Connection("https://model.example"), server=Connection(server.url)).__enter__()


def test_a_server_that_is_not_there_is_told() -> None:
    nowhere = Connection(f"http://127.0.0.1:{free_port()}")
    with pytest.raises(StackError, match="no toxiproxy answers") as refused:
        toxiproxy(UPSTREAM, server=nowhere).__enter__()
    assert "8474" in str(refused.value.hint)

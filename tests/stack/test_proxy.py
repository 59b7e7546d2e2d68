"""Every toxic and HTTP fault, in force on real sockets, undone on every exit path, and counted as the server saw it."""

import itertools
import json
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest
import requests
from hypothesis import given, settings
from hypothesis import strategies as st

from driftdrill.stack.child import Child
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.network import (
    Bandwidth,
    Delay,
    Down,
    Latency,
    LimitData,
    Patch,
    Proxy,
    Replace,
    ResetPeer,
    Slicer,
    SlowClose,
    Status,
    Timeout,
    merge_patch,
    proxy,
    toxic,
)
from driftdrill.stack.faults.network.messages import Framer
from tests.stack.services import PATIENCE, Upstream, drill, ended, free_port, sink, upstream, wait_until


@pytest.fixture
def server() -> Iterator[Upstream]:
    with upstream() as running:
        yield running


@pytest.fixture
def p(server: Upstream) -> Iterator[Proxy]:
    with proxy(Connection(server.url), seed=7) as running:
        yield running


@dataclass
class Client:
    """A session that never retries, with the time that its last request took."""

    base: str
    took: float = 0.0

    def __post_init__(self) -> None:
        self._session = requests.Session()
        self._session.trust_env = False

    def post(self, path: str = "/predict", value: Any = None, **more: Any) -> requests.Response:
        start = time.monotonic()
        try:
            return self._session.post(self.base + path, json=value or {"x": 1}, timeout=PATIENCE, **more)
        finally:
            self.took = time.monotonic() - start

    def get(self, path: str) -> requests.Response:
        return self._session.get(self.base + path, timeout=PATIENCE)


@pytest.fixture
def client(p: Proxy) -> Iterator[Client]:
    made = Client(p.address.url)
    yield made
    made._session.close()


def connect(p: Proxy) -> socket.socket:
    return socket.create_connection((p.address.host, p.address.port), timeout=PATIENCE)


def read_all(s: socket.socket) -> bytes:
    data = b""
    while piece := s.recv(1 << 16):
        data += piece
    return data


MESSAGES = [
    b"GET /a?b HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /b HTTP/1.1\r\ncontent-length: 5\r\n\r\n\r\n\r\nx",
    b"POST /c HTTP/1.1\r\nContent-Length:  0 \r\nX: y\r\n\r\n",
    b"POST /d HTTP/1.1\r\nTransfer-Encoding: gzip, chunked\r\n\r\n3;x=y\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
]

# Nothing injected


def test_without_faults_every_byte_passes_and_the_ledger_counts_what_the_server_saw(
    p: Proxy, client: Client, server: Upstream
) -> None:
    for i in range(5):
        assert client.post("/predict?n=1", {"i": i}).json() == {"i": i}
    assert client.get("/health").status_code == 200
    ledger = p.ledger()
    assert ledger.requests == ledger.forwarded == len(server.requests) == 6
    assert (ledger.connections, ledger.open, ledger.opaque, ledger.faults) == (1, 1, 0, ())
    assert [body for _, _, body in server.requests[:5]] == [json.dumps({"i": i}).encode() for i in range(5)]


@pytest.mark.parametrize("path", ["/plain", "/chunked", "/close"])
def test_a_large_body_passes_in_both_directions_whatever_its_framing(p: Proxy, client: Client, path: str) -> None:
    value = {"rows": list(range(200_000))}
    assert client.post(path, value).json() == value


def test_a_chunked_request_passes(client: Client, server: Upstream) -> None:
    assert (
        client._session.post(client.base + "/x", data=iter([b"abc", b"defg"]), timeout=PATIENCE).content == b"abcdefg"
    )
    assert server.requests[0][2] == b"abcdefg"


def test_a_slow_reader_slows_the_sender_down_instead_of_filling_the_proxy(server: Upstream) -> None:
    """The proxy must not take in a gigabyte that nobody reads."""
    with (
        socket.create_server(("127.0.0.1", 0)) as listener,
        proxy(Connection(f"http://127.0.0.1:{listener.getsockname()[1]}"), http=False) as p,
    ):
        listener.accept()[0].close()  # the proxy's look whether anybody is there
        with connect(p) as s, listener.accept()[0]:
            s.settimeout(1.0)
            sent = 0
            with suppress(TimeoutError):
                while sent < 1 << 30:
                    sent += s.send(b"x" * (1 << 20))
            assert sent < 64 << 20


def test_a_connection_that_speaks_no_http_passes_and_is_counted_as_opaque() -> None:
    with sink() as (port, pieces), proxy(Connection(f"http://127.0.0.1:{port}")) as p, connect(p) as s:
        s.sendall(b"\x16\x03\x01 a TLS client hello")
        wait_until(lambda: pieces, "the bytes")
        assert p.ledger().opaque == 1
        p.set(Status(503))
        s.sendall(b"and more")
        wait_until(lambda: b"".join(d for _, d in pieces).endswith(b"and more"), "the rest")


def test_pipelined_requests_are_answered_in_order_though_some_are_answered_by_the_proxy(p: Proxy) -> None:
    p.set(Status(503, path="/b", body="no"))
    one = "GET {} HTTP/1.1\r\nHost: x\r\n\r\n"
    with connect(p) as s:
        s.sendall("".join(one.format(path) for path in ("/a", "/b", "/a", "/b", "/b", "/close")).encode())
        lines = [ln for ln in read_all(s).decode().split("\r\n") if "HTTP/1.1 " in ln]
    statuses = ["503" if "503" in ln else "200" for ln in lines]
    assert statuses == ["200", "503", "200", "503", "503", "200"]


def test_tls_is_spoken_to_an_https_upstream_and_its_certificate_is_checked(tmp_path: Path) -> None:
    key, cert = tmp_path / "key.pem", tmp_path / "cert.pem"
    make = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=localhost", "-days", "1"]
    extension = ["-addext", "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(cert)]
    if not shutil.which("openssl"):
        pytest.skip("openssl is not on PATH")
    subprocess.run([*make, *extension], check=True, capture_output=True, timeout=60)
    with upstream(cert=(cert, key)) as server:
        url = f"https://localhost:{server.port}"
        with proxy(Connection(url, ca=str(cert))) as p:
            client = Client(p.address.url)
            p.set(Patch({"b": 2}))
            assert client.post(value={"a": 1}).json() == {"a": 1, "b": 2}
            assert client.post("/close", value={"a": 1}).json() == {"a": 1, "b": 2}
        with proxy(Connection(url)) as p, pytest.raises(requests.ConnectionError):
            Client(p.address.url).post()


# TCP toxics


def test_latency_delays_by_its_milliseconds_and_strength_scales_them(p: Proxy, client: Client) -> None:
    client.post()
    p.set(Latency(400))
    client.post()
    assert 0.4 <= client.took < 2
    p.set(Latency(400), strength=0.5)
    client.post()
    assert client.took >= 0.2
    p.set(Latency(200), Latency(200, stream="upstream"))
    client.post()
    assert client.took >= 0.4
    p.set()
    client.post()
    assert client.took < 0.2
    assert p.ledger().of("latency_downstream").touched == 1


def test_removing_latency_frees_what_is_already_on_its_way(p: Proxy, server: Upstream) -> None:
    p.set(Latency(3_600_000))
    with connect(p) as s:
        s.sendall(b"GET /close HTTP/1.1\r\nHost: x\r\n\r\n")
        wait_until(lambda: server.requests, "the request")
        p.set()
        assert read_all(s).startswith(b"HTTP/1.1 200")


def test_jitter_spreads_the_delays(p: Proxy, client: Client) -> None:
    p.set(Latency(100, jitter=100))
    took = []
    for _ in range(8):
        client.post()
        took.append(client.took)
    assert max(took) - min(took) > 0.02


def test_bandwidth_paces_the_bytes(p: Proxy, client: Client) -> None:
    client.post()
    p.set(Bandwidth(rate=100))
    client.post(value={"x": "a" * 100_000})
    whole = client.took
    assert 1.0 <= whole < 20
    p.set(Bandwidth(rate=100), strength=0.1)
    client.post(value={"x": "a" * 100_000})
    assert 0.1 <= client.took < whole


def test_slow_close_holds_the_end_of_the_connection_back(p: Proxy) -> None:
    p.set(SlowClose(delay=400))
    with connect(p) as s:
        s.sendall(b"GET /close HTTP/1.1\r\nHost: x\r\n\r\n")
        assert s.recv(1 << 16)
        start = time.monotonic()
        read_all(s)
        assert time.monotonic() - start >= 0.3
    assert p.ledger().of("slow_close_downstream").touched == 1


def test_timeout_drops_data_and_closes_after_its_milliseconds(p: Proxy, server: Upstream) -> None:
    p.set(Timeout(timeout=300))
    with connect(p) as s:
        start = time.monotonic()
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_all(s) == b""
        assert time.monotonic() - start >= 0.25
    assert len(server.requests) == p.ledger().forwarded == 1


def test_timeout_zero_holds_until_it_is_removed(p: Proxy, server: Upstream) -> None:
    p.set(Timeout(stream="upstream"))
    with connect(p) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        s.settimeout(0.3)
        with pytest.raises(TimeoutError):
            s.recv(1)
        p.set()
        s.settimeout(PATIENCE)
        assert read_all(s) == b""
    assert server.requests == []


def test_reset_peer_resets_when_data_arrives(p: Proxy, client: Client, server: Upstream) -> None:
    client.post()
    p.set(ResetPeer())
    with pytest.raises(requests.ConnectionError, match="reset by peer"):
        client.post()
    assert p.ledger().of("reset_peer_downstream").touched == 1
    assert len(server.requests) == 2


def test_slicer_cuts_data_into_small_pieces() -> None:
    with sink() as (port, pieces), proxy(Connection(f"http://127.0.0.1:{port}"), http=False) as p:
        p.set(Slicer(average_size=10, size_variation=4, delay=5_000, stream="upstream"))
        with connect(p) as s:
            s.sendall(bytes(range(100)))
            wait_until(lambda: sum(len(d) for _, d in pieces) == 100, "all bytes")
        assert b"".join(d for _, d in pieces) == bytes(range(100))
        assert len(pieces) >= 5
        assert len({len(d) for _, d in pieces}) > 1


def test_limit_data_lets_its_bytes_through_and_closes(p: Proxy, client: Client) -> None:
    p.set(LimitData(bytes=60))
    with connect(p) as s:
        s.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert len(read_all(s)) == 60
    assert client.post().content == b""  # a 200 that says nothing: how this client reads a head that is cut
    assert p.ledger().of("limit_data_downstream").touched == 2


def test_down_refuses_connections_cuts_the_open_ones_and_comes_back_on_the_same_port(p: Proxy, client: Client) -> None:
    client.post()
    p.set(Down())
    with pytest.raises(requests.ConnectionError):
        client.post()
    with pytest.raises(ConnectionRefusedError):
        connect(p)
    p.set()
    assert client.post().status_code == 200


def test_a_held_down_looks_whether_connections_are_refused(p: Proxy) -> None:
    with p.hold(Down()) as held:
        held.set(1)
        assert held.verify() is None
        assert held.touched() is None  # the kernel refuses: nobody counts
        listening = socket.create_server((p.address.host, p.address.port), reuse_port=False)
        with listening:
            assert "expected down to refuse connections; seen: one was accepted" in str(held.verify())


def test_toxicity_hits_its_share_of_connections_and_the_same_ones_in_every_run(server: Upstream) -> None:
    def hit(strength: float) -> list[int]:
        hits = []
        with proxy(Connection(server.url), seed=3) as p:
            p.set(Down(toxicity=0.5), strength=strength)
            for i in range(40):
                with suppress(ConnectionError), connect(p) as s:
                    s.sendall(b"GET /close HTTP/1.1\r\nHost: x\r\n\r\n")
                    if read_all(s):
                        continue
                hits.append(i)
            assert p.ledger().refused == len(hits) == p.ledger().of("down").touched
        return hits

    first = hit(1.0)
    assert first == hit(1.0)
    assert 8 <= len(first) <= 32
    assert set(hit(0.5)) < set(first)


# HTTP faults


def test_delay_holds_a_selected_request_and_no_other(p: Proxy, client: Client) -> None:
    client.post()
    p.set(Delay(300, path="/slow*"))
    client.post("/slow/model")
    assert client.took >= 0.3
    client.post("/fast")
    assert client.took < 0.25


def test_status_is_answered_by_the_proxy_and_the_server_never_sees_it(
    p: Proxy, client: Client, server: Upstream
) -> None:
    p.set(Status(503, body="out of order", method="POST"))
    answer = client.post()
    assert (answer.status_code, answer.text) == (503, "out of order")
    assert client.get("/predict").status_code == 200
    ledger = p.ledger()
    assert (ledger.requests, ledger.forwarded) == (2, len(server.requests)) == (2, 1)
    assert ledger.of("status").touched == 1


def test_replace_puts_its_body_in_place_of_the_servers(p: Proxy, client: Client, server: Upstream) -> None:
    p.set(Replace('{"prediction": 0.5}', path="/predict"))
    answer = client.post()
    assert answer.json() == {"prediction": 0.5}
    assert client.post("/other", {"a": 1}).json() == {"a": 1}
    p.set(Replace("not json", content_type="text/plain", on="request"))
    assert client.post().text == "not json"
    assert server.headers[-1]["Content-Type"] == "text/plain"


@pytest.mark.parametrize("path", ["/plain", "/chunked", "/close"])
def test_a_merge_patch_changes_the_response_whatever_its_framing(p: Proxy, client: Client, path: str) -> None:
    p.set(Patch({"b": None, "c": {"d": 2}}))
    assert client.post(path, {"a": 1, "b": 2, "c": {"e": 3}}).json() == {"a": 1, "c": {"d": 2, "e": 3}}


def test_a_merge_patch_changes_the_request_and_the_server_sees_the_change(
    p: Proxy, client: Client, server: Upstream
) -> None:
    p.set(Patch({"unit": "seconds"}, on="request"))
    client.post(value={"x": 1})
    client._session.post(client.base + "/x", data=iter([b'{"y"', b":2}"]), timeout=PATIENCE)
    assert [json.loads(body) for _, _, body in server.requests] == [
        {"x": 1, "unit": "seconds"},
        {"y": 2, "unit": "seconds"},
    ]


def test_a_response_that_will_be_patched_is_not_asked_for_compressed(
    client: Client, p: Proxy, server: Upstream
) -> None:
    client.post()
    p.set(Patch({"b": 2}))
    client.post()
    assert ["Accept-Encoding" in headers for headers in server.headers] == [True, False]


def test_a_body_that_is_no_json_passes_as_it_is_and_is_counted_as_skipped(p: Proxy, client: Client) -> None:
    p.set(Patch({"a": 1}))
    sent = [b"not json", b'{"a": "\xff"}', b"[" * 100_000]
    for body in sent:
        assert client._session.post(client.base + "/x", data=body, timeout=PATIENCE).content == body
    count = p.ledger().of("merge_patch")
    assert (count.matched, count.touched, count.skipped) == (3, 0, 3)


def test_a_client_that_waits_for_100_continue_is_told_to_go_on(p: Proxy, server: Upstream) -> None:
    p.set(Patch({"b": 2}, on="request"))
    with connect(p) as s:
        s.sendall(b"POST /close HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 7\r\n\r\n")
        assert s.recv(1 << 16) == b"HTTP/1.1 100 Continue\r\n\r\n"
        s.sendall(b'{"a":1}')
        assert read_all(s).endswith(b'{"a":1,"b":2}')


def test_what_watches_is_left_alone_unless_it_is_named(p: Proxy, client: Client) -> None:
    p.set(Status(500))
    assert [client.get(path).status_code for path in ("/metrics", "/health", "/other")] == [200, 200, 500]
    p.set(Status(500, path="/metrics"))
    assert [client.get(path).status_code for path in ("/metrics", "/health", "/other")] == [500, 200, 200]


def test_a_header_selects(p: Proxy, client: Client) -> None:
    p.set(Status(500, header="X-Tenant: a"))
    assert client.post(headers={"x-tenant": "a"}).status_code == 500
    assert client.post(headers={"x-tenant": "b"}).status_code == 200
    p.set(Status(500, header="X-Tenant"))
    assert client.post(headers={"X-TENANT": "b"}).status_code == 500
    assert client.post().status_code == 200


def test_two_runs_hit_the_same_requests_and_a_larger_share_hits_them_too(server: Upstream) -> None:
    def run(seed: int, strength: float = 1.0) -> list[int]:
        with proxy(Connection(server.url), seed=seed) as p:
            client = Client(p.address.url)
            p.set(Status(503, share=0.5), strength=strength)
            hits = []
            for i in range(30):
                client.get("/health")  # counted for nothing
                if client.post().status_code == 503:
                    hits.append(i)
            return hits

    first = run(1)
    assert first == run(1)
    assert first != run(2)
    assert set(run(1, 0.4)) < set(first)
    assert 6 <= len(first) <= 24


def test_a_numbered_request_is_hit_by_its_number_in_whatever_order_it_comes(p: Proxy, client: Client) -> None:
    p.set(Status(503, share=0.5))

    def hit(i: int) -> bool:
        return client.post(headers={"X-Request-Id": str(i)}).status_code == 503

    forth = {i for i in range(30) if hit(i)}
    back = {i for i in reversed(range(30)) if hit(i)}
    assert forth == back
    assert forth


def test_faults_change_on_a_connection_that_stays_open(p: Proxy, client: Client) -> None:
    for _ in range(3):
        p.set(Status(503), Delay(1))
        assert client.post().status_code == 503
        p.set(Patch({"y": 2}))
        assert client.post().json() == {"x": 1, "y": 2}
        p.set()
        assert client.post().json() == {"x": 1}
    assert p.ledger().connections == 1


@pytest.mark.parametrize(
    ("target", "patch", "result"),
    [
        ({"a": "b"}, {"a": "c"}, {"a": "c"}),
        ({"a": "b"}, {"b": "c"}, {"a": "b", "b": "c"}),
        ({"a": "b"}, {"a": None}, {}),
        ({"a": "b", "b": "c"}, {"a": None}, {"b": "c"}),
        ({"a": ["b"]}, {"a": "c"}, {"a": "c"}),
        ({"a": "c"}, {"a": ["b"]}, {"a": ["b"]}),
        ({"a": {"b": "c"}}, {"a": {"b": "d", "c": None}}, {"a": {"b": "d"}}),
        ({"a": [{"b": "c"}]}, {"a": [1]}, {"a": [1]}),
        (["a", "b"], ["c", "d"], ["c", "d"]),
        ({"a": "b"}, ["c"], ["c"]),
        ({"a": "foo"}, None, None),
        ({"a": "foo"}, "bar", "bar"),
        ({"e": None}, {"a": 1}, {"e": None, "a": 1}),
        ([1, 2], {"a": "b", "c": None}, {"a": "b"}),
        ({}, {"a": {"bb": {"ccc": None}}}, {"a": {"bb": {}}}),
    ],
)
def test_merge_patch_gives_what_the_appendix_of_rfc_7396_gives(target: Any, patch: Any, result: Any) -> None:
    assert merge_patch(target, patch) == result


# Holding, verifying, undoing


def test_a_held_fault_begins_at_strength_zero_scales_and_is_gone_when_left(p: Proxy, client: Client) -> None:
    with p.hold(Latency(400)) as held:
        client.post()
        assert client.took < 0.3
        held.set(1)
        client.post()
        assert client.took >= 0.4
        assert held.verify() is None
        held.set(0)
        assert held.verify() is None
        client.post()
        assert client.took < 0.3
    assert p.state().names == ()


def test_an_exception_undoes(p: Proxy, client: Client) -> None:
    with suppress(ZeroDivisionError), p.hold(Status(500)) as held:
        held.set(1)
        assert client.post().status_code == 500
        raise ZeroDivisionError
    assert client.post().status_code == 200


def test_several_held_faults_leave_each_other_alone(p: Proxy, client: Client) -> None:
    with p.hold(Status(500, path="/a")) as a, p.hold(Status(501, path="/b")) as b:
        a.set(1)
        b.set(1)
        p.set(Delay(1))
        assert [client.post(path).status_code for path in ("/a", "/b", "/c")] == [500, 501, 200]
        a.set(0)
        assert [client.post(path).status_code for path in ("/a", "/b", "/c")] == [200, 501, 200]


def test_verify_tells_when_the_selector_fits_nothing(p: Proxy, client: Client) -> None:
    with p.hold(Status(500, path="/v2/models/*/infer")) as held:
        held.set(1)
        for _ in range(25):
            client.post()
        assert "fits none of 25 requests" in str(held.verify())


def test_verify_tells_when_the_proxy_was_killed(server: Upstream) -> None:
    seen = None
    with suppress(StackError), proxy(Connection(server.url)) as p, p.hold(Latency(1)) as held:
        held.set(1)
        child(p).kill()
        seen = held.verify()
    assert "has ended: killed by signal 9" in str(seen)


def test_a_drill_that_is_not_heard_of_loses_its_faults_and_keeps_its_traffic(server: Upstream) -> None:
    with proxy(Connection(server.url), ttl=0.3) as p, p.hold(Status(500)) as held:
        client = Client(p.address.url)
        held.set(1)
        wait_until(lambda: client.post().status_code == 200, "the time to live")
        assert "time to live" in str(held.verify())


def child(p: Proxy) -> psutil.Process:
    own: Child = p._engine._child  # type: ignore[attr-defined]
    return psutil.Process(own.pid)


def test_the_proxy_ends_with_its_block(server: Upstream) -> None:
    with proxy(Connection(server.url)) as p:
        process = child(p)
    assert ended(process)
    with pytest.raises(ConnectionRefusedError):
        connect(p)


DRILL = """
import json, sys, threading
from driftdrill.stack.connection import Connection
from driftdrill.stack.faults.network import Status, proxy
with proxy(Connection(sys.argv[1])) as p, p.hold(Status(500)) as held:
    held.set(1)
    print(json.dumps([p.address.url, p._engine._child.pid]), flush=True)
    threading.Event().wait(60)
"""


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_drill_that_is_ended_by_a_signal_leaves_no_proxy(server: Upstream, how: signal.Signals) -> None:
    """SIGKILL included: the control channel closes with the drill."""
    with drill(DRILL, server.url) as (process, (url, pid)):
        proxied = psutil.Process(pid)
        assert requests.post(url, timeout=PATIENCE).status_code == 500
        process.send_signal(how)
        wait_until(lambda: ended(proxied), "the proxy's end")
        with pytest.raises(requests.ConnectionError):
            requests.post(url, timeout=PATIENCE)


def test_a_fork_of_the_drill_does_not_keep_its_proxy_alive(server: Upstream) -> None:
    """A forked worker holds the control channel open; the proxy watches the drill itself too."""
    forking = DRILL.replace(
        "    print(",
        "    import os\n    os.fork() or (os.closerange(0, 3), threading.Event().wait(8), os._exit(0))\n    print(",
    )
    with drill(forking, server.url) as (process, (_, pid)):
        proxied = psutil.Process(pid)
        process.kill()
        wait_until(lambda: ended(proxied), "the proxy's end", 6)


# Bad input


def test_an_unknown_toxic_is_refused_with_the_nearest_names() -> None:
    with pytest.raises(StackError) as refused:
        toxic("latencyy", latency=1)
    assert refused.value.hint == "did you mean latency?"
    with pytest.raises(StackError, match="has no parameter 'latencey'") as refused:
        toxic("latency", latencey=1)
    assert refused.value.hint == "did you mean latency?"
    with pytest.raises(StackError, match="missing required field `rate`"):
        toxic("bandwidth")
    assert toxic("reset_peer", timeout=5, stream="upstream") == ResetPeer(5, stream="upstream")
    assert toxic("status", status=500, path="/a") == Status(500, path="/a")


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: Latency(-1), "Latency: latency must be in .* milliseconds, not -1"),
        (lambda: Latency(1, toxicity=1.5), r"toxicity must be in \[0, 1\], not 1.5"),
        (lambda: Latency(1, stream="up"), "stream must be one of downstream, upstream, not 'up'"),
        (lambda: Latency(float("nan")), "not nan"),
        (lambda: Bandwidth(0), "rate must be at least 0.001"),
        (lambda: Slicer(10, 10), r"size_variation must be in \[0, 9\]"),
        (lambda: LimitData(-1), "bytes must be at least 0"),
        (lambda: Status(99), r"status must be in \[200, 599\]"),
        (lambda: Status(500, share=-0.1), "share must be in"),
        (lambda: Status(500, path="predict"), "path must begin with /"),
        (lambda: Replace("", on="body"), "on must be one of request, response"),
        (lambda: Patch({1, 2}), "patch must be a JSON value"),
        (lambda: Latency(1).at(2), r"strength must be a number in \[0, 1\], not 2"),
    ],
)
def test_a_parameter_out_of_range_is_refused_with_field_and_range(make: Any, said: str) -> None:
    with pytest.raises(StackError, match=said):
        make()


def test_an_upstream_that_does_not_answer_is_told() -> None:
    with (
        pytest.raises(StackError, match="nothing answers at 127") as refused,
        proxy(Connection(f"http://127.0.0.1:{free_port()}")),
    ):
        pass
    assert "start the service first" in str(refused.value.hint)


def test_a_port_in_use_is_told(server: Upstream) -> None:
    with (
        pytest.raises(StackError, match=f"port {server.port} of 127.0.0.1 is in use"),
        proxy(Connection(server.url), port=server.port),
    ):
        pass


def test_two_faults_that_fight_for_one_place_are_refused(p: Proxy) -> None:
    with p.hold(Latency(1)) as held:
        with pytest.raises(StackError, match="fight for one place"), p.hold(Latency(2)):
            pass
        with pytest.raises(StackError, match="already holds a fault named 'latency_downstream'"):
            p.set(Latency(2))
        with p.hold(Latency(2, name="second")) as second, p.hold(Latency(2, stream="upstream")):
            second.set(1)
        held.set(1)
        assert held.verify() is None


# Framing


@settings(max_examples=200, deadline=None)
@given(data=st.data())
def test_however_the_bytes_arrive_they_leave_whole_and_cut_into_the_same_messages(data: st.DataObject) -> None:
    messages = data.draw(st.lists(st.sampled_from(MESSAGES), min_size=1, max_size=5))
    stream = b"".join(messages)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=8)))
    framer = Framer()
    parts = [p for a, b in itertools.pairwise([0, *cuts, len(stream)]) for p in framer.feed(stream[a:b])]
    assert b"".join(piece for _, piece in parts) == stream
    assert sum(kind == "head" for kind, _ in parts) == sum(kind == "end" for kind, _ in parts) == len(messages)
    assert not framer.opaque


@settings(max_examples=200, deadline=None)
@given(st.lists(st.binary(max_size=40) | st.sampled_from(MESSAGES), max_size=8), st.booleans())
def test_no_bytes_are_lost_whatever_they_are(pieces: list[bytes], responses: bool) -> None:
    framer = Framer(responses=responses)
    parts = [part for piece in pieces for part in framer.feed(piece)] + framer.eof()
    assert b"".join(piece for _, piece in parts) == b"".join(pieces)

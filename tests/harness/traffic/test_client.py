"""The HTTP client against real sockets that behave, and that do not."""

import gzip
import logging
import socket
import threading
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import gevent
import pytest

from driftdrill.harness.traffic.http import client as client_module
from driftdrill.harness.traffic.http import response as response_module
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.http.response import Reply, RequestFailed
from driftdrill.stack.connection import Connection, Secret
from tests.harness.traffic.sockets import Handler, Listening, Peer, always, certificate, listening, tunnelling


def ask(server: Listening, body: bytes = b"{}", timeout: float = 5.0, path: str = "/predict") -> Reply:
    client = Client(Connection(server.url, timeout=timeout), path, "application/json")
    try:
        return client.post(body)
    finally:
        client.close()


def failure(handler: Handler, timeout: float = 5.0) -> RequestFailed:
    with listening(handler) as server, pytest.raises(RequestFailed) as raised:
        ask(server, timeout=timeout)
    return raised.value


def once(data: bytes) -> Handler:
    """Read one request, send ``data`` as it is, close."""

    def handler(peer: Peer) -> None:
        peer.request()
        peer.send(data)

    return handler


def test_requests_in_a_row_use_one_connection() -> None:
    with listening(always()) as server:
        client = Client(Connection(server.url), "/predict", "application/json")
        assert [client.post(b'{"a": 1}').status for _ in range(5)] == [200] * 5
        client.close()
    assert server.connections == 1
    assert len(server.heads) == 5


def test_requests_at_once_use_a_connection_each() -> None:
    all_asked = threading.Barrier(3, timeout=20)

    def together(peer: Peer) -> None:
        while peer.request() is not None:
            all_asked.wait()
            peer.reply()

    with listening(together) as server:
        client = Client(Connection(server.url, timeout=30), "/predict", "application/json")
        gevent.joinall([gevent.spawn(client.post, b"{}") for _ in range(3)], timeout=30, raise_error=True)
        client.close()
    assert server.connections == 3


def test_the_head_carries_path_prefix_type_and_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TOKEN_OF_TEST", "s3cret")
    with listening(always()) as server:
        connection = Connection(server.url + "/models/", headers={"X-Team": "ml"}, bearer=Secret(env="TOKEN_OF_TEST"))
        client = Client(connection, "/a/predict?v=1", "application/x-thing")
        client.post(b"12345")
        client.close()
    head = server.heads[0].decode().split("\r\n")
    assert head[0] == "POST /models/a/predict?v=1 HTTP/1.1"
    assert {"Content-Type: application/x-thing", "X-Team: ml", "Authorization: Bearer s3cret"} <= set(head)
    assert "Content-Length: 5" in head
    assert not [h for h in head if h.lower().startswith("accept-encoding")]


def test_a_chunked_response_is_whole_and_its_connection_is_kept() -> None:
    def handler(peer: Peer) -> None:
        while peer.request() is not None:
            peer.send(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n')
            peer.send(b'4\r\n":1}\r\n0\r\n\r\n')

    with listening(handler) as server:
        client = Client(Connection(server.url), "/", "application/json")
        assert client.post(b"").body == client.post(b"").body == b'{"a":1}'
        client.close()
    assert server.connections == 1


def test_a_response_without_length_ends_when_the_server_closes() -> None:
    with listening(once(b"HTTP/1.1 200 OK\r\n\r\n{}")) as server:
        assert ask(server).body == b"{}"


def test_http_1_0_without_keep_alive_opens_a_connection_a_request() -> None:
    with listening(once(b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as server:
        client = Client(Connection(server.url), "/", "application/json")
        assert client.post(b"").body == client.post(b"").body == b"{}"
    assert server.connections == 2


def test_interim_responses_are_skipped() -> None:
    hints = b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n"
    with listening(once(hints + b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\n{}")) as server:
        reply = ask(server)
    assert (reply.status, reply.body) == (201, b"{}")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", "reset"),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab", "reset"),
        (b"HTTP/1.1 200 OK\r\nContent-", "reset"),
        (b"", "reset"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: br\r\nContent-Length: 2\r\n\r\n{}", "malformed"),
        (b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", "malformed"),
    ],
)
def test_a_broken_response_is_a_failure_of_its_kind(data: bytes, kind: str) -> None:
    assert failure(once(data)).kind == kind


def test_a_server_that_never_answers_costs_no_more_than_the_timeout() -> None:
    begun = time.monotonic()
    assert failure(_hold, timeout=0.3).kind == "timeout"
    assert time.monotonic() - begun < 8


def _hold(peer: Peer) -> None:
    peer.request()
    peer.server.ending.wait(10)


def test_an_endless_trickle_costs_no_more_than_the_timeout() -> None:
    def trickle(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\n\r\n")
        while not peer.server.ending.wait(0.02):
            peer.send(b"x")

    begun = time.monotonic()
    assert failure(trickle, timeout=0.4).kind == "timeout"
    assert time.monotonic() - begun < 8


@pytest.mark.parametrize("start", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: "], ids=["body", "head"])
def test_an_endless_flood_is_cut_off(start: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_module, "LARGEST_REPLY", 1_000_000)

    def flood(peer: Peer) -> None:
        peer.request()
        peer.send(start)
        while not peer.server.ending.is_set():
            peer.send(b"y" * 65536)

    assert failure(flood).kind == "too_large"


def test_nobody_listening_is_refused_and_an_unknown_name_unresolved() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    for host, kind in ((f"127.0.0.1:{port}", "refused"), ("nowhere.invalid:80", "resolve")):
        with pytest.raises(RequestFailed) as raised:
            Client(Connection(f"http://{host}", timeout=5), "/", "application/json").post(b"")
        assert raised.value.kind == kind


def test_an_idle_connection_that_the_server_closed_is_replaced_quietly() -> None:
    with listening(once(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")) as server:
        client = Client(Connection(server.url), "/", "application/json")
        assert client.post(b"").status == 200
        kept = client._connections._kept[0].sock
        gevent.socket.wait_read(kept.fileno(), timeout=5)
        assert client.post(b"").status == 200
    assert server.connections == 2


def test_a_busy_connection_that_is_reset_is_a_failure_and_not_sent_again() -> None:
    """A second try would hide a fault of the network, and the server may have counted the first."""

    def handler(peer: Peer) -> None:
        peer.request()
        peer.reply()
        peer.request()
        peer.reset()

    with listening(handler) as server:
        client = Client(Connection(server.url), "/", "application/json")
        client.post(b"")
        with pytest.raises(RequestFailed) as raised:
            client.post(b"")
    assert raised.value.kind == "reset"
    assert len(server.heads) == 2


def test_where_it_may_a_request_goes_out_once_more_on_a_new_connection_and_is_counted() -> None:
    """The server answers one request a connection, then reads another and resets."""

    def handler(peer: Peer) -> None:
        peer.request()
        peer.reply(str(peer.server.connections).encode())
        peer.request()
        peer.reset()

    with listening(handler) as server:
        client = Client(Connection(server.url), "/", "application/json")
        client.may_resend = lambda: True
        assert [client.post(b"").body for _ in range(3)] == [b"1", b"2", b"3"]
        assert client.resent == 2
        client.may_resend = lambda: False
        with pytest.raises(RequestFailed, match="reset"):
            client.post(b"")


def test_what_fails_on_a_new_connection_is_not_sent_again() -> None:
    def handler(peer: Peer) -> None:
        if peer.request() == b"good":
            peer.reply()
            peer.request()
        peer.reset()

    with listening(handler) as server:
        client = Client(Connection(server.url), "/", "application/json")
        client.may_resend = lambda: True
        client.post(b"good")
        with pytest.raises(RequestFailed) as raised:
            client.post(b"bad")
    assert raised.value.kind == "reset"
    assert (client.resent, len(server.heads)) == (1, 3)


def test_what_broke_off_in_the_middle_of_an_answer_is_not_sent_again() -> None:
    def handler(peer: Peer) -> None:
        peer.request()
        peer.reply()
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Le")

    with listening(handler) as server:
        client = Client(Connection(server.url), "/", "application/json")
        client.may_resend = lambda: True
        client.post(b"")
        with pytest.raises(RequestFailed, match="in the middle of"):
            client.post(b"")
    assert (client.resent, server.connections) == (0, 1)


def test_a_connection_long_idle_may_have_been_closed_for_its_age(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "PATIENT", -1.0)

    def handler(peer: Peer) -> None:
        peer.request()
        if peer.server.connections == 1:
            peer.reply()
            peer.request()
            peer.reset()
        else:
            peer.reply()

    with listening(handler) as server:
        client = Client(Connection(server.url), "/", "application/json")
        assert [client.post(b"").status for _ in range(2)] == [200, 200]
    assert server.connections == 2


@pytest.mark.parametrize(("pack", "encoding"), [(gzip.compress, "gzip"), (zlib.compress, "deflate")])
def test_a_reply_compressed_unasked_is_inflated(pack: "type[bytes]", encoding: str) -> None:
    with listening(always(pack(b'{"prediction": 1}'), headers=f"Content-Encoding: {encoding}\r\n")) as server:
        assert ask(server).body == b'{"prediction": 1}'


def test_a_compressed_bomb_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(response_module, "LARGEST_REPLY", 100_000)
    assert failure(always(gzip.compress(b"0" * 200_000), headers="Content-Encoding: gzip\r\n")).kind == "too_large"


def test_a_redirect_within_the_origin_moves_the_client_and_is_said_once(caplog: pytest.LogCaptureFixture) -> None:
    def handler(peer: Peer) -> None:
        while peer.request() is not None:
            if b"POST /predict/ " in peer.server.heads[-1]:
                peer.reply()
            else:
                peer.reply(b"", 307, "Location: /predict/\r\n")

    with caplog.at_level(logging.WARNING), listening(handler) as server:
        client = Client(Connection(server.url), "/predict", "application/json")
        assert [client.post(b"{}").status for _ in range(3)] == [200] * 3
        client.close()
    assert len(server.heads) == 4
    assert [r.message for r in caplog.records if "requests go to" in r.message] == [caplog.records[0].message]


def test_redirects_that_loop_or_leave_are_failures() -> None:
    assert failure(always(b"", 302, "Location: /again\r\n")).kind == "redirect"
    with listening(always()) as other:
        raised = failure(always(b"", 308, f"Location: {other.url}/predict\r\n"))
    assert raised.kind == "redirect"
    assert "another origin" in str(raised)
    assert other.heads == []


def test_twenty_megabytes_go_both_ways() -> None:
    body = b"7" * 20_000_000

    def echo(peer: Peer) -> None:
        while (got := peer.request()) is not None:
            peer.reply(got)

    with listening(echo) as server:
        assert ask(server, body, timeout=30).body == body


def test_a_server_that_refuses_a_body_before_it_has_read_it_is_heard() -> None:
    """Servers that limit bodies answer 413 and close with most of it unread, which resets the connection."""

    def early(peer: Peer) -> None:
        peer.sock.recv(1000)
        peer.reply(b"too large", 413, "Connection: close\r\n")

    with listening(early) as server:
        assert ask(server, b"7" * 5_000_000).status == 413


def test_a_timed_client_notes_when_each_piece_came() -> None:
    def handler(peer: Peer) -> None:
        peer.request()
        peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        for piece in (b"1\r\na\r\n", b"2\r\nbc\r\n", b"0\r\n\r\n"):
            time.sleep(0.03)
            peer.send(piece)

    with listening(handler) as server:
        client = Client(Connection(server.url), "/", "application/json", timed=True)
        pieces = client.post(b"").pieces
        client.close()
    assert [size for _, size in pieces] == [1, 3]
    assert 0.02 < pieces[0][0] < pieces[1][0]


@pytest.fixture(scope="module")
def secure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Listening, Path]]:
    cert, context = certificate(tmp_path_factory.mktemp("tls"))
    with listening(always(), context) as server:
        yield server, cert


def test_tls_with_the_own_ca_is_kept_alive(secure: tuple[Listening, Path]) -> None:
    server, cert = secure
    before = server.connections
    client = Client(Connection(server.url, ca=str(cert)), "/", "application/json")
    assert [client.post(b"{}").status for _ in range(3)] == [200] * 3
    client.close()
    assert server.connections - before == 1


def test_tls_of_an_unknown_ca_or_of_no_tls_server_is_refused_by_name(secure: tuple[Listening, Path]) -> None:
    with pytest.raises(RequestFailed, match=r"^tls: .*self-signed") as raised:
        Client(Connection(secure[0].url), "/", "application/json").post(b"")
    assert raised.value.kind == "tls"

    def plainly(peer: Peer) -> None:
        peer.sock.recv(65536)
        peer.send(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    with listening(plainly) as plain, pytest.raises(RequestFailed) as raised:
        Client(Connection(plain.url.replace("http:", "https:")), "/", "application/json").post(b"")
    assert raised.value.kind == "tls"


def test_a_proxy_is_asked_for_whole_urls_and_its_connection_is_kept() -> None:
    with listening(always()) as proxy:
        connection = Connection("http://model.invalid:8123/v1", proxy=proxy.url)
        client = Client(connection, "/predict?n=1", "application/json")
        assert [client.post(b"{}").status for _ in range(3)] == [200] * 3
        client.close()
    assert proxy.connections == 1
    head = proxy.heads[2].decode().split("\r\n")
    assert head[0] == "POST http://model.invalid:8123/v1/predict?n=1 HTTP/1.1"
    assert "Host: model.invalid:8123" in head


def test_tls_goes_through_a_proxys_tunnel(secure: tuple[Listening, Path]) -> None:
    server, cert = secure
    with listening(tunnelling) as proxy:
        client = Client(Connection(server.url, ca=str(cert), proxy=proxy.url), "/predict", "application/json")
        assert [client.post(b"{}").status for _ in range(3)] == [200] * 3
        client.close()
    (head,) = proxy.heads
    assert head.startswith(f"CONNECT {server.url.removeprefix('https://')} HTTP/1.1\r\n".encode())
    assert server.heads[-1].startswith(b"POST /predict HTTP/1.1")


def _refusing(peer: Peer) -> None:
    peer.sock.recv(65536)
    peer.send(b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize(
    ("handler", "timeout", "says"),
    [
        (_refusing, 30, r"^proxy: .* refused a tunnel: HTTP/1.1 407 Proxy Authentication Required"),
        (lambda peer: peer.sock.recv(65536), 30, r"^proxy: .* gave no answer to CONNECT"),
        (lambda peer: peer.server.ending.wait(10), 0.5, r"^timeout: "),
    ],
    ids=["refuses", "closes", "hangs"],
)
def test_a_proxy_that_opens_no_tunnel_is_told_by_name(handler: Handler, timeout: float, says: str) -> None:
    with listening(handler) as proxy, pytest.raises(RequestFailed, match=says):
        Client(Connection("https://127.0.0.1:9", proxy=proxy.url, timeout=timeout), "/", "application/json").post(b"")


def test_a_proxy_that_is_not_there_is_told_by_name() -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    connection = Connection("http://127.0.0.1:9", proxy=f"http://127.0.0.1:{port}", timeout=5)
    with pytest.raises(RequestFailed, match=rf"^refused: the proxy 127\.0\.0\.1:{port}"):
        Client(connection, "/", "application/json").post(b"")

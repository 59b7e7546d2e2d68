"""Large bodies: what they take in memory, counted by tracemalloc; the server is a process of its own."""

import subprocess
import sys
import tracemalloc
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from driftdrill.harness.traffic.http.client import Client
from driftdrill.stack.connection import Connection

SIZE = 20_000_000
SERVER = rf"""
import sys, time
from tests.harness.traffic.sockets import listening

def handler(peer):
    while (body := peer.request()) is not None:
        if body == b"whole":
            peer.reply(b"7" * {SIZE})
        elif body == b"in pieces":
            head = b"HTTP/1.1 200 OK\r\nContent-Length: {SIZE}\r\nX-Y: "
            for piece in (head, b"1\r\n\r\n7", b"7" * {SIZE - 1}):
                peer.send(piece)
                time.sleep(0.05)
        else:
            peer.reply(b"%d" % len(body))

with listening(handler) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    command = [sys.executable, "-c", SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.stdin.close()
        server.wait(10)


@contextmanager
def traced() -> Iterator[list[int]]:
    """Bytes allocated at the most, beyond what there was."""
    peak = [0]
    tracemalloc.start()
    try:
        yield peak
        peak[0] = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_a_large_response_is_received_into_one_buffer_and_not_copied(url: str) -> None:
    client = Client(Connection(url, timeout=30), "/", "application/json")
    with traced() as peak:
        reply = client.post(b"whole")
    client.close()
    assert reply.body == b"7" * SIZE
    assert SIZE <= peak[0] < 1.05 * SIZE


def test_a_large_body_is_sent_as_it_is_and_not_copied(url: str) -> None:
    client = Client(Connection(url, timeout=30), "/", "application/json")
    body = b"7" * SIZE
    with traced() as peak:
        reply = client.post(body)
    client.close()
    assert reply.body == str(SIZE).encode()
    assert peak[0] < 0.05 * SIZE


@pytest.mark.parametrize("asked", [b"whole", b"in pieces"])
def test_the_connection_of_a_large_response_carries_the_next_request(url: str, asked: bytes) -> None:
    client = Client(Connection(url, timeout=30), "/", "application/json")
    assert client.post(asked).body == b"7" * SIZE
    (kept,) = client._connections._kept
    assert client.post(asked).body == b"7" * SIZE
    assert client._connections._kept == [kept]
    client.close()

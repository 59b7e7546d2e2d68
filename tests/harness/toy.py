"""A model of one feature, small enough to lie on purpose: a real HTTP server, in this process or in one of its own.

It answers ``min(x, 1)`` for ``{"x": x}``, and counts what it was asked as a model service would.
"""

import json
import os
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

TEXT = "text/plain; version=0.0.4"


@dataclass(frozen=True)
class Answer:
    """One answer of a server."""

    body: str = ""
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass
class Toy:
    """What the server does, and what it saw. ``predict`` gets (number of the request from 1, the decoded body)."""

    predict: Callable[[int, Any], Answer | None] = lambda number, asked: None
    page: Callable[[int], Answer | None] = lambda number: None
    """Gets the number of the scrape, from 1; None is the real page, and for ``predict`` the real answer."""
    admit: Callable[[str, Mapping[str, str]], bool] = lambda path, headers: True
    """Whether a request of this path with these headers (lower case) is let in; others get 401."""
    closes: Callable[[Answer], bool] = lambda answer: False
    """Whether the connection is closed, without a word, two milliseconds after an answer."""
    url: str = ""
    requests: int = 0
    scrapes: int = 0
    seen: int = 0
    """Connections made to it."""
    total: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, method: str, path: str, headers: Mapping[str, str], body: bytes) -> Answer:
        """One request."""
        if not self.admit(path, headers):
            return Answer("not allowed", 401)
        if method == "GET":
            self.scrapes += 1
            return self.page(self.scrapes) or self.metrics()
        asked = _read(body)
        with self.lock:
            self.requests += 1
            number = self.requests
        told = self.predict(number, asked)
        x = asked.get("x") if isinstance(asked, dict) else None
        x = float(x) if isinstance(x, (int, float)) else 0.0
        with self.lock:
            self.total += x
        return told or Answer(json.dumps({"prediction": min(x, 1.0)}), headers={"Content-Type": "application/json"})

    def metrics(self) -> Answer:
        """The metrics page."""
        with self.lock:
            page = (
                "# TYPE toy_requests_total counter\n"
                f"toy_requests_total {self.requests}\n"
                "# TYPE toy_x summary\n"
                f"toy_x_sum {self.total}\ntoy_x_count {self.requests}\n"
            )
        return Answer(page, headers={"Content-Type": TEXT})


def _read(body: bytes) -> Any:
    try:
        return json.loads(body)
    except ValueError:
        return None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 256

    def handle_error(self, *_: Any) -> None:
        """A client that goes away in the middle is what some tests are about."""


@contextmanager
def serve(toy: Toy, tls: ssl.SSLContext | None = None) -> Iterator[Toy]:
    """Serve ``toy`` on a free port of the loopback; its ``url`` is set."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True
        wbufsize = -1
        timeout = 60

        def setup(self) -> None:
            toy.seen += 1
            super().setup()

        def do_GET(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name.lower(): value for name, value in self.headers.items()}
            answer = toy.answer(self.command, self.path, headers, body)
            content = answer.body.encode()
            self.send_response(answer.status)
            for name, value in answer.headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)
            if toy.closes(answer):
                time.sleep(0.002)
                self.close_connection = True

        do_POST = do_GET

        def log_message(self, *_: object) -> None:
            """Tests say enough."""

    server = _Server(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    toy.url = f"{'https' if tls else 'http'}://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield toy
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextmanager
def dying(request: int) -> Iterator[str]:
    """The URL of a toy in a process of its own, which is killed while it answers the given request."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.toy", str(request)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with popen:
        assert popen.stdout is not None
        yield popen.stdout.readline().decode().strip()
        popen.kill()


@contextmanager
def canned() -> Iterator[str]:
    """The URL of a server in a process of its own that is faster than any generator: it answers without reading."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.toy", "canned"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    with popen:
        assert popen.stdout is not None
        yield popen.stdout.readline().decode().strip()
        popen.kill()


def _can() -> None:
    reply = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\nContent-Type: text/plain; version=0.0.4\r\n\r\n%b"
    prediction, page = b'{"prediction": 0.5}', b"toy_requests_total 1\ntoy_x_sum 1\ntoy_x_count 1\n"
    post, get = reply % (len(prediction), prediction), reply % (len(page), page)
    listener = socket.create_server(("127.0.0.1", 0), backlog=512)
    print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
    found = select.epoll()
    found.register(listener, select.EPOLLIN)
    found.register(0, select.EPOLLHUP)
    held: dict[int, socket.socket] = {}
    while True:
        for number, _ in found.poll():
            if number == 0:
                return  # whoever started it has ended
            if number == listener.fileno():
                one, _ = listener.accept()
                held[one.fileno()] = one
                found.register(one, select.EPOLLIN)
                continue
            try:
                data = held[number].recv(4096)
                held[number].sendall(b"" if not data else get if data.startswith(b"GET") else post)
            except OSError:
                data = b""
            if not data:
                held.pop(number).close()


def _die_at(request: int) -> Callable[[int, Any], Answer | None]:
    def predict(number: int, asked: Any) -> Answer | None:
        if number >= request:
            os.kill(os.getpid(), signal.SIGKILL)
        return None

    return predict


if __name__ == "__main__" and sys.argv[1] == "canned":
    _can()
elif __name__ == "__main__":
    with serve(Toy(predict=_die_at(int(sys.argv[1])))) as alone:
        print(alone.url, flush=True)
        sys.stdin.read()  # it ends with whoever started it

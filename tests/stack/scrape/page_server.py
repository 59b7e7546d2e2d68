"""A server of given metrics pages that remembers who asked for what, for scrapers to be compared on."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True)
class Page:
    """One answer. ``length`` is the Content-Length told: True for the right one, False for none.

    It hangs after ``stall_after`` bytes of the body, or takes ``drip`` seconds for each byte of the body,
    ``drip_head`` for each of the head. ``close_silently`` closes the connection without saying so before.
    """

    body: bytes
    content_type: str | None = TEXT
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stall_after: int | None = None
    drip: float | None = None
    drip_head: float | None = None
    close: bool = False
    close_silently: bool = False
    length: bool | int = True


@dataclass(frozen=True)
class Asked:
    """One request as it came."""

    target: str
    headers: Mapping[str, str]


Answer = Callable[[Asked, int], Page]
"""(request, how many the same client sent to this path before) -> page."""


class PageServer:
    """Answers by path; ``steps`` are served in turn to each client, the last for ever.

    Clients are told apart by their User-Agent up to its first dot: ``Prometheus/3``.
    """

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {}
        self.asked: dict[tuple[str, str], list[Asked]] = {}
        self.connections = 0
        self.closing = threading.Event()
        self._changed = threading.Condition()
        self.address = ""

    def serve(self, path: str, *steps: Page | bytes) -> None:
        pages = [step if isinstance(step, Page) else Page(step) for step in steps]
        self.answers[path] = lambda _, k: pages[min(k, len(pages) - 1)]

    def requests(self, path: str, client: str) -> Sequence[Asked]:
        return self.asked.get((path, client), [])

    def await_requests(self, counts: Mapping[str, int], client: str, timeout: float) -> None:
        """Waits until each path was asked for so often; fails with those that were not."""

        def missing() -> list[str]:
            return [path for path, n in counts.items() if len(self.requests(path, client)) < n]

        with self._changed:
            assert self._changed.wait_for(lambda: not missing(), timeout), f"not scraped in time: {missing()}"

    def answer(self, asked: Asked) -> Page:
        path = urlsplit(asked.target).path
        client = asked.headers.get("User-Agent", "").partition(".")[0]
        with self._changed:
            before = self.asked.setdefault((path, client), [])
            k = len(before)
            before.append(asked)
            self._changed.notify_all()
        if path not in self.answers:
            return Page(b"", status=404)
        return self.answers[path](asked, k)


@contextmanager
def page_server(tls: ssl.SSLContext | None = None) -> Iterator[PageServer]:
    pages = PageServer()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def setup(self) -> None:
            pages.connections += 1
            super().setup()

        def do_GET(self) -> None:
            try:
                _send(self, pages, pages.answer(Asked(self.path, dict(self.headers))))
            except OSError:
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def get_request(self):  # type: ignore[no-untyped-def]
            connection, address = super().get_request()
            connection.settimeout(30)
            if tls is not None:  # the handshake comes with the first read: here it would keep others waiting
                connection = tls.wrap_socket(connection, server_side=True, do_handshake_on_connect=False)
            return connection, address

        def handle_error(self, *args: object) -> None:
            pass

    with Server(("127.0.0.1", 0), Handler) as server:
        pages.address = f"127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield pages
        finally:
            pages.closing.set()
            server.shutdown()
            thread.join(10)


def _send(handler: BaseHTTPRequestHandler, pages: PageServer, page: Page) -> None:
    head = dict(page.headers)
    if page.content_type is not None:
        head["Content-Type"] = page.content_type
    if page.length is not False:
        head["Content-Length"] = str(len(page.body) if page.length is True else page.length)
    if page.close or page.length is False:
        head["Connection"] = "close"
    lines = [f"HTTP/1.1 {page.status} {HTTPStatus(page.status).phrase}", *(f"{k}: {v}" for k, v in head.items())]
    _write(handler, pages, ("\r\n".join(lines) + "\r\n\r\n").encode(), page.drip_head)
    stalls = page.stall_after is not None
    _write(handler, pages, page.body[: page.stall_after], page.drip)
    if stalls:
        pages.closing.wait(30)
    handler.close_connection = stalls or page.close or page.close_silently or page.length is False


def _write(handler: BaseHTTPRequestHandler, pages: PageServer, content: bytes, drip: float | None) -> None:
    if drip is None:
        handler.wfile.write(content)
        return
    for i in range(len(content)):
        if pages.closing.wait(drip):
            return
        handler.wfile.write(content[i : i + 1])

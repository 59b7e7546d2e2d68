"""A server of given metrics pages that remembers who asked for what, for scrapers to be compared on."""

import ssl
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import urlsplit

TEXT = "text/plain; version=0.0.4; charset=utf-8"
OPENMETRICS = "application/openmetrics-text; version=1.0.0; charset=utf-8"


@dataclass(frozen=True)
class Page:
    """One answer. ``stall_after`` bytes of the body it hangs until the server closes; ``drip`` seconds a byte."""

    body: bytes
    content_type: str | None = TEXT
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    stall_after: int | None = None
    drip: float | None = None
    close: bool = False
    length: bool = True


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

    def requests(self, path: str, agent: str) -> Sequence[Asked]:
        return self.asked.get((path, agent), [])

    def await_requests(self, counts: Mapping[str, int], agent: str, timeout: float) -> None:
        """Waits until each path was asked for so often; fails with those that were not."""

        def missing() -> list[str]:
            return [path for path, n in counts.items() if len(self.requests(path, agent)) < n]

        with self._changed:
            assert self._changed.wait_for(lambda: not missing(), timeout), f"not scraped in time: {missing()}"

    def answer(self, asked: Asked) -> Page:
        path = urlsplit(asked.target).path
        agent = asked.headers.get("User-Agent", "").partition(".")[0]
        with self._changed:
            before = self.asked.setdefault((path, agent), [])
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
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True

        def log_message(self, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        request_queue_size = 256

        def get_request(self):  # type: ignore[no-untyped-def]
            connection, address = super().get_request()
            connection.settimeout(30)
            return (tls.wrap_socket(connection, server_side=True), address) if tls else (connection, address)

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
    handler.send_response(page.status)
    if page.content_type is not None:
        handler.send_header("Content-Type", page.content_type)
    for name, value in page.headers.items():
        handler.send_header(name, value)
    if page.length:
        handler.send_header("Content-Length", str(len(page.body)))
    if page.close or not page.length:
        handler.send_header("Connection", "close")
        handler.close_connection = True
    handler.end_headers()
    if page.drip is not None:
        for i in range(len(page.body)):
            if pages.closing.wait(page.drip):
                break
            handler.wfile.write(page.body[i : i + 1])
    elif page.stall_after is not None:
        handler.wfile.write(page.body[: page.stall_after])
        handler.wfile.flush()
        pages.closing.wait(30)
        handler.close_connection = True
    else:
        handler.wfile.write(page.body)

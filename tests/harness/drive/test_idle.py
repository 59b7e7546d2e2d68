"""What moves without a request is found before the drill, and what scraping itself moves is not taken for it."""

import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from driftdrill.harness.drive.real_time_metrics import moving
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.stack.connection import Connection
from driftdrill.stack.scrape.job import page_job


class Page(BaseHTTPRequestHandler):
    """A counter of scrapes, a clock that ticks ten times a second, and a gauge that stands."""

    scrapes = 0

    def do_GET(self) -> None:
        type(self).scrapes += 1
        text = f"scrapes_total {self.scrapes}\nuptime {int(time.monotonic() * 10)}\nstill 1\nodd NaN\n".encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/plain; version=0.0.4")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        """Quiet."""


@pytest.fixture
def url() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Page) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_only_what_time_moves_is_of_the_wall_clock(url: str) -> None:
    with Scraper([page_job("m", Connection(url))], evaluation_intervals=[15.0]) as scraper:
        deadline = time.monotonic() + 20
        while True:  # a slow machine may let the clock tick between the two scrapes at once
            idle, scraped = moving(scraper, time.sleep)
            found = idle - {"scrape_duration_seconds"}
            if found or time.monotonic() > deadline:
                break
        assert found == {"uptime"}
        assert "scrapes_total" in {scraper.table.labels(i)["__name__"] for i in scraped}

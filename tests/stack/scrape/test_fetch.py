"""One GET under a deadline, on real sockets."""

import gzip
import socket
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from driftdrill.stack.connection import Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.fetch import Fetcher, ssl_context
from driftdrill.stack.scrape.job import Access, Inline, Tls
from tests.stack.scrape.page_server import Asked, Page, PageServer, page_server


@pytest.fixture
def pages() -> Iterator[PageServer]:
    with page_server() as server:
        yield server


def _get(pages: PageServer, path: str, *, access: Access | None = None, timeout: float = 5.0, limit: int = 0) -> bytes:
    fetcher = Fetcher(access or Access())
    try:
        return fetcher.get(f"http://{pages.address}{path}", {}, timeout=timeout, limit=limit).body
    finally:
        fetcher.close()


def test_one_connection_serves_many_requests(pages: PageServer) -> None:
    pages.serve("/", b"a 1\n")
    fetcher = Fetcher(Access())
    for _ in range(5):
        assert fetcher.get(f"http://{pages.address}/", {}, timeout=5).body == b"a 1\n"
    fetcher.close()
    assert pages.connections == 1


def test_a_kept_connection_that_the_server_closed_is_opened_anew(pages: PageServer) -> None:
    """The server closes without saying so, as one does that restarts."""
    pages.serve("/", Page(b"a 1\n", close_silently=True))
    fetcher = Fetcher(Access())
    for _ in range(3):
        assert fetcher.get(f"http://{pages.address}/", {}, timeout=5).body == b"a 1\n"
    fetcher.close()
    assert pages.connections == 3


@pytest.mark.parametrize(
    "page",
    [
        Page(b"a 1\n" * 100, stall_after=10),
        Page(b"a 1\n" * 200, drip=0.02),
        Page(b"a 1\n" * 100, drip_head=0.2),
        Page(gzip.compress(b"a 1\n" * 100), headers={"Content-Encoding": "gzip"}, drip=0.3),
    ],
    ids=["hangs half-way", "drips its body", "drips its head", "drips a compressed body"],
)
def test_the_deadline_is_for_the_whole_answer(pages: PageServer, page: Page) -> None:
    pages.serve("/", page)
    started = time.monotonic()
    with pytest.raises(StackError, match=r"no complete answer within 300ms"):
        _get(pages, "/", timeout=0.3)
    assert time.monotonic() - started < 5  # the whole answer takes longer


def test_a_connection_that_failed_is_not_used_again(pages: PageServer) -> None:
    """What is left of a late answer would be taken for the next one."""
    pages.serve("/", Page(b"a 1\n" * 100, stall_after=10), Page(b"b 1\n"))
    fetcher = Fetcher(Access())
    with pytest.raises(StackError):
        fetcher.get(f"http://{pages.address}/", {}, timeout=0.2)
    assert fetcher.get(f"http://{pages.address}/", {}, timeout=5).body == b"b 1\n"
    fetcher.close()


def test_a_body_is_read_no_further_than_its_limit(pages: PageServer) -> None:
    bomb = gzip.compress(b"\0" * 50_000_000, compresslevel=1)
    pages.serve("/", Page(bomb, headers={"Content-Encoding": "gzip"}))
    started = time.process_time()
    with pytest.raises(StackError, match="limit of 1000 bytes"):
        _get(pages, "/", limit=1000)
    assert time.process_time() - started < 1
    pages.serve("/999", b"x" * 999)
    assert len(_get(pages, "/999", limit=1000)) == 999


@pytest.mark.parametrize(
    ("access", "sent"),
    [
        (Access(authorization=("Bearer", Inline("t"))), {"Authorization": "Bearer t"}),
        (Access(basic=("me", Secret(env="PAGE_PASSWORD"))), {"Authorization": "Basic bWU6cHc="}),
        (Access(headers=(("X-Tenant", "a"), ("X-Key", Inline("k")))), {"X-Tenant": "a", "X-Key": "k"}),
    ],
)
def test_credentials_are_sent(
    pages: PageServer, monkeypatch: pytest.MonkeyPatch, access: Access, sent: dict[str, str]
) -> None:
    monkeypatch.setenv("PAGE_PASSWORD", "pw")
    pages.serve("/", b"a 1\n")
    _get(pages, "/", access=access)
    assert sent.items() <= pages.requests("/", "driftdrill")[0].headers.items()


def test_a_missing_credential_is_named(pages: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PAGE_PASSWORD", raising=False)
    with pytest.raises(StackError, match="PAGE_PASSWORD is not set"):
        _get(pages, "/", access=Access(basic=("me", Secret(env="PAGE_PASSWORD"))))


def test_a_redirect_takes_credentials_to_the_same_host_only(pages: PageServer) -> None:
    with page_server() as other:
        other.serve("/", b"b 1\n")
        pages.serve("/", b"a 1\n")
        pages.serve("/same", Page(b"", status=301, headers={"Location": "/"}))
        pages.serve("/other", Page(b"", status=301, headers={"Location": f"http://{other.address}/"}))
        access = Access(authorization=("Bearer", Inline("t")))
        assert _get(pages, "/same", access=access) == b"a 1\n"
        assert _get(pages, "/other", access=access) == b"b 1\n"
        assert "Authorization" in pages.requests("/", "driftdrill")[0].headers
        assert "Authorization" not in other.requests("/", "driftdrill")[0].headers


def test_a_redirect_to_a_host_that_nobody_allowed_is_refused(pages: PageServer) -> None:
    pages.serve("/", Page(b"", status=301, headers={"Location": "http://metrics.example/"}))
    with pytest.raises(StackError, match=r"redirected to metrics\.example, another host"):
        _get(pages, "/")


def test_a_server_that_accepts_no_connection_is_given_up_in_time() -> None:
    """Its queue is full: what comes is not even refused."""
    with socket.socket() as server, ExitStack() as waiting:
        server.bind(("127.0.0.1", 0))
        server.listen(0)
        for _ in range(4):
            one = waiting.enter_context(socket.socket())
            one.setblocking(False)
            one.connect_ex(server.getsockname())
        started = time.monotonic()
        with pytest.raises(StackError, match="no complete answer within"):
            Fetcher(Access()).get(f"http://127.0.0.1:{server.getsockname()[1]}/", {}, timeout=0.3)
        assert time.monotonic() - started < 5


def test_the_environments_proxies_are_ignored(pages: PageServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    pages.serve("/", b"a 1\n")
    assert _get(pages, "/") == b"a 1\n"


FAULTS: dict[str, tuple[Callable[[Asked, int], Page], str]] = {
    "no server": (lambda *_: Page(b""), "Connection refused"),
    "cut short": (lambda *_: Page(b"a 1\n", length=100, close=True), "IncompleteRead"),
    "not gzip": (lambda *_: Page(b"a 1\n", headers={"Content-Encoding": "gzip"}), "Not a gzipped file"),
    "half a gzip": (lambda *_: Page(gzip.compress(b"a")[:-5], headers={"Content-Encoding": "gzip"}), "ended before"),
    "round and round": (lambda *_: Page(b"", status=302, headers={"Location": "/"}), "10 redirects"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_whatever_goes_wrong_is_one_kind_of_error(pages: PageServer, name: str) -> None:
    pages.answers["/"], reason = FAULTS[name]
    url = "http://127.0.0.1:1/" if name == "no server" else f"http://{pages.address}/"
    with pytest.raises(StackError, match=reason):
        Fetcher(Access()).get(url, {}, timeout=5)


def test_certificate_files_that_cannot_be_read_are_told(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_text("nonsense")
    for tls in (Tls(ca_file=str(tmp_path / "ca.pem")), Tls(cert_file="/nowhere"), Tls(min_version="TLS99")):
        with pytest.raises(StackError, match="tls_config"):
            ssl_context(tls)
    assert ssl_context(Tls(insecure_skip_verify=True)).verify_mode == ssl.CERT_NONE

"""The search for the smallest payload that breaks a property, and the curl line that sends it again."""

import json
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from driftdrill.harness.edge.curl import curl
from driftdrill.harness.edge.probe import Bounds
from driftdrill.harness.edge.search import PROPERTIES, Search, search, told
from driftdrill.harness.errors import RigError
from driftdrill.harness.traffic.protocols import Request
from driftdrill.stack.connection import Connection, Secret
from tests.harness.edge.servers import ROW, React, prober, served
from tests.harness.traffic.sockets import always, listening

pytest.importorskip("hypothesis")


def searched(
    react: React, name: str = "no-5xx", bounds: Bounds | None = None, examples: int = 150, timeout: float = 5.0
) -> tuple[Search, list[bytes]]:
    """A search against a server that reacts so, and the bodies that it got."""
    bodies: list[bytes] = []

    def noted(body: bytes, number: int) -> Any:
        bodies.append(body)
        return react(body, number)

    with served(noted) as server:
        asking = prober(server, timeout=timeout)
        found = Search(asking, PROPERTIES[name][1], bounds or Bounds())
        search(found, ROW, examples=examples, seed=3)
        asking.client.close()
    return found, bodies


def fragile(body: bytes, number: int) -> Any:
    """Crashes on any x above 1,000."""
    try:
        x = json.loads(body)["x"]
        return (500, b"overflow") if isinstance(x, (int, float)) and x > 1000 else None
    except (ValueError, LookupError, TypeError, RecursionError):
        return 400, b""


def test_it_finds_the_smallest_change_that_breaks_the_service() -> None:
    found, _ = searched(fragile)
    assert found.best is not None
    change, request, answer = found.best
    ((column, text),) = change.cells
    assert (column, answer.status) == ("x", 500)
    assert json.loads(text) > 1000
    assert len(text) <= 4, "1001, or 1e9 in as many letters"
    assert json.loads(request.body) == {"x": json.loads(text), "kind": "a"}


def test_the_same_seed_sends_the_same_requests_and_none_of_them_twice() -> None:
    (_, one), (_, other) = (searched(fragile, examples=60) for _ in range(2))
    assert one == other
    valid = b'{"x": 4.0, "kind": "a"}'
    tried = [b for b in one if b != valid and b[:1] == b"{"]
    assert len(set(tried)) == len(tried)


def test_a_service_that_takes_everything_well_holds() -> None:
    found, bodies = searched(lambda body, number: None, examples=60)
    assert found.best is None
    assert found.why == ""
    assert len(found.known) > 40
    assert told(found, "no-5xx", 3, Path()).exit_code == 0
    assert any(b"NaN" in b for b in bodies)


@pytest.mark.parametrize(
    ("name", "said"),
    [("no-5xx", "reset"), ("no-hang", "hang"), ("no-nan", b'{"prediction": NaN}'), ("no-nan", (502, b""))],
)
def test_each_property_is_broken_by_what_it_speaks_of(name: str, said: Any) -> None:
    found, _ = searched(
        lambda body, number: said if b'"x": null' in body else None,
        name,
        examples=400,
        timeout=1.0 if said == "hang" else 5.0,
    )
    assert found.best is not None
    assert str(found.best[0]) == "x = null"


def test_a_case_of_the_table_is_found_too() -> None:
    found, _ = searched(
        lambda body, number: (500, b"") if body.startswith(b"[") else (400, b"") if b"x" not in body else None
    )
    assert found.best is not None
    assert str(found.best[0]) == "edge.batch_shape.empty: a batch without rows"


def test_a_service_that_dies_ends_the_search_with_what_killed_it() -> None:
    """Every request after it fails as well: none of them is the smallest."""
    found, bodies = searched(lambda body, number: "die" if b"true" in body or b"false" in body else None)
    assert found.why == "the service no longer answers the valid row"
    assert found.best is not None
    assert found.breaking == 1
    assert found.best[1].body in bodies[-3:]
    assert "no longer answers" in told(found, "no-5xx", 3, Path()).why


def test_requests_and_seconds_are_bounded_and_a_search_that_ended_early_has_not_held() -> None:
    few, bodies = searched(lambda body, number: None, bounds=Bounds(requests=20), examples=30)
    assert len(bodies) <= 20
    assert told(few, "no-5xx", 3, Path()).exit_code == 2
    assert "(--seconds)" in searched(lambda body, number: None, bounds=Bounds(seconds=-1.0), examples=3)[0].why


def test_without_hypothesis_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "hypothesis", None)
    with served() as server, pytest.raises(RigError, match="needs hypothesis") as refused:
        search(Search(prober(server), PROPERTIES["no-5xx"][1], Bounds()), ROW, examples=5, seed=0)
    assert refused.value.hint == "pip install hypothesis"


# The curl line.


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl to run the lines with")
@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b'{"x": NaN, "k": "it\'s $HOME `ls` \\u00e9 \\"\\\\"}', "application/json"),
        (b'{"k": "\xed\xa0\x80"}', "application/json"),
        ('{"k": "é 👩‍🚀"}'.encode(), "application/json"),
        (b'{"k": "\n\x00"}', ""),
        (b"@/etc/hostname", "text/plain"),
        (b'{"k": "' + b"x" * 200_000 + b'"}', "application/json"),
        (b"", "application/json"),
    ],
    ids=["quotes", "no UTF-8", "UTF-8", "controls", "at", "long", "empty"],
)
def test_a_curl_line_sends_the_same_bytes(body: bytes, content_type: str, tmp_path: Path) -> None:
    seen: list[bytes] = []

    def react(got: bytes, number: int) -> Any:
        seen.append(got)
        return 200, b"{}"

    with served(react) as server:
        request = Request((body,), content_type, (("Content-Encoding", "gzip"),))
        line = curl(Connection(server.url), server.url + "/predict?a=1&b=2", request, tmp_path)
        done = subprocess.run(["bash", "-c", line], capture_output=True, timeout=20, check=True)
    assert done.stdout.startswith(b"HTTP/1.1 200")
    assert seen == [body]
    head = server.heads[0].decode().split("\r\n")
    assert head[0] == "POST /predict?a=1&b=2 HTTP/1.1"
    assert "Content-Encoding: gzip" in head
    assert [h for h in head if h.startswith("Content-Type")] == (
        [f"Content-Type: {content_type}"] if content_type else []
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl to run the lines with")
def test_no_credential_is_in_the_line_and_each_is_sent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key = tmp_path / "a key"
    key.write_text("s3cret-key\n")
    monkeypatch.setenv("EDGE_TOKEN", "s3cret-token")
    monkeypatch.setenv("EDGE_PASSWORD", "s3cret password")
    with listening(always()) as server:
        for access in ({"bearer": Secret(env="EDGE_TOKEN")}, {"basic": ('us"er', Secret(env="EDGE_PASSWORD"))}):
            secrets: Any = {"secret_headers": {"X-Api-Key": Secret(file=str(key))}, **access}
            connection = Connection(server.url, headers={"X-Team": "it's"}, **secrets)
            line = curl(connection, server.url, Request((b"{}",), "application/json"), tmp_path)
            assert "s3cret" not in line
            subprocess.run(["bash", "-c", line], capture_output=True, timeout=20, check=True)
    heads = [head.decode() for head in server.heads]
    assert all("X-Api-Key: s3cret-key\r\n" in head + "\r\n" and "X-Team: it's\r\n" in head for head in heads)
    assert "Authorization: Bearer s3cret-token" in heads[0]
    assert "Authorization: Basic dXMiZXI6czNjcmV0IHBhc3N3b3Jk" in heads[1]


def test_certificates_are_in_the_line(tmp_path: Path) -> None:
    connection = Connection("https://model:8443", ca="/c a.pem", cert="/c.pem", key="/k.pem")
    words = shlex.split(curl(connection, connection.url, Request((b"{}",), "application/json"), tmp_path))
    assert words[words.index("--cacert") + 1] == "/c a.pem"
    assert words[words.index("--cert") + 1 : words.index("--cert") + 4] == ["/c.pem", "--key", "/k.pem"]

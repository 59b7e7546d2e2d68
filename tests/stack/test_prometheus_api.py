"""What answers, and is no Prometheus, or not all of one, is told as such; prefixes, tenants and certificates work."""

import json
import shutil
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from driftdrill.stack.connection import Connection, Secret
from driftdrill.stack.errors import StackError
from driftdrill.stack.process import running
from driftdrill.stack.prometheus.api import Server, query, ready, rules, targets
from driftdrill.stack.prometheus.server import prometheus
from tests.stack.pages import Answer, Pages, serve

JSON = {"Content-Type": "application/json"}
HTML = {"Content-Type": "text/html"}


def told_by(pages: Pages, call: Callable[[Server], object]) -> StackError:
    """The error that a call makes of such a server."""
    with serve(pages) as url, pytest.raises(StackError) as told:
        call(Server(Connection(url, timeout=2), "", "server", None))
    return told.value


@pytest.mark.parametrize(
    ("answer", "cause", "hint"),
    [
        (Answer("<html>Welcome</html>", headers=HTML), "answered 200 with HTML", "URL"),
        (Answer("<html>Bad gateway</html>", 502, HTML), "answered 502 with HTML", "URL"),
        (Answer("pong"), "what is not Prometheus's JSON: 'pong'", "is this a Prometheus"),
        (Answer("", 200), "what is not Prometheus's JSON", "is this a Prometheus"),
        (Answer('{"status": "success", "data": {"result": []}}', headers=JSON), "not Prometheus's JSON", "Prometheus"),
        (Answer('{"groups": []}', headers=JSON), "not Prometheus's JSON", "is this a Prometheus"),
        (Answer("no such page", 404), "no such page", "prefix"),
        (Answer("no org id", 401), "401: no org id", "X-Scope-OrgID"),
        (Answer("Unauthorized", 401), "401: Unauthorized", "bearer"),
        (Answer("", 403), "403: not allowed", "bearer"),
        (
            Answer("", 302, {"Location": "https://sso.example/login?token=s3cret"}),
            "redirected to https://sso.",
            "login",
        ),
        (Answer('{"status": "error", "error": "too many samples"}', 422, JSON), "422: too many samples", "query"),
    ],
)
def test_what_is_no_answer_of_prometheus_is_told_with_what_to_do(answer: Answer, cause: str, hint: str) -> None:
    told = told_by(lambda *_: answer, lambda server: query(server, "up"))
    assert cause in told.cause
    assert hint in (told.hint or "")
    assert "s3cret" not in str(told)


def test_a_server_without_a_rules_page_is_told_as_such() -> None:
    """A Mimir distributor and a Thanos store answer queries or pushes, and 404 here."""
    told = told_by(lambda *_: Answer("404 page not found\n", 404), rules)
    assert "this server evaluates no rules: it has no /api/v1/rules" in told.cause
    assert "ruler" in (told.hint or "")


def test_victoriametrics_whose_rules_page_is_a_placeholder_is_told_as_such() -> None:
    headers = {**JSON, "X-Server-Hostname": "vm-0"}
    told = told_by(lambda *_: Answer('{"status":"success","data":{"groups":[]}}', headers=headers), rules)
    assert "VictoriaMetrics stores samples; vmalert evaluates the rules" in told.cause


def test_a_prometheus_without_rules_is_no_error() -> None:
    with serve(lambda *_: Answer('{"status":"success","data":{"groups":[]}}', headers=JSON)) as url:
        assert rules(Server(Connection(url), "", "server", None)) == ()


@contextmanager
def silent_port(accept: bool) -> Iterator[str]:
    """A port that accepts and says nothing, or that refuses."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        if accept:
            yield url
    if not accept:
        yield url


def test_a_server_that_hangs_is_given_up_in_time() -> None:
    begun = time.monotonic()
    with silent_port(accept=True) as url, pytest.raises(StackError, match=r"took more than 300ms"):
        query(Server(Connection(url, timeout=0.3), "", "server", None), "up")
    assert time.monotonic() - begun < 5


def test_a_server_that_refuses_is_told() -> None:
    with silent_port(accept=False) as url:
        server = Server(Connection(url), "", "server", None)
        with pytest.raises(StackError, match="no Prometheus answers there"):
            targets(server)
        assert not ready(server)


def test_a_server_that_breaks_off_in_mid_answer_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def break_off() -> None:
            connection, _ = listener.accept()
            connection.recv(65536)
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nff\r\n{")
            connection.close()

        thread = threading.Thread(target=break_off)
        thread.start()
        with pytest.raises(StackError, match="broke off its answer"):
            query(Server(Connection(f"http://127.0.0.1:{listener.getsockname()[1]}"), "", "server", None), "up")
        thread.join(5)


def test_tenant_header_and_prefix_are_sent_with_every_call(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[str, Mapping[str, str]]] = []
    data = {"/prom/api/v1/rules": {"groups": []}, "/prom/api/v1/targets?state=active": {"activeTargets": []}}

    def pages(path: str, headers: Mapping[str, str]) -> Answer:
        seen.append((path, headers))
        answer = data.get(path, {"resultType": "vector", "result": []})
        return Answer(json.dumps({"status": "success", "data": answer}), headers=JSON)

    monkeypatch.setenv("PLANTED", "token-of-ours")
    with serve(pages) as url:
        connection = Connection(f"{url}/prom", headers={"X-Scope-OrgID": "team"}, bearer=Secret(env="PLANTED"))
        server = Server(connection, "", "server", None)
        assert (rules(server), targets(server), query(server, "up")) == ((), (), ())
    assert [path for path, _ in seen] == [*data, "/prom/api/v1/query"]
    assert {(h["x-scope-orgid"], h["authorization"]) for _, h in seen} == {("team", "Bearer token-of-ours")}


WEB = """\
tls_server_config:
  cert_file: cert.pem
  key_file: key.pem
  client_auth_type: RequireAndVerifyClientCert
  client_ca_file: cert.pem
basic_auth_users:
  drill: $2b$04$I8S43WSFRibgvREXlhoxMu.r4Nu0hf4s09rmw1FYfjElSjAjFSnPK
"""


@pytest.fixture
def guarded_server(prometheus_binary: str, tmp_path: Path) -> Iterator[Connection]:
    """A Prometheus below a URL prefix that wants TLS, a client certificate and a password; the way to reach it."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make certificates with")
    subject = ["-subj", "/CN=127.0.0.1", "-addext", "subjectAltName=IP:127.0.0.1"]
    pem = ["-keyout", str(tmp_path / "key.pem"), "-out", str(tmp_path / "cert.pem")]
    subprocess.run(
        [openssl, "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", *subject, *pem],
        check=True,
        capture_output=True,
        timeout=60,
    )
    (tmp_path / "web.yml").write_text(WEB)
    (tmp_path / "prometheus.yml").write_text("global: {scrape_interval: 1s}\n")
    (tmp_path / "password").write_text("planted")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    folder = tmp_path / "run"
    folder.mkdir()
    flags = [
        f"--config.file={tmp_path}/prometheus.yml",
        f"--web.config.file={tmp_path}/web.yml",
        f"--web.listen-address=127.0.0.1:{port}",
        "--web.external-url=https://127.0.0.1/monitoring",
        f"--storage.tsdb.path={folder}/data",
    ]
    connection = Connection(
        f"https://127.0.0.1:{port}/monitoring",
        basic=("drill", Secret(file=str(tmp_path / "password"))),
        ca=str(tmp_path / "cert.pem"),
        cert=str(tmp_path / "cert.pem"),
        key=str(tmp_path / "key.pem"),
    )
    with running([prometheus_binary, *flags], folder=folder) as process:
        deadline = time.monotonic() + 20
        while not ready(Server(connection, "", "server", None)):
            assert process.exit_code() is None, process.log()
            assert time.monotonic() < deadline, process.log()
            time.sleep(0.05)
        yield connection


def test_a_real_prometheus_behind_prefix_certificates_and_password_is_reached(guarded_server: Connection) -> None:
    with prometheus(how="server", connection=guarded_server) as server:
        assert server.version
        assert rules(server) == ()
        assert ready(server)


def test_a_missing_prefix_password_or_certificate_is_told(guarded_server: Connection) -> None:

    root = guarded_server.url.removesuffix("/monitoring")
    for connection, cause, hint in (
        (replace(guarded_server, url=root), "404", "prefix"),
        (replace(guarded_server, basic=None), "401", "bearer"),
        (replace(guarded_server, ca=None), "TLS handshake failed: certificate verify failed", "`ca`"),
    ):
        with pytest.raises(StackError) as told:
            query(Server(connection, "", "server", None), "up")
        assert cause in told.value.cause
        assert hint in (told.value.hint or "")
    with pytest.raises(StackError) as told:
        query(Server(replace(guarded_server, cert=None, key=None), "", "server", None), "up")
    assert any(cause in told.value.cause for cause in ("TLS handshake failed", "no Prometheus answers"))


def test_a_large_answer_is_read_quickly() -> None:
    values = ",".join(f'[{1_700_000_000 + n * 15}.123,"{n}.5"]' for n in range(2000))
    series = ",".join(f'{{"metric":{{"__name__":"m","i":"{n}"}},"values":[{values}]}}' for n in range(50))
    body = f'{{"status":"success","data":{{"resultType":"matrix","result":[{series}]}}}}'
    with serve(lambda *_: Answer(body, headers=JSON)) as url:
        begun = time.process_time()
        found = query(Server(Connection(url), "", "server", None), "m[9h]")
        assert time.process_time() - begun < 2
    assert len(found) == 50
    assert found[3].samples[1] == (1_700_000_015.123, 1.5)

"""Credentials open what they are for, and are found nowhere afterwards: no file, no line printed, no process list."""

import base64
import gzip
import shutil
import socket
import ssl
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from driftdrill.stack.connection import Connection, Secret
from driftdrill.stack.process import running as process_running
from driftdrill.stack.prometheus.api import Server, ready
from tests.harness import scenarios, toy
from tests.harness.command import Cli, Done, Running, eventually
from tests.harness.toy import Answer, Toy

BEARER, KEY, PASSWORD, QUERY = "planted-bearer-3f1b", "planted-key-77aa", "planted-password-90c2", "planted"
PAIR = base64.b64encode(f"drill:{PASSWORD}".encode()).decode()
QUERY_PAIR = base64.b64encode(f"drill:{QUERY}".encode()).decode()
PLANTED = [BEARER, KEY, PASSWORD, PAIR, QUERY_PAIR, *(base64.b64encode(s.encode()).decode() for s in (BEARER, KEY))]
ENV = {"MODEL_TOKEN": BEARER, "API_KEY": KEY, "PROMETHEUS_PASSWORD": QUERY}


def admit(path: str, headers: Mapping[str, str]) -> bool:
    """The model wants a bearer token and a key of its own; its metrics page a user and a password."""
    if path == "/predict":
        return (headers.get("authorization"), headers.get("x-api-key")) == (f"Bearer {BEARER}", KEY)
    return headers.get("authorization") == f"Basic {PAIR}"


@dataclass(frozen=True)
class Pem:
    """Certificates made by a CA of the test's own."""

    ca: Path
    server: Path
    client: Path

    def context(self) -> ssl.SSLContext:
        """A server's, which lets in nobody without a certificate of the CA's."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.server)
        context.load_verify_locations(self.ca)
        context.verify_mode = ssl.CERT_REQUIRED
        return context


@pytest.fixture(scope="session")
def pem(tmp_path_factory: pytest.TempPathFactory) -> Pem:
    """A CA, and a server's and a client's certificate with their keys, one file each."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("no openssl to make certificates with")
    folder = tmp_path_factory.mktemp("pem")

    def run(*args: str) -> None:
        subprocess.run([openssl, *args], cwd=folder, check=True, capture_output=True, timeout=60)

    def request(name: str, *more: str) -> None:
        run("req", "-newkey", "rsa:2048", "-nodes", "-keyout", f"{name}.key", "-subj", f"/CN={name}", *more)

    request("ca", "-x509", "-days", "2", "-out", "ca.pem")
    (folder / "names").write_text("subjectAltName=IP:127.0.0.1")
    for name in ("server", "client"):
        request(name, "-out", f"{name}.csr")
        sign = ["-in", f"{name}.csr", "-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-extfile", "names"]
        run("x509", "-req", "-days", "2", *sign, "-out", f"{name}.crt")
        (folder / f"{name}.pem").write_text((folder / f"{name}.crt").read_text() + (folder / f"{name}.key").read_text())
    return Pem(folder / "ca.pem", folder / "server.pem", folder / "client.pem")


def configure(cli: Cli, model: Toy, more: str = "") -> None:
    """A driftdrill.toml that names every credential, from variables and from a file outside the working folder."""
    password = cli.folder.parent / "password"
    password.write_text(PASSWORD + "\n")
    cli.env |= ENV
    (cli.folder / "driftdrill.toml").write_text(
        f"""
[targets.toy]
url = "{model.url}"
bearer = {{ env = "MODEL_TOKEN" }}
secret_headers = {{ X-Api-Key = {{ env = "API_KEY" }} }}
{more}

[[targets.toy.metrics]]
url = "{model.url}/metrics"
basic = {{ user = "drill", password = {{ file = "{password}" }} }}
{more}
"""
    )


def watch(running: Running) -> tuple[Done, set[str]]:
    """Wait for the end, and gather every command line of the drill and of its children meanwhile."""
    seen: set[str] = set()

    def look() -> bool:
        seen.update(running.children().values())
        return running.ended

    eventually(look, "the drill ends", 90, every=0.05)
    seen.add(" ".join(map(str, running.popen.args)))  # type: ignore[arg-type]
    return running.wait(), seen


def check_nowhere(done: Done, commands: set[str]) -> None:
    """No planted secret, plain or in base64, in files below the folder, in what was printed, in command lines."""
    texts = {"stdout": done.out, "stderr": done.err, "command lines": "\n".join(commands)}
    for file in done.folder.rglob("*"):
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            content = gzip.decompress(content) if file.suffix == ".gz" else content
            texts[str(file)] = content.decode("utf-8", "replace")
    leaks = [(where, secret) for where, text in texts.items() for secret in PLANTED if secret in text]
    assert not leaks
    assert len([name for name in texts if ".drill/" in name]) >= 4, texts.keys()


OUTPUTS = ("--json", "v.json", "--junit", "v.xml", "--html", "v.html", "--markdown", "v.md")


def test_no_credential_of_a_virtual_drill_is_found_anywhere(cli: Cli) -> None:
    with toy.serve(Toy(admit=admit)) as model:
        configure(cli, model)
        done, commands = watch(cli.start("run", scenarios.write(cli.folder), *OUTPUTS))

    assert done.code == 0, done
    check_nowhere(done, commands)


@pytest.mark.slow
def test_no_credential_of_a_wall_drill_with_certificates_is_found_anywhere(cli: Cli, pem: Pem) -> None:
    with toy.serve(Toy(admit=admit), pem.context()) as model:
        configure(cli, model, f'ca = "{pem.ca}"\ncert = "{pem.client}"\nkey = "{pem.client}"')
        done, commands = watch(cli.start("run", scenarios.write(cli.folder, scenarios.WALL), *OUTPUTS))

    assert done.code == 0, done
    assert any("prometheus" in command for command in commands)
    check_nowhere(done, commands)


@contextmanager
def guarded_prometheus(binary: str, folder: Path, model: Toy) -> Iterator[str]:
    """A Prometheus that was there before, behind a user and a password; it scrapes the toy."""
    folder.mkdir()
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    (folder / "password").write_text(PASSWORD)
    address = model.url.removeprefix("http://")
    (folder / "prometheus.yml").write_text(
        f"""
global: {{scrape_interval: 1s, evaluation_interval: 1s}}
rule_files: [{folder.parent}/here/toy.yml]
scrape_configs:
- job_name: model
  basic_auth: {{username: drill, password_file: {folder}/password}}
  static_configs: [{{targets: ["{address}"]}}]
"""
    )
    # The hash is of "planted": bcrypt is not in the standard library.
    hashed = "$2b$04$I8S43WSFRibgvREXlhoxMu.r4Nu0hf4s09rmw1FYfjElSjAjFSnPK"
    (folder / "web.yml").write_text(f"basic_auth_users: {{drill: {hashed}}}\n")
    flags = [
        f"--config.file={folder}/prometheus.yml",
        f"--web.config.file={folder}/web.yml",
        f"--web.listen-address=127.0.0.1:{port}",
        f"--storage.tsdb.path={folder}/data",
    ]
    url = f"http://127.0.0.1:{port}"
    asked = Server(Connection(url, basic=("drill", Secret(file=str(folder / "planted")))), "", "server", None)
    (folder / "planted").write_text(QUERY)
    with process_running([binary, *flags], folder=folder) as started:
        eventually(lambda: ready(asked) or started.exit_code() is not None, "Prometheus is ready")
        eventually(lambda: model.scrapes > 0, "the toy is scraped")
        yield url


@pytest.mark.slow
def test_no_credential_of_an_existing_prometheus_is_found_anywhere(cli: Cli, prometheus_binary: str) -> None:
    file = scenarios.write(cli.folder, scenarios.WALL)
    with (
        toy.serve(Toy(admit=admit)) as model,
        guarded_prometheus(prometheus_binary, cli.folder.parent / "server", model) as url,
    ):
        configure(cli, model)
        basic = 'basic = { user = "drill", password = { env = "PROMETHEUS_PASSWORD" } }'
        with (cli.folder / "driftdrill.toml").open("a") as f:
            f.write(f'[prometheus]\nurl = "{url}"\n{basic}\n')
        refused = cli("run", file, env={"PROMETHEUS_PASSWORD": "wrong"}).refused()
        done, commands = watch(cli.start("run", file, *OUTPUTS))

    assert "401" in refused[0]
    assert done.code == 0, done
    check_nowhere(done, commands)


def test_a_server_that_echoes_a_credential_does_not_get_it_printed(cli: Cli) -> None:
    """An error page may show the headers that it got; the excerpt of it must not."""

    def echo(number: int, asked: object) -> Answer:
        return Answer(f"no entry for Bearer {BEARER} and {KEY}", 403)

    with toy.serve(Toy(predict=echo)) as model:
        configure(cli, model)
        done = cli("run", scenarios.write(cli.folder))

    cause, remedy = done.refused()
    assert "answered 403 to a clean row: no entry for Bearer *** and ***" in cause
    assert "bearer" in remedy


def test_a_credential_that_is_not_set_is_told_by_its_source(cli: Cli) -> None:
    with toy.serve(Toy(admit=admit)) as model:
        configure(cli, model)
        told = cli("run", scenarios.write(cli.folder), env={"API_KEY": None}).refused()
        (cli.folder.parent / "password").unlink()
        missing = cli("run", scenarios.write(cli.folder)).refused()

    assert told == ("environment variable API_KEY is not set", "export API_KEY=…")
    assert "credential file" in missing[0]
    assert "No such file" in missing[0]


@pytest.mark.parametrize("lost", ["ca", "cert"])
def test_a_certificate_that_does_not_fit_is_told(cli: Cli, pem: Pem, lost: str) -> None:
    keys = {"ca": pem.ca, "cert": pem.client, "key": pem.client}
    keys = {k: v for k, v in keys.items() if k != lost and (lost != "cert" or k != "key")}
    with toy.serve(Toy(), pem.context()) as model:
        lines = "\n".join(f'{k} = "{v}"' for k, v in keys.items())
        (cli.folder / "driftdrill.toml").write_text(f'[targets.toy]\nurl = "{model.url}"\n{lines}\n')
        cause, remedy = cli("run", scenarios.write(cli.folder)).refused()

    assert f"no answer from {model.url}/predict" in cause
    assert "cert" in remedy

"""driftdrill.toml becomes the very values that a drill is made of; what it does not know it refuses."""

import re
from pathlib import Path

import pytest

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.setup.file import Config, load_config
from driftdrill.harness.setup.target import Listens, MetricsEndpoint, ProtocolOptions, Target
from driftdrill.stack.connection import Connection, Secret
from driftdrill.stack.faults.process import Call, Command, Container, LocalProcess, Operate, hook
from driftdrill.stack.faults.process.steps import Function

TARGET = "[targets.toy]\nurl = 'http://127.0.0.1:9'\n"

WHOLE = """
allow_hosts = ["model.staging"]
seed = 3

[targets.toy]
url = "https://127.0.0.1:9/v7/score"
protocol = "json"
body = '{"rows": $rows}'
result = "predictions[*].score"
replicas = ["https://127.0.0.1:8"]
rows = "rows.csv"
truth = "label"
bearer = { file = "token" }
request_counter = "requests_total"
headers = { key = "team-a" }
secret_headers = { file = { env = "API_KEY" } }
ca = "ca.pem"
cert = "~/client.pem"
key = "/etc/client.key"
timeout = 3
proxy = "http://127.0.0.1:3128"
process = { pid = 77, restart = ["python", "serve.py"] }
admin = { env = "ADMIN" }
toxiproxy = "http://127.0.0.1:8474"

[targets.toy.hooks.old]
apply = { command = ["./deploy", "old"] }
revert = { call = "http://127.0.0.1:7/", method = "PUT", bearer = { file = "token" } }
check = { function = "checks.py:is_old" }
timeout = 5
[targets.toy.hooks.stopped]
apply = { container = "model", do = "stop" }
revert = { container = "model" }

[[targets.toy.metrics]]
url = "http://127.0.0.1:6/metrics"
basic = { user = "u", password = { file = "password" } }
labels = { file = "team" }

[prometheus]
url = "https://127.0.0.1:5/prefix"
binary = "bin/prometheus"
engine = "promtool-3.5"
headers = { X-Scope-OrgID = "team-a" }
"""


def test_every_key_arrives_where_it_belongs_and_paths_are_relative_to_the_file(tmp_path: Path) -> None:
    (tmp_path / "driftdrill.toml").write_text(WHOLE)
    token, here = Secret(file=f"{tmp_path}/token"), str(tmp_path)
    access = {
        "headers": {"key": "team-a"},
        "secret_headers": {"file": Secret(env="API_KEY")},
        "bearer": token,
        "ca": f"{here}/ca.pem",
        "cert": str(Path.home() / "client.pem"),
        "key": "/etc/client.key",
        "timeout": 3.0,
        "proxy": "http://127.0.0.1:3128",
    }
    page = Connection("http://127.0.0.1:6/metrics", basic=("u", Secret(file=f"{here}/password")))

    read = load_config(tmp_path / "driftdrill.toml")

    assert read.targets["toy"] == Target(
        name="toy",
        connection=Connection("https://127.0.0.1:9", **access),  # type: ignore[arg-type]
        replicas=(Connection("https://127.0.0.1:8", **access),),  # type: ignore[arg-type]
        protocol=ProtocolOptions("json", "/v7/score", '{"rows": $rows}', "predictions[*].score"),
        metrics=(MetricsEndpoint(page, instance="127.0.0.1:6", labels={"file": "team"}),),
        request_counter="requests_total",
        process=LocalProcess(77, ("python", "serve.py")),
        admin=Secret(env="ADMIN"),
        toxiproxy=Connection("http://127.0.0.1:8474"),
        hooks={
            "old": hook(
                apply=Command(("./deploy", "old"), folder=here),
                revert=Call("http://127.0.0.1:7/", method="PUT", bearer=token),
                check=Function(f"{here}/checks.py", "is_old"),
                timeout=5.0,
            ),
            "stopped": hook(apply=Operate(Container("model"), "stop"), revert=Operate(Container("model"), "restart")),
        },
    )
    assert type(read.targets["toy"].connection) is Connection
    assert read.rows == {"toy": (f"{here}/rows.csv", "label")}
    assert read.prometheus.connection == Connection("https://127.0.0.1:5/prefix", headers={"X-Scope-OrgID": "team-a"})
    assert read.prometheus.binary == f"{here}/bin/prometheus"
    said = {name: value for name, value in read.options.items() if value not in (None, ())}
    assert said == {
        "allow_hosts": ("model.staging",),
        "seed": 3,
        "prometheus": "https://127.0.0.1:5/prefix",
        "engine": "promtool-3.5",
    }


@pytest.mark.parametrize(
    ("process", "found"),
    [
        ("{ listens = true }", Listens()),
        ("{ listens = true, restart = ['a'] }", Listens(("a",))),
        ("{ pid_file = 'pid' }", LocalProcess(78)),
        ("{ container = 'model' }", Container("model")),
    ],
)
def test_a_process_is_named_by_one_of_four_keys(tmp_path: Path, process: str, found: object) -> None:
    (tmp_path / "pid").write_text("78\n")
    (tmp_path / "driftdrill.toml").write_text(f"{TARGET}process = {process}\n")

    assert load_config(tmp_path / "driftdrill.toml").targets["toy"].process == found


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("bearer = { evn = 'A' }", "unknown key `evn` - at `$.targets.toy.bearer`", "env"),
        ("basic = { user = 'u', pasword = {} }", "unknown key `pasword` - at `$.targets.toy.basic`", "password"),
        ("basic = { user = 'u' }", "missing required field `password` - at `$.targets.toy.basic`", ""),
        ("metrics = [{ jbo = 'x' }]", "unknown key `jbo` - at `$.targets.toy.metrics[0]`", "job"),
        ("metrics = [{ url = 'http://127.0.0.1:8', proxy = 'http://127.0.0.1:7' }]", "proxy is a key of targets", ""),
        ("name = 'x'", "unknown key `name` - at `$.targets.toy`", ""),
        ("timeout = '3'", "Expected `float`, got `str`", "configuration"),
        ("process = {}", "targets.toy.process needs one of listens, pid, pid_file, container", ""),
        ("process = { pid = 7, container = 'x' }", "needs one of listens, pid, pid_file, container", ""),
        ("process = { listens = 'yes' }", "listens must be true, not 'yes'", ""),
        ("process = { pid = 7, owned = true }", "unknown key `owned` - at `$.targets.toy.process`", ""),
        ("process = { pid_file = 'none' }", "none holds no process id", ""),
        ("process = { pid = 'x' }", "Expected `int`, got `str`", "configuration"),
        ("hooks.x = { apply = { command = ['a'] } }", "missing required field `revert`", "configuration"),
        ("hooks.x = { apply = {}, revert = {} }", "targets.toy.hooks.x.apply needs one of command, call", ""),
        ("hooks.x = { apply = { command = 'a' }, revert = { command = ['a'] } }", "Expected `array`, got `str`", ""),
        ("hooks.x.apply = { call = 'a', url = 'b' }", "unknown key `url` - at `$.targets.toy.hooks.x.apply`", "call"),
        ("hooks.x.apply = { call = 'a', methd = 'b' }", "unknown key `methd`", "method"),
        ("hooks.x.apply = { container = 'a', do = 'brake' }", "Invalid enum value 'brake'", "configuration"),
        ("prometheus_yml = 'p.yml'\nmetrics = []", "target 'toy': give either metrics or prometheus_yml", ""),
        ("[prometheus]\nproxy = 'http://127.0.0.1:7'", "proxy is a key of targets", ""),
        ("[prometheus]\nurl = 'http://u:hunter2@127.0.0.1'", "carries credentials", ""),
    ],
)  # fmt: skip
def test_a_key_that_is_none_or_a_value_that_cannot_be_is_told_with_its_place(
    tmp_path: Path, text: str, cause: str, remedy: str
) -> None:
    (tmp_path / "driftdrill.toml").write_text(f"{TARGET}{text}\n")

    with pytest.raises(ConfigError, match=re.escape("driftdrill.toml: ")) as told:
        load_config(tmp_path / "driftdrill.toml")

    assert cause in told.value.cause
    assert remedy in told.value.hint
    assert "hunter2" not in str(told.value)


def test_a_folder_without_the_file_says_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)

    assert load_config() == Config()

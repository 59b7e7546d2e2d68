"""driftdrill.toml, flags over it, and services of one's own."""

import http.client
import json
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

from tests.harness import scenarios, toy
from tests.harness.command import Cli
from tests.harness.toy import Answer, Toy
from tests.harness.traffic.sockets import Peer, listening

TOY = "[targets.toy]\nurl = 'http://127.0.0.1:9'\n"


@pytest.mark.parametrize(
    ("text", "cause", "remedy"),
    [
        ("[targets.toy\n", "driftdrill.toml: not TOML: .*line 1", ""),
        (
            TOY + "beaerr = { env = 'X' }\n",
            "unknown key `beaerr`.*targets",
            "bearer",
        ),
        ("ruels = ['a.yml']\n", "unknown key `ruels`", "did you mean rules"),
        ("[prometheus]\nimgae = 'x'\n", r"unknown key `imgae`.*\$\.prometheus", "image"),
        ("rules = 'a.yml'\n", r"Expected `array`, got `str`.*\$\.rules", "configuration"),
        ("[targets.toy]\nurl = 5\n", r"Expected `str`, got `int`.*\$\.targets", "configuration"),
        ("[targets.toy]\n", "missing required field `url`", "configuration"),
        (
            TOY + "bearer = { env = 'A' }\nbasic = { user = 'u', password = { env = 'B' } }\n",
            "either bearer or basic, not both",
            "",
        ),
        (
            TOY + "bearer = { env = 'A', file = 'b' }\n",
            "environment variable or a file",
            "env",
        ),
        ("[targets.toy]\nurl = 'http://u:p@127.0.0.1:9'\n", "carries credentials", "basic or bearer"),
        (TOY + "protocol = 'jsno'\n", "no protocol is named 'jsno'", "json"),
        (TOY + "body = '{\"a\": 1}'\n", "exactly one of", "rows"),
        (TOY + "body = '{\"a\": $row'\n", "makes no JSON", ""),
        (TOY + "result = 'a['\n", "no JMESPath", ""),
        (TOY + "rows = 'none.csv'\n", "none.csv: rows cannot be read: No such file", ""),
        ("[targets.a]\nurl = 'http://127.0.0.1:9'\n[targets.b]\nurl = 'http://127.0.0.1:8'\n", "2 targets", "--target"),
        ("rules = ['nowhere/*.yml']\n[targets.toy]\nurl = 'http://127.0.0.1:9'\n", "nowhere", ""),
        ("[prometheus]\nhow = 'server'\n", 'how = "server" needs url', ""),
    ],
    ids=lambda value: None,
)
def test_a_mistake_in_driftdrill_toml_is_told_with_file_and_key(cli: Cli, text: str, cause: str, remedy: str) -> None:
    (cli.folder / "driftdrill.toml").write_text(text)

    told = cli("run", scenarios.write(cli.folder)).refused()

    assert re.search(cause, told[0]), told
    assert re.search(remedy, told[1]), told


def test_a_config_that_was_asked_for_must_exist(cli: Cli) -> None:
    told = cli("run", scenarios.write(cli.folder), "--config", "mine.toml").refused()

    assert "mine.toml: cannot be read: No such file" in told[0]


def test_a_target_is_taken_by_its_name_and_flags_go_over_the_file(cli: Cli, model: Toy) -> None:
    (cli.folder / "driftdrill.toml").write_text(
        f"rules = ['missing.yml']\n[targets.here]\nurl = '{model.url}'\n[targets.there]\nurl = 'http://127.0.0.1:9'\n"
    )
    file = scenarios.write(cli.folder)

    unknown = cli("run", file, "--target", "hree").refused()
    without = cli("run", file, "--target", "here").refused()
    done = cli("run", file, "--target", "here", "--rules", "toy.yml", "--seed", "7", "--out", "named.drill")

    assert unknown[0] == "no target is named 'hree' in driftdrill.toml"
    assert "did you mean here" in unknown[1]
    assert "missing.yml" in without[0]
    assert done.code == 0, done
    assert (done.recording.path.name, done.recording.meta.seed) == ("named.drill", 7)
    assert done.recording.meta.target["name"] == "here"


def test_a_service_of_ones_own_is_drilled_by_a_body_template_and_a_result_path(cli: Cli) -> None:
    """Values without names, several rows a request, and predictions deep in the answer."""
    bodies: list[Any] = []

    def predict(number: int, asked: Any) -> Answer:
        bodies.append(asked)
        xs = [row[asked["input"]["columns"].index("x")] for row in asked["input"]["data"]]
        model.total += sum(xs) / len(xs)
        return Answer(json.dumps({"outputs": [{"score": min(x, 1.0)} for x in xs]}))

    with toy.serve(Toy(predict=predict)) as model:
        (cli.folder / "driftdrill.toml").write_text(
            f"""
[targets.own]
url = "{model.url}"
path = "/v7/score"
body = '{{"input": {{"columns": $columns, "data": $values}}, "explain": false}}'
result = "outputs[*].score"
"""
        )
        done = cli("run", scenarios.write(cli.folder, expect="[fires('HighMean')]"), "--rows-per-request", "3")

    assert done.code == 0, done
    assert set(bodies[0]) == {"input", "explain"}
    assert bodies[0]["input"]["columns"] == ["x"], "the truth is never sent"
    assert {len(body["input"]["data"]) for body in bodies} == {3}
    assert done.recording.requests().prediction.shape[1] == 3


def test_rows_come_from_a_csv_file(cli: Cli, model: Toy) -> None:
    lines = ["x,kind,is_high", *(f"{n / 100},{'ab'[n % 2]},{int(n >= 50)}" for n in range(101))]
    (cli.folder / "rows.csv").write_text("\n".join(lines) + "\n")
    (cli.folder / "driftdrill.toml").write_text(
        f"[targets.toy]\nurl = '{model.url}'\nrows = 'rows.csv'\ntruth = 'is_high'\n"
    )

    done = cli("run", scenarios.write(cli.folder))

    assert done.code == 0, done
    assert done.recording.meta.truth == "is_high"
    assert set(done.recording.requests().truth.ravel().tolist()) == {0.0, 1.0}  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("", "rows.csv"),
        ("x,is_high\n", "rows.csv: no rows"),
        ("x,is_high\n1,0\n2\n", "rows.csv:3: 1 values"),
        ("x,y\n1,0\n", "no column 'is_high'"),
    ],
    ids=["empty", "header only", "ragged", "no truth"],
)
def test_a_csv_file_that_holds_no_rows_is_told(cli: Cli, model: Toy, text: str, cause: str) -> None:
    (cli.folder / "rows.csv").write_text(text)
    (cli.folder / "driftdrill.toml").write_text(
        f"[targets.toy]\nurl = '{model.url}'\nrows = 'rows.csv'\ntruth = 'is_high'\n"
    )

    assert cause in cli("run", scenarios.write(cli.folder)).refused()[0]


@pytest.mark.parametrize(
    ("fields", "cause"),
    [
        ({"rows": "lambda: open('/no/such/file')"}, "rows: FileNotFoundError"),
        ({"faults": "[Fault('f', lambda b, s, r: b['nix'])]"}, "fault 'f': KeyError: 'nix'"),
        ({"faults": "[Fault('f', lambda b, s, r: None)]"}, "fault 'f' changed the columns"),
        ({"faults": "[Fault('f', lambda b, s, r: b.nix)]"}, "fault 'f': AttributeError"),
        ({"faults": "[Fault('f', moved, where=lambda b: True)]"}, "fault 'f': where must answer bool"),
    ],
    ids=["rows", "missing column", "nothing", "attribute", "where"],
)
def test_what_an_authors_function_raises_is_told_as_the_authors(
    cli: Cli, model: Toy, fields: dict[str, str], cause: str
) -> None:
    told = cli("run", scenarios.write(cli.folder, **fields), "--target", model.url).refused()

    assert cause in told[0]
    assert "defect of driftdrill" not in told[1]


def _forwarding(peer: Peer) -> None:
    """An HTTP proxy: whoever it is told in the request line gets the request."""
    while (body := peer.request()) is not None:
        parts = urlsplit(peer.server.heads[-1].split()[1].decode())
        there = http.client.HTTPConnection(str(parts.hostname), parts.port or 80, timeout=20)
        there.request("POST", parts.path, body, {"Content-Type": "application/json"})
        answer = there.getresponse()
        peer.reply(answer.read(), answer.status)
        there.close()


def test_the_targets_requests_go_through_its_proxy_and_the_scrapes_do_not(cli: Cli, model: Toy) -> None:
    with listening(_forwarding) as proxy:
        (cli.folder / "driftdrill.toml").write_text(f"[targets.toy]\nurl = '{model.url}'\nproxy = '{proxy.url}'\n")
        done = cli("run", scenarios.write(cli.folder))

    assert done.code == 0, done
    assert {head.split()[1].decode() for head in proxy.heads} == {f"{model.url}/predict"}
    assert len(proxy.heads) == model.requests
    assert done.recording.meta.target["connections"][0]["proxy"] == proxy.url


@pytest.mark.parametrize(
    ("proxy", "cause"),
    [
        ("http://192.0.2.7:3128", "192.0.2.7 is not this machine"),
        ("https://127.0.0.1:3128", "is not an http:// URL of a host and a port"),
        ("127.0.0.1:3128", "is not an http:// URL of a host and a port"),
        ("http://me:pw@127.0.0.1:3128", "carries credentials"),
    ],
    ids=["foreign", "https", "no scheme", "credentials"],
)
def test_a_proxy_that_cannot_be_used_is_refused_before_anything_is_sent(
    cli: Cli, model: Toy, proxy: str, cause: str
) -> None:
    (cli.folder / "driftdrill.toml").write_text(f"[targets.toy]\nurl = '{model.url}'\nproxy = '{proxy}'\n")
    told = cli("run", scenarios.write(cli.folder)).refused()

    assert cause in told[0]
    assert "pw" not in " ".join(told)
    assert model.requests == 0

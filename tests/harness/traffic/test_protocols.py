"""Bodies, answers and detection of every protocol; the real servers have tests of their own in tests/servers."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import numpy as np
import pytest

from driftdrill.harness.errors import ConfigError, TargetError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import ProtocolOptions, Target
from driftdrill.harness.traffic.protocols import PROTOCOLS, Undecodable, protocol
from driftdrill.harness.traffic.protocols.detect import detect, other_protocol, settled
from driftdrill.harness.traffic.protocols.values import finder, predictions
from driftdrill.stack.connection import Connection
from tests.harness.traffic.sockets import Listening, Peer, listening

ROWS: Batch = {
    "x": np.array([1.5, np.nan, -2.0]),
    "n": np.array([1, 2, 3]),
    "kind": np.array(["a", None, 'say "é"'], dtype=object),
    "on": np.array([True, False, True]),
}
NUMBERS: Batch = {"a": np.array([1.0, 2.0, 3.0]), "b": np.array([4, 5, 6])}


def bodies(options: ProtocolOptions, rows: Batch, rows_per_request: int = 1) -> list[object]:
    return [json.loads(body) for body in protocol(options).encode(rows, rows_per_request)]


NAMED = [
    {"x": 1.5, "n": 1, "kind": "a", "on": True},
    {"x": None, "n": 2, "kind": None, "on": False},
    {"x": -2.0, "n": 3, "kind": 'say "é"', "on": True},
]
LISTS = [list(row.values()) for row in NAMED]


@pytest.mark.parametrize(
    ("options", "one"),
    [
        (ProtocolOptions("json"), NAMED[0]),
        (ProtocolOptions("json", body='{"rows": $rows, "v": 2}'), {"rows": NAMED[:1], "v": 2}),
        (
            ProtocolOptions("json", body='{"columns": $columns, "data": $values}'),
            {"columns": list(ROWS), "data": LISTS[:1]},
        ),
        (ProtocolOptions("v1", model="m"), {"instances": LISTS[:1]}),
        (ProtocolOptions("v1", model="m", body='{"instances": $rows}'), {"instances": NAMED[:1]}),
        (ProtocolOptions("seldon"), {"data": {"names": list(ROWS), "ndarray": LISTS[:1]}}),
        (ProtocolOptions("mlflow"), {"dataframe_split": {"columns": list(ROWS), "data": LISTS[:1]}}),
    ],
    ids=lambda value: value.name if isinstance(value, ProtocolOptions) else "",
)
def test_one_row_of_each_protocol(options: ProtocolOptions, one: object) -> None:
    made = bodies(options, ROWS)
    assert made[0] == one
    assert len(made) == 3


def test_several_rows_a_request_and_the_rest_in_a_shorter_one() -> None:
    made = bodies(ProtocolOptions("v1", model="m"), ROWS, 2)
    assert made == [{"instances": LISTS[:2]}, {"instances": LISTS[2:]}]


def test_a_row_cannot_hold_several() -> None:
    with pytest.raises(ConfigError, match=r"\$row carries one row"):
        bodies(ProtocolOptions("json"), ROWS, 2)


def test_column_names_with_signs_of_the_template_are_kept() -> None:
    assert bodies(ProtocolOptions("json"), {'50% "x"': np.array([1])}) == [{'50% "x"': 1}]


def test_v2_sends_numeric_rows_as_one_tensor_and_others_as_named_columns() -> None:
    tensor = bodies(ProtocolOptions("v2", model="m"), NUMBERS, 2)
    assert tensor[0] == {"inputs": [{"name": "input-0", "datatype": "FP64", "shape": [2, 2], "data": [1.0, 4, 2.0, 5]}]}
    columns = bodies(ProtocolOptions("v2", model="m"), ROWS, 2)
    assert columns[0] == {
        "parameters": {"content_type": "pd"},
        "inputs": [
            {"name": "x", "datatype": "FP64", "shape": [2, 1], "data": [1.5, None]},
            {"name": "n", "datatype": "INT64", "shape": [2, 1], "data": [1, 2]},
            {
                "name": "kind", "datatype": "BYTES", "parameters": {"content_type": "str"}, "shape": [2, 1],
                "data": ["a", None],
            },
            {"name": "on", "datatype": "BOOL", "shape": [2, 1], "data": [True, False]},
        ],
    }  # fmt: skip
    assert bodies(ProtocolOptions("v2", model="m", body="columns"), NUMBERS)[0] != tensor[0]


@pytest.mark.parametrize(
    ("name", "answer", "rows", "expected"),
    [
        ("json", {"prediction": 0.25}, 1, [0.25]),
        ("json", {"prediction": 0}, 1, [0.0]),
        ("json", {"prediction": False}, 1, [0]),
        ("json", {"late": True, "probability": [0.75, 0.5]}, 2, [0.75, 0.5]),
        ("json", [1, 2, 3], 3, [1, 2, 3]),
        ("json", {"scores": [[0.9, 0.1], [0.2, 0.8]]}, 2, [0.1, 0.8]),
        ("v1", {"predictions": [[3.5]]}, 1, [3.5]),
        ("v2", {"outputs": [{"name": "?", "shape": [2], "data": [7, 8]}]}, 2, [7, 8]),
        ("v2", {"outputs": [{"name": "?", "shape": [2, 2], "data": [0.9, 0.1, 0.4, 0.6]}]}, 2, [0.1, 0.6]),
        ("seldon", {"data": {"names": [], "ndarray": [[0.5]]}, "meta": {}}, 1, [0.5]),
        ("seldon", {"data": {"tensor": {"shape": [1, 1], "values": [0.5]}}}, 1, [0.5]),
        ("mlflow", {"predictions": [0, 1]}, 2, [0, 1]),
    ],
)
def test_answers_as_the_servers_give_them(name: str, answer: object, rows: int, expected: list[float]) -> None:
    spoken = protocol(ProtocolOptions(name, model="m"))
    assert spoken.decode(json.dumps(answer).encode(), rows) == expected


@pytest.mark.parametrize("name", ["json", "v1", "v2", "seldon", "mlflow", "openai-chat", "openai-completions"])
@pytest.mark.parametrize(
    "body",
    [
        b"", b"{}", b"[]", b"null", b"<html>", b'{"predictions": []}', b'{"predictions": [1, 2]}', b"\xff\xfe",
        b'{"outputs": []}', b'{"outputs": [{"data": ["a"]}]}', b'{"choices": []}', b'{"data": {"ndarray": null}}',
        b'{"prediction": NaN}', b'{"status": {"status": "FAILURE"}}', b'{"error": "no"}', b"data: {}\n\n", b"3e",
        b'{"predictions": 1' + b"0" * 400 + b"}",
    ],
)  # fmt: skip
def test_a_200_without_the_predictions_asked_for_is_undecodable(name: str, body: bytes) -> None:
    with pytest.raises(Undecodable):
        protocol(ProtocolOptions(name, model="m")).decode(body, 1)


def test_a_result_path_may_be_plain_or_any_jmespath() -> None:
    answer = {"a": {"b": [{"p": 0}, {"p": 4}]}, "c": []}
    for expression in ("a.b[1].p", "c || a.b[1].p", "a.b[0].p", "a.b[*].p | [1]", "max_by(a.b, &p).p", "a.b[9].p"):
        import jmespath

        assert finder(expression)(answer) == jmespath.search(expression, answer)
    with pytest.raises(ConfigError, match="no JMESPath"):
        finder("a.[")


def test_more_than_two_classes_need_a_result_path_of_their_own() -> None:
    with pytest.raises(Undecodable, match="expected a number, found list"):
        predictions([[0.1, 0.2, 0.7]], 1)
    assert finder("predictions[*][2]")({"predictions": [[0.1, 0.2, 0.7]]}) == [0.7]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        (ProtocolOptions("v3"), "no protocol is named 'v3'"),
        (ProtocolOptions("v2"), "needs the model's name"),
        (ProtocolOptions("v1"), "needs the model's name"),
        (ProtocolOptions("openai-chat"), "needs the model's name"),
        (ProtocolOptions("v2", model="m", body="rows"), "must be 'tensor'"),
        (ProtocolOptions("json", body='{"a": 1}'), "exactly one of"),
        (ProtocolOptions("json", body='{"a": $row'), "makes no JSON"),
        (ProtocolOptions("json", result="a.["), "no JMESPath"),
        (ProtocolOptions("openai-chat", model="m", body="[1]"), "must be a JSON object"),
        (ProtocolOptions("openai-chat", model="m", body='{"messages": []}'), "without prompt and messages"),
    ],
)
def test_options_that_cannot_work_are_refused_before_the_drill(options: ProtocolOptions, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        protocol(options)


@contextmanager
def answering(pages: Mapping[str, str]) -> Iterator[Listening]:
    """A server that answers GETs of ``pages`` and 404 to all else; any other method is an error of the test."""

    def handler(peer: Peer) -> None:
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                got = peer.sock.recv(65536)
                if not got:
                    return
                data += got
            head, _, data = data.partition(b"\r\n\r\n")
            peer.server.heads.append(head)
            method, path, _ = head.split(b"\r\n")[0].decode().split(" ")
            assert method == "GET"
            page = pages.get(path)
            peer.reply((page or "no").encode(), 404 if page is None else 200)

    with listening(handler) as server:
        yield server


OPENAPI = json.dumps({"paths": {"/predict": {"post": {}}, "/health": {"get": {}}, "/feedback": {"post": {}}}})
PAGES: dict[str, tuple[dict[str, str], ProtocolOptions]] = {
    "KServe": (
        {"/v2": '{"name": "kserve", "extensions": []}', "/v1/models": '{"models": ["iris"]}', "/openapi.json": OPENAPI},
        ProtocolOptions("v2", model="iris"),
    ),
    "Triton": ({"/v2": '{"name": "triton", "version": "2", "extensions": ["x"]}'}, ProtocolOptions("v2")),
    "V1": ({"/v1/models": '{"models": ["iris"]}'}, ProtocolOptions("v1", model="iris")),
    "Seldon": ({"/seldon.json": '{"openapi": "3.0.0", "paths": {}}'}, ProtocolOptions("seldon")),
    "vLLM": (
        {"/v1/models": '{"data": [{"id": "llama"}]}', "/version": '{"version": "0.6"}', "/openapi.json": OPENAPI},
        ProtocolOptions("openai-chat", model="llama"),
    ),
    "MLflow": ({"/version": "3.17.2", "/ping": "\n", "/openapi.json": OPENAPI}, ProtocolOptions("mlflow")),
    "Ray Serve": ({"/-/routes": '{"/predict": "iris"}'}, ProtocolOptions("json", path="/predict")),
    "TorchServe": (
        {"/api-description": '{"paths": {}}', "/models": '{"models": [{"modelName": "net"}]}'},
        ProtocolOptions("json", path="/predictions/net"),
    ),
    "BentoML": (
        {
            "/schema.json": '{"routes": [{"route": "/go", "input": {"properties": {"xs": {"type": "array",'
            ' "items": {"type": "object"}}}}}]}'
        },
        ProtocolOptions("json", path="/go", body='{"xs": $rows}'),
    ),
    "FastAPI": ({"/openapi.json": OPENAPI}, ProtocolOptions("json", path="/predict")),
}


@pytest.mark.parametrize("name", PAGES)
def test_a_server_is_known_by_its_own_answers_to_gets(name: str) -> None:
    pages, options = PAGES[name]
    with answering(pages) as server:
        found = detect(Connection(server.url))
    assert found is not None
    assert found.options == options
    assert len(server.heads) == len({head.split(b"\r\n")[0] for head in server.heads})


def test_a_server_that_tells_nothing_is_not_guessed_at() -> None:
    with answering({"/openapi.json": json.dumps({"paths": {"/a": {"post": {}}, "/b": {"post": {}}}})}) as server:
        assert detect(Connection(server.url)) is None
        with pytest.raises(TargetError, match="answers none of the questions"):
            settled(Target("t", Connection(server.url), ProtocolOptions("auto")))


def test_pages_that_lie_about_their_form_do_not_disturb_detection() -> None:
    lies = dict.fromkeys(("/v2", "/v1/models", "/-/routes", "/seldon.json", "/schema.json", "/openapi.json"), "[1, 2")
    with answering({**lies, "/version": "<html>", "/api-description": "[]"}) as server:
        assert detect(Connection(server.url)) is None
    odd = {"/v2": "[]", "/v1/models": '{"models": 3, "data": "x"}', "/-/routes": "[]", "/schema.json": '{"routes": {}}'}
    with answering({**odd, "/openapi.json": '{"paths": {"/predict": []}}'}) as server:
        assert detect(Connection(server.url)) is None


def test_what_the_user_says_goes_over_what_is_detected() -> None:
    with answering(PAGES["KServe"][0]) as server:
        said = ProtocolOptions("auto", model="other", result="outputs[1].data")
        target, spoken = settled(Target("t", Connection(server.url), said))
    assert target.protocol == ProtocolOptions("v2", model="other", result="outputs[1].data")
    assert spoken.path == "/v2/models/other/infer"


def test_v2_learns_its_inputs_from_the_models_metadata() -> None:
    one = {"inputs": [{"name": "dense", "datatype": "FP32", "shape": [-1, 2]}]}
    two = {"inputs": [{"name": "a", "datatype": "FP32"}, {"name": "b", "datatype": "INT32"}]}
    for described, names, kinds in ((one, ["dense"], ["FP32"]), (two, ["a", "b"], ["FP32", "INT32"])):
        with answering({"/v2/models/m": json.dumps(described)}) as server:
            _, spoken = settled(Target("t", Connection(server.url), ProtocolOptions("v2", model="m")))
        inputs = json.loads(spoken.encode(NUMBERS, 1)[0])["inputs"]
        assert [i["name"] for i in inputs] == names
        assert [i["datatype"] for i in inputs] == kinds


def test_the_hint_for_a_wrong_protocol_says_what_to_write() -> None:
    with answering(PAGES["V1"][0]) as server:
        hint = other_protocol(Target("t", Connection(server.url), ProtocolOptions("json")))
        same = other_protocol(Target("t", Connection(server.url), PAGES["V1"][1]))
    assert hint == "/v1/models lists iris; in driftdrill.toml: protocol = 'v1', model = 'iris'"
    assert same is None


def test_every_entry_makes_a_protocol_and_detects_nothing_on_a_dead_address() -> None:
    from driftdrill.harness.traffic.protocols.detect import asking

    dead = asking(Connection("http://127.0.0.1:9"))
    for name, family in PROTOCOLS.items():
        assert protocol(ProtocolOptions(name, model="m")).path.startswith("/")
        assert family.detect(dead) is None


def test_two_numbers_a_row_are_probabilities_only_if_they_sum_to_1() -> None:
    assert predictions([[0.25, 0.75], [1, 0]], 2) == [0.75, 0.0]
    assert predictions([[0.333, 0.666]], 1) == [0.666]
    for targets in ([[3.5, 7.0]], [[0.5, 0.6]], [[-0.5, 1.5]]):
        with pytest.raises(Undecodable, match=r"found two, .* they do not sum to 1.*predictions\[\*\]\[0\]"):
            predictions(targets, 1)
    v2 = protocol(ProtocolOptions("v2", model="m"))
    with pytest.raises(Undecodable, match="expected 2 predictions, found 4"):
        v2.decode(b'{"outputs": [{"data": [3.5, 7, 4.5, 8]}]}', 2)


def test_labels_are_read_where_they_are_asked_for() -> None:
    spoken = protocol(ProtocolOptions("json"))
    assert spoken.decode(b'{"prediction": "late"}', 1, True) == ["late"]
    assert spoken.decode(b'{"predictions": ["a", 3, true, 0.5, ["b"]]}', 5, True) == ["a", "3", "true", "0.5", "b"]
    for body in (b'{"prediction": null}', b'{"predictions": [{}]}', b'{"predictions": ["a", "b"]}'):
        with pytest.raises(Undecodable):
            spoken.decode(body, 1, True)
    with pytest.raises(Undecodable, match="expected a number, found str 'late'"):
        spoken.decode(b'{"prediction": "late"}', 1)

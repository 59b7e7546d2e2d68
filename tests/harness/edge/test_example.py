"""A valid row: of a file, of a scenario, or as a server describes it."""

import json
from pathlib import Path
from typing import Any

import pytest

from driftdrill.harness.edge.example import example
from driftdrill.harness.errors import ConfigError, DriftdrillError, TargetError
from driftdrill.harness.setup.file import Config, load_config
from driftdrill.harness.setup.target import ProtocolOptions, Target
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.harness.traffic.protocols.base import DetectAnswer
from driftdrill.stack.connection import Connection


def described(answers: dict[str, Any], options: ProtocolOptions | None = None) -> tuple[dict[str, Any], str]:
    """The row that a server's GETs tell, and where from."""
    options = options or ProtocolOptions()

    def ask(path: str) -> DetectAnswer:
        return DetectAnswer(200, json.dumps(answers[path])) if path in answers else DetectAnswer(404)

    target = Target("t", Connection("http://127.0.0.1:1"), options)
    found = example(target, protocol(options), ask, Config(), None, None)
    return {name: column[0] for name, column in found.rows.items()}, found.source


def openapi(schema: Any, path: str = "/predict", components: Any = None, **content: Any) -> dict[str, Any]:
    body = {"content": {"application/json": {"schema": schema, **content}}}
    return {"/openapi.json": {"paths": {path: {"post": {"requestBody": body}}}, "components": {"schemas": components}}}


@pytest.mark.parametrize(
    ("schema", "row"),
    [
        ({"type": "object", "example": {"x": 2.5, "k": "b"}}, {"x": 2.5, "k": "b"}),
        ({"examples": [{"rows": [{"x": 1}]}]}, {"x": 1}),
        (
            {
                "properties": {
                    "x": {"type": "number", "minimum": 18},
                    "n": {"type": "integer"},
                    "k": {"enum": ["b", "c"]},
                    "on": {"type": "boolean"},
                    "d": {"type": "string", "default": "m"},
                    "at": {"type": "string", "format": "date-time"},
                    "maybe": {"anyOf": [{"type": "null"}, {"type": "number"}]},
                }
            },
            {"x": 19.0, "n": 1, "k": "b", "on": True, "d": "m", "at": "2024-05-01T12:00:00Z", "maybe": 1.0},
        ),
        (
            {"properties": {"rows": {"type": "array", "items": {"properties": {"x": {"type": "number"}}}}}},
            {"x": 1.0},
        ),
        ({"anyOf": [{"$ref": "#/components/schemas/Row"}, {"type": "string"}]}, {"y": 3}),
    ],
    ids=["example", "nested examples", "types", "a list of rows", "references"],
)
def test_an_openapi_document_tells_a_row(schema: Any, row: dict[str, Any]) -> None:
    components = {"Row": {"properties": {"y": {"type": "integer", "example": 3}}}}
    assert described(openapi(schema, components=components)) == (row, "/openapi.json")


def test_an_example_of_the_request_goes_over_its_schema() -> None:
    given = openapi({"properties": {"x": {"type": "number"}}}, examples={"one": {"value": {"instances": [{"x": 7}]}}})
    assert described(given)[0] == {"x": 7}


def test_a_document_of_another_path_or_that_turns_in_circles_tells_nothing() -> None:
    circle = {"Row": {"anyOf": [{"$ref": "#/components/schemas/Row"}]}}
    for document in (
        openapi({"$ref": "#/components/schemas/Row"}, components=circle),
        openapi({"properties": {"x": {"type": "array", "items": {"type": "number"}}}}),
        openapi({"properties": {"x": {"type": "number"}}}, path="/other"),
        {"/openapi.json": {"paths": []}},
        {},
    ):
        with pytest.raises(TargetError, match="describes a row of /predict") as told:
            described(document)
        assert "--rows FILE.csv" in told.value.hint


def test_a_server_that_is_not_there_is_told_as_that() -> None:
    target = Target("t", Connection("http://127.0.0.1:1"))
    with pytest.raises(TargetError, match="does not answer"):
        example(target, protocol(ProtocolOptions()), lambda path: DetectAnswer(0), Config(), None, None)


@pytest.mark.parametrize(
    ("inputs", "row"),
    [
        (
            [{"name": "x", "datatype": "FP32", "shape": [-1, 1]}, {"name": "k", "datatype": "BYTES", "shape": [-1, 1]}],
            {"x": 1.0, "k": "a"},
        ),
        ([{"name": "input-0", "datatype": "INT64", "shape": [-1, 3]}], {"0": 1, "1": 1, "2": 1}),
    ],
)
def test_v2_metadata_tells_names_types_and_the_number_of_columns(inputs: Any, row: dict[str, Any]) -> None:
    options = ProtocolOptions("v2", model="m")
    assert described({"/v2/models/m": {"name": "m", "inputs": inputs}}, options) == (row, "/v2/models/m")


def test_v2_metadata_without_a_width_tells_nothing() -> None:
    inputs = [{"name": "x", "datatype": "FP32", "shape": [-1, -1]}]
    with pytest.raises(TargetError, match="describes a row"):
        described({"/v2/models/m": {"inputs": inputs}}, ProtocolOptions("v2", model="m"))


def of_file(file: Path, truth: str | None = None, config: Config | None = None) -> dict[str, list[Any]]:
    target = Target("t", Connection("http://127.0.0.1:1"))
    found = example(target, protocol(ProtocolOptions()), lambda path: DetectAnswer(0), config or Config(), file, truth)
    return {name: column.tolist() for name, column in found.rows.items()}


def test_rows_of_a_file_that_lack_a_value_are_left_out_and_truth_is_not_sent(tmp_path: Path) -> None:
    file = tmp_path / "rows.csv"
    file.write_text("x,kind,label\n,a,0\n2.5,b,1\n3.5,c,0\n")
    assert of_file(file, "label") == {"x": [2.5, 3.5], "kind": ["b", "c"]}
    scenario = tmp_path / "drill.py"
    scenario.write_text(
        "import numpy as np\nfrom driftdrill import Scenario, constant, quiet\n"
        "drill = Scenario(name='a', story='b', rows=lambda: {'x': np.array([4.0]), 'y': np.array([1])}, truth='y',\n"
        "    rate=constant(1), warm_up=1, baseline=1, fault=1, recovery=1, faults=[], expect=[])\n"
    )
    assert of_file(scenario) == {"x": [4.0]}


def test_the_rows_of_a_target_in_the_configuration_are_taken(tmp_path: Path) -> None:
    (tmp_path / "rows.csv").write_text("x,label\n2,1\n")
    (tmp_path / "driftdrill.toml").write_text(
        '[targets.t]\nurl = "http://127.0.0.1:1"\nrows = "rows.csv"\ntruth = "label"\n'
    )
    config = load_config(tmp_path / "driftdrill.toml")
    found = example(config.targets["t"], protocol(ProtocolOptions()), lambda path: DetectAnswer(0), config, None, None)
    assert {name: column.tolist() for name, column in found.rows.items()} == {"x": [2]}


@pytest.mark.parametrize(
    ("text", "truth", "says"),
    [
        (None, None, "cannot be read"),
        ("", None, "no rows"),
        ("x\n1\n", "y", "no column 'y'"),
        ("x\n1\n", "x", "no column to send"),
        ("x,y\n1\n", None, "1 values, but the header names 2"),
    ],
)
def test_a_file_that_holds_no_row_is_told_with_its_name(
    tmp_path: Path, text: str | None, truth: str | None, says: str
) -> None:
    file = tmp_path / "rows.csv"
    if text is not None:
        file.write_text(text)
    with pytest.raises(DriftdrillError, match=says) as told:
        of_file(file, truth)
    assert isinstance(told.value, ConfigError)
    assert "rows.csv" in str(told.value)

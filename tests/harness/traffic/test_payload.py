"""Faults of the encoded request: the bytes of each in every protocol, and how a drill takes them."""

import gzip
import json
import re
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.scenario.fault import Batch, Fault
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Block, Blocks
from driftdrill.harness.traffic.body_layout.layout import layout_of
from driftdrill.harness.traffic.payload import (
    PAYLOAD_FAULTS,
    BatchShape,
    Charset,
    ContentType,
    DuplicateKey,
    Gzip,
    MergePatch,
    Missing,
    Null,
    Number,
    Padding,
    PayloadFault,
    Text,
    Truncated,
    UnknownKey,
    WrongDatatype,
    WrongShape,
    WrongType,
)
from driftdrill.harness.traffic.protocols import Request, protocol
from driftdrill.shift_generators import EDGES, edge, equals
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.kind import kind, parse
from tests.harness.traffic.test_blocks import SCENARIO

ROWS: Batch = {
    "x": np.array([1.5, 2.5]),
    "n": np.array([3, 2**63 - 1]),
    "kind": np.array(['a "é"', "b"], dtype=object),
}
NUMBERS: Batch = {"a": np.array([1.0, 2.0]), "b": np.array([4, 5])}
PROMPTS: Batch = {"prompt": np.array(["Hi"]), "system": np.array(["Be kind."])}

ROW = ProtocolOptions()
NAMED = ProtocolOptions(body='{"v": 2.50, "rows": $rows}')
V1 = ProtocolOptions("v1", model="m")
MLFLOW = ProtocolOptions("mlflow")
COLUMNS = ProtocolOptions("v2", model="m", body="columns")
TENSOR = ProtocolOptions("v2", model="m", body="tensor")
CHAT = ProtocolOptions("openai-chat", model="m")
COMPLETIONS = ProtocolOptions("openai-completions", model="m")


def rng() -> np.random.Generator:
    return np.random.default_rng(0)


def request(options: ProtocolOptions, rows: int = 1, batch: Batch | None = None) -> Request:
    """The first request of a protocol that has ``rows`` rows."""
    chat = options in (CHAT, COMPLETIONS)
    batch = batch or (PROMPTS if chat else NUMBERS if options == TENSOR else ROWS)
    spoken = protocol(options)
    layout = layout_of(spoken.encode, batch, rows)
    return Request((spoken.encode(batch, rows)[0],), spoken.content_type, layout=layout)


def body(fault: PayloadFault, options: ProtocolOptions, rows: int = 1) -> str:
    """What a fault makes of the first request."""
    return fault(request(options, rows), rng()).body.decode()


# Cells. Every other byte stays: the template's 2.50, the escaped é, the int64 beside it.


@pytest.mark.parametrize(
    ("options", "rows", "expected"),
    [
        (ROW, 1, '{"x": NaN, "n": 3, "kind": "a \\"\\u00e9\\""}'),
        (NAMED, 1, '{"v": 2.50, "rows": [{"x": NaN, "n": 3, "kind": "a \\"\\u00e9\\""}]}'),
        (V1, 1, '{"instances": [[NaN, 3, "a \\"\\u00e9\\""]]}'),
        (
            MLFLOW,
            2,
            '{"dataframe_split": {"columns": ["x", "n", "kind"], "data": '
            '[[NaN, 3, "a \\"\\u00e9\\""], [2.5, 9223372036854775807, "b"]]}}',
        ),
    ],
    ids=["$row", "$rows", "v1", "mlflow"],
)
def test_a_cell_is_replaced_where_the_protocol_has_it_and_every_other_byte_stays(
    options: ProtocolOptions, rows: int, expected: str
) -> None:
    assert body(Number("x"), options, rows) == expected


@pytest.mark.parametrize(
    ("options", "column", "place"),
    [
        (ProtocolOptions("seldon"), "n", ("data", "ndarray", 0, 1)),
        (TENSOR, "b", ("inputs", 0, "data", 1)),
        (COLUMNS, "kind", ("inputs", 2, "data", 0)),
        (CHAT, "prompt", ("messages", 1, "content")),
        (COMPLETIONS, "prompt", ("prompt",)),
        (ProtocolOptions(body='{"a": [{"deep": $row}]}'), "x", ("a", 0, "deep", "x")),
    ],
)
def test_every_protocol_has_its_cells_found(options: ProtocolOptions, column: str, place: tuple[Any, ...]) -> None:
    found = request(options)
    assert found.layout is not None
    assert found.layout.cell(column) == place
    changed = json.loads(Null(column)(found, rng()).body)
    for step in place:
        changed = changed[step]
    assert changed is None


def test_rows_of_several_are_found_in_their_order() -> None:
    for options in (NAMED, V1, COLUMNS):
        layout = request(options, 2).layout
        assert layout is not None
        assert [len(places) for places in layout.cells.values()] == [2, 2, 2]
    tensor = request(TENSOR, 2).layout
    assert tensor is not None
    assert tensor.cells["b"] == (("inputs", 0, "data", 1), ("inputs", 0, "data", 3))


X, KIND = '{"x": %s, "n": 3, "kind": "a \\"\\u00e9\\""}', '{"x": 1.5, "n": 3, "kind": %s}'


@pytest.mark.parametrize(
    ("fault", "expected"),
    [
        *((Number("x", text), X % text) for text in ("NaN", "Infinity", "-Infinity", "1e999", "9007199254740993")),
        (Null("x"), X % "null"),
        (WrongType("x"), X % '"1.5"'),
        (WrongType("x", "true"), X % "true"),
        (WrongType("x", "list"), X % "[1.5]"),
        (WrongType("x", "object"), X % '{"v": 1.5}'),
        (WrongType("x", "nested", depth=3), X % "[[[1.5]]]"),
        (Text("kind", "\ud800", charset="ascii"), KIND % '"\\ud800"'),
        (Text("kind", "👩‍🚀"), KIND % '"👩‍🚀"'),
        (Text("kind", 'say "x"'), KIND % '"say \\"x\\""'),
        (Missing("x"), '{"n": 3, "kind": "a \\"\\u00e9\\""}'),
        (Missing("kind"), '{"x": 1.5, "n": 3}'),
        (DuplicateKey("x"), X % '1.5, "x": 16.0'),
        (DuplicateKey("x", None), X % '1.5, "x": 16.0'),
        (DuplicateKey("kind", "b"), KIND % '"a \\"\\u00e9\\"", "kind": "b"'),
        (UnknownKey(), KIND % '"a \\"\\u00e9\\"", "unknown_key": 1'),
        (UnknownKey("k", {"a": []}), KIND % '"a \\"\\u00e9\\"", "k": {"a": []}'),
        (Padding(3), KIND % '"a \\"\\u00e9\\""' + "   "),
        (Padding(3, "kind"), KIND % '"a \\"\\u00e9\\"xxx"'),
        (MergePatch({"n": None, "k": {"a": 1}}), '{"x": 1.5, "kind": "a \\"\\u00e9\\"", "k": {"a": 1}}'),
        (Truncated(), '{"x": 1.5, "n": 3, "k'),
    ],
    ids=lambda value: repr(value)[:40] if isinstance(value, PayloadFault) else "",
)
def test_the_bytes_of_each_fault(fault: PayloadFault, expected: str) -> None:
    assert body(fault, ROW) == expected


def test_a_column_is_left_out_as_a_client_would_that_forgot_it() -> None:
    """Its item of a list, so that the others move up; its whole input in V2; its message."""
    assert json.loads(body(Missing("x"), V1)) == {"instances": [[3, 'a "é"']]}
    assert [i["name"] for i in json.loads(body(Missing("n"), COLUMNS))["inputs"]] == ["x", "kind"]
    assert json.loads(body(Missing("a"), TENSOR))["inputs"][0]["data"] == [4]
    assert [m["role"] for m in json.loads(body(Missing("system"), CHAT))["messages"]] == ["user"]
    alone = request(COMPLETIONS, batch={"prompt": np.array(["Hi"])})
    assert json.loads(Missing("prompt")(alone, rng()).body) == {"model": "m"}


def test_a_duplicate_key_is_the_innermost_one_above_the_cell() -> None:
    text = '{"instances": [[1.5, 3, "a \\"\\u00e9\\""]], "instances": [[16.0, 3, "a \\"\\u00e9\\""]]}'
    assert body(DuplicateKey("x"), V1) == text
    assert '"data": [1.5], "data": [7]' in body(DuplicateKey("x", 7), COLUMNS)


# Rows.


@pytest.mark.parametrize(
    ("options", "to", "expected"),
    [
        (ROW, "empty", "[]"),
        (ROW, "one_more", "[R, R]"),
        (ROW, "ragged", '[R, {"x": 1.5, "n": 3}]'),
        (ROW, "transposed", '{"x": [1.5], "n": [3], "kind": ["a \\"\\u00e9\\""]}'),
        (NAMED, "empty", '{"v": 2.50, "rows": []}'),
        (NAMED, "many", '{"v": 2.50, "rows": [R, R, R]}'),
        (V1, "one_more", '{"instances": [L, L]}'),
        (V1, "ragged", '{"instances": [L, [1.5, 3]]}'),
        (V1, "transposed", '{"instances": [[1.5], [3], ["a \\"\\u00e9\\""]]}'),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) < 12 else "",
)
def test_batches_of_another_shape(options: ProtocolOptions, to: Any, expected: str) -> None:
    row, values = X % "1.5", '[1.5, 3, "a \\"\\u00e9\\""]'
    assert body(BatchShape(to, rows=3), options) == expected.replace("R", row).replace("L", values)


def test_v2_says_how_many_rows_there_are_and_one_more_contradicts_it() -> None:
    made = {to: json.loads(body(BatchShape(to, rows=3), TENSOR))["inputs"][0] for to in ("empty", "many", "one_more")}  # type: ignore[arg-type]
    assert [(m["shape"], len(m["data"])) for m in made.values()] == [([0, 2], 0), ([3, 2], 6), ([1, 2], 4)]
    (turned,) = json.loads(body(BatchShape("transposed"), TENSOR, 2))["inputs"]
    assert (turned["shape"], turned["data"]) == ([2, 2], [1.0, 2.0, 4, 5])
    (uneven,) = json.loads(body(BatchShape("ragged"), TENSOR))["inputs"]
    assert (uneven["shape"], uneven["data"]) == ([1, 2], [1.0, 4, 1.0])
    apart = json.loads(body(BatchShape("many", rows=3), COLUMNS))["inputs"]
    assert [(i["shape"], len(i["data"])) for i in apart] == [([3, 1], 3)] * 3
    assert [len(i["data"]) for i in json.loads(body(BatchShape("ragged"), COLUMNS))["inputs"]] == [2, 1, 1]


def test_v2_declarations_that_are_wrong() -> None:
    assert json.loads(body(WrongShape(), TENSOR))["inputs"][0]["shape"] == [2, 2]
    assert json.loads(body(WrongShape("n", (7,)), COLUMNS))["inputs"][1]["shape"] == [7]
    assert json.loads(body(WrongDatatype("n", "FP16"), COLUMNS))["inputs"][1]["datatype"] == "FP16"


def test_ten_thousand_rows_and_five_megabytes_share_their_memory() -> None:
    """A block of 256 requests keeps them all."""
    many, padded = (fault(request(NAMED), rng()) for fault in (BatchShape("many"), Padding()))
    assert len(json.loads(many.body)["rows"]) == 10_000
    assert len({id(part) for part in many.parts}) < 10
    assert len(padded.body) > 5_000_000
    assert padded.parts[-1] is Padding()(request(V1), rng()).parts[-1]


# The whole body.


def test_charsets_content_types_and_compression() -> None:
    plain = request(ROW)
    assert Charset("utf-8-sig")(plain, rng()).body == b"\xef\xbb\xbf" + plain.body
    assert Charset("utf-16")(plain, rng()).body.decode("utf-16") == plain.body.decode()
    assert Text("kind", "café", charset="latin-1")(plain, rng()).body.endswith(b'"caf\xe9"}')
    assert Text("kind", "\ud800")(plain, rng()).body.endswith(b'"\xed\xa0\x80"}')
    for header, headers in ((True, (("Content-Encoding", "gzip"),)), (False, ())):
        packed = Gzip(header)(plain, rng())
        assert gzip.decompress(packed.body) == plain.body
        assert packed.headers == headers
        assert packed.seen == Gzip(header)(plain, rng()).seen
    assert ContentType("")(plain, rng()).seen == (plain.body, "", ())


def test_a_merge_patch_reaches_the_requests_that_its_selector_picks() -> None:
    second = request(ROW, batch={name: column[::-1] for name, column in ROWS.items()})
    fault = MergePatch({"x": 0}, select="kind == 'b' && n > `7`")
    assert fault(request(ROW), rng()).seen == request(ROW).seen
    assert json.loads(fault(second, rng()).body)["x"] == 0


# What cannot be.


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Number("x", "1, 2"), "one bare word"),
        (lambda: WrongType("x", "bool"), "must be one of text, true"),  # type: ignore[arg-type]
        (lambda: BatchShape("half"), "must be one of empty"),  # type: ignore[arg-type]
        (lambda: BatchShape("many", rows=0), "rows must be in"),
        (lambda: Padding(0), "size must be in"),
        (lambda: Text("x", "€", charset="latin-1"), "cannot be written in 'latin-1'"),
        (lambda: Text("x", "a", charset="utf8000"), "unknown encoding"),
        (lambda: Charset("utf-17"), "unknown encoding"),
        (lambda: Truncated(1.5), "share must be in"),
        (lambda: MergePatch({"a": {1}}), "must be a JSON value"),
        (lambda: MergePatch({}, select="a ="), "select"),
        (lambda: parse(PAYLOAD_FAULTS, "missin", {"column": "x"}), "unknown fault 'missin'"),
        (lambda: parse(PAYLOAD_FAULTS, "missing", {"colum": "x"}), "has no parameter 'colum'"),
        (lambda: parse(PAYLOAD_FAULTS, "missing", {}), "column"),
    ],
)
def test_parameters_that_mean_nothing_are_refused(make: Any, says: str) -> None:
    with pytest.raises(StackError, match=says):
        make()


@pytest.mark.parametrize(
    ("faults", "options", "says"),
    [
        ([Missing("kinds")], ROW, r"no column 'kinds' is sent in the body"),
        ([Null("late")], ROW, r"no column 'late' is sent"),
        ([WrongShape()], ROW, r"nothing in it declares a shape"),
        ([WrongDatatype()], V1, r"nothing in it declares a datatype"),
        ([BatchShape("transposed")], COLUMNS, r"columns stand apart already"),
        ([ContentType("application/json")], ROW, r"changes nothing in the first 32 requests"),
        ([WrongType("kind", "text")], ROW, r"changes nothing"),
        ([Truncated(), Null("x")], ROW, r"fault .Null.*finds no cells: a fault before it has moved or hidden them"),
        ([Missing("x"), Null("kind")], V1, r"finds no cells"),
        ([Gzip(), MergePatch({"x": 1})], ROW, r"fault .MergePatch.*cannot be in this body"),
        ([WrongType("x", "nested", depth=100_000), MergePatch({"n": 1})], ROW, r"fault .MergePatch.*cannot be in this"),
        ([UnknownKey("x")], ROW, r"the key 'x' is there already"),
    ],
)
def test_a_fault_that_cannot_be_in_the_requests_is_refused_before_any_is_sent(
    faults: list[PayloadFault], options: ProtocolOptions, says: str
) -> None:
    with pytest.raises(ScenarioError, match=says):
        blocks([Fault(repr(fault), fault) for fault in faults], options)


def test_a_fault_of_the_authors_own_is_tried_before_the_drill_too() -> None:
    def wrong(request: Request, rng: np.random.Generator) -> Request:
        raise KeyError("x")

    wrong.seam = "payload"  # type: ignore[attr-defined]
    with pytest.raises(ScenarioError, match=r"fault 'mine': KeyError: 'x'"):
        blocks([Fault("mine", wrong)])


# In a drill's blocks: 20 s, 40 s, then 60 s of faults, at ten requests a second.


def blocks(faults: list[Fault], options: ProtocolOptions = ROW, rows: int = 1) -> Blocks:
    times = np.arange(0, 160, 0.1)
    return Blocks(replace(SCENARIO, faults=faults), protocol(options), times, rows)


def made(faults: list[Fault], options: ProtocolOptions = ROW, rows: int = 1) -> tuple[list[bytes], list[Block]]:
    found = blocks(faults, options, rows)
    all_blocks = [found.block(i) for i in range(-(-len(found.times) // BLOCK_ROWS))]
    return [b if isinstance(b, bytes) else b.body for block in all_blocks for b in block.bodies], all_blocks


def test_a_share_of_the_requests_in_the_fault_phase_is_changed_and_said_so() -> None:
    sent, all_blocks = made([Fault("null", Null("x"), strength=constant(0.5))])
    changed = np.concatenate([block.changed["null"] for block in all_blocks])
    assert [json.loads(b)["x"] is None for b in sent] == changed.tolist()
    assert not changed[:600].any()
    assert not changed[1200:].any()
    assert 0.4 < changed[600:1200].mean() < 0.6


def test_a_larger_share_hits_all_that_a_smaller_one_hits_and_another_fault_changes_no_draw() -> None:
    changed = {}
    for share in (0.2, 0.6):
        two = [Fault("null", Null("x"), strength=constant(share)), Fault("key", UnknownKey(), strength=constant(0.5))]
        _, all_blocks = made(two)
        changed[share] = np.concatenate([block.changed["null"] for block in all_blocks])
        keys = np.concatenate([block.changed["key"] for block in all_blocks])
        _, alone = made(two[1:])
        assert (keys == np.concatenate([block.changed["key"] for block in alone])).all()
    assert (changed[0.6] >= changed[0.2]).all()
    assert changed[0.2].any()


def test_where_limits_it_to_the_requests_of_a_slice() -> None:
    sent, all_blocks = made([Fault("null", Null("x"), where=equals("kind", "a"))])
    changed = np.concatenate([block.changed["null"] for block in all_blocks])
    inside = np.arange(1600) // 600 == 1
    assert [json.loads(b)["kind"] == "a" for b in sent] == [
        c or (k == "a" and not i)
        for c, i, k in zip(changed, inside, [json.loads(b)["kind"] for b in sent], strict=True)
    ]
    several, _ = made([Fault("null", Null("x"), where=lambda rows: rows["late"] == 1)], NAMED, 3)
    nulled = [json.loads(b)["rows"][0]["x"] is None for b in several]
    assert 0.5 < np.mean(nulled[600:1200]) < 0.9  # 1 - (2/3) ** 3 is .70


def test_a_request_that_a_fault_leaves_as_it_was_does_not_count_as_changed() -> None:
    emptied = Fault("lost", lambda b, s, r: {**b, "x": np.where((s > 0) & (b["x"] > 250), np.nan, b["x"])})
    sent, all_blocks = made([emptied, Fault("null", Null("x"))])
    changed = {name: np.concatenate([b.changed[name] for b in all_blocks]) for name in ("lost", "null")}
    assert all(json.loads(b)["x"] is None for b in sent[600:1200])
    assert (changed["lost"][600:1200] != changed["null"][600:1200]).all()


def test_a_fault_of_rows_is_in_the_request_before_one_of_the_payload() -> None:
    rows = Fault("minus one", lambda b, s, r: {**b, "x": np.where(s > 0, -1.0, b["x"])})
    sent, _ = made([Fault("text", WrongType("x")), rows])
    assert {json.loads(b)["x"] for b in sent[600:1200]} == {"-1.0"}


# Edge values of rows: what arrives.

AS_NULL = {"nan", "inf", "minus_inf", "null"}
"""JSON has no word for the first three; Number says them all the same."""


@pytest.mark.parametrize("value", [e for e in EDGES if e.kind in ("number", "any")], ids=lambda e: e.name)
def test_every_edge_number_reaches_the_server_exactly(value: Any) -> None:
    whole = isinstance(value.value, int) and not isinstance(value.value, bool)
    rows = {"v": np.array([7]) if whole else np.array([7.5])}
    faulty = edge("v", value.name)(rows, np.ones(1), rng())
    (sent,) = protocol(ROW).encode(faulty, 1)
    arrived = json.loads(sent)["v"]
    if value.name in AS_NULL:
        assert arrived is None
        return
    assert repr(arrived) == repr(value.value)


@pytest.mark.parametrize("value", [e for e in EDGES if e.kind == "text"], ids=lambda e: e.name)
def test_every_edge_text_reaches_the_server_exactly(value: Any) -> None:
    faulty = edge("v", value.name)({"v": np.array(["Acme"])}, np.ones(1), rng())
    (sent,) = protocol(ROW).encode(faulty, 1)
    assert json.loads(sent)["v"] == (value.value if value.change is None else value.change("Acme"))


# The documentation and the catalogue.


def test_the_faults_of_the_documentation_can_be_in_requests_with_those_columns() -> None:
    from tests.test_docs import ROOT

    page = (ROOT / "docs" / "edge.md").read_text(encoding="utf-8")
    (example,) = re.findall(r"```python\n(from driftdrill.*?)```", page, re.DOTALL)
    made: dict[str, Any] = {}
    exec(example, made)
    rows = {"dep_delay": np.array([1.0]), "hour": np.array([7])}
    rows |= {name: np.array(["UA"]) for name in ("carrier", "origin")}
    scenario = replace(SCENARIO, rows=lambda: rows, truth=None, faults=made["faults"])
    assert len(Blocks(scenario, protocol(ROW), np.arange(10.0)).mutations) == 3


def test_every_kind_can_be_listed_and_made_from_words() -> None:
    examples: dict[str, Any] = {"column": "x", "to": "many", "text": "a", "patch": {"a": 1}}
    for fault in PAYLOAD_FAULTS:
        listed = kind(fault, "encoded request", "driftdrill.harness.traffic.payload")
        assert listed.id.startswith("edge.")
        assert (listed.visible_from, fault.seam) == ("client", "payload")
        assert len(listed.description) > 20
        needed = {
            f.name: examples[f.name]
            for f in msgspec.structs.fields(fault)
            if f.required  # no default
        }
        assert isinstance(parse(PAYLOAD_FAULTS, listed.name, needed), fault)
    assert len({kind(f, "", "").name for f in PAYLOAD_FAULTS}) == len(PAYLOAD_FAULTS)


def test_every_edge_of_the_catalogue_is_a_fault_of_the_payload_or_of_rows() -> None:
    """Section A of the catalogue."""
    ids = {fault.id for fault in PAYLOAD_FAULTS} | {value.id for value in EDGES}
    assert ids - {"edge.merge_patch"} == {
        f"edge.{name}"
        for name in (
            *("nan", "null", "missing", "unseen_category", "out_of_range", "wrong_type", "batch_shape", "size"),
            *("encoding", "duplicate_key", "unknown_key", "time", "text"),
        )
    }

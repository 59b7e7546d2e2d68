"""The table on real servers: what came back, in one word, and what of it is a finding."""

import json
from typing import Any

import numpy as np
import pytest

from driftdrill.harness.edge.cases import CASES, prepared
from driftdrill.harness.edge.probe import ADVICE, WORDS, Bounds, CaseProgress, probe
from driftdrill.harness.errors import TargetError
from driftdrill.harness.setup.target import ProtocolOptions
from tests.harness.edge.servers import React, prober, served

QUIET: Any = lambda done, of: None  # noqa: E731


def table(
    react: React, *codes: str, bounds: Bounds | None = None, timeout: float = 5.0, grace: float = 0.3
) -> CaseProgress:
    """The named cases (all, if none is) against a server that reacts so."""
    progress = CaseProgress()
    with served(react) as server:
        asking = prober(server, timeout=timeout)
        asking.grace = grace
        ready = [r for r in prepared(asking.base) if not codes or r.case.code in codes]
        probe(asking, ready, bounds or Bounds(), progress, QUIET)
        asking.client.close()
    return progress


def to(mark: bytes, said: Any) -> React:
    """React to bodies that hold ``mark``."""
    return lambda body, number: said if mark in body else None


@pytest.mark.parametrize(
    ("said", "outcome", "code"),
    [
        ((422, b"{}"), "rejected", None),
        ((404, b""), "rejected", None),
        ((500, b"oh no"), "crashed", "edge.nan.nan.crashed"),
        ((503, b""), "crashed", "edge.nan.nan.crashed"),
        ("reset", "lost", "edge.nan.nan.lost"),
        ("hang", "hung", "edge.nan.nan.hung"),
        (b'{"prediction": 2.0}', "same", None),
        (b'{"prediction": 0.5}', "different", "edge.nan.nan.different"),
        (b'{"prediction": null}', "undecodable", "edge.nan.nan.undecodable"),
        (b'{"prediction": NaN}', "undecodable", "edge.nan.nan.undecodable"),
        (b'{"prediction": 1e999}', "undecodable", "edge.nan.nan.undecodable"),
        (b'{"prediction": 1' + b"0" * 400 + b"}", "undecodable", "edge.nan.nan.undecodable"),
        (b"<html>", "undecodable", "edge.nan.nan.undecodable"),
        ((304, b""), "undecodable", "edge.nan.nan.undecodable"),
    ],
    ids=lambda value: str(value)[:24],
)
def test_each_answer_has_its_word_and_only_bad_ones_are_findings(said: Any, outcome: str, code: str | None) -> None:
    progress = table(to(b"NaN", said), "edge.nan.nan", timeout=1.0 if said == "hang" else 5.0)
    (case,) = progress.cases
    assert (case.case, case.outcome, case.column) == ("edge.nan.nan", outcome, "x")
    assert [f.code for f in progress.findings] == ([code] if code else [])
    assert all(f.advice and f.column == "x" for f in progress.findings)
    assert not progress.why


def test_a_number_that_is_none_is_no_prediction() -> None:
    """JSON has no NaN, but a result path may read one from a text."""
    with served(lambda body, number: b'{"prediction": "%s"}' % (b"nan" if b"null" in body else b"2")) as server:
        asking = prober(server, options=ProtocolOptions(result="to_number(prediction)"))
        (ready,) = (r for r in prepared(asking.base) if r.case.code == "edge.null.null" and r.request is not None)
        found = asking.answer(ready.request, 1)  # type: ignore[arg-type]
    assert (found.outcome, found.note) == ("undecodable", "predicted nan")


def test_another_prediction_is_fine_for_an_unusual_row_and_not_for_one_that_says_the_same() -> None:
    progress = table(to(b"", None), "edge.out_of_range.zero", "edge.unseen_category.unseen")
    assert [(c.outcome, c.prediction) for c in progress.cases] == [("same", 2.0), ("different", 0.0)]
    assert not progress.findings
    misread = table(to(b"    ", b'{"prediction": 7.0}'), "edge.size.blanks")
    assert [f.code for f in misread.findings] == ["edge.size.blanks.different"]


def test_a_service_that_is_dead_afterwards_ends_it_and_says_so_first() -> None:
    progress = table(to(b"Infinity", "die"))
    assert [f.code for f in progress.findings] == ["edge.nan.infinity.lost", "edge.nan.infinity.dead"]
    assert progress.why.startswith("DEAD: since edge.nan.infinity")
    assert {c.outcome for c in progress.cases[2:]} <= {"not_sent", "not_applicable"}


def test_a_service_that_comes_back_in_time_is_not_dead() -> None:
    down = {"until": 0}

    def restarting(body: bytes, number: int) -> Any:
        if b"NaN" in body:
            down["until"] = number + 1
            return "reset"
        return (503, b"starting") if number <= down["until"] else None

    progress = table(restarting, "edge.nan.nan", "edge.nan.infinity", grace=20.0)
    assert [f.code for f in progress.findings] == ["edge.nan.nan.lost"]
    assert progress.cases[1].outcome == "rejected"


def test_a_request_that_changes_what_others_are_answered_is_found() -> None:
    poison = {"by": 0.0}

    def remembering(body: bytes, number: int) -> Any:
        if b"NaN" in body:
            poison["by"] = 1.0
            return 422, b""
        return json.dumps({"prediction": 2.0 + poison["by"]}).encode()

    progress = table(remembering, "edge.nan.nan")
    assert [f.code for f in progress.findings] == ["edge.nan.nan.poisoned"]


def test_a_prediction_that_varies_by_itself_is_not_told_from_the_valid_one() -> None:
    def noisy(body: bytes, number: int) -> Any:
        return json.dumps({"prediction": 9.0 if b"1e+308" in body else 2.0 + 0.1 * (number % 2)}).encode()

    progress = table(noisy, "edge.wrong_type.quoted", "edge.out_of_range.huge")
    assert [c.outcome for c in progress.cases] == ["different", "same"]
    assert not progress.findings


def test_a_valid_row_that_is_refused_is_told_before_anything_is_sent() -> None:
    with served(to(b"", (422, b'{"detail": "no kind"}'))) as server, pytest.raises(TargetError, match="422 to a clean"):
        prober(server)


def test_requests_seconds_and_bytes_are_bounded_and_what_is_left_out_is_named() -> None:
    seen: list[int] = []

    def counting(body: bytes, number: int) -> Any:
        seen.append(len(body))

    few = table(counting, bounds=Bounds(requests=20))
    assert len(seen) <= 20
    assert "20 requests are (--most)" in few.why
    assert [c.outcome for c in few.cases].count("not_sent") > 20
    assert "(--seconds)" in table(counting, bounds=Bounds(seconds=-1)).why
    seen.clear()
    small = table(counting, bounds=Bounds(largest=10_000))
    assert max(seen) <= 10_000
    assert not small.why
    assert [c.note for c in small.cases if c.case == "edge.size.blanks"] == ["above the largest body, 10,000 bytes"]


# What is sent.


def test_every_case_is_sent_once_and_each_is_another_request() -> None:
    bodies: list[bytes] = []
    table(lambda body, number: bodies.append(body))
    valid = max(set(bodies), key=bodies.count)
    sent = [b for b in bodies if b != valid]
    assert len(sent) >= 45
    assert len(set(sent)) == len(sent) - 1, "gzip with its header and without it"
    assert {b'{"x": NaN, "kind": "a"}', b'{"x": 9007199254740993, "kind": "a"}', b'{"x": -0.0, "kind": "a"}'} <= set(
        sent
    )


def applicable(options: ProtocolOptions, batch: Any) -> dict[str, Any]:
    from driftdrill.harness.edge.cases import valid
    from driftdrill.harness.traffic.protocols import protocol

    return {r.case.code: r for r in prepared(valid(batch, protocol(options))) if r.request is not None}


NUMBERS = {"a": np.array([1.0]), "b": np.array([2])}
MIXED = {"x": np.array([1.0]), "kind": np.array(["a"]), "at": np.array(["2024-05-01T12:00:00+02:00"])}


@pytest.mark.parametrize(
    ("options", "batch", "lacks"),
    [
        (ProtocolOptions(body='{"rows": $rows}'), MIXED, {"edge.wrong_type.datatype", "edge.batch_shape.declared"}),
        (ProtocolOptions("v1", model="m"), MIXED, {"edge.wrong_type.datatype", "edge.batch_shape.declared"}),
        (ProtocolOptions("seldon"), MIXED, {"edge.wrong_type.datatype", "edge.batch_shape.declared"}),
        (ProtocolOptions("mlflow"), MIXED, {"edge.wrong_type.datatype", "edge.batch_shape.declared"}),
        (ProtocolOptions("v2", model="m", body="columns"), MIXED, {"edge.batch_shape.transposed"}),
        (ProtocolOptions("v2", model="m", body="tensor"), NUMBERS, {"text and time"}),
    ],
    ids=lambda value: value.name if isinstance(value, ProtocolOptions) else "",
)
def test_every_case_can_be_sent_in_every_protocol_that_has_a_place_for_it(
    options: ProtocolOptions, batch: Any, lacks: set[str]
) -> None:
    if lacks == {"text and time"}:
        lacks = {c.code for c in CASES if c.kind in ("text", "time")}
    lacks |= {"edge.time.milliseconds"}  # only timestamps in numbers can be mistaken for them
    assert {c.code for c in CASES} - applicable(options, batch).keys() == lacks


def test_timestamps_in_numbers_are_known_by_their_name_and_their_age() -> None:
    found = applicable(ProtocolOptions(), {"created_at": np.array([1714564800]), "size": np.array([1714564800])})
    assert json.loads(found["edge.time.milliseconds"].request.body)["created_at"] == 1714564800000
    assert "edge.time.no_offset" not in found


def test_a_batch_where_the_body_says_how_many_rows_there_are() -> None:
    tensor = applicable(ProtocolOptions("v2", model="m", body="tensor"), NUMBERS)
    listed = applicable(ProtocolOptions("v1", model="m"), NUMBERS)
    alone = applicable(ProtocolOptions(), NUMBERS)
    name = "edge.batch_shape.one_more"
    assert [(f[name].case.means, f[name].rows) for f in (tensor, listed, alone)] == [
        ("nonsense", 1),
        ("same", 2),
        ("nonsense", 2),
    ]
    assert listed["edge.batch_shape.many"].rows == 10_000


def test_a_language_model_gets_what_fits_a_prompt() -> None:
    found = applicable(ProtocolOptions("openai-chat", model="m"), {"prompt": np.array(["Hi"])})
    assert "edge.text.many_tokens" in found
    assert "edge.encoding.surrogate_raw" in found
    assert "edge.nan.nan" not in found
    assert "edge.batch_shape.many" not in found


def test_named_columns_get_each_case_that_fits_them() -> None:
    from driftdrill.harness.edge.cases import valid
    from driftdrill.harness.traffic.protocols import protocol

    base = valid({"a": np.array([1.0]), "b": np.array([2.0]), "k": np.array(["x"])}, protocol(ProtocolOptions()))
    sent = [(r.case.code, r.column) for r in prepared(base, ["a", "b"]) if r.request is not None]
    assert {("edge.nan.nan", "a"), ("edge.nan.nan", "b"), ("edge.size.blanks", "")} <= set(sent)
    assert len(sent) == len(set(sent))
    assert not [c for c in sent if c[1] == "k"]


def test_codes_are_stable_and_in_the_documentation() -> None:
    """A name that is changed breaks the --accept of somebody's pipeline."""
    from tests.test_docs import ROOT

    assert len({c.code for c in CASES}) == len(CASES)
    page = (ROOT / "docs" / "edge.md").read_text(encoding="utf-8")
    assert not [c.code for c in CASES if f"`{c.code}`" not in page]
    assert not [word for word in WORDS if f"`{word}`" not in page]
    assert {"crashed", "lost", "hung", "undecodable", "dead", "poisoned"} <= ADVICE.keys()

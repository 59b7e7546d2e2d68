"""Payloads: bytes that depend on the seed and the block alone, faults at their strength, truth never sent."""

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import constant, step
from driftdrill.harness.scenario.expect import quiet
from driftdrill.harness.scenario.fault import Batch, Fault
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seeds import generator
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Blocks
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.harness.traffic.schedule import arrivals


def rows() -> Batch:
    n = 500
    return {
        "x": np.arange(n, dtype=np.float64),
        "kind": np.array(["a", "b"] * (n // 2), dtype=object),
        "late": (np.arange(n) % 3 == 0).astype(np.int64),
    }


def shift(batch: Batch, strength: Any, rng: np.random.Generator) -> Batch:
    return {**batch, "x": np.where(rng.random(len(strength)) < strength, -1.0, batch["x"])}


SCENARIO = Scenario(
    name="shift",
    story="x is lost.",
    rows=rows,
    truth="late",
    rate=constant(10),
    warm_up=20,
    baseline=40,
    fault=60,
    recovery=40,
    faults=[Fault("lost", shift, strength=constant(0.5))],
    expect=[quiet("Nothing")],
    seed=4,
)


def payload(scenario: Scenario = SCENARIO, rows_per_request: int = 1) -> Blocks:
    times = arrivals(scenario.rate, scenario.duration, generator(scenario.seed, "schedule"))
    body = "$row" if rows_per_request == 1 else '{"rows": $rows}'
    spoken = protocol(ProtocolOptions(body=body))
    return Blocks(scenario, spoken, times, rows_per_request)


def bodies(made: Blocks) -> list[bytes]:
    return [body for i in range(-(-len(made.times) // BLOCK_ROWS)) for body in made.block(i).bodies]


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others() -> None:
    assert bodies(payload()) == bodies(payload())
    assert bodies(payload())[:50] != bodies(payload(replace(SCENARIO, seed=5)))[:50]


def test_a_block_is_the_same_whoever_made_which_blocks_before() -> None:
    """A worker that plays every fourth slot, and one that begins in the middle, make the same bytes."""
    in_order, last_first = payload(), payload()
    blocks = range(-(-len(in_order.times) // BLOCK_ROWS))
    forward = [in_order.block(i) for i in blocks]
    for i in reversed(blocks):
        other = last_first.block(i)
        assert other.bodies == forward[i].bodies
        assert (other.truth == forward[i].truth).all()
        assert (other.strength["lost"] == forward[i].strength["lost"]).all()


def test_a_longer_drill_begins_with_the_same_rows() -> None:
    """The last block is short; its rows are drawn as if it were whole."""
    times = np.linspace(0, 100, 300)
    short, long = (Blocks(SCENARIO, protocol(ProtocolOptions()), t, 1) for t in (times, np.linspace(0, 100, 900)))
    assert [json.loads(b)["kind"] for b in short.block(1).bodies] == [
        json.loads(b)["kind"] for b in long.block(1).bodies[:44]
    ]


def test_another_fault_changes_neither_rows_nor_the_first_faults_draws() -> None:
    def blank(batch: Batch, strength: Any, rng: np.random.Generator) -> Batch:
        return {**batch, "kind": np.where(rng.random(len(strength)) < strength, "", batch["kind"])}

    more = replace(SCENARIO, faults=[Fault("blank", blank, strength=constant(1.0)), *SCENARIO.faults])
    xs = [[json.loads(b)["x"] for b in bodies(payload(s))] for s in (SCENARIO, more)]
    assert xs[0] == xs[1]


def test_a_fault_is_in_force_in_its_phase_at_its_strength_and_nowhere_else() -> None:
    made = payload()
    sent = np.array([json.loads(b)["x"] for b in bodies(made)])
    inside = (made.times >= 60) & (made.times < 120)
    assert (sent[~inside] >= 0).all()
    assert 0.4 < (sent[inside] == -1).mean() < 0.6
    changed = np.concatenate([made.block(i).changed["lost"] for i in range(-(-len(made.times) // BLOCK_ROWS))])
    assert (changed == (sent == -1)).all()


def test_a_curve_of_strength_counts_from_the_start_of_the_fault_phase() -> None:
    made = payload(replace(SCENARIO, faults=[Fault("lost", shift, strength=step(at=30))]))
    sent = np.array([json.loads(b)["x"] for b in bodies(made)])
    lost = made.times[sent == -1]
    assert lost.min() >= 90
    assert lost.max() < 120


def test_where_limits_a_fault_to_a_slice() -> None:
    only_a = Fault("lost", shift, strength=constant(1.0), where=lambda batch: batch["kind"] == "a")
    made = payload(replace(SCENARIO, faults=[only_a]))
    sent = [json.loads(b) for b in bodies(made)]
    inside = (made.times >= 60) & (made.times < 120)
    assert all((row["x"] == -1) == (row["kind"] == "a") for row, i in zip(sent, inside, strict=True) if i)


def test_truth_is_carried_along_and_never_sent() -> None:
    made = payload()
    for row, truth in zip(made.block(0).bodies, made.block(0).truth, strict=True):  # type: ignore[arg-type]
        assert json.loads(row).keys() == {"x", "kind"}
        assert truth == (json.loads(row)["x"] % 3 == 0)


def test_several_rows_a_request_carry_their_truth_and_strength() -> None:
    made = payload(rows_per_request=3)
    block = made.block(2)
    assert block.truth is not None
    assert len(block.truth) == 3 * len(block.bodies)
    assert len(block.strength["lost"]) == len(block.bodies)
    assert all(len(json.loads(b)["rows"]) == 3 for b in block.bodies)


@pytest.mark.parametrize(
    ("bad", "says"),
    [
        (lambda: [1, 2], "must answer a dict"),
        (lambda: {"x": np.arange(3), "late": np.arange(4)}, "of one length"),
        (lambda: {"x": np.arange(3)}, "no column 'late'"),
        (lambda: {"x": np.arange(2), "late": np.array(["a", 1], dtype=object)}, "must be numbers or texts"),
        (lambda: {"x": np.array([]), "late": np.array([])}, "above 0"),
    ],
)
def test_rows_that_cannot_be_sent_are_refused_by_name(bad: Any, says: str) -> None:
    with pytest.raises(ScenarioError, match=says):
        payload(replace(SCENARIO, rows=bad))


def test_a_fault_that_changes_the_number_of_rows_is_refused() -> None:
    def drop(batch: Batch, strength: Any, rng: Any) -> Batch:
        return {name: column[:-1] for name, column in batch.items()}

    made = payload(replace(SCENARIO, faults=[Fault("drop", drop)]))
    with pytest.raises(ScenarioError, match="'drop' changed the columns or the number of rows"):
        bodies(made)


def test_memory_is_flat_only_the_last_few_blocks_are_kept() -> None:
    made = payload(replace(SCENARIO, rate=constant(100)))
    bodies(made)
    assert len(made._blocks) <= 3


def test_a_row_stays_of_its_segment_whatever_a_fault_writes_there_and_moves_with_the_whole_row() -> None:
    def segments(how: Any) -> tuple[list[str], list[float]]:
        rows = {"country": np.array(["at", "ch"] * 50), "x": np.arange(100.0), "late": np.arange(100) % 2}
        made = replace(SCENARIO, rows=lambda: rows, truth="late", segments=["country"], faults=[Fault("f", how)])
        times = np.arange(20.0) + made.phases[2].start
        block = Blocks(made, protocol(ProtocolOptions()), times).block(0)
        return block.segments["country"], block.truths

    def misspelled(batch: Batch, strength: Any, rng: Any) -> Batch:
        return {**batch, "country": np.full(len(batch["x"]), "ch")}

    def drawn_anew(batch: Batch, strength: Any, rng: Any) -> Batch:
        order = rng.permutation(len(batch["x"]))
        return {name: column[order] for name, column in batch.items()}

    for how in (misspelled, drawn_anew):
        countries, truths = segments(how)
        assert len(countries) == len(truths) == 20
        assert [country == "ch" for country in countries] == [truth == 1 for truth in truths]

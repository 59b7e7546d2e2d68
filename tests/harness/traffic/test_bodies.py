"""Ready-made bodies: what is sent is what encoding anew gives, byte for byte, and known rows are not encoded again."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.curve import constant
from driftdrill.harness.scenario.expect import quiet
from driftdrill.harness.scenario.fault import Batch, Fault
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic import ready_bodies as module
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Blocks
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.shift_generators import correlation_break, duplicates, mcar, prior, rescale, selection, tilt

ROWS = 300
BLOCKS = 8


def rows() -> Batch:
    rng = np.random.default_rng(1)
    x = rng.normal(size=ROWS)
    x[:30], x[30:60] = 0.0, np.nan
    return {
        "x": x,
        "count": rng.integers(-3, 4, ROWS),
        "flag": rng.random(ROWS) < 0.5,
        "kind": rng.choice(["a", "b", None], ROWS).astype(object),
        "name": rng.choice(["ada", "bob"], ROWS),
        "mixed": np.array([1, True, 1.0, "1", None] * (ROWS // 5), dtype=object),
        "late": (np.arange(ROWS) % 3 == 0).astype(np.int64),
    }


def scenario(*faults: Fault, source: Callable[[], Batch] = rows) -> Scenario:
    return Scenario(
        name="bodies", story="Rows come again.", rows=source, truth="late", rate=constant(10),
        warm_up=1, baseline=700, fault=1e6, recovery=1, faults=list(faults), expect=[quiet("Nothing")],
    )  # fmt: skip


class Counting:
    """How many rows were encoded."""

    def __init__(self, options: ProtocolOptions) -> None:
        spoken = protocol(options)
        self.rows, self._encode = 0, spoken.encode
        self.protocol = replace(spoken, encode=self.encode)

    def encode(self, batch: Batch, rows_per_request: int) -> list[bytes]:
        self.rows += len(next(iter(batch.values())))
        return self._encode(batch, rows_per_request)


def sent(
    played: Scenario, options: ProtocolOptions, *, anew: bool = False, rows_each: int = 1
) -> tuple[list[Any], int]:
    """All bodies of a few blocks, and how many rows were encoded for them."""
    counting = Counting(options)
    blocks = Blocks(played, counting.protocol, np.arange(BLOCKS * BLOCK_ROWS - 40.0), rows_each)
    if anew:
        blocks._bodies = None
    return [body for i in range(BLOCKS) for body in blocks.block(i).bodies], counting.rows


def negated(batch: Batch, strength: Any, rng: Any) -> Batch:
    return {**batch, "x": -batch["x"]}


def doubled(batch: Batch, strength: Any, rng: Any) -> Batch:
    return {**batch, "count": batch["count"] * 1.0}


def equal_but_not_the_same(batch: Batch, strength: Any, rng: Any) -> Batch:
    return {**batch, "mixed": np.array([True if v == 1 else v for v in batch["mixed"].tolist()], dtype=object)}


def turned_round(batch: Batch, strength: Any, rng: Any) -> Batch:
    return dict(reversed(batch.items()))


def permuted(batch: Batch, strength: Any, rng: np.random.Generator) -> Batch:
    order = rng.permutation(len(strength))
    return {name: column[order] for name, column in batch.items()}


FAULTS = [
    tilt("count"),
    prior("late", {1: 0.8}),
    selection(lambda batch: batch["flag"]),
    duplicates(rate=0.5),
    correlation_break("x", "count", "kind"),
    rescale("x", by=60.0),
    mcar("x", rate=0.4),
    negated,
    doubled,
    equal_but_not_the_same,
    turned_round,
    permuted,
]


@pytest.mark.parametrize("options", [ProtocolOptions(), ProtocolOptions("v2", model="m"), ProtocolOptions("mlflow")])
@pytest.mark.parametrize("how", FAULTS, ids=lambda how: getattr(how, "id", None) or how.__name__)
def test_what_is_sent_is_what_encoding_anew_gives_to_the_byte(how: Any, options: ProtocolOptions) -> None:
    for strength in (0.4, 1.0):
        played = scenario(Fault("it", how, strength=constant(strength)))
        assert sent(played, options)[0] == sent(played, options, anew=True)[0]


def test_two_faults_and_several_rows_a_request_are_sent_as_encoded_anew() -> None:
    both = scenario(Fault("drawn", tilt("count")), Fault("scaled", rescale("x", by=2.0), strength=constant(0.5)))
    assert sent(both, ProtocolOptions())[0] == sent(both, ProtocolOptions(), anew=True)[0]
    options = ProtocolOptions(body='{"rows": $rows}')
    assert sent(both, options, rows_each=3)[0] == sent(both, options, rows_each=3, anew=True)[0]


@pytest.mark.parametrize("how", [None, tilt("count"), prior("late", {1: 0.8}), duplicates(rate=0.5), permuted])
def test_rows_that_are_only_drawn_or_moved_are_encoded_once(how: Any) -> None:
    played = scenario(*[Fault("it", how)] if how else [])
    assert sent(played, ProtocolOptions())[1] <= ROWS
    assert sent(played, ProtocolOptions(), anew=True)[1] > 1900


def test_rows_that_a_fault_leaves_alone_are_not_encoded_again() -> None:
    some = scenario(Fault("it", rescale("x", by=60.0), where=lambda batch: batch["count"] == 3))
    # A seventh of the rows, as often as they are drawn, and each of the others once.
    assert sent(some, ProtocolOptions())[1] < ROWS + 1300 / 4


def test_columns_of_a_kind_whose_bits_are_not_known_are_encoded_anew_where_touched() -> None:
    def odd() -> Batch:
        return {**rows(), "wide": np.arange(ROWS, dtype=np.longdouble)}

    played = scenario(Fault("it", negated), source=odd)
    assert sent(played, ProtocolOptions())[0] == sent(played, ProtocolOptions(), anew=True)[0]


def test_the_bodies_kept_are_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "KEPT_BYTES", 10_000)
    counting = Counting(ProtocolOptions())
    blocks = Blocks(scenario(), counting.protocol, np.arange(1000.0))
    whole = [body for i in range(4) for body in blocks.block(i).bodies]
    assert blocks._bodies is not None
    kept = sum(map(len, blocks._bodies._kept.values()))
    assert 9_000 < kept <= 10_000
    assert whole == sent(scenario(), ProtocolOptions(), anew=True)[0][:1000]


def test_a_fault_that_changes_its_input_is_told_so() -> None:
    """Its change would not be seen, and rows that are ready-made would be sent in its place."""

    def in_place(batch: Batch, strength: Any, rng: Any) -> Batch:
        batch["x"][:] = 7.0
        return batch

    with pytest.raises(ScenarioError, match=r"'it'.*read-only"):
        sent(scenario(Fault("it", in_place)), ProtocolOptions())

"""The joint law moves and every marginal stays."""

import numpy as np

from driftdrill.shift_generators import wrong_join


def test_a_wrong_join_keeps_every_marginal_and_gives_no_row_its_own_values() -> None:
    n = 500
    batch = {"a": np.arange(n), "b": np.arange(n) * 2.0, "c": np.arange(n).astype(str), "kept": np.arange(n)}
    out = wrong_join("a", "b", "c")(batch, 1.0, np.random.default_rng(1))
    for name in ("a", "b", "c"):
        assert sorted(out[name].tolist()) == sorted(batch[name].tolist())
        assert (out[name] != batch[name]).all()
    assert (out["b"] == out["a"] * 2.0).all(), "the columns of one join come from one other row"
    assert (out["c"] == out["a"].astype(str)).all()
    assert out["kept"] is batch["kept"]


def test_a_share_of_rows_takes_part_in_a_wrong_join() -> None:
    batch = {"a": np.arange(1000)}
    out = wrong_join("a")(batch, 0.25, np.random.default_rng(1))
    assert (out["a"] != batch["a"]).sum() == 250


def test_a_join_with_a_single_participant_is_the_identity() -> None:
    batch = {"a": np.array([3.5])}
    assert wrong_join("a")(batch, 1.0, np.random.default_rng(1))["a"].tolist() == [3.5]

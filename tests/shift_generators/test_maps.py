"""Monotone maps: what one column becomes, and that nothing else moves."""

import numpy as np
import pytest

from driftdrill.shift_generators import BadValue, UnknownColumn, affine, mean_shift, rescale, scale


def rng() -> np.random.Generator:
    return np.random.default_rng(7)


def test_a_mean_shift_moves_every_row_by_its_own_strength() -> None:
    out = mean_shift("x", by=10.0)({"x": np.zeros(3)}, np.array([0.0, 0.5, 1.0]), rng())
    assert out["x"].tolist() == [0.0, 5.0, 10.0]


def test_a_scale_keeps_its_fixed_point() -> None:
    out = scale("x", by=3.0, about=1.0)({"x": np.array([0.0, 1.0, 2.0])}, 1.0, rng())
    assert out["x"].tolist() == [-2.0, 1.0, 4.0]


def test_an_affine_map_is_on_the_straight_line_at_half_strength() -> None:
    out = affine("x", by=3.0, offset=4.0)({"x": np.array([2.0])}, 0.5, rng())
    assert out["x"].tolist() == [6.0]  # halfway from 2 to 10


def test_a_row_is_in_the_old_unit_or_in_the_new_one() -> None:
    x = np.full(1000, 2)
    out = rescale("delay", by=60)({"delay": x}, 0.3, rng())["delay"]
    assert out.dtype == x.dtype
    assert set(out.tolist()) == {2, 120}
    assert (out == 120).sum() == 300


def test_an_unknown_column_is_answered_with_the_nearest_names() -> None:
    with pytest.raises(UnknownColumn, match=r"(?s)no column .dep_dely.*did you mean dep_delay"):
        rescale("dep_dely", by=60)({"dep_delay": np.ones(2), "distance": np.ones(2)}, 1.0, rng())


@pytest.mark.parametrize("by", [0.0, 1.0, float("nan"), True])
def test_a_factor_that_changes_nothing_is_refused(by: float) -> None:
    with pytest.raises(BadValue, match="by must be"):
        rescale("x", by=by)

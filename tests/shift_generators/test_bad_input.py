"""What cannot be done is refused with the column, the value and a remedy."""

import numpy as np
import pytest

from driftdrill.shift_generators import (
    BadValue,
    Batch,
    Generator,
    ShiftError,
    UnknownColumn,
    WrongKind,
    affine,
    between,
    clipped,
    concept_flip,
    concept_logit,
    concept_reverse,
    constant_column,
    correlation_break,
    duplicates,
    edge,
    equals,
    from_columns,
    gaussian_noise,
    in_order,
    knockout_category,
    linear,
    log_unit,
    mar,
    mcar,
    mean_shift,
    merge_categories,
    novel_category,
    on_fraction,
    on_slice,
    outliers,
    prior,
    quantile_warp,
    rescale,
    rotation,
    rounding,
    scale,
    selection,
    shift_time,
    sized,
    stuck,
    subgroup,
    swap_columns,
    temperature,
    text_case,
    text_emoji,
    text_language,
    text_length,
    tilt,
    time_format,
    timezone,
    wrong_join,
)
from tests.shift_generators.examples import GENERATORS, make_batch, rng

BATCH = make_batch(50)
ONES = np.ones(50)


@pytest.mark.parametrize("generator", [g for g in GENERATORS if g.columns], ids=repr)
def test_a_column_that_is_not_there_is_named_with_the_nearest_ones(generator: Generator) -> None:
    name = generator.columns[0]
    batch = {f"{k}_2" if k == name else k: v for k, v in BATCH.items()}
    with pytest.raises(UnknownColumn, match=f"(?s)no column '{name}'.*{name}_2") as refused:
        generator(batch, ONES, rng())
    assert refused.value.hint


@pytest.mark.parametrize("generator", GENERATORS, ids=repr)
def test_an_empty_batch_is_refused(generator: Generator) -> None:
    for empty in ({name: column[:0] for name, column in BATCH.items()}, {}):
        with pytest.raises((BadValue, UnknownColumn)):
            generator(empty, np.ones(0), rng())


@pytest.mark.parametrize("generator", GENERATORS, ids=repr)
@pytest.mark.parametrize("wrong", [-0.1, 1.1, float("nan")])
def test_a_strength_outside_0_and_1_is_refused_with_its_row(generator: Generator, wrong: float) -> None:
    strength = np.where(np.arange(50) == 7, wrong, 0.5)
    with pytest.raises(BadValue, match=rf"strength\[7\] is {wrong}"):
        generator(BATCH, strength, rng())


def test_a_strength_of_another_length_is_refused() -> None:
    with pytest.raises(BadValue, match=r"shape \(3,\), but the batch has 50 rows"):
        mean_shift("x")(BATCH, np.ones(3), rng())


def test_columns_of_different_length_are_refused() -> None:
    with pytest.raises(BadValue, match="differ in length"):
        mean_shift("x")({"x": np.ones(2), "y": np.ones(3)}, np.ones(2), rng())


@pytest.mark.parametrize(
    ("generator", "column"),
    [(g, g.columns[0]) for g in GENERATORS if g.columns and g.kind == "number"],
    ids=lambda v: repr(v) if isinstance(v, Generator) else "",
)
def test_numbers_cannot_be_made_of_text(generator: Generator, column: str) -> None:
    with pytest.raises(WrongKind, match=f"column '{column}' must hold numbers, but its dtype is <U2"):
        generator({**BATCH, column: np.full(50, "AA")}, ONES, rng())


def test_text_cannot_be_made_of_numbers() -> None:
    for generator in (text_case("x"), novel_category("x"), edge("x", "unseen")):
        with pytest.raises(WrongKind, match="column 'x' must hold text, but its dtype is float64"):
            generator(BATCH, ONES, rng())


@pytest.mark.parametrize(
    "generator", [mean_shift("x"), mcar("x"), outliers("x"), quantile_warp("x"), tilt("x"), wrong_join("x"), stuck("x")]
)
def test_a_column_without_a_value_is_refused(generator: Generator) -> None:
    nothing = {**BATCH, "x": np.full(50, np.nan)}
    with pytest.raises(BadValue, match="every value of column 'x' is missing"):
        generator(nothing, ONES, rng())
    with pytest.raises(BadValue, match="every value of column 'x' is missing"):
        generator.solve(nothing)


@pytest.mark.parametrize("generator", [mean_shift("x"), mcar("x"), outliers("x"), quantile_warp("x"), wrong_join("x")])
def test_a_solved_generator_takes_a_block_in_which_every_value_happens_to_be_missing(generator: Generator) -> None:
    generator.solve(BATCH)({**BATCH, "x": np.full(50, np.nan)}, ONES, rng())


@pytest.mark.parametrize(
    "generator",
    [
        prior("y", {1: 0.5}),
        concept_flip("y"),
        concept_reverse("y", by="z"),
        concept_logit("y", probability=lambda batch: np.full(len(batch["y"]), 0.5), intercept=1.0),
    ],
    ids=repr,
)
def test_a_truth_that_is_not_known_is_refused_with_its_row(generator: Generator) -> None:
    truth = BATCH["y"].astype(float)
    truth[4] = np.nan
    with pytest.raises(BadValue, match=r"truth column 'y' has no value in row 4 \(nan\)"):
        generator({**BATCH, "y": truth}, ONES, rng())


def test_labels_other_than_0_and_1_cannot_be_flipped() -> None:
    with pytest.raises(WrongKind, match="must hold 0 and 1, but holds 2"):
        concept_flip("y")({"y": np.array([0, 1, 2])}, np.ones(3), rng())


def test_a_constant_column_has_no_spread() -> None:
    flat = {**BATCH, "z": np.full(50, 2.0)}
    for generator in (quantile_warp("z"), rotation("z", "whole"), outliers("z"), mar("x", by="z")):
        with pytest.raises(BadValue, match="column 'z' is constant"):
            generator(flat, ONES, rng())


def test_a_level_that_is_there_already_is_not_novel() -> None:
    with pytest.raises(BadValue, match="'AA' is a level of column 'carrier' already"):
        novel_category("carrier", level="AA")(BATCH, ONES, rng())


def test_whole_numbers_that_float64_cannot_hold_cannot_go_missing() -> None:
    with pytest.raises(WrongKind, match=r"beyond 2\*\*53"):
        mcar("id", rate=0.5)({"id": np.array([2**60, 1])}, np.ones(2), rng())


def test_a_value_that_a_column_cannot_hold_is_refused() -> None:
    with pytest.raises(WrongKind, match="cannot hold 'text'"):
        constant_column("x", value="text")(BATCH, ONES, rng())
    with pytest.raises(WrongKind, match="cannot hold"):
        edge("small", "int64_max")({"small": np.ones(3, dtype=np.int16)}, np.ones(3), rng())
    with pytest.raises(WrongKind, match="both must hold one kind"):
        swap_columns("x", "carrier")(BATCH, ONES, rng())


def test_text_that_is_no_timestamp_is_refused() -> None:
    with pytest.raises(WrongKind, match="must hold ISO 8601 timestamps, but holds 'AA'"):
        shift_time("carrier", by=1.0)({"carrier": np.array(["AA"])}, np.ones(1), rng())


def test_a_slice_must_answer_one_truth_value_a_row() -> None:
    with pytest.raises(BadValue, match=r"where must answer bool \(50,\), but answered float64"):
        on_slice(mcar("x"), where=lambda batch: batch["x"])(BATCH, ONES, rng())
    with pytest.raises(UnknownColumn):
        subgroup(equals("carier", "AA"), share=0.5)(BATCH, ONES, rng())
    with pytest.raises(BadValue, match="no row is in the slice"):
        on_slice(mcar("x"), where=equals("carrier", "ZZ")).solve(BATCH)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: mean_shift("x", by=0.0),
        lambda: mean_shift("x", by=float("inf")),
        lambda: scale("x", by=-1.0),
        lambda: scale("x", by=1.0),
        lambda: affine("x", by=1.0, offset=0.0),
        lambda: quantile_warp("x", power=0.0),
        lambda: rescale("x", by=0.0),
        lambda: log_unit("x", base=1.0),
        lambda: temperature("x", to="kelvin"),
        lambda: swap_columns("x", "x"),
        wrong_join,
        lambda: wrong_join("x", "x"),
        correlation_break,
        lambda: rotation("x", "x"),
        lambda: rotation("x", "z", degrees=360.0),
        lambda: tilt("x", theta=0.0),
        lambda: subgroup(equals("carrier", "AA"), share=1.0),
        lambda: selection(equals("carrier", "AA"), keep=1.0),
        lambda: prior("y", {1: 0.7, 0: 0.7}),
        lambda: prior("y", {}),
        lambda: mcar("x", rate=-0.1),
        lambda: mcar("x", rate=1.1),
        lambda: mar("x", by="x"),
        lambda: concept_flip("y", rate=0.0),
        lambda: concept_logit("y", probability=lambda batch: batch["x"]),
        lambda: gaussian_noise("x", sd=-1.0),
        lambda: outliers("x", rate=0.0),
        lambda: rounding("x", to=0.0),
        lambda: clipped("x"),
        lambda: clipped("x", lower=2.0, upper=1.0),
        lambda: duplicates(rate=2.0),
        lambda: merge_categories("carrier", {}),
        lambda: knockout_category("carrier"),
        lambda: shift_time("when", by=0.0),
        lambda: timezone("when", "Mars/Olympus"),
        lambda: time_format("when", to="roman"),
        lambda: text_case("note", to="title"),
        lambda: text_length("note", by=1.0),
        lambda: text_language("note", script="runic"),
        lambda: text_emoji("note", emoji=""),
        lambda: edge("x", "nam"),
        in_order,
        lambda: on_fraction(mcar("x"), share=0.0),
        lambda: equals("carrier"),
        lambda: between("x", 2.0, 1.0),
        lambda: sized(mean_shift("x"), psi=-1.0),
        lambda: from_columns({}),
        lambda: from_columns({"x": [1, 2], "y": [1]}),
        lambda: from_columns({"x": [[1, 2]]}),
    ],
)
def test_a_setting_that_means_nothing_is_refused_when_it_is_written(wrong: object) -> None:
    with pytest.raises(BadValue):
        wrong()  # type: ignore[operator]


def test_a_probability_must_be_one() -> None:
    drift = concept_logit("y", probability=lambda batch: np.full(len(batch["y"]), 1.0), intercept=1.0)
    with pytest.raises(BadValue, match=r"50 numbers in \(0, 1\)"):
        drift(BATCH, ONES, rng())


def test_a_score_names_its_unknown_column() -> None:
    with pytest.raises(UnknownColumn, match="no column 'zz'"):
        tilt(linear({"zz": 1.0}))(BATCH, ONES, rng())


def test_a_pool_that_lacks_a_column_of_the_batch_is_refused() -> None:
    found = tilt("z").solve({"z": BATCH["z"]})
    with pytest.raises(UnknownColumn, match="drawing from its reference"):
        found(BATCH, ONES, rng())


def test_every_error_is_one_kind_of_error_with_a_cause() -> None:
    with pytest.raises(ShiftError) as refused:
        edge("x", "nam")
    assert refused.value.cause == "edge('x', 'nam'): no edge value 'nam'"
    assert refused.value.hint == "did you mean nan?"
    batch: Batch = {"x": np.ones((2, 2))}
    with pytest.raises(WrongKind, match="one-dimensional"):
        mean_shift("x")(batch, np.ones(2), rng())

"""Text, timestamps, units and edge values: what a row reads before and after."""

import numpy as np
import pytest

from driftdrill.shift_generators import (
    EDGES,
    Edge,
    Generator,
    WrongKind,
    case_category,
    clipped,
    constant_column,
    edge,
    edges_for,
    from_columns,
    in_order,
    log_unit,
    mcar,
    mean_shift,
    on_fraction,
    on_slice,
    rounding,
    shift_time,
    stuck,
    swap_columns,
    temperature,
    text_case,
    text_emoji,
    text_language,
    text_length,
    text_typo,
    text_vocabulary,
    time_format,
    timezone,
    typo_category,
)
from driftdrill.shift_generators.kinds.slices import between
from tests.shift_generators.examples import rng


def one(generator: Generator, value: object) -> object:
    """What a single value becomes at full strength."""
    out = generator({"v": np.array([value])}, np.ones(1), rng())
    return out["v"].tolist()[0]


def test_units_are_converted() -> None:
    assert one(temperature("v"), 100.0) == 212.0
    assert one(temperature("v", to="celsius"), 212.0) == 100.0
    assert one(log_unit("v", base=10.0), 999.0) == pytest.approx(3.0)
    assert one(log_unit("v"), -1.0) == pytest.approx(-np.log(2.0))
    assert one(rounding("v", to=15.0), 22.6) == 30.0
    assert one(clipped("v", lower=0.0), -3.0) == 0.0
    assert one(constant_column("v", value=7.0), 3.0) == 7.0


def test_whole_numbers_are_rounded_and_stay_in_their_range() -> None:
    out = mean_shift("v", by=0.6)({"v": np.array([1, 2], dtype=np.int8)}, np.ones(2), rng())["v"]
    assert out.dtype == np.int8
    assert out.tolist() == [2, 3]
    assert one(mean_shift("v", by=1e30), 5) > 9e18
    out = mean_shift("v", by=100.0)({"v": np.array([100], dtype=np.int8)}, np.ones(1), rng())["v"]
    assert out.tolist() == [127]


def test_infinities_and_minus_zero_pass_through_a_shift() -> None:
    x = np.array([np.inf, -np.inf, np.nan, -0.0])
    out = mean_shift("v", by=1.0)({"v": x}, np.array([1.0, 1.0, 1.0, 0.0]), rng())["v"]
    assert out[0] == np.inf
    assert out[1] == -np.inf
    assert np.isnan(out[2])
    assert np.signbit(out[3])


def test_columns_change_places_and_widths() -> None:
    batch = {"a": np.array([1, 2]), "b": np.array([0.5, 1.5]), "c": np.array(["x", "y"]), "d": np.array(["long", "er"])}
    out = swap_columns("a", "b")(batch, np.ones(2), rng())
    assert out["a"].tolist() == [0.5, 1.5]
    assert out["b"].tolist() == [1.0, 2.0]
    assert swap_columns("c", "d")(batch, np.ones(2), rng())["c"].tolist() == ["long", "er"]


def test_a_stuck_sensor_repeats_one_value_of_the_reference_in_every_block() -> None:
    found = stuck("v").solve({"v": np.array([np.nan, 4.0, 5.0])})
    assert found({"v": np.array([9.0, 8.0])}, np.ones(2), rng())["v"].tolist() == [4.0, 4.0]


def test_a_misspelt_level_is_another_level_and_the_same_in_every_row_of_a_batch() -> None:
    out = typo_category("v")({"v": np.array(["AA", "Delta", "Delta", "b"])}, np.ones(4), rng())["v"].tolist()
    assert out[0] == "AAA"
    assert out[1] == out[2] != "Delta"
    assert sorted(out[1]) == sorted("Delta")
    assert out[3] == "bb"
    assert one(case_category("v"), "dL") == "Dl"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("2013-09-01T12:00:00", "2013-09-01T13:30:00"),
        ("2013-09-01 12:00:00+02:00", "2013-09-01 13:30:00+02:00"),
        ("2013-12-31T23:00:00Z", "2014-01-01T00:30:00Z"),
        ("2013-09-01T12:00:00.250000", "2013-09-01T13:30:00.250000"),
        ("2013-09-01", "2013-09-01"),
        (1_000_000, 1_005_400),
        (np.datetime64("2013-09-01T12:00"), np.datetime64("2013-09-01T13:30").item()),
    ],
)
def test_a_timestamp_is_moved_in_the_form_it_came_in(value: object, expected: object) -> None:
    assert one(shift_time("v", by=5400.0), value) == expected


def test_a_time_zone_moves_clocks_by_the_daylight_saving_of_the_day() -> None:
    new_york = timezone("v", "America/New_York")
    assert one(new_york, "2013-07-01T12:00:00") == "2013-07-01T08:00:00"
    assert one(new_york, "2013-12-01T12:00:00") == "2013-12-01T07:00:00"
    assert (
        one(timezone("v", "Asia/Kathmandu"), np.datetime64("2013-01-01T00:00:00")).isoformat() == "2013-01-01T05:45:00"
    )  # type: ignore[attr-defined]


def test_timestamps_come_in_another_format() -> None:
    at = "2013-09-01T12:30:00"
    assert one(time_format("v", to="day_first"), at) == "01/09/2013 12:30"
    assert one(time_format("v", to="month_first"), at) == "09/01/2013 12:30"
    assert one(time_format("v", to="date"), at) == "2013-09-01"
    assert one(time_format("v", to="epoch"), at) == "1378038600"
    assert one(time_format("v", to="milliseconds"), 1378038600) == 1378038600000


def test_texts_are_changed_letter_by_letter() -> None:
    assert one(text_case("v"), "déjà vu") == "DÉJÀ VU"
    assert one(text_emoji("v"), "hi") == "hi 🙂"
    assert one(text_language("v"), "Late Again") == "Лате Агаин"
    assert one(text_vocabulary("v"), "Late again!") == "Yngr ntnva!"
    assert one(text_vocabulary(column="v"), "naïve") == "anïir"
    typo = one(text_typo("v", rate=1.0), "abcd ef")
    assert typo == "badc fe"


def test_texts_are_repeated_or_cut_to_their_new_length() -> None:
    assert one(text_length("v", by=3.0), "ab") == "ab ab "
    assert one(text_length("v", by=2.5), "abcd") == "abcd abcd "
    assert one(text_length("v", by=0.5), "abcd") == "ab"
    assert one(text_length("v", by=0.01), "abcd") == "a"
    out = text_length("v", by=2.0)({"v": np.array(["a", "abc", ""])}, np.ones(3), rng())["v"]
    assert out.tolist() == ["a ", "abc ab", ""]


def test_objects_of_text_keep_their_gaps() -> None:
    batch = from_columns({"v": ["late", None, "on time"]})
    out = in_order(text_case("v"), text_emoji("v"))(batch, np.ones(3), rng())["v"]
    assert out.tolist() == ["LATE 🙂", None, "ON TIME 🙂"]
    assert mcar("v")(batch, np.ones(3), rng())["v"].tolist() == [None, None, None]


def test_many_texts_are_worked_on_in_pieces_with_the_same_result(monkeypatch: pytest.MonkeyPatch) -> None:
    texts = np.array(["a late flight", "x"] * 50)
    whole = text_language("v")({"v": texts}, np.ones(100), rng())["v"]
    monkeypatch.setattr("driftdrill.shift_generators.kinds.text._CELLS", 40)
    assert (text_language("v")({"v": texts}, np.ones(100), rng())["v"] == whole).all()


COLUMNS = {
    "number": np.array([1.0, 2.0]),
    "text": np.array(["Acme", "Bo"]),
    "time": np.array(["2013-09-01T12:00:00", "2013-09-02T12:00:00"], dtype="M8[s]"),
    "any": np.array([1, 2]),
    "int64_max": np.array([1, 2]),
    "above_2_53": np.array([1, 2]),
    "milliseconds": np.array([1378036800, 1378123200]),
    "no_offset": np.array(["2013-09-01T12:00:00Z", "2013-09-02 12:00:00+02:00"]),
}


@pytest.mark.parametrize("value", EDGES, ids=lambda e: e.name)
def test_every_edge_value_arrives_and_says_why_it_is_one(value: Edge) -> None:
    column = COLUMNS.get(value.name, COLUMNS[value.kind])
    assert value in edges_for(column) or value.only
    out = edge("v", value.name)({"v": column}, np.array([1.0, 0.0]), rng())["v"]
    assert str(out[0]) != str(column[0])
    assert str(out[1]) in (str(column[1]), str(float(column[1])) if value.kind == "any" else "")
    assert len(value.why) > 15
    assert value.id.startswith("edge.")


def test_edge_values_are_the_ones_they_claim_to_be() -> None:
    assert np.isnan(one(edge("v", "nan"), 1.0))  # type: ignore[call-overload]
    assert one(edge("v", "inf"), 1.0) == np.inf
    assert one(edge("v", "int64_max"), 1) == 2**63 - 1
    assert 0 < one(edge("v", "subnormal"), 1.0) < 2.3e-308  # type: ignore[operator]
    assert one(edge("v", "above_2_53"), 1) == 2**53 + 1
    assert one(edge("v", "homoglyph"), "Acme") == "Асmе"
    assert one(edge("v", "homoglyph"), "Acme") != "Acme"
    assert one(edge("v", "blank_after"), "AA") == "AA "
    assert len(str(one(edge("v", "long"), "x"))) == 100_000
    assert len(str(one(edge("v", "many_tokens"), "x")).split()) == 100_000
    assert one(edge("v", "milliseconds"), 1378036800) == 1378036800000
    assert one(edge("v", "no_offset"), "2013-09-01T12:00:00.5+05:30") == "2013-09-01T12:00:00.5"
    assert one(edge("v", "no_offset"), "2013-09-01 12:00:00Z") == "2013-09-01 12:00:00"
    assert one(edge("v", "summer_time_twice"), np.datetime64("2013-09-01T12:00", "s")).isoformat() == (  # type: ignore[attr-defined]
        "2024-10-27T02:30:00"
    )


def test_a_change_of_text_leaves_missing_text_missing() -> None:
    batch = from_columns({"v": ["Acme", None]})
    assert edge("v", "case")(batch, np.ones(2), rng())["v"].tolist() == ["aCME", None]


@pytest.mark.parametrize(
    ("name", "value", "says"),
    [
        ("int64_max", 1.0, "float64, which cannot hold 9223372036854775807 exactly"),
        ("above_2_53", 1.0, "cannot hold 9007199254740993 exactly"),
        ("minus_zero", 1, "no minus zero"),
        ("milliseconds", "2013-09-01T12:00:00", "timestamps as numbers"),
        ("no_offset", 1378036800, "timestamps as text"),
        ("no_offset", "2013-09-01", "'2013-09-01', which has no offset"),
    ],
)
def test_an_edge_value_that_a_column_cannot_hold_is_refused(name: str, value: object, says: str) -> None:
    with pytest.raises(WrongKind, match=says):
        one(edge("v", name), value)


def test_a_composition_keeps_its_order_its_fraction_and_its_slice() -> None:
    batch = {"v": np.arange(1000.0), "w": np.zeros(1000)}
    out = in_order(mean_shift("v", by=1.0), clipped("v", upper=10.0))(batch, np.ones(1000), rng())["v"]
    assert out.max() == 10.0
    mixed = on_fraction(mean_shift("w", by=5.0), share=0.25)(batch, np.ones(1000), rng())["w"]
    assert (mixed == 5.0).sum() == 250
    sliced = on_slice(mean_shift("w", by=5.0), where=between("v", 0, 100))(batch, np.ones(1000), rng())["w"]
    assert (sliced[:100] == 5.0).all()
    assert (sliced[100:] == 0.0).all()


def test_adding_a_generator_at_the_end_changes_no_draw_before_it() -> None:
    batch = {"v": np.arange(100.0), "w": np.arange(100.0)}
    alone = in_order(mcar("v", rate=0.5))(batch, np.ones(100), rng())
    more = in_order(mcar("v", rate=0.5), mcar("w", rate=0.5))(batch, np.ones(100), rng())
    assert alone["v"].tobytes() == more["v"].tobytes()
    other = in_order(mean_shift("v", by=1.0), mcar("w", rate=0.5))(batch, np.ones(100), rng())
    assert other["w"].tobytes() == more["w"].tobytes(), "nor does another generator in its place"
    gone_v, gone_w = np.isnan(more["v"]), np.isnan(more["w"])
    assert (gone_v != gone_w).any(), "two faults of one rate must not hit the same rows"

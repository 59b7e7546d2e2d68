"""Scales, ticks, and simplification that a reader cannot see."""

import math
import random
import re

import pytest

from driftdrill.reports import words as wording
from driftdrill.reports.data.timeline import Track
from driftdrill.reports.html import plot
from driftdrill.reports.html.plot import HEIGHT, WIDTH, Scale

DAY = tuple(15.0 * i for i in range(5761))


def track(values: list[float | None], times: tuple[float, ...] | None = None) -> Track:
    return Track("x", "", times or tuple(float(i) for i in range(len(values))), tuple(values))


def points(d: str) -> list[list[tuple[int, int]]]:
    return [[(int(x), int(y)) for x, y in re.findall(r"(\d+) (\d+)", run)] for run in d.split("M") if run]


def test_a_straight_line_is_two_points() -> None:
    d = plot.line(track([float(i) for i in range(1000)]), Scale(999, 0, 999), 400)
    assert d == f"M0 {HEIGHT}L{WIDTH} 0"


def test_a_gap_stays_a_gap_and_a_lone_sample_a_dot() -> None:
    d = plot.line(track([0.0, 0.0, None, 1.0, math.nan, 0.5, 0.5]), Scale(6, 0, 1), 400)
    assert [len(run) for run in points(d)] == [2, 1, 2]
    assert d.count("h0") == 1


def test_a_short_spike_in_a_day_survives_at_its_full_height() -> None:
    rng = random.Random(0)
    values: list[float | None] = [rng.random() * 0.2 for _ in DAY]
    values[4321] = 1.0
    d = plot.line(track(values, DAY), Scale(DAY[-1], 0, 1), 100)
    top = min((p for run in points(d) for p in run), key=lambda p: p[1])
    assert top == (round(WIDTH * DAY[4321] / DAY[-1]), 0)
    assert sum(len(run) for run in points(d)) <= 400


def test_simplification_stays_within_less_than_a_pixel() -> None:
    rng = random.Random(1)
    walk, value = [], 0.0
    for x in range(0, WIDTH, 4):
        value += rng.gauss(0, 3)
        walk.append((x, round(200 + value)))
    kept = plot.simplified(walk, WIDTH)
    assert len(kept) < 0.8 * len(walk)
    for x, y in walk:
        left = max((p for p in kept if p[0] <= x), key=lambda p: p[0])
        right = min((p for p in kept if p[0] >= x), key=lambda p: p[0])
        share = (x - left[0]) / (right[0] - left[0]) if right[0] > left[0] else 0.0
        assert abs(left[1] + share * (right[1] - left[1]) - y) <= 2.0


@pytest.mark.parametrize(
    "values", [[], [None], [math.inf, math.nan], [0.0], [5.0, 5.0], [-3.0], [1e300, -1e300], [1e308]]
)
def test_every_set_of_values_has_a_scale(values: list[float | None]) -> None:
    scale = plot.scale_for(10, values)
    assert math.isfinite(scale.low)
    assert math.isfinite(scale.high)
    assert scale.low < scale.high
    for v in values:
        if v is not None and math.isfinite(v):
            assert 0 <= scale.y(v) <= HEIGHT


@pytest.mark.parametrize("end", [0.5, 1, 7, 45, 80, 600, 3600, 5400, 86400, 604800, 86400 * 90])
def test_ticks_are_few_and_round(end: float) -> None:
    found = plot.ticks(end)
    assert found[0] == (0, "0")
    assert 1 <= len(found) <= 9
    assert all(0 <= t <= end for t, _ in found)
    assert all(len(text) <= 7 for _, text in found)


def test_an_envelope_holds_every_series() -> None:
    many = [track([math.sin(i / 10 + j) for i in range(200)]) for j in range(5)]
    (outline,) = points(plot.envelope(many, Scale(199, -1, 1), 50))
    assert min(y for _, y in outline) <= 2
    assert max(y for _, y in outline) >= HEIGHT - 2


def test_means_keep_gaps() -> None:
    means = plot.means(track([1.0, 3.0, None, None, 5.0, 7.0]), 6, 3)
    assert means.values == (2.0, None, 6.0)
    assert means.times == (1.0, 3.0, 5.0)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0 %"), (0.834, "83 %"), (1, "100 %"), (0.999, "99.9 %"), (0.9999, "99.9 %"), (0.004, "0.4 %"),
        (13.2, "1,320 %"), (-0.2, "-20 %"), (math.inf, "+Inf"),
    ],
)  # fmt: skip
def test_a_share_is_never_rounded_to_all_or_nothing(value: float, text: str) -> None:
    assert wording.share(value) == text


def test_a_name_with_labels_reads_as_prometheus_writes_it() -> None:
    assert wording.name("A", {"b": "2", "a": "1"}) == 'A{a="1", b="2"}'
    assert wording.name("A", {}) == "A"

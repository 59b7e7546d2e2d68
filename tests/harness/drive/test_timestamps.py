"""Explicit timestamps: what storage takes is compared with a real Prometheus in test_scrape_conformance.py; here:
where the samples lie in scenario time."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from driftdrill.harness.drive.scraping.timestamps import Timestamps
from driftdrill.stack.exposition.page import PageSamples

NOW = 1_700_000_000.0
NONE = np.empty(0, np.int64)


def _page(*rows: tuple[int, float, float | None]) -> PageSamples:
    """PageSamples of (series, value, age in seconds or None for no timestamp)."""
    ids = np.array([row[0] for row in rows], np.int64)
    stamps = np.array([np.nan if age is None else (NOW - age) * 1000 for _, _, age in rows])
    return PageSamples(ids, np.array([row[1] for row in rows]), stamps, {}, NONE, len(rows))


def _all(samples: PageSamples) -> np.ndarray:
    return np.ones(len(samples.ids), np.bool_)


def test_a_sample_keeps_its_age_in_scenario_time() -> None:
    page = _page((0, 1.0, 2.5), (1, 1.0, None), (2, 1.0, -1.0))
    taken = Timestamps().take(page, _all(page), now=NOW, at=600.0)
    np.testing.assert_allclose(taken.times, [597.5, np.nan, 601.0])
    assert taken.stored.all()


def test_a_repeated_sample_is_taken_but_not_stored_again() -> None:
    page = _page((0, 1.0, 5.0), (1, 2.0, 5.0))
    after = Timestamps().take(page, _all(page), now=NOW, at=100.0).timestamps
    again = _page((0, 1.0, 5.0), (1, 3.0, 5.0), (0, 1.0, 6.0))
    taken = after.take(again, _all(again), now=NOW, at=115.0)
    assert taken.refused.tolist() == [False, True, True]  # another value, and an older time
    assert not taken.stored.any()


def test_what_is_too_old_or_too_far_ahead_is_refused() -> None:
    page = _page((0, 1.0, 3601.0), (1, 1.0, 3599.0), (2, 1.0, -599.0), (3, 1.0, -601.0))
    taken = Timestamps().take(page, _all(page), now=NOW, at=0.0)
    assert taken.refused.tolist() == [True, False, False, True]


def test_after_a_stale_marker_only_newer_samples_count() -> None:
    timestamps = Timestamps().passed(np.array([0]), now=NOW, at=100.0)
    page = _page((0, 1.0, 1.0))
    assert timestamps.take(page, _all(page), now=NOW, at=115.0).refused.tolist() == [True]


@given(st.lists(st.tuples(st.floats(0, 60), st.floats(0.001, 60), st.floats(0, 30)), max_size=12))
def test_scenario_times_of_a_series_only_grow(scrapes: list[tuple[float, float, float]]) -> None:
    """However the clocks run: (wall seconds, scenario seconds since the scrape before, age of its sample)."""
    timestamps, now, at, last = Timestamps(), NOW, 0.0, -np.inf
    for wall, scenario, age in scrapes:
        now, at = now + wall, at + scenario
        page = PageSamples(np.array([0]), np.ones(1), np.array([(now - age) * 1000]), {}, NONE, 1)
        taken = timestamps.take(page, _all(page), now=now, at=at)
        timestamps = taken.timestamps
        if taken.stored[0]:
            assert taken.times[0] > last
            last = taken.times[0]

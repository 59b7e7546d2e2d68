"""What harm's intervals cover, in small seeded simulations; `python -m benchmarks.harm` has all of them, large."""

import pytest

from benchmarks.harm import Setting, settings, simulate

SETTINGS = {s.name: s for s in settings()}
RUNS = 300
NOISE = 0.0126
"""Standard error of a coverage of 95 % in so many runs."""
HELD = [
    "share, 600 x 1, .9 / .85",
    "share, 100 x 50, ICC .2",
    "share, 600 x 1, AR .9",
    "share, ramp, 600 x 1",
    "MAE, lognormal, 600 x 1",
    "AUC, 600 x 1",
]


@pytest.mark.parametrize("name", HELD)
def test_the_interval_holds_the_true_change_in_95_of_100_drills(name: str) -> None:
    found = simulate(SETTINGS[name], RUNS)
    assert 0.95 - 2 * NOISE <= found.coverage <= 0.95 + 2 * NOISE
    assert max(found.harmful, found.harmless) < 0.05
    assert found.refused < 0.01


def told(setting: Setting) -> tuple[float, float]:
    """How often HARMFUL, and HARMLESS without a note, where both are wrong."""
    found = simulate(setting, 100)
    return found.harmful, found.harmless - found.qualified


@pytest.mark.parametrize("name", ["share, 60 x 50, 5 % of requests fail", "share, 60 x 50, 2 % of requests fail"])
def test_harmless_is_qualified_where_whole_requests_may_fail_rarely(name: str) -> None:
    harmful, unqualified = told(SETTINGS[name])
    assert harmful <= 0.03
    assert unqualified == 0.0


def test_dependence_longer_than_the_blocks_is_refused() -> None:
    assert simulate(SETTINGS["share, 60 x 1, wholly AR .9"], 100).refused > 0.7

"""A shift is found more often the more rows there are and the stronger it is, as the literature has it."""

from docs.shifts.detection_power import detection_rate, noise


def test_detection_rises_with_the_sample_and_with_the_strength() -> None:
    """Univariate KS with Bonferroni's correction on a classifier's outputs for handwritten digits."""
    shift = noise(6.0)
    by_rows = [detection_rate(shift, rows, repeats=12) for rows in (10, 60, 400)]
    assert by_rows == sorted(by_rows)
    assert by_rows[0] <= 0.7
    assert by_rows[-1] >= 0.9
    by_strength = [detection_rate(shift, 100, strength, repeats=12) for strength in (0.0, 0.5, 1.0)]
    assert by_strength == sorted(by_strength)
    assert by_strength[0] <= 0.2
    assert by_strength[-1] > by_strength[0] + 0.3

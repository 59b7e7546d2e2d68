"""`driftdrill demo`: what one drill leaves in its model spoils no other."""

import pytest

from tests.harness.command import Cli


@pytest.mark.slow
def test_a_drill_after_one_whose_model_answered_nan_is_valid(cli: Cli) -> None:
    done = cli("demo", "--only", "mis.nan_output", "--only", "trap_one_nan", timeout=240)

    assert done.code == 0, done
    assert done.out.count("VALID · HELD") == 2
    assert "INVALID" not in done.out

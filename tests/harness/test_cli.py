"""The command line as a user meets it: what holds, what fails, and what is told."""

from tests.harness import scenarios
from tests.harness.command import Cli
from tests.harness.toy import Toy


def test_a_drill_that_holds_exits_0_and_leaves_a_recording(cli: Cli, model: Toy) -> None:
    done = cli("run", scenarios.write(cli.folder), "--target", model.url)

    assert done.code == 0, done
    assert done.recording.events()[-1]["complete"] is True
    assert len(done.recording.requests()) == done.recording.meta.planned

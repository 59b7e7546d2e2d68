"""One drill hosted by Locust in this process, with signals and progress around it."""

from pathlib import Path

from harness.drive.plan import Steering
from harness.host import carry_out
from harness.rig import Settings
from harness.scenario import Scenario
from harness.show import progress
from harness.traffic.user import Hosted, play
from reports.verdict import Verdict


def drill(scenario: Scenario, settings: Settings) -> tuple[Path, Verdict | None]:
    """Drive and judge; answers the recording and the verdict. Raises as :func:`harness.host.carry_out`."""
    with progress() as shown:

        def run(hosted: Hosted) -> tuple[Path, Verdict | None]:
            steering = Steering(report=hosted.report, progress=shown)
            return carry_out(hosted, settings, steering)

        return play(scenario, settings.target or "", run)

"""One drill hosted by Locust in this process, with signals and progress around it."""

from pathlib import Path

from driftdrill.harness.cli.locust_entry import carry_out
from driftdrill.harness.cli.progress import progress
from driftdrill.harness.drive.plan import Steering
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.setup.prepare import Settings
from driftdrill.harness.traffic.locust_user import Hosted, play
from driftdrill.reports.data.verdict import Verdict


def drill(scenario: Scenario, settings: Settings) -> tuple[Path, Verdict | None]:
    """Drive and judge; answers the recording and the verdict. Raises as its ``carry_out``."""
    with progress() as shown:

        def run(hosted: Hosted) -> tuple[Path, Verdict | None]:
            steering = Steering(report=hosted.report, progress=shown)
            return carry_out(hosted, settings, steering)

        return play(scenario, settings.target or "", run)

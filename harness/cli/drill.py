"""One drill hosted by Locust in this process, with signals and progress around it."""

from pathlib import Path

from driftdrill.harness.cli.locust_entry import drive_and_judge
from driftdrill.harness.cli.progress import progress
from driftdrill.harness.drive.plan import Steering
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.setup.settings import Settings
from driftdrill.harness.traffic.locust_user import Hosted, in_locust
from driftdrill.reports.data.verdict import Verdict


def drill(scenario: Scenario, settings: Settings) -> tuple[Path, Verdict | None]:
    """Drive and judge; answers the recording and the verdict. Raises as its ``drive_and_judge``."""
    with progress() as shown:

        def run(hosted: Hosted) -> tuple[Path, Verdict | None]:
            steering = Steering(report=hosted.report, progress=shown)
            return drive_and_judge(hosted, settings, steering)

        return in_locust(scenario, settings.target or "", run)

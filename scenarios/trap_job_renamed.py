"""Trap: `up == 0` says nothing of a job that is no longer there."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, fires, minutes, resolves, silent
from driftdrill.faults import RenameJob
from driftdrill.stack.model_service import flights

job_renamed = Scenario(
    name="a job is renamed",
    story="Somebody renames the scrape job; five minutes later the old job's series are gone.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(1),
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=10 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("job model renamed", RenameJob(to="flights")),
    ],
    expect=[fires("JobAbsent", within=8 * minutes), resolves("JobAbsent"), silent("JobDown", because="vanished")],
    rules=[Path(__file__).parent / "rules" / "trap_job_renamed.yml"],
)


class Load(ModelUser):
    scenario = job_renamed

"""Trap: three healthy replicas hide the fourth. Needs four addresses: `driftdrill demo --only trap_one_replica`."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, fires, minutes, quiet, resolves
from driftdrill.faults import WrongType
from driftdrill.stack.model_service import flights

one_replica = Scenario(
    name="one of four replicas is wrong",
    story="One replica of four refuses everything that it is asked.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(2),
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=6 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("replica 3 refuses", WrongType("dep_delay"), replica=3),
    ],
    expect=[fires("RefusedByReplica", within=4 * minutes), resolves("RefusedByReplica"), quiet("RefusedByAll")],
    rules=[Path(__file__).parent / "rules" / "trap_one_replica.yml"],
)


class Load(ModelUser):
    scenario = one_replica

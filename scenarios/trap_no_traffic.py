"""Trap: without requests every ratio is 0/0, and 0/0 is above no threshold."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, fires, load, minutes, resolves, silent
from driftdrill.stack.model_service import flights

no_traffic = Scenario(
    name="no traffic",
    story="A route is lost, and no request arrives any more.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(1),
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=6 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("no requests", load(times=0)),
    ],
    expect=[
        fires("NoRequests", within=4 * minutes),
        resolves("NoRequests"),
        silent("ErrorRatio", because="zero_by_zero"),
    ],
    rules=[Path(__file__).parent / "rules" / "trap_no_traffic.yml"],
)


class Load(ModelUser):
    scenario = no_traffic

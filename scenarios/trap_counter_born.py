"""Trap: the first increment of a counter that was not there before is no increase."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, even, fires, minutes, pulse, resolves, silent
from driftdrill.faults import HideZeros, WrongType
from driftdrill.stack.model_service import flights

counter_born = Scenario(
    name="a counter that is born at its first increment",
    story="Label values are not initialised, and one single request is refused.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(1),
    arrivals=even,
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=8 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("labels not initialised", HideZeros(metric="http_requests")),
        Fault("one refused", WrongType("dep_delay"), strength=pulse(at=4 * minutes, width=1)),
    ],
    expect=[
        fires("OneRefusedInitialised", within=5 * minutes),
        resolves("OneRefusedInitialised"),
        silent("OneRefusedBorn", because="counter_born"),
    ],
    rules=[Path(__file__).parent / "rules" / "trap_counter_born.yml"],
)


class Load(ModelUser):
    scenario = counter_born

"""Trap: what is true every other half minute never lasts for two minutes."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, fires, minutes, recurring, resolves, silent
from driftdrill.faults import WrongType
from driftdrill.stack.model_service import flights

flapping = Scenario(
    name="flapping under `for`",
    story="Every other half minute, all requests of one client are refused.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(1),
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=10 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("every other half minute", WrongType("dep_delay"), strength=recurring(period=1 * minutes, duty=0.5)),
    ],
    expect=[
        fires("RefusedOnAverage", within=8 * minutes),
        resolves("RefusedOnAverage"),
        silent("RefusedForTwoMinutes", because="shorter_than_for"),
    ],
    rules=[Path(__file__).parent / "rules" / "trap_flapping.yml"],
)


class Load(ModelUser):
    scenario = flapping

"""Trap: a sum that met one NaN is NaN for the life of the process, and every mean with it."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, fires, minutes, pulse, silent, step
from driftdrill.faults import ClassMap, NanOutput
from driftdrill.stack.model_service import flights

one_nan = Scenario(
    name="one NaN poisons a sum",
    story="For some seconds the model answers NaN; then its classes are exchanged, and the mean cannot say so.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(1),
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=6 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("some NaN", NanOutput(), strength=pulse(at=30, width=15)),
        Fault("classes exchanged", ClassMap(), strength=step(at=1 * minutes)),
    ],
    expect=[fires("MeanIsNaN", within=4 * minutes), silent("MeanIsHigh", because="nan")],
    rules=[Path(__file__).parent / "rules" / "trap_one_nan.yml"],
)


class Load(ModelUser):
    scenario = one_nan

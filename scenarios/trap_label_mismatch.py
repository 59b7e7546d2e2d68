"""Trap: a division whose sides have other labels has no result."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, fires, minutes, resolves, silent
from driftdrill.faults import WrongType
from driftdrill.stack.model_service import flights

label_mismatch = Scenario(
    name="labels that do not match",
    story="A client sends a number as text, and a third of its rows is refused.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(1),
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=6 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("delay as text", WrongType("dep_delay"), strength=constant(0.3)),
    ],
    expect=[
        fires("RefusedBySums", within=4 * minutes),
        resolves("RefusedBySums"),
        silent("RefusedByPlainDivision", because="never_joins"),
    ],
    rules=[Path(__file__).parent / "rules" / "trap_label_mismatch.yml"],
)


class Load(ModelUser):
    scenario = label_mismatch

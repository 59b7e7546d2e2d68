"""Quiet is right: a real shift, half-way to the drift alert's threshold, that changes no prediction that matters."""

from pathlib import Path

from driftdrill import Canary, Fault, ModelUser, Scenario, constant, everything_else, minutes, quiet
from driftdrill.faults import rescale
from driftdrill.stack.model_service import flights, golden

harmless_shift = Scenario(
    name="distances grow by five percent",
    story="A map provider is replaced; every distance is five percent longer than before.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.03,
    rate=constant(2),
    warm_up=10 * minutes,
    baseline=15 * minutes,
    fault=24 * minutes,
    recovery=11 * minutes,
    faults=[Fault("distance x1.05", rescale("distance", by=1.05))],
    expect=[quiet(everything_else)],
    canary=Canary(golden.rows, answer="answer"),
    rules=[Path(__file__).parent / "rules" / "demo.yml"],
)


class Load(ModelUser):
    scenario = harmless_shift

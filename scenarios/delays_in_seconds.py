"""Caught: a unit change upstream, which the demo's input-drift alert sees."""

from pathlib import Path

from driftdrill import Canary, Fault, ModelUser, Scenario, constant, fires, minutes, quiet, ramp, resolves
from driftdrill.faults import rescale
from driftdrill.stack.model_service import flights, golden

delays_in_seconds = Scenario(
    name="departure delays arrive in seconds",
    story="An upstream service is rewritten; its delay field changes from minutes to seconds.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(2),
    warm_up=10 * minutes,
    baseline=10 * minutes,
    fault=24 * minutes,
    recovery=16 * minutes,
    faults=[
        Fault("dep_delay x60", rescale("dep_delay", by=60), strength=ramp(over=5 * minutes), visible_from="server"),
    ],
    expect=[
        fires("InputDrift", labels={"feature": "dep_delay"}, within=15 * minutes),
        resolves("InputDrift", labels={"feature": "dep_delay"}),
        quiet("HighErrorRate"),
    ],
    canary=Canary(golden.rows, answer="answer"),
    rules=[Path(__file__).parent / "rules" / "demo.yml"],
)


class Load(ModelUser):
    scenario = delays_in_seconds

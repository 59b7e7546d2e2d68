"""On the wall clock: the same unit change against a real Prometheus, with rules written in seconds."""

from pathlib import Path

from driftdrill import Canary, Fault, ModelUser, Scenario, constant, fires, quiet, ramp, resolves, seconds
from driftdrill.faults import rescale
from driftdrill.stack.model_service import flights, golden

delays_on_the_wall_clock = Scenario(
    name="departure delays arrive in seconds, on the wall clock",
    story="The same unit change in real time: Prometheus itself scrapes and evaluates, every second.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(40),
    warm_up=20 * seconds,
    baseline=8 * seconds,
    fault=22 * seconds,
    recovery=25 * seconds,
    faults=[Fault("dep_delay x60", rescale("dep_delay", by=60), strength=ramp(over=2 * seconds))],
    expect=[
        fires("InputDrift", labels={"feature": "dep_delay"}, within=20 * seconds),
        resolves("InputDrift", labels={"feature": "dep_delay"}),
        quiet("HighErrorRate"),
    ],
    canary=Canary(golden.rows, answer="answer", every=1 * seconds),
    rules=[Path(__file__).parent / "rules" / "demo_seconds.yml"],
    clock="wall",
    scrape_interval=1 * seconds,
    evaluation_interval=1 * seconds,
)


class Load(ModelUser):
    scenario = delays_on_the_wall_clock

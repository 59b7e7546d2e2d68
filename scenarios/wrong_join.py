"""Missed: every marginal stays as it was, so nothing that watches one column at a time can see it."""

from pathlib import Path

from driftdrill import Canary, Fault, ModelUser, Scenario, constant, everything_else, minutes, quiet, stays
from driftdrill.faults import wrong_join
from driftdrill.stack.model_service import flights, golden

wrong_join_of_delays = Scenario(
    name="each flight gets another flight's delay",
    story="A join upstream loses its key: departure delays are real, but they belong to other flights.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(2),
    warm_up=10 * minutes,
    baseline=10 * minutes,
    fault=24 * minutes,
    recovery=16 * minutes,
    faults=[Fault("wrong join of dep_delay", wrong_join("dep_delay"), visible_from="server")],
    # No rule of the demo's can see it; the report's headline says what that costs.
    expect=[quiet(everything_else), stays("sum(rate(http_requests_total[5m]))", by=1.0)],
    canary=Canary(golden.rows, answer="answer"),
    rules=[Path(__file__).parent / "rules" / "demo.yml"],
)


class Load(ModelUser):
    scenario = wrong_join_of_delays

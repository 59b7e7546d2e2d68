"""Trap: a threshold on a metric that was renamed is silent for ever."""

from pathlib import Path

from driftdrill import Fault, ModelUser, Scenario, constant, fires, minutes, resolves, silent
from driftdrill.faults import RenameMetric
from driftdrill.stack.model_service import flights

metric_renamed = Scenario(
    name="a metric is renamed",
    story="A library update renames model_predictions_total; the page is fine, and so is up.",
    rows=flights.held_out,
    truth="late",
    smallest_harm=0.02,
    rate=constant(1),
    warm_up=2 * minutes,
    baseline=4 * minutes,
    fault=6 * minutes,
    recovery=6 * minutes,
    faults=[
        Fault("model_predictions renamed", RenameMetric(metric="model_predictions", to="model_inferences")),
    ],
    expect=[
        fires("PredictionsAbsent", within=4 * minutes),
        resolves("PredictionsAbsent"),
        silent("FewPredictions", because="renamed_in_fault"),
    ],
    rules=[Path(__file__).parent / "rules" / "trap_metric_renamed.yml"],
)


class Load(ModelUser):
    scenario = metric_renamed

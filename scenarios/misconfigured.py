"""Every way in which the demo model can be misconfigured while it answers 200, each a drill: what do the rules see?

`driftdrill demo --only misconfigured` drives them all; docs/misconfigured.md says what came of it.
"""

from pathlib import Path
from typing import Any

from driftdrill import Canary, Fault, ModelUser, Scenario, constant, fires, minutes, quiet
from driftdrill.stack.model_service import flights, golden
from driftdrill.stack.model_service import switches as s


def misconfigured(how: Any, story: str, *, canary: str = "CanaryDeviates") -> Scenario:
    """An hour in which the model is misconfigured for 24 minutes; ``canary`` is the alert that must notice, "" none."""
    noticed = [fires(canary, within=10 * minutes)] if canary else [quiet("CanaryDeviates"), quiet("CanaryUnanswered")]
    return Scenario(
        name=how.id,
        story=story,
        rows=flights.held_out,
        truth="late",
        smallest_harm=0.02,
        rate=constant(2),
        warm_up=10 * minutes,
        baseline=10 * minutes,
        fault=24 * minutes,
        recovery=16 * minutes,
        faults=[Fault(how.id, how)],
        expect=noticed,
        canary=Canary(golden.rows, answer=golden.ANSWER),
        rules=[Path(__file__).parent / "rules" / "demo.yml"],
    )


wrong_version = misconfigured(s.WrongVersion(), "An artefact of January is deployed in place of June's.")
traffic_split = misconfigured(s.TrafficSplit(), "The router sends everything to a version that should get nothing.")
feature_order = misconfigured(s.FeatureOrder(), "Two columns trade places on their way into the model.")
unit_change = misconfigured(s.UnitChange(), "The service reads delays as hours and turns them into minutes.")
scaler_missing = misconfigured(s.ScalerMissing(), "The step that standardises numbers is left out.")
scaler_twice = misconfigured(s.ScalerTwice(), "Numbers are standardised in the client and in the service.")
class_map = misconfigured(s.ClassMap(), "The probability of the other class is answered.")
stale_features = misconfigured(s.StaleFeatures(), "The feature store stops: delays stay what they were.")
default_imputed = misconfigured(s.DefaultImputed(), "The feature store is down, and its client fills in defaults.")
dtype = misconfigured(s.Dtype(), "Delays are cast to one byte: beyond 127 minutes they wrap around.")
threshold = misconfigured(s.Threshold(), "The decision is taken at 5 % in place of 50 %.", canary="")
calibration = misconfigured(s.Calibration(), "A wrong temperature pulls probabilities to the middle.")
locale = misconfigured(s.Locale(), "A decimal point is read as a thousands separator.")
constant_output = misconfigured(s.ConstantOutput(), "A fallback answers every row with one probability.")
cache_stuck = misconfigured(s.CacheStuck(), "A cache answers every row with its first answer.")
nan_output = misconfigured(s.NanOutput(), "The probability is not a number.", canary="CanaryUnanswered")
nondeterministic = misconfigured(s.Nondeterministic(), "Dropout is left on at inference.")


class Load(ModelUser):
    scenario = unit_change

"""driftdrill: fire drills for model monitoring. The words of a scenario's author.

Names are imported when they are first used, so that ``import driftdrill`` is quick and loads no Locust. Every kind of
fault is in :mod:`driftdrill.faults`. The five rooms are links to the folders of these names beside this one, and lie
here as they are in a wheel.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from driftdrill.harness.cli.locust_entry import ModelUser
    from driftdrill.harness.errors import DriftdrillError
    from driftdrill.harness.judge import judge
    from driftdrill.harness.scenario.arrivals import even, poisson, trace
    from driftdrill.harness.scenario.canary import Canary
    from driftdrill.harness.scenario.curve import (
        Curve,
        constant,
        hours,
        ladder,
        minutes,
        piecewise,
        pulse,
        ramp,
        recorded,
        recurring,
        seasonal,
        seconds,
        sigmoid,
        sine,
        step,
    )
    from driftdrill.harness.scenario.expect import everything_else, exists, fires, moves, quiet, resolves, silent, stays
    from driftdrill.harness.scenario.fault import Batch, Fault
    from driftdrill.harness.scenario.measure import (
        accuracy,
        auc,
        brier,
        close_to,
        log_loss,
        loss_of,
        macro_f1,
        mae,
        percent,
        pinball,
        rmse,
    )
    from driftdrill.harness.scenario.scenario import Scenario
    from driftdrill.harness.scenario.workloads import diurnal, soak, spike, steady
    from driftdrill.harness.seams.hook import control
    from driftdrill.harness.seams.load import load

__all__ = [
    "Batch",
    "Canary",
    "Curve",
    "DriftdrillError",
    "Fault",
    "ModelUser",
    "Scenario",
    "accuracy",
    "auc",
    "brier",
    "close_to",
    "constant",
    "control",
    "diurnal",
    "even",
    "everything_else",
    "exists",
    "fires",
    "hours",
    "judge",
    "ladder",
    "load",
    "log_loss",
    "loss_of",
    "macro_f1",
    "mae",
    "minutes",
    "moves",
    "percent",
    "piecewise",
    "pinball",
    "poisson",
    "pulse",
    "quiet",
    "ramp",
    "recorded",
    "recurring",
    "resolves",
    "rmse",
    "seasonal",
    "seconds",
    "sigmoid",
    "silent",
    "sine",
    "soak",
    "spike",
    "stays",
    "steady",
    "step",
    "trace",
]

_HOMES = {
    "driftdrill.harness.scenario.arrivals": "even poisson trace",
    "driftdrill.harness.scenario.canary": "Canary",
    "driftdrill.harness.scenario.curve": (
        "Curve constant hours ladder minutes piecewise pulse ramp recorded recurring seasonal seconds sigmoid sine step"
    ),
    "driftdrill.harness.errors": "DriftdrillError",
    "driftdrill.harness.scenario.expect": "everything_else exists fires moves quiet resolves silent stays",
    "driftdrill.harness.scenario.fault": "Batch Fault",
    "driftdrill.harness.scenario.measure": (
        "accuracy auc brier close_to log_loss loss_of macro_f1 mae percent pinball rmse"
    ),
    "driftdrill.harness.seams.hook": "control",
    "driftdrill.harness.seams.load": "load",
    "driftdrill.harness.cli.locust_entry": "ModelUser",
    "driftdrill.harness.judge": "judge",
    "driftdrill.harness.scenario.scenario": "Scenario",
    "driftdrill.harness.scenario.workloads": "diurnal soak spike steady",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__

"""driftdrill's harness: what a scenario author writes, and what carries it out.

Names are imported when they are first used, so that ``import harness`` is quick and loads no Locust.
"""

from importlib import import_module, util
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from harness.arrivals import even, poisson, trace
    from harness.canary import Canary
    from harness.curve import (
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
    from harness.errors import DriftdrillError
    from harness.expect import everything_else, exists, fires, moves, quiet, resolves, stays
    from harness.fault import Batch, Fault, control
    from harness.host import ModelUser
    from harness.scenario import Scenario
    from harness.workloads import diurnal, load, soak, spike, steady

__all__ = [
    "Batch",
    "Canary",
    "Curve",
    "DriftdrillError",
    "Fault",
    "ModelUser",
    "Scenario",
    "constant",
    "control",
    "diurnal",
    "even",
    "everything_else",
    "exists",
    "fires",
    "hours",
    "ladder",
    "load",
    "minutes",
    "moves",
    "piecewise",
    "poisson",
    "pulse",
    "quiet",
    "ramp",
    "recorded",
    "recurring",
    "resolves",
    "seasonal",
    "seconds",
    "sigmoid",
    "sine",
    "soak",
    "spike",
    "stays",
    "steady",
    "step",
    "trace",
]

_HOMES = {
    "harness.arrivals": "even poisson trace",
    "harness.canary": "Canary",
    "harness.curve": "Curve constant hours ladder minutes piecewise pulse ramp recorded recurring seasonal seconds "
    "sigmoid sine step",
    "harness.errors": "DriftdrillError",
    "harness.expect": "everything_else exists fires moves quiet resolves stays",
    "harness.fault": "Batch Fault control",
    "harness.host": "ModelUser",
    "harness.scenario": "Scenario",
    "harness.workloads": "diurnal load soak spike steady",
}
_HOME = {name: home for home, names in _HOMES.items() for name in names.split()}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__


def _guard() -> None:
    """Refuse to work with a stranger's ``stack`` or ``reports``: a folder of one's own may hide ours.

    The top-level names are plain words, and a locustfile's folder stands first on sys.path.
    """
    here = Path(__file__).resolve().parent.parent
    for name in ("shift_generators", "stack", "reports", "scenarios"):
        spec = util.find_spec(name)
        origin = Path(spec.origin).resolve() if spec is not None and spec.origin else None
        if origin is None or origin.parent.parent != here:
            found = origin.parent if origin else "nothing"
            raise ImportError(
                f"driftdrill's package {name!r} is hidden: expected it in {here}, found {found}. "
                f"Rename that folder, or run from another one."
            )


_guard()

"""Measures: how an author has predictions compared with the truth, and what is compared where none is named."""

import math
import re
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from numbers import Real
from typing import Any

import numpy as np
import numpy.typing as npt

from driftdrill.harness.errors import ScenarioError

Losses = Callable[[npt.NDArray[Any], npt.NDArray[Any]], npt.NDArray[Any]]
"""(truth (n,), prediction (n,)) -> the loss of each row, float (n,); greater is worse."""

FEW = 20
"""Most different whole numbers that are taken for classes where no measure is named."""
MOST_CLASSES = 100
"""Most classes of which macro F1 is the mean."""
TWO = ("auc", "log_loss", "brier")
"""The measures of two classes, 0 and 1; two of them are of probabilities."""
NUMBERS = (*TWO, "mae", "rmse", "close_to", "pinball")
"""The measures of numbers, which texts have none of."""
SCORES = ("accuracy", "auc", "macro_f1", "close_to")
"""The measures of which more is better."""
_NUMBER = re.compile(r"-?\d+(\.\d+)?([eE][+-]?\d+)?")
KNOWN = ("accuracy", "auc", "log_loss", "brier", "mae", "rmse", "macro_f1", "close_to", "pinball", "own")
TITLES = {
    "accuracy": "accuracy",
    "auc": "AUC",
    "log_loss": "log loss",
    "brier": "Brier score",
    "mae": "mean absolute error",
    "rmse": "root mean squared error",
    "macro_f1": "macro F1",
}


@dataclass(frozen=True)
class Percent:
    """A share of something: ``10 * percent`` of the truth, or of the baseline's loss."""

    count: float = 1.0

    def __rmul__(self, times: float) -> "Percent":
        return Percent(times * self.count)

    @property
    def share(self) -> float:
        """10 percent as 0.1."""
        return self.count / 100


percent = Percent()


@dataclass(frozen=True)
class Measure:
    """One measure, as a recording holds it; the functions below make those that have a parameter."""

    name: str = "accuracy"
    tolerance: float = 0.0
    """Of ``close_to``: in the truth's unit, or a share of the truth."""
    relative: bool = False
    """Whether the tolerance is a share."""
    quantile: float = 0.5
    """Of ``pinball``."""
    unit: str = ""
    """Of an author's own loss."""
    unanswered: float | None = None
    """Of an author's own loss: that of a row without an answer; None is the best constant's loss."""
    loss: Losses | None = field(default=None, compare=False, repr=False)
    """An author's own, which drive calls and no recording holds."""
    title: str = ""
    """What an author's own loss is called."""

    @property
    def score(self) -> bool:
        """Whether more is better."""
        return self.name in SCORES

    @property
    def bounded(self) -> bool:
        """Whether it lies in [0, 1]."""
        return self.score or self.name == "brier"

    def called(self, truth: str = "") -> str:
        """Its name in words; ``truth`` is the column whose unit an error has."""
        of = f" of {truth}" if truth and self.name in ("mae", "rmse", "pinball") else ""
        if self.name == "close_to":
            room = f"{self.tolerance * 100:g} %" if self.relative else f"{self.tolerance:g}"
            return f"share within {room} of {truth or 'the truth'}"
        if self.name == "pinball":
            return f"pinball loss at {self.quantile:g}{of}"
        return TITLES.get(self.name, self.title or "own loss") + of

    def unit_of(self, truth: str = "") -> str:
        """The unit of its values: "share", "nats", that of the truth (its column's name), or the author's; else ""."""
        if self.name in ("accuracy", "close_to"):
            return "share"
        if self.name in ("mae", "rmse", "pinball"):
            return truth
        return {"log_loss": "nats", "own": self.unit}.get(self.name, "")

    def describe(self) -> dict[str, Any]:
        """What a recording holds of it: all that differs from the default, without the function."""
        plain = Measure()
        kept = {k: v for k, v in asdict(self).items() if k != "loss" and v != getattr(plain, k)}
        return {"name": self.name, **kept}


accuracy = Measure("accuracy")
"""The share of rows that are predicted rightly. Of two classes, 0 and 1: whose decision at ``threshold`` is right."""
auc = Measure("auc")
"""The area under the ROC curve: how often a positive row scores above a negative one."""
log_loss = Measure("log_loss")
"""The mean negative log likelihood of the probabilities of two classes, in nats."""
brier = Measure("brier")
"""The mean squared difference of the probability and the outcome, 0 or 1."""
mae = Measure("mae")
"""The mean absolute error, in the truth's unit."""
rmse = Measure("rmse")
"""The root of the mean squared error, in the truth's unit."""
macro_f1 = Measure("macro_f1")
"""F1 of each class, and of those the mean: a rare class counts as much as a common one."""


def close_to(tolerance: float | Percent) -> Measure:
    """The share of rows whose prediction is within ``tolerance`` of the truth: ``close_to(5)``, in the truth's unit, or
    ``close_to(10 * percent)`` of the truth. Of a truth of 0 a percentage is 0: only an equal prediction is close.
    """
    relative = isinstance(tolerance, Percent)
    size = tolerance.share if isinstance(tolerance, Percent) else tolerance
    if not _positive(size):
        raise ScenarioError(f"close_to: tolerance must be a number above 0, or so many percent, not {tolerance!r}")
    if relative and size >= 1:
        raise ScenarioError(
            f"close_to: within {size * 100:g} percent of any truth lies an answer of 0: no fault could do harm",
            hint="a tolerance below 100 percent, or a loss of your own, such as the logarithm of the ratio",
        )
    return Measure("close_to", tolerance=float(size), relative=relative)


def pinball(quantile: float) -> Measure:
    """The mean quantile loss of predictions that are to lie above a share ``quantile`` of the truths."""
    if not (_positive(quantile) and quantile < 1):
        raise ScenarioError(f"pinball: quantile must be in (0, 1), not {quantile!r}")
    return Measure("pinball", quantile=float(quantile))


def loss_of(function: Losses, *, unit: str = "", unanswered: float | None = None) -> Measure:
    """An author's own loss: ``function(truth, prediction)`` answers one number a row, greater is worse.

    ``unanswered`` is the loss of a row without an answer, by default what the best constant prediction would cost.
    """
    if not callable(function):
        raise ScenarioError(f"loss_of: it takes a function of (truth, prediction), not {function!r}")
    if unanswered is not None and not (_is_number(unanswered) and math.isfinite(unanswered)):
        raise ScenarioError(f"loss_of: unanswered must be a finite number, not {unanswered!r}")
    title = getattr(function, "__name__", "own loss").strip("<>").replace("_", " ")
    cost = None if unanswered is None else float(unanswered)
    return Measure("own", unit=unit, unanswered=cost, loss=function, title=title)


def chosen(measure: Any, where: str) -> Measure | None:
    """What an author gave as ``measure``. Raises :class:`ScenarioError` for what is none."""
    if measure is None or isinstance(measure, Measure):
        return measure
    examples = ((close_to, "close_to(5)"), (pinball, "pinball(0.9)"), (loss_of, "loss_of(my_loss)"))
    for _, example in (e for e in examples if e[0] is measure):
        raise ScenarioError(f"{where}: measure is {measure.__name__} without its parameter", hint=f"measure={example}")
    if callable(measure):
        own: Any = measure  # what it answers is checked when it is first called
        return loss_of(own)
    raise ScenarioError(
        f"{where}: measure must be a measure or a function of (truth, prediction), not {measure!r}",
        hint="accuracy, auc, log_loss, brier, mae, rmse, macro_f1, close_to(...), pinball(...), or a loss of your own",
    )


def is_text(truth: npt.NDArray[Any]) -> bool:
    """Whether a column of truth holds labels, not numbers."""
    return truth.dtype.kind not in "fiub"


def values_of(truth: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The different truths, in order; without the missing ones (NaN, None)."""
    if is_text(truth):
        return np.array(sorted({t for t in truth.ravel().tolist() if t is not None}), dtype=object)
    numbers = np.asarray(truth, dtype=np.float64)
    return np.unique(numbers[np.isfinite(numbers)])


def default_measure(truth: npt.NDArray[Any]) -> Measure:
    """The measure of a truth for which none is named: accuracy of labels, of two values, and of at most 20 whole
    numbers; else the mean absolute error."""
    values = values_of(truth)
    if is_text(truth) or len(values) <= 2:
        return accuracy
    whole = bool(np.all(np.floor(values) == values))
    return accuracy if whole and len(values) <= FEW else mae


def settled(
    measure: Measure | None, smallest: float | Percent | None, truth: npt.NDArray[Any], where: str = "rows"
) -> Measure:
    """The measure of a scenario for its column of truth. Raises :class:`ScenarioError` where the two do not fit, or
    where ``smallest`` cannot be a harm in the measure's unit."""
    found = measure or default_measure(truth)
    values = values_of(truth)
    if found.name in NUMBERS and is_text(truth):
        raise ScenarioError(
            f"{where}: {found.called()} needs a truth of numbers; this one holds texts",
            hint="measure=accuracy or macro_f1",
        )
    if found.name in TWO and not set(values.tolist()) <= {0.0, 1.0}:
        shown = ", ".join(f"{v:g}" for v in values[:5])
        raise ScenarioError(
            f"{where}: {found.called()} needs a truth of 0 and 1; this one holds {shown}{', …' * (len(values) > 5)}",
            hint="make a column of 0 and 1, or choose another measure",
        )
    if found.name == "macro_f1" and len(values) > MOST_CLASSES:
        raise ScenarioError(
            f"{where}: macro F1 needs a truth of classes; this one has {len(values):,} values", hint="measure=mae"
        )
    refuse_smallest(found, smallest, where)
    return found


def refuse_smallest(measure: Measure | None, smallest: float | Percent | None, where: str) -> None:
    """Raise :class:`ScenarioError` for a smallest harm that is none in the measure's unit (any, where it is None)."""
    if smallest is None:
        return
    said = f"{where}: smallest_harm" + (f" of {measure.called()}" if measure else "")
    bounded = measure is not None and measure.bounded
    if isinstance(smallest, Percent):
        if bounded:
            raise ScenarioError(
                f"{said} must be in its own unit, a number in (0, 1]", hint=f"smallest_harm={smallest.share:g}"
            )
        if not _positive(smallest.count):
            raise ScenarioError(f"{said} must be above 0 percent, not {smallest.count!r}")
    elif not _positive(smallest):
        raise ScenarioError(f"{said} must be a number above 0, not {smallest!r}")
    elif bounded and smallest > 1:
        raise ScenarioError(f"{said} must be in (0, 1], not {smallest!r}")


def refuse_predictions(measure: Measure, named: bool, truth: npt.NDArray[Any], predictions: list[Any]) -> None:
    """Raise :class:`ScenarioError` where the first answers do not fit the measure.

    Where none is ``named``, whole numbers were taken for classes: then a prediction must be one of them.
    """
    if is_text(truth):
        _refuse_labels(values_of(truth).tolist(), [p for p in predictions if isinstance(p, str)])
        return
    found = [p for p in predictions if isinstance(p, float) and math.isfinite(p)]
    if measure.name in ("log_loss", "brier") and any(not 0 <= p <= 1 for p in found):
        beyond = next(p for p in found if not 0 <= p <= 1)
        raise ScenarioError(
            f"{measure.called()} is of probabilities, and the model answers {beyond:g}",
            hint="measure=auc takes any score; `result` of the target finds another part of the answer",
        )
    values = set(values_of(truth).tolist())
    if named or measure.name != "accuracy" or not values or values <= {0.0, 1.0}:
        return
    for p in found:
        if p not in values:
            raise ScenarioError(
                f"the truth has {len(values)} values, and the model predicts {p:g}, which is none of them",
                hint="say what is compared: measure=mae for numbers, measure=accuracy for classes",
            )


def _refuse_labels(labels: list[str], predictions: list[str]) -> None:
    """Raise :class:`ScenarioError` where a prediction is a label in another spelling, or a number and no label."""
    shown = ", ".join(map(repr, labels[:5])) + ", …" * (len(labels) > 5)
    spelled = {label.strip().casefold(): label for label in labels}
    for p in (p for p in predictions if labels and p not in labels):
        if other := spelled.get(p.strip().casefold()):
            raise ScenarioError(
                f"the model answers {p!r}, and the truth says {other!r}: labels are compared exactly",
                hint="spell the column of truth as the model does",
            )
        if _NUMBER.fullmatch(p):
            raise ScenarioError(
                f"the truth holds labels ({shown}), and the model answers {p}, which is none of them",
                hint="make the truth the model's own classes (0, 1, 2 ...), or let the target's `result` find labels",
            )


def _positive(value: Any) -> bool:
    return _is_number(value) and 0 < value < math.inf


def _is_number(value: Any) -> bool:
    """Whether it is a number, one of numpy's too; true and false are none."""
    return isinstance(value, Real) and not isinstance(value, bool)

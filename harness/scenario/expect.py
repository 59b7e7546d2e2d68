"""Expectations, as an author writes them: what must happen in a drill."""

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.expect_alerts import Fires, Quiet, Resolves, Silent
from driftdrill.harness.scenario.expect_series import Exists, Moves, Stays
from driftdrill.reports.data.timeline import Labels

Expectation = Fires | Quiet | Silent | Resolves | Moves | Stays | Exists
everything_else = None
"""``quiet(everything_else)``: no alert may fire that no other expectation selects, by its name and labels."""


def _name(function: str, value: object, what: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ScenarioError(f"{function}: {what} must be a non-empty text, not {value!r}")
    return value


def _duration(function: str, value: float | None) -> float | None:
    if value is not None and not (isinstance(value, (int, float)) and 0 < value < float("inf")):
        raise ScenarioError(f"{function}: within must be seconds above 0, not {value!r}", hint="within=5 * minutes")
    return value


def _labels(function: str, given: Labels | None) -> Labels:
    for name, value in (given or {}).items():
        if name in ("__name__", "alertname", "alertstate"):
            raise ScenarioError(f"{function}: {name} is no label of an alert's instance", hint="the name comes first")
        if not isinstance(value, str):
            raise ScenarioError(
                f"{function}: label {name} must be a text, not {value!r}", hint=f'{{"{name}": "{value}"}}'
            )
    return given or {}


def fires(alert: str, *, labels: Labels | None = None, within: float | None = None) -> Fires:
    """``alert`` fires on an instance that carries ``labels``, ``within`` seconds of the first faulty request."""
    return Fires(
        alert=_name("fires", alert, "alert"), labels=_labels("fires", labels), within=_duration("fires", within)
    )


def quiet(alert: str | None, *, labels: Labels | None = None) -> Quiet:
    """``alert`` never fires after warm-up; ``quiet(everything_else)`` says so of every alert not named."""
    return Quiet(alert=None if alert is None else _name("quiet", alert, "alert"), labels=_labels("quiet", labels))


def silent(alert: str, *, because: str, labels: Labels | None = None) -> Silent:
    """``alert`` stays silent in a trap, for the reason that a check of docs/why finds: ``because="no_such_metric"``."""
    because = _name("silent", because, "because")
    return Silent(alert=_name("silent", alert, "alert"), because=because, labels=_labels("silent", labels))


def resolves(alert: str, *, labels: Labels | None = None, within: float | None = None) -> Resolves:
    """``alert`` fired and is resolved ``within`` seconds of the fault's end (by the end of recovery for None)."""
    return Resolves(
        alert=_name("resolves", alert, "alert"),
        labels=_labels("resolves", labels),
        within=_duration("resolves", within),
    )


def moves(expr: str, *, above: float | None = None, below: float | None = None, by: float | None = None) -> Moves:
    """The PromQL ``expr`` moves: above or below a value that the baseline kept, or out of its range ``by`` units."""
    if sum(x is not None for x in (above, below, by)) > 1:
        raise ScenarioError(f"moves({expr}): give one of above, below, by")
    return Moves(expr=_name("moves", expr, "expr"), above=above, below=below, by=by)


def stays(expr: str, *, by: float) -> Stays:
    """The PromQL ``expr`` keeps to its baseline range, widened ``by`` units, during the fault."""
    if not by >= 0:
        raise ScenarioError(f"stays({expr}): by must be 0 or more, not {by!r}")
    return Stays(expr=_name("stays", expr, "expr"), by=by)


def exists(expr: str) -> Exists:
    """The PromQL ``expr`` has a value in the baseline."""
    return Exists(expr=_name("exists", expr, "expr"))

"""Canary: golden requests, whose answers are known, asked in a steady trickle apart from the load.

Its deviation is a metric of the harness's own (``driftdrill_canary_deviation``), so that an alert can be on it: such an
alert sees what a service does to its answers, whatever the service's own metrics tell.
"""

from collections.abc import Callable
from dataclasses import dataclass, field

from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.scenario.fault import Batch

MOST_ROWS = 1000


@dataclass(frozen=True)
class Canary:
    """Golden rows, asked in turn, one every ``every`` scenario seconds.

    ``rows`` answers them as a batch. ``answer`` names the column of their known answers, which is never sent; without
    it the answers are those that the target gives before the drill. Raises :class:`ScenarioError` that names the field.
    """

    rows: Callable[[], Batch]
    answer: str | None = field(default=None, kw_only=True)
    every: float = field(default=15.0, kw_only=True)
    name: str = field(default="golden", kw_only=True)

    def __post_init__(self) -> None:
        if not callable(self.rows):
            raise ScenarioError(f"Canary: rows must be a function that answers a batch, not {self.rows!r}")
        number = isinstance(self.every, (int, float)) and not isinstance(self.every, bool)
        if not number or not 0.1 <= self.every < 1e9:
            raise ScenarioError(f"Canary: every must be seconds, 0.1 or more, not {self.every!r}")
        if not isinstance(self.name, str) or not self.name.strip():
            raise ScenarioError(f"Canary: name must be a non-empty text, not {self.name!r}")

"""What happened, on one time axis: the data behind every plot and table. Frozen; JSON in and out.

All times are seconds from the start of the scenario. A ``None`` value is a gap (no sample).
"""

from dataclasses import dataclass, field
from typing import Literal

Labels = dict[str, str]


@dataclass(frozen=True)
class Phase:
    """One phase of the drill, [start, end)."""

    name: Literal["warm_up", "baseline", "fault", "recovery"]
    start: float
    end: float


@dataclass(frozen=True)
class Interval:
    """An alert was pending or firing in [start, end): from its first evaluation to the first without it."""

    start: float
    end: float
    state: Literal["pending", "firing"]


@dataclass(frozen=True)
class AlertTrack:
    """One alert instance (one set of labels) and its states over the drill."""

    alert: str
    labels: Labels
    intervals: tuple[Interval, ...]
    annotations: dict[str, str] = field(default_factory=dict)
    where: str = ""
    """Its rule, rules.yml:17."""
    rule: int | None = None
    """Its rule's place among all rules, from 0; several rules may have one name."""

    @property
    def fired(self) -> bool:
        """Whether it was firing at some time."""
        return any(i.state == "firing" for i in self.intervals)


@dataclass(frozen=True)
class Track:
    """One series: a request rate, a fault's strength, a quality, a recorded series."""

    name: str
    unit: str
    times: tuple[float, ...]
    values: tuple[float | None, ...]
    labels: Labels = field(default_factory=dict)


@dataclass(frozen=True)
class Watched:
    """The left side of an alert's ``<expression> <comparison> <number>`` and its threshold."""

    alert: str
    expr: str
    comparison: str
    threshold: float
    tracks: tuple[Track, ...]


@dataclass(frozen=True)
class Timeline:
    """Everything that the views draw."""

    phases: tuple[Phase, ...]
    rate: tuple[Track, ...] = ()
    """Requests per second: answered, failed."""
    strength: tuple[Track, ...] = ()
    """One a fault, in [0, 1]."""
    quality: tuple[Track, ...] = ()
    """Share of rows predicted rightly, against ground truth."""
    watched: tuple[Watched, ...] = ()
    alerts: tuple[AlertTrack, ...] = ()
    recorded: tuple[Track, ...] = ()
    """Recorded series of the rules."""

    @property
    def end(self) -> float:
        """The end of the last phase, seconds."""
        return self.phases[-1].end if self.phases else 0.0

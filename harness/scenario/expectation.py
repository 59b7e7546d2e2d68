"""What every expectation is: a frozen value that checks evidence and answers a Finding.

They are tagged structs, so that a recording holds them as JSON and judge never loads the scenario file.
"""

from typing import Protocol

import msgspec

from driftdrill.reports.data.timeline import Labels, Phase, Track
from driftdrill.reports.data.verdict import Response


class Evidence(Protocol):
    """What an expectation may look at."""

    def phase(self, name: str) -> Phase:
        """The named phase."""
        ...

    def responses(self, alert: str, labels: Labels, within: float | None = None) -> tuple[Response, ...]:
        """What each rule of that name did, over the instances that carry ``labels``."""
        ...

    def unselected(self) -> tuple[Response, ...]:
        """What each rule did, over the instances that no expectation selects by its name and labels."""
        ...

    def series(self, expr: str) -> tuple[Track, ...]:
        """The expression at every evaluation."""
        ...

    def failed(self, expr: str) -> str:
        """Why the expression cannot be evaluated, at some moment; empty where it can."""
        ...

    def unborn_of(self, alert: str) -> tuple[str, bool] | None:
        """The series that an alert asks for in vain, and whether it fires once they are born; None without such."""
        ...

    def ticks(self, name: str) -> int:
        """How many evaluations there are in the named phase."""
        ...


class BaseExpectation(msgspec.Struct, frozen=True, kw_only=True, tag_field="expect"):
    """What all expectations share; each adds ``check(evidence) -> Finding``."""

    @property
    def alerts(self) -> tuple[str, ...]:
        """The alert names that must exist in the rules."""
        return ()

    @property
    def exprs(self) -> tuple[str, ...]:
        """The PromQL expressions that the engine must evaluate for it."""
        return ()


def shown(labels: Labels) -> str:
    """Labels as Prometheus writes them; nothing where there are none."""
    return "{" + ", ".join(f'{k}="{v}"' for k, v in sorted(labels.items())) + "}" if labels else ""

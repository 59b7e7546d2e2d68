"""What is known of a drill at its start: meta.json."""

from typing import Any

import msgspec

SCHEMA = 1
"""The version of the format. A recording of a version that is read is judged to the same words by every later
driftdrill; one of any other version is refused by name."""


class Meta(msgspec.Struct, kw_only=True, frozen=True):
    """What is known at the start of a drill."""

    schema: int = SCHEMA
    scenario: str
    story: str
    clock: str
    phases: list[tuple[str, float, float]]
    """(name, start, end) in scenario seconds."""
    expect: list[dict[str, Any]]
    faults: list[dict[str, Any]]
    truth: str | None
    smallest_harm: float | None
    smallest_relative: bool = False
    """Whether ``smallest_harm`` is a share of the baseline's loss, not in the measure's unit."""
    measure: dict[str, Any] = {}
    """What predictions are compared by; empty in older recordings: what the truth calls for."""
    labels: bool = False
    """Whether truth and predictions are texts."""
    segments: list[str] = []
    """Columns for each of whose values harm is told."""
    threshold: float
    seed: int
    planned: int
    """Requests in the schedule."""
    rows_per_request: int
    scrape_interval: float
    evaluation_interval: float
    started_at: float
    """Unix time of scenario second 0."""
    target: dict[str, Any]
    targets: list[dict[str, str]]
    """Labels of every scrape target."""
    scrape_intervals: list[float] = []
    """Seconds, one a target."""
    keeps_labels: bool = False
    """Whether some job leaves ``job`` or ``instance`` to the page (honor_labels) or to metric_relabel_configs."""
    rules: list[tuple[str, str]]
    """(file in rules/, path as the user gave it)."""
    engine: str
    versions: dict[str, str]
    revision: str | None = None
    late_after: float = 1.0
    """Seconds after which a send that the generator itself began too late counts as missed."""

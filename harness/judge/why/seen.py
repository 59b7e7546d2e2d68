"""What a rule could read in a drill: what a check looks at beside the rule."""

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.judge.why.label_sets import LabelSets
from driftdrill.harness.judge.why.labels import NAME
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.timeline import AlertTrack, Phase, Track


@dataclass(frozen=True)
class Seen:
    """What was there to be read, and what the rules made of it. Times are scenario seconds."""

    samples: Sequence[Samples]
    """The scraped series."""
    rules: Rules
    """All rules of the judgement."""
    recorded: Sequence[Track] = ()
    """The series of recording rules at every evaluation; NaN is a gap."""
    phases: Mapping[str, Phase] = field(default_factory=dict)
    fault_began: float | None = None
    step: float = 15.0
    """Seconds between evaluations."""
    scrape: float = 15.0
    """Seconds between scrapes."""
    look_back_delta: float = 300.0
    """Seconds after which a sample is too old for an instant selector."""
    tracks: Sequence[AlertTrack] = ()
    """What the alerts did, each instance with its labels and rendered annotations."""
    left: Mapping[str, Sequence[Track]] = field(default_factory=dict)
    """A threshold's left side -> its series at every evaluation; NaN is a gap."""
    errors: Mapping[int, str] = field(default_factory=dict)
    """A rule's place among all -> the engine's error."""
    not_recorded: Collection[str] = ()
    """Native histograms that the pages had and the recording has not."""
    requests: Requests | None = None

    @cached_property
    def sets(self) -> LabelSets:
        """The label sets of any expression."""
        return LabelSets.over((s.labels for s in self.samples), self.rules, self.not_recorded)

    def within(self, start: float, end: float) -> LabelSets:
        """The same over the series that had a sample between two moments."""
        inside = ((s, ~s.stale & (s.times >= start * 1000) & (s.times <= end * 1000)) for s in self.samples)
        return LabelSets.over((s.labels for s, there in inside if there.any()), self.rules, self.not_recorded)

    @cached_property
    def named(self) -> Mapping[str, Sequence[Samples]]:
        """Metric name -> its scraped series."""
        out: dict[str, list[Samples]] = defaultdict(list)
        for series in self.samples:
            out[series.labels.get(NAME, "")].append(series)
        return out

    def tracks_of(self, known: KnownRule) -> list[AlertTrack]:
        """What the instances of one alert did."""
        return [t for t in self.tracks if t.alert == known.rule.name and t.rule in (None, known.index)]

    @cached_property
    def fault(self) -> tuple[float, float] | None:
        """(the fault's first effect, the end of its phase)."""
        phase = self.phases.get("fault")
        if phase is None:
            return None
        return max(phase.start, self.fault_began or phase.start), phase.end

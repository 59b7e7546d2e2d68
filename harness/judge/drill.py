"""A drill as it was recorded, each part of it read once."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import msgspec
import numpy as np

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.judge.findings import limits, pages
from driftdrill.harness.judge.findings.scraped_page import page_key
from driftdrill.harness.recording import history as past
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Recording, Samples
from driftdrill.harness.scenario.expect import Expectation
from driftdrill.harness.seams import recorded_seam
from driftdrill.reports.data.timeline import Phase
from driftdrill.stack.faults.kind import DOWN


@dataclass(frozen=True)
class Drill:
    """A recording, each part of it read once."""

    recording: Recording
    clean: Recording | None = None
    """Clean history that is put before it."""

    @property
    def meta(self) -> Meta:
        return self.recording.meta

    @cached_property
    def phases(self) -> Mapping[str, Phase]:
        return {n: Phase(n, s, e) for n, s, e in self.meta.phases}  # type: ignore[arg-type]

    @cached_property
    def expect(self) -> tuple[Expectation, ...]:
        try:
            return tuple(msgspec.convert(e, Expectation) for e in self.meta.expect)
        except msgspec.ValidationError as e:
            raise RecordingError(f"meta.json holds an expectation that this version does not know: {e}") from e

    @cached_property
    def named(self) -> frozenset[str]:
        """The alerts that some expectation names."""
        return frozenset(a for e in self.expect for a in e.alerts)

    @property
    def exprs(self) -> tuple[str, ...]:
        """The PromQL expressions that the expectations ask for."""
        return tuple(expr for e in self.expect for expr in e.exprs)

    @cached_property
    def requests(self) -> Requests:
        return self.recording.requests()

    @cached_property
    def events(self) -> list[dict[str, Any]]:
        return self.recording.events()

    @cached_property
    def scraped(self) -> list[Samples]:
        return self.recording.samples()

    @cached_property
    def served(self) -> list[Samples]:
        """ALERTS and recorded series as a live server made them; none in virtual time."""
        return self.recording.samples("alerts")

    @cached_property
    def history(self) -> past.History | None:
        return None if self.clean is None else past.before(self.recording, self.clean)

    @cached_property
    def samples(self) -> list[Samples]:
        """The scrapes, with the clean history before them."""
        return self.scraped if self.history is None else past.joined(self.history, self.scraped)

    @cached_property
    def present(self) -> frozenset[str]:
        """Names of the metrics that some scrape had."""
        return frozenset(s.labels.get("__name__", "") for s in self.scraped)

    @cached_property
    def ended(self) -> Mapping[str, Sequence[float]]:
        """Metric -> when series of it had a last sample: before the end, or before they were away for a while."""
        last: dict[str, list[float]] = {}
        end, away = self.phases["recovery"].end, 2 * self.meta.scrape_interval
        for s in self.scraped:
            times = s.times[~s.stale] / 1000
            gone = times[np.diff(times, append=end) > away]
            if len(gone):
                last.setdefault(s.labels.get("__name__", ""), []).extend(gone.tolist())
        return last

    @cached_property
    def first_scrapes(self) -> Mapping[str, float | None]:
        """Metric -> scenario seconds of the first scrape in the fault phase of a page that ever had it; None: none."""
        fault = self.phases["fault"]
        # A fault that takes a page away, or its job, is the drill: it was there to be seen from its beginning on.
        taken = any(DOWN in f.get("on_pages", recorded_seam(f).on_pages) for f in self.meta.faults)
        first: dict[tuple[str, str], float | None] = {}
        for s in self.scraped:
            if s.labels.get("__name__") == "up":
                times = s.times[(s.times >= fault.start * 1000) & (s.times < fault.end * 1000)]
                first[page_key(s.labels)] = float(times[0]) / 1000 if len(times) else fault.start if taken else None
        out: dict[str, float | None] = {}
        for s in self.scraped:
            # Labels may be the series' own (honor_labels): then it is not known whose page it is.
            name, at = s.labels.get("__name__", ""), first.get(page_key(s.labels), fault.start)
            known = out.get(name)
            out[name] = at if known is None else known if at is None else min(known, at)
        return out

    @cached_property
    def failed_pages(self) -> tuple[pages.PageFailure, ...]:
        return pages.failures(self.meta, self.phases, self.requests, self.scraped, self.events)

    @cached_property
    def wall_only(self) -> frozenset[str]:
        return limits.wall_only(self.meta, self.events, self.scraped)

    @cached_property
    def real_time_only(self) -> frozenset[str]:
        return limits.real_time_only(self.meta, self.events, self.scraped)

    @cached_property
    def fault_began(self) -> float | None:
        """Scenario seconds of the first request with strength > 0, or of the first held fault."""
        began = [float(self.requests.intended[s > 0].min()) for s in self.requests.strength.values() if (s > 0).any()]
        began += [e["at"] for e in self.events if e["event"] == "fault" and e["strength"] > 0]
        return min(began, default=None)

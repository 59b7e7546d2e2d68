"""What a verdict is decided from: a drill as it was recorded, and what rules made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import msgspec

from driftdrill.harness.errors import RecordingError
from driftdrill.harness.judge.engine import evaluate as engine
from driftdrill.harness.judge.findings import limits
from driftdrill.harness.judge.findings.responses import Facts, over_moments, over_phases, respond
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.recording import history as past
from driftdrill.harness.recording.columns import Requests
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Recording, Samples
from driftdrill.harness.scenario.expect import Expectation, Fires
from driftdrill.reports.data.timeline import Labels, Phase, Track
from driftdrill.reports.data.verdict import Finding, Response

ALWAYS_FIRING = ("Watchdog", "DeadMansSwitch", "InfoInhibitor")
STRONGEST = ("FALSE_ALARM", "FIRED", "UNRESOLVED", "LATE", "SILENT", "NOT_JUDGED")


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

    @cached_property
    def must_fire(self) -> frozenset[str]:
        """The alerts that may not fire before the fault."""
        return frozenset(a for e in self.expect if e.fires_alert for a in e.alerts)

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
    def wall_only(self) -> frozenset[str]:
        return limits.wall_only(self.meta, self.events, self.scraped)

    @cached_property
    def fault_began(self) -> float | None:
        """Scenario seconds of the first request with strength > 0, or of the first held fault."""
        began = [float(self.requests.intended[s > 0].min()) for s in self.requests.strength.values() if (s > 0).any()]
        began += [e["at"] for e in self.events if e["event"] == "fault" and e["strength"] > 0]
        return min(began, default=None)


@dataclass(frozen=True)
class Judged:
    """A drill under rules: what an expectation may look at (Evidence)."""

    drill: Drill
    rules: Rules
    evaluated: tuple[engine.Evaluated, ...]
    """One a phase shift, the first of which is not shifted; all of these for each moment in turn."""
    engine: str = ""
    """Such as "promtool 3.5.3"."""
    live: bool = False
    """Whether a real server evaluated these very rules, so that its answers stand."""
    moments: tuple[str, ...] = ()
    """When scenario second 0 is taken to be, in turn, for rules that read the clock; none: as the engine's clock is."""

    @property
    def shifts(self) -> int:
        """Phase shifts at each moment."""
        return len(self.evaluated) // max(1, len(self.moments))

    @cached_property
    def facts(self) -> tuple[Facts, ...]:
        drill, step = self.drill, self.drill.meta.evaluation_interval
        return tuple(
            Facts(
                drill.phases,
                drill.fault_began,
                engine.from_server(drill.served, self.rules, step) if self.live else evaluated.alerts,
                evaluated.series,
                drill.history.seconds if drill.history else 0.0,
                step,
                drill.meta.scrape_interval,
            )
            for evaluated in self.evaluated
        )

    def phase(self, name: str) -> Phase:
        return self.drill.phases[name]

    def named(self) -> frozenset[str]:
        return self.drill.named

    def series(self, expr: str) -> tuple[Track, ...]:
        return self.evaluated[0].series.get(expr, ())

    def responses(self, alert: str | None, labels: Labels, within: float | None = None) -> tuple[Response, ...]:
        known = [k for k in self.rules.alerts if alert is None or k.rule.name == alert]
        if alert is not None and not known:
            return (Response(alert, "NOT_JUDGED", "", dict(labels), True, note="no rule of this name was judged"),)
        found = tuple(self._respond(k, labels, within) for k in known)
        # Of several rules of one name, the one that did most.
        return found if alert is None else (min(found, key=lambda r: STRONGEST.index(r.word)),)

    def _respond(self, known: KnownRule, labels: Labels, within: float | None) -> Response:
        expected = known.rule.name in self.named()
        each = [respond(facts, known, labels, within, expected) for facts in self.facts]
        limited = limits.marks(known, self.drill.wall_only, self.drill.present, not self.live, self.moments)
        at = [over_phases(each[start : start + self.shifts]) for start in range(0, len(each), self.shifts)]
        return replace(over_moments(at, self.moments) if self.moments else at[0], marks=limited)

    @cached_property
    def listed(self) -> Mapping[str, str]:
        """Alerts that are listed only -> why."""
        out = {}
        for known in self.rules.alerts:
            name = known.rule.name
            if name in self.evaluated[0].errors:
                out[name] = "cannot be evaluated"
            elif name in ALWAYS_FIRING and name not in self.named():
                out[name] = "fires always by design"
        return out

    @cached_property
    def each(self) -> Sequence[Response]:
        """What every judged alert did, within its expectation's limits."""
        fires = {e.alert: e for e in self.drill.expect if isinstance(e, Fires)}
        out = []
        for known in self.rules.alerts:
            if known.rule.name not in self.listed:
                e = fires.get(known.rule.name)
                labels, within = (e.labels, e.within) if e else ({}, None)
                out.append(self._respond(known, labels, within))
        return out

    @cached_property
    def findings(self) -> Sequence[Finding]:
        """Every expectation, held or not."""
        return [e.check(self) for e in self.drill.expect]

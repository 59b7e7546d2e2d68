"""What a verdict is decided from: a drill as it was recorded, and what rules made of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from driftdrill.harness.errors import nearest
from driftdrill.harness.judge.drill import Drill
from driftdrill.harness.judge.engine import evaluate as engine
from driftdrill.harness.judge.engine import fold
from driftdrill.harness.judge.findings import evaluations, limits, pages, whose
from driftdrill.harness.judge.findings.responses import (
    Facts,
    carries,
    of_rule,
    over_moments,
    over_phases,
    respond,
    unfed,
)
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.judge.why import Seen, could_carry, reasons
from driftdrill.harness.scenario.expect_alerts import Fires, Quiet, Resolves, Silent
from driftdrill.harness.scenario.expectation import shown
from driftdrill.reports.data.timeline import AlertTrack, Labels, Phase, Track
from driftdrill.reports.data.verdict import Finding, Reason, Response

ALWAYS_FIRING = ("Watchdog", "DeadMansSwitch", "InfoInhibitor")
NOTICED = ("FALSE_ALARM", "FIRED", "UNRESOLVED", "LATE")


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
    explained: frozenset[str] | None = None
    """The alerts whose silence is explained; None is all."""
    unborn: Mapping[int, tuple[str, bool]] = field(default_factory=dict)
    """Places of alerts that ask in vain for labels of a metric that there is -> (which series, whether the alert fires
    once they are born)."""
    moments: tuple[str, ...] = ()
    """When scenario second 0 is taken to be, in turn, for rules that read the clock; none: as the engine's clock is."""

    @property
    def shifts(self) -> int:
        """Phase shifts at each moment."""
        return len(self.evaluated) // max(1, len(self.moments))

    @cached_property
    def made(self) -> tuple[tuple[AlertTrack, ...], ...]:
        """What the alerts did at each shift and moment, on whatever target."""
        if not self.live:
            return tuple(e.alerts for e in self.evaluated)
        served = fold.from_server(self.drill.served, self.rules, self.drill.meta.evaluation_interval)
        # A server's own ALERTS do not tell apart two rules of one name and labels; the engine does.
        unclear = fold.alike(self.rules)
        return tuple(
            (*(t for t in served if t.alert not in unclear), *(t for t in e.alerts if t.alert in unclear))
            for e in self.evaluated
        )

    @cached_property
    def facts(self) -> tuple[Facts, ...]:
        drill = self.drill
        return tuple(
            Facts(
                drill.phases,
                drill.fault_began,
                [t for t in tracks if not self.elsewhere(t)],
                evaluated.points,
                drill.history.seconds if drill.history else 0.0,
                drill.meta.evaluation_interval,
                drill.meta.scrape_interval,
                evaluated.moments,
                self.drill.first_scrapes,
                drill.ended,
            )
            for evaluated, tracks in zip(self.evaluated, self.made, strict=True)
        )

    @property
    def awaited(self) -> tuple[AlertTrack, ...]:
        """The instances that some expectation waits for, of judged rules: they may not fire before the fault."""
        asked = [e for e in self.drill.expect if isinstance(e, Fires | Resolves)]
        unjudged = [k for k in self.rules.alerts if self.unjudged(k)]
        return tuple(
            t
            for t in self.facts[0].tracks
            if any(t.alert == e.alert and carries(t.labels, e.labels) for e in asked)
            and not any(of_rule([t], k) for k in unjudged)
        )

    @cached_property
    def look_backs(self) -> Mapping[str, float]:
        """Alert -> seconds of the drill in which it lacks samples to look back on; of several rules the longest."""
        history = self.drill.history.seconds if self.drill.history else 0.0
        out: dict[str, float] = {}
        for known in self.rules.alerts:
            out[known.rule.name] = max(out.get(known.rule.name, 0.0), known.look_back - history)
        return out

    def elsewhere(self, track: AlertTrack) -> str:
        """Which other target an alert's instance is about; empty where it may be the drilled one's."""
        known = None if track.rule is None else self.rules.known[track.rule]
        return whose.elsewhere(track.labels, known, self.rules, self.drill.meta)

    def _own(self, facts: Facts, known: KnownRule, but: Sequence[Labels]) -> Facts:
        """Without what an alert compares of targets that were not drilled: it says nothing of how near it came; and
        without the instances that carry the labels of ``but``."""
        if but:
            rest = [t for t in facts.tracks if not any(carries(t.labels, b) for b in but)]
            facts = replace(facts, tracks=rest)
        points = facts.left.get(known.analysed.left or "", {})
        own = {
            key: values
            for key, values in points.items()
            if not whose.elsewhere(dict(key), known, self.rules, self.drill.meta)
            and not any(carries(dict(key), b) for b in but)
        }
        return facts if len(own) == len(points) else replace(facts, left={**facts.left, known.analysed.left or "": own})

    def phase(self, name: str) -> Phase:
        return self.drill.phases[name]

    def series(self, expr: str) -> tuple[Track, ...]:
        return self.evaluated[0].series.get(expr, ())

    def failed(self, expr: str) -> str:
        return next(iter(self.evaluated[0].failed.get(expr, {}).values()), "")

    def unborn_of(self, alert: str) -> tuple[str, bool] | None:
        return next(
            (self.unborn[k.index] for k in self.rules.alerts if k.rule.name == alert and k.index in self.unborn), None
        )

    def ticks(self, name: str) -> int:
        phase, step = self.drill.phases[name], self.drill.meta.evaluation_interval
        return math.ceil(phase.end / step) - math.ceil(phase.start / step)

    def unselected(self) -> tuple[Response, ...]:
        every = [(k, self._selections(k)) for k in self.rules.alerts if k.rule.name not in self.listed]
        # Labels that all of a rule's instances have, none at all among them, select it whole.
        some = [(k, taken) for k, taken in every if not any(t.items() <= k.labels.items() for t in taken)]
        return tuple(self._respond(k, {}, None, but=taken) for k, taken in some)

    def _selections(self, known: KnownRule) -> list[Labels]:
        """The labels by which expectations select instances of a rule; ``{}`` is all of them."""
        asked = [e for e in self.drill.expect if isinstance(e, Fires | Quiet | Silent | Resolves)]
        return [e.labels for e in asked if e.alert == known.rule.name and known.may_be(e.labels)]

    def responses(self, alert: str, labels: Labels, within: float | None = None) -> tuple[Response, ...]:
        known = [k for k in self.rules.alerts if k.rule.name == alert]
        if not known:
            hint = nearest(alert, {k.rule.name for k in self.rules.alerts})
            note = "no rule of this name was judged" + (f": {hint}" if hint else "")
            return (Response(alert, "NOT_JUDGED", "", dict(labels), True, note=note),)
        fitting = [k for k in known if k.may_be(labels)]
        if not fitting:
            places = ", ".join(k.where for k in known)
            note = f"no rule of this name can have {shown(labels)}: {places}"
            return (Response(alert, "NOT_JUDGED", known[0].where, dict(labels), True, note=note),)
        if labels and not any(could_carry(k, self.seen, labels) for k in fitting):
            note = f"nothing that it reads can give it {shown(labels)}"
            return (Response(alert, "NOT_JUDGED", fitting[0].where, dict(labels), True, note=note),)
        return tuple(self._respond(k, labels, within) for k in fitting)

    @cached_property
    def _given(self) -> dict[tuple[object, ...], Response]:
        """Responses that were worked out: several expectations may ask for one."""
        return {}

    def _respond(self, known: KnownRule, labels: Labels, within: float | None, but: Sequence[Labels] = ()) -> Response:
        """Over the instances that carry ``labels``, and none of the label sets ``but``."""
        asked = known.index, tuple(sorted(labels.items())), within, tuple(tuple(sorted(b.items())) for b in but)
        if asked not in self._given:
            self._given[asked] = self._response(known, labels, within, but)
        return self._given[asked]

    def _response(self, known: KnownRule, labels: Labels, within: float | None, but: Sequence[Labels]) -> Response:
        expected = bool(self._selections(known))
        untested = "" if self.live else limits.untested(known, self.drill.real_time_only)
        unjudged = self.unjudged(known)
        each = [
            respond(
                self._own(facts, known, but),
                known,
                labels,
                within,
                expected,
                untested=untested or unfed(facts, known, self.rules),
                unjudged=unjudged,
            )
            for facts in self.facts
        ]
        limited = limits.marks(known, self.drill.wall_only, not self.live, self.moments)
        limited += limits.on_the_edge(known, self.facts[0])
        at = [over_phases(each[start : start + self.shifts]) for start in range(0, len(each), self.shifts)]
        one = over_moments(at, self.moments) if self.moments else at[0]
        if one.word == "SILENT" and (where := self._fired_elsewhere(known)):
            one = replace(one, note=f"it fired {where}")
        return replace(one, marks=limited, why=self._why(known, one))

    def _fired_elsewhere(self, known: KnownRule) -> str:
        """On which other target a rule fired; empty where on none."""
        fired = [t for t in of_rule(self.made[0], known) if t.fired]
        return next((where for t in fired if (where := self.elsewhere(t))), "")

    def unjudged(self, known: KnownRule) -> str:
        """Why nothing that an alert did proves anything; empty where it does."""
        return (
            pages.unread(self.drill.failed_pages, known)
            or evaluations.unevaluated(self.drill.events, known)
            or ("" if known.index in self.evaluated[0].errors else evaluations.erring(self.drill.events, known))
            or ("" if self.live else limits.of_future(known))
            or ("" if self.live else limits.of_order(known, self._unordered.get(known.index, ())))
            or limits.of_real_time(known, self.rules, self.drill.scraped, self.drill.meta)
        )

    @cached_property
    def _unordered(self) -> Mapping[int, Sequence[KnownRule]]:
        return self.rules.unordered(self.drill.meta.evaluation_interval)

    def _why(self, known: KnownRule, response: Response) -> tuple[Reason, ...]:
        if response.word == "NOT_JUDGED" or not (self.explained is None or known.rule.name in self.explained):
            return ()
        return reasons(known, self.seen, fired=response.word not in ("SILENT", "LATE"))

    @cached_property
    def seen(self) -> Seen:
        """What the rules could read, without shifts."""
        drill, first = self.drill, self.evaluated[0]
        return Seen(
            samples=drill.samples,
            rules=self.rules,
            recorded=first.recorded,
            phases=drill.phases,
            fault_began=drill.fault_began,
            step=drill.meta.evaluation_interval,
            scrape=drill.meta.scrape_interval,
            tracks=self.facts[0].tracks,
            left=first.with_nan,
            errors={place: e.why for place, e in first.errors.items()},
            not_recorded=frozenset(n for e in drill.events if e["event"] == "not_recorded" for n in e["names"]),
            requests=drill.requests,
        )

    @cached_property
    def listed(self) -> Mapping[str, str]:
        """Alerts that are listed only -> why."""
        names = {k.rule.name for k in self.rules.alerts} - self.drill.named
        return {name: "fires always by design" for name in ALWAYS_FIRING if name in names}

    @cached_property
    def others(self) -> Mapping[str, str]:
        """Instances that fired on another target -> which."""
        fired = [t for t in self.made[0] if t.fired]
        return {t.alert + shown(t.labels): where for t in fired if (where := self.elsewhere(t))}

    @cached_property
    def each(self) -> Sequence[Response]:
        """What every judged rule did, within its expectation's limits."""
        out = []
        for known in self.rules.alerts:
            if known.rule.name in self.listed:
                continue
            asked = [
                e
                for e in self.drill.expect
                if isinstance(e, Fires) and e.alert == known.rule.name and known.may_be(e.labels)
            ]
            whole = self._respond(known, {}, asked[0].within if len(asked) == 1 else None)
            if len(asked) == 1 and asked[0].labels:
                some = self._respond(known, asked[0].labels, asked[0].within)
                # What no instance of these labels did, another may have done: the alert is not silent then.
                whole = whole if some.word not in NOTICED and whole.word in NOTICED else some
            out.append(whole)
        return out

    @cached_property
    def findings(self) -> Sequence[Finding]:
        """Every expectation, held or not."""
        return [e.check(self) for e in self.drill.expect]

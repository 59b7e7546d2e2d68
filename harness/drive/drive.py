"""The drive: requests meet the world on either clock, and a Recording is left. Slow, not repeatable."""

import contextlib
import math
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import gevent
import msgspec
import numpy as np

from harness.drive import preflight
from harness.drive.clock import VirtualClock, WallClock
from harness.drive.fetch import Fetcher
from harness.drive.idle import moving
from harness.drive.inject import Held, hold
from harness.drive.recording import Meta, Writer, request_block
from harness.drive.scrape import Scraper
from harness.errors import Interrupted, MonitoringError, RigError, TargetError
from harness.scenario import Scenario
from harness.target import Target
from harness.traffic.client import Client
from harness.traffic.detect import settled
from harness.traffic.payload import Payload, strength_at
from harness.traffic.player import Player, Reported
from harness.traffic.schedule import schedule
from stack.prometheus import Server, died, query
from stack.rulefiles import RuleFile

FETCH_EVERY = 10.0
"""Real seconds between fetches on the wall clock: a killed drill loses no more samples than that."""
FLUSH_SECONDS = 2.0
"""Real seconds after which a virtual drive writes what it holds."""
STALL = 5.0
"""Real seconds beyond a request's own time-out without any request ending, after which a drive gives up."""


@dataclass(frozen=True)
class Progress:
    """Where a drill stands, told at each step."""

    phase: str
    at: float
    end: float
    sent: int
    failed: int
    rate: float
    """Requests per scenario second over the last step."""
    strength: Mapping[str, float]
    pending: tuple[str, ...] = ()
    firing: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """All that a drive needs to know, decided beforehand."""

    scenario: Scenario
    target: Target
    clock: str
    out: Path
    rules: tuple[RuleFile, ...]
    engine: str
    versions: Mapping[str, str]
    revision: str | None = None
    scraper: Scraper | None = None
    """Virtual clock: what scrapes the target."""
    server: Server | None = None
    """Wall clock: the Prometheus that scrapes it."""
    rows_per_request: int = 1
    connections: int = 0
    """Most requests outstanding; 0 is 4 in virtual time (more gains nothing) and 128 on the wall clock."""


KEPT = "what was recorded so far is kept: `driftdrill judge` reads it"


@dataclass
class Steering:
    """How a drive is told to stop, and tells how it goes."""

    report: Reported = lambda name, seconds, size, failure: None
    progress: Callable[[Progress], None] = lambda progress: None
    stop: str = ""
    """Set to a reason from a signal handler or Locust; the drive ends within a second or so."""
    recording: Path | None = None
    """Set once there is one."""
    driving: bool = False
    """Whether the drive looks at ``stop`` itself, so that no block is torn."""

    def check(self) -> None:
        """Raise :class:`Interrupted` if the drive was told to stop."""
        if self.stop:
            raise Interrupted(self.stop, hint=KEPT)


@dataclass
class _Run:
    """What the loops of both clocks share."""

    plan: Plan
    steering: Steering
    player: Player
    writer: Writer
    held: Held
    scraped: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """Virtual clock: samples that are not written yet."""
    failed: int = 0
    last: tuple[float, int] = (0.0, 0)
    written: float = field(default_factory=time.monotonic)

    def step(self, at: float, *, pending: tuple[str, ...] = (), firing: tuple[str, ...] = ()) -> None:
        """Set held faults, write requests, tell progress, obey a stop."""
        self.set_held(at)
        self.failed += sum(1 for f in self.player.records.failure if f)
        self.flush()
        scenario, (then, sent) = self.plan.scenario, self.last
        phase = next((p.name for p in scenario.phases if p.start <= at < p.end), "recovery")
        strength = {f.name: float(strength_at(f, scenario, np.array([at]))[0]) for f in scenario.faults}
        rate = (self.player.sent - sent) / (at - then) if at > then else 0.0
        self.last = (at, self.player.sent)
        self.steering.progress(
            Progress(phase, at, scenario.duration, self.player.sent, self.failed, rate, strength, pending, firing)
        )
        self.steering.check()

    def set_held(self, at: float) -> None:
        """Set held faults to their strengths at scenario second ``at``, and record what changed."""
        for name, set_to, wrong in self.held.set_all(at):
            self.writer.event("fault", at, name=name, strength=round(set_to, 6), wrong=wrong)

    def flush(self) -> None:
        """Append the requests that ended and the samples that were scraped since the last call."""
        records = self.player.take()
        if len(records):
            self.writer.block("requests", request_block(records))
        if self.scraped and self.plan.scraper is not None:
            samples, self.scraped = self.scraped, {}
            self.writer.samples("samples", self.plan.scraper.table.labels, samples)


def drive(plan: Plan, steering: Steering) -> Path:
    """Play the plan; answers the recording's path.

    Raises :class:`TargetError`, :class:`MonitoringError` or another of the errors tree when the drill cannot
    begin or go on, and :class:`Interrupted` when it was told to stop; what was recorded is kept, and its last
    event says why it ended.
    """
    scenario = plan.scenario
    target, spoken = settled(plan.target)
    plan = replace(plan, target=target)
    times = schedule(scenario)
    payload = Payload(scenario, spoken, times, plan.rows_per_request)
    timed = spoken.measure is not None
    clients = [Client(c, spoken.path, spoken.content_type, timed=timed) for c in target.all]
    preflight.known_alerts(scenario, plan.rules)
    preflight.probe(target, payload, clients)
    clock = VirtualClock() if plan.clock == "virtual" else WallClock()
    if plan.server is not None:
        preflight.loaded(plan.server, plan.rules)
        preflight.scraped(plan.server, plan.target, timeout=max(30.0, 3 * scenario.scrape_interval))
    elif plan.scraper is not None:
        _first_scrape(plan.scraper)
    player = Player(
        payload,
        clients,
        clock,
        slots=np.arange(len(times)),
        report=steering.report,
        connections=plan.connections or (4 if plan.clock == "virtual" else 128),
        patience=max(c.timeout for c in plan.target.all),
    )
    with hold(scenario, plan.target) as held:
        clock.start()
        writer = Writer(plan.out, _meta(plan, len(times), clock.started_at))
        steering.recording = plan.out
        for i, file in enumerate(plan.rules):
            writer.rules(_copy_name(i), file.text.encode())
        if plan.scraper is not None:
            writer.event("moves_idle", 0.0, names=sorted(moving(plan.scraper)))
        run = _Run(plan, steering, player, writer, held)
        with _told(run, clock):
            player.start()
            if isinstance(clock, VirtualClock):
                _virtual(run, clock)
            else:
                _wall(run, clock)
    return plan.out


@contextlib.contextmanager
def _told(run: _Run, clock: VirtualClock | WallClock) -> Iterator[None]:
    """Whatever happens, the player ends, its last records are written, and the last event says how it went."""
    how: dict[str, Any] = {"complete": False, "why": "killed"}
    run.steering.driving = True
    try:
        yield
        how = {"complete": True, "why": ""}
    except GeneratorExit:
        raise
    except BaseException as e:
        how = {"complete": False, "why": str(e) or type(e).__name__}
        raise
    finally:
        run.player.stop()
        with contextlib.suppress(Exception):
            run.flush()
            run.writer.event("end", clock.now(), sent=run.player.sent, ended=run.player.ended, **how)
        run.steering.driving = False


def _virtual(run: _Run, clock: VirtualClock) -> None:
    """Open the gate from event to event: scrapes, and changes of held faults."""
    plan, scenario = run.plan, run.plan.scenario
    scraper = plan.scraper
    if scraper is None:
        raise RigError("a drive in virtual time needs a metrics page", hint="give the target a metrics endpoint")
    counters = _Counters()
    since = time.monotonic()
    for at, target in _events(scraper, scenario):
        clock.open(at)
        _wait(run, at)
        run.set_held(at)
        if target is not None:
            found = counters.settled(scraper, target, at, run.player)
            times = found.times if found.times is not None else np.full(len(found.ids), np.nan)
            for i, v, t in zip(found.ids.tolist(), found.values.tolist(), times.tolist(), strict=True):
                run.scraped.setdefault(i, []).append((at if math.isnan(t) else t, v))
            if found.error:
                run.writer.event("scrape_failed", at, target=dict(target.labels), why=found.error)
        if time.monotonic() - since > FLUSH_SECONDS or target is None:
            since = time.monotonic()
            run.step(at)
    if counters.name:
        run.writer.event("counter", scenario.duration, name=counters.name, unsettled=counters.unsettled)


def _events(scraper: Scraper, scenario: Scenario) -> list[tuple[float, Any]]:
    """(scenario seconds, scrape target or None) in order of time; None is a change of phase or of a held fault."""
    end = scenario.duration
    out: list[tuple[float, Any]] = []
    for target in scraper.targets:
        # Before the first arrival: counters that are first seen with a value lose what they counted so far.
        out.append((target.offset - target.interval, target))
        out += [(float(t), target) for t in np.arange(target.offset, end, target.interval)]
    out += [(p.start, None) for p in scenario.phases[1:]] + [(end, None)]
    if any(f.held for f in scenario.faults):
        phase = scenario.phases[2]
        out += [(float(t), None) for t in np.arange(phase.start, phase.end, scenario.evaluation_interval)]
    return sorted(out, key=lambda event: event[0])


def _wait(run: _Run, at: float) -> None:
    """Wait until all that was due before ``at`` has ended, as long as requests go on ending."""
    patience = max(c.timeout for c in run.plan.target.all) + STALL
    ended, since = run.player.ended, time.monotonic()
    while not run.player.wait_ended(at, timeout=0.25):
        run.steering.check()
        if run.player.ended != ended:
            ended, since = run.player.ended, time.monotonic()
        elif time.monotonic() - since > patience:
            raise TargetError(f"no request ended in {patience:g} s", hint="the service hangs; see its log")


class _Counters:
    """Finds the target's own count of requests, and scrapes again (bounded) until it has caught up.

    A server answers before it counts; a scrape in between would move a request to the next sample and make two
    drills of one seed differ. The counter is found, not configured: after the first requests, the first counter
    whose sum grew by exactly what was answered.
    """

    def __init__(self) -> None:
        self.name = ""
        self.base: dict[str, float] = {}
        self.unsettled = 0
        self._tried = False

    def settled(self, scraper: Scraper, target: Any, at: float, player: Player) -> Any:
        """One scrape, repeated for at most half a second while the counter lags behind."""
        found = scraper.scrape(target, at)
        if not self.base:
            self.base = self._sums(found, scraper)
            return found
        if player.ended == 0 or found.error or (self._tried and not self.name):
            return found
        deadline = time.monotonic() + 0.5
        while True:
            sums = self._sums(found, scraper)
            if not self.name:
                grown = [n for n, v in sums.items() if v - self.base.get(n, 0.0) == player.ended]
                self.name = min(grown, key=lambda n: ("request" not in n, n), default="")
            if self.name and sums.get(self.name, 0.0) - self.base.get(self.name, 0.0) >= player.ended:
                break
            if time.monotonic() > deadline:
                self.unsettled += 1
                break
            gevent.sleep(0.002)
            found = scraper.scrape(target, at)
        self._tried = True
        return found

    def _sums(self, found: Any, scraper: Scraper) -> dict[str, float]:
        sums: dict[str, float] = {}
        for i, v in zip(found.ids.tolist(), found.values.tolist(), strict=True):
            labels = scraper.table.labels(i)
            name = labels["__name__"]
            if not name.endswith("_total") or "/metrics" in labels.values():
                continue
            sums[name] = sums.get(name, 0.0) + v
        return sums


def _first_scrape(scraper: Scraper) -> None:
    """Refuse to begin where a metrics page cannot be scraped, or holds nothing."""
    for target in scraper.targets:
        found = scraper.scrape(target, target.offset - target.interval)
        if found.error:
            raise MonitoringError(
                f"{target.url} cannot be scraped: {found.error}",
                hint="a drill whose target is not scraped proves nothing; set its metrics endpoint in driftdrill.toml",
            )


def _wall(run: _Run, clock: WallClock) -> None:
    """Real time: Prometheus scrapes and evaluates; this watches, fetches and sets held faults."""
    plan, scenario = run.plan, run.plan.scenario
    server = plan.server
    if server is None:
        raise RigError("a drive on the wall clock needs a Prometheus", hint="`driftdrill doctor` says what is missing")
    names = {r.name for f in plan.rules for g in f.groups for r in g.rules if r.kind == "record"}
    fetcher = Fetcher(server, plan.target, frozenset(names), clock.started_at)
    fetched = 0.0
    tick = min(1.0, scenario.evaluation_interval)
    try:
        while (now := clock.now()) < scenario.duration:
            if now - fetched > FETCH_EVERY:
                fetcher.step(run.writer, now)
                fetched = now
            pending, firing = _active(server)
            run.step(now, pending=pending, firing=firing)
            if run.player.failure is not None:
                raise run.player.failure
            clock.wait_until(min(now + tick, scenario.duration))
    except Exception:
        with contextlib.suppress(Exception):  # what ended the drill is what is told
            fetcher.step(run.writer, clock.now())
        raise
    run.held.set_all(scenario.duration)
    # The last scrape and evaluation of the drill end after it.
    clock.wait_until(scenario.duration + 0.5)
    fetcher.step(run.writer, scenario.duration + 0.5)


def _active(server: Server) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The alerts that are pending and firing now."""
    if (end := died(server)) is not None:
        raise MonitoringError(end.splitlines()[0], hint="the drill cannot be judged without it; see its log")
    states: dict[str, set[str]] = {"pending": set(), "firing": set()}
    for series in query(server, "ALERTS"):
        states.setdefault(series.labels.get("alertstate", ""), set()).add(series.labels.get("alertname", ""))
    return tuple(sorted(states["pending"])), tuple(sorted(states["firing"]))


def _copy_name(index: int) -> str:
    return f"{index:02d}.yml"


def _meta(plan: Plan, planned: int, started_at: float) -> Meta:
    scenario = plan.scenario
    if plan.scraper is not None:
        targets = [dict(t.labels) for t in plan.scraper.targets]
    else:
        targets = [{"job": m.job, "instance": m.instance} for m in plan.target.metrics]
    return Meta(
        scenario=scenario.name,
        story=scenario.story,
        clock=plan.clock,
        phases=[(p.name, p.start, p.end) for p in scenario.phases],
        expect=[msgspec.to_builtins(e) for e in scenario.expect],
        faults=[dict(f.describe()) for f in scenario.faults],
        truth=scenario.truth,
        smallest_harm=scenario.smallest_harm,
        threshold=scenario.threshold,
        seed=scenario.seed,
        planned=planned,
        rows_per_request=plan.rows_per_request,
        scrape_interval=scenario.scrape_interval,
        evaluation_interval=scenario.evaluation_interval,
        started_at=started_at,
        target=plan.target.describe(),
        targets=targets,
        rules=[(_copy_name(i), str(f.path)) for i, f in enumerate(plan.rules)],
        engine=plan.engine,
        versions=dict(plan.versions),
        revision=plan.revision,
    )

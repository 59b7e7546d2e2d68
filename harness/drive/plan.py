"""What a drive needs to begin, how it is stopped and watched, and what its loops on both clocks have in common."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import numpy as np

from driftdrill.harness.drive.injection import Injection
from driftdrill.harness.drive.kept_rows import KeptRows
from driftdrill.harness.drive.metrics_page import JOB, MetricsPage, counts
from driftdrill.harness.drive.own_loss import OwnLoss
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.errors import Interrupted
from driftdrill.harness.recording.columns import request_block
from driftdrill.harness.recording.writer import Writer
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seams.seam import Site
from driftdrill.harness.setup.target import Target
from driftdrill.harness.traffic.player import Reported
from driftdrill.harness.traffic.records import Records
from driftdrill.stack.prometheus.api import Server
from driftdrill.stack.rules.files import RuleFile


@dataclass(frozen=True)
class Progress:
    """Where a drill stands: reported at each step."""

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
    site: Site
    """Where faults are put in; its target is the target as it is, without the proxies of this drill."""
    revision: str | None = None
    scraper: Scraper | None = None
    """Virtual clock: what scrapes the target."""
    server: Server | None = None
    """Wall clock: the Prometheus that scrapes it."""
    keep_rows: bool = False
    """Whether feature values and bodies go into the recording."""
    redact: tuple[str, ...] = ()
    """Columns whose values do not, even then."""
    forwarded: Callable[[], Sequence[int]] | None = None
    """Requests that the proxy before each address let through so far; None where none stands there or nobody counts."""
    metrics_page: MetricsPage | None = None
    """The drill's own metrics page, where the scenario has a canary."""
    golden: bool = False
    """Whether golden requests are asked: of a canary, or to tell whether a hook is in force."""
    rows_per_request: int = 1
    connections: int = 0
    """Most requests outstanding; 0 is 4 in virtual time (more gains nothing) and 128 on the wall clock."""

    @property
    def numbered(self) -> bool:
        """Whether requests carry their slot: for HTTP faults, so that a share of them is the same in every run."""
        return any(fault.seam.reads_http(fault) for fault in self.scenario.faults)

    @property
    def jobs(self) -> frozenset[str]:
        """The names of the jobs whose samples belong to the drill; empty is all."""
        named = {*(m.job for m in self.target.metrics), *self.target.jobs}
        return frozenset({*named, JOB} if named and self.metrics_page is not None else named)


KEPT = "what was recorded so far is kept: `driftdrill judge` reads it"


@dataclass
class Steering:
    """How a running drive is asked to stop, and where it reports its progress."""

    report: Reported = lambda name, seconds, size, failure: None
    progress: Callable[[Progress], None] = lambda progress: None
    stop: str = ""
    """Set to a reason from a signal handler or Locust; the drive ends within a second or so."""
    recording: Path | None = None
    """Set once there is one."""
    driving: bool = False
    """Whether the drive looks at ``stop`` itself, so that no block is torn."""

    def check(self) -> None:
        """Raise :class:`Interrupted` if the drive was asked to stop."""
        if self.stop:
            raise Interrupted(self.stop, hint=KEPT)


class Playing(Protocol):
    """What a drive needs of its player, or of the workers in its place."""

    records: Records
    sent: int
    ended: int
    failure: BaseException | None

    @property
    def resent(self) -> int:
        """Requests that went out a second time so far."""
        ...

    def start(self) -> None:
        """Begin; returns at once."""

    def stop(self) -> None:
        """End; nothing recorded is lost. Idempotent."""

    def take(self) -> Records:
        """The requests that ended since the last call."""
        ...

    def wait_ended(self, upto: float, timeout: float) -> bool:
        """Wait until all that was due before scenario second ``upto`` has ended."""
        ...

    def lost(self) -> list[str]:
        """A sentence for each worker that died since the last call."""
        ...


@dataclass
class Run:
    """What the loops of both clocks share."""

    plan: Plan
    steering: Steering
    player: Playing
    writer: Writer
    injection: Injection
    kept: KeptRows | None = None
    """What writes rows into the recording, where it was asked for."""
    own_loss: OwnLoss | None = None
    """The author's own loss, where that is the measure."""
    scraped: dict[int, list[tuple[float, float]]] = field(default_factory=dict)
    """Virtual clock: samples that are not written yet."""
    moves_idle: frozenset[str] = frozenset()
    """Virtual clock: names of metrics that move although no request is sent."""
    moved_by_scraping: frozenset[int] = frozenset()
    """Virtual clock: series that count scrapes, by their numbers in the scraper's table."""
    failed: int = 0
    resent: int = 0
    last: tuple[float, int] = (0.0, 0)

    def step(self, at: float, *, pending: tuple[str, ...] = (), firing: tuple[str, ...] = ()) -> None:
        """Set faults, write requests, report progress, stop if asked."""
        self.set_faults(at)
        if self.kept is not None:
            self.kept.write(self.writer, at)
        for what in self.player.lost():
            self.writer.event("worker_lost", at, what=what)
        self.failed += sum(1 for f in self.player.records.failure if f)
        if self.player.resent > self.resent:
            self.writer.event("resent", at, requests=self.player.resent - self.resent)
            self.resent = self.player.resent
        self.flush()
        scenario, (then, sent) = self.plan.scenario, self.last
        phase = next((p.name for p in scenario.phases if p.start <= at < p.end), "recovery")
        strength = {f.name: float(scenario.strength(f, np.array([at]))[0]) for f in scenario.faults}
        rate = (self.player.sent - sent) / (at - then) if at > then else 0.0
        self.last = (at, self.player.sent)
        if self.plan.metrics_page is not None:
            self.plan.metrics_page.tell(phase=phase, requests=counts(self.player.ended, self.failed), strength=strength)
        self.steering.progress(
            Progress(phase, at, scenario.duration, self.player.sent, self.failed, rate, strength, pending, firing)
        )
        self.steering.check()

    def set_faults(self, at: float) -> None:
        """Set the faults that are not each request's own to their strengths at ``at``, and record what changed."""
        for change in self.injection.set_all(at):
            told = {"name": change.name, "strength": round(change.strength, 6), "wrong": change.wrong}
            told |= {} if change.touched is None else {"touched": change.touched}
            told |= {"processes": change.processes} if change.processes else {}
            self.writer.event("fault", at, **told)

    def flush(self) -> None:
        """Append the requests that ended and the samples that were scraped since the last call."""
        records = self.player.take()
        if self.own_loss is not None and len(records):
            self.own_loss.write(records)
        if len(records) or records.missed:
            self.writer.block("requests", request_block(records))
        if self.scraped and self.plan.scraper is not None:
            samples, self.scraped = self.scraped, {}
            self.writer.samples("samples", self.plan.scraper.table.labels, samples)

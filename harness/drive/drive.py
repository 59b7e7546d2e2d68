"""The drive: requests meet the world on either clock, and a Recording is left. Slow, not repeatable."""

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from driftdrill.harness.drive import preflight, virtual, wall
from driftdrill.harness.drive.clock import VirtualClock, WallClock
from driftdrill.harness.drive.golden import golden
from driftdrill.harness.drive.injection import injected
from driftdrill.harness.drive.kept_rows import KeptRows
from driftdrill.harness.drive.metrics_page import JOB
from driftdrill.harness.drive.own_loss import OwnLoss
from driftdrill.harness.drive.plan import Plan, Playing, Run, Steering
from driftdrill.harness.drive.real_time_metrics import moving
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.writer import Writer
from driftdrill.harness.scenario.measure import Measure, Percent
from driftdrill.harness.scenario.measure import settled as settled_measure
from driftdrill.harness.setup.target import Target
from driftdrill.harness.traffic.blocks import Blocks, truth_of
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.player import Player, Reported
from driftdrill.harness.traffic.protocols import Protocol
from driftdrill.harness.traffic.protocols.detect import settled
from driftdrill.harness.traffic.schedule import schedule
from driftdrill.stack.prometheus.api import rules, targets

Leading = Callable[[WallClock, Target], Playing]


def drive(plan: Plan, steering: Steering, workers: Leading | None = None) -> Path:
    """Play the plan; answers the recording's path. ``workers`` makes the workers play, in place of this process.

    Raises :class:`TargetError`, :class:`MonitoringError` or another of the errors tree when the drill cannot
    begin or go on, and :class:`Interrupted` when it was told to stop; what was recorded is kept, and its last
    event says why it ended.
    """
    scenario = plan.scenario
    target, spoken = settled(plan.target)
    plan = replace(plan, target=target)
    clock = VirtualClock() if plan.clock == "virtual" else WallClock()
    own = player_for(plan, spoken, clock, steering.report)
    preflight.known_alerts(scenario, plan.rules)
    served = {} if plan.server is None else {g.name: g.interval for g in rules(plan.server)}
    preflight.evaluated_within_fault(scenario, plan.rules, served)
    if plan.scraper is not None:
        ours = [t.interval for t in plan.scraper.targets if t.labels.get("job") != JOB]
        preflight.scraped_within_fault(scenario, ours)
    preflight.probe(target, own.blocks, own.clients)
    asked = golden(scenario, target, spoken) if plan.golden else None
    kept = KeptRows(own.blocks, plan.redact) if plan.keep_rows else None
    measure, own_loss = _measure(own.blocks)
    if plan.metrics_page is not None:
        plan.metrics_page.golden = asked
    if plan.server is not None:
        preflight.loaded(plan.server, plan.rules)
        preflight.scraped(plan.server, plan.target, timeout=max(30.0, 3 * scenario.scrape_interval))
        ours = [t.interval for t in targets(plan.server) if t.labels.get("job") in plan.jobs - {JOB}]
        preflight.scraped_within_fault(scenario, ours)
    elif plan.scraper is not None:
        virtual.first_scrape(plan.scraper)
    player = workers(clock, target) if workers is not None and isinstance(clock, WallClock) else own
    with (
        contextlib.closing(asked) if asked is not None else contextlib.nullcontext(),
        injected(scenario, plan.site, asked) as injection,
    ):
        clock.start()
        writer = Writer(plan.out, _meta(plan, len(own.times), clock.started_at, measure, own.blocks.labels))
        steering.recording = plan.out
        for i, file in enumerate(plan.rules):
            writer.rules(_copy_name(i), file.text.encode())
        run = Run(plan, steering, player, writer, injection, kept, own_loss)
        if plan.scraper is not None:
            run.moves_idle, run.moved_by_scraping = moving(plan.scraper)
            writer.event("moves_idle", 0.0, names=sorted(run.moves_idle))
        if isinstance(clock, VirtualClock) and not plan.site.proxies:
            own.resend_while(lambda: not injection.breaks_connections)
        with _told(run, clock):
            player.start()
            if isinstance(clock, VirtualClock):
                virtual.drive_virtual(run, clock)
            else:
                wall.drive_wall(run, clock)
            if asked is not None:
                writer.event("golden", scenario.duration, answered=asked.answered)
    return plan.out


def _measure(blocks: Blocks) -> tuple[Measure | None, OwnLoss | None]:
    """What predictions are compared by, and what computes it where it is the author's own."""
    scenario = blocks.scenario
    if scenario.truth is None:
        return None, None
    truth = truth_of(scenario, blocks.source)
    measure = settled_measure(scenario.measure, scenario.smallest_harm, truth)  # type: ignore[arg-type]
    return measure, OwnLoss(measure, truth) if measure.loss is not None else None


def player_for(
    plan: Plan, spoken: Protocol, clock: WallClock | VirtualClock, report: Reported, share: tuple[int, int] = (0, 1)
) -> Player:
    """The player of a plan whose target's protocol is settled; ``share`` (i, n) plays slots[i::n]."""
    times = schedule(plan.scenario)
    index, processes = share
    timed = spoken.measure is not None
    return Player(
        Blocks(
            plan.scenario,
            spoken,
            times,
            plan.rows_per_request,
            len(plan.target.all),
            numbered=plan.numbered,
            keep=plan.keep_rows,
        ),
        [Client(c, spoken.path, spoken.content_type, timed=timed) for c in plan.target.all],
        clock,
        slots=np.arange(len(times))[index::processes],
        report=report,
        connections=plan.connections or (4 if plan.clock == "virtual" else 128),
        patience=max(c.timeout for c in plan.target.all),
        late_after=plan.scenario.late_after,
    )


@contextlib.contextmanager
def _told(run: Run, clock: VirtualClock | WallClock) -> Iterator[None]:
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


def _copy_name(index: int) -> str:
    return f"{index:02d}.yml"


def _meta(plan: Plan, planned: int, started_at: float, measure: Measure | None, labels: bool) -> Meta:
    smallest = plan.scenario.smallest_harm
    scenario, scraped = plan.scenario, list[tuple[dict[str, str], float]]()
    if plan.scraper is not None:
        scraped = [(dict(t.labels), t.interval) for t in plan.scraper.targets]
    elif plan.server is not None:
        names = plan.jobs
        active = [t for t in targets(plan.server) if t.labels.get("job") in names]
        scraped = [(dict(t.labels), t.interval or scenario.scrape_interval) for t in active]
    return Meta(
        scenario=scenario.name,
        story=scenario.story,
        clock=plan.clock,
        phases=[(p.name, p.start, p.end) for p in scenario.phases],
        expect=[msgspec.to_builtins(e) for e in scenario.expect],
        faults=[dict(f.describe()) for f in scenario.faults],
        truth=scenario.truth,
        smallest_harm=smallest.share if isinstance(smallest, Percent) else smallest,
        smallest_relative=isinstance(smallest, Percent),
        measure=measure.describe() if measure is not None else {},
        labels=labels,
        segments=list(scenario.segments),
        threshold=scenario.threshold,
        seed=scenario.seed,
        planned=planned,
        rows_per_request=plan.rows_per_request,
        scrape_interval=scenario.scrape_interval,
        evaluation_interval=scenario.evaluation_interval,
        started_at=started_at,
        target=plan.site.target.describe(),
        targets=[labels for labels, _ in scraped],
        scrape_intervals=[interval for _, interval in scraped],
        keeps_labels=plan.scraper is not None and any(t.job.keeps_labels for t in plan.scraper.targets),
        rules=[(_copy_name(i), str(f.path)) for i, f in enumerate(plan.rules)],
        engine=plan.engine,
        versions=dict(plan.versions),
        revision=plan.revision,
        late_after=scenario.late_after,
    )

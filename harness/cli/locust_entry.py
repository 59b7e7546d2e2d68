"""What Locust hosts: one drill from settings to verdict. `driftdrill run` and `locust -f FILE` both come here."""

import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from driftdrill.durations import format_duration
from driftdrill.harness.cli.interrupts import signals
from driftdrill.harness.cli.progress import Plain, finish, line, write_outputs
from driftdrill.harness.drive.clock import WallClock
from driftdrill.harness.drive.drive import drive, player_for
from driftdrill.harness.drive.plan import Plan, Progress, Steering
from driftdrill.harness.drive.workers import Workers, serve
from driftdrill.harness.errors import (
    EXIT_INTERRUPTED,
    EXIT_INVALID,
    EXIT_USAGE,
    ConfigError,
    DriftdrillError,
    Interrupted,
    told,
)
from driftdrill.harness.judge.judge import judge
from driftdrill.harness.recording.writer import refuse_unwritable
from driftdrill.harness.seams.seam import Site
from driftdrill.harness.setup.options import OPTIONS, add_locust_arguments
from driftdrill.harness.setup.prepare import prepared, subject
from driftdrill.harness.setup.settings import Settings, settings_of
from driftdrill.harness.setup.target import ProtocolOptions, Target
from driftdrill.harness.traffic.locust_user import Hooks, Hosted, ModelUser, install
from driftdrill.harness.traffic.locust_web import REPORT
from driftdrill.harness.traffic.player import Player
from driftdrill.harness.traffic.protocols.detect import settled
from driftdrill.reports import html
from driftdrill.reports.data.verdict import Verdict
from driftdrill.reports.words import headline
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.promtool import find_engine

__all__ = ["ModelUser", "Settings", "drive_and_judge"]


def drive_and_judge(hosted: Hosted, settings: Settings, steering: Steering) -> tuple[Path, Verdict | None]:
    """Drive and (unless only recording) judge. Raises what :func:`driftdrill.harness.drive.drive.drive` raises.

    Ctrl-C and SIGTERM end it; a drill that ends early says where its recording is.
    """
    try:
        with signals(steering):
            return _drive_and_judge(hosted, settings, steering)
    except (DriftdrillError, StackError):
        if steering.recording is not None:
            print(f"recorded so far: {steering.recording}", file=sys.stderr)
        raise


def _drive_and_judge(hosted: Hosted, settings: Settings, steering: Steering) -> tuple[Path, Verdict | None]:
    if hosted.is_master and (settings.clock or hosted.scenario.clock) == "virtual":
        raise ConfigError(
            "the virtual clock runs in one process, and this is a master of several",
            hint="leave --processes and --master out, or take --clock wall",
        )
    with prepared(hosted.scenario, settings) as (plan, promtool):
        path = drive(plan, steering, partial(_workers, hosted, settings) if hosted.is_master else None)
        if not settings.judge:
            return path, None
        return path, judge(path, promtool=promtool, fail_on=settings.fail_on)


def _workers(hosted: Hosted, settings: Settings, clock: WallClock, target: Target) -> Workers:
    """This master's workers, having sent them what the scenario's file does not say."""
    order = {
        "options": {name: getattr(settings, name) for name in ("target", "config", "replicas", "seed")},
        "rows_per_request": settings.rows_per_request,
        "protocol": asdict(target.protocol),
        "addresses": [connection.url for connection in target.all],
    }
    return Workers(hosted, clock, order)


def _part(hosted: Hosted, order: Mapping[str, Any], clock: WallClock) -> Player:
    """A worker's player, of the master's order."""
    scenario, target = subject(hosted.scenario, settings_of(**order["options"]))
    # The master's addresses may lead through its proxies.
    first, *others = (replace(c, url=url) for c, url in zip(target.all, order["addresses"], strict=True))
    target = replace(target, connection=first, replicas=tuple(others))
    target, spoken = settled(replace(target, protocol=ProtocolOptions(**order["protocol"])))
    plan = Plan(
        scenario,
        target,
        "wall",
        Path(),
        rules=(),
        engine="",
        versions={},
        site=Site(target),
        rows_per_request=order["rows_per_request"],
    )
    return player_for(plan, spoken, clock, hosted.report, (order["index"], order["workers"]))


# `locust -f FILE`: the same drill, with the same options.

STOPPED = "Locust stopped the test"
"""Why a drill ended early that nobody interrupted by a signal."""

_steering: list[Steering] = []


def settings_under_locust(hosted: Hosted) -> Settings:
    """The settings of Locust's command line. Raises :class:`ConfigError`."""
    said = {option.name: hosted.option(option.destination) for option in OPTIONS}
    target = said.pop("target")
    if target and hosted.host and target != hosted.host:
        raise ConfigError(f"--target {target} and --host {hosted.host} differ", hint="give one of them")
    return settings_of(**said, target=target or hosted.host or None)


def refused(hosted: Hosted, run_time: float | None) -> str | None:
    """Why a drill cannot begin, that Locust's page can tell; None where nothing is known."""
    try:
        settings = settings_under_locust(hosted)
        _refuse_short(hosted, settings, run_time)
        if settings.out is not None:
            refuse_unwritable(Path(settings.out))
    except (DriftdrillError, StackError) as e:
        return f"{e}: {e.hint}"
    return None


def _refuse_short(hosted: Hosted, settings: Settings, run_time: float | None) -> None:
    """Raise :class:`ConfigError` for a run time in which the drill cannot end, or a scenario that is not there."""
    scenario = hosted.scenario
    if settings.scenario not in (None, scenario.name):
        raise ConfigError(f"no user class has the scenario {settings.scenario!r}", hint=f"known: {scenario.name}")
    clock, needed = settings.clock or scenario.clock, float(scenario.duration)
    if clock == "wall" and run_time is not None and run_time < needed:
        raise ConfigError(
            f"-t {format_duration(run_time)} would end the drill early: it takes {format_duration(needed)} on the wall "
            "clock",
            hint="leave -t out: a drill ends by itself",
        )


def _start(hosted: Hosted) -> Callable[[], None]:
    steering = Steering(report=hosted.report, progress=partial(_progress, hosted, Plain(sys.stderr)))
    _steering[:] = [steering]
    return partial(_play, hosted, steering)


def _play(hosted: Hosted, steering: Steering) -> None:
    """Runs in a greenlet from test_start on; whatever happens, Locust ends with our exit code."""
    code = EXIT_USAGE
    try:
        settings = settings_under_locust(hosted)
        _refuse_short(hosted, settings, hosted.run_time)
        code = _finished(hosted, _verdict(hosted, settings, steering), settings)
    except (DriftdrillError, StackError) as e:
        code = told(e)
        if steering.stop == STOPPED:
            code = EXIT_INVALID  # a test that Locust ended is no drill that somebody interrupted
        hosted.show((("no verdict", f"{e}: {e.hint}"),))
    finally:
        hosted.end(code, interrupted=code == EXIT_INTERRUPTED)


def _progress(hosted: Hosted, shown: Plain, step: Progress) -> None:
    shown(step)
    hosted.show((("state", line(step)),))


def _verdict(hosted: Hosted, settings: Settings, steering: Steering) -> Verdict:
    """Of the whole drill, or of what there is where Locust stopped it: that one is INVALID."""
    try:
        _, verdict = drive_and_judge(hosted, settings, steering)
    except Interrupted:
        if steering.stop != STOPPED or steering.recording is None:
            raise
        how: Any = settings.prometheus if settings.prometheus in ("binary", "container") else "auto"
        verdict = judge(steering.recording, promtool=find_engine(settings.engine, how), fail_on=settings.fail_on)
    assert verdict is not None
    return verdict


def _finished(hosted: Hosted, verdict: Verdict, settings: Settings) -> int:
    """Tell the verdict everywhere; the exit code."""
    code = finish(verdict)
    page = html.render([verdict])
    hosted.show(tuple(_rows(verdict)), page if isinstance(page, bytes) else page.encode("utf-8"))
    write_outputs([verdict], vars(settings))
    return code


def _rows(verdict: Verdict) -> Iterator[tuple[str, str]]:
    """The verdict for the tab of Locust's web interface: (what, what is said of it)."""
    head = headline(verdict)
    yield "verdict", " · ".join(head.words)
    yield from (("why", why) for why in head.why)
    for finding in verdict.findings:
        how = "held" if finding.held else "accepted" if finding.accepted else "FAILED"
        yield how, f"{finding.check}: {finding.seen}"
    yield from (("observation", seen) for seen in verdict.validity.observations)
    yield "recording", verdict.recording
    yield "report", f"at ./{REPORT} of this address, and in the tab Download Data"


def _stop() -> None:
    for steering in _steering:
        steering.stop = steering.stop or STOPPED


def exit_code(drill: int | None, users: int) -> int:
    """The process's exit code, of the last drill's and Locust's own for exceptions of the user's own code.

    A test that ended before a drill had a verdict proves nothing (3). What users' code raised keeps Locust's 1 where
    the drill held; a drill that failed (1), could not be played (2), proves nothing (3) or was interrupted (130) says
    more than that.
    """
    if drill is None:
        print("driftdrill: Locust ended the test before the drill had a verdict", file=sys.stderr, flush=True)
        return EXIT_INVALID
    if users and not drill:
        print(
            f"driftdrill: the locustfile's own tasks or hooks raised exceptions (above): exit code {users}, whatever "
            "the verdict",
            file=sys.stderr,
            flush=True,
        )
    return drill or users


install(
    Hooks(
        arguments=add_locust_arguments,
        start=_start,
        stop=_stop,
        serve=lambda hosted: serve(hosted, _part),
        refused=refused,
        exit_code=exit_code,
    )
)

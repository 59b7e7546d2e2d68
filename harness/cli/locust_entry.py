"""What Locust hosts: one drill from settings to verdict. `driftdrill run` and `locust -f FILE` both come here."""

import sys
from collections.abc import Mapping
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path
from typing import Any

from driftdrill.harness.cli.interrupts import signals
from driftdrill.harness.cli.progress import Plain, finish, write_outputs
from driftdrill.harness.drive.clock import WallClock
from driftdrill.harness.drive.drive import drive, player_for
from driftdrill.harness.drive.plan import Plan, Steering
from driftdrill.harness.drive.workers import Workers, serve
from driftdrill.harness.errors import EXIT_USAGE, ConfigError, DriftdrillError, told
from driftdrill.harness.judge.judge import judge
from driftdrill.harness.seams.seam import Site
from driftdrill.harness.setup.options import OPTIONS, add_locust_arguments
from driftdrill.harness.setup.prepare import prepared, subject
from driftdrill.harness.setup.settings import Settings, settings_of
from driftdrill.harness.setup.target import ProtocolOptions, Target
from driftdrill.harness.traffic.locust_user import Hosted, ModelUser, install
from driftdrill.harness.traffic.player import Player
from driftdrill.harness.traffic.protocols.detect import settled
from driftdrill.reports.data.verdict import Verdict
from driftdrill.stack.errors import StackError

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

_steering: list[Steering] = []


def settings_under_locust(hosted: Hosted) -> Settings:
    """The settings of Locust's command line. Raises :class:`ConfigError`."""
    said = {o.name: hosted.option(o.destination) for o in OPTIONS if not (o.no_locust or o.locust_own)}
    return settings_of(**said, target=hosted.host or None)


def _start(hosted: Hosted) -> None:
    """Runs in a greenlet from test_start on; whatever happens, Locust ends with our exit code."""
    steering = Steering(report=hosted.report, progress=Plain(sys.stderr))
    _steering.append(steering)
    code = EXIT_USAGE
    try:
        settings = settings_under_locust(hosted)
        _, verdict = drive_and_judge(hosted, settings, steering)
        assert verdict is not None
        code = finish(verdict)
        write_outputs([verdict], vars(settings))
    except (DriftdrillError, StackError) as e:
        code = told(e)
    finally:
        hosted.quit(code)


def _stop() -> None:
    for steering in _steering:
        steering.stop = steering.stop or "interrupted: Locust stopped the test"


install(add_locust_arguments, _start, _stop, lambda hosted: serve(hosted, _part))

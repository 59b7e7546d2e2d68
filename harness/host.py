"""What Locust hosts: one drill from settings to verdict. `driftdrill run` and `locust -f FILE` both come here."""

import contextlib
import importlib.metadata
import os
import platform
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal
from urllib.parse import urlsplit

from harness.config import Config, load_config, pick_target
from harness.drive.drive import KEPT, Plan, Progress, Steering, drive
from harness.drive.recording import refuse_unwritable
from harness.drive.scrape import Scraper
from harness.errors import EXIT_USAGE, DriftdrillError, Interrupted, RuleError, ScenarioError, told
from harness.judge.judge import judge, unresolvable
from harness.judge.rules import Rules
from harness.scenario import Scenario
from harness.show import Plain, finish
from harness.target import Target, refuse_foreign_hosts
from harness.traffic.user import Hosted, ModelUser, install
from reports.verdict import Verdict
from stack.errors import StackError
from stack.prometheus import LoadedGroup, ScrapeTarget, prometheus, rules
from stack.promtool import IMAGE, Promtool, check_rules, find_promtool
from stack.rulefiles import Group, Rule, RuleFile, load_rule_files, to_rule_file
from stack.scrapejob import ScrapeJob, simple_job

__all__ = ["ModelUser", "Settings", "carry_out"]


@dataclass(frozen=True)
class Settings:
    """What the user asked for, over scenario and driftdrill.toml; None is "not said"."""

    target: str | None = None
    clock: Literal["virtual", "wall"] | None = None
    rules: tuple[str, ...] = ()
    config: str | None = None
    allow_hosts: tuple[str, ...] = ()
    out: str | None = None
    prometheus: str | None = None
    """auto, container, binary, or the URL of an existing server."""
    promtool: str | None = None
    seed: int | None = None
    rows_per_request: int = 1
    fail_on: tuple[str, ...] = ()
    judge: bool = True
    progress: Callable[[Progress], None] = field(default=lambda progress: None)


def carry_out(hosted: Hosted, settings: Settings, steering: Steering) -> tuple[Path, Verdict | None]:
    """Drive and (unless only recording) judge. Raises what :func:`harness.drive.drive.drive` raises.

    Ctrl-C and SIGTERM end it; a drill that ends early says where its recording is.
    """
    try:
        with signals(steering):
            return _carry_out(hosted, settings, steering)
    except (DriftdrillError, StackError):
        if steering.recording is not None:
            print(f"recorded so far: {steering.recording}", file=sys.stderr)
        raise


def _carry_out(hosted: Hosted, settings: Settings, steering: Steering) -> tuple[Path, Verdict | None]:
    config = load_config(settings.config)
    target = pick_target(config, settings.target or hosted.host or None)
    scenario = _adjusted(hosted.scenario, settings, config, target)
    # First of all: a Prometheus of ours would scrape the target as soon as it runs.
    refuse_foreign_hosts(target, (*settings.allow_hosts, *config.allow_hosts))
    if settings.out is not None:
        refuse_unwritable(Path(settings.out))
    clock = settings.clock or scenario.clock
    target = _timed(target, scenario)
    with _rig(scenario, target, clock, settings, config) as (plan, promtool):
        path = drive(plan, steering)
        if not settings.judge:
            return path, None
        return path, judge(path, promtool=promtool, fail_on=settings.fail_on)


def _adjusted(scenario: Scenario, settings: Settings, config: Config, target: Target) -> Scenario:
    if settings.seed is not None:
        scenario = replace(scenario, seed=settings.seed)
    if target.name in config.rows:
        from shift_generators import from_csv

        file, truth = config.rows[target.name]
        scenario = replace(scenario, rows=lambda: from_csv(file), truth=truth or scenario.truth)
    return scenario


def _timed(target: Target, scenario: Scenario) -> Target:
    return replace(target, metrics=tuple(replace(m, interval=scenario.scrape_interval) for m in target.metrics))


@contextlib.contextmanager
def _rig(
    scenario: Scenario, target: Target, clock: str, settings: Settings, config: Config
) -> Iterator[tuple[Plan, Promtool | None]]:
    """Everything that a drive needs, running: promtool and a scraper, or a Prometheus."""
    how, url = _which(settings, config)
    connection = config.prometheus.connection
    if url is not None and (connection is None or connection.url.rstrip("/") != url.rstrip("/")):
        from stack.connection import Connection

        connection = Connection(url)
    patterns = settings.rules or config.rules or tuple(str(r) for r in scenario.rules)
    promtool = _promtool(how, settings, config, required=how != "server")
    plan = Plan(
        scenario=scenario,
        target=target,
        clock=clock,
        out=Path(settings.out) if settings.out else _default_out(scenario),
        rules=(),
        engine=f"promtool {promtool.version}" if promtool else "",
        versions=versions(),
        revision=_revision(),
        rows_per_request=settings.rows_per_request,
    )
    if clock == "virtual":
        files = _checked(patterns, promtool, scenario)
        intervals = {g.interval or scenario.evaluation_interval for f in files for g in f.groups}
        scraper = Scraper(jobs_of(target), evaluation_intervals=intervals)
        try:
            yield replace(plan, rules=files, scraper=scraper), promtool
        finally:
            scraper.close()
        return
    files = _checked(patterns, promtool, scenario) if patterns else ()
    image = config.prometheus.image or IMAGE
    with prometheus(
        targets=[ScrapeTarget(m.connection, m.job, {"instance": m.instance, **m.labels}) for m in target.metrics],
        rule_files=patterns if how != "server" else (),
        scrape_interval=scenario.scrape_interval,
        evaluation_interval=scenario.evaluation_interval,
        how=how,
        connection=connection,
        binary=config.prometheus.binary,
        image=image,
    ) as server:
        files = files or served_rules(rules(server))
        engine = f"prometheus {server.version}" + (f" at {server.connection.url}" if how == "server" else "")
        yield replace(plan, rules=files, server=server, engine=engine), server.promtool or promtool


def _which(settings: Settings, config: Config) -> tuple[Literal["auto", "container", "binary", "server"], str | None]:
    wanted = settings.prometheus
    if wanted is None:
        return config.prometheus.how, None
    if "://" in wanted:
        return "server", wanted
    if wanted in ("auto", "container", "binary"):
        return wanted, None  # type: ignore[return-value]
    raise ScenarioError(f"--prometheus must be auto, container, binary or a URL, not {wanted!r}")


def _promtool(how: str, settings: Settings, config: Config, *, required: bool) -> Promtool | None:
    try:
        given = settings.promtool or config.prometheus.promtool
        kind: Literal["auto", "binary", "container"] = "auto"
        if how == "binary" or given:
            kind = "binary"
        elif how == "container":
            kind = "container"
        return find_promtool(kind, binary=given, image=config.prometheus.image or IMAGE)
    except StackError:
        if required:
            raise
        return None


def _checked(patterns: Sequence[str], promtool: Promtool | None, scenario: Scenario) -> tuple[RuleFile, ...]:
    """The rule files, as promtool accepts them and the expectations need them."""
    if not patterns:
        raise RuleError("no rule files", hint="name them: --rules 'rules/*.yml', or rules = [...] in driftdrill.toml")
    files = load_rule_files(patterns) if promtool is None else check_rules(promtool, patterns)
    why = unresolvable(Rules(files), scenario.expect, float(scenario.recovery))
    if why is not None:
        raise ScenarioError(f"Scenario {scenario.name!r}: {why}", hint="lengthen recovery, or drop resolves")
    return files


def served_rules(loaded: Sequence[LoadedGroup]) -> tuple[RuleFile, ...]:
    """An existing server's rules as rule files, so that they can be recorded and judged again."""
    files: dict[str, list[Group]] = {}
    for group in loaded:
        made = tuple(
            Rule(r.kind, r.name, r.expr, r.for_, r.keep_firing_for, dict(r.labels), dict(r.annotations))
            for r in group.rules
        )
        files.setdefault(group.file or "server", []).append(Group(group.name, made, interval=group.interval or None))
    plain = [RuleFile(Path(path), tuple(groups), origin="server") for path, groups in files.items()]
    return tuple(replace(f, text=to_rule_file(f)) for f in plain)


def jobs_of(target: Target) -> list[ScrapeJob]:
    """The target's metrics pages as scrape jobs."""
    out = []
    for m in target.metrics:
        parts = urlsplit(m.connection.url)
        root = replace(m.connection, url=f"{parts.scheme}://{parts.netloc}")
        labels = {"instance": m.instance, **m.labels}
        out.append(simple_job(m.job, root, metrics_path=parts.path, labels=labels, interval=m.interval))
    return out


def versions() -> dict[str, str]:
    """What ran."""
    names = ("driftdrill", "locust", "numpy", "scipy")
    found = {"python": platform.python_version()}
    for name in names:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found[name] = importlib.metadata.version(name)
    return found


def _revision() -> str | None:
    """The git revision of the folder in which the drill runs, if it is a checkout."""
    try:
        done = subprocess.run(["git", "rev-parse", "HEAD"], capture_output=True, text=True, timeout=5, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.strip() or None if done.returncode == 0 else None


def _default_out(scenario: Scenario) -> Path:
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S")
    slug = "-".join("".join(c if c.isalnum() else " " for c in scenario.name.lower()).split())[:60]
    path = Path(f"{slug}-{stamp}.drill")
    number = 2
    while path.exists():
        path, number = Path(f"{slug}-{stamp}-{number}.drill"), number + 1
    return path


@contextlib.contextmanager
def signals(steering: Steering) -> Iterator[None]:
    """While held, Ctrl-C and SIGTERM raise :class:`Interrupted` in this greenlet.

    A drive is told, and ends between two blocks; whatever else runs (preflight, judging) is interrupted at once,
    and a second signal interrupts anything.
    """
    import gevent

    here = gevent.getcurrent()

    def asked(number: int, _: object) -> None:
        first = not steering.stop
        steering.stop = f"interrupted by {signal.Signals(number).name}"
        if steering.driving and first:
            # Not print: this may run in the middle of one.
            os.write(2, f"{steering.stop}: the drill is ending; once more ends it at once\n".encode())
            return
        if gevent.getcurrent() is here:
            raise KeyboardInterrupt
        gevent.kill(here, KeyboardInterrupt)

    before = {n: signal.signal(n, asked) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    except KeyboardInterrupt as e:
        raise Interrupted(steering.stop, hint=KEPT if steering.recording else None) from e
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


# `locust -f FILE`: the same drill, with the same options.

_steering: list[Steering] = []


def _arguments(parser: Any) -> None:
    group = parser.add_argument_group("driftdrill")
    group.add_argument("--clock", choices=["virtual", "wall"], default=None, help="driftdrill: which clock")
    group.add_argument("--rules", action="append", default=[], help="driftdrill: rule files or globs")
    group.add_argument("--drill-config", default=None, help="driftdrill: driftdrill.toml to read")
    group.add_argument("--allow-host", action="append", default=[], help="driftdrill: a foreign host to drill")
    group.add_argument("--out", default=None, help="driftdrill: where the recording goes")
    group.add_argument("--prometheus", default=None, help="driftdrill: auto, container, binary or a URL")
    group.add_argument("--promtool", default=None, help="driftdrill: path of a promtool binary")
    group.add_argument("--fail-on", action="append", default=[], help="driftdrill: silent_failure")


def _start(hosted: Hosted) -> None:
    """Runs in a greenlet from test_start on; whatever happens, Locust ends with our exit code."""
    settings = Settings(
        clock=hosted.option("clock"),
        rules=tuple(hosted.option("rules") or ()),
        config=hosted.option("drill_config"),
        allow_hosts=tuple(hosted.option("allow_host") or ()),
        out=hosted.option("out"),
        prometheus=hosted.option("prometheus"),
        promtool=hosted.option("promtool"),
        fail_on=tuple(hosted.option("fail_on") or ()),
    )
    steering = Steering(report=hosted.report, progress=Plain(sys.stderr))
    _steering.append(steering)
    code = EXIT_USAGE
    try:
        _, verdict = carry_out(hosted, settings, steering)
        code = finish(verdict) if verdict is not None else 0
    except (DriftdrillError, StackError) as e:
        code = told(e)
    finally:
        hosted.quit(code)


def _stop() -> None:
    for steering in _steering:
        steering.stop = steering.stop or "interrupted: Locust stopped the test"


install(_arguments, _start, _stop)

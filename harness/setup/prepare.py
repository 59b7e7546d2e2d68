"""From settings to a plan: the rig that a drive needs, running, and the rules that it is judged by."""

import contextlib
import importlib.metadata
import platform
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from driftdrill.harness.drive.metrics_page import MetricsPage, counts, served_page
from driftdrill.harness.drive.plan import Plan
from driftdrill.harness.drive.scraping.configuration import ChangedJobs, LoadedJobs
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.errors import ConfigError, RuleError, ScenarioError
from driftdrill.harness.judge.beforehand import refuse_hopeless
from driftdrill.harness.judge.rules.rules import Rules
from driftdrill.harness.recording.writer import refuse_unwritable
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seams.seam import Ground
from driftdrill.harness.setup.allow import refuse_foreign_hosts
from driftdrill.harness.setup.proxied import Proxied, check, proxied
from driftdrill.harness.setup.settings import Settings, pick_target
from driftdrill.harness.setup.target import Target
from driftdrill.reports.metrics import DrillState
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.prometheus.api import LoadedGroup, rules
from driftdrill.stack.prometheus.promtool import IMAGE, Promtool, check_rules, find_engine
from driftdrill.stack.prometheus.server import prometheus
from driftdrill.stack.rules.files import Group, Rule, RuleFile, load_rule_files, to_rule_file
from driftdrill.stack.scrape.job import HttpDiscovery, ScrapeJob, page_job
from driftdrill.stack.scrape.prometheus_yml import Given, jobs_from_prometheus_yml


@contextlib.contextmanager
def prepared(scenario: Scenario, settings: Settings) -> Iterator[tuple[Plan, Promtool | None]]:
    """The plan of a drill, and what evaluates its rules: everything that it needs runs while this is held.

    Raises :class:`ConfigError` and others of the errors tree before anything is started, if the settings cannot be
    carried out.
    """
    scenario, target = subject(scenario, settings)
    # First of all: a Prometheus of ours would scrape the target as soon as it runs.
    refuse_foreign_hosts(target, settings.allow_hosts)
    if settings.out is not None:
        refuse_unwritable(Path(settings.out))
    clock = settings.clock or scenario.clock
    check(scenario, Ground(target, clock, own_prometheus=_which(settings)[0] != "server"))
    with contextlib.ExitStack() as stack:
        reached = stack.enter_context(proxied(scenario, target, clock))
        page = None if scenario.canary is None else stack.enter_context(_metrics_page(scenario, clock, settings))
        plan = _plan(scenario, reached, clock, settings, page)
        held = _virtual(plan, settings) if clock == "virtual" else _wall(plan, settings)
        yield stack.enter_context(held)


def _metrics_page(scenario: Scenario, clock: str, settings: Settings) -> contextlib.AbstractContextManager[MetricsPage]:
    assert scenario.canary is not None
    facts = DrillState(
        scenario=scenario.name,
        clock="wall" if clock == "wall" else "virtual",
        seed=scenario.seed,
        version=versions().get("driftdrill", ""),
        phase=None,
        requests=counts(0, 0),
        strength={fault.name: 0.0 for fault in scenario.faults},
    )
    return served_page(facts, scenario.canary.name, port=settings.metrics_port)


def subject(scenario: Scenario, settings: Settings) -> tuple[Scenario, Target]:
    """The scenario and the target as the settings and driftdrill.toml make them: what a worker needs of a rig."""
    target = pick_target(settings)
    if settings.seed is not None:
        scenario = replace(scenario, seed=settings.seed)
    if target.name in settings.file.rows:
        file, truth = settings.file.rows[target.name]
        scenario = replace(scenario, rows=lambda: csv_rows(file), truth=truth or scenario.truth)
    return scenario, target


def csv_rows(file: str) -> Batch:
    """The rows of a CSV file. Raises :class:`ConfigError`."""
    from driftdrill.shift_generators import from_csv

    try:
        return from_csv(file)
    except OSError as e:
        raise ConfigError(f"rows cannot be read: {e.strerror}", where=file) from e
    except ValueError as e:
        raise ConfigError(str(e), hint=getattr(e, "hint", None)) from e


def _plan(scenario: Scenario, reached: Proxied, clock: str, settings: Settings, page: MetricsPage | None) -> Plan:
    return Plan(
        scenario=scenario,
        target=reached.target,
        clock=clock,
        out=Path(settings.out) if settings.out else _default_out(scenario),
        rules=(),
        engine="",
        versions=versions(),
        revision=_revision(),
        metrics_page=page,
        site=reached.site,
        keep_rows=settings.keep_rows,
        redact=settings.redact,
        forwarded=reached.forwarded,
        golden=page is not None or any(f.seam.asks_golden(f, reached.site.target) for f in scenario.faults),
        rows_per_request=settings.rows_per_request,
    )


def _patterns(scenario: Scenario, settings: Settings) -> tuple[str, ...]:
    return settings.rules or tuple(str(r) for r in scenario.rules)


@contextlib.contextmanager
def _virtual(plan: Plan, settings: Settings) -> Iterator[tuple[Plan, Promtool | None]]:
    """promtool, and a scraper of the target's metrics pages."""
    scenario, target = plan.scenario, plan.target
    how, _ = _which(settings)
    promtool = _promtool(how, settings)
    files = _checked(_patterns(scenario, settings), promtool, scenario)
    intervals = {g.interval or scenario.evaluation_interval for f in files for g in f.groups}
    # Rules that were written for the engine ask for bounds as it stores them.
    written = promtool.version.startswith("2.")
    jobs = [replace(job, bounds_as_written=written) for job in jobs_of(target, scenario.scrape_interval)]
    own = _own_jobs(plan)
    refuse_foreign_hosts(
        target, settings.allow_hosts, also=[d.url for j in jobs for d in j.discoveries if isinstance(d, HttpDiscovery)]
    )
    with Scraper([*jobs, *own], evaluation_intervals=intervals) as scraper:
        refuse_foreign_hosts(target, settings.allow_hosts, also=[t.url for t in scraper.targets])
        ours = [found for found in scraper.targets if any(found.job is job for job in jobs)]
        site = replace(plan.site, scraper=scraper, scraped=ours, configuration=ChangedJobs(scraper))
        yield replace(plan, rules=files, scraper=scraper, site=site, engine=f"promtool {promtool.version}"), promtool


def _own_jobs(plan: Plan) -> list[ScrapeJob]:
    """The drill's own metrics page, if it has one."""
    return [] if plan.metrics_page is None else [plan.metrics_page.job(plan.scenario.scrape_interval)]


@contextlib.contextmanager
def _wall(plan: Plan, settings: Settings) -> Iterator[tuple[Plan, Promtool | None]]:
    """A Prometheus that scrapes the target and evaluates the rules, or the one that does already."""
    scenario, target = plan.scenario, plan.target
    how, url = _which(settings)
    file = settings.file.prometheus
    connection = file.connection
    if url is not None and (connection is None or connection.url.rstrip("/") != url.rstrip("/")):
        connection = Connection(url)
    if target.prometheus_yml and how != "server":
        raise ConfigError(
            f"target {target.name!r} is scraped as {target.prometheus_yml} says, by a Prometheus of yours",
            hint="on the wall clock name that Prometheus (--prometheus URL), or drill in virtual time",
        )
    promtool = None
    if how != "server" or settings.engine is not None:
        promtool = _promtool(how, settings)
    else:
        with contextlib.suppress(StackError):  # without one, left sides and expressions are not known
            promtool = _promtool(how, settings)
    patterns = _patterns(scenario, settings)
    files = _checked(patterns, promtool, scenario) if patterns else ()
    jobs, own = jobs_of(target, scenario.scrape_interval) if how != "server" else [], _own_jobs(plan)
    with prometheus(
        jobs=[*jobs, *own],
        rule_files=patterns if how != "server" else (),
        scrape_interval=scenario.scrape_interval,
        evaluation_interval=scenario.evaluation_interval,
        how=how,
        connection=connection,
        binary=file.binary,
        image=file.image or IMAGE,
        reloadable=any(fault.seam.reloads_prometheus for fault in scenario.faults),
    ) as server:
        if not files:
            files = served_rules(rules(server))
            refuse_hopeless(scenario, Rules(files))
        engine = f"prometheus {server.version}" + (f" at {server.connection.url}" if how == "server" else "")
        site = replace(plan.site, scraped=range(len(jobs)), configuration=LoadedJobs(server, [*jobs, *own]))
        yield replace(plan, rules=files, server=server, site=site, engine=engine), server.promtool or promtool


def _which(settings: Settings) -> tuple[Literal["auto", "container", "binary", "server"], str | None]:
    wanted = settings.prometheus or "auto"
    if "://" in wanted:
        return "server", wanted
    if wanted in ("auto", "container", "binary"):
        return wanted, None  # type: ignore[return-value]
    raise ScenarioError(f"--prometheus must be auto, container, binary or a URL, not {wanted!r}")


def _promtool(how: str, settings: Settings) -> Promtool:
    kind: Literal["auto", "binary", "container"] = "auto"
    if how in ("binary", "container"):
        kind = how  # type: ignore[assignment]
    return find_engine(settings.engine, kind, image=settings.file.prometheus.image or IMAGE)


def _checked(patterns: Sequence[str], promtool: Promtool | None, scenario: Scenario) -> tuple[RuleFile, ...]:
    """The rule files, as promtool accepts them and the expectations need them."""
    if not patterns:
        raise RuleError("no rule files", hint="name them: --rules 'rules/*.yml', or rules = [...] in driftdrill.toml")
    files = load_rule_files(patterns) if promtool is None else check_rules(promtool, patterns)
    refuse_hopeless(scenario, Rules(files))
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


def jobs_of(target: Target, interval: float) -> list[ScrapeJob]:
    """What is scraped, and how: the team's prometheus.yml, or the target's metrics pages every ``interval`` s."""
    if target.prometheus_yml:
        given: Given = {job: [(a, {}) for a in addresses] for job, addresses in target.given.items()}
        return list(jobs_from_prometheus_yml(Path(target.prometheus_yml), given=given, only=target.jobs or None))
    return [
        page_job(m.job, m.connection, labels={"instance": m.instance, **m.labels}, interval=interval)
        for m in target.metrics
    ]


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

"""Faults of the scrape configuration: what the virtual scraper stores is what a real Prometheus, given them, has."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from driftdrill.harness.drive.scraping.configuration import ChangedJobs, LoadedJobs
from driftdrill.harness.drive.scraping.scraper import Scraper
from driftdrill.harness.errors import ScenarioError
from driftdrill.harness.recording.stale import STALE_BITS
from driftdrill.harness.scenario.fault import Fault
from driftdrill.harness.seams.seam import InForce
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.faults.jobs import (
    JOB_FAULTS,
    DropByRelabel,
    FlipHonorLabels,
    JobFault,
    RenameJob,
    SampleLimit,
    ScrapeInterval,
    WrongPath,
    WrongPort,
)
from driftdrill.stack.prometheus.api import Server, query, targets
from driftdrill.stack.prometheus.server import prometheus
from driftdrill.stack.scrape.job import FileDiscovery, ScrapeJob, page_job
from tests.harness.command import eventually
from tests.stack.scrape.page_server import PageServer, page_server

PAGE = b'm_total 1\nother{job="of the page"} 2\n'
FAULTS: tuple[JobFault, ...] = (
    WrongPort(),
    WrongPath(),
    RenameJob(to="renamed"),
    DropByRelabel(metric="m_.*"),
    FlipHonorLabels(),
    ScrapeInterval(interval=0.5),
    SampleLimit(samples=1),
)
Shown = set[tuple[tuple[str, str], ...]]
OWN = ("scrape_duration_seconds", "scrape_timeout_seconds", "scrape_sample_limit", "scrape_body_size_bytes")


@pytest.fixture(scope="module")
def pages() -> Iterator[PageServer]:
    with page_server() as served:
        served.serve("/metrics", PAGE)
        yield served


@pytest.fixture(scope="module")
def jobs(pages: PageServer) -> list[ScrapeJob]:
    """A job for each fault, and one that none touches."""
    names = [f"j{i}" for i in range(len(FAULTS) + 1)]
    return [
        page_job(n, Connection(f"http://{pages.address}/metrics"), labels={"instance": n}, interval=1) for n in names
    ]


@pytest.fixture(scope="module")
def server(prometheus_binary: str, jobs: list[ScrapeJob]) -> Iterator[Server]:
    with prometheus(
        jobs=jobs, scrape_interval=1, evaluation_interval=1, how="binary", binary=prometheus_binary, reloadable=True
    ) as running:
        eventually(lambda: len(query(running, "up == 1")) == len(jobs), "all is scraped")
        yield running


def entered(stack: ExitStack, held: ChangedJobs | LoadedJobs, places: list[Any]) -> list[InForce]:
    """Each fault on the place of its own."""
    named = [Fault(fault.type, fault) for fault in FAULTS]
    return [stack.enter_context(held.hold(f, [place])) for f, place in zip(named, places, strict=False)]  # type: ignore[arg-type]


def live(server: Server) -> Shown:
    """Label sets that have a sample now."""
    return {tuple(sorted(s.labels.items())) for s in query(server, '{__name__!=""}') if s.labels["__name__"] not in OWN}


def but(shown: Shown, job: str) -> Shown:
    """Without the series of a job that the configuration no longer has.

    They end without a stale marker, unless a scrape is under way as Prometheus loads the configuration: it breaks that
    off, and takes it for one that failed.
    """
    return {series for series in shown if dict(series)["job"] != job}


class Stored:
    """What a scraper stores, kept as a database would: a series lives until its stale marker."""

    def __init__(self, scraper: Scraper) -> None:
        self.scraper, self.alive, self.stale = scraper, set[int](), list[dict[str, str]]()
        self.at = 0.0

    def scrape(self) -> Shown:
        """Scrape every target; the label sets that are alive now."""
        self.at += 1.0
        self.stale = []
        for target in self.scraper.targets:
            found = self.scraper.stored(target, self.scraper.scrape(target, self.at))
            for i, bits in zip(found.ids.tolist(), found.values.view("uint64").tolist(), strict=True):
                if bits == STALE_BITS:
                    self.alive.discard(i)
                    self.stale.append(self.scraper.table.labels(i))
                else:
                    self.alive.add(i)
        shown = [self.scraper.table.labels(i) for i in self.alive]
        return {tuple(sorted(labels.items())) for labels in shown if labels["__name__"] not in OWN}


@pytest.mark.slow
def test_a_real_prometheus_has_the_series_that_the_virtual_scraper_stores(
    server: Server, jobs: list[ScrapeJob]
) -> None:
    with ExitStack() as stack, Scraper(jobs, evaluation_intervals=[1.0]) as scraper:
        virtual, kept = entered(stack, ChangedJobs(scraper), list(scraper.targets)), Stored(scraper)
        clean = kept.scrape()
        assert live(server) == clean
        with ExitStack() as held:
            real = entered(held, LoadedJobs(server, jobs), list(range(len(jobs))))
            for one in (*virtual, *real):
                one.set(1.0)
            assert [one.verify() for one in real] == [None] * len(FAULTS)
            changed = kept.scrape()
            assert changed != clean
            eventually(lambda: but(live(server), "j2") == but(changed, "j2"), "the series of changed jobs", 60)
            assert {t.labels["job"]: t.interval for t in targets(server)}["j5"] == 0.5
        for one in virtual:
            one.set(0.0)
        # Undone by leaving; what a job renamed stays until it is five minutes old.
        back = kept.scrape()
        assert {dict(labels)["job"] for labels in back ^ clean} == {"renamed"}
        eventually(lambda: but(live(server), "renamed") == but(back, "renamed"), "the series as they were", 60)


def test_series_that_a_changed_page_path_no_longer_has_become_stale_once(jobs: list[ScrapeJob]) -> None:
    with Scraper(jobs[:1], evaluation_intervals=[1.0]) as scraper:
        (target,), kept = scraper.targets, Stored(scraper)
        assert len(kept.scrape()) == 6
        scraper.change(target, [WrongPath()])
        assert len(kept.scrape()) == 4
        assert {labels["__name__"] for labels in kept.stale} == {"m_total", "other"}
        assert len(kept.scrape()) == 4
        assert kept.stale == []
        scraper.change(target, [])
        assert len(kept.scrape()) == 6
        assert kept.stale == []


def test_series_of_a_job_whose_name_is_gone_end_without_a_marker(jobs: list[ScrapeJob]) -> None:
    with Scraper(jobs[:1], evaluation_intervals=[1.0]) as scraper:
        (target,), kept = scraper.targets, Stored(scraper)
        kept.scrape()
        scraper.change(target, [RenameJob(to="renamed")])
        assert len(kept.scrape()) == 12
        assert kept.stale == []


def test_a_target_that_relabelling_drops_is_scraped_no_more(jobs: list[ScrapeJob]) -> None:
    from dataclasses import replace

    from driftdrill.stack.scrape.relabel import Relabel

    def dropping(job: ScrapeJob) -> ScrapeJob:
        return replace(job, relabel=(Relabel(action="drop", source_labels=("job",), regex="j0"),))

    with Scraper(jobs[:1], evaluation_intervals=[1.0]) as scraper:
        (target,) = scraper.targets
        kept = Stored(scraper)
        kept.scrape()
        scraper.change(target, [dropping])
        assert kept.scrape() == set()
        assert scraper.now(target) is None


def test_a_changed_interval_never_meets_an_evaluation(jobs: list[ScrapeJob]) -> None:
    with Scraper(jobs[:1], evaluation_intervals=[15.0]) as scraper:
        (target,) = scraper.targets
        for interval in (23.0, 15.0, 7.0, 60.0, 0.5):
            scraper.change(target, [ScrapeInterval(interval=interval)])
            at = 7.0
            for _ in range(100):
                at = scraper.due(target, at)
                assert at % 15 != 0


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: WrongPort(port=0), "port must be in"),
        (lambda: WrongPath("nothing"), "path must begin with /"),
        (lambda: DropByRelabel("(?=model)"), r"'\(\?=model\)' is not a regular expression .* invalid perl operator"),
        (lambda: RenameJob(to=""), "to must be a name"),
        (lambda: ScrapeInterval(interval=0), "interval must be at least"),
        (lambda: SampleLimit(samples=0), "samples must be at least 1"),
    ],
)
def test_a_parameter_that_cannot_be_is_refused(make: Any, said: str) -> None:
    with pytest.raises(StackError, match=said):
        make()


def test_a_job_that_cannot_have_a_fault_is_refused_before_the_drill(tmp_path: Path) -> None:
    job = ScrapeJob("found", discoveries=(FileDiscovery((str(tmp_path / "t.yml"),)),))
    with pytest.raises(StackError, match="finds its targets by discovery"):
        WrongPort()(job)


def test_every_fault_of_the_scrape_configuration_is_tried_here() -> None:
    assert {type(fault) for fault in FAULTS} == set(JOB_FAULTS)


def test_a_fault_of_rows_only_has_no_place_elsewhere() -> None:
    with pytest.raises(ScenarioError, match="where chooses rows"):
        Fault("wrong", WrongPath(), where=lambda batch: batch["x"] > 0)


def test_a_prometheus_that_was_there_before_takes_no_other_configuration(server: Server) -> None:
    from dataclasses import replace

    begun = time.monotonic()
    with pytest.raises(StackError, match="cannot be given another configuration"):
        LoadedJobs(replace(server, configured=None), []).put(Fault("w", WrongPath()), [], on=True)
    assert time.monotonic() - begun < 5

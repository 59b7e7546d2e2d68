"""The scraper: places in time, targets that misbehave, and its own bookkeeping. What it stores is compared with a
real Prometheus in test_scrape_conformance.py."""

import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from driftdrill.harness.drive.scraping.scrape_loop import Scrape, SeriesTable
from driftdrill.harness.drive.scraping.scraper import Scraper, offsets
from driftdrill.harness.recording.stale import STALE_BITS
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.scrape.discovery import DiscoveredTarget
from driftdrill.stack.scrape.job import Limits, ScrapeJob, TargetGroup, page_job
from driftdrill.stack.scrape.prometheus_yml import jobs_from_prometheus_yml
from tests.stack.scrape.page_server import Page, PageServer, page_server


@pytest.fixture
def pages() -> Iterator[PageServer]:
    with page_server() as server:
        yield server


def _scraper(pages: PageServer, *, timeout: float = 5.0, table: SeriesTable | None = None) -> Scraper:
    job = page_job("model", Connection(f"http://{pages.address}"), labels={"instance": "m"}, timeout=timeout)
    return Scraper([job], evaluation_intervals=[15], table=table)


def _read(scraper: Scraper, found: Scrape) -> dict[str, float | str]:
    """Metric name -> value or "stale", without the scrape's duration."""
    bits = found.values.view(np.uint64)
    out = {
        scraper.table.labels(i)["__name__"]: "stale" if b == STALE_BITS else v
        for i, v, b in zip(found.ids.tolist(), found.values.tolist(), bits.tolist(), strict=True)
    }
    del out["scrape_duration_seconds"]
    return out


def _target(interval: float, **labels: str) -> DiscoveredTarget:
    return DiscoveredTarget(ScrapeJob("model"), labels, "http://a:1/metrics", interval, interval)


@given(
    st.sampled_from([0.5, 1.0, 5.0, 7.5, 10.0, 14.0, 15.0, 30.0, 60.0, 3600.0]),
    st.lists(st.sampled_from([0.5, 1.0, 5.0, 10.0, 15.0, 20.0, 30.0, 60.0]), min_size=1, max_size=3),
    st.text(max_size=5),
)
def test_no_scrape_ever_meets_an_evaluation(interval: float, evaluations: list[float], instance: str) -> None:
    (offset,) = offsets([_target(interval, instance=instance)], evaluations)
    assert 0 < offset < interval
    scrapes = {round(1000 * (offset + k * interval)) for k in range(-50, 200)}
    for evaluation in evaluations:
        assert not any(at % round(1000 * evaluation) == 0 for at in scrapes)


def test_offsets_are_whole_seconds_where_intervals_allow_it() -> None:
    targets = [_target(15.0, instance=f"m-{i}") for i in range(100)]
    found = offsets(targets, [15.0])
    assert all(offset == int(offset) for offset in found)
    assert len(set(found)) == 14
    assert set(offsets(targets, [1.0])) == {k + 0.5 for k in range(15)}


def test_a_targets_offset_depends_on_its_labels_only() -> None:
    alone = offsets([_target(15.0, instance="b")], [15.0])
    assert offsets([_target(15.0, instance="a"), _target(15.0, instance="b")], [15.0])[1:] == alone
    assert offsets([_target(15.0, job="model", instance="x")], [15.0]) == (3.0,)  # the same on every machine


def test_intervals_that_leave_no_room_are_refused() -> None:
    with pytest.raises(StackError, match="leaves no moment between evaluations"):
        offsets([_target(0.001)], [15.0])


def test_a_series_table_numbers_label_sets() -> None:
    table = SeriesTable()
    assert table.id({"__name__": "a", "x": "1"}) == table.id({"x": "1", "__name__": "a"}) == 0
    assert table.id({"__name__": "b"}) == 1
    assert (table.labels(0), len(table)) == ({"__name__": "a", "x": "1"}, 2)


def test_several_scrapers_may_share_a_table(pages: PageServer) -> None:
    pages.serve("/metrics", b"a 1\n")
    table = SeriesTable()
    with _scraper(pages, table=table) as one, _scraper(pages, table=table) as two:
        ids = [scraper.scrape(scraper.targets[0], 0.0).ids.tolist() for scraper in (one, two)]
    assert ids[0] == ids[1]
    assert len(table) == 6


def test_jobs_have_their_own_intervals_and_labels(pages: PageServer) -> None:
    pages.serve("/a", b"a 1\n")
    pages.serve("/b", b"a 2\n")
    jobs = jobs_from_prometheus_yml(
        dedent(f"""
        scrape_configs:
        - {{job_name: one, scrape_interval: 5s, metrics_path: /a, static_configs: [{{targets: ["{pages.address}"]}}]}}
        - {{job_name: two, scrape_interval: 1m, metrics_path: /b, static_configs: [{{targets: ["{pages.address}"]}}]}}
        """)
    )
    with Scraper(jobs, evaluation_intervals=[15]) as scraper:
        assert [(t.labels["job"], t.interval) for t in scraper.targets] == [("one", 5.0), ("two", 60.0)]
        assert [scraper.scrape(t, 0.0).values[0] for t in scraper.targets] == [1.0, 2.0]
    assert pages.connections == 2  # as in Prometheus, one for each job and address


def test_scraping_again_for_the_same_moment_replaces_the_result(pages: PageServer) -> None:
    """Drive does so until the target's counters have caught up."""
    pages.serve("/metrics", b"a 1\nb 1\n", b"a 2\n", b"a 3\nc 1\n", b"a 4\nc 1\n")
    with _scraper(pages) as scraper:
        (target,) = scraper.targets
        scraper.scrape(target, 0.0)
        scraper.scrape(target, 15.0)
        again = _read(scraper, scraper.scrape(target, 15.0))
        assert (again["a"], again["b"], again["c"], again["scrape_series_added"]) == (3.0, "stale", 1.0, 1.0)
        after = _read(scraper, scraper.scrape(target, 30.0))
        assert (after["a"], after.get("b"), after["scrape_series_added"]) == (4.0, None, 0.0)


def test_explicit_timestamps_lie_in_scenario_time(pages: PageServer) -> None:
    stamp = int((time.time() - 4) * 1000)
    pages.serve("/metrics", b"a 1 %d\nb 2\n" % stamp)
    with _scraper(pages) as scraper:
        found = scraper.scrape(scraper.targets[0], 600.0)
    assert found.times is not None
    assert found.times[0] == pytest.approx(596.0, abs=2.0)
    assert np.isnan(found.times[1:]).all()


@pytest.mark.parametrize(
    "page",
    [Page(b"a 1\n" * 100, stall_after=10), Page(b"a 1\n" * 200, drip=0.02), Page(b"a 1\n", drip_head=0.2)],
    ids=["hangs in mid-scrape", "drips its body", "drips its head"],
)
def test_a_target_that_hangs_is_down_after_its_timeout(pages: PageServer, page: Page) -> None:
    pages.serve("/metrics", b"a 1\n", page)
    with _scraper(pages, timeout=0.3) as scraper:
        (target,) = scraper.targets
        scraper.scrape(target, 0.0)
        started = time.monotonic()
        found = scraper.scrape(target, 15.0)
        assert time.monotonic() - started < 5  # the whole answer takes longer
    assert found.error == "no complete answer within 300ms"
    assert (_read(scraper, found)["up"], _read(scraper, found)["a"]) == (0.0, "stale")


def test_a_page_of_50_MB_is_scraped(pages: PageServer) -> None:
    help_lines = b"".join(b"# HELP a%d %s\n" % (i, b"x" * 10_000) for i in range(5000))
    pages.serve("/metrics", help_lines + b"a 1\n")
    with _scraper(pages, timeout=15.0) as scraper:
        found = scraper.scrape(scraper.targets[0], 0.0)
    assert found.error is None
    assert _read(scraper, found)["a"] == 1.0


@pytest.mark.parametrize(
    ("page", "error"),
    [
        (os.urandom(16).hex().encode() * 1000, "expected a sample"),
        (bytes(range(128, 256)) * 100, "expected a sample"),
        (b"a 1\nb{x=\xff} 1\n", "label name"),
        (b"<html>", "expected a sample"),
    ],
)
def test_garbage_is_a_failed_scrape_that_quotes_it_briefly(pages: PageServer, page: bytes, error: str) -> None:
    pages.serve("/metrics", page)
    with _scraper(pages) as scraper:
        found = scraper.scrape(scraper.targets[0], 0.0)
    assert found.error is not None
    assert len(found.error) < 400
    assert _read(scraper, found)["up"] == 0.0


def test_repeated_type_lines_are_accepted(pages: PageServer) -> None:
    pages.serve("/metrics", b'# TYPE a counter\na 1\n# TYPE a counter\na{x="1"} 2\n')
    with _scraper(pages) as scraper:
        assert scraper.scrape(scraper.targets[0], 0.0).error is None


def test_a_target_that_is_not_there_is_down_and_named() -> None:
    job = page_job("model", Connection("http://127.0.0.1:1"))
    with Scraper([job], evaluation_intervals=[15]) as scraper:
        found = scraper.scrape(scraper.targets[0], 0.0)
    assert found.error is not None
    assert "Connection refused" in found.error
    assert len(found.ids) == 5


def test_an_explosion_of_series_stops_at_the_limit(pages: PageServer) -> None:
    """Label values that never repeat, as of user ids: the table takes no more of a page than the limit lets in."""
    pages.answers["/metrics"] = lambda _, k: Page(b"".join(b'a{user="%d-%d"} 1\n' % (k, i) for i in range(200)))
    group = TargetGroup((pages.address,))
    job = ScrapeJob("model", groups=(group,), limits=Limits(samples=100))
    with Scraper([job], evaluation_intervals=[15]) as scraper:
        for k in range(5):
            found = scraper.scrape(scraper.targets[0], 60.0 * k)
            assert found.error == "sample_limit of 100 exceeded"
            assert len(found.ids) == 5
        assert len(scraper.table) == 5 + 5 * 100


def test_it_works_under_gevents_sockets_in_one_greenlet() -> None:
    """The host process may be patched; nothing may wait outside the loop meanwhile."""
    script = """
        from gevent import monkey
        monkey.patch_all()
        import gevent, time
        from driftdrill.harness.drive.scraping.scraper import Scraper
        from driftdrill.stack.connection import Connection
        from driftdrill.stack.scrape.job import page_job
        from tests.stack.scrape.page_server import Page, page_server

        ticks = []
        def tick():
            while True:
                ticks.append(time.monotonic())
                gevent.sleep(0.01)
        with page_server() as pages:
            pages.serve("/metrics", b"a 1\\n", Page(b"a 1\\nb 2\\n", stall_after=5))
            job = page_job("model", Connection("http://" + pages.address), timeout=0.5)
            with Scraper([job], evaluation_intervals=[15]) as scraper:
                background = gevent.spawn(tick)
                found = [scraper.scrape(scraper.targets[0], at) for at in (0.0, 15.0)]
                background.kill()
        assert found[0].error is None, found[0].error
        assert found[1].error == "no complete answer within 500ms", found[1].error
        assert len(ticks) > 5, len(ticks)  # a loop that is held up for 0.5 s ticks once
    """
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", dedent(script)], cwd=root, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr


def test_the_duration_is_the_scrapes_own(pages: PageServer) -> None:
    pages.serve("/metrics", Page(b"a 1\n", drip=0.03))
    with _scraper(pages) as scraper:
        found = scraper.scrape(scraper.targets[0], 0.0)
        durations = [
            v
            for i, v in zip(found.ids.tolist(), found.values.tolist(), strict=True)
            if scraper.table.labels(i)["__name__"] == "scrape_duration_seconds"
        ]
    assert len(durations) == 1
    assert 0.1 < durations[0] < 5
    assert math.isfinite(durations[0])

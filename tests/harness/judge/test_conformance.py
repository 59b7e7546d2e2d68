"""What is judged virtually is what a live server makes: on its raw samples, and for one scenario on both clocks."""

import math
import time
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from driftdrill.harness.judge.engine.evaluate import Evaluated, evaluate
from driftdrill.harness.judge.engine.fold import from_server, live_phases
from driftdrill.reports.data.timeline import AlertTrack
from driftdrill.stack.prometheus.promtool import Promtool
from tests.harness.judge import live
from tests.harness.judge.live import Live, Stored
from tests.stack.scrape.page_server import page_server

MAJORS = ("2", "3")
TRIES = 3
Intervals = dict[tuple[tuple[str, str], ...], list[tuple[float, float, str]]]


@pytest.fixture(scope="module")
def binaries(request: pytest.FixtureRequest) -> Mapping[str, Path]:
    """Major version -> a prometheus of it, where this machine has one."""
    found = {}
    for major, fixture in zip(MAJORS, ("prometheus_binary", "prometheus3"), strict=True):
        try:
            folder = Path(request.getfixturevalue(fixture))
        except (pytest.skip.Exception, pytest.fail.Exception):
            continue  # told by the tests that need it
        found[major] = folder / "prometheus" if folder.is_dir() else folder
    return found


@pytest.fixture(scope="module")
def lives(binaries: Mapping[str, Path], tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, Live]:
    """The script on a live server of each version, side by side; anew where no copy of the rules was without races."""
    found: dict[str, Live] = {}
    for _ in range(TRIES):
        missing = {major: binary for major, binary in binaries.items() if major not in found}
        with page_server() as pages, ExitStack() as servers:
            folders = {major: tmp_path_factory.mktemp(f"live{major}") for major in missing}
            running = {
                major: servers.enter_context(live.started(binary, major, pages, folders[major]))
                for major, binary in missing.items()
            }
            zero = time.time()
            for major, server in running.items():
                one = live.fetched(server, major, pages, folders[major], zero)
                if one.copies:
                    found[major] = one
    return found


def judged(one: Live, copy: int) -> tuple[Evaluated, Promtool]:
    """One copy of the rules over the raw samples, by the promtool of the server's own version."""
    rules, promtool = one.rules(copy), one.server.promtool
    assert promtool is not None
    assert one.server.version.startswith(promtool.version)
    end = one.window(copy)[1]
    phases = live_phases(one.served(copy), rules)
    return evaluate(one.samples, rules, promtool, end=end, interval=1.0, phases=phases, recorded=True), promtool


@pytest.fixture(params=MAJORS)
def one(request: pytest.FixtureRequest, lives: Mapping[str, Live]) -> Live:
    """A live server's recording, of each version."""
    request.getfixturevalue({"2": "prometheus_binary", "3": "prometheus3"}[request.param])
    assert request.param in lives, f"no copy of the rules was evaluated without races in {TRIES} tries"
    assert lives[request.param].server.version.startswith(request.param)
    return lives[request.param]


def test_raw_samples_judged_virtually_give_a_live_servers_alerts_and_recorded_series(one: Live) -> None:
    """Over counter resets, failed scrapes, vanishing series, NaN, Inf, absent(), quantiles, for, keep_firing_for."""
    for copy in one.copies[:2]:
        start, end = one.window(copy)
        got, _ = judged(one, copy)
        assert got.errors == {}
        assert recorded(got, start, end) == one.recorded(copy)
        theirs = intervals(from_server(one.served(copy), one.rules(copy), 1.0), start, end)
        assert intervals(got.alerts, start, end) == theirs


def test_the_script_brings_out_every_rule(one: Live) -> None:
    """Else the comparison would compare nothing."""
    copy = one.copies[0]
    rules = one.rules(copy)
    stored = one.recorded(copy)
    assert {dict(labels)["__name__"] for labels in stored} == rules.recorded
    # Over the whole run: on a busy machine the part that can be compared may begin after one of them.
    theirs = intervals(from_server(one.served(copy), rules, 1.0), 0.0, math.inf)
    fired = {dict(labels)["alertname"] for labels, found in theirs.items() if any(i[2] == "firing" for i in found)}
    # Whether the shortest of them come to fire hangs on the phase between scrapes and evaluations.
    assert len({k.rule.name for k in rules.alerts} - fired) <= 2
    samples = one.samples
    assert any(np.isnan(s.values[~s.stale]).any() for s in samples)
    assert any(np.isinf(s.values).any() for s in samples)
    assert {"old_name", "new_name", "flappy", "up"} <= {s.labels["__name__"] for s in samples}
    assert all(s.stale.sum() >= 3 for s in samples if s.labels["__name__"] == "flappy")


def recorded(got: Evaluated, start: float, end: float) -> Stored:
    """The recorded series in the window."""
    out: Stored = {}
    for track in got.recorded:
        points = {round(t * 1000): v for t, v in zip(track.times, track.values, strict=True) if start <= t <= end}
        if points:
            out[tuple(sorted({**track.labels, "__name__": track.name}.items()))] = points
    return out


def intervals(tracks: tuple[AlertTrack, ...], start: float, end: float) -> Intervals:
    """Each alert's intervals in the window."""
    out: Intervals = {}
    for track in tracks:
        inside = [i for i in track.intervals if i.end > start and i.start < end]
        if inside:
            labels = tuple(sorted({**track.labels, "alertname": track.alert}.items()))
            out[labels] = [(max(i.start, start), min(i.end, end), i.state) for i in inside]
    return out

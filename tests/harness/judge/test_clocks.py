"""One scenario on the wall and on the virtual clock: the same responses, and detection times as far as phases allow."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from driftdrill.harness.recording.reader import Recording, open_recording
from driftdrill.reports.data.verdict import Verdict, from_json
from tests.harness import scenarios, toy
from tests.harness.command import Cli, Running

TRIES = 3
MAJORS = {"2": "prometheus_binary", "3": "prometheus3"}
INTERVAL = 1.0
"""Seconds between scrapes, and between evaluations."""
DRILL = scenarios.WALL | {"warm_up": "6", "baseline": "4", "fault": "8", "recovery": "10"}
RECORD = "  - {record: evaluated, expr: vector(1)}\n"


@dataclass(frozen=True)
class Played:
    """One drill."""

    verdict: Verdict
    recording: Recording


@dataclass(frozen=True)
class Rig:
    """The command line with the binaries of one version, in a folder with the scenario."""

    cli: Cli
    file: Path

    def start(self, clock: str, url: str, name: str) -> Running:
        """Start the drill on a clock."""
        out = ["--out", f"{name}.drill", "--json", f"{name}.json"]
        return self.cli.start("run", self.file, "--clock", clock, "--target", url, *out)

    def end(self, running: Running, name: str) -> Played:
        """Wait for its end."""
        done = running.wait(120)
        assert done.code in (0, 1, 3), done
        folder = self.cli.folder
        return Played(from_json((folder / f"{name}.json").read_text()), open_recording(folder / f"{name}.drill"))


@pytest.fixture(scope="module")
def rigs(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mapping[str, Rig]]:
    """Major version -> rig, where this machine has it."""
    found = {}
    for major, fixture in MAJORS.items():
        try:
            given = Path(request.getfixturevalue(fixture))
        except (pytest.skip.Exception, pytest.fail.Exception):
            continue  # told by the test that needs it
        binary = given / "prometheus" if given.is_dir() else given
        tools = {"DRIFTDRILL_PROMETHEUS": str(binary), "DRIFTDRILL_PROMTOOL": str(binary.with_name("promtool"))}
        folder = tmp_path_factory.mktemp(f"clocks{major}") / "here"
        folder.mkdir()
        file = scenarios.write(folder, DRILL)
        with (folder / "toy.yml").open("a") as rules:
            rules.write(RECORD)
        found[major] = Rig(Cli(folder, tools), file)
    yield found
    for rig in found.values():
        for running in rig.cli.started:
            if not running.ended:
                running.popen.kill()
                running.popen.wait(10)


@pytest.fixture(scope="module")
def played(rigs: Mapping[str, Rig]) -> Mapping[str, tuple[Played, Played]]:
    """Major version -> (wall, virtual); versions side by side; a wall drill that was not on time is played again."""
    wall: dict[str, Played] = {}
    virtual: dict[str, Played] = {}
    for attempt in range(TRIES):
        with ExitStack() as models:
            missing = [major for major in rigs if major not in wall]
            urls = {major: models.enter_context(toy.serve(toy.Toy())).url for major in missing}
            running = {major: rigs[major].start("wall", urls[major], f"wall{attempt}") for major in missing}
            for major in missing:
                found = rigs[major].end(running[major], f"wall{attempt}")
                if on_time(found.recording) or attempt == TRIES - 1:
                    wall[major] = found
    for major, rig in rigs.items():
        with toy.serve(toy.Toy()) as model:
            virtual[major] = rig.end(rig.start("virtual", model.url, "virtual"), "virtual")
    return {major: (wall[major], virtual[major]) for major in rigs}


def on_time(recording: Recording) -> bool:
    """Whether a wall drill sent its load on time, and its server missed no evaluation and no scrape."""
    times = [s.times for s in recording.samples("alerts") if s.labels["__name__"] == "evaluated"]
    times += [s.times for s in recording.samples() if s.labels["__name__"] == "up"]
    gaps = [np.diff(t).max() for t in times if len(t) > 1]
    return bool(recording.requests().late.max() < INTERVAL / 2 and max(gaps) < 1.5 * INTERVAL * 1000)


@pytest.mark.parametrize("major", MAJORS)
def test_one_scenario_on_both_clocks_has_the_same_responses_and_detection_times(
    request: pytest.FixtureRequest, played: Mapping[str, tuple[Played, Played]], major: str
) -> None:
    request.getfixturevalue(MAJORS[major])
    wall, virtual = (one.verdict for one in played[major])
    assert wall.validity.valid, wall.validity.reasons
    assert virtual.validity.valid, virtual.validity.reasons
    assert (wall.engine[:12], virtual.engine[:10]) == (f"prometheus {major}", f"promtool {major}")
    words = {r.alert: r.word for r in virtual.responses}
    assert {r.alert: r.word for r in wall.responses} == words
    assert words == {"HighMean": "FIRED", "Down": "SILENT"}
    assert [f.held for f in wall.findings] == [f.held for f in virtual.findings]
    for live, ours in zip(wall.responses, virtual.responses, strict=True):
        for then, now in ((live.detect, ours.detect), (live.resolved_at, ours.resolved_at)):
            assert (then is None) == (now is None)
            if then is not None and now is not None:
                assert np.abs(np.subtract(then, now)).max() <= 2 * INTERVAL
    assert [h.word for h in wall.harms] == [h.word for h in virtual.harms]

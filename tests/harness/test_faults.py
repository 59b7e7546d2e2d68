"""Faults beyond rows, each in a drill of its own on a real model: in force, recorded, undone, and never pretended."""

import itertools
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import requests

from driftdrill.harness.errors import DriftdrillError
from driftdrill.harness.recording.reader import Recording, Samples, open_recording
from driftdrill.harness.scenario.scenario import load as load_scenario
from driftdrill.harness.setup.settings import settings_of
from driftdrill.reports.data.verdict import Verdict
from driftdrill.stack.errors import StackError
from tests.harness import scenarios, toy
from tests.harness.command import ROOT, Cli, assert_told, eventually
from tests.harness.toy import Answer, Toy
from tests.stack.services import free_port

FAULT, RECOVERY = 165.0, 315.0
"""Scenario seconds at which the phases of the toy's scenario begin."""
QUIET = "[quiet('Down')]"


@dataclass(frozen=True)
class Drilled:
    """A drill that came to its end."""

    recording: Recording
    verdict: Verdict

    @property
    def reasons(self) -> str:
        """Why it is INVALID."""
        return "; ".join(self.verdict.validity.reasons)

    @property
    def events(self) -> list[dict[str, Any]]:
        return self.recording.events()


Drill = Callable[..., Drilled]


@pytest.fixture
def drilled(tmp_path: Path, prometheus_binary: str, monkeypatch: pytest.MonkeyPatch) -> Drill:
    """Drives a scenario of the toy in this process; the target is a URL, or None for that of driftdrill.toml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("DRIFTDRILL_PROMETHEUS", prometheus_binary)
    monkeypatch.setenv("DRIFTDRILL_PROMTOOL", "promtool")
    numbers = itertools.count()

    def run(
        url: str | None, base: dict[str, str] = scenarios.VIRTUAL, *, settings: Any = None, **fields: str
    ) -> Drilled:
        from driftdrill.harness.cli.drill import drill

        file = scenarios.write(tmp_path, base, **{"expect": QUIET, **fields})  # type: ignore[arg-type]
        given = settings_of(target=url, out=str(tmp_path / f"{next(numbers)}.drill"), **(settings or {}))
        path, verdict = drill(load_scenario(file), given)
        assert verdict is not None
        return Drilled(open_recording(path), verdict)

    return run


def refused(run: Callable[[], object], cause: str, remedy: str) -> None:
    """It is refused before anything is sent, with this cause and remedy."""
    with pytest.raises((DriftdrillError, StackError)) as told:
        run()
    assert_told((str(told.value), str(told.value.hint)), cause, remedy)


def series(recording: Recording, name: str, **labels: str) -> Samples:
    """The one series of that name that carries these labels."""
    found = [s for s in recording.samples() if s.labels["__name__"] == name and labels.items() <= s.labels.items()]
    assert len(found) == 1, [s.labels for s in recording.samples()]
    return found[0]


def alive(one: Samples) -> tuple[float, float]:
    """Seconds of the first and the last sample that is no stale marker."""
    times = one.times[~one.stale] / 1000
    return float(times[0]), float(times[-1])


def ledger(done: Drilled) -> int:
    """What the fault's last event says that it touched."""
    return int(next(e["touched"] for e in reversed(done.events) if e["event"] == "fault"))


# Networks


def test_http_errors_of_a_proxy_reach_the_load_and_not_the_service(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        imports="from driftdrill.stack.faults.network import Status",
        faults="[Fault('errors', Status(503, share=0.4))]",
    )

    requests = done.recording.requests()
    failed = requests.status == 503
    assert failed.sum() == ledger(done) > 50
    assert FAULT <= requests.intended[failed].min() < requests.intended[failed].max() < RECOVERY
    assert model.requests == int((~failed).sum()) + 1  # and the probe: what the proxy answered never came here
    assert done.recording.meta.target["connections"][0]["url"] == model.url
    (counter,) = [e for e in done.events if e["event"] == "counter"]
    assert (counter["name"], counter["unsettled"]) == ("toy_requests_total", 0)


def test_a_fault_of_the_network_is_refused_where_the_requests_go_through_a_proxy_of_yours(
    drilled: Drill, model: Toy, tmp_path: Path
) -> None:
    (tmp_path / "driftdrill.toml").write_text(f"[targets.toy]\nurl = '{model.url}'\nproxy = 'http://127.0.0.1:9'\n")
    refused(
        lambda: drilled(
            None, imports="from driftdrill.stack.faults.network import Status", faults="[Fault('e', Status(503))]"
        ),
        "fault 'e' acts before the target.*proxy http://127.0.0.1:9",
        "",
    )
    assert model.requests == 0


def test_two_runs_of_one_seed_hit_the_same_requests(drilled: Drill, model: Toy) -> None:
    hit = []
    for _ in range(2):
        done = drilled(
            model.url,
            imports="from driftdrill.stack.faults.network import Status",
            faults="[Fault('e', Status(503, share=0.3))]",
        )
        requests = done.recording.requests()
        hit.append(requests.slot[requests.status == 503].tolist())
    assert hit[0] == hit[1] != []


def test_a_fault_whose_selector_fits_nothing_makes_the_drill_invalid(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        imports="from driftdrill.stack.faults.network import Status",
        faults="[Fault('e', Status(503, path='/elsewhere'))]",
    )
    assert "its selector fits none of" in done.reasons


def test_two_faults_that_fight_for_one_place_are_refused(drilled: Drill, model: Toy) -> None:
    two = "[Fault('a', Status(503)), Fault('b', Status(500))]"
    refused(
        lambda: drilled(model.url, imports="from driftdrill.stack.faults.network import Status", faults=two),
        "two faults fight for one place",
        "give one of them a name=",
    )


def test_one_switch_twice_is_refused(drilled: Drill, model: Toy) -> None:
    def both(a: int | None, b: int | None) -> None:
        drilled(
            model.url,
            settings={"replicas": (second.url,)},
            imports="from driftdrill.stack.model_service.switches import ClassMap",
            faults=f"[Fault('a', ClassMap(), replica={a}), Fault('b', ClassMap(), replica={b})]",
        )

    with toy.serve(Toy()) as second:
        for a, b in ((None, None), (None, 1), (1, 1)):
            refused(partial(both, a, b), "faults 'a' and 'b' are the same switch", "a replica of its own")
        refused(partial(both, 0, 1), "names no token", "admin")


def test_a_fault_that_takes_real_time_is_refused_in_virtual_time(drilled: Drill, model: Toy) -> None:
    refused(
        lambda: drilled(
            model.url,
            imports="from driftdrill.stack.faults.network import Latency",
            faults="[Fault('slow', Latency(300))]",
        ),
        "fault 'slow' takes real time",
        "--clock wall",
    )


@pytest.mark.slow
def test_latency_and_a_renamed_metric_on_the_wall_clock(drilled: Drill, model: Toy, tmp_path: Path) -> None:
    (tmp_path / "gone.yml").write_text(
        "groups: [{name: g, rules: [{alert: Gone, expr: absent(toy_x_count)}, {alert: Down, expr: up == 0}]}]"
    )
    done = drilled(
        model.url,
        scenarios.WALL,
        expect="[fires('Gone'), quiet('Down')]",
        imports="from driftdrill.faults import Latency, RenameMetric",
        faults="[Fault('slow', Latency(150)), Fault('renamed', RenameMetric(metric='toy_x', to='toy_y'))]",
        rules="['gone.yml']",
    )

    assert done.verdict.exit_code == 0, done.verdict.failures
    requests, (fault, recovery) = done.recording.requests(), (6.0, 11.0)
    during = (requests.intended > fault + 1) & (requests.intended < recovery - 1)
    assert np.median(requests.took[during]) > 0.15 > np.median(requests.took[requests.intended < fault])
    assert series(done.recording, "toy_y_count").labels["instance"] == model.url.removeprefix("http://")
    assert fault < alive(series(done.recording, "toy_y_count"))[0] < recovery


def test_an_address_that_refuses_connections_makes_the_requests_fail_and_the_drill_stays_valid(
    drilled: Drill, model: Toy
) -> None:
    done = drilled(
        model.url, imports="from driftdrill.stack.faults.network import Down", faults="[Fault('gone', Down())]"
    )

    assert done.verdict.exit_code == 0, done.verdict.failures
    requests = done.recording.requests()
    during = (requests.intended >= FAULT) & (requests.intended < RECOVERY)
    assert set(requests.failure[during]) == {"refused"}
    assert set(requests.failure[~during]) == {""}
    assert model.requests == int((~during).sum()) + 1  # and the probe


@pytest.mark.slow
def test_a_golden_request_that_waits_does_not_hold_up_the_end_of_a_fault(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        scenarios.WALL,
        canary=ASKED.replace("every=15", "every=1"),
        imports="from driftdrill.stack.faults.network import Timeout",
        faults="[Fault('silence', Timeout())]",
        truth="None",
        smallest_harm="None",
    )

    assert done.verdict.exit_code == 0, done.verdict.failures
    (_, ended) = [e["at"] for e in done.events if e["event"] == "fault"]
    assert 11.0 <= ended < 15.0  # a request that is asked as the fault begins waits until 16 and more


# Processes


@contextmanager
def served_apart() -> Iterator[str]:
    """The URL of a toy in a process of its own."""
    popen = subprocess.Popen(
        [sys.executable, "-m", "tests.harness.toy", "1000000"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT
    )
    with popen:
        assert popen.stdout is not None
        yield popen.stdout.readline().decode().strip()
        popen.kill()


@pytest.mark.slow
def test_a_hang_of_the_process_that_listens_is_seen_by_the_scrape_and_ends_with_the_fault(
    drilled: Drill, tmp_path: Path
) -> None:
    with served_apart() as url:
        (tmp_path / "driftdrill.toml").write_text(
            f'[targets.toy]\nurl = "{url}"\ntimeout = 1.0\nprocess = {{ listens = true }}\n'
        )
        done = drilled(
            None,
            scenarios.WALL,
            expect="[fires('Down'), resolves('Down')]",
            imports="from driftdrill.stack.faults.process import Hang",
            faults="[Fault('hang', Hang())]",
            truth="None",
            smallest_harm="None",
        )
    assert done.verdict.exit_code == 0, done.verdict.failures
    assert set(done.recording.requests().failure) >= {"", "timeout"}


def test_a_process_fault_without_a_process_says_what_is_missing(drilled: Drill, model: Toy) -> None:
    refused(
        lambda: drilled(
            model.url,
            scenarios.WALL,
            imports="from driftdrill.stack.faults.process import Hang",
            faults="[Fault('hang', Hang())]",
        ),
        "fault 'hang' acts on a process or container, and target 'target' names none",
        "listens = true",
    )


# Services


def moody(mode: Path) -> Toy:
    """A toy that answers otherwise while its file says so."""
    return Toy(predict=lambda number, asked: Answer('{"prediction": 0.25}') if mode.read_text() == "wrong" else None)


@pytest.fixture
def mode(tmp_path: Path) -> Path:
    path = tmp_path / "mode"
    path.write_text("right")
    return path


def toml(folder: Path, url: str, apply: str, revert: str) -> None:
    """A target with a control hook of two commands."""
    (folder / "driftdrill.toml").write_text(
        f'[targets.toy]\nurl = "{url}"\n[targets.toy.hooks.old_model]\n'
        f"apply = {{ command = ['sh', '-c', '{apply}'] }}\nrevert = {{ command = ['sh', '-c', '{revert}'] }}\n"
    )


OLD = "[Fault('old', control('old_model'), id='mis.wrong_version')]"


def test_a_control_hook_is_in_force_while_golden_answers_differ(drilled: Drill, mode: Path, tmp_path: Path) -> None:
    with toy.serve(moody(mode)) as model:
        toml(tmp_path, model.url, f"printf wrong >{mode}", f"printf right >{mode}")
        done = drilled(None, faults=OLD)
    assert done.verdict.validity.valid, done.reasons
    requests = done.recording.requests()
    wrong = requests.prediction[:, 0] == 0.25
    assert wrong[(requests.intended > FAULT + 16) & (requests.intended < RECOVERY)].all()
    assert mode.read_text() == "right"


@pytest.mark.parametrize(
    ("apply", "revert", "why"),
    [
        ("true", "true", "expected the answers to golden requests to change; seen: the same"),
        ("printf wrong >{mode}", "true", "as before once it was undone"),
    ],
    ids=["changes nothing", "is not undone"],
)
def test_a_hook_that_does_not_do_what_it_says_makes_the_drill_invalid(
    drilled: Drill, mode: Path, tmp_path: Path, apply: str, revert: str, why: str
) -> None:
    with toy.serve(moody(mode)) as model:
        toml(tmp_path, model.url, apply.format(mode=mode), revert)
        assert why in drilled(None, faults=OLD).reasons


def test_a_revert_that_fails_is_the_loudest_line_and_exit_code_2(cli: Cli, mode: Path) -> None:
    with toy.serve(moody(mode)) as model:
        toml(cli.folder, model.url, f"printf wrong >{mode}", "exit 7")
        done = cli.start("run", scenarios.write(cli.folder, faults=OLD)).wait(left=True)
    assert_told(done.refused(), "FAULT NOT UNDONE: 'old': .*status 7", "DO BY HAND: cd .* && sh -c 'exit 7'")


def test_a_hook_that_the_target_does_not_offer_is_told_with_the_nearest(
    drilled: Drill, mode: Path, tmp_path: Path
) -> None:
    with toy.serve(moody(mode)) as model:
        toml(tmp_path, model.url, "true", "true")
        refused(
            lambda: drilled(None, faults="[Fault('old', control('old_modle'))]"),
            "target 'toy' offers no control hook 'old_modle'",
            "did you mean old_model",
        )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_hook_is_reverted_however_the_drill_ends(cli: Cli, mode: Path, number: signal.Signals) -> None:
    held = threading.Event()

    def predict(number: int, asked: object) -> Answer | None:
        if mode.read_text() == "wrong" and number > 400:
            held.wait(30)  # the load waits for this answer while the hook is in force
        return None

    with toy.serve(Toy(predict=predict)) as model:
        toml(cli.folder, model.url, f"printf wrong >{mode}", f"printf right >{mode}")
        # A check, so that no golden request waits.
        hooks = (cli.folder / "driftdrill.toml").read_text() + "check = { command = ['true'] }\n"
        (cli.folder / "driftdrill.toml").write_text(hooks)
        running = cli.start("run", scenarios.write(cli.folder, faults=OLD))
        eventually(lambda: mode.read_text() == "wrong" or running.ended, "the hook is in force")
        running.send(number)
        eventually(lambda: mode.read_text() == "right", "the revert")
        held.set()
        running.wait(left=number == signal.SIGKILL)


# Monitoring


def test_a_renamed_metric_is_gone_in_the_fault_and_back_after_it(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        imports="from driftdrill.stack.faults.pages import RenameMetric",
        faults="[Fault('renamed', RenameMetric(metric='toy_x', to='toy_y'))]",
    )
    old, new = series(done.recording, "toy_x_count"), series(done.recording, "toy_y_count")
    begun, ended = alive(new)
    assert FAULT <= begun < FAULT + 15
    assert RECOVERY - 15 <= ended < RECOVERY
    assert old.stale.sum() == new.stale.sum() == 1
    assert not ((old.times[~old.stale] / 1000 >= FAULT) & (old.times[~old.stale] / 1000 < RECOVERY)).any()
    assert alive(old)[1] > RECOVERY
    assert ledger(done) == 10
    assert done.verdict.harms == ()  # it does nothing to predictions
    assert model.requests == len(done.recording.requests()) + 1


def test_a_page_fault_that_fits_no_series_makes_the_drill_invalid(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        imports="from driftdrill.stack.faults.pages import DropSeries",
        faults="[Fault('drop', DropSeries(metric='toy_z'))]",
    )
    assert "it changed nothing that passed" in done.reasons


def test_a_page_that_comes_too_late_fails_its_scrapes(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        expect="[fires('Down'), resolves('Down')]",
        imports="from driftdrill.stack.faults.pages import SlowPage",
        faults="[Fault('slow', SlowPage(30))]",
    )
    assert done.verdict.exit_code == 0, done.verdict.failures
    up = series(done.recording, "up")
    down = up.times[up.values == 0] / 1000
    assert FAULT <= down.min() < down.max() < RECOVERY
    assert len(down) == 10


def test_a_renamed_job_ends_the_old_series_and_begins_new_ones(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        imports="from driftdrill.stack.faults.jobs import RenameJob",
        faults="[Fault('renamed', RenameJob(to='model-v2'))]",
    )
    new, old = series(done.recording, "up", job="model-v2"), series(done.recording, "up", job="model")
    assert FAULT <= alive(new)[0] < alive(new)[1] < RECOVERY
    assert old.stale.sum() == new.stale.sum() == 0  # as in Prometheus: they live on for five minutes
    assert not ((old.times >= FAULT * 1000) & (old.times < RECOVERY * 1000)).any()
    assert alive(old)[1] > RECOVERY


@pytest.mark.parametrize("how", ["WrongPort()", "WrongPath('/nothing')", "SampleLimit(1)"])
def test_a_wrong_scrape_configuration_takes_the_target_down(drilled: Drill, how: str) -> None:
    page = toy.Toy()
    inner = page.answer
    page.answer = lambda method, path, headers, body: (  # type: ignore[method-assign]
        Answer("not here", 404) if path == "/nothing" else inner(method, path, headers, body)
    )
    with toy.serve(page) as model:
        done = drilled(
            model.url,
            expect="[fires('Down'), resolves('Down')]",
            imports="from driftdrill.stack.faults.jobs import SampleLimit, WrongPath, WrongPort",
            faults=f"[Fault('wrong', {how})]",
        )
    assert done.verdict.exit_code == 0, done.verdict.failures
    up = series(done.recording, "up")
    assert len(up.times[up.values == 0]) == 10
    assert series(done.recording, "toy_x_count").stale.sum() == 1


def test_a_longer_scrape_interval_leaves_fewer_samples_in_the_fault(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        imports="from driftdrill.stack.faults.jobs import ScrapeInterval",
        faults="[Fault('slow', ScrapeInterval(interval=60))]",
    )
    times = series(done.recording, "up").times / 1000
    inside = times[(times >= FAULT) & (times < RECOVERY)]
    assert (np.diff(inside) == 60).all()
    assert (np.diff(times[times < FAULT]) == 15).all()


def test_a_metric_dropped_by_relabelling_is_gone_and_up_stays(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        imports="from driftdrill.stack.faults.jobs import DropByRelabel",
        faults="[Fault('dropped', DropByRelabel(metric='toy_x_.*'))]",
    )
    assert (series(done.recording, "up").values == 1).all()
    left = series(done.recording, "scrape_samples_post_metric_relabeling")
    inside = (left.times >= FAULT * 1000) & (left.times < RECOVERY * 1000)
    assert set(left.values[inside]) == {1.0}
    assert set(left.values[~inside]) == {3.0}


def test_faults_of_the_scraping_need_a_prometheus_of_ours_on_the_wall_clock(drilled: Drill, model: Toy) -> None:
    refused(
        lambda: drilled(
            model.url,
            scenarios.WALL,
            settings={"prometheus": "http://127.0.0.1:9"},
            imports="from driftdrill.stack.faults.jobs import WrongPath",
            faults="[Fault('wrong', WrongPath())]",
        ),
        "a Prometheus of yours is not ours to change",
        "virtual time",
    )


# Load


def test_no_traffic_is_a_fault_that_begins_with_its_phase(drilled: Drill, model: Toy, tmp_path: Path) -> None:
    (tmp_path / "idle.yml").write_text(
        "groups: [{name: g, rules: [{alert: Idle, expr: 'rate(toy_requests_total[1m]) == 0'}]}]"
    )
    done = drilled(
        model.url,
        expect="[fires('Idle', within=90), resolves('Idle')]",
        faults="[Fault('none', load(times=0))]",
        rules="['idle.yml']",
    )
    assert done.verdict.exit_code == 0, done.verdict.failures
    intended = done.recording.requests().intended
    assert not ((intended >= FAULT) & (intended < RECOVERY)).any()
    assert (intended > RECOVERY).sum() > 100


def test_more_traffic_keeps_what_was_planned_and_adds_to_it(drilled: Drill, model: Toy) -> None:
    plain = drilled(model.url, faults="[Fault('x + 2', moved)]").recording.requests().intended
    more = drilled(model.url, faults="[Fault('more', load(times=4))]").recording.requests().intended
    assert set(plain) < set(more)
    assert 0.8 < (len(more) - len(plain)) / (3 * ((plain >= FAULT) & (plain < RECOVERY)).sum()) < 1.2
    assert np.isin(more[(more < FAULT) | (more >= RECOVERY)], plain).all()


# One of several replicas


def test_a_fault_on_one_replica_leaves_the_others_alone(drilled: Drill, model: Toy) -> None:
    with toy.serve(Toy()) as second:
        done = drilled(
            model.url,
            settings={"replicas": (second.url,)},
            imports="from driftdrill.stack.faults.pages import RenameMetric",
            faults="[Fault('x + 2', moved, replica=1), "
            "Fault('renamed', RenameMetric(metric='toy_requests', to='toy_calls'), replica=0)]",
        )
    requests = done.recording.requests()
    hit = requests.changed["x + 2"]
    assert hit.any()
    assert set(requests.slot[hit] % 2) == {1}
    assert (requests.strength["x + 2"] > 0).sum() == hit.sum()
    (drawn,) = [t for t in done.verdict.timeline.strength if t.name == "x + 2"]
    assert {v for at, v in zip(drawn.times, drawn.values, strict=True) if FAULT <= at < RECOVERY} == {1.0}
    assert series(done.recording, "toy_calls_total").labels["instance"] == model.url.removeprefix("http://")


def test_each_replicas_counter_is_waited_for_until_it_has_what_the_replica_answered(drilled: Drill) -> None:
    def behind(model: Toy) -> Toy:
        """Every other look at its page shows one request less, once the drill goes on: it counts after it answers."""

        def page(scrape: int) -> Answer | None:
            if scrape < 5 or scrape % 2:
                return None
            seen = model.metrics()
            less = seen.body.replace(f"total {model.requests}", f"total {model.requests - 1}")
            return Answer(less, headers=seen.headers)

        model.page = page
        return model

    with toy.serve(behind(Toy())) as first, toy.serve(behind(Toy())) as second:
        done = drilled(first.url, settings={"replicas": (second.url,)}, faults="[Fault('x + 2', moved)]")
    (counter,) = [e for e in done.events if e["event"] == "counter"]
    assert (counter["name"], counter["unsettled"]) == ("toy_requests_total", 0)
    requests = done.recording.requests()
    for number, model in enumerate((first, second)):
        counted = series(done.recording, "toy_requests_total", instance=model.url.removeprefix("http://"))
        asked = np.sort(requests.intended[requests.slot % 2 == number])
        inside = counted.times > 0
        probe = counted.values[inside] - np.searchsorted(asked, counted.times[inside] / 1000)
        assert set(probe[1:].tolist()) == {1.0}


def test_what_a_page_fault_leaves_stale_does_not_hide_the_counter(drilled: Drill, model: Toy) -> None:
    done = drilled(
        model.url,
        imports="from driftdrill.stack.faults.pages import AddLabel",
        faults="[Fault('collision', AddLabel(label='job', value='other', metric='toy_requests'))]",
    )
    assert done.verdict.exit_code == 0, done.verdict.failures
    (counter,) = [e for e in done.events if e["event"] == "counter"]
    assert (counter["name"], counter["unsettled"]) == ("toy_requests_total", 0)


def test_a_replica_that_the_target_does_not_have_is_refused(drilled: Drill, model: Toy) -> None:
    refused(
        lambda: drilled(model.url, faults="[Fault('x', moved, replica=3)]"),
        "target 'target' has 1 addresses, and a fault acts on replica 3",
        "--replica URL",
    )


# The canary


KNOWN = "Canary(lambda: {'x': np.array([0.1, 0.4, 0.7]), 'known': np.array([0.1, 0.4, 0.7])}, answer='known', every=15)"
ASKED = "Canary(lambda: {'x': np.array([0.1, 0.4, 0.7])}, every=15)"
CANARY_RULES = """\
groups:
- name: canary
  rules:
  - alert: CanaryDeviates
    expr: max(max_over_time(driftdrill_canary_deviation[1m])) > 0.05
  - alert: CanaryFails
    expr: sum(increase(driftdrill_canary_requests_total{outcome="failed"}[1m])) > 0
"""


def test_a_canary_sees_a_model_that_answers_otherwise(drilled: Drill, mode: Path, tmp_path: Path) -> None:
    (tmp_path / "canary.yml").write_text(CANARY_RULES)
    with toy.serve(moody(mode)) as model:
        toml(tmp_path, model.url, f"printf wrong >{mode}", f"printf right >{mode}")
        done = drilled(
            None,
            canary=KNOWN,
            rules="['canary.yml']",
            faults=OLD,
            expect="[fires('CanaryDeviates', within=60), resolves('CanaryDeviates'), quiet('CanaryFails')]",
        )
    assert done.verdict.exit_code == 0, done.verdict.failures
    deviation = series(done.recording, "driftdrill_canary_deviation", canary="golden", job="driftdrill")
    assert deviation.labels["instance"] == "driftdrill"
    assert set(deviation.values[deviation.times < FAULT * 1000].tolist()) == {0.0}
    phases = [s for s in done.recording.samples() if s.labels["__name__"] == "driftdrill_phase"]
    assert {s.labels["phase"] for s in phases} == {"warm_up", "baseline", "fault", "recovery"}


def test_a_canary_that_gets_no_answer_counts_it(drilled: Drill, model: Toy, tmp_path: Path) -> None:
    (tmp_path / "canary.yml").write_text(CANARY_RULES)
    done = drilled(
        model.url,
        canary=ASKED,
        rules="['canary.yml']",
        imports="from driftdrill.stack.faults.network import Status",
        faults="[Fault('errors', Status(503))]",
        expect="[fires('CanaryFails'), resolves('CanaryFails'), quiet('CanaryDeviates')]",
    )
    assert done.verdict.exit_code == 0, done.verdict.failures


def test_a_canary_without_its_answers_column_is_refused(drilled: Drill, model: Toy) -> None:
    refused(
        lambda: drilled(model.url, canary=KNOWN.replace("answer='known'", "answer='nown'")),
        "Canary: rows have no column 'nown'",
        "correct the scenario file",
    )


def test_the_drills_own_page_can_be_asked_while_it_runs(drilled: Drill) -> None:
    port, pages = free_port(), list[str]()

    def predict(number: int, asked: object) -> None:
        if number == 300:
            pages.append(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text)

    with toy.serve(Toy(predict=predict)) as model:
        drilled(model.url, settings={"metrics_port": port}, canary=KNOWN)
    assert 'driftdrill_phase{phase="baseline"} 1.0' in pages[0] or 'driftdrill_phase{phase="fault"} 1.0' in pages[0]
    assert 'driftdrill_fault_strength_ratio{fault="x + 2"}' in pages[0]


def test_a_port_of_the_drills_own_page_that_is_taken_is_told(drilled: Drill, model: Toy) -> None:
    port = int(model.url.rpartition(":")[2])
    refused(lambda: drilled(model.url, settings={"metrics_port": port}, canary=KNOWN), f"on port {port}", "free one")

"""Faults beyond rows, each in a drill of its own on a real model: in force, recorded, undone, and never pretended."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from harness.drive.recording import Recording, Samples
from tests.harness import scenarios, toy
from tests.harness.command import ROOT, Cli, assert_told, eventually
from tests.harness.toy import Answer, Toy

FAULT, RECOVERY = 165.0, 315.0
"""Scenario seconds at which the phases of the toy's scenario begin."""
QUIET = "[quiet('Down')]"


def drilled(cli: Cli, model: Toy, *more: object, code: int = 0, **fields: str) -> Recording:
    """A drill of the toy in virtual time."""
    file = scenarios.write(cli.folder, **{"expect": QUIET, **fields})  # type: ignore[arg-type]
    done = cli("run", file, "--target", model.url, *more)
    assert done.code == code, done
    return done.recording


def series(recording: Recording, name: str, **labels: str) -> Samples:
    """The one series of that name that carries these labels."""
    found = [s for s in recording.samples() if s.labels["__name__"] == name and labels.items() <= s.labels.items()]
    assert len(found) == 1, [s.labels for s in recording.samples()]
    return found[0]


def alive(one: Samples) -> tuple[float, float]:
    """Seconds of the first and the last sample that is no stale marker."""
    times = one.times[~one.stale] / 1000
    return float(times[0]), float(times[-1])


def ledger(recording: Recording) -> int:
    """What the fault's last event says that it touched."""
    return int(next(e["touched"] for e in reversed(recording.events()) if e["event"] == "fault"))


# Networks


def test_http_errors_of_a_proxy_reach_the_load_and_not_the_service(cli: Cli, model: Toy) -> None:
    recording = drilled(
        cli, model, imports="from stack.proxy import Status", faults="[Fault('errors', Status(503, share=0.4))]"
    )

    requests = recording.requests()
    failed = requests.status == 503
    assert failed.sum() == ledger(recording) > 50
    assert FAULT <= requests.intended[failed].min() < requests.intended[failed].max() < RECOVERY
    assert model.requests == int((~failed).sum()) + 1  # and the probe: what the proxy answered never came here
    assert recording.meta.target["connections"][0]["url"] == model.url
    (counter,) = [e for e in recording.events() if e["event"] == "counter"]
    assert (counter["name"], counter["unsettled"]) == ("toy_requests_total", 0)


def test_a_fault_of_the_network_is_refused_where_the_requests_go_through_a_proxy_of_yours(cli: Cli, model: Toy) -> None:
    (cli.folder / "driftdrill.toml").write_text(f"[targets.toy]\nurl = '{model.url}'\nproxy = 'http://127.0.0.1:9'\n")
    file = scenarios.write(cli.folder, imports="from stack.proxy import Status", faults="[Fault('e', Status(503))]")

    assert_told(cli("run", file).refused(), "fault 'e' acts before the target.*proxy http://127.0.0.1:9")
    assert model.requests == 0


def test_two_runs_of_one_seed_hit_the_same_requests(cli: Cli, model: Toy) -> None:
    file = scenarios.write(
        cli.folder,
        expect=QUIET,
        imports="from stack.proxy import Status",
        faults="[Fault('e', Status(503, share=0.3))]",
    )
    hit = []
    for out in ("one.drill", "two.drill"):
        assert cli("run", file, "--target", model.url, "--out", out).code == 0
        from harness.drive.recording import open_recording

        requests = open_recording(cli.folder / out).requests()
        hit.append(int((requests.status == 503).sum()))
    assert hit[0] == hit[1] > 0


def test_a_fault_whose_selector_fits_nothing_makes_the_drill_invalid(cli: Cli, model: Toy) -> None:
    file = scenarios.write(
        cli.folder, imports="from stack.proxy import Status", faults="[Fault('e', Status(503, path='/elsewhere'))]"
    )
    told = cli("run", file, "--target", model.url).invalid()
    assert "its selector fits none of" in told


def test_a_fault_that_takes_real_time_is_refused_in_virtual_time(cli: Cli, model: Toy) -> None:
    file = scenarios.write(
        cli.folder, imports="from stack.proxy import Latency", faults="[Fault('slow', Latency(300))]"
    )
    told = cli("run", file, "--target", model.url).refused()
    assert_told(told, "fault 'slow' takes real time", "--clock wall")


@pytest.mark.slow
def test_latency_and_a_renamed_metric_on_the_wall_clock(cli: Cli, model: Toy) -> None:
    file = scenarios.write(
        cli.folder,
        scenarios.WALL,
        expect="[fires('Gone'), quiet('Down')]",
        imports="from stack.proxy import Latency\nfrom stack.scrape.pagefaults import RenameMetric",
        faults="[Fault('slow', Latency(150)), Fault('renamed', RenameMetric(metric='toy_x', to='toy_y'))]",
        rules="['gone.yml']",
    )
    (cli.folder / "gone.yml").write_text(
        "groups: [{name: g, rules: [{alert: Gone, expr: absent(toy_x_count)}, {alert: Down, expr: up == 0}]}]"
    )
    done = cli("run", file, "--target", model.url)

    assert done.code == 0, done
    requests, (fault, recovery) = done.recording.requests(), (6.0, 11.0)
    during = (requests.intended > fault + 1) & (requests.intended < recovery - 1)
    assert np.median(requests.took[during]) > 0.15 > np.median(requests.took[requests.intended < fault])
    assert series(done.recording, "toy_y_count").labels["instance"] == model.url.removeprefix("http://")
    assert fault < alive(series(done.recording, "toy_y_count"))[0] < recovery


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
def test_a_hang_of_the_process_that_listens_is_seen_by_the_scrape_and_ends_with_the_fault(cli: Cli) -> None:
    file = scenarios.write(
        cli.folder,
        scenarios.WALL,
        expect="[fires('Down'), resolves('Down')]",
        imports="from stack.held import Hang",
        faults="[Fault('hang', Hang())]",
        truth="None",
        smallest_harm="None",
    )
    with served_apart() as url:
        (cli.folder / "driftdrill.toml").write_text(
            f'[targets.toy]\nurl = "{url}"\ntimeout = 1.0\nprocess = {{ listens = true }}\n'
        )
        done = cli("run", file)
    assert done.code == 0, done
    assert set(done.recording.requests().failure) >= {"", "timeout"}


def test_a_process_fault_without_a_process_says_what_is_missing(cli: Cli, model: Toy) -> None:
    file = scenarios.write(
        cli.folder, scenarios.WALL, imports="from stack.held import Hang", faults="[Fault('hang', Hang())]"
    )
    told = cli("run", file, "--target", model.url).refused()
    assert_told(told, "fault 'hang' acts on a process or container, and target 'target' names none", "listens = true")


# Services


def moody(mode: Path) -> Toy:
    """A toy that answers otherwise while its file says so."""
    return Toy(predict=lambda number, asked: Answer('{"prediction": 0.25}') if mode.read_text() == "wrong" else None)


@pytest.fixture
def mode(tmp_path: Path) -> Path:
    path = tmp_path / "mode"
    path.write_text("right")
    return path


def toml(cli: Cli, url: str, apply: str, revert: str) -> None:
    (cli.folder / "driftdrill.toml").write_text(
        f'[targets.toy]\nurl = "{url}"\n[targets.toy.hooks.old_model]\n'
        f"apply = {{ command = ['sh', '-c', '{apply}'] }}\nrevert = {{ command = ['sh', '-c', '{revert}'] }}\n"
    )


def test_a_control_hook_is_in_force_while_golden_answers_differ(cli: Cli, mode: Path) -> None:
    with toy.serve(moody(mode)) as model:
        toml(cli, model.url, f"printf wrong >{mode}", f"printf right >{mode}")
        file = scenarios.write(
            cli.folder, expect=QUIET, faults="[Fault('old', control('old_model'), id='mis.wrong_version')]"
        )
        done = cli("run", file)
    assert done.code == 0, done
    requests = done.recording.requests()
    wrong = requests.prediction[:, 0] == 0.25
    assert wrong[(requests.intended > FAULT + 16) & (requests.intended < RECOVERY)].all()
    assert mode.read_text() == "right"


def test_a_hook_that_changes_nothing_makes_the_drill_invalid(cli: Cli, mode: Path) -> None:
    with toy.serve(moody(mode)) as model:
        toml(cli, model.url, "true", "true")
        told = cli("run", scenarios.write(cli.folder, faults="[Fault('old', control('old_model'))]")).invalid()
    assert "expected the answers to golden requests to change; seen: the same" in " ".join(told.split())


def test_a_hook_whose_revert_does_nothing_makes_the_drill_invalid(cli: Cli, mode: Path) -> None:
    with toy.serve(moody(mode)) as model:
        toml(cli, model.url, f"printf wrong >{mode}", "true")
        told = cli("run", scenarios.write(cli.folder, faults="[Fault('old', control('old_model'))]")).invalid()
    assert "as before once it was undone" in " ".join(told.split())


def test_a_revert_that_fails_is_the_loudest_line_and_exit_code_2(cli: Cli, mode: Path) -> None:
    with toy.serve(moody(mode)) as model:
        toml(cli, model.url, f"printf wrong >{mode}", "exit 7")
        done = cli.start("run", scenarios.write(cli.folder, faults="[Fault('old', control('old_model'))]")).wait(
            left=True
        )
    told = done.refused()
    assert_told(told, "FAULT NOT UNDONE: 'old': .*status 7", "DO BY HAND: sh -c exit 7")


def test_a_hook_that_the_target_does_not_offer_is_told_with_the_nearest(cli: Cli, mode: Path) -> None:
    with toy.serve(moody(mode)) as model:
        toml(cli, model.url, "true", "true")
        told = cli("run", scenarios.write(cli.folder, faults="[Fault('old', control('old_modle'))]")).refused()
    assert_told(told, "target 'toy' offers no control hook 'old_modle'", "did you mean old_model")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_hook_is_reverted_however_the_drill_ends(cli: Cli, mode: Path, number: signal.Signals) -> None:
    with toy.serve(moody(mode)) as model:
        # The load waits for an answer while the hook is in force.
        inner, model.predict = model.predict, lambda n, asked: _slowly(inner, mode, n, asked)
        toml(cli, model.url, f"printf wrong >{mode}", f"printf right >{mode}")
        running = cli.start("run", scenarios.write(cli.folder, faults="[Fault('old', control('old_model'))]"))
        eventually(lambda: mode.read_text() == "wrong" or running.ended, "the hook is in force")
        running.send(number)
        running.wait(left=number == signal.SIGKILL)
        eventually(lambda: mode.read_text() == "right", "the revert")


def _slowly(inner: object, mode: Path, number: int, asked: object) -> Answer | None:
    import time

    if mode.read_text() == "wrong":
        time.sleep(0.05)
    return inner(number, asked)  # type: ignore[operator]


# Monitoring


def test_a_renamed_metric_is_gone_in_the_fault_and_back_after_it(cli: Cli, model: Toy) -> None:
    recording = drilled(
        cli,
        model,
        imports="from stack.scrape.pagefaults import RenameMetric",
        faults="[Fault('renamed', RenameMetric(metric='toy_x', to='toy_y'))]",
    )
    old, new = series(recording, "toy_x_count"), series(recording, "toy_y_count")
    begun, ended = alive(new)
    assert FAULT <= begun < FAULT + 15
    assert RECOVERY - 15 <= ended < RECOVERY
    assert old.stale.sum() == new.stale.sum() == 1
    assert not ((old.times[~old.stale] / 1000 >= FAULT) & (old.times[~old.stale] / 1000 < RECOVERY)).any()
    assert alive(old)[1] > RECOVERY
    assert ledger(recording) == 10
    assert model.requests == len(recording.requests()) + 1


def test_a_page_fault_that_fits_no_series_makes_the_drill_invalid(cli: Cli, model: Toy) -> None:
    file = scenarios.write(
        cli.folder,
        imports="from stack.scrape.pagefaults import DropSeries",
        faults="[Fault('drop', DropSeries(metric='toy_z'))]",
    )
    assert "it changed nothing that passed" in cli("run", file, "--target", model.url).invalid()


def test_a_page_that_comes_too_late_fails_its_scrapes(cli: Cli, model: Toy) -> None:
    recording = drilled(
        cli,
        model,
        expect="[fires('Down'), resolves('Down')]",
        imports="from stack.scrape.pagefaults import SlowPage",
        faults="[Fault('slow', SlowPage(30))]",
    )
    up = series(recording, "up")
    down = up.times[up.values == 0] / 1000
    assert FAULT <= down.min() < down.max() < RECOVERY
    assert len(down) == 10


def test_a_renamed_job_ends_the_old_series_and_begins_new_ones(cli: Cli, model: Toy) -> None:
    recording = drilled(
        cli,
        model,
        imports="from stack.scrape.jobfaults import RenameJob",
        faults="[Fault('renamed', RenameJob(to='model-v2'))]",
    )
    new, old = series(recording, "up", job="model-v2"), series(recording, "up", job="model")
    assert FAULT <= alive(new)[0] < alive(new)[1] < RECOVERY
    assert old.stale.sum() == new.stale.sum() == 0  # as in Prometheus: they live on for five minutes
    assert not ((old.times >= FAULT * 1000) & (old.times < RECOVERY * 1000)).any()
    assert alive(old)[1] > RECOVERY


@pytest.mark.parametrize("how", ["WrongPort()", "WrongPath('/nothing')", "SampleLimit(1)"])
def test_a_wrong_scrape_configuration_takes_the_target_down(cli: Cli, how: str) -> None:
    page = toy.Toy(page=lambda number: None)
    inner = page.answer
    page.answer = lambda method, path, headers, body: (  # type: ignore[method-assign]
        Answer("not here", 404) if path == "/nothing" else inner(method, path, headers, body)
    )
    with toy.serve(page) as model:
        recording = drilled(
            cli,
            model,
            expect="[fires('Down'), resolves('Down')]",
            imports="from stack.scrape.jobfaults import SampleLimit, WrongPath, WrongPort",
            faults=f"[Fault('wrong', {how})]",
        )
    up = series(recording, "up")
    assert len(up.times[up.values == 0]) == 10
    assert series(recording, "toy_x_count").stale.sum() == 1


def test_a_longer_scrape_interval_leaves_fewer_samples_in_the_fault(cli: Cli, model: Toy) -> None:
    recording = drilled(
        cli,
        model,
        imports="from stack.scrape.jobfaults import ScrapeInterval",
        faults="[Fault('slow', ScrapeInterval(interval=60))]",
    )
    times = series(recording, "up").times / 1000
    inside = times[(times >= FAULT) & (times < RECOVERY)]
    assert (np.diff(inside) == 60).all()
    assert (np.diff(times[times < FAULT]) == 15).all()


def test_a_metric_dropped_by_relabelling_is_gone_and_up_stays(cli: Cli, model: Toy) -> None:
    recording = drilled(
        cli,
        model,
        imports="from stack.scrape.jobfaults import DropByRelabel",
        faults="[Fault('dropped', DropByRelabel(metric='toy_x_.*'))]",
    )
    assert (series(recording, "up").values == 1).all()
    left = series(recording, "scrape_samples_post_metric_relabeling")
    inside = (left.times >= FAULT * 1000) & (left.times < RECOVERY * 1000)
    assert set(left.values[inside]) == {1.0}
    assert set(left.values[~inside]) == {3.0}


def test_faults_of_the_scraping_need_a_prometheus_of_ours_on_the_wall_clock(cli: Cli, model: Toy) -> None:
    file = scenarios.write(
        cli.folder,
        scenarios.WALL,
        imports="from stack.scrape.jobfaults import WrongPath",
        faults="[Fault('wrong', WrongPath())]",
    )
    told = cli("run", file, "--target", model.url, "--prometheus", "http://127.0.0.1:9").refused()
    assert_told(told, "a Prometheus of yours is not ours to change", "virtual time")


# Traffic


def test_no_traffic_is_a_fault_that_begins_with_its_phase(cli: Cli, model: Toy) -> None:
    (cli.folder / "idle.yml").write_text(
        "groups: [{name: g, rules: [{alert: Idle, expr: 'rate(toy_requests_total[1m]) == 0'}]}]"
    )
    recording = drilled(
        cli, model, expect="[fires('Idle', within=90), resolves('Idle')]", faults="[Fault('none', load(times=0))]",
        rules="['idle.yml']",
    )  # fmt: skip
    intended = recording.requests().intended
    assert not ((intended >= FAULT) & (intended < RECOVERY)).any()
    assert (intended > RECOVERY).sum() > 100


def test_more_traffic_keeps_what_was_planned_and_adds_to_it(cli: Cli, model: Toy) -> None:
    more = drilled(cli, model, "--out", "more.drill", faults="[Fault('more', load(times=4))]").requests().intended
    inside = ((more >= FAULT) & (more < RECOVERY)).sum()
    assert 4 * 2 * 150 * 0.9 < inside < 4 * 2 * 150 * 1.1


# One of several replicas


def test_a_fault_on_one_replica_leaves_the_others_alone(cli: Cli, model: Toy) -> None:
    with toy.serve(Toy()) as second:
        recording = drilled(
            cli,
            model,
            "--replica",
            second.url,
            imports="from stack.scrape.pagefaults import RenameMetric",
            faults="[Fault('x + 2', moved, replica=1), "
            "Fault('renamed', RenameMetric(metric='toy_requests', to='toy_calls'), replica=0)]",
        )
    requests = recording.requests()
    hit = requests.changed["x + 2"]
    assert hit.any()
    assert set(requests.slot[hit] % 2) == {1}
    assert (requests.strength["x + 2"] > 0).sum() == hit.sum()
    assert series(recording, "toy_calls_total").labels["instance"] == model.url.removeprefix("http://")


def test_a_replica_that_the_target_does_not_have_is_refused(cli: Cli, model: Toy) -> None:
    told = cli(
        "run", scenarios.write(cli.folder, faults="[Fault('x', moved, replica=3)]"), "--target", model.url
    ).refused()
    assert_told(told, "target 'target' has 1 addresses, and a fault acts on replica 3", "--replica URL")


# The canary


CANARY = (
    "Canary(lambda: {'x': np.array([0.1, 0.4, 0.7]), 'known': np.array([0.1, 0.4, 0.7])}, answer='known', every=15)"
)
CANARY_RULES = """\
groups:
- name: canary
  rules:
  - alert: CanaryDeviates
    expr: max(max_over_time(driftdrill_canary_deviation[1m])) > 0.05
  - alert: CanaryFails
    expr: sum(increase(driftdrill_canary_requests_total{outcome="failed"}[1m])) > 0
"""


def test_a_canary_sees_a_model_that_answers_otherwise(cli: Cli, mode: Path) -> None:
    (cli.folder / "canary.yml").write_text(CANARY_RULES)
    with toy.serve(moody(mode)) as model:
        toml(cli, model.url, f"printf wrong >{mode}", f"printf right >{mode}")
        file = scenarios.write(
            cli.folder,
            canary=CANARY,
            rules="['canary.yml']",
            faults="[Fault('old', control('old_model'))]",
            expect="[fires('CanaryDeviates', within=60), resolves('CanaryDeviates'), quiet('CanaryFails')]",
        )
        done = cli("run", file)
    assert done.code == 0, done
    deviation = series(done.recording, "driftdrill_canary_deviation", canary="golden", job="driftdrill")
    assert deviation.labels["instance"] == "driftdrill"
    assert set(deviation.values[deviation.times < FAULT * 1000].tolist()) == {0.0}
    phases = [s for s in done.recording.samples() if s.labels["__name__"] == "driftdrill_phase"]
    assert {s.labels["phase"] for s in phases} == {"warm_up", "baseline", "fault", "recovery"}


def test_a_canary_that_gets_no_answer_counts_it(cli: Cli, model: Toy) -> None:
    (cli.folder / "canary.yml").write_text(CANARY_RULES)
    drilled(
        cli,
        model,
        canary=CANARY.replace("answer='known', ", "").replace(", 'known': np.array([0.1, 0.4, 0.7])", ""),
        rules="['canary.yml']",
        imports="from stack.proxy import Status",
        faults="[Fault('errors', Status(503))]",
        expect="[fires('CanaryFails'), resolves('CanaryFails'), quiet('CanaryDeviates')]",
    )


def test_a_canary_without_its_answers_column_is_refused(cli: Cli, model: Toy) -> None:
    told = cli(
        "run",
        scenarios.write(cli.folder, canary=CANARY.replace("answer='known'", "answer='nown'")),
        "--target",
        model.url,
    ).refused()
    assert_told(told, "Canary: rows have no column 'nown'", "correct the scenario file")


def test_the_drills_own_page_can_be_asked_while_it_runs(cli: Cli) -> None:
    import requests

    from tests.stack.services import free_port

    port, pages = free_port(), []
    with toy.serve(
        Toy(
            predict=lambda n, asked: (
                pages.append(requests.get(f"http://127.0.0.1:{port}/metrics", timeout=5).text) if n == 300 else None
            )
        )
    ) as model:
        drilled(cli, model, "--metrics-port", port, canary=CANARY)
    assert 'driftdrill_phase{phase="fault"} 1.0' in pages[0] or 'driftdrill_phase{phase="baseline"} 1.0' in pages[0]
    assert 'driftdrill_fault_strength_ratio{fault="x + 2"}' in pages[0]
    assert os.environ.get("TOKEN", "hunter2") not in pages[0]

"""The command line as a user meets it: what holds, what fails, and where verdicts go."""

import json
import sys
from xml.etree import ElementTree

import pytest

from tests.harness import scenarios
from tests.harness.command import Cli
from tests.harness.toy import Toy
from tests.stack.services import upstream

WRONG = "[fires('Down', within=60), quiet('HighMean')]"
"""Expectations that the drill does not meet."""


def test_a_drill_that_holds_exits_0_and_leaves_a_recording(cli: Cli, model: Toy) -> None:
    done = cli("run", scenarios.write(cli.folder), "--target", model.url)

    assert done.code == 0, done
    assert done.recording.events()[-1]["complete"] is True
    assert len(done.recording.requests()) == done.recording.meta.planned
    assert f"recording: {done.recording.path.name}" in done.out


def test_a_drill_that_fails_exits_1_and_every_form_of_the_verdict_says_so(cli: Cli, model: Toy) -> None:
    outputs = ("--json", "out/v.json", "--junit", "out/v.xml", "--html", "out/v.html", "--markdown", "out/v.md")

    done = cli("run", scenarios.write(cli.folder, expect=WRONG), "--target", model.url, *outputs)

    assert done.code == 1, done
    verdict = json.loads((cli.folder / "out" / "v.json").read_text())
    assert [finding["held"] for finding in verdict["findings"]] == [False, False]
    suite = ElementTree.parse(cli.folder / "out" / "v.xml").getroot()
    assert len(list(suite.iter("failure"))) == 2
    for name in ("v.html", "v.md"):
        assert "HighMean" in (cli.folder / "out" / name).read_text(encoding="utf-8")


def test_recording_and_judging_apart_give_the_same_verdict_as_at_once(cli: Cli, model: Toy) -> None:
    file = scenarios.write(cli.folder)
    at_once = cli("run", file, "--target", model.url, "--out", "a.drill", "--json", "a.json")
    recorded = cli("record", file, "--target", model.url, "--out", "b.drill")
    judged = cli("judge", "a.drill", "--json", "b.json")
    reported = cli("report", "a.json")

    assert (at_once.code, recorded.code, judged.code, reported.code) == (0, 0, 0, 0)
    assert "recording: b.drill" in recorded.out
    assert (cli.folder / "a.json").read_bytes() == (cli.folder / "b.json").read_bytes()
    assert reported.out.strip() == judged.out.replace("written: b.json\n", "").strip()


def test_a_recording_is_judged_by_other_rules(cli: Cli, model: Toy) -> None:
    cli("record", scenarios.write(cli.folder), "--target", model.url, "--out", "a.drill")
    (cli.folder / "blind.yml").write_text(
        "groups: [{name: blind, rules: [{alert: HighMean, expr: toy_x_sum / toy_x_count > 9}, "
        "{alert: Down, expr: up == 0}]}]\n"
    )

    done = cli("judge", "a.drill", "--rules", "blind.yml")

    assert done.code == 1, done
    assert "SILENT" in done.out


def test_a_silent_failure_fails_the_drill_where_it_is_asked_to(cli: Cli, model: Toy) -> None:
    file = scenarios.write(cli.folder, expect="[quiet('Down')]")
    (cli.folder / "toy.yml").write_text("groups: [{name: a, rules: [{alert: Down, expr: up == 0}]}]\n")

    cli("record", file, "--target", model.url, "--out", "a.drill")

    assert cli("judge", "a.drill").code == 0
    assert cli("judge", "a.drill", "--fail-on", "silent_failure").code == 1


@pytest.mark.parametrize(("expect", "code"), [(scenarios.VIRTUAL["expect"], 0), (WRONG, 1)], ids=["held", "failed"])
def test_locust_plays_the_same_file_to_the_same_verdict(cli: Cli, model: Toy, expect: str, code: int) -> None:
    file = scenarios.write(cli.folder, expect=expect)
    file.write_text(
        file.read_text() + "\nfrom driftdrill import ModelUser\n\n\nclass Load(ModelUser):\n    scenario = drill\n"
    )
    args = ("-f", file, "--headless", "--host", model.url, "--out", "a.drill")

    done = cli.start(*args, program=(sys.executable, "-m", "locust")).wait()
    again = cli("judge", "a.drill")

    assert done.code == again.code == code, done
    assert again.out.strip() in done.out


def test_list_names_every_built_in_scenario(cli: Cli) -> None:
    done = cli("list")

    assert done.code == 0
    for name in ("delays_in_seconds", "wrong_join", "harmless_shift", "delays_in_seconds_on_the_wall"):
        assert f"{name}: " in done.out


def test_doctor_says_what_this_machine_can_do_and_what_a_target_lacks(cli: Cli, model: Toy) -> None:
    good = cli("doctor", "--target", model.url)
    bad = cli("doctor", "--target", "http://127.0.0.1:9")

    assert good.code == 0, good
    assert "virtual drills: yes" in good.out
    assert "3 samples" in good.out
    assert "no  protocol of the target" in good.out  # it answers every GET with its metrics
    assert "docs/protocols.md" in good.out
    assert bad.code == 2
    assert "no  target" in bad.out


def test_doctor_finds_the_protocol_of_a_server_that_tells_it(cli: Cli) -> None:
    pages = {"/openapi.json": b'{"paths": {"/score": {"post": {}}}}', "/metrics": b"up 1\n"}
    with upstream(lambda path, body: pages.get(path, b"{}")) as server:
        told = cli("doctor", "--target", server.url)
        assert {method for method, _, _ in server.requests} == {"GET"}
    assert "json (/openapi.json lists POST /score), path = '/score'" in told.out, told


def test_a_log_gets_plain_lines_with_phase_rate_and_fault(cli: Cli, model: Toy) -> None:
    done = cli("run", scenarios.write(cli.folder), "--target", model.url)

    lines = done.err.splitlines()
    assert any("baseline" in line and "req/s" in line for line in lines)
    assert any("fault x + 2 1.00" in line for line in lines)
    assert "\x1b" not in done.err + done.out


def test_two_drills_of_one_seed_send_the_same_and_another_seed_does_not(cli: Cli, model: Toy) -> None:
    file = scenarios.write(cli.folder)
    for out, seed in (("a.drill", 1), ("b.drill", 1), ("c.drill", 2)):
        assert cli("run", file, "--target", model.url, "--seed", seed, "--out", out).code == 0

    from driftdrill.harness.recording.reader import open_recording

    a, b, c = (open_recording(cli.folder / name).requests() for name in ("a.drill", "b.drill", "c.drill"))
    assert (a.intended == b.intended).all()
    assert (a.prediction == b.prediction).all()
    assert len(a) != len(c) or (a.intended != c.intended).any()

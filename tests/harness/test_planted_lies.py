"""A drill that proves nothing is never green: each lie ends INVALID (3), or is refused before the drill (2)."""

import random
import re
import signal

import pytest

from driftdrill.stack.prometheus.api import Server
from tests.harness import scenarios, toy
from tests.harness.command import Cli, Done, eventually, prometheus_for
from tests.harness.toy import Answer, Toy


def drilled(cli: Cli, model: Toy, *args: object, **fields: str) -> Done:
    """One drill in virtual time of the scenario with these fields."""
    return cli("run", scenarios.write(cli.folder, **fields), "--target", model.url, *args)


def test_the_honest_drill_holds(cli: Cli, model: Toy) -> None:
    """Without a lie, the scenario that the others are made from is VALID and green."""
    done = drilled(cli, model)

    assert done.code == 0, done
    assert "VALID" in done.out


# The fault.


@pytest.mark.parametrize(
    ("fault", "why"),
    [
        ("Fault('x + 2', moved, strength=constant(0))", "was never in force: its strength stayed 0"),
        ("Fault('x + 2', moved, strength=step(at=1000))", "never in force: its strength stayed 0"),
        ("Fault('nothing', nothing)", r"fault 'nothing' was not really in force: it changed none of \d+ requests"),
        ("Fault('few', moved, where=lambda rows: rows['x'] > 9)", "it changed none of"),
    ],
    ids=["strength 0", "begins after its phase", "changes nothing", "matches no row"],
)
def test_a_fault_that_was_not_in_force_makes_the_drill_invalid(cli: Cli, model: Toy, fault: str, why: str) -> None:
    assert re.search(why, flat(drilled(cli, model, faults=f"[{fault}]").invalid()))


def flat(text: str) -> str:
    """Wrapped lines made one."""
    return " ".join(text.split())


# The rules.


def test_an_empty_folder_of_rules_is_refused(cli: Cli, model: Toy) -> None:
    (cli.folder / "rules").mkdir()

    for given in ("rules", "rules/", "rules/*.yml"):
        cause, _ = drilled(cli, model, "--rules", given).refused()
        assert "rules" in cause
    assert model.requests == 0


def test_rules_without_an_alert_are_refused(cli: Cli, model: Toy) -> None:
    (cli.folder / "records.yml").write_text("groups: [{name: a, rules: [{record: 'a:up', expr: up}]}]\n")

    assert "no alert" in drilled(cli, model, "--rules", "records.yml", expect="[]").refused()[0]


@pytest.mark.parametrize(
    ("rule", "why"),
    [
        ("{alert: HighMean, expr: toy_requests_total >= 0}", "HighMean, which must fire, was firing in the baseline"),
        (
            "{alert: HighMean, expr: toy_requests_total > 150, for: 120s}",
            "HighMean, which must fire, was pending when the fault began",
        ),
    ],
    ids=["firing", "pending"],
)
def test_an_alert_that_was_on_its_way_before_the_fault_makes_the_drill_invalid(
    cli: Cli, model: Toy, rule: str, why: str
) -> None:
    (cli.folder / "early.yml").write_text(f"groups: [{{name: early, rules: [{rule}]}}]\n")

    done = drilled(cli, model, "--rules", "early.yml", expect="[fires('HighMean')]")

    assert why in flat(done.invalid())


# The metrics page.


def test_a_metrics_page_that_breaks_after_the_first_scrapes_makes_the_drill_invalid(cli: Cli) -> None:
    with toy.serve(Toy(page=lambda scrape: Answer("broken", 500) if scrape > 12 else None)) as model:
        done = drilled(cli, model)

    assert re.search("was up at .* in the .* phase", flat(done.invalid()))


def test_a_metrics_page_of_another_model_makes_the_drill_invalid_where_the_counter_is_known(
    cli: Cli, model: Toy
) -> None:
    with toy.serve(Toy()) as other:
        (cli.folder / "driftdrill.toml").write_text(
            f"[targets.toy]\nurl = '{model.url}'\nrequest_counter = 'toy_requests_total'\n"
            f"metrics = [{{ url = '{other.url}/metrics' }}]\n"
        )
        done = cli("run", scenarios.write(cli.folder))

    assert "is this the model's metrics page? toy_requests_total grew by 0" in flat(done.invalid())


def test_a_counter_that_counts_is_no_reason(cli: Cli, model: Toy) -> None:
    (cli.folder / "driftdrill.toml").write_text(
        f"[targets.toy]\nurl = '{model.url}'\nrequest_counter = 'toy_requests_total'\n"
    )

    assert cli("run", scenarios.write(cli.folder)).code == 0


# The model.


@pytest.mark.parametrize("kind", ["constant", "random", "reversed"])
def test_a_model_whose_answers_say_nothing_of_the_truth_makes_the_drill_invalid(cli: Cli, kind: str) -> None:
    drawn = random.Random(4)

    def predict(number: int, asked: dict[str, float]) -> Answer:
        value = {"constant": 0.7, "random": drawn.random(), "reversed": 1 - min(asked["x"], 1.0)}[kind]
        return Answer(f'{{"prediction": {value}}}')

    with toy.serve(Toy(predict=predict)) as model:
        done = drilled(cli, model, rate="constant(10)")  # few rows would leave it open whether answers are random

    assert "is this the right model?" in flat(done.invalid())


def test_a_model_that_refuses_most_clean_rows_makes_the_drill_invalid(cli: Cli) -> None:
    with toy.serve(Toy(predict=lambda number, asked: Answer("no", 422) if number % 3 else None)) as model:
        model.requests = 2  # the probe's row is answered
        done = drilled(cli, model)

    assert "the target answered only" in flat(done.invalid())


# The generator.


@pytest.mark.slow
def test_a_generator_that_is_too_slow_makes_the_drill_invalid(cli: Cli, prometheus_binary: str) -> None:
    """300,000 requests a second are beyond what one processor sends, whatever the target."""
    file = scenarios.write(
        cli.folder,
        scenarios.WALL,
        rate="constant(300_000)",
        late_after="0.05",
        warm_up="0",
        baseline="0.5",
        fault="1.2",
        recovery="0",
        rows="lambda: {'x': np.array([0.25, 0.75]), 'label': np.array([0.0, 1.0])}",
        expect="[]",
    )
    with toy.canned() as url, prometheus_for(Toy(url=url), prometheus_binary, cli.folder / "toy.yml") as server:
        done = cli("run", file, "--target", url, "--prometheus", server.connection.url, timeout=90)

    assert "load not sent" in flat(done.invalid())


@pytest.mark.slow
def test_a_generator_that_was_suspended_makes_the_drill_invalid(cli: Cli, watched: tuple[Toy, Server]) -> None:
    """As a laptop that is closed: what was due meanwhile is sent late, by the generator's own fault."""
    model, server = watched
    file = scenarios.write(cli.folder, scenarios.WALL, warm_up="2", recovery="1", expect="[]", late_after="1")
    running = cli.start("run", file, "--target", model.url, "--prometheus", server.connection.url)

    running.says("baseline")
    running.send(signal.SIGSTOP)
    before = model.scrapes
    eventually(lambda: model.scrapes >= before + 3, "three seconds on Prometheus's own clock")
    running.send(signal.SIGCONT)
    done = running.wait()

    assert "late by the generator itself" in flat(done.invalid())


# A Prometheus that was there before.


def test_a_prometheus_that_has_not_loaded_the_rules_is_refused(cli: Cli, model: Toy, prometheus_binary: str) -> None:
    file = scenarios.write(cli.folder, scenarios.WALL)
    with prometheus_for(model, prometheus_binary) as server:
        cause, remedy = cli("run", file, "--target", model.url, "--prometheus", server.connection.url).refused()

    assert "has not loaded 2 of 2 alerts: Down, HighMean" in cause
    assert "rule_files" in remedy


def test_a_prometheus_that_does_not_scrape_the_target_is_refused(
    cli: Cli, model: Toy, watched: tuple[Toy, Server]
) -> None:
    _, server = watched
    file = scenarios.write(cli.folder, scenarios.WALL)

    cause, _ = cli("run", file, "--target", model.url, "--prometheus", server.connection.url).refused()

    assert "is not scraped: Prometheus has no such target" in cause


def test_a_prometheus_that_scrapes_the_target_under_another_job_is_refused(
    cli: Cli, model: Toy, prometheus_binary: str
) -> None:
    file = scenarios.write(cli.folder, scenarios.WALL)
    with prometheus_for(model, prometheus_binary, cli.folder / "toy.yml", job="models") as server:
        done = cli("run", file, "--target", model.url, "--prometheus", server.connection.url)

    assert "job 'model'" in done.refused()[0]


@pytest.mark.parametrize("answer", [Answer("<html>Login</html>"), Answer("", 404)], ids=["HTML", "404"])
def test_what_is_no_prometheus_is_refused(cli: Cli, model: Toy, answer: Answer) -> None:
    file = scenarios.write(cli.folder, scenarios.WALL)
    with toy.serve(Toy(page=lambda number: answer, predict=lambda number, asked: answer)) as other:
        cause, remedy = cli("run", file, "--target", model.url, "--prometheus", other.url).refused()

    assert other.url in cause
    assert remedy

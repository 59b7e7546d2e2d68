"""What virtual time would invent or hide: each found by the drill itself, each beside a server that is well."""

import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from tests.harness import scenarios, toy
from tests.harness.command import Cli, Done
from tests.harness.test_planted_lies import flat
from tests.harness.toy import TEXT, Answer, Toy

NULLS = "[Fault('null', Null('x'), strength=constant(0.4))]"
RULES = "groups: [{name: g, rules: [{alert: Busy, expr: 'sum(rate(toy_requests_total[1m])) > 50'}]}]\n"


def drilled(cli: Cli, url: str, *args: object, **fields: str) -> Done:
    file = scenarios.write(cli.folder, **({"expect": "[]"} | fields), imports="from driftdrill.faults import Null")
    return cli("run", file, "--target", url, *args)


def events(done: Done, name: str) -> list[Mapping[str, Any]]:
    return [e for e in done.recording.events() if e["event"] == name]


def refuses_null(number: int, asked: Any) -> Answer | None:
    return Answer("no", 500) if asked["x"] is None else None


# A server that closes a connection after an error.


def test_a_server_that_closes_after_an_error_gets_a_new_connection_as_in_real_time(cli: Cli) -> None:
    with toy.serve(Toy(predict=refuses_null, closes=lambda answer: answer.status == 500)) as model:
        done = drilled(cli, model.url, faults=NULLS)

    requests = done.recording.requests()
    hit = requests.changed["null"]
    assert hit.sum() > 50
    assert set(requests.failure[hit]) == {"status"}
    assert set(requests.failure[~hit]) == {""}
    assert sum(e["requests"] for e in events(done, "resent")) > 20
    assert "requests were sent again: the server had closed a kept connection" in flat(done.out)
    assert "INVALID" not in done.out
    (counter,) = events(done, "counter")
    assert counter["grown"] == counter["answered"]


def test_a_server_that_closes_without_an_answer_fails_in_virtual_time_too(cli: Cli) -> None:
    """It read and counted them: what goes out a second time fails a second time, and the count does not agree."""

    def predict(number: int, asked: Any) -> Answer | None:
        if asked["x"] is None:
            raise ConnectionAbortedError
        return None

    with toy.serve(Toy(predict=predict)) as model:
        done = drilled(cli, model.url, faults=NULLS)

    requests = done.recording.requests()
    assert set(requests.failure[requests.changed["null"]]) == {"reset"}
    assert set(requests.failure[~requests.changed["null"]]) == {""}
    assert "of them twice, so they had arrived: drill it with --clock wall" in flat(done.invalid())


# A page that is refreshed on an interval of its own.


def refreshed(model: Toy, idle: float, also: str = "") -> Toy:
    """Its page is made anew once ``idle`` seconds passed without a request, as none does in a virtual hour."""
    shown, last = [model.metrics()], [(0, time.monotonic())]

    def page(scrape: int) -> Answer:
        requests, since = last[0]
        if requests != model.requests:
            last[0] = model.requests, time.monotonic()
        elif time.monotonic() - since > idle:
            shown[0] = model.metrics()
        return Answer(shown[0].body + also, headers={"Content-Type": TEXT})

    model.page = page
    return model


def test_a_page_refreshed_on_an_interval_of_its_own_is_found_and_invalid(cli: Cli) -> None:
    with toy.serve(Toy()) as model:
        done = drilled(cli, refreshed(model, idle=1.5).url)

    assert "toy_requests_total stood still while" in flat(done.invalid())
    assert "refreshed on an interval of its own" in flat(done.out)
    assert "--clock wall" in done.out
    assert "is it the model's?" not in done.out


def test_a_count_of_scrapes_does_not_hide_that_a_page_is_refreshed_late(cli: Cli) -> None:
    """Go's own: asked again and again, it comes to be right once. Here it is born only after the first scrapes."""
    with toy.serve(Toy()) as model:
        late = refreshed(model, idle=1.5).page

        def page(scrape: int) -> Answer:
            scrapes = f"promhttp_metric_handler_requests_total {scrape - 6}\n" if scrape > 6 else ""
            answer = late(scrape)
            assert answer is not None
            return Answer(answer.body + scrapes, headers=answer.headers)

        model.page = page
        done = drilled(cli, model.url)

    assert "toy_requests_total stood still while" in flat(done.invalid())


def test_a_page_that_lost_its_counter_or_was_started_again_is_not_waited_for(cli: Cli) -> None:
    """What it never counted, or no longer shows, is no lag."""
    with toy.serve(Toy()) as model:
        model.page = lambda scrape: (
            Answer("up_since 1\n", headers={"Content-Type": TEXT}) if model.requests > 500 else None
        )
        done = drilled(cli, model.url)
    with toy.serve(Toy()) as anew:
        anew.page = lambda scrape: Answer(
            f"toy_requests_total {anew.requests - 500 * (anew.requests > 500)}\nmodel_loaded 1\n",
            headers={"Content-Type": TEXT},
        )
        again = cli("run", cli.folder / "drill.py", "--target", anew.url, "--out", cli.folder / "again")

    assert "of its metrics only" in flat(done.invalid()) or "another set of metrics" in flat(done.out)
    assert "another instance's since" in flat(again.invalid())
    assert "lagged" not in done.out + again.out


def test_timestamps_far_behind_the_scrapes_are_not_shown_to_rules_too_early(cli: Cli) -> None:
    with toy.serve(Toy()) as model:
        model.page = lambda scrape: Answer(
            "".join(
                f"{line} {(time.time() - 120) * 1000:.0f}\n"
                for line in model.metrics().body.splitlines()
                if line[0] != "#"
            ),
            headers={"Content-Type": TEXT},
        )
        done = drilled(cli, model.url, expect="[fires('HighMean')]")

    assert "carries timestamps of its own up to 2m behind the scrapes that brought them" in flat(done.invalid())
    assert "was empty" not in done.out


def test_a_page_without_a_counter_or_of_a_machine_is_no_late_one_and_is_not_waited_for(cli: Cli) -> None:
    started = time.monotonic()

    def node(scrape: int) -> Answer:
        seconds = (time.monotonic() - started) * 10 // 1
        page = f"# TYPE node_cpu_seconds_total counter\nnode_cpu_seconds_total {seconds}\nmodel_loaded 1\n"
        return Answer(page, headers={"Content-Type": TEXT})

    with toy.serve(Toy(page=node)) as model:
        done = drilled(cli, model.url)

    assert "refreshed" not in done.out
    assert not events(done, "refreshed_late")


def test_a_counter_of_successes_alone_that_fell_behind_in_the_fault_is_no_late_one(cli: Cli) -> None:
    """It grew after the last scrape by what was answered since, and not by what it had not counted."""
    refused: list[int] = []

    def predict(number: int, asked: Any) -> Answer | None:
        if asked["x"] is None:
            refused.append(number)
        return refuses_null(number, asked)

    model = Toy(predict=predict)
    model.page = lambda scrape: Answer(
        f"# TYPE toy_success_total counter\ntoy_success_total {model.requests - len(refused)}\n",
        headers={"Content-Type": TEXT},
    )
    (cli.folder / "own.yml").write_text(RULES.replace("toy_requests_total", "toy_success_total"))
    with toy.serve(model):
        done = drilled(cli, model.url, "--rules", "own.yml", faults=NULLS)

    assert len(refused) > 50
    assert "INVALID" not in done.out, done
    assert not events(done, "refreshed_late")


# Timestamps on the page.


@pytest.mark.parametrize("stamp", ["0", "{now}"], ids=["of 1970", "that stand still"])
def test_a_page_whose_own_timestamps_are_no_good_makes_the_drill_invalid(cli: Cli, stamp: str) -> None:
    with toy.serve(Toy()) as model:
        at = stamp.format(now=round(time.time() * 1000))
        model.page = lambda scrape: Answer(
            f"toy_requests_total {model.requests} {at}\ntoy_x_sum 1 {at}\ntoy_x_count 1 {at}\n",
            headers={"Content-Type": TEXT},
        )
        done = drilled(cli, model.url)

    assert "carries timestamps of its own that lie in the past or stand still" in flat(done.invalid())


def test_a_page_with_timestamps_that_go_on_is_well(cli: Cli) -> None:
    with toy.serve(Toy()) as model:
        model.page = lambda scrape: Answer(
            "".join(
                f"{line} {time.time() * 1000:.0f}\n" for line in model.metrics().body.splitlines() if line[0] != "#"
            ),
            headers={"Content-Type": TEXT},
        )
        done = drilled(cli, model.url)

    assert "INVALID" not in done.out, done


# The counter.


def counting(name: str, also: Callable[[Toy], str] = lambda model: "") -> Toy:
    model = Toy()
    model.page = lambda scrape: Answer(
        f"# TYPE {name} counter\n{name} {model.requests}\n{also(model)}", headers={"Content-Type": TEXT}
    )
    return model


def test_any_counter_can_be_the_request_counter_and_a_coincidence_is_none(cli: Cli) -> None:
    """A collector's count that is right once: with the first scrape's requests, and never again."""
    seen: list[int] = []

    def collected(model: Toy) -> str:
        if model.requests > 1 and not seen:
            seen.append(model.requests)
        return f"# TYPE a_request_gc_total counter\na_request_gc_total {seen[0] if seen else model.requests}\n"

    with toy.serve(counting("nv_inference_count", collected)) as model:
        done = drilled(cli, model.url)

    (counter,) = events(done, "counter")
    assert (counter["name"], counter["unsettled"]) == ("nv_inference_count", 0)


def test_traffic_of_others_is_told_with_the_numbers(cli: Cli) -> None:
    with toy.serve(Toy()) as model:
        model.page = lambda scrape: Answer(
            f"# TYPE toy_requests_total counter\ntoy_requests_total {model.requests * 5}\n",
            headers={"Content-Type": TEXT},
        )
        done = drilled(cli, model.url)
    with toy.serve(Toy()) as quiet:
        other = cli("run", cli.folder / "drill.py", "--target", quiet.url, "--out", cli.folder / "quiet")

    assert "others send requests to the target: toy_requests_total grew by" in flat(done.out)
    assert "others send" not in flat(other.out)


# Intervals longer than the fault.


def test_intervals_longer_than_the_fault_are_refused_before_the_drill(cli: Cli, model: Toy) -> None:
    cause, hint = drilled(cli, model.url, scrape_interval="200").refused()
    assert "the target is scraped every 3m20s, and the fault lasts 2m30s" in cause
    assert "shorten scrape_interval" in hint
    cause, _ = drilled(cli, model.url, evaluation_interval="151").refused()
    assert "is evaluated every 2m31s, and the fault lasts 2m30s" in cause

    (cli.folder / "slow.yml").write_text(RULES.replace("name: g,", "name: g, interval: 5m,"))
    cause, hint = drilled(cli, model.url, "--rules", "slow.yml").refused()
    assert "rule group 'g' is evaluated every 5m, and the fault lasts 2m30s" in cause
    assert "the group's interval" in hint
    assert model.requests == 0


def test_a_slow_group_beside_others_is_no_reason_to_refuse(cli: Cli, model: Toy) -> None:
    (cli.folder / "slow.yml").write_text(RULES.replace("name: g,", "name: g, interval: 5m,"))

    done = drilled(cli, model.url, "--rules", "toy.yml", "--rules", "slow.yml")

    assert "INVALID" not in done.out, done
    assert done.code != 2, done

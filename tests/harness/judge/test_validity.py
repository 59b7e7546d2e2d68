"""What makes a drill INVALID: each reason alone, its limit met from both sides."""

from typing import Any

import numpy as np
import pytest

from driftdrill.harness.judge.findings.pages import failures
from driftdrill.harness.judge.findings.validity import clean_start, validity
from driftdrill.harness.recording.reader import Samples
from driftdrill.reports.data.verdict import Validity
from tests.harness.judge.by_hand import BY_NAME, meta, requests, samples, track

END = {"event": "end", "at": 2700, "complete": True, "why": ""}
AT = np.arange(0.0, 2700.0, 3.0)
TRUTH = (np.arange(len(AT)) % 2).astype(float)
HELD = [{"name": "outage", "held": True}]


def up(value: Any = lambda t: 1.0, every: float = 15.0, **labels: str) -> Samples:
    return samples("up", {t: value(t) for t in np.arange(7.0, 2700.0, every)}, **labels)


def judged(
    scraped: list[Samples] | None = None,
    events: tuple[dict[str, Any], ...] = (END,),
    about: dict[str, Any] | None = None,
    awaited: tuple[Any, ...] = (),
    at: Any = AT,
    prediction: Any = TRUTH,
    truth: Any = TRUTH,
    **given: Any,
) -> Validity:
    sent = requests(at, prediction, truth, **given)
    known = meta(**({"planned": len(sent)} | (about or {})))
    seen = [up()] if scraped is None else scraped
    failed = failures(known, BY_NAME, sent, seen, events)
    return validity(known, BY_NAME, sent, seen, events, awaited, failed)


def reasons(*args: Any, **given: Any) -> list[str]:
    found = judged(*args, **given)
    assert found.valid == (not found.reasons)
    return list(found.reasons)


def test_a_drill_that_went_well_is_valid_and_nothing_is_to_be_told() -> None:
    assert judged() == Validity(True)


def test_a_drill_that_did_not_run_to_its_end_is_invalid() -> None:
    assert reasons(events=()) == ["the drill did not run to its end: it was killed"]
    broken = {**END, "complete": False, "why": "no route to host"}
    assert reasons(events=(broken,)) == ["the drill did not run to its end: no route to host"]
    lost = {"event": "worker_lost", "what": "worker 2 was lost"}
    assert reasons(events=(lost, END)) == ["worker 2 was lost"]


def test_99_percent_of_the_load_must_have_been_sent_in_time() -> None:
    assert reasons(about={"planned": 909}) == []
    (said,) = reasons(about={"planned": 910})
    assert said == "load not sent: 900 of 910 planned requests; at least 99% are needed"
    assert reasons(missed=9) == []
    (said,) = reasons(missed=10, about={"late_after": 0.25})
    assert said == (
        "load not sent: 900 of 900 planned requests, 10 of them more than 250ms late by the generator itself; "
        "at least 99% are needed"
    )


def test_a_fault_on_requests_must_have_had_a_strength_and_changed_something() -> None:
    nothing = np.zeros(len(AT))
    assert reasons(strength=nothing) == ["fault 'fault' was never in force: its strength stayed 0"]
    once = np.where(AT == 1200, 0.5, 0.0)
    assert reasons(strength=once) == []
    (said,) = reasons(changed={"fault": nothing > 0})
    assert said == "fault 'fault' was not really in force: it changed none of 300 requests"


def test_every_fault_must_have_been_in_force_whatever_was_before_it() -> None:
    nothing = np.zeros(len(AT))
    started = {"event": "fault", "name": "outage", "strength": 1.0, "wrong": None}
    said = reasons(
        events=(started, END),
        about={"faults": [*HELD, {"name": "one", "held": False}, {"name": "two", "held": False}]},
        strength={"one": nothing, "two": nothing},
        changed={"one": nothing > 0, "two": nothing > 0},
    )
    assert said == [f"fault {name!r} was never in force: its strength stayed 0" for name in ("one", "two")]


@pytest.mark.parametrize(
    ("events", "reason"),
    [
        ([{"strength": 1.0, "wrong": None}, {"strength": 0.0, "wrong": None}], None),
        ([{"strength": 0.0, "wrong": None}], "'outage' was never in force: its strength stayed 0"),
        ([], "'outage' was never in force: its strength stayed 0"),
        (
            [{"strength": 1.0, "wrong": None}, {"strength": 1.0, "wrong": "it runs"}, {"strength": 1.0, "wrong": "b"}],
            "'outage' was not really in force: it runs",
        ),
        (
            [{"strength": 1.0, "wrong": None}, {"strength": 0.0, "wrong": None, "touched": 0}],
            "'outage' was not really in force: it changed nothing that passed",
        ),
        ([{"strength": 1.0, "wrong": None}, {"strength": 0.0, "wrong": None, "touched": 3}], None),
    ],
)
def test_a_held_fault_must_have_been_in_force_whenever_it_was_looked_at(
    events: list[dict[str, Any]], reason: str | None
) -> None:
    told = tuple({"event": "fault", "name": "outage", **e} for e in events)
    other = {"event": "fault", "name": "other", "strength": 1.0, "wrong": "no", "touched": 0}
    said = reasons(events=(*told, other, END), about={"faults": HELD})
    assert said == ([] if reason is None else [f"fault {reason}"])


def failing(count: int, start: float, end: float):
    """Up but for the first ``count`` scrapes of a phase."""
    return lambda t: 0.0 if start <= t < end and (t - start) // 15 < count else 1.0


@pytest.mark.parametrize(("phase", "start", "end"), [("baseline", 300, 900), ("fault", 900, 1800)])
def test_a_target_must_have_been_up_at_95_percent_of_each_phases_scrapes_but_one(
    phase: str, start: float, end: float
) -> None:
    expected = round((end - start) / 15)
    allowed = int(0.05 * expected + 1)
    assert reasons([up(failing(allowed, start, end))]) == []
    assert reasons([up(failing(allowed + 1, start, end))]) == [
        f"target job='m' instance='i' was up at {expected - allowed - 1} of {expected} scrapes in the {phase} phase"
    ]
    # A fault that is held may take the target down, but not before it begins.
    started = {"event": "fault", "name": "outage", "strength": 1.0, "wrong": None}
    held = reasons([up(failing(allowed + 1, start, end))], events=(started, END), about={"faults": HELD})
    assert len(held) == (phase == "baseline")


def test_every_target_must_have_been_scraped_at_its_own_interval() -> None:
    two = [{"job": "m", "instance": "i"}, {"job": "m", "instance": "j"}]
    slow = up(every=60.0, instance="j")
    assert reasons([up(), slow], about={"targets": two, "scrape_intervals": [15.0, 60.0]}) == []
    assert reasons([up()], about={"targets": two}) == ["target job='m' instance='j' was never scraped"]
    # What befalls one page of several is told, and leaves the rules unjudged that read it: see test_pages.
    told = judged([up(), slow], about={"targets": two})
    assert (told.valid, len(told.observations)) == (True, 3)
    assert len(reasons([up(lambda t: 0.0), up(lambda t: 0.0, instance="j")], about={"targets": two})) == 6
    assert reasons([], about={"targets": []}) == ["no target was scraped"]
    # A scrape at the moment at which a phase begins is that phase's own.
    exact = samples("up", {t: float(t not in (300, 600)) for t in range(0, 2700, 300)})
    assert reasons([exact], about={"scrape_interval": 300.0}) == [
        "target job='m' instance='i' was up at 0 of 2 scrapes in the baseline phase"
    ]
    # A phase that is shorter than a scrape interval may have none.
    rare = up(every=300.0)
    assert reasons([rare], about={"scrape_interval": 1000.0}) == []


def test_a_target_that_is_down_when_recovery_ends_is_invalid_whatever_was_held() -> None:
    started = {"event": "fault", "name": "outage", "strength": 1.0, "wrong": None}

    def held(value: Any) -> list[str]:
        return reasons([up(value)], events=(started, END), about={"faults": HELD})

    assert held(lambda t: 0.0 if t >= 900 else 1.0) == [
        "target job='m' instance='i' was down when the recovery ended: it died, or a fault took it down for good"
    ]
    assert held(lambda t: 0.0 if 900 <= t < 2690 else 1.0) == []


def test_the_targets_own_counter_must_have_seen_half_of_what_was_answered() -> None:
    def counted(*points: dict[float, float], status: Any = 200) -> list[str]:
        made = [samples("predictions_total", p, bin=str(i)) for i, p in enumerate(points)]
        about = {"target": {"name": "m", "request_counter": "predictions_total"}}
        return reasons([up(), *made], about=about, status=np.full(len(AT), status))

    assert counted({0: 100, 15: 550}) == []
    assert counted({0: 100, 15: 549}) == [
        "is this the model's metrics page? predictions_total grew by 449 while 900 requests were answered"
    ]
    assert counted({0: 0, 15: 250}, {0: 5, 15: float("nan"), 30: 205}) == []
    # A restart in the middle takes nothing away.
    assert counted({0: 0, 15: 440, 30: 0, 45: 10}) == []
    assert len(counted({0: 0, 15: 440, 30: 0, 45: 9})) == 1
    assert counted(status=0) == []
    assert len(counted(status=1)) == 1
    assert reasons([up(), samples("predictions_total", {0: 0, 15: 1})]) == []


def test_an_alert_that_must_fire_may_be_neither_firing_in_the_baseline_nor_pending_as_the_fault_begins() -> None:
    def said(*spans: tuple[float, float, str]) -> list[str]:
        return clean_start(BY_NAME, [track("Hot", *spans)])

    baseline = ["Hot, which must fire, was firing in the baseline already"]
    pending = ["Hot, which must fire, was pending when the fault began"]
    assert said((0, 300, "firing")) == []
    assert said((0, 300.1, "firing")) == baseline
    assert said((899.9, 1000, "firing")) == baseline
    assert said((900, 1000, "firing")) == []
    assert said((899.9, 900.1, "pending")) == pending
    assert said((800, 900, "pending")) == []
    assert said((900, 960, "pending")) == []
    assert said((400, 500, "firing"), (850, 950, "pending")) == baseline
    assert clean_start(BY_NAME, [track("Hot", (0, 900, "firing"), bin=b) for b in "ab"]) == baseline
    assert reasons(awaited=(track("Hot", (0, 400, "firing")),)) == baseline


def test_what_fires_before_an_alert_has_all_that_it_looks_back_on_is_no_false_start() -> None:
    """Its response is judged from then on, too."""
    hot = [track("Hot", (0, 450, "firing"))]

    def said(seconds: float) -> list[str]:
        return clean_start(BY_NAME, hot, {"Hot": seconds})

    assert said(600.0) == []
    assert said(400.0) == ["Hot, which must fire, was firing in the baseline already"]


def test_half_of_the_baselines_rows_must_have_been_answered() -> None:
    inside = (AT >= 300) & (AT < 900)
    gone = TRUTH.copy()
    gone[np.flatnonzero(inside)[:100]] = np.nan
    assert reasons(prediction=gone) == []
    gone[np.flatnonzero(inside)[:101]] = np.nan
    assert reasons(prediction=gone) == ["the target answered only 50% of the baseline's clean rows"]
    outside = np.where((AT < 300) | (AT >= 900), np.nan, TRUTH)
    assert reasons(prediction=outside) == []
    held = np.where(np.isin(AT, AT[inside][:101]), "dropped", "")
    (why,) = reasons(prediction=gone, failure=held, late=np.where(held == "", 0.0, 0.4))
    said = "load not sent: 101 of the baseline's 200 requests were not sent in their time"
    assert why.startswith(said), "the target failed none"
    late = AT[AT >= 900]
    assert "no request was sent in the baseline" in reasons(at=late, prediction=late * 0, truth=late * 0)


def in_baseline(prediction: Any, truth: Any, **about: Any) -> Validity:
    """A drill of two requests a second, 1,200 of them in the baseline, of which N in all."""
    return judged(at=np.arange(0.0, 2700.0, 0.5), prediction=prediction, truth=truth, about=about)


N = 5400
RNG = np.random.default_rng(5)
YES = (RNG.random(N) < 0.3).astype(float)
KNOWS = np.clip(0.3 + 0.4 * (YES - 0.3) + RNG.normal(0, 0.15, N), 0.01, 0.99)


def test_a_model_that_does_no_better_than_a_constant_is_the_wrong_one_under_its_own_measure() -> None:
    for name in ("accuracy", "auc", "log_loss", "brier", "macro_f1"):
        about = {"measure": {"name": name}, "smallest_harm": 0.02}
        assert in_baseline(KNOWS, YES, **about) == Validity(True)
        (said,) = in_baseline(RNG.permutation(KNOWS), YES, **about).reasons
        assert said.startswith("is this the right model? on clean rows")
    (said,) = in_baseline(np.full(N, 0.2), YES).reasons
    assert said == (
        "is this the right model? on clean rows its predictions say nothing of the truth: accuracy is 0.693, and one "
        "constant's is 0.693"
    )


def test_numbers_are_compared_with_their_median_and_classes_with_the_commonest() -> None:
    size = RNG.lognormal(3, 1, N)
    mae = {"measure": {"name": "mae"}}
    assert in_baseline(size * RNG.lognormal(0, 0.2, N), size, **mae) == Validity(True)
    (said,) = in_baseline(size * 1000, size, **mae).reasons
    assert said.startswith("is this the right model? on clean rows mean absolute error is")
    (said,) = in_baseline(np.full(N, np.median(size)), size, **mae).reasons
    assert "say nothing of the truth" in said
    kinds = RNG.choice(4, N, p=[0.4, 0.3, 0.2, 0.1]).astype(float)
    assert in_baseline(np.where(RNG.random(N) < 0.8, kinds, 0), kinds) == Validity(True)
    assert len(in_baseline(np.zeros(N), kinds).reasons) == 1
    assert len(in_baseline(RNG.permutation(kinds), kinds).reasons) == 1


def test_scores_that_rank_rightly_and_are_cut_wrongly_are_an_observation() -> None:
    """Two classes told apart, but all scores are below the threshold of 0.5 or far above it."""
    found = in_baseline(np.where(RNG.random(N) < 0.9, KNOWS + 1, KNOWS), YES)
    assert found.valid
    (said,) = found.observations
    assert "although it ranks them (AUC" in said


def test_a_good_model_of_a_rare_class_is_inconclusive_not_invalid() -> None:
    rare = np.zeros(N)
    rare[::70] = 1.0
    scores = np.clip(0.02 + 0.1 * rare + RNG.normal(0, 0.03, N), 0.001, 0.4)
    for name in ("accuracy", "brier"):
        found = in_baseline(scores, rare, measure={"name": name}, smallest_harm=0.01)
        assert found.valid
        assert all("not told apart from a constant" in said for said in found.observations)
    # A threshold that suits the rare class costs accuracy; seven positives cannot show that the model ranks them.
    seven = np.zeros(N)
    seven[600:1800:171] = 1.0
    weak = 0.02 + 0.003 * seven + np.linspace(-0.01, 0.01, N)[RNG.permutation(N)]
    found = in_baseline(weak, seven, threshold=0.022, smallest_harm=0.01)
    assert found.valid
    assert "not told apart from a constant: accuracy" in found.observations[0]
    few = np.zeros(N)
    few[700:704] = 1.0
    found = in_baseline(scores, few, measure={"name": "auc"})
    assert found.valid
    assert found.observations == (
        "is this the right model? on clean rows a class occurs in 4 of 1,200 requests: too few to tell its AUC from a "
        "constant's",
    )


def test_nothing_is_said_of_a_truth_that_is_unknown_or_always_the_same() -> None:
    assert reasons(truth=None, prediction=TRUTH * 0, about={"truth": None}) == []
    assert reasons(truth=TRUTH * 0, prediction=TRUTH) == []


def test_a_smallest_harm_that_no_fault_could_do_makes_the_drill_invalid() -> None:
    (said,) = reasons(about={"smallest_harm": 1.0})
    assert said == "smallest_harm of 1 cannot be reached: accuracy is 1.000 in the baseline"
    assert reasons(about={"smallest_harm": 0.99}) == []
    (said,) = reasons(about={"measure": {"name": "mae"}, "smallest_harm": 0.1, "smallest_relative": True})
    assert "no share of it is a harm" in said


def test_what_a_reader_should_know_is_told_and_makes_nothing_invalid() -> None:
    def told(*events: dict[str, Any], **given: Any) -> tuple[str, ...]:
        found = judged(events=(*events, END), **given)
        assert found.valid
        return found.observations

    failure = np.full(len(AT), "", dtype="<U10")
    failure[:3], failure[3] = "timeout", "refused"
    assert told(failure=failure) == ("4 of 900 requests failed: 1 refused, 3 timeout",)
    late = np.full(len(AT), 0.051)
    wall = {"clock": "wall"}
    assert told(late=late, about=wall) == ("the target held requests back: lateness p99 51ms",)
    assert told(late=late) == ()
    assert told(late=np.full(len(AT), 0.05), about=wall) == ()
    few = np.zeros(len(AT))
    few[:5] = 1.0
    assert told(late=few, about=wall) == ()
    few[:12] = 1.0
    assert len(told(late=few, about=wall)) == 1
    unseen = {"event": "counter", "name": "", "unsettled": 0}
    assert told(unseen) == ("no counter of the metrics page moved with the requests: is it the model's?",)
    assert told(unseen, about=wall) == ()
    assert told({"event": "counter", "name": "seen_total", "unsettled": 2}) == (
        "seen_total lagged behind the requests answered at 2 scrapes",
    )
    assert told({"event": "not_recorded", "names": ["a", "b"]}) == ("native histograms are not recorded: a, b",)


def test_how_many_processes_a_fault_held_is_told() -> None:
    held = [
        {"event": "fault", "at": at, "name": "outage", "strength": s, "wrong": None} for at, s in ((900, 1), (1800, 0))
    ]

    assert judged(events=(held[0] | {"processes": 4}, held[1], END)).observations == (
        "fault 'outage' held 4 processes of the target",
    )
    assert judged(events=(*held, END)).observations == ()

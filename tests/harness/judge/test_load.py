"""What is told of a drill's load, against arithmetic by hand."""

from pathlib import Path

import msgspec
import numpy as np
import pytest

from driftdrill.harness.judge.findings.load import counts, latencies, most_in_flight
from driftdrill.harness.judge.judge import judge
from driftdrill.harness.recording.meta import Meta
from driftdrill.harness.recording.reader import Recording
from driftdrill.reports.data.timeline import Phase
from tests.harness.made import PHASES, make

RULES = "groups: [{name: a, rules: [{alert: A, expr: m > 1}]}]"
BY_NAME = {name: Phase(name, start, end) for name, start, end in PHASES}


def recorded(folder: Path, **columns: list[object]) -> Recording:
    return make(folder, {"m": lambda t: 0.0}, RULES, requests=columns)


def wall(recording: Recording) -> Meta:
    return msgspec.structs.replace(recording.meta, clock="wall")


def test_latency_from_the_intended_start_and_from_the_send_are_told_apart(tmp_path: Path) -> None:
    """One a second; in the fault phase each waits for 2 s before it is sent, every tenth is dropped after 30 s."""
    fault = (np.arange(2700) >= 900) & (np.arange(2700) < 1800)
    dropped = fault & (np.arange(2700) % 10 == 0)
    found = recorded(
        tmp_path,
        late=np.where(dropped, 30_000_000, np.where(fault, 2_000_000, 250)).tolist(),
        took=np.where(dropped, 0, np.arange(2700)).tolist(),
        failure=np.where(dropped, "dropped", "").tolist(),
    )
    told = {(x.phase, x.since): x for x in latencies(wall(found), BY_NAME, found.requests())}
    assert list(told) == [("baseline", "intended"), ("baseline", "send"), ("fault", "intended"), ("fault", "send")]
    assert dict(told["baseline", "intended"].percentiles)[50.0] == 0.000849
    assert dict(told["baseline", "send"].percentiles) == {
        50.0: 0.000599, 90.0: 0.000839, 95.0: 0.000869, 99.0: 0.000893, 99.9: 0.000899, 99.99: 0.000899,
    }  # fmt: skip
    assert dict(told["fault", "intended"].percentiles)[95.0] == 30.0
    assert dict(told["fault", "send"].percentiles)[99.99] == 0.001799
    assert (told["fault", "intended"].requests, told["fault", "send"].requests) == (900, 810)


def test_the_first_token_of_a_stream_and_the_time_between_tokens_are_told(tmp_path: Path) -> None:
    """In milliseconds the number of the request; every second answer was one token, and in the fault phase all were."""
    first = np.arange(2700) / 1000
    between = [0.02 if i % 2 and i < 900 else None for i in range(2700)]
    measured = {"time_to_first_token": first.tolist(), "inter_token_time": between, "prompt_tokens": [7.0] * 2700}
    found = recorded(tmp_path, measured=measured)  # type: ignore[arg-type]
    told = {(x.phase, x.since): x for x in latencies(wall(found), BY_NAME, found.requests())}
    assert dict(told["baseline", "to first token"].percentiles)[50.0] == 0.599
    assert dict(told["fault", "to first token"].percentiles)[99.99] == 1.799
    assert told["fault", "to first token"].requests == 900
    assert told["baseline", "between tokens"].requests == 300
    assert dict(told["baseline", "between tokens"].percentiles)[50.0] == 0.02
    assert ("fault", "between tokens") not in told


def test_what_the_end_of_the_drill_cut_off_counts_in_neither(tmp_path: Path) -> None:
    cut = (np.arange(2700) >= 1000) & (np.arange(2700) < 1800)
    found = recorded(tmp_path, failure=np.where(cut, "unfinished", "").tolist())
    assert [x.requests for x in latencies(wall(found), BY_NAME, found.requests())] == [600, 600, 100, 100]


def test_the_most_requests_in_flight_are_counted_from_send_to_end(tmp_path: Path) -> None:
    """One a second that takes 4 s: four at once. One that takes five as another ends makes no sixth."""
    took = np.full(2700, 4_000_000)
    assert most_in_flight(recorded(tmp_path / "a", took=took.tolist()).requests()) == 4
    took[1000] = 9_000_000
    assert most_in_flight(recorded(tmp_path / "b", took=took.tolist()).requests()) == 5
    never = recorded(tmp_path / "c", took=took.tolist(), failure=["dropped"] * 2700).requests()
    assert most_in_flight(never) == 0


def test_a_send_that_was_late_is_in_flight_from_its_own_moment(tmp_path: Path) -> None:
    """Each takes 0.9 s; the one due at 1000 s goes out 0.5 s late, and is still in flight as the next begins."""
    late = np.where(np.arange(2700) == 1000, 500_000, 0)
    found = recorded(tmp_path, took=[900_000] * 2700, late=late.tolist()).requests()
    assert most_in_flight(found) == 2
    late[1001] = 500_000
    late[1000] = 0
    assert most_in_flight(recorded(tmp_path / "b", took=[500_000] * 2700, late=late.tolist()).requests()) == 1


def test_requests_are_counted_by_what_became_of_them(tmp_path: Path) -> None:
    failure = ["timeout"] * 3 + ["dropped"] + [""] * 2696
    found = recorded(tmp_path, failure=failure, missed=7)
    assert counts(found.meta, found.requests()) == {
        "planned": 2700, "sent": 2700, "answered": 2696, "failed": 4, "missed": 7,
    }  # fmt: skip


def test_virtual_time_says_nothing_of_latency(tmp_path: Path) -> None:
    found = recorded(tmp_path)
    assert latencies(found.meta, BY_NAME, found.requests()) == ()
    assert "in flight at most" not in counts(found.meta, found.requests())
    assert counts(wall(found), found.requests())["in flight at most"] == 1
    assert judge(found).latency == ()


@pytest.mark.parametrize(("late_after", "said"), [(None, "more than 1s late"), (0.25, "more than 250ms late")])
def test_an_invalid_drill_says_after_how_much_a_send_was_late(
    tmp_path: Path, late_after: float | None, said: str
) -> None:
    meta = {} if late_after is None else {"late_after": late_after}
    found = make(tmp_path, {"m": lambda t: 0.0}, RULES, requests={"missed": 500}, meta=meta)
    (reason,) = judge(found).validity.reasons
    assert f"500 of them {said} by the generator itself" in reason

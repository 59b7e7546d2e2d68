"""What limits a judgement: each mark where it belongs and nowhere else."""

import numpy as np
import pytest

from driftdrill.harness.judge.findings.limits import marks, rebase, wall_only
from driftdrill.harness.judge.rules.rules import KnownRule, Rules
from driftdrill.harness.recording.stale import STALE
from driftdrill.stack.rules.files import parse
from tests.harness.judge.by_hand import meta, samples


def rules(*exprs: str) -> Rules:
    lines = "".join(f"  - alert: A{i}\n    expr: '{expr}'\n" for i, expr in enumerate(exprs))
    return Rules(tuple(parse(f"groups:\n- name: g\n  rules:\n{lines}", "rules.yml")))


def rule(expr: str) -> KnownRule:
    return rules(expr).alerts[0]


REAL_TIME = [
    "process_cpu_seconds_total", "node_load1", "container_memory_usage_bytes", "go_goroutines", "python_gc_collections",
    "machine_cpu_cores", "jvm_threads", "request_duration_seconds_bucket", "predict_latency_ms_sum",
    "x_latency_milliseconds", "requests_in_progress", "http_inprogress_requests", "inflight", "calls_in_flight",
    "queue_length_now", "my_pending_requests_total", "scrape_duration_seconds",
]  # fmt: skip
VIRTUAL_TOO = ["heat", "my_process_total", "going_up", "duration", "latency", "up"]


def test_metrics_of_real_time_are_those_of_these_names_and_those_that_move_without_load() -> None:
    every = [samples(name, {0: 1}) for name in [*REAL_TIME, *VIRTUAL_TOO]]
    events = [{"event": "moves_idle", "names": ["ticks"]}, {"event": "end", "names": ["no"]}]
    assert wall_only(meta(), events, every) == {*REAL_TIME, "ticks"}
    assert wall_only(meta(clock="wall"), events, every) == frozenset()


def test_each_mark_says_what_it_rests_on() -> None:
    assert marks(rule("a + b > c"), {"b", "a", "x"}, False) == ("wall clock only: a, b",)
    assert marks(rule("a > 1"), {"b"}, True) == ()
    assert marks(rule("time() - a > 1"), set(), True) == ("rebased time()",)
    assert marks(rule("timestamp(a) > 1"), set(), True) == ("rebased time()",)
    assert marks(rule("a > 1 and on () hour() > 8"), set(), True) == ("reads the time of day",)
    assert marks(rule("time() - a > 1"), set(), False) == ()
    assert marks(rule("time() - a > 1"), set(), True, ["noon", "night"]) == ("judged at noon, night",)
    assert marks(rule("a > 1"), set(), True, ["noon"]) == ()
    assert marks(rule('{job="m"} > 1'), {"a"}, False) == ()


@pytest.mark.parametrize("zero", [0.0, 1.9e9])
def test_a_unix_time_is_moved_so_that_it_keeps_its_age(zero: float) -> None:
    """The drill began at Unix second 1.8e9; the rules' clock says ``zero`` then. Stale markers stay."""
    stamps = samples("trained_timestamp_seconds", {0: 1.8e9 - 60, 15: STALE})
    others = [
        samples("start_time", {0: 1.8e9}),
        samples("heat", {0: 1.8e9}),
        samples("last_time_seconds", {0: 1.8e9}),
        samples("timestamps_total", {0: 5}),
    ]
    reads = rules("time() - trained_timestamp_seconds > 1", "time() - last_time_seconds > heat", "start_time > 1")
    moved, start, heat, last, total = rebase([stamps, *others], reads, meta(), zero)
    assert moved.values[0] == zero - 60
    assert moved.stale.tolist() == [False, True]
    # start_time is compared with no clock, and heat with an age: a metric's name says nothing.
    assert (start.values[0], heat.values[0], last.values[0], total.values[0]) == (1.8e9, 1.8e9, zero, 5)
    everything = rules('time() - {job="m"} > 1')
    assert [s.values[0] for s in rebase([stamps, *others], everything, meta(), zero)] == [
        zero - 60, zero, zero, zero, 5,
    ]  # fmt: skip
    np.testing.assert_array_equal(stamps.values[:1], [1.8e9 - 60])

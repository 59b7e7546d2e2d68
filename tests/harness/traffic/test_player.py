"""The player on both clocks, against real sockets: on time, open loop, and honest about what it did not send."""

import json
import time
from dataclasses import replace

import gevent
import numpy as np
import pytest

from driftdrill.harness.drive.clock import VirtualClock, WallClock
from driftdrill.harness.scenario.curve import Curve, constant
from driftdrill.harness.scenario.expect import quiet
from driftdrill.harness.scenario.scenario import Scenario
from driftdrill.harness.seeds import generator
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.blocks import BLOCK_ROWS, Blocks
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.player import Player
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.harness.traffic.records import Records
from driftdrill.harness.traffic.schedule import Kind, arrivals
from driftdrill.stack.connection import Connection
from tests.harness.traffic.sockets import Handler, Listening, Peer, always, listening

SCENARIO = Scenario(
    name="load",
    story="rows go out",
    rows=lambda: {"x": np.arange(100.0), "y": np.arange(100) % 2},
    truth="y",
    rate=constant(100),
    warm_up=0,
    baseline=0.5,
    fault=0.5,
    recovery=0,
    faults=[],
    expect=[quiet("Nothing")],
)


class Told(list[tuple[str, float, int, "Exception | None"]]):
    def __call__(self, name: str, seconds: float, size: int, failure: Exception | None) -> None:
        self.append((name, seconds, size, failure))


def player(
    server: Listening,
    clock: WallClock | VirtualClock,
    *,
    rate: Curve = SCENARIO.rate,
    duration: float = 1.0,
    kind: Kind = "poisson",
    connections: int = 8,
    patience: float = 30.0,
    timeout: float = 5.0,
    slots: slice = slice(None),
    late_after: float = 1.0,
) -> tuple[Player, Told]:
    scenario = replace(SCENARIO, rate=rate, fault=duration - 0.5)
    times = arrivals(rate, duration, generator(0, "schedule"), kind)
    spoken, told = protocol(ProtocolOptions()), Told()
    client = Client(Connection(server.url, timeout=timeout), spoken.path, spoken.content_type)
    blocks = Blocks(scenario, spoken, times)
    made = Player(
        blocks,
        [client],
        clock,
        slots=np.arange(len(times))[slots],
        report=told,
        connections=connections,
        patience=patience,
        late_after=late_after,
    )
    return made, told


@pytest.fixture
def wall() -> WallClock:
    return WallClock()


def play(made: Player, clock: WallClock, seconds: float) -> Records:
    clock.start()
    made.start()
    made.wait_ended(seconds, timeout=seconds + 10)
    made.stop()
    return made.take()


def lateness(times: np.ndarray, clock: WallClock) -> float:
    """By how many seconds a greenlet that does nothing else wakes late for these times: what a busy machine adds."""
    late = []
    while not clock.started_at:
        gevent.sleep(0.001)
    for at in times:
        gevent.sleep(max(0.0, at - clock.now()))
        late.append(clock.now() - at)
    return float(np.median(late))


def slowly(seconds: float) -> Handler:
    def handler(peer: Peer) -> None:
        while peer.request() is not None:
            if peer.server.ending.wait(seconds):
                return
            peer.reply(b'{"prediction": 1}')

    return handler


def test_every_request_of_the_schedule_is_sent_on_time_and_recorded(wall: WallClock) -> None:
    with listening(always(b'{"prediction": 0.25}')) as server:
        made, told = player(server, wall)
        alone = gevent.spawn(lateness, made.times, wall)
        records = play(made, wall, 1.0)
        of_the_machine = alone.get(timeout=20)
    planned = len(made.times)
    assert len(records) == planned == len(server.heads) == len(told)
    assert sorted(records.slot) == list(range(planned))
    assert set(records.status) == {200}
    assert records.failure == [""] * planned
    assert records.prediction == [0.25] * planned
    assert float(np.median(records.late)) < 0.05 + of_the_machine
    assert records.missed == 0


def test_latency_counts_from_the_intended_start_when_the_server_stalls(wall: WallClock) -> None:
    """A closed loop would send less and report the stall once; every request due in it must show it."""

    def stalling(peer: Peer) -> None:
        began = peer.server.__dict__.setdefault("began", time.monotonic())
        while peer.request() is not None:
            now = time.monotonic() - began
            if 0.2 < now < 0.8:
                time.sleep(0.8 - now)
            peer.reply(b'{"prediction": 1}')

    with listening(stalling) as server:
        made, told = player(server, wall, rate=constant(100), connections=4)
        records = play(made, wall, 1.0)
    assert len(records) == len(made.times)
    slow = [seconds for _, seconds, _, _ in told if seconds > 0.1]
    assert len(slow) > 35
    assert sum(1 for took in records.took if took > 0.3) <= 12
    for (_, seconds, _, _), late, took in zip(told, records.late, records.took, strict=True):
        assert seconds == pytest.approx(late + took)


def test_what_the_target_holds_back_is_lateness_and_not_a_miss(wall: WallClock) -> None:
    with listening(slowly(0.4)) as server:
        made, _ = player(server, wall, rate=constant(10), connections=1, kind="even")
        clock_end = 6.0
        records = play(made, wall, clock_end)
    assert len(records) == 10
    assert max(records.late) > 1.5
    assert records.missed == 0


def test_a_request_that_waited_longer_than_its_caller_would_is_dropped(wall: WallClock) -> None:
    with listening(slowly(0.3)) as server:
        made, told = player(server, wall, rate=constant(40), connections=2, kind="even", patience=0.35)
        records = play(made, wall, 3.0)
    dropped = records.failure.count("dropped")
    assert len(records) == 40
    assert dropped > 15
    assert len(server.heads) == 40 - dropped == made.sent
    assert [name for name, *_ in told].count("dropped") == dropped
    assert records.missed == 0


def test_stopping_records_what_was_in_flight_and_what_waited(wall: WallClock) -> None:
    with listening(slowly(30)) as server:
        made, _ = player(server, wall, rate=constant(40), connections=3, kind="even")
        wall.start()
        made.start()
        with gevent.Timeout(20):
            while len(server.heads) < 3 or wall.now() < 0.7:
                gevent.sleep(0.01)
        made.stop()
        made.stop()
        records = made.take()
    assert records.failure.count("unfinished") == 3
    assert records.failure.count("dropped") == len(records) - 3
    assert 20 <= len(records) <= 40
    assert sorted(records.slot) == list(range(len(records)))


def test_a_generator_that_woke_too_late_counts_misses(wall: WallClock) -> None:
    with listening(always()) as server:
        made, _ = player(server, wall, rate=constant(40), kind="even")
        wall.start()
        made.start()
        gevent.sleep(0.3)
        time.sleep(1.5)  # the loop itself is blocked, as by a computation or a machine that is too busy
        made.wait_ended(2.0, timeout=5)
        made.stop()
        records = made.take()
    assert len(records) == 40
    assert records.missed >= 3


def test_the_author_says_after_how_much_a_send_is_a_miss(wall: WallClock) -> None:
    missed = {}
    for late_after in (0.15, 5.0):
        clock = WallClock()
        with listening(always()) as server:
            made, _ = player(server, clock, rate=constant(40), kind="even", late_after=late_after)
            clock.start()
            made.start()
            gevent.sleep(0.1)
            time.sleep(0.7)
            made.wait_ended(1.0, timeout=5)
            made.stop()
            missed[late_after] = made.take().missed
    assert missed[0.15] >= 3
    assert missed[5.0] == 0


def test_virtual_time_stands_until_the_gate_opens_and_nothing_is_late() -> None:
    clock = VirtualClock()
    with listening(always()) as server:
        made, _ = player(server, clock, rate=constant(2), duration=100.0, connections=4)
        clock.start()
        made.start()
        gevent.sleep(0.05)
        assert made.sent == 0
        clock.open(40.0)
        assert made.wait_ended(40.0, timeout=10)
        half = made.take()
        assert max(half.intended) < 40.0
        assert len(half) == int((made.times < 40.0).sum())
        clock.open(100.0)
        assert made.wait_ended(100.0, timeout=10)
        rest = made.take()
        made.stop()
    assert len(half) + len(rest) == len(made.times)
    assert set(half.late + rest.late) == {0.0}


def test_a_stop_in_virtual_time_makes_up_no_drops() -> None:
    clock = VirtualClock()
    with listening(slowly(30)) as server:
        made, _ = player(server, clock, rate=constant(2), duration=100.0, connections=2)
        clock.start()
        made.start()
        clock.open(50.0)
        gevent.sleep(0.1)
        made.stop()
    assert set(made.take().failure) <= {"unfinished"}


def test_workers_together_send_the_single_process_schedule_byte_for_byte() -> None:
    def sent(workers: int) -> dict[int, bytes]:
        bodies: list[bytes] = []

        def keeping(peer: Peer) -> None:
            while (body := peer.request()) is not None:
                bodies.append(body)
                peer.reply(b'{"prediction": 1}')

        slots: list[int] = []
        with listening(keeping) as server:
            for i in range(workers):
                clock = VirtualClock()
                # One connection: the order of records is then the order of sending.
                made, _ = player(server, clock, rate=constant(900), slots=slice(i, None, workers), connections=1)
                made.start()
                clock.open(1.0)
                assert made.wait_ended(1.0, timeout=10)
                made.stop()
                slots += made.take().slot
        assert len(slots) == len(bodies)
        return dict(zip(slots, bodies, strict=True))

    single = sent(1)
    assert len(single) > 800
    assert sent(2) == single
    assert sent(4) == single


def test_requests_that_are_due_already_follow_one_another_and_each_is_recorded_as_its_own(wall: WallClock) -> None:
    """Far more than the connections can take at once: answers of all kinds, and one reset in the middle."""
    bodies: list[bytes] = []

    def handler(peer: Peer) -> None:
        while (body := peer.request()) is not None:
            bodies.append(body)
            x = json.loads(body)["x"]
            if x % 10 == 3:
                peer.reply(b"overloaded", 503)
            elif x % 10 == 4:
                peer.reply(b'{"prediction": "high"}')
            elif x == 55:
                peer.reset()
                return
            elif x % 10 == 6:
                peer.send(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
                peer.send(b'14\r\n{"prediction": %4d}\r\n0\r\n\r\n' % x)
            else:
                peer.reply(b'{"prediction": %d}' % x, headers=f"X-Request-Id: {len(bodies)}\r\n" if x % 2 else "")

    with listening(handler) as server:
        made, told = player(server, wall, rate=constant(2000), connections=3)
        records = play(made, wall, 1.0)
    expected = [
        json.loads(made.blocks.block(slot // BLOCK_ROWS).bodies[slot % BLOCK_ROWS])["x"] for slot in records.slot
    ]
    kinds = {3: "status", 4: "undecodable"}
    assert len(records) == len(made.times) == len(bodies) == len(told) == made.sent
    assert sorted(records.slot) == list(range(len(made.times)))
    assert records.failure == ["reset" if x == 55 else kinds.get(x % 10, "") for x in expected]
    answered = [p for p in records.prediction if not np.isnan(p)]
    assert answered == [x for x, failure in zip(expected, records.failure, strict=True) if not failure]
    assert records.truth == [x % 2 for x in expected]
    assert sum(records.took) <= 3 * wall.now()  # no two at once on one connection


def test_two_addresses_take_turns_also_when_both_are_behind(wall: WallClock) -> None:
    with listening(slowly(0.02)) as one, listening(slowly(0.001)) as other:
        made, _ = player(one, wall, rate=constant(200), connections=2)
        made.clients.append(Client(Connection(other.url, timeout=5), "/predict", "application/json"))
        play(made, wall, 1.0)
    assert abs(len(one.heads) - len(other.heads)) <= 1
    assert len(one.heads) + len(other.heads) == len(made.times)


def test_failures_are_classified_and_their_rows_have_no_prediction(wall: WallClock) -> None:
    answers = [
        (200, b'{"prediction": 1}', ""),
        (500, b"oops", "status"),
        (422, b"{}", "status"),
        (200, b"", "undecodable"),
        (200, b'{"prediction": [1, 2]}', "undecodable"),
        (200, b'{"prediction": "high"}', "undecodable"),
        (200, b'{"prediction": NaN}', "undecodable"),
    ]
    for status, body, kind in answers:
        clock = WallClock()
        with listening(always(body, status)) as server:
            made, told = player(server, clock, rate=constant(10), duration=1.0, connections=2)
            made.times = made.times * 0
            records = play(made, clock, 0.5)
        assert set(records.failure) == {kind}
        assert set(records.status) == {status}
        assert all(np.isnan(records.prediction)) == bool(kind)
        assert all((failure is not None) == bool(kind) for _, _, _, failure in told)


def test_a_defect_in_the_player_is_raised_and_not_swallowed(wall: WallClock) -> None:
    with listening(always()) as server:
        made, _ = player(server, wall)
        made.clients[0].post = None  # type: ignore[method-assign, assignment]
        wall.start()
        made.start()
        with pytest.raises(TypeError):
            made.wait_ended(1.0, timeout=5)
        made.stop()

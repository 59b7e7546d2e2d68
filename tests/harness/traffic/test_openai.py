"""Completions and chat, whole and streamed, against a stand-in that counts words."""

import json
from dataclasses import replace

import numpy as np
import pytest

from driftdrill.harness.drive.clock import WallClock
from driftdrill.harness.errors import ConfigError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.blocks import Blocks
from driftdrill.harness.traffic.http.client import Client
from driftdrill.harness.traffic.player import Player
from driftdrill.harness.traffic.protocols import protocol
from driftdrill.harness.traffic.records import Records
from driftdrill.stack.connection import Connection
from tests.harness.traffic.openai_stand_in import stand_in
from tests.harness.traffic.sockets import Listening
from tests.harness.traffic.test_player import SCENARIO, Told

PROMPTS: Batch = {"prompt": np.array(["one", "one two three", 'a "b" é\n c d'], dtype=object)}
TOKENS = {1.0, 3.0, 5.0}
STREAM = '{"stream": true, "max_tokens": 9}'


def ask(server: Listening, options: ProtocolOptions, count: int = 12) -> tuple[Records, Told]:
    spoken, told, clock = protocol(replace(options, model="words")), Told(), WallClock()
    client = Client(Connection(server.url), spoken.path, spoken.content_type, timed=True)
    scenario = replace(SCENARIO, rows=lambda: PROMPTS, truth=None)
    blocks = Blocks(scenario, spoken, np.zeros(count))
    made = Player(blocks, [client], clock, slots=np.arange(count), report=told, connections=3)
    clock.start()
    made.start()
    assert made.wait_ended(1.0, timeout=20)
    made.stop()
    return made.take(), told


@pytest.mark.parametrize("name", ["openai-chat", "openai-completions"])
@pytest.mark.parametrize("body", [None, STREAM], ids=["whole", "streamed"])
@pytest.mark.parametrize("usage", [True, False], ids=["told", "untold"])
def test_completion_tokens_are_counted(name: str, body: str | None, usage: bool) -> None:
    with stand_in(usage=usage) as server:
        records, _ = ask(server, ProtocolOptions(name, body=body))
    if body is None and not usage:
        assert set(records.failure) == {"undecodable"}  # nothing to count by
        return
    assert records.failure == [""] * 12
    assert set(records.prediction) <= TOKENS
    assert records.measured["completion_tokens"] == records.prediction
    if usage:
        assert records.measured["prompt_tokens"] == records.prediction


@pytest.mark.parametrize("name", ["openai-chat", "openai-completions"])
def test_a_stream_tells_the_time_to_the_first_token_and_between_tokens(name: str) -> None:
    with stand_in(wait=0.1, between=0.04) as server:
        records, told = ask(server, ProtocolOptions(name, body=STREAM))
    first, between = records.measured["time_to_first_token"], records.measured["inter_token_time"]
    assert all(0.09 < t < took for t, took in zip(first, records.took, strict=True))
    tokens = np.array(records.prediction)
    assert (np.isnan(between) == (tokens == 1)).all()
    assert all(0.03 < t < 0.2 for t in np.array(between)[tokens > 1])
    names = [name for name, *_ in told]
    assert names.count("time to first token") == 12
    assert names.count("inter token time") == int((tokens > 1).sum())


def test_a_stream_cut_off_is_a_failure_and_measures_nothing() -> None:
    with stand_in(cut=True) as server:
        records, _ = ask(server, ProtocolOptions("openai-chat", body=STREAM))
    assert set(records.failure) == {"undecodable"}
    assert records.measured == {}


def test_a_number_may_be_read_from_the_text() -> None:
    options = ProtocolOptions("openai-chat", body=STREAM, result="to_number(choices[0].message.content)", model="m")
    events = "".join(
        f"data: {json.dumps({'choices': [{'delta': {'content': part}}]})}\r\n\r\n" for part in ("0.", "75", "")
    )
    assert protocol(options).decode((": ping\r\n\r\n" + events + "data: [DONE]\r\n\r\n").encode(), 1) == [0.75]


def test_a_system_column_goes_before_the_prompt() -> None:
    rows = {**PROMPTS, "system": np.array(["be brief"] * 3, dtype=object)}
    body = json.loads(protocol(ProtocolOptions("openai-chat", model="m")).encode(rows, 1)[1])
    assert body == {
        "model": "m",
        "messages": [{"role": "system", "content": "be brief"}, {"role": "user", "content": "one two three"}],
    }


def test_rows_without_a_prompt_are_refused() -> None:
    with pytest.raises(ConfigError, match="need a column 'prompt'"):
        protocol(ProtocolOptions("openai-chat", model="m")).encode({"a": np.ones(1), "b": np.ones(1)}, 1)

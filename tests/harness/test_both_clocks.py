"""One server and one fault on both clocks: the same requests fail in the same way; virtual time invents no failure."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any

import pytest
import uvicorn

from driftdrill.harness.recording.reader import open_recording
from tests.harness import scenarios, toy
from tests.harness.command import Cli, eventually
from tests.harness.toy import TEXT, Answer, Toy

FIELDS = {"warm_up": "1", "baseline": "2", "fault": "4", "recovery": "2", "rate": "constant(40)", "expect": "[]"}
NULLS = "[Fault('null', Null('x'), strength=constant(0.4))]"


def closes_after_an_error(number: int, asked: Any) -> Answer | None:
    return Answer("no", 500) if asked["x"] is None else None


def closes_without_an_answer(number: int, asked: Any) -> Answer | None:
    if asked["x"] is None:
        raise ConnectionAbortedError
    return None


@contextmanager
def stdlib(predict: Callable[[int, Any], Answer | None]) -> Iterator[str]:
    """http.server, which closes a connection after an error without having said so."""
    with toy.serve(Toy(predict=predict, closes=lambda answer: answer.status == 500)) as model:
        yield model.url


@contextmanager
def raising() -> Iterator[str]:
    """uvicorn with an application that raises: it answers 500 and closes the connection."""
    seen = [0]

    async def app(scope: Any, receive: Any, send: Any) -> None:
        page = f"# TYPE toy_requests_total counter\ntoy_requests_total {seen[0]}\n".encode()
        if scope["method"] == "POST":
            body = b""
            while (message := await receive()).get("more_body") or message.get("body"):
                body += message["body"]
                if not message.get("more_body"):
                    break
            seen[0] += 1
            page = json.dumps({"prediction": min(json.loads(body)["x"], 1.0)}).encode()  # TypeError for null
        headers = [(b"content-length", str(len(page)).encode()), (b"content-type", TEXT.encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": page})

    listening = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
    thread.start()
    eventually(lambda: server.started, "uvicorn listens")
    try:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
        listening.close()


def kinds(cli: Cli, url: str, clock: str) -> tuple[dict[str, int], dict[str, int]]:
    """What befell the faulty requests and the clean ones, and how many of each: kind of failure -> count."""
    file = scenarios.write(
        cli.folder, scenarios.WALL, imports="from driftdrill.faults import Null", faults=NULLS, **FIELDS
    )
    done = cli("run", file, "--target", url, "--clock", clock, "--out", cli.folder / f"{clock}.drill")
    assert "INVALID" not in done.out or "of them twice" in done.out, done
    found = open_recording(cli.folder / f"{clock}.drill").requests()
    hit = found.changed["null"]
    assert hit.sum() > 30
    counted = ({k: f.count(k) for k in set(f)} for f in (found.failure[hit].tolist(), found.failure[~hit].tolist()))
    return next(counted), next(counted)


@pytest.mark.parametrize(
    ("server", "kind"),
    [
        (lambda: stdlib(closes_after_an_error), "status"),
        (lambda: stdlib(closes_without_an_answer), "reset"),
        (raising, "status"),
    ],
    ids=["http.server closes after 500", "http.server closes unanswered", "uvicorn's application raises"],
)
def test_the_same_requests_fail_in_the_same_way_on_both_clocks(
    cli: Cli, prometheus_binary: str, server: Callable[[], AbstractContextManager[str]], kind: str
) -> None:
    with server() as url:
        wall, virtual = (kinds(cli, url, clock) for clock in ("wall", "virtual"))

    faulty, clean = virtual
    assert set(faulty) == {kind}
    assert set(clean) == {""}
    assert sum(faulty.values()) == sum(wall[0].values()), "one schedule, one fault"
    # In real time a connection may be closed just as the next request takes it: hardly ever, and then it is a reset.
    by_chance = wall[0].get("reset", 0) * (kind != "reset") + wall[1].get("reset", 0)
    assert by_chance <= 0.05 * sum(wall[1].values())
    assert set(wall[0]) - {"reset"} == {kind} - {"reset"}
    assert set(wall[1]) - {"reset"} == {""}

"""A stand-in for an OpenAI-compatible server: it counts words instead of running a model. No server is meant by it."""

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager

from tests.harness.traffic.sockets import Listening, Peer, listening


@contextmanager
def stand_in(*, wait: float = 0.0, between: float = 0.0, usage: bool = True, cut: bool = False) -> Iterator[Listening]:
    """It answers a prompt with as many tokens as the prompt has words.

    ``wait`` seconds before the first token, ``between`` two tokens; ``usage`` whether it tells its token counts;
    ``cut`` makes it end streams without [DONE].
    """

    def handler(peer: Peer) -> None:
        while (body := peer.request()) is not None:
            asked = json.loads(body)
            chat = b"/chat/" in peer.server.heads[-1]
            prompt = asked["messages"][-1]["content"] if chat else asked["prompt"]
            words = prompt.split()
            counts = {"prompt_tokens": len(words), "completion_tokens": len(words)}
            if not asked.get("stream"):
                text = " ".join(words)
                choice = {"message": {"role": "assistant", "content": text}} if chat else {"text": text}
                peer.reply(json.dumps({"choices": [choice], **({"usage": counts} if usage else {})}).encode())
                continue
            peer.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n")
            time.sleep(wait)
            if chat:
                _event(peer, {"choices": [{"delta": {"role": "assistant", "content": ""}}]})
            for i, word in enumerate(words):
                if i:
                    time.sleep(between)
                _event(peer, {"choices": [{"delta": {"content": word + " "}} if chat else {"text": word + " "}]})
            if usage and asked.get("stream_options", {}).get("include_usage"):
                _event(peer, {"choices": [], "usage": counts})
            if not cut:
                _chunk(peer, b"data: [DONE]\n\n")
            peer.send(b"0\r\n\r\n")

    with listening(handler) as server:
        yield server


def _event(peer: Peer, event: object) -> None:
    _chunk(peer, b"data: " + json.dumps(event).encode() + b"\n\n")


def _chunk(peer: Peer, data: bytes) -> None:
    peer.send(b"%x\r\n%b\r\n" % (len(data), data))

"""OpenAI-compatible completions and chat: vLLM, llama.cpp, TGI and others. One row a request.

https://platform.openai.com/docs/api-reference/chat/create and .../completions/create

The text sent is the column ``prompt`` (or the only column); a column ``system`` is chat's system message. ``body``
is a JSON object of further fields: {"max_tokens": 32, "stream": true}. Streamed chunks are put together to the answer
that an unstreamed request would have got, so that ``result`` means the same for both: by default the number of
completion tokens; ``to_number(choices[0].message.content)`` reads a number from the text.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import msgspec

from driftdrill.harness.errors import ConfigError
from driftdrill.harness.scenario.fault import Batch
from driftdrill.harness.setup.target import ProtocolOptions
from driftdrill.harness.traffic.protocols.base import Ask, Detected, Family, Predictions, Protocol, Undecodable
from driftdrill.harness.traffic.protocols.values import decoded, finder, predictions, texts

Pieces = tuple[tuple[float, int], ...]


def _make(chat: bool, options: ProtocolOptions, ask: Ask | None) -> Protocol:
    fields = _fields(options)
    model = options.model or fields.get("model") or _only_model(ask)
    if model is None:
        raise ConfigError("an OpenAI-compatible endpoint needs the model's name", hint='model = "my-model"')
    fields["model"] = model
    if fields.get("stream"):
        fields.setdefault("stream_options", {"include_usage": True})
    head = json.dumps(fields)[:-1]

    def encode(batch: Batch, rows_per_request: int = 1) -> list[bytes]:
        if rows_per_request != 1:
            raise ConfigError("a prompt is one row; rows_per_request must be 1")
        prompts, system = _prompts(batch)
        if not chat:
            return [f'{head}, "prompt": {prompt}}}'.encode() for prompt in prompts]
        users = [f'{{"role": "user", "content": {prompt}}}' for prompt in prompts]
        if system is not None:
            pairs = zip(system, users, strict=True)
            users = [f'{{"role": "system", "content": {text}}}, {user}' for text, user in pairs]
        return [f'{head}, "messages": [{messages}]}}'.encode() for messages in users]

    return Protocol(
        options.path or ("/v1/chat/completions" if chat else "/v1/completions"),
        encode,
        partial(_decode, finder(options.result or "usage.completion_tokens")),
        measure=_measure,
    )


def _fields(options: ProtocolOptions) -> dict[str, Any]:
    if options.body is None:
        return {}
    try:
        fields = json.loads(options.body)
    except ValueError as e:
        raise ConfigError(f"body {options.body!r} is not JSON: {e}") from e
    if not isinstance(fields, dict) or {"prompt", "messages"} & fields.keys():
        raise ConfigError(
            f"body {options.body!r} must be a JSON object without prompt and messages; the rows are those",
            hint='body = \'{"max_tokens": 32, "stream": true}\'',
        )
    return fields


def _prompts(batch: Batch) -> tuple[list[str], list[str] | None]:
    if "prompt" in batch:
        return texts(batch["prompt"]), texts(batch["system"]) if "system" in batch else None
    if len(batch) != 1:
        raise ConfigError(f"rows for a language model need a column 'prompt'; these have {sorted(batch)}")
    return texts(next(iter(batch.values()))), None


def _decode(find: Callable[[Any], Any], body: bytes, rows: int, labels: bool = False) -> Predictions:
    answer = _answer(body)
    if not isinstance(answer, dict) or not answer.get("choices"):
        raise Undecodable(f"no choices in the response: {body[:80]!r}")
    return predictions(find(answer), rows, labels)


def _answer(body: bytes) -> Any:
    """The whole answer; a stream's chunks are put together, its tokens counted where the server does not say."""
    if not body.lstrip().startswith((b"data:", b":", b"event:")):
        return decoded(body)
    text, usage, count, finished = [], None, 0, False
    for event, _ in _events(body):
        if event is None:
            finished = True
            continue
        if "error" in event:
            raise Undecodable(f"the stream ended with an error: {str(event['error'])[:80]}")
        usage = event.get("usage") or usage
        if (part := _part(event)) is not None:
            text.append(part)
            count += bool(part)
        finished = finished or any(c.get("finish_reason") for c in event.get("choices") or [])
    if not finished:
        raise Undecodable("the stream ended without [DONE]")
    whole = "".join(text)
    choice = {"text": whole, "message": {"role": "assistant", "content": whole}}
    return {"choices": [choice], "usage": usage or {"completion_tokens": count}}


def _events(body: bytes) -> Iterator[tuple[dict[str, Any] | None, int]]:
    """(JSON of each server-sent event, bytes up to its end); None for [DONE]."""
    at = 0
    for line in body.splitlines(keepends=True):
        at += len(line)
        if not line.startswith(b"data:"):
            continue
        data = line[5:].strip()
        if data == b"[DONE]":
            yield None, at
            continue
        try:
            event = msgspec.json.decode(data)
        except msgspec.DecodeError as e:
            raise Undecodable(f"a streamed chunk is not JSON: {e}") from e
        if isinstance(event, dict):
            yield event, at


def _part(event: Mapping[str, Any]) -> str | None:
    """The text that a chunk adds."""
    choices = event.get("choices") or []
    if not choices:
        return None
    found = choices[0].get("text")
    if found is None:
        found = (choices[0].get("delta") or {}).get("content")
    return found if isinstance(found, str) else None


def _measure(body: bytes, pieces: Pieces) -> Mapping[str, float]:
    """Tokens, and for a stream the seconds to the first token and between tokens on average."""
    usage = _answer(body).get("usage") or {}
    out = {k: float(usage[k]) for k in ("prompt_tokens", "completion_tokens") if isinstance(usage.get(k), (int, float))}
    if not body.lstrip().startswith((b"data:", b":", b"event:")) or not pieces:
        return out
    ends = [at for event, at in _events(body) if event is not None and _part(event)]
    if not ends:
        return out
    first, last = _came(pieces, ends[0]), _came(pieces, ends[-1])
    out["time_to_first_token"] = first
    if (tokens := out.get("completion_tokens", float(len(ends)))) > 1:
        out["inter_token_time"] = (last - first) / (tokens - 1)
    return out


def _came(pieces: Pieces, offset: int) -> float:
    """When byte ``offset`` of the body had arrived, seconds since sending."""
    return next((seconds for seconds, so_far in pieces if so_far >= offset), pieces[-1][0])


def _models(ask: Ask) -> list[str]:
    listed = ask("/v1/models").json
    data = listed.get("data") if isinstance(listed, dict) else None
    return [str(m["id"]) for m in data if isinstance(m, dict) and "id" in m] if isinstance(data, list) else []


def _only_model(ask: Ask | None) -> str | None:
    models = _models(ask) if ask is not None else []
    return models[0] if len(models) == 1 else None


def _detect(ask: Ask) -> Detected | None:
    models = _models(ask)
    if not models:
        return None
    options = ProtocolOptions("openai-chat")
    named = replace(options, model=models[0]) if len(models) == 1 else options
    return Detected(named, f"/v1/models lists {', '.join(models[:5])}")


def _nothing(ask: Ask) -> Detected | None:
    """Completions answer the same GETs as chat does; auto takes chat."""
    return None


CHAT = Family(partial(_make, True), _detect, health="/health")
COMPLETIONS = Family(partial(_make, False), _nothing, health="/health")

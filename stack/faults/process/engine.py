"""The container engine, as far as faults need it."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

from driftdrill.stack.errors import StackError

ANSWER = 10.0
"""Seconds that the engine may take for one answer."""


@cache
def _client() -> Any:
    import docker

    return docker.from_env(timeout=int(ANSWER))


@contextmanager
def engine_errors(by_hand: str) -> Iterator[None]:
    """Turn the engine's errors into :class:`StackError` with what to do by hand."""
    import docker.errors
    import requests

    try:
        yield
    except (docker.errors.DockerException, requests.RequestException, OSError) as e:
        raise StackError(f"the container engine: {(str(e) or type(e).__name__).splitlines()[0]}", hint=by_hand) from e


def container(name: str) -> Any:
    """The container (a ``docker.models.containers.Container``), freshly read; None where there is none."""
    import docker.errors

    try:
        return _client().containers.get(name)
    except docker.errors.NotFound:
        return None


def update(name: str, resources: Mapping[str, int]) -> None:
    """The engine's update call with fields named as its API names them (``CpuQuota``, ``Memory``)."""
    import docker.errors

    api = _client().api
    url = f"{api.base_url}/v{api.api_version}/containers/{name}/update"
    reply = api.post(url, json=dict(resources), timeout=ANSWER)
    if not reply.ok:
        raise docker.errors.DockerException(reply.json().get("message", reply.reason))


def machine() -> tuple[int, int]:
    """CPUs, and bytes of memory, of the engine's machine."""
    info = _client().info()
    return int(info["NCPU"]), int(info["MemTotal"])


def memory_used(held: Any) -> int:
    """Bytes that the container uses now."""
    return int(held.stats(stream=False)["memory_stats"]["usage"])

"""A Prometheus to drill against: one context manager, three ways, same behaviour.

``container``: an image on this machine's container engine. ``binary``: a ``prometheus`` program. ``server``: one that
runs already, read-only, its rules its own. ``auto``: a container where an engine answers and the image can be had,
else a binary.
"""

import os
import secrets
import socket
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Literal

from driftdrill.durations import format_duration
from driftdrill.stack import container, process
from driftdrill.stack.connection import Connection
from driftdrill.stack.errors import StackError
from driftdrill.stack.process import Started
from driftdrill.stack.prometheus.api import (
    LoadedGroup,
    LoadedRule,
    ScrapedTarget,
    Series,
    Server,
    died,
    flags,
    last_words,
    query,
    query_range,
    ready,
    reload,
    rules,
    targets,
    version,
)
from driftdrill.stack.prometheus.configuration import Files, configuration
from driftdrill.stack.prometheus.promtool import IMAGE, Promtool, find_binary, find_promtool, none_to_be_had
from driftdrill.stack.rules.files import load_rule_files
from driftdrill.stack.scrape.job import ScrapeJob

__all__ = [
    "IMAGE",
    "LoadedGroup",
    "LoadedRule",
    "Program",
    "ScrapedTarget",
    "Series",
    "Server",
    "died",
    "find_prometheus",
    "prometheus",
    "query",
    "query_range",
    "ready",
    "reconfigure",
    "rules",
    "targets",
]

_READY_WITHIN = 30.0
"""Seconds; usually it takes 0.2 s from a binary and 0.7 s in a container."""
_POLL = 0.05
_PORTS = 5
"""Ports to try, where another process takes the one that was free."""


@dataclass(frozen=True)
class Program:
    """Where our own Prometheus comes from: ``argv`` is (path,) of a binary, or (image,) of a container."""

    argv: tuple[str, ...]
    how: Literal["container", "binary"]


def find_prometheus(
    how: Literal["auto", "container", "binary"] = "auto",
    *,
    binary: str | None = None,
    image: str = IMAGE,
    pull: bool = True,
) -> Program:
    """Choose a way, pulling the image if need be (bounded). Raises :class:`StackError` with all three remedies.

    ``binary``, or $DRIFTDRILL_PROMETHEUS, is a path; ``auto`` takes it before anything else.
    """
    path = find_binary("prometheus", binary)
    chosen = binary or os.environ.get("DRIFTDRILL_PROMETHEUS")
    reasons = []
    if how != "binary" and not (how == "auto" and chosen):
        try:
            container.obtain(image, pull=pull)
            return Program((image,), "container")
        except StackError as e:
            if how == "container":
                raise
            reasons.append(e.cause)
    if path is None:
        raise none_to_be_had("Prometheus", [*reasons, "prometheus is not on PATH"])
    return Program((path,), "binary")


@contextmanager
def prometheus(
    *,
    jobs: Sequence[ScrapeJob] = (),
    rule_files: Iterable[str | Path] = (),
    scrape_interval: float = 15.0,
    evaluation_interval: float = 15.0,
    config: Mapping[str, Any] | None = None,
    extra_flags: Sequence[str] = (),
    how: Literal["auto", "container", "binary", "server"] = "auto",
    connection: Connection | None = None,
    binary: str | None = None,
    image: str = IMAGE,
    data: Files | None = None,
    reloadable: bool = False,
) -> Iterator[Server]:
    """A Prometheus that is ready, scrapes ``jobs`` and evaluates ``rule_files`` (paths, globs, PrometheusRules).

    Intervals are seconds. ``config`` is a prometheus.yml to build on; ``extra_flags`` are command-line flags. ``data``
    are TSDB blocks (file name -> content) to begin with. A ``reloadable`` one takes other jobs while it runs
    (:func:`reconfigure`). With ``how="server"`` only ``connection`` counts. It listens on 127.0.0.1 alone; its data lie
    in a private folder; both are gone afterwards, whatever ends this process. Raises :class:`StackError`.
    """
    if how == "server":
        yield _existing(connection)
        return
    program = find_prometheus(how, binary=binary, image=image)
    configured = partial(
        configuration,
        rules=load_rule_files(rule_files),
        scrape_interval=scrape_interval,
        evaluation_interval=evaluation_interval,
        base=config,
    )
    files = configured(jobs=jobs)
    files |= {f"data/{name}": content for name, content in (data or {}).items()}
    flags = [*extra_flags, *(["--web.enable-lifecycle"] if reloadable else [])]
    with _started(program, files, flags) as server:
        yield replace(server, configured=configured) if reloadable else server


def reconfigure(server: Server, jobs: Sequence[ScrapeJob]) -> None:
    """Let a reloadable server of ours scrape ``jobs`` in place of its own, all else unchanged.

    It takes other addresses and labels some five seconds later, when its discovery looks next. Raises
    :class:`StackError` where the server is none of ours or refuses.
    """
    if server.configured is None or server.started is None:
        raise StackError(f"the Prometheus at {server.connection.url} cannot be given another configuration")
    server.started.put(server.configured(jobs=jobs))
    reload(server)


def _existing(connection: Connection | None) -> Server:
    if connection is None:
        raise StackError("an existing Prometheus needs its URL", hint="--prometheus http://127.0.0.1:9090")
    server = Server(connection, version="", how="server", promtool=None)
    query(server, "vector(1)")  # the one call that every kin of Prometheus answers
    with suppress(StackError):
        server = replace(server, version=version(server))
    with suppress(StackError):
        server = replace(server, promtool=find_promtool())
    return server


@contextmanager
def _started(program: Program, files: Files, extra: Sequence[str]) -> Iterator[Server]:
    """Start it on a free port; on another one where somebody else took that port meanwhile."""
    for attempt in range(1, _PORTS + 1):
        port = _free_port()
        with _launched(program, files, extra, port) as (started, config_file):
            server = Server(Connection(f"http://127.0.0.1:{port}"), "", program.how, None, started)
            problem = _await_ready(server, started, config_file)
            if problem is None:
                yield replace(server, version=version(server), promtool=_promtool_of(program))
                return
        if "address already in use" not in problem or attempt == _PORTS:
            raise StackError(problem, hint=_remedy(problem))


def _remedy(problem: str) -> str:
    if "http_headers not found" in problem:
        return "headers for a metrics page need Prometheus 2.55 or newer"
    return "`driftdrill doctor` says what this machine can run"


def _promtool_of(program: Program) -> Promtool:
    if program.how == "container":
        return find_promtool("container", image=program.argv[0])
    beside = Path(program.argv[0]).with_name("promtool")
    return find_promtool("binary", binary=str(beside) if beside.exists() else None)


@contextmanager
def _launched(program: Program, files: Files, extra: Sequence[str], port: int) -> Iterator[tuple[Started, str]]:
    """Yields what runs and the path of its prometheus.yml, which no other server has."""
    started: AbstractContextManager[Started]
    if program.how == "container":
        folder = f"/driftdrill-{secrets.token_hex(6)}"
        started = container.running(program.argv[0], _flags(folder, port, extra), folder=folder, files=files)
    else:
        private = Path(tempfile.mkdtemp(prefix="driftdrill-"))
        folder = str(private)
        for name, content in files.items():
            process.write_private(private / name, content)
        started = process.running([*program.argv, *_flags(folder, port, extra)], folder=private)
    with started as running:
        yield running, f"{folder}/prometheus.yml"


def _flags(folder: str, port: int, extra: Sequence[str]) -> list[str]:
    return [
        f"--config.file={folder}/prometheus.yml",
        f"--storage.tsdb.path={folder}/data",
        f"--web.listen-address=127.0.0.1:{port}",
        *extra,
    ]


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _await_ready(server: Server, started: Started, config_file: str) -> str | None:
    """None once it is ready and is ours, else what went wrong."""
    deadline = time.monotonic() + _READY_WITHIN
    while time.monotonic() < deadline:
        if reason := died(server):
            return reason
        # the port may have gone to another Prometheus, which would answer too
        if ready(server) and flags(server).get("config.file") == config_file:
            return None
        time.sleep(_POLL)
    within = format_duration(_READY_WITHIN)
    return f"Prometheus was not ready within {within}; its log ends with:\n{last_words(started.log())}"

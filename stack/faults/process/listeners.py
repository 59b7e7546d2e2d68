"""Which processes of this machine serve a port: all that hold its listening socket, and a parent that leads them."""

import socket
from collections.abc import Iterable
from typing import Any

import psutil

from driftdrill.stack.errors import StackError

ANY = {"0.0.0.0", "::"}
"""Where a socket listens that takes connections to every address of the machine."""


def holders(port: int, host: str = "") -> set[int]:
    """The process ids of all that hold a listening socket of TCP ``port``, at ``host`` where it is given.

    Workers share one socket by inheritance (gunicorn, uvicorn), or have one each (SO_REUSEPORT). Raises
    :class:`StackError` where none is seen, or some belong to another user.
    """
    try:
        # Each: (its port, where it listens, the process id of one that has it, None where this user may not see it).
        listed = [(*_place(c), c.pid) for c in psutil.net_connections("tcp") if c.status == psutil.CONN_LISTEN]
    except psutil.AccessDenied as e:
        raise StackError(f"this user may not see who listens on port {port}", hint="name the process id") from e
    where = {(port, ip) for ip in _ips({ip for number, ip, _ in listed if number == port}, host)}
    # The list names one process a socket, whoever else holds it; each process names all its own.
    found = {p.pid for p in psutil.process_iter() if _listens(p) & where}
    unseen = [ip for number, ip, pid in listed if (number, ip) in where and pid is None]
    if not found:
        raise StackError(
            f"no process that this user can see listens on port {port}",
            hint="it may belong to another user or run in a container: name the process id or the container",
        )
    if unseen:
        raise StackError(
            f"a process that this user cannot see listens on port {port} beside {_ids(found)}",
            hint="run the drill as root, or as the user of all of them",
        )
    return found


def _ips(listening: set[str], host: str) -> set[str]:
    """Where a connection to ``host`` arrives: at its own addresses, or else at any; all of them if at neither."""
    if not host:
        return listening
    try:
        own = {str(info[4][0]) for info in socket.getaddrinfo(host, None)}
    except OSError:
        own = set()
    return listening & own or listening & ANY or listening


def _place(connection: Any) -> tuple[int, str]:
    return connection.laddr.port, connection.laddr.ip


def _listens(process: psutil.Process) -> set[tuple[int, str]]:
    try:
        own = process.net_connections("tcp")
    except psutil.Error:
        return set()
    return {_place(c) for c in own if c.status == psutil.CONN_LISTEN}


def heads(pids: Iterable[int]) -> tuple[int, ...]:
    """Those of the processes that descend from no other of them, oldest first; a fault acts on their descendants too.

    Workers with a socket each have a parent with none, which would start new ones: where it runs the same program, it
    is their head.
    """
    known = {p.pid: p for p in map(_running, pids) if p is not None}
    tops = [p for p in known.values() if not known.keys() & {up.pid for up in p.parents()}]
    parents = {p.pid: p.parent() for p in tops}
    shared = [up for up in parents.values() if up is not None and list(parents.values()).count(up) > 1]
    leads = {up.pid for up in shared if all(_program(up) == _program(p) for p in tops if parents[p.pid] == up)}
    leads -= {1, *ours()}
    made = {up.pid if (up := parents[p.pid]) is not None and up.pid in leads else p.pid for p in tops}
    return tuple(sorted(made, key=lambda pid: (_born(pid), pid)))


def _running(pid: int) -> psutil.Process | None:
    try:
        return psutil.Process(pid)
    except psutil.NoSuchProcess:
        return None


def _program(process: psutil.Process) -> str:
    try:
        return str(process.exe())
    except psutil.Error:
        return str(process.pid)


def _born(pid: int) -> float:
    process = _running(pid)
    return process.create_time() if process is not None else 0.0


def ours() -> set[int]:
    """This process and those that it descends from."""
    return {p.pid for p in (psutil.Process(), *psutil.Process().parents())}


def _ids(pids: Iterable[int]) -> str:
    return ", ".join(map(str, sorted(pids)))

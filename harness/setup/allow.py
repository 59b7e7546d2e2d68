"""Which hosts a drill may touch: this machine, and those that the user allows by name."""

import ipaddress
import socket
from collections.abc import Iterable
from urllib.parse import urlsplit

from driftdrill.harness.errors import TargetError
from driftdrill.harness.setup.target import Target


def refuse_foreign_hosts(target: Target, allowed: tuple[str, ...], also: Iterable[str] = ()) -> None:
    """Raise :class:`TargetError` unless every address is loopback or its host is allowed by name.

    ``also`` are further URLs that will be asked.
    """
    hosts = [c.host for c in (*target.all, *(m.connection for m in target.metrics))]
    hosts += [c.via[0] for c in target.all]
    for host in dict.fromkeys([*hosts, *(urlsplit(url).hostname or "" for url in also)]):
        if host in allowed or _is_loopback(host):
            continue
        raise TargetError(
            f"{host} is not this machine, and a drill sends it traffic and faults",
            hint=f"if it may be drilled, say so: --allow-host {host}",
        )


def _is_loopback(host: str) -> bool:
    """Whether every address that ``host`` resolves to is loopback; a name that resolves to none is not."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        pass
    if host == "localhost":
        return True
    try:
        found = {info[4][0] for info in socket.getaddrinfo(host, None)}
    except OSError as e:
        raise TargetError(f"{host} cannot be resolved: {e.strerror}", hint="check the host name of the target") from e
    return bool(found) and all(ipaddress.ip_address(str(a)).is_loopback for a in found)

"""What a server speaks, found by harmless GETs: its own answers to the questions that each protocol asks."""

from dataclasses import fields, replace

import requests

from driftdrill.harness.errors import TargetError
from driftdrill.harness.setup.target import Target
from driftdrill.harness.traffic.protocols import PROTOCOLS, Protocol, protocol
from driftdrill.harness.traffic.protocols.base import Ask, DetectAnswer, Detected
from driftdrill.stack.connection import Connection

LONGEST = 1_000_000
"""Bytes of one answer that are read."""
SECONDS = 5.0
"""Longest wait between two pieces of an answer; a server that says nothing for so long is not asked again."""


def asking(connection: Connection) -> Ask:
    """A function that GETs paths below ``connection``, each once; credentials and certificates are sent along."""
    session, seen, dead = connection.session(), dict[str, DetectAnswer](), False

    def ask(path: str) -> DetectAnswer:
        nonlocal dead
        if path not in seen:
            try:
                seen[path] = DetectAnswer(0) if dead else _get(session, connection.at(path))
            except requests.ConnectionError:
                # Nobody there: the other questions would only wait as long.
                seen[path], dead = DetectAnswer(0), True
            except requests.RequestException:
                seen[path] = DetectAnswer(0)
        return seen[path]

    return ask


def _get(session: requests.Session, url: str) -> DetectAnswer:
    with session.get(url, timeout=SECONDS, allow_redirects=False, stream=True) as response:
        body = response.raw.read(LONGEST, decode_content=True)
        return DetectAnswer(response.status_code, body.decode("utf-8", "replace"))


def detect(connection: Connection) -> Detected | None:
    """The protocol that the server's answers name, or None. Sends GETs only."""
    ask = asking(connection)
    return next((found for family in PROTOCOLS.values() if (found := family.detect(ask)) is not None), None)


def settled(target: Target) -> tuple[Target, Protocol]:
    """The target with its protocol settled ("auto" replaced by what is detected), and that protocol.

    What the target says itself goes over what is detected. Raises :class:`TargetError` where nothing is.
    """
    wanted = target.protocol
    if wanted.name == "auto":
        found = detect(target.connection)
        if found is None:
            raise TargetError(
                f"{target.connection.url} answers none of the questions by which a protocol is known",
                hint=f"is it running? else name its protocol in driftdrill.toml: {', '.join(PROTOCOLS)}",
            )
        said = {f.name: getattr(wanted, f.name) for f in fields(wanted) if f.name != "name"}
        wanted = replace(found.options, **{name: value for name, value in said.items() if value is not None})
    return replace(target, protocol=wanted), protocol(wanted, asking(target.connection))


def other_protocol(target: Target) -> str | None:
    """A hint for a target that could not be spoken to: the protocol that its answers name, if it is another one."""
    found = detect(target.connection)
    if found is None or found.options == target.protocol:
        return None
    said = [f"protocol = {found.options.name!r}"]
    said += [f"{f} = {v!r}" for f in ("model", "path", "body") if (v := getattr(found.options, f)) is not None]
    return f"{found.why}; in driftdrill.toml: {', '.join(said)}"

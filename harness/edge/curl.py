"""A request as a curl line that sends the same bytes. No credential is in it: the shell reads each where it is kept."""

import hashlib
import re
import shlex
from pathlib import Path

from driftdrill.harness.traffic.protocols import Request
from driftdrill.stack.connection import Connection, Secret

LONGEST = 60_000
"""Bytes of a body that may stand in a command line; Linux allows 128 KiB in one argument."""


def curl(connection: Connection, url: str, request: Request, folder: Path) -> str:
    """The line. A body that a shell cannot hold goes into a file in ``folder``, named by its content."""
    parts = ["curl", "-sS", "-i", *_header("Content-Type", request.content_type)]
    for name, value in (*connection.headers.items(), *request.headers):
        parts += _header(name, value)
    for name, secret in connection.secret_headers.items():
        parts += ["-H", f'"{_inside(name)}: {_read(secret)}"']
    if connection.bearer is not None:
        parts += ["-H", f'"Authorization: Bearer {_read(connection.bearer)}"']
    if connection.basic is not None:
        user, password = connection.basic
        parts += ["-u", f'"{_inside(user)}:{_read(password)}"']
    for option, path in (("--cacert", connection.ca), ("--cert", connection.cert), ("--key", connection.key)):
        parts += [option, shlex.quote(path)] if path else []
    return " ".join([*parts, "--data-binary", shlex.quote(_data(request.body, folder)), shlex.quote(url)])


def _header(name: str, value: str) -> list[str]:
    """With no value, curl sends no such header."""
    return ["-H", shlex.quote(f"{name}: {value}" if value else f"{name}:")]


def _read(secret: Secret) -> str:
    """What a shell puts the credential in place of."""
    if secret.env is not None:
        return "${" + secret.env + "}"
    return f"$(cat {shlex.quote(str(secret.file))})"


def _inside(text: str) -> str:
    """Text between double quotes."""
    return re.sub(r'([\\"$`])', r"\\\1", text)


def _data(body: bytes, folder: Path) -> str:
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        text = ""
    if text and text.isprintable() and len(body) <= LONGEST and not text.startswith("@"):
        return text
    file = folder / f"edge-{hashlib.sha256(body).hexdigest()[:8]}.bin"
    file.write_bytes(body)
    return f"@{file}"

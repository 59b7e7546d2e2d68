"""How to reach one HTTP service: address, credentials, certificates. Secrets never print.

One value serves the model endpoint, its metrics page and Prometheus alike.
"""

import base64
import os
import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from urllib.parse import urlsplit

import msgspec

from driftdrill.stack.errors import StackError

if TYPE_CHECKING:
    from requests import Session

FilePath = Annotated[str, msgspec.Meta(extra={"path": True})]
"""A file by its path: whoever decodes a configuration file makes it relative to that file's folder."""


@dataclass(frozen=True)
class Secret:
    """A credential that is read when it is used, from an environment variable or a file.

    Neither ``repr`` nor JSON nor a pickle of it holds the value; :meth:`reveal` reads it anew.
    """

    env: str | None = None
    file: FilePath | None = None

    def __post_init__(self) -> None:
        if (self.env is None) == (self.file is None):
            raise StackError("a credential needs either an environment variable or a file", hint='{ env = "NAME" }')

    def reveal(self) -> str:
        """The value, without a trailing line end. Raises :class:`StackError` that names the source only."""
        if self.env is not None:
            value = os.environ.get(self.env, "")
            if not value:
                raise StackError(f"environment variable {self.env} is not set", hint=f"export {self.env}=…")
        else:
            try:
                value = Path(str(self.file)).read_text(encoding="utf-8").rstrip("\r\n")
            except OSError as e:
                raise StackError(f"credential file {self.file}: {e.strerror}") from e
        if not value or any(c in value for c in "\r\n\0"):
            raise StackError(f"the credential in {self} is empty or spans lines")
        return value

    def __str__(self) -> str:
        return f"${self.env}" if self.env is not None else f"file {self.file}"


@dataclass(frozen=True)
class Connection:
    """An address with all that is needed to be let in.

    ``url`` may carry a path prefix and may not carry credentials. ``headers`` are plain (``X-Scope-OrgID``);
    ``secret_headers``, ``bearer`` and ``basic`` = (user, password) are secrets. ``ca``, ``cert`` and ``key``
    are PEM files. ``timeout`` is seconds for one answer. ``proxy`` is the http:// URL of an HTTP proxy that requests go
    through: as a whole URL, or where the address is https:// in a tunnel that it is asked for with CONNECT.
    """

    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    secret_headers: Mapping[str, Secret] = field(default_factory=dict)
    bearer: Secret | None = None
    basic: Annotated[tuple[str, Secret], msgspec.Meta(extra={"keys": ("user", "password")})] | None = None
    ca: FilePath | None = None
    cert: FilePath | None = None
    key: FilePath | None = None
    timeout: float = 10.0
    proxy: str | None = None

    def __post_init__(self) -> None:
        try:
            parts = urlsplit(self.url)
            _ = parts.port
        except ValueError as e:
            raise StackError(f"{self.url!r} is not a URL: {e}") from e
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise StackError(f"{self.url!r} is not an http:// or https:// URL", hint="http://127.0.0.1:8000")
        if parts.username or parts.password:
            raise StackError(
                f"the URL of {parts.hostname} carries credentials",
                hint="put them in driftdrill.toml from an environment variable or a file: basic or bearer",
            )
        if self.proxy is not None:
            self._check_proxy(self.proxy)
        if self.bearer is not None and self.basic is not None:
            raise StackError(f"{self.url}: give either bearer or basic, not both")

    def _check_proxy(self, proxy: str) -> None:
        hint = 'proxy = "http://127.0.0.1:3128"'
        try:
            parts = urlsplit(proxy)
            known = parts.scheme == "http" and bool(parts.hostname) and bool(parts.port)
        except ValueError as e:
            raise StackError(f"proxy {proxy!r} is not a URL: {e}", hint=hint) from e
        if not known or parts.path.strip("/"):
            raise StackError(f"proxy {proxy!r} is not an http:// URL of a host and a port", hint=hint)
        if parts.username or parts.password:
            raise StackError(f"the URL of the proxy {parts.hostname} carries credentials, which are not sent to it")

    @property
    def via(self) -> tuple[str, int]:
        """The host and port to connect to: the proxy's if there is one."""
        if self.proxy is None:
            return self.host, self.port
        parts = urlsplit(self.proxy)
        return parts.hostname or "", parts.port or 80

    @property
    def host(self) -> str:
        """The host name or address, without brackets."""
        return urlsplit(self.url).hostname or ""

    @property
    def port(self) -> int:
        """The port, the scheme's default if none is written."""
        parts = urlsplit(self.url)
        return parts.port or (443 if parts.scheme == "https" else 80)

    @property
    def tls(self) -> bool:
        """Whether the scheme is https."""
        return self.url.startswith("https:")

    def at(self, path: str) -> str:
        """The URL of ``path`` below this address, keeping its prefix."""
        return self.url.rstrip("/") + "/" + path.lstrip("/")

    def reveal_headers(self) -> dict[str, str]:
        """Every header with its real value: for the wire, never for a log. Raises :class:`StackError`."""
        out = dict(self.headers)
        out.update({name: secret.reveal() for name, secret in self.secret_headers.items()})
        if self.bearer is not None:
            out["Authorization"] = f"Bearer {self.bearer.reveal()}"
        elif self.basic is not None:
            user, password = self.basic
            pair = f"{user}:{password.reveal()}".encode()
            out["Authorization"] = "Basic " + base64.b64encode(pair).decode("ascii")
        return out

    def redact(self, text: str) -> str:
        """``text`` without our credentials: a server's error page may echo them."""
        secrets = [*self.secret_headers.values(), self.bearer, self.basic[1] if self.basic else None]
        values = [s.reveal() for s in secrets if s is not None]
        values += [v.partition(" ")[2] for k, v in self.reveal_headers().items() if k == "Authorization"]
        for value in values:
            text = text.replace(value, "***") if value else text
        return text

    def session(self) -> "Session":
        """A requests session that sends the headers and certificates; it ignores the environment's proxies."""
        import requests  # 60 ms, which children that hold a fault need not wait for

        session = requests.Session()
        session.trust_env = False
        session.headers.update(self.reveal_headers())
        if self.proxy is not None:
            session.proxies = {"http": self.proxy, "https": self.proxy}
        session.verify = self.ca or True
        if self.cert:
            session.cert = (self.cert, self.key) if self.key else self.cert
        return session

    def ssl_context(self) -> ssl.SSLContext | None:
        """For raw sockets; None where the scheme is http. Raises :class:`StackError` for unreadable files."""
        if not self.tls:
            return None
        try:
            context = ssl.create_default_context(cafile=self.ca)
            if self.cert:
                context.load_cert_chain(self.cert, self.key)
        except (OSError, ssl.SSLError) as e:
            raise StackError(f"certificate files of {self.host}: {e}") from e
        return context

    def describe(self) -> dict[str, object]:
        """What a recording may hold: address and the names of headers, no values."""
        auth = "bearer" if self.bearer else "basic" if self.basic else None
        names = sorted([*self.headers, *self.secret_headers])
        return {
            "url": self.url,
            "headers": names,
            "auth": auth,
            "tls": self.tls,
            "client_certificate": bool(self.cert),
            "proxy": self.proxy,
        }

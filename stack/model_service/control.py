"""Misconfigure a running demo model for as long as a block lasts, through its admin interface."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field

import msgspec
import requests

from driftdrill.durations import format_duration
from driftdrill.stack.errors import StackError
from driftdrill.stack.model_service.switches import Switch, SwitchOrder, SwitchState

TIMEOUT = 5.0


@dataclass(frozen=True)
class Misconfigured:
    """A switch that is held on: for a share of the rows that may change, and ``ttl`` real seconds from each change."""

    url: str
    token: str = field(repr=False)
    switch: Switch
    ttl: float

    def set(self, strength: float) -> None:
        """Change that share of the rows, 0 to 1, from now on. Raises :class:`StackError`."""
        _ask("PUT", self.url, self.token, msgspec.json.encode(SwitchOrder(self.switch, strength, self.ttl)))

    def state(self) -> SwitchState | None:
        """What the service says of it; None where it is off. Raises :class:`StackError`."""
        return next((state for state in _ask("GET", self.url, self.token) if state.switch == self.switch), None)

    def verify(self) -> str | None:
        """None while it is on, else what was expected and what was seen; its time to live begins anew."""
        try:
            state = self.state()
            if state is None:
                return f"expected {self.switch.id} to be on; seen: {self.url} says it is off"
            self.set(state.share)
        except StackError as e:
            return f"expected {self.switch.id} to be on; seen: {e}"
        return None

    def touched(self) -> int | None:
        """Rows that it changed since it was switched on. Raises :class:`StackError`."""
        state = self.state()
        return None if state is None else state.changed


@contextlib.contextmanager
def misconfigured(
    url: str, token: str, switch: Switch, *, share: float = 1.0, ttl: float = 120.0
) -> Iterator[Misconfigured]:
    """Hold ``switch`` on at the model service ``url`` (its root); it is off when the block is left.

    Should this process be killed, it goes off ``ttl`` seconds after the last :meth:`Misconfigured.set` or
    :meth:`~Misconfigured.verify`. Raises
    :class:`StackError` where it cannot be switched on, and where a service that still runs cannot switch it off.
    """
    held = Misconfigured(f"{url}/admin/switches", token, switch, ttl)
    held.set(share)
    try:
        yield held
    finally:
        try:
            _ask("DELETE", f"{held.url}/{switch.id}", token)
        except StackError as e:
            # A service that has ended holds no switch.
            if not isinstance(e.__cause__, requests.ConnectionError):
                raise StackError(
                    f"{switch.id} could not be switched off: {e.cause}",
                    hint=f"it goes off by itself within {format_duration(ttl)}; or end the service",
                ) from e


def _ask(method: str, url: str, token: str, body: bytes | None = None) -> list[SwitchState]:
    """What is on after the call."""
    with requests.Session() as session:
        session.trust_env = False
        try:
            answer = session.request(
                method, url, data=body, headers={"Authorization": f"Bearer {token}"}, timeout=TIMEOUT
            )
        except requests.RequestException as e:
            raise StackError(f"the model's admin interface does not answer: {type(e).__name__}", where=url) from e
    if answer.status_code == 404:
        raise StackError("the model has no admin interface", where=url, hint="start it with --admin")
    if answer.status_code != 200:
        raise StackError(f"the model's admin interface answers {answer.status_code}: {answer.text[:300]}", where=url)
    try:
        return msgspec.json.decode(answer.content, type=list[SwitchState])
    except msgspec.DecodeError as e:
        raise StackError(f"this is not the demo model's admin interface: {e}", where=url) from e

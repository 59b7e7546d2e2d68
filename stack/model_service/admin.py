"""The admin interface: misconfigure the running demo model, for a limited time. Off unless asked for.

Loopback, because the whole service is; a bearer token; and every switch goes off by itself after its ``ttl``
(real seconds), so that a drill that died cannot leave it on.
"""

import asyncio
import secrets
from collections.abc import Callable, Sequence
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from driftdrill.stack.model_service.model import Model, ModelAnswer, Row, answer
from driftdrill.stack.model_service.switches import SWITCHES, Ask, Models, Slow, SwitchOrder, SwitchState, Wrap


class _On:
    """A switch that is on."""

    def __init__(self, order: SwitchOrder, wrap: Wrap) -> None:
        self.order, self.wrap = order, wrap
        self.passed = self.changed = 0
        self._due = 0.0
        self.expiry: asyncio.TimerHandle | None = None

    def hits(self) -> bool:
        """Whether it changes the next row: every k-th one, without chance."""
        self._due += self.order.share
        hit = self._due >= 1 - 1e-9
        self._due -= hit
        self.changed += hit
        self.passed += not hit
        return hit


class Switchboard:
    """Which switches are on; ``tell`` is called with the models that answer whenever that changes."""

    def __init__(self, models: Models, tell: Callable[[Sequence[Model]], None]) -> None:
        self._models, self._tell = models, tell
        self._on: dict[str, _On] = {}

    def answer(self, row: Row) -> ModelAnswer:
        """Ask the model through every switch that is on and that this row's turn has come for."""
        ask: Ask = answer
        for on in reversed(self._on.values()):
            if not isinstance(on.order.switch, Slow) and on.hits():
                ask = on.wrap(ask)
        return ask(self._models.current, row)

    async def pause(self) -> None:
        """Wait as long as the next request must."""
        for on in self._on.values():
            if isinstance(on.order.switch, Slow) and on.hits():
                await asyncio.sleep(on.order.switch.delay)

    def on(self, order: SwitchOrder) -> None:
        """Switch on, or change share and time to live of what is on; other parameters start afresh."""
        id_ = order.switch.id
        held = self._on.get(id_)
        if held is None or held.order.switch != order.switch:
            self.off(id_)
            held = self._on[id_] = _On(order, order.switch.start(self._models))
            self._on = {known: self._on[known] for known in SWITCHES if known in self._on}
        held.order = order
        if held.expiry is not None:
            held.expiry.cancel()
        held.expiry = asyncio.get_running_loop().call_later(order.ttl, self.off, id_)
        self._tell(self._answering())

    def off(self, id_: str) -> bool:
        """Whether it was on."""
        held = self._on.pop(id_, None)
        if held is None:
            return False
        if held.expiry is not None:
            held.expiry.cancel()
        self._tell(self._answering())
        return True

    def states(self) -> list[SwitchState]:
        """What is on."""
        now = asyncio.get_running_loop().time()
        return [
            SwitchState(on.order.switch, on.order.share, round(on.expiry.when() - now, 3), on.passed, on.changed)
            for on in self._on.values()
            if on.expiry is not None
        ]

    def _answering(self) -> list[Model]:
        """The models that the metrics page speaks of."""
        shares = {id_: on.order.share for id_, on in self._on.items()}
        replaced = shares.get("mis.wrong_version", 0)
        if replaced == 1:
            return [self._models.earlier]
        mixed = replaced or shares.get("mis.traffic_split", 0)
        return [self._models.current, self._models.earlier] if mixed else [self._models.current]


def admin_routes(board: Switchboard, token: str) -> APIRouter:
    """GET and PUT /admin/switches, DELETE /admin/switches/{id}; each wants ``Authorization: Bearer`` + token."""

    async def authorised(
        given: Annotated[HTTPAuthorizationCredentials | None, Depends(HTTPBearer(auto_error=False))],
    ) -> None:
        if given is None or not secrets.compare_digest(given.credentials.encode(), token.encode()):
            raise HTTPException(401, "the admin interface wants its token", {"WWW-Authenticate": "Bearer"})

    routes = APIRouter(prefix="/admin/switches", dependencies=[Depends(authorised)], include_in_schema=False)

    def states() -> Response:
        return Response(msgspec.json.encode(board.states()), media_type="application/json")

    @routes.get("")
    async def show() -> Response:
        return states()

    @routes.put("")
    async def on(request: Request) -> Response:
        try:
            order: Any = msgspec.json.decode(await request.body(), type=SwitchOrder)
        except (msgspec.DecodeError, UnicodeDecodeError) as e:
            raise HTTPException(422, f"{e}; known switches: {', '.join(SWITCHES)}") from e
        board.on(order)
        return states()

    @routes.delete("/{id_}")
    async def off(id_: str) -> Response:
        board.off(id_)
        return states()

    return routes

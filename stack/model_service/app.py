"""The demo model over HTTP: /predict, /health, /metrics."""

import math
from collections.abc import Callable
from functools import partial
from typing import Annotated, Any

from fastapi import Body, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from prometheus_client import CollectorRegistry
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel, ConfigDict, Discriminator, FiniteFloat, Tag

from driftdrill.stack.model_service import metrics
from driftdrill.stack.model_service.admin import Switchboard, admin_routes
from driftdrill.stack.model_service.model import Model, ModelAnswer, Row
from driftdrill.stack.model_service.model import answer as plain_answer
from driftdrill.stack.model_service.switches import Models

EXAMPLE: dict[str, float | str] = {
    "dep_delay": 12.0,
    "carrier": "UA",
    "origin": "EWR",
    "dest": "ORD",
    "distance": 719.0,
    "hour": 17,
    "month": 5,
    "weekday": 4,
}


class Flight(BaseModel):
    """One row. A value that is null or left out is imputed; text for a number is refused, unknown keys are ignored."""

    model_config = ConfigDict(strict=True, json_schema_extra={"example": {**EXAMPLE}})

    dep_delay: FiniteFloat | None = None
    carrier: str | None = None
    origin: str | None = None
    dest: str | None = None
    distance: FiniteFloat | None = None
    hour: FiniteFloat | None = None
    month: FiniteFloat | None = None
    weekday: FiniteFloat | None = None


class Flights(BaseModel):
    """A request with several rows."""

    rows: list[Flight]


class Prediction(BaseModel):
    """The probability of arriving 15 minutes late or more, and the decision."""

    prediction: float
    late: bool


class Predictions(BaseModel):
    """One answer a row, in order."""

    predictions: list[float]
    late: list[bool]


def _kind(asked: Any) -> str:
    return "rows" if isinstance(asked, Flights) or (isinstance(asked, dict) and "rows" in asked) else "row"


Asked = Annotated[Annotated[Flight, Tag("row")] | Annotated[Flights, Tag("rows")], Discriminator(_kind), Body()]


def create_app(model: Model, *, earlier: Model | None = None, token: str | None = None) -> FastAPI:
    """The ASGI application of one model, with a metrics registry of its own.

    With an ``earlier`` version and a ``token`` it has the admin interface.
    """
    app = FastAPI(title="Will this flight land late?", version=model.version)
    registry = metrics.registry()
    told = metrics.ModelMetrics([model] if earlier is None else [model, earlier], registry)
    _instrument(app, registry)
    answer: Callable[[Row], ModelAnswer] = partial(plain_answer, model)
    board: Switchboard | None = None
    if earlier is not None and token:
        board = Switchboard(Models(model, earlier), told.tell)
        answer = board.answer
        app.include_router(admin_routes(board, token))

    # No pause between asking and counting: a row is counted, in full, before its answer is sent.
    @app.post("/predict", response_model=Prediction | Predictions)
    async def predict(asked: Asked) -> Response:
        if board is not None:
            await board.pause()
        answers = [answer(row.__dict__) for row in (asked.rows if isinstance(asked, Flights) else [asked])]
        told.observe(answers)
        predictions = [None if math.isnan(a.probability) else a.probability for a in answers]
        if isinstance(asked, Flights):
            return JSONResponse({"predictions": predictions, "late": [a.late for a in answers]})
        return JSONResponse({"prediction": predictions[0], "late": answers[0].late})

    @app.get("/health")
    async def health() -> dict[str, str]:
        return {"status": "ok", "version": model.version}

    @app.exception_handler(RequestValidationError)
    async def refuse(_: Request, error: RequestValidationError) -> Response:
        """422 without an echo of the input: FastAPI's own answer to NaN is a 500, since JSON cannot say NaN."""
        told.refused.inc()
        detail = [{"loc": list(e["loc"]), "msg": e["msg"], "type": e["type"]} for e in error.errors()]
        return JSONResponse({"detail": detail}, status_code=422)

    return app


def _instrument(app: FastAPI, registry: CollectorRegistry) -> None:
    instrumentator = Instrumentator(
        registry=registry, should_group_status_codes=False, excluded_handlers=["^/metrics$", "^/health$", "^/admin/"]
    )
    instrumentator.add(metrics.http_metrics(registry)).instrument(app).expose(app)

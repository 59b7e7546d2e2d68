"""FastAPI with prometheus-fastapi-instrumentator: fastapi_app.py FOLDER PORT."""

import sys
from pathlib import Path

import joblib
import uvicorn
from fastapi import FastAPI
from prometheus_fastapi_instrumentator import Instrumentator
from pydantic import BaseModel

folder, port = Path(sys.argv[1]), int(sys.argv[2])
model = joblib.load(folder / "model.joblib")
app = FastAPI()
Instrumentator(should_group_status_codes=False).instrument(app).expose(app)


class Flower(BaseModel):
    sepal_length: float
    sepal_width: float
    petal_length: float
    petal_width: float


@app.post("/predict")
def predict(flower: Flower) -> dict[str, float]:
    row = [flower.sepal_length, flower.sepal_width, flower.petal_length, flower.petal_width]
    return {"prediction": float(model.predict([row])[0])}


@app.get("/health")
def health() -> str:
    return "ok"


uvicorn.run(app, host="127.0.0.1", port=port, access_log=False)
